import fs from 'node:fs';
import { test } from 'node:test';
import { FsError } from '../../workers/vfs/fs-error.ts';
import type { UploadMode, VirtualFileSystem } from '../../workers/vfs/types.ts';
import { AccessDenied, accessRules, runAccessTable, type AccessDriver } from '../support/access-table.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

function vfsDriver(vfs: VirtualFileSystem): AccessDriver {
  const at = (path: string) => vfs.resolve(path);
  const write = (path: string, content: string, mode: UploadMode, verb: string): void => {
    const target = vfs.openWrite(at(path), mode, verb);
    fs.writeSync(target.descriptor, content);
    target.commit();
  };
  const attempt = async (act: () => unknown): Promise<void> => {
    try {
      act();
    } catch (error) {
      throw error instanceof FsError && error.code === 'permission-denied' ? new AccessDenied() : error;
    }
  };
  return {
    download: (path) => attempt(() => vfs.openRead(at(path), 'RETR').close()),
    upload: (path, content) => attempt(() => write(path, content, { kind: 'store' }, 'STOR')),
    append: (path, content) => attempt(() => write(path, content, { kind: 'append' }, 'APPE')),
    list: (path) => attempt(() => vfs.openDirectory(at(path), 'LIST').close()),
    changeDirectory: (path) => attempt(() => vfs.changeDirectory(at(path), 'CWD')),
    size: (path) => attempt(() => vfs.stat(at(path), 'SIZE')),
    makeDirectory: (path) => attempt(() => vfs.makeDirectory(at(path), 'MKD')),
    removeDirectory: (path) => attempt(() => vfs.removeDirectory(at(path), 'RMD')),
    removeFile: (path) => attempt(() => vfs.removeFile(at(path), 'DELE')),
    rename: (from, to) => attempt(() => vfs.rename(at(from), at(to), 'RNTO')),
    changeMode: (path, mode) => attempt(() => vfs.changeMode(at(path), mode, 'SITE_CHMOD')),
    setModifyTime: (path, time) => attempt(() => vfs.setTimes(at(path), time, time, 'MFMT')),
    makeSymbolicLink: (target, path) => attempt(() => vfs.makeSymbolicLink(target, at(path), 'SYMLINK')),
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
      await runAccessTable(rule, files.root, vfsDriver(files.vfs), { RNTO: ['RNFR', 'RNTO'] });
    },
  );
}
