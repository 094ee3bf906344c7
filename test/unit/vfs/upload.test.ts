import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FsError, type FsErrorCode } from '../../../workers/vfs/fs-error.ts';
import type { UploadMode, VirtualFileSystem } from '../../../workers/vfs/types.ts';
import { openVfsFixture, type FixtureOptions, type VfsFixture } from '../../support/vfs-fixture.ts';

const store: UploadMode = { kind: 'store' };

function failsWith(code: FsErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof FsError && error.code === code;
}

function upload(vfs: VirtualFileSystem, name: string, content: string, mode: UploadMode = store): void {
  const target = vfs.openWrite(vfs.resolve(name), mode, mode.kind === 'append' ? 'APPE' : 'STOR');
  fs.writeSync(target.descriptor, content, target.offset);
  target.commit();
}

function abortAfter(vfs: VirtualFileSystem, name: string, content: string, mode: UploadMode = store): void {
  const target = vfs.openWrite(vfs.resolve(name), mode, 'STOR');
  fs.writeSync(target.descriptor, content, target.offset);
  target.abort(content.length);
}

function fixture(settings: FixtureOptions['settings'] = {}): VfsFixture {
  return openVfsFixture({ settings });
}

const read = (directory: string, name: string): string => fs.readFileSync(join(directory, name), 'utf8');

test('a new file appears under its name only with the commit, with the mode the umask leaves', () => {
  using files = fixture({ umask: { file: 0o027, directory: 0o027 } });
  const target = files.vfs.openWrite(files.vfs.resolve('/a.txt'), store, 'STOR');
  fs.writeSync(target.descriptor, 'whole');
  assert.equal(fs.existsSync(join(files.root, 'a.txt')), false);
  assert.equal(target.previousSize, null);
  target.commit();
  assert.equal(read(files.root, 'a.txt'), 'whole');
  assert.equal(fs.statSync(join(files.root, 'a.txt')).mode & 0o777, 0o640);
  assert.deepEqual(fs.readdirSync(files.root), ['a.txt']);
});

test('an aborted upload leaves the old file, and of a new file nothing', () => {
  using files = fixture({ allowOverwrite: true });
  fs.writeFileSync(join(files.root, 'old'), 'before');
  abortAfter(files.vfs, '/old', 'half');
  abortAfter(files.vfs, '/new', 'half');
  assert.equal(read(files.root, 'old'), 'before');
  assert.deepEqual(fs.readdirSync(files.root), ['old']);
});

test('where AllowStoreRestart lets a client continue, an aborted new file stays; not with DeleteAbortedStores or HiddenStores', () => {
  using files = fixture({ allowStoreRestart: true, allowOverwrite: true });
  fs.writeFileSync(join(files.root, 'old'), 'before');
  abortAfter(files.vfs, '/new', 'half');
  abortAfter(files.vfs, '/old', 'half');
  assert.equal(read(files.root, 'new'), 'half');
  assert.equal(read(files.root, 'old'), 'before');
  const settings = { allowStoreRestart: true, deleteAbortedStores: true };
  abortAfter(files.open({ settings }), '/deleted', 'half');
  const hidden = { allowStoreRestart: true, hiddenStores: { prefix: '.in.', suffix: '.' } };
  abortAfter(files.open({ settings: hidden }), '/hidden', 'half');
  assert.deepEqual(fs.readdirSync(files.root).sort(), ['new', 'old']);
});

test('AllowOverwrite off keeps an existing file, also one that appeared during the upload', () => {
  using files = fixture();
  fs.writeFileSync(join(files.root, 'old'), 'before');
  assert.throws(
    () => files.vfs.openWrite(files.vfs.resolve('/old'), store, 'STOR'),
    failsWith('overwrite-denied'),
  );
  const target = files.vfs.openWrite(files.vfs.resolve('/late'), store, 'STOR');
  fs.writeFileSync(join(files.root, 'late'), 'first');
  assert.throws(() => target.commit(), failsWith('overwrite-denied'));
  assert.equal(read(files.root, 'late'), 'first');
  assert.deepEqual(fs.readdirSync(files.root).sort(), ['late', 'old']);
});

