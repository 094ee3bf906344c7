import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FsError, type FsErrorCode } from '../../../workers/vfs/fs-error.ts';
import { jailKind, type JailKind } from '../../../workers/vfs/root-jail.ts';
import { temporaryName } from '../../../workers/vfs/temporary-name.ts';
import type { VirtualFileSystem } from '../../../workers/vfs/types.ts';
import { denyAll, emptyLimit, openVfsFixture } from '../../support/vfs-fixture.ts';

const jails: JailKind[] = jailKind() === 'kernel' ? ['kernel', 'checked'] : ['checked'];

function failsWith(code: FsErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof FsError && error.code === code;
}

function names(vfs: VirtualFileSystem, path: string): string[] {
  const cursor = vfs.openDirectory(vfs.resolve(path), 'LIST');
  const found: string[] = [];
  while (!cursor.ended) found.push(...cursor.next(7).map((entry) => entry.name));
  cursor.close();
  return found.sort();
}

for (const jail of jails) {
  test(`links resolve as in a chroot (${jail} jail)`, () => {
    using files = openVfsFixture({ jail });
    const { vfs, root, outside } = files;
    fs.writeFileSync(join(outside, 'secret'), 'outside');
    fs.mkdirSync(join(root, 'd'));
    fs.writeFileSync(join(root, 'd/file'), 'inside');
    const links = {
      absolute: '/d/file',
      relative: 'd/file',
      above: '../../../../d/file',
      host: outside,
      secret: join(outside, 'secret'),
      climb: '../outside/secret',
      loop: 'loop',
      directory: '/d',
      magic: `/proc/self/root${outside}/secret`,
    };
    for (const [name, target] of Object.entries(links)) fs.symlinkSync(target, join(root, name));
    for (const name of ['absolute', 'relative', 'above', 'directory/file']) {
      using closing = new DisposableStack();
      const opened = vfs.openRead(vfs.resolve(`/${name}`), 'RETR');
      closing.defer(() => opened.close());
      assert.equal(fs.readFileSync(opened.descriptor, 'utf8'), 'inside', name);
    }
    for (const name of ['host', 'secret', 'climb', 'magic', 'host/secret']) {
      assert.throws(() => vfs.openRead(vfs.resolve(`/${name}`), 'RETR'), failsWith('not-found'), name);
    }
    assert.throws(() => vfs.stat(vfs.resolve('/loop'), 'SIZE'), failsWith('too-many-links'));
    assert.throws(() => vfs.stat(vfs.resolve('/d/file/x'), 'SIZE'), failsWith('not-a-directory'));
    assert.throws(() => vfs.stat(vfs.resolve('/none/x'), 'SIZE'), failsWith('not-found'));
  });

  test(`the server's own /proc is closed to sessions without a root of their own (${jail} jail)`, () => {
    using whole = openVfsFixture({ jail });
    fs.symlinkSync('/proc/self/environ', join(whole.root, 'environ'));
    const vfs = whole.openAt('/', { jail });
    for (const path of [
      '/proc/self/environ',
      '/proc/self/fd/0',
      '/proc/1/cmdline',
      join(whole.root, 'environ'),
    ]) {
      assert.throws(() => vfs.openRead(vfs.resolve(path), 'RETR'), failsWith('permission-denied'), path);
    }
    // The kernel refuses to enter a magic link at all.
    const magic = vfs.resolve('/proc/self/root/etc/passwd');
    assert.throws(
      () => vfs.openRead(magic, 'RETR'),
      failsWith(jail === 'kernel' ? 'too-many-links' : 'permission-denied'),
    );
    assert.throws(() => vfs.changeDirectory(vfs.resolve('/proc'), 'CWD'), failsWith('permission-denied'));
  });
}

test('operations on entries change exactly the entry', () => {
  using files = openVfsFixture({ settings: { umask: { file: 0o022, directory: 0o007 } } });
  const { vfs, root } = files;
  const at = (path: string) => vfs.resolve(path);
  vfs.makeDirectory(at('/d'), 'MKD');
  assert.equal(fs.statSync(join(root, 'd')).mode & 0o777, 0o770);
  assert.throws(() => vfs.makeDirectory(at('/d'), 'MKD'), failsWith('exists'));
  fs.writeFileSync(join(root, 'd/f'), 'x');
  assert.throws(() => vfs.removeDirectory(at('/d'), 'RMD'), failsWith('not-empty'));
  assert.throws(() => vfs.removeFile(at('/d'), 'DELE'), failsWith('is-a-directory'));
  vfs.rename(at('/d/f'), at('/g'), 'RNTO');
  assert.equal(fs.readFileSync(join(root, 'g'), 'utf8'), 'x');
  vfs.changeMode(at('/g'), 0o604, 'SITE_CHMOD');
  assert.equal(fs.statSync(join(root, 'g')).mode & 0o7777, 0o604);
  vfs.setTimes(at('/g'), new Date(1000), new Date(86_400_000), 'MFMT');
  assert.equal(vfs.stat(at('/g'), 'MDTM').mtimeMs, 86_400_000);
  fs.symlinkSync('g', join(root, 'link'));
  assert.equal(vfs.readLink(at('/link'), 'MLST'), 'g');
  vfs.removeFile(at('/link'), 'DELE');
  vfs.removeDirectory(at('/d'), 'RMD');
  assert.deepEqual(fs.readdirSync(root), ['g']);
  assert.throws(() => vfs.removeDirectory(at('/'), 'RMD'), failsWith('busy'));
  assert.throws(() => vfs.rename(at('/'), at('/x'), 'RNTO'), failsWith('busy'));
});

