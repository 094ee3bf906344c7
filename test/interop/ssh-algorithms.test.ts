/** Every algorithm of the default profile with OpenSSH's client, one by one; rekeying by the server; what ssh-audit says. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { sshProfile } from '../../crypto/ssh-algorithms.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram } from '../support/seed-server.ts';
import { eventually, sha256 } from '../support/shared-server.ts';
import { sharedSshServer, SSH_CONFIG, succeed } from '../support/ssh-server.ts';

const LIMIT = { timeout: 60_000 };
const MEGABYTES = 8;
const VARIABLES = ['KEX_ALGO', 'HOST_KEY_ALGO', 'CLIENT_CIPHER_ALGO', 'SERVER_MAC_ALGO'];

/** The curves the other test servers have no key for, as ssh-keygen writes them: in OpenSSH's own format. */
async function moreHostKeys(directory: string): Promise<void> {
  for (const bits of ['384', '521']) {
    const file = join(directory, `host_p${bits}`);
    await succeed('ssh-keygen', ['-q', '-t', 'ecdsa', '-b', bits, '-N', '', '-f', file]);
    const [type, blob] = readFileSync(`${file}.pub`, 'utf8').split(' ');
    appendFileSync(join(directory, 'host_key_lines'), `${type} ${blob}\n`);
  }
}

describe('SSH algorithms', LIMIT, () => {
  const ssh = sharedSshServer(
    `${SSH_CONFIG}
SFTPHostKey @DIR@/host_p384
SFTPHostKey @DIR@/host_p521
SFTPRekey required 3600 1 20
LogFormat chosen "%F ${VARIABLES.map((name) => `%{env:SFTP_${name}}`).join(' ')}"
ExtendedLog @DIR@/chosen.log WRITE chosen
`,
    { beforeStart: moreHostKeys },
  );
  const profile = sshProfile(null);

  /** Names of the default profile that this machine's client has as well. */
  const shared = async (t: TestContext, query: string, names: readonly string[]): Promise<string[]> => {
    const { stdout } = await succeed('ssh', ['-Q', query]);
    const known = new Set(stdout.split('\n'));
    const missing = names.filter((name) => !known.has(name));
    if (missing.length > 0) t.diagnostic(`this ssh has no ${missing.join(', ')}`);
    return names.filter((name) => known.has(name));
  };

  for (const [kind, query, option, names, column] of [
    ['key exchange', 'kex', 'KexAlgorithms', profile.keyExchanges.default, 0],
    ['host key', 'HostKeyAlgorithms', 'HostKeyAlgorithms', profile.hostKeys.default, 1],
    ['cipher', 'cipher', 'Ciphers', profile.ciphers.default, 2],
    ['MAC', 'mac', 'MACs', profile.macs.default, 3],
  ] as const) {
    test(`each ${kind} offered by default moves a file both ways`, async (t) => {
      if (!needsProgram(t, 'sftp')) return;
      const bytes = randomBytes(200_003);
      const local = join(ssh.work, 'local');
      writeFileSync(local, bytes);
      const usable = (await shared(t, query, names)).filter((name) => name !== 'ssh-ed448');
      assert.ok(usable.length >= 3);
      // MACs are for ciphers that have no authentication of their own.
      const more = kind === 'MAC' ? { Ciphers: 'aes256-ctr' } : {};
      // Two at a time: each is mostly waiting for the other side.
      const pending = [...usable];
      const one = async (): Promise<void> => {
        for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
          const file = `${query}-${name}`;
          const back = join(ssh.work, file);
          const result = await ssh.sftp([`put ${local} ${file}`, `get ${file} ${back}`], {
            ...more,
            [option]: name,
          });
          assert.equal(result.code, 0, `${name}: ${result.stderr}`);
          assert.equal(sha256(ssh.home(file)), sha256(bytes), name);
          assert.equal(sha256(back), sha256(bytes), name);
        }
      };
      await Promise.all([one(), one()]);
      const chosen = ssh.server.read('chosen.log').split('\n');
      for (const name of usable) {
        const line = chosen.find((text) => text.startsWith(`/${query}-${name} `));
        assert.equal(line?.split(' ')[column + 1], name);
      }
    });
  }

  test('the server rekeys every megabyte while a file goes up and down', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const bytes = randomBytes(MEGABYTES * 1024 * 1024 + 1);
    const local = join(ssh.work, 'large');
    writeFileSync(local, bytes);
    const exchanges = (): number =>
      ssh.server.read('sftp.log').match(/ \+ Session key exchange: /g)?.length ?? 0;
    const before = exchanges();
    const result = await ssh.sftp([`put ${local} large`, `get large ${local}.back`]);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(sha256(ssh.home('large')), sha256(bytes));
    assert.equal(sha256(`${local}.back`), sha256(bytes));
    await eventually(() => exchanges() - before > MEGABYTES, `only ${exchanges() - before} key exchanges`);
  });

  test('ssh-audit has nothing to fail but the NIST curves', async (t) => {
    if (!needsProgram(t, 'ssh-audit')) return;
    const { stdout } = await runProgram(
      'ssh-audit',
      ['-n', '-l', 'fail', '-t', '5', '-p', String(ssh.server.port), '127.0.0.1'],
      {
        env: ssh.env,
        timeoutMs: 40_000,
      },
    );
    assert.match(stdout, /\(kex\)/, stdout);
    const failed = stdout.split('\n').filter((line) => /\[fail\]/.test(line));
    const others = failed.filter((line) => !/nistp(256|384|521)/.test(line) && !/^\s+`- \[fail\]/.test(line));
    assert.deepEqual(others, [], stdout);
    // Further reasons stand below the algorithm they belong to.
    for (const [index, line] of stdout.split('\n').entries())
      if (/^\s+`- \[fail\]/.test(line)) assert.match(stdout.split('\n')[index - 1]!, /nistp|\[fail\]/);
  });
});
