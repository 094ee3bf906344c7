/** curl, as people call it: every way to transfer a file, checked byte for byte. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { needsProgram } from '../support/programs.ts';
import { runProgram, type ProgramResult } from '../support/seed-server.ts';
import { BASE_CONFIG, TLS_CONFIG } from '../support/server.ts';
import { sha256, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const IMPLICIT_HOST = `
<VirtualHost 127.0.0.1>
Port @PORT2@
AuthOrder mod_auth_file.c
AuthUserFile @USERS@
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
TLSEngine on
TLSECCertificateFile @EC_CERT@
TLSECCertificateKeyFile @EC_KEY@
TLSOptions UseImplicitSSL
</VirtualHost>
`;
const CURL_OK = 0;
const CURL_PARTIAL_FILE = 18;
const CURL_NO_SUCH_FILE = 78;
const CURL_LOGIN_DENIED = 67;

/**
 * How a transfer is protected: options for curl, and which port. Active FTPS is for lftp to try: curl 7.87 and 7.88
 * send the file in clear there (curl issue 10666).
 */
const WAYS = {
  'FTP in clear': { scheme: 'ftp', options: [] },
  'explicit FTPS, TLS 1.3': { scheme: 'ftp', options: ['--ssl-reqd', '--tlsv1.3'] },
  'explicit FTPS, TLS 1.2': { scheme: 'ftp', options: ['--ssl-reqd', '--tls-max', '1.2'] },
  'explicit FTPS, control in clear after CCC': { scheme: 'ftp', options: ['--ssl-reqd', '--ftp-ssl-ccc'] },
  'explicit FTPS, data in clear': { scheme: 'ftp', options: ['--ftp-ssl-control'] },
  'implicit FTPS': { scheme: 'ftps', options: [] },
  'FTP in clear, active': { scheme: 'ftp', options: ['-P', '127.0.0.1'] },
} as const;

