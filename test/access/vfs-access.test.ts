import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { FsError } from '../../workers/vfs/fs-error.ts';
import type { UploadMode, VirtualFileSystem } from '../../workers/vfs/types.ts';
import {
  accessOperations,
  accessRules,
  expectedOutcome,
  prepareAccessTree,
  type AccessDriver,
} from '../support/access-table.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

function vfsDriver(vfs: VirtualFileSystem): AccessDriver {
  const at = (path: string) => vfs.resolve(path);
  const write = (path: string, content: string, mode: UploadMode, verb: string): void => {
    const target = vfs.openWrite(at(path), mode, verb);
    fs.writeSync(target.descriptor, content);
    target.commit();
  };
  return {
    download: async (path) => vfs.openRead(at(path), 'RETR').close(),
    upload: async (path, content) => write(path, content, { kind: 'store' }, 'STOR'),
    append: async (path, content) => write(path, content, { kind: 'append' }, 'APPE'),
    list: async (path) => vfs.openDirectory(at(path), 'LIST').close(),
    changeDirectory: async (path) => vfs.changeDirectory(at(path), 'CWD'),
    size: async (path) => void vfs.stat(at(path), 'SIZE'),
    makeDirectory: async (path) => vfs.makeDirectory(at(path), 'MKD'),
    removeDirectory: async (path) => vfs.removeDirectory(at(path), 'RMD'),
    removeFile: async (path) => vfs.removeFile(at(path), 'DELE'),
    rename: async (from, to) => vfs.rename(at(from), at(to), 'RNTO'),
    changeMode: async (path, mode) => vfs.changeMode(at(path), mode, 'SITE_CHMOD'),
    setModifyTime: async (path, time) => vfs.setTimes(at(path), time, time, 'MFMT'),
  };
}

for (const rule of accessRules) {
  test(
    `file system, ${rule.name}: every operation is answered so, and the disk agrees`,
    { timeout: 20_000 },
    async () => {
      const settings = { allowOverwrite: true, allowStoreRestart: true, allowOverride: false };
      using files = openVfsFixture({
        settings,
        limits: rule.limits,
        directories: { zone: { limits: rule.zone } },
      });
      for (const operation of accessOperations) {
        prepareAccessTree(files.root);
        const outcome = await operation.run(vfsDriver(files.vfs)).then(
          () => 'allowed',
          (error: unknown) =>
            error instanceof FsError && error.code === 'permission-denied' ? 'denied' : error,
        );
        assert.equal(outcome, expectedOutcome(rule, operation), operation.verb);
        if (operation.happened !== null)
          assert.equal(operation.happened(files.root), outcome === 'allowed', operation.verb);
      }
    },
  );
}
