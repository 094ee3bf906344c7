/** openssl s_client, gnutls-cli, ncftp, tnftp and Python's ftplib. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram } from '../support/seed-server.ts';
import { BASE_CONFIG, TLS_CONFIG } from '../support/server.ts';
import { sha256, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const FTPLIB_SESSION = fileURLToPath(new URL('../support/ftplib-session.py', import.meta.url));

describe('other clients', LIMIT, () => {
  const shared = sharedServer(`${BASE_CONFIG}${TLS_CONFIG}AllowStoreRestart on\nAllowRetrieveRestart on\n`);
  const work = mkdtempSync(join(tmpdir(), 'lockgate-clients-'));
  after(() => rmSync(work, { recursive: true, force: true }));
  const bytes = randomBytes(2 * 1024 * 1024 + 7);
  const local = join(work, 'local.bin');
  writeFileSync(local, bytes);
  const onServer = (path: string): string => join(shared.server.homeOf('alice'), path);

  for (const version of ['1_2', '1_3']) {
    test(`openssl s_client -starttls ftp verifies the server and talks TLS ${version.replace('_', '.')}`, async (t) => {
      if (!needsProgram(t, 'openssl')) return;
      const { server } = shared;
      const target = [
        '-connect',
        `127.0.0.1:${server.port}`,
        '-CAfile',
        server.trustFile,
        '-verify_return_error',
      ];
      const args = ['s_client', '-starttls', 'ftp', '-crlf', '-ign_eof', `-tls${version}`, ...target];
      const result = await runProgram('openssl', args, { input: 'NOOP\nQUIT\n' });
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, /Verify(?: return code: 0 \(ok\)|.*OK)/);
      assert.match(result.stdout, /200 NOOP command successful[^]*221 Goodbye/);
    });
  }

  test('gnutls-cli --starttls-proto=ftp trusts the certificate and says goodbye', async (t) => {
    if (!needsProgram(t, 'gnutls-cli')) return;
    const { server } = shared;
    const trust = ['--starttls-proto=ftp', `--x509cafile=${server.trustFile}`, '--crlf'];
    const result = await runProgram('gnutls-cli', [...trust, '-p', String(server.port), 'localhost'], {
      input: 'QUIT\n',
    });
    assert.match(result.stdout, /The certificate is trusted/);
    assert.match(result.stdout, /221 Goodbye/);
    assert.equal(result.code, 0, result.stderr);
  });

  test('ncftpput -R and ncftpget -R carry a tree up and down unchanged', async (t) => {
    if (!needsProgram(t, 'ncftpput')) return;
    const { server } = shared;
    const tree = join(work, 'tree');
    const down = join(work, 'down');
    mkdirSync(tree);
    mkdirSync(down);
    writeTree(tree);
    const account = ['-V', '-u', 'alice', '-p', 'secret', '-P', String(server.port)];
    const up = await runProgram('ncftpput', [...account, '-R', '-m', '127.0.0.1', '/up', tree]);
    assert.equal(up.code, 0, up.stderr);
    const expected = describeTree(tree);
    assert.deepEqual(describeTree(onServer('up/tree')), expected);
    const get = await runProgram('ncftpget', [...account, '-R', '127.0.0.1', down, '/up/tree']);
    assert.equal(get.code, 0, get.stderr);
    assert.deepEqual(describeTree(join(down, 'tree')), expected);
  });

  test('tnftp puts and gets by URL', async (t) => {
    if (!needsProgram(t, 'tnftp')) return;
    const url = `ftp://alice:secret@127.0.0.1:${shared.server.port}/tnftp.bin`;
    const back = join(work, 'tnftp.back');
    const up = await runProgram('tnftp', ['-u', url, local]);
    assert.equal(up.code, 0, up.stderr + up.stdout);
    assert.equal(sha256(onServer('tnftp.bin')), sha256(bytes));
    const down = await runProgram('tnftp', ['-o', back, url]);
    assert.equal(down.code, 0, down.stderr + down.stdout);
    assert.equal(sha256(back), sha256(bytes));
  });

  for (const version of ['TLSv1_2', 'TLSv1_3']) {
    test(`Python's ftplib with session reuse, ASCII, MLSD, ABOR and CCC (${version})`, async (t) => {
      if (!needsProgram(t, 'python3')) return;
      const args = [FTPLIB_SESSION, String(shared.server.port), shared.server.trustFile, version];
      const result = await runProgram('python3', args);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(result.stdout, 'all fine\n');
    });
  }
});
