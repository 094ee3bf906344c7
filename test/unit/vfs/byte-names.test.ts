/** Names that are no UTF-8: what is on the disk has exactly the bytes a session asked for. */
import assert from 'node:assert/strict';
import fs, { type Dir } from 'node:fs';
import { test } from 'node:test';
import { decodePathBytes, pathTextBytes } from '../../../src/util/path-text.ts';
import { FsError } from '../../../workers/vfs/fs-error.ts';
import { DirectoryNames } from '../../../workers/vfs/path-calls.ts';
import type { JailKind } from '../../../workers/vfs/root-jail.ts';
import type { VirtualFileSystem } from '../../../workers/vfs/types.ts';
import { openVfsFixture } from '../../support/vfs-fixture.ts';

/** File systems of macOS refuse such names themselves. */
const onLinux = { skip: process.platform !== 'linux', timeout: 20_000 };
const CAFE = 'caf\udce9';
const HIGH = '\udcff\udc80';

const at = (...parts: readonly string[]): Buffer => pathTextBytes(parts.join('/'));
const namesOnDisk = (directory: string): string[] =>
  fs.readdirSync(Buffer.from(directory), 'buffer').map(decodePathBytes).toSorted();

function listed(vfs: VirtualFileSystem, path: string): string[] {
  const cursor = vfs.openDirectory(vfs.resolve(path), 'LIST');
  const names: string[] = [];
  while (!cursor.ended) names.push(...cursor.next(50).map(({ name }) => name));
  cursor.close();
  return names.toSorted();
}

for (const jail of ['kernel', 'checked'] satisfies JailKind[]) {
  test(`every operation reaches names of any bytes (${jail} jail)`, onLinux, () => {
    using files = openVfsFixture({ jail, settings: { allowOverwrite: true } });
    const { root, vfs } = files;
    fs.mkdirSync(at(root, HIGH));
    fs.writeFileSync(at(root, HIGH, CAFE), '12345');
    fs.symlinkSync(at(HIGH, CAFE), at(root, `link${HIGH}`));
    assert.deepEqual(listed(vfs, '/'), [`link${HIGH}`, HIGH].toSorted());
    assert.deepEqual(listed(vfs, `/${HIGH}`), [CAFE]);
    const path = vfs.resolve(`/${HIGH}/${CAFE}`);
    assert.equal(vfs.lstat(path, 'SIZE').size, 5);
    assert.equal(vfs.stat(vfs.resolve(`/link${HIGH}`), 'SIZE').size, 5);
    assert.equal(vfs.readLink(vfs.resolve(`/link${HIGH}`), 'LIST'), `${HIGH}/${CAFE}`);
    vfs.changeMode(path, 0o600, 'SITE_CHMOD');
    assert.equal(fs.statSync(at(root, HIGH, CAFE)).mode & 0o777, 0o600);
    vfs.makeDirectory(vfs.resolve(`/${HIGH}/d${HIGH}`), 'MKD');
    vfs.rename(path, vfs.resolve(`/${HIGH}/d${HIGH}/x${CAFE}`), 'RNTO');
    assert.deepEqual(namesOnDisk(`${root}`), [`link${HIGH}`, HIGH].toSorted());
    assert.deepEqual(fs.readdirSync(at(root, HIGH, `d${HIGH}`), 'buffer'), [at(`x${CAFE}`)]);
    vfs.removeFile(vfs.resolve(`/${HIGH}/d${HIGH}/x${CAFE}`), 'DELE');
    vfs.removeDirectory(vfs.resolve(`/${HIGH}/d${HIGH}`), 'RMD');
    assert.deepEqual(listed(vfs, `/${HIGH}`), []);
  });
}

test('a name given in two escaped halves is the name itself to filters', onLinux, () => {
  using files = openVfsFixture({
    settings: { pathDenyFilter: { pattern: /é/, negate: false } },
  });
  const { vfs } = files;
  assert.equal(vfs.resolve('/\udcc3\udca9'), '/é');
  assert.throws(
    () => vfs.makeDirectory(vfs.resolve('/\udcc3\udca9'), 'MKD'),
    (error) => error instanceof FsError && error.code === 'forbidden-name',
  );
});

test('a directory with no entry types is read by bytes, each name once', () => {
  const names = ['a', 'caf\xe9', 'b'];
  const opened: string[] = [];
  let closed = 0;
  const reader = new DirectoryNames((encoding) => {
    opened.push(encoding);
    let at = 0;
    return {
      readSync() {
        const name = names[at];
        if (name === undefined) return null;
        at += 1;
        if (encoding === 'latin1' && name === 'caf\xe9')
          throw Object.assign(new Error('no such entry'), { code: 'ENOENT', syscall: 'lstat' });
        return { name: encoding === 'buffer' ? Buffer.from(name, 'latin1') : name };
      },
      closeSync: () => void (closed += 1),
    } as unknown as Dir;
  });
  const given: (string | null)[] = [];
  for (let count = 0; count < 4; count += 1) given.push(reader.readSync());
  reader.closeSync();
  assert.deepEqual(given, ['a', CAFE, 'b', null]);
  assert.deepEqual([opened, closed], [['latin1', 'buffer'], 2]);
});

test('HideFiles hides by the text of the bytes', onLinux, () => {
  const hideFiles = [{ value: { pattern: /\udce9$/, negate: false } }];
  using files = openVfsFixture({ settings: { hideFiles } });
  for (const name of [CAFE, 'caf\udce8', 'caf\ufffd']) fs.writeFileSync(at(files.root, name), '');
  assert.deepEqual(listed(files.vfs, '/'), ['caf\udce8', 'caf\ufffd'].toSorted());
});

test('a directory section is found by the text of its bytes', onLinux, () => {
  using files = openVfsFixture({
    directories: { [`/${CAFE}`]: { settings: { allowOverwrite: false } } },
    settings: { allowOverwrite: true },
  });
  const { root, vfs } = files;
  fs.mkdirSync(at(root, CAFE));
  assert.equal(vfs.configFor(vfs.resolve(`/${CAFE}/x`)).settings.allowOverwrite, false);
  assert.equal(vfs.configFor(vfs.resolve('/caf\ufffd/x')).settings.allowOverwrite, true);
});

test('.ftpaccess is read below a directory of any name, and may hold bytes of names', onLinux, () => {
  using files = openVfsFixture({ settings: { allowOverride: true } });
  const { root, vfs } = files;
  fs.mkdirSync(at(root, CAFE));
  fs.writeFileSync(at(root, CAFE, '.ftpaccess'), at('<Limit WRITE>\nDenyAll\n</Limit>\n'));
  assert.throws(
    () => vfs.makeDirectory(vfs.resolve(`/${CAFE}/d`), 'MKD'),
    (error) => error instanceof FsError && error.code === 'permission-denied',
  );
});
