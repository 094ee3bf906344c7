/** Python's paramiko: everything its SFTP client does, in one session. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../support/seed-server.ts';
import { startSftpScenarios } from '../support/sftp-scenario-server.ts';

const SCRIPT = fileURLToPath(new URL('../support/paramiko-session.py', import.meta.url));
/** The system's own Python has it as a package. */
const PYTHON = '/usr/bin/python3';
const CHECKS = 12;

test(
  'paramiko: transfers, pipelined reads, renames, links, attributes, 10,000 names',
  { timeout: 60_000 },
  async (t) => {
    if (spawnSync(PYTHON, ['-c', 'import paramiko']).status !== 0) {
      t.skip('paramiko is not installed');
      return;
    }
    const work = mkdtempSync(join(tmpdir(), 'lockgate-paramiko-'));
    t.after(() => rmSync(work, { recursive: true, force: true }));
    const server = await startSftpScenarios({ plain: 'AllowStoreRestart on' });
    t.after(() => server.close());
    const many = server.give('many', null);
    for (let index = 0; index < 10_000; index += 1) writeFileSync(join(many, `entry-${index}`), '');
    const result = await runProgram(PYTHON, [SCRIPT, String(server.port('plain')), work], {
      timeoutMs: 50_000,
    });
    const lines = result.stdout.split('\n').filter((line) => line.startsWith('ok '));
    assert.equal(lines.length, CHECKS, result.stdout + result.stderr);
  },
);