test('a rename onto an existing entry needs AllowOverwrite', () => {
  using files = openVfsFixture();
  const { vfs, root } = files;
  fs.writeFileSync(join(root, 'a'), 'a');
  fs.writeFileSync(join(root, 'b'), 'b');
  assert.throws(() => vfs.rename(vfs.resolve('/a'), vfs.resolve('/b'), 'RNTO'), failsWith('rename-denied'));
  assert.equal(fs.readFileSync(join(root, 'b'), 'utf8'), 'b');
  const allowed = files.open({ settings: { allowOverwrite: true } });
  allowed.rename(vfs.resolve('/a'), vfs.resolve('/b'), 'RNTO');
  assert.equal(fs.readFileSync(join(root, 'b'), 'utf8'), 'a');
});

test('CWD needs a directory; with ShowSymlinks off the link is forgotten', () => {
  using files = openVfsFixture();
  const { vfs, root } = files;
  fs.mkdirSync(join(root, 'd/e'), { recursive: true });
  fs.writeFileSync(join(root, 'f'), '');
  fs.symlinkSync('/d/e', join(root, 'link'));
  assert.throws(() => vfs.changeDirectory(vfs.resolve('/f'), 'CWD'), failsWith('not-a-directory'));
  assert.equal(vfs.cwd, '/');
  vfs.changeDirectory(vfs.resolve('link'), 'CWD');
  assert.equal(vfs.cwd, '/link');
  const resolved = files.open({ settings: { showSymlinks: false } });
  resolved.changeDirectory(resolved.resolve('link'), 'CWD');
  assert.equal(resolved.cwd, '/d/e');
});

test('a listing leaves out what HideFiles, HideUser, HideGroup and our temporaries hide; direct access stays', () => {
  using files = openVfsFixture();
  const { root } = files;
  for (const name of ['a', '.secret', 'b.tmp', temporaryName('x')]) fs.writeFileSync(join(root, name), 'x');
  const { uid, gid } = fs.statSync(join(root, 'a'));
  const hide = (negate: boolean) => ({ value: { pattern: /^\./, negate } });
  assert.deepEqual(names(files.vfs, '/'), ['.secret', 'a', 'b.tmp']);
  assert.deepEqual(names(files.open({ settings: { hideFiles: [hide(false)] } }), '/'), ['a', 'b.tmp']);
  assert.deepEqual(names(files.open({ settings: { hideFiles: [hide(true)] } }), '/'), ['.secret']);
  assert.deepEqual(names(files.open({ settings: { hideUser: ['~'] } }), '/'), []);
  assert.deepEqual(names(files.open({ settings: { hideGroup: [`group${gid}`] } }), '/'), []);
  assert.deepEqual(names(files.open({ settings: { hideUser: [`user${uid + 1}`] } }), '/'), [
    '.secret',
    'a',
    'b.tmp',
  ]);
  const hidden = files.open({ settings: { hideFiles: [hide(false)] } });
  assert.equal(hidden.stat(hidden.resolve('/.secret'), 'SIZE').size, 1);
});

test('HideFiles for one user hides nothing from another', () => {
  const forBob = {
    kind: 'user',
    expression: { mode: 'or', terms: [{ name: 'bob', negate: false }] },
  } as const;
  const settings = { hideFiles: [{ value: { pattern: /x/, negate: false }, appliesTo: forBob }] };
  using files = openVfsFixture({ settings });
  fs.writeFileSync(join(files.root, 'x'), '');
  assert.deepEqual(names(files.vfs, '/'), ['x']);
  assert.deepEqual(names(files.open({ settings, principal: { user: 'bob' } }), '/'), []);
});

test('IgnoreHidden makes a hidden file look absent', () => {
  const settings = { hideFiles: [{ value: { pattern: /^\./, negate: false } }] };
  using files = openVfsFixture({ settings, limits: [{ ...emptyLimit(['RETR']), ignoreHidden: true }] });
  fs.writeFileSync(join(files.root, '.secret'), '');
  fs.writeFileSync(join(files.root, 'plain'), '');
  const { vfs } = files;
  assert.throws(() => vfs.openRead(vfs.resolve('/.secret'), 'RETR'), failsWith('not-found'));
  vfs.openRead(vfs.resolve('/plain'), 'RETR').close();
});