test('an overwritten file keeps its mode', () => {
  using files = fixture({ allowOverwrite: true });
  fs.writeFileSync(join(files.root, 'old'), 'before');
  fs.chmodSync(join(files.root, 'old'), 0o4604);
  upload(files.vfs, '/old', 'after');
  assert.equal(read(files.root, 'old'), 'after');
  assert.equal(fs.statSync(join(files.root, 'old')).mode & 0o7777, 0o604);
});

test('HiddenStores writes .in.NAME. and refuses when that exists', () => {
  using files = fixture({ hiddenStores: { prefix: '.in.', suffix: '.' } });
  const target = files.vfs.openWrite(files.vfs.resolve('/a'), store, 'STOR');
  assert.deepEqual(fs.readdirSync(files.root), ['.in.a.']);
  assert.throws(
    () => files.vfs.openWrite(files.vfs.resolve('/a'), store, 'STOR'),
    failsWith('hidden-store-exists'),
  );
  target.commit();
  assert.deepEqual(fs.readdirSync(files.root), ['a']);
  const restart: UploadMode = { kind: 'restart', offset: 0 };
  assert.throws(
    () => files.vfs.openWrite(files.vfs.resolve('/a'), restart, 'STOR'),
    failsWith('restart-with-hidden-store'),
  );
});

test('append and restart need AllowStoreRestart for a file that exists', () => {
  using files = fixture({ allowOverwrite: true });
  fs.writeFileSync(join(files.root, 'a'), '0123456789');
  const path = files.vfs.resolve('/a');
  assert.throws(() => files.vfs.openWrite(path, { kind: 'append' }, 'APPE'), failsWith('append-denied'));
  assert.throws(
    () => files.vfs.openWrite(path, { kind: 'restart', offset: 4 }, 'STOR'),
    failsWith('restart-denied'),
  );
  const allowed = files.open({ settings: { allowOverwrite: true, allowStoreRestart: true } });
  upload(allowed, '/a', 'XY', { kind: 'restart', offset: 4 });
  assert.equal(read(files.root, 'a'), '0123XY6789');
  upload(allowed, '/a', '!', { kind: 'append' });
  assert.equal(read(files.root, 'a'), '0123XY6789!');
  assert.throws(
    () => allowed.openWrite(path, { kind: 'restart', offset: 12 }, 'STOR'),
    failsWith('invalid-offset'),
  );
  upload(allowed, '/fresh', 'new', { kind: 'append' });
  assert.equal(read(files.root, 'fresh'), 'new');
});

test('STOU never meets an existing file', () => {
  using files = fixture({ allowOverwrite: true });
  fs.writeFileSync(join(files.root, 'taken'), 'before');
  assert.throws(
    () => files.vfs.openWrite(files.vfs.resolve('/taken'), { kind: 'unique' }, 'STOU'),
    failsWith('exists'),
  );
  const target = files.vfs.openWrite(files.vfs.resolve('/late'), { kind: 'unique' }, 'STOU');
  fs.writeFileSync(join(files.root, 'late'), 'first');
  assert.throws(() => target.commit(), failsWith('exists'));
  assert.equal(read(files.root, 'late'), 'first');
});

