import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { FsError } from '../../../workers/vfs/fs-error.ts';
import { jailKind, type JailKind } from '../../../workers/vfs/root-jail.ts';
import { openVfsFixture } from '../../support/vfs-fixture.ts';

const jails: JailKind[] = jailKind() === 'kernel' ? ['kernel', 'checked'] : ['checked'];
const ROUNDS = 3000;
const flipper = fileURLToPath(new URL('../../support/flip-links.ts', import.meta.url));

for (const jail of jails) {
  test(
    `while another process flips links, no byte outside the root is read or written (${jail} jail)`,
    { timeout: 60_000 },
    async () => {
      const settings = { allowOverwrite: true, allowOverride: false };
      using files = openVfsFixture({ jail, settings });
      const { vfs, root, outside } = files;
      fs.mkdirSync(join(root, 'inside'));
      fs.writeFileSync(join(root, 'inside/file'), 'inside');
      fs.writeFileSync(join(outside, 'file'), 'outside');
      const link = join(root, 'link');
      fs.symlinkSync('inside', link);
      // Both ways out of a root: by an absolute link, and by climbing.
      const child = spawn(
        process.execPath,
        [flipper, link, 'inside', jail === 'kernel' ? outside : '../outside'],
        {
          stdio: ['pipe', 'pipe', 'inherit'],
        },
      );
      const exited = once(child, 'exit');
      try {
        await once(child.stdout, 'data');
        const seen = { read: 0, refused: 0, written: 0 };
        for (let round = 0; round < ROUNDS; round++) {
          const attempt = (act: () => void): void => {
            try {
              act();
            } catch (error) {
              if (!(error instanceof FsError)) throw error;
              seen.refused += 1;
            }
          };
          attempt(() => {
            const opened = vfs.openRead(vfs.resolve('/link/file'), 'RETR');
            try {
              assert.equal(fs.readFileSync(opened.descriptor, 'utf8'), 'inside');
            } finally {
              opened.close();
            }
            seen.read += 1;
          });
          attempt(() => {
            const target = vfs.openWrite(vfs.resolve('/link/new'), { kind: 'store' }, 'STOR');
            fs.writeSync(target.descriptor, 'x');
            target.commit();
            seen.written += 1;
          });
          attempt(() => vfs.makeDirectory(vfs.resolve('/link/made'), 'MKD'));
          attempt(() => vfs.removeDirectory(vfs.resolve('/link/made'), 'RMD'));
          attempt(() => vfs.removeFile(vfs.resolve('/link/new'), 'DELE'));
        }
        assert.ok(seen.read > 0 && seen.refused > 0 && seen.written > 0, JSON.stringify(seen));
        assert.deepEqual(fs.readdirSync(outside), ['file']);
        assert.equal(fs.readFileSync(join(outside, 'file'), 'utf8'), 'outside');
      } finally {
        child.stdin.end();
        await exited;
      }
    },
  );
}
