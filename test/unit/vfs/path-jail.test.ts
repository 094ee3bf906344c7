import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FsError } from '../../../workers/vfs/fs-error.ts';
import { errnoOf } from '../../../workers/vfs/errno-mapping.ts';
import { createPathJail } from '../../../workers/vfs/path-jail.ts';
import { openVfsFixture } from '../../support/vfs-fixture.ts';

test('without descriptors for directories, links still resolve inside the root', () => {
  using files = openVfsFixture();
  const { root, outside } = files;
  fs.mkdirSync(join(root, 'd'));
  fs.writeFileSync(join(root, 'd/file'), 'x');
  fs.writeFileSync(join(outside, 'secret'), 'x');
  fs.symlinkSync('/d', join(root, 'absolute'));
  fs.symlinkSync('../../d', join(root, 'above'));
  fs.symlinkSync(outside, join(root, 'out'));
  fs.symlinkSync('../outside', join(root, 'climb'));
  fs.symlinkSync('loop', join(root, 'loop'));
  const jail = createPathJail(root);
  for (const path of ['d/file', 'absolute/file', 'above/file']) {
    assert.equal(jail.pin(path, true).realPath(), join(root, 'd/file'), path);
  }
  assert.equal(jail.pin('', true).realPath(), root);
  assert.ok(jail.pin('out', false).stats.isSymbolicLink());
  for (const path of ['out', 'out/secret', 'climb/secret']) {
    assert.throws(
      () => jail.pin(path, true),
      (error) => errnoOf(error) === 'ENOENT',
      path,
    );
  }
  assert.throws(
    () => jail.pin('loop', true),
    (error) => error instanceof FsError && error.code === 'too-many-links',
  );
  assert.throws(
    () => jail.pin('d/file/x', true),
    (error) => error instanceof FsError && error.code === 'not-a-directory',
  );
});