describe('curl', LIMIT, () => {
  const shared = sharedServer(
    BASE_CONFIG + TLS_CONFIG + IMPLICIT_HOST + 'AllowStoreRestart on\nAllowRetrieveRestart on\n',
  );
  const work = mkdtempSync(join(tmpdir(), 'lockgate-curl-'));
  after(() => rmSync(work, { recursive: true, force: true }));
  const big = randomBytes(3 * 1024 * 1024 + 17);
  const local = join(work, 'big');
  writeFileSync(local, big);

  const url = (path: string, scheme = 'ftp'): string =>
    `${scheme}://127.0.0.1:${shared.server.ports[scheme === 'ftps' ? 1 : 0]}/${path}`;
  const onServer = (path: string): string => join(shared.server.homeOf('alice'), path);
  const curl = (...args: string[]): Promise<ProgramResult> =>
    runProgram('curl', [
      '-sS',
      '--max-time',
      '20',
      '--cacert',
      shared.server.trustFile,
      '-u',
      'alice:secret',
      ...args,
    ]);
  const works = async (...args: string[]): Promise<string> => {
    const result = await curl(...args);
    assert.equal(result.code, CURL_OK, result.stderr);
    return result.stdout;
  };
  /** A file of the user on the server. */
  const put = (name: string, bytes: Buffer): void => {
    writeFileSync(onServer(name), bytes);
    const home = statSync(shared.server.homeOf('alice'));
    chownSync(onServer(name), home.uid, home.gid);
  };

  for (const [name, { scheme, options }] of Object.entries(WAYS)) {
    test(`${name}: what goes up comes down again, byte for byte`, async (t) => {
      if (!needsProgram(t, 'curl')) return;
      const back = join(work, 'back');
      await works(...options, '-T', local, url('way.bin', scheme));
      assert.equal(sha256(onServer('way.bin')), sha256(big));
      await works(...options, '-o', back, url('way.bin', scheme));
      assert.equal(sha256(back), sha256(big));
    });
  }

  test('a broken download is continued (-C -)', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('whole.bin', big);
    const part = join(work, 'part');
    writeFileSync(part, big.subarray(0, 1_234_567));
    await works('--ssl-reqd', '-C', '-', '-o', part, url('whole.bin'));
    assert.equal(sha256(part), sha256(big));
  });

  test('a broken upload is continued (-C -)', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('half.bin', big.subarray(0, 1_500_001));
    await works('--ssl-reqd', '-C', '-', '-T', local, url('half.bin'));
    assert.equal(sha256(onServer('half.bin')), sha256(big));
  });

  test('ranges from the middle, to the end, and from behind give exactly these bytes', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('range.bin', big);
    const out = join(work, 'range');
    for (const [range, expected] of [
      ['100-299', big.subarray(100, 300)],
      ['3000000-', big.subarray(3_000_000)],
      ['-500', big.subarray(-500)],
      ['0-0', big.subarray(0, 1)],
    ] as const) {
      const result = await curl('-r', range, '-o', out, url('range.bin'));
      assert.equal(result.code, CURL_OK, `${range}: ${result.stderr}`);
      assert.deepEqual(readFileSync(out), expected, range);
    }
  });

  test('an upload with -a goes to the end of the file', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    const line = join(work, 'line');
    writeFileSync(line, 'one line\n');
    await works('-a', '-T', line, url('append.txt'));
    await works('-a', '-T', line, url('append.txt'));
    assert.equal(readFileSync(onServer('append.txt'), 'utf8'), 'one line\none line\n');
  });

  test('an empty file stays empty in both directions', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    const empty = join(work, 'empty');
    writeFileSync(empty, '');
    await works('-T', empty, url('empty.bin'));
    assert.equal(statSync(onServer('empty.bin')).size, 0);
    assert.equal(await works(url('empty.bin')), '');
  });

  test('--ftp-create-dirs makes folders with spaces and UTF-8 names, and every --ftp-method finds them', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    const path = 'new%20folder/%C3%BC%E6%97%A5/x%20y.txt';
    const line = join(work, 'line');
    writeFileSync(line, 'here\n');
    await works('--ftp-create-dirs', '-T', line, url(path));
    assert.equal(readFileSync(onServer('new folder/ü日/x y.txt'), 'utf8'), 'here\n');
    for (const method of ['multicwd', 'nocwd', 'singlecwd']) {
      assert.equal(await works('--ftp-method', method, url(path)), 'here\n', method);
    }
  });

  test('quote commands before and after the transfer do what they say', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('old.txt', Buffer.from('x'));
    const after = ['-Q', '-RNFR old.txt', '-Q', '-RNTO new.txt', '-Q', '-SITE CHMOD 640 new.txt'];
    await works('-Q', 'MKD quoted', ...after, url(''));
    assert.ok(statSync(onServer('quoted')).isDirectory());
    assert.equal(statSync(onServer('new.txt')).mode & 0o777, 0o640);
    assert.ok(!existsSync(onServer('old.txt')));
  });

  test('-I shows size and date, -l the bare names', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('facts.bin', Buffer.alloc(4321));
    const head = await works('-I', url('facts.bin'));
    assert.match(head, /Content-Length: 4321/);
    assert.match(head, new RegExp(`Last-Modified: .*${new Date().getUTCFullYear()}`));
    assert.ok((await works('-l', url(''))).split('\r\n').join('\n').split('\n').includes('facts.bin'));
  });

  test('a missing file and a wrong password are told apart', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    assert.equal((await curl(url('missing'))).code, CURL_NO_SUCH_FILE);
    assert.equal((await curl('-u', 'alice:wrong', url(''))).code, CURL_LOGIN_DENIED);
  });

  test('20 at once, each its own connection over TLS, get all bytes', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('parallel.bin', big);
    const outs = Array.from({ length: 20 }, (_, index) => join(work, `p${index}`));
    await Promise.all(outs.map((out) => works('--ssl-reqd', '-o', out, url('parallel.bin'))));
    for (const out of outs) assert.equal(sha256(out), sha256(big));
  });

  test('20 at once in one process in clear get all bytes', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('parallel.bin', big);
    const outs = Array.from({ length: 20 }, (_, index) => join(work, `q${index}`));
    const requests = outs.flatMap((out) => ['-o', out, url('parallel.bin')]);
    await works('--parallel', '--parallel-max', '20', ...requests);
    for (const out of outs) assert.equal(sha256(out), sha256(big));
  });

  test('sessions shared among the connections of one process are refused as foreign, and the server lives on', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    put('parallel.bin', big);
    const outs = Array.from({ length: 20 }, (_, index) => join(work, `r${index}`));
    const requests = outs.flatMap((out) => ['-o', out, url('parallel.bin')]);
    // curl offers any connection the newest ticket of all of them: sessions of another control connection.
    const shareTickets = await curl(
      '--ssl-reqd',
      '--parallel',
      '--parallel-immediate',
      '--parallel-max',
      '20',
      ...requests,
    );
    assert.ok([CURL_OK, CURL_PARTIAL_FILE].includes(shareTickets.code ?? -1), shareTickets.stderr);
    assert.match(shared.server.read('tls.log'), /TLS session|resumed session/);
    for (const out of outs.filter((path) => existsSync(path) && statSync(path).size > 0)) {
      assert.equal(sha256(out), sha256(big));
    }
    assert.equal(shared.server.child.exitCode, null, 'the server ended');
    assert.equal(shared.server.child.signalCode, null, 'the server was killed');
    await works('--ssl-reqd', '-o', join(work, 'alive'), url('parallel.bin'));
  });
});
