import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { tmpdir } from 'node:os';
import { toFsError } from '../../../workers/vfs/errno-mapping.ts';
import { FsError } from '../../../workers/vfs/fs-error.ts';
import { openVfsFixture } from '../../support/vfs-fixture.ts';

const mountPoint = fs.mkdtempSync(join(tmpdir(), 'lockgate-small-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mountPoint]).status === 0;
after(() => {
  if (mounted) spawnSync('umount', [mountPoint]);
  fs.rmdirSync(mountPoint);
});
const skip = mounted ? false : 'no small file system can be mounted here';

test('a full disk during an upload is no-space, and the old file is still there', { skip }, () => {
  using files = openVfsFixture();
  const vfs = files.openAt(mountPoint, { settings: { allowOverwrite: true } });
  fs.writeFileSync(join(mountPoint, 'file'), 'before');
  const target = vfs.openWrite(vfs.resolve('/file'), { kind: 'store' }, 'STOR');
  assert.throws(
    () => {
      for (;;) fs.writeSync(target.descriptor, Buffer.alloc(256 * 1024, 1));
    },
    (error) => toFsError(error).code === 'no-space',
  );
  target.abort(1024 * 1024);
  assert.equal(fs.readFileSync(join(mountPoint, 'file'), 'utf8'), 'before');
  assert.deepEqual(fs.readdirSync(mountPoint), ['file']);
  vfs.removeFile(vfs.resolve('/file'), 'DELE');
});

test(
  'a rename across file systems moves a regular file whole and refuses everything else',
  { skip },
  async () => {
    using files = openVfsFixture();
    const inner = join(mountPoint, 'inner');
    fs.mkdirSync(inner);
    fs.mkdirSync(join(files.root, 'mnt'));
    assert.equal(spawnSync('mount', ['--bind', inner, join(files.root, 'mnt')]).status, 0);
    try {
      const { vfs, root } = files;
      fs.writeFileSync(join(root, 'file'), 'content', { mode: 0o640 });
      fs.utimesSync(join(root, 'file'), 1000, 1000);
      fs.mkdirSync(join(root, 'd'));
      fs.symlinkSync('file', join(root, 'link'));
      const move = (name: string): Promise<void> =>
        vfs.moveByCopy(vfs.resolve(`/${name}`), vfs.resolve(`/mnt/${name}`), 'RNTO');
      const fails = (code: string) => (error: unknown) => error instanceof FsError && error.code === code;
      assert.throws(
        () => vfs.rename(vfs.resolve('/file'), vfs.resolve('/mnt/file'), 'RNTO'),
        fails('cross-device'),
      );
      await move('file');
      assert.deepEqual(fs.readdirSync(join(root, 'mnt')), ['file']);
      const moved = fs.statSync(join(root, 'mnt/file'));
      assert.deepEqual([moved.size, moved.mode & 0o777, moved.mtimeMs], [7, 0o640, 1_000_000]);
      assert.equal(fs.existsSync(join(root, 'file')), false);
      for (const name of ['d', 'link']) await assert.rejects(move(name), fails('cross-device'));
      const big = join(root, 'big');
      fs.writeFileSync(big, Buffer.alloc(2 * 1024 * 1024, 1));
      const descriptors = fs.readdirSync('/proc/self/fd').length;
      await assert.rejects(move('big'), fails('no-space'));
      assert.equal(fs.readdirSync('/proc/self/fd').length, descriptors);
      // What is copied while it changes is neither moved nor removed.
      fs.writeFileSync(join(root, 'log'), 'one');
      const moving = move('log');
      fs.appendFileSync(join(root, 'log'), 'two');
      await assert.rejects(moving, fails('busy'));
      assert.equal(fs.readFileSync(join(root, 'log'), 'utf8'), 'onetwo');
      assert.deepEqual(fs.readdirSync(join(root, 'mnt')), ['file']);
      assert.equal(fs.statSync(big).size, 2 * 1024 * 1024);
    } finally {
      assert.equal(spawnSync('umount', [join(files.root, 'mnt')]).status, 0);
      fs.rmSync(inner, { recursive: true });
    }
  },
);