test('ShowSymlinks decides whether a link or its target is shown', () => {
  using files = openVfsFixture();
  fs.writeFileSync(join(files.root, 'file'), '12345');
  fs.symlinkSync('/file', join(files.root, 'link'));
  fs.symlinkSync('/none', join(files.root, 'dangling'));
  const shown = files.vfs.entry(files.vfs.resolve('/link'), 'MLST');
  assert.equal(shown.linkTarget, '/file');
  assert.deepEqual(names(files.vfs, '/'), ['dangling', 'file', 'link']);
  const plain = files.open({ settings: { showSymlinks: false } });
  const entry = plain.entry(plain.resolve('/link'), 'MLST');
  assert.equal(entry.linkTarget, null);
  assert.equal(entry.stats.size, 5);
  assert.deepEqual(names(plain, '/'), ['file', 'link']);
});

test('a link leads around no <Limit>, and a forbidden directory does not tell what it holds', () => {
  using files = openVfsFixture({ directories: { private: { limits: [denyAll('ALL')] } } });
  const { vfs, root } = files;
  fs.mkdirSync(join(root, 'private/sub'), { recursive: true });
  fs.writeFileSync(join(root, 'private/file'), 'x');
  fs.symlinkSync('/private', join(root, 'directory'));
  fs.symlinkSync('/private/file', join(root, 'file'));
  for (const path of [
    '/private/file',
    '/directory/file',
    '/file',
    '/private/none',
    '/private/none/x',
    '/private/file/x',
  ]) {
    assert.throws(() => vfs.openRead(vfs.resolve(path), 'RETR'), failsWith('permission-denied'), path);
  }
  assert.throws(() => vfs.changeDirectory(vfs.resolve('/directory'), 'CWD'), failsWith('permission-denied'));
});

test('.ftpaccess is obeyed, an edit acts at once, and a broken one denies everything and is logged', () => {
  using files = openVfsFixture();
  const { vfs, root } = files;
  fs.mkdirSync(join(root, 'd'));
  fs.writeFileSync(join(root, 'd/f'), 'x');
  const access = join(root, 'd/.ftpaccess');
  const path = vfs.resolve('/d/f');
  const open = (): void => vfs.openRead(path, 'RETR').close();
  open();
  fs.writeFileSync(access, '<Limit RETR>\n  DenyAll\n</Limit>\n');
  assert.throws(open, failsWith('permission-denied'));
  assert.equal(vfs.stat(path, 'SIZE').size, 1);
  fs.writeFileSync(access, '<Limit STOR>\n  DenyAll\n</Limit>\n');
  open();
  assert.deepEqual(files.warnings, []);
  fs.writeFileSync(access, '<Limit RETR>\n  Deny');
  assert.throws(open, failsWith('permission-denied'));
  assert.ok(files.warnings.length > 0);
  fs.rmSync(access);
  fs.mkdirSync(access);
  assert.throws(open, failsWith('permission-denied'));
  fs.rmdirSync(access);
  open();
  const off = files.open({ settings: { allowOverride: false } });
  fs.writeFileSync(access, 'nonsense');
  off.openRead(path, 'RETR').close();
});

test('readTextFile reads at most what it may and is null for what is not a readable file', () => {
  using files = openVfsFixture();
  fs.writeFileSync(join(files.root, 'welcome'), 'hello world');
  fs.mkdirSync(join(files.root, 'd'));
  const { vfs } = files;
  assert.equal(vfs.readTextFile(vfs.resolve('/welcome'), 1024), 'hello world');
  assert.equal(vfs.readTextFile(vfs.resolve('/welcome'), 5), 'hello');
  assert.equal(vfs.readTextFile(vfs.resolve('/none'), 5), null);
  assert.equal(vfs.readTextFile(vfs.resolve('/d'), 5), null);
});

test('no operation leaves a descriptor open, and close gives the root back', () => {
  using files = openVfsFixture();
  fs.mkdirSync(join(files.root, 'd'));
  fs.writeFileSync(join(files.root, 'd/f'), '');
  const count = (): number => fs.readdirSync('/proc/self/fd').length;
  const before = count();
  const vfs = files.open();
  const d = vfs.resolve('/d');
  const f = vfs.resolve('/d/f');
  vfs.stat(f, 'SIZE');
  vfs.configFor(f);
  vfs.freeBytes(d);
  vfs.entry(d, 'MLST');
  vfs.authorize('RETR', f);
  names(vfs, '/d');
  vfs.openRead(f, 'RETR').close();
  assert.throws(() => vfs.openRead(d, 'RETR'));
  assert.throws(() => vfs.openDirectory(f, 'LIST'));
  assert.throws(() => vfs.makeDirectory(d, 'MKD'));
  assert.throws(() => vfs.stat(vfs.resolve('/d/f/g'), 'SIZE'));
  vfs.close();
  assert.equal(count(), before);
  assert.throws(() => vfs.stat(f, 'SIZE'));
});