test('an upload onto a link needs AllowSymlinkUpload and then replaces what the link names', () => {
  using files = fixture({ allowOverwrite: true });
  fs.mkdirSync(join(files.root, 'd'));
  fs.writeFileSync(join(files.root, 'd/real'), 'before');
  fs.symlinkSync('/d/real', join(files.root, 'link'));
  fs.writeFileSync(join(files.outside, 'secret'), 'outside');
  fs.symlinkSync('../outside/secret', join(files.root, 'escape'));
  assert.throws(
    () => files.vfs.openWrite(files.vfs.resolve('/link'), store, 'STOR'),
    failsWith('not-regular'),
  );
  const allowed = files.open({ settings: { allowOverwrite: true, transferOptions: ['AllowSymlinkUpload'] } });
  upload(allowed, '/link', 'after');
  assert.equal(read(files.root, 'd/real'), 'after');
  assert.ok(fs.lstatSync(join(files.root, 'link')).isSymbolicLink());
  assert.throws(() => allowed.openWrite(allowed.resolve('/escape'), store, 'STOR'), failsWith('not-found'));
  assert.equal(read(files.outside, 'secret'), 'outside');
});

test('directories and FIFOs are refused without waiting for anybody', { timeout: 5000 }, async () => {
  using files = fixture({ allowOverwrite: true });
  const { execFileSync } = await import('node:child_process');
  execFileSync('mkfifo', [join(files.root, 'pipe')]);
  fs.mkdirSync(join(files.root, 'd'));
  for (const name of ['/pipe', '/d', '/']) {
    assert.throws(
      () => files.vfs.openWrite(files.vfs.resolve(name), store, 'STOR'),
      failsWith('not-regular'),
      name,
    );
    assert.throws(() => files.vfs.openRead(files.vfs.resolve(name), 'RETR'), failsWith('not-regular'), name);
  }
});

test('PathDenyFilter refuses the name for uploads, directories, removal and both ends of a rename', () => {
  using files = fixture({ pathDenyFilter: { pattern: /\.exe$/, negate: false }, allowOverwrite: true });
  fs.writeFileSync(join(files.root, 'a.exe'), 'x');
  fs.writeFileSync(join(files.root, 'b'), 'x');
  const { vfs } = files;
  const at = (name: string) => vfs.resolve(name);
  const refused: (() => unknown)[] = [
    () => vfs.openWrite(at('/a.exe'), store, 'STOR'),
    () => vfs.makeDirectory(at('/d.exe'), 'MKD'),
    () => vfs.removeDirectory(at('/d.exe'), 'RMD'),
    () => vfs.removeFile(at('/a.exe'), 'DELE'),
    () => vfs.lstat(at('/a.exe'), 'RNFR'),
    () => vfs.rename(at('/a.exe'), at('/c'), 'RNTO'),
    () => vfs.rename(at('/b'), at('/b.exe'), 'RNTO'),
    () => vfs.changeMode(at('/a.exe'), 0o777, 'SITE_CHMOD'),
    () => vfs.changeGroup(at('/a.exe'), 0, 'SITE_CHGRP'),
  ];
  for (const attempt of refused) assert.throws(attempt, failsWith('forbidden-name'));
  assert.deepEqual(fs.readdirSync(files.root).sort(), ['a.exe', 'b']);
  assert.equal(vfs.stat(at('/a.exe'), 'SIZE').size, 1);
});

test('the temporary of a name as long as a name can be fits the directory', () => {
  using files = fixture();
  const name = 'é'.repeat(127);
  upload(files.vfs, `/${name}`, 'x');
  assert.deepEqual(fs.readdirSync(files.root), [name]);
});

test('no upload leaves a descriptor open, however it ends', () => {
  using files = fixture({ allowOverwrite: true });
  upload(files.vfs, '/a', 'x');
  const before = fs.readdirSync('/proc/self/fd').length;
  upload(files.vfs, '/a', 'x');
  abortAfter(files.vfs, '/a', 'x');
  assert.throws(
    () => files.open({}).openWrite(files.vfs.resolve('/a'), store, 'STOR'),
    failsWith('overwrite-denied'),
  );
  assert.throws(
    () => files.vfs.openWrite(files.vfs.resolve('/none/a'), store, 'STOR'),
    failsWith('not-found'),
  );
  // One more: the root of the second session.
  assert.equal(fs.readdirSync('/proc/self/fd').length, before + 1);
});
