/** lftp: whole trees in both directions, in parallel, in clear and over TLS with session reuse. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram } from '../support/seed-server.ts';
import { BASE_CONFIG, TLS_CONFIG } from '../support/server.ts';
import { sha256, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };

describe('lftp', LIMIT, () => {
  const shared = sharedServer(`${BASE_CONFIG}${TLS_CONFIG}AllowStoreRestart on\nAllowRetrieveRestart on\n`);
  const work = mkdtempSync(join(tmpdir(), 'lockgate-lftp-'));
  after(() => rmSync(work, { recursive: true, force: true }));
  const tree = join(work, 'tree');
  mkdirSync(tree);
  writeTree(tree);
  const expected = describeTree(tree);

  const TLS = 'set ftp:ssl-force yes; set ftp:ssl-protect-data yes';
  const CLEAR = 'set ftp:ssl-allow no';
  const lftp = async (protection: string, commands: string): Promise<string> => {
    const { server } = shared;
    const common = `set ssl:ca-file ${server.trustFile}; set net:max-retries 1; set net:timeout 10; set cmd:fail-exit yes`;
    const script = `${common}; ${protection}; open -u alice,secret ftp://127.0.0.1:${server.port}; ${commands}; bye`;
    const result = await runProgram('lftp', ['--norc', '-c', script], {
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };

  for (const [name, protection] of [
    ['in clear', CLEAR],
    ['over TLS', TLS],
    ['over TLS, active', `${TLS}; set ftp:passive-mode no`],
  ] as const) {
    test(`a tree mirrored up and down again is the same tree (${name}, 4 at once)`, async (t) => {
      if (!needsProgram(t, 'lftp')) return;
      const remote = `up ${name}`;
      const back = join(work, `back ${name}`);
      await lftp(protection, `mirror -R --parallel=4 "${tree}" "${remote}"`);
      assert.deepEqual(describeTree(join(shared.server.homeOf('alice'), remote)), expected);
      await lftp(protection, `mirror --parallel=4 "${remote}" "${back}"`);
      assert.deepEqual(describeTree(back), expected);
    });
  }

  test('data connections over TLS resume the session of their control connection', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    const before = shared.server.read('tls.log').length;
    await lftp(TLS, `mirror -R "${tree}/many" reuse`);
    const lines = shared.server.read('tls.log').slice(before).split('\n');
    const data = lines.filter((line) => line.includes('data connection accepted'));
    assert.ok(data.length >= 1);
    for (const line of data) assert.match(line, /resumed session/);
    assert.ok(!lines.some((line) => line.includes('rejecting data connection')));
  });

  test('a second mirror finds nothing to do, with dates it set the first time', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    await lftp(TLS, `mirror -R "${tree}/many" twice`);
    const again = await lftp(TLS, `mirror -R --verbose "${tree}/many" twice`);
    assert.doesNotMatch(again, /Transferring/);
  });

  test('pget reads one file in four pieces at once', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    const bytes = randomBytes(6 * 1024 * 1024 + 3);
    writeFileSync(join(shared.server.homeOf('alice'), 'pieces.bin'), bytes);
    const out = join(work, 'pieces.bin');
    await lftp(TLS, `pget -n 4 pieces.bin -o "${out}"`);
    assert.equal(sha256(out), sha256(bytes));
  });

  test('reget and reput continue', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    const bytes = randomBytes(1_000_000);
    const local = join(work, 'resume.bin');
    writeFileSync(local, bytes);
    await lftp(TLS, `put "${local}" -o resume.bin`);
    writeFileSync(local, bytes.subarray(0, 300_000));
    await lftp(TLS, `get -c resume.bin -o "${local}"`);
    assert.equal(sha256(local), sha256(bytes));
    await lftp(TLS, `rm resume.bin; lcd "${work}"; put -c resume.bin`);
    assert.equal(sha256(readFileSync(join(shared.server.homeOf('alice'), 'resume.bin'))), sha256(bytes));
  });

  test('removing, renaming and changing modes work through its own commands', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    const listing = await lftp(TLS, 'mkdir -p a/b; mv a/b a/c; chmod 700 a/c; cls -1 a; rm -r a; cls -1');
    assert.match(listing, /a\/c/);
    assert.doesNotMatch(listing.split('\n').slice(1).join('\n'), /^a\/?$/m);
  });
});
