/** paramiko and asyncssh: reads all at once, pipelined writes, parallel files and channels, rekeying. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsPythonModule, PYTHON } from '../support/programs.ts';
import { runProgram } from '../support/seed-server.ts';
import { sha256 } from '../support/shared-server.ts';
import { sharedSshServer } from '../support/ssh-server.ts';

const LIMIT = { timeout: 60_000 };
const SCRIPT = fileURLToPath(new URL('../support/ssh-python-clients.py', import.meta.url));
describe("Python's SSH clients", LIMIT, () => {
  const ssh = sharedSshServer();
  const bytes = randomBytes(4_000_037);
  before(() => {
    writeFileSync(join(ssh.work, 'python.bin'), bytes);
    mkdirSync(join(ssh.work, 'tree'));
    writeTree(join(ssh.work, 'tree'));
  });

  const run = async (client: string): Promise<void> => {
    const keys = join(ssh.server.directory, 'host_key_lines');
    const result = await runProgram(PYTHON, [SCRIPT, client, String(ssh.server.port), keys, ssh.work], {
      env: ssh.env,
      timeoutMs: 50_000,
    });
    assert.equal(result.code, 0, result.stdout + result.stderr);
  };

  test('paramiko', async (t) => {
    if (!needsPythonModule(t, 'paramiko')) return;
    await run('paramiko');
    for (const name of ['paramiko.bin', 'parallel-0.bin', 'parallel-1.bin', 'parallel-2.bin'])
      assert.equal(sha256(ssh.home(name)), sha256(bytes), name);
    assert.equal(readFileSync(ssh.home('paramiko-dir/renamed.txt'), 'utf8'), 'line 0\nli');
    const { mode } = statSync(ssh.home('paramiko-dir/renamed.txt'));
    assert.equal(mode & 0o777, 0o600);
  });

  test('asyncssh', async (t) => {
    if (!needsPythonModule(t, 'asyncssh')) return;
    await run('asyncssh');
    assert.equal(sha256(ssh.home('asyncssh-scp.bin')), sha256(bytes));
    assert.deepEqual(describeTree(ssh.home('asyncssh-dir/tree')), describeTree(join(ssh.work, 'tree')));
    const patched = Buffer.from(bytes);
    patched.write('patched', 1_000_000);
    assert.equal(sha256(ssh.home('asyncssh.bin')), sha256(patched));
    const hard = statSync(ssh.home('asyncssh-dir/hard'));
    assert.deepEqual([hard.mode & 0o777, hard.mtimeMs, hard.nlink], [0o640, 1_200_000_001_000, 2]);
  });
});
