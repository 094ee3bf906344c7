/** Files of public keys, which may be a user's links to anywhere and are opened with root's rights. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { KeyStoreFiles } from '../../../src/auth/ssh-key-stores.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB alice\n';

describe('a key store', { timeout: 10_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-keys-'));
  after(() => rmSync(directory, { recursive: true }));
  const files = new KeyStoreFiles((work) => work());
  const at = (name: string): string => join(directory, name);

  test('is read through a link', () => {
    writeFileSync(at('keys'), KEY);
    symlinkSync('keys', at('link'));
    const content = files.load(at('link'));
    assert.equal(content.kind === 'keys' && content.keys.keys.length, 1);
  });

  test('that is a FIFO, a device or a directory is not opened, and nothing waits for it', () => {
    execFileSync('mkfifo', [at('fifo')]);
    symlinkSync('/dev/null', at('device'));
    mkdirSync(at('directory'));
    for (const name of ['fifo', 'device', 'directory']) {
      assert.deepEqual(files.load(at(name)), {
        kind: 'unusable',
        path: at(name),
        reason: 'not a regular file',
      });
    }
  });

  test('leaves no descriptor open, whatever it is', { skip: process.platform !== 'linux' }, () => {
    const before = readdirSync('/proc/self/fd').length;
    for (const name of ['keys', 'device', 'directory', 'missing']) files.load(at(name));
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });
});
