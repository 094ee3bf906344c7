/** Acceptance scenarios 15-27: FTP that becomes FTPS through AUTH, and who may do what before and after. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { FtpClient, type ClientReply } from '../support/ftp-client.ts';
import { needsProgram } from '../support/programs.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import {
  baseTls,
  chainSubjects,
  protectedList,
  runProgram,
  sClient,
  startSeedServer,
  type SeedServer,
} from '../support/seed-server.ts';
import { assertTlsRecords } from '../support/tls-records.ts';

const LIMIT = { timeout: 30_000 };
const trees = certificateTrees();
const IDENT = "ProFTPD 1.3.2rc4 Server (TJ's FTPS Server) [127.0.0.1]";
const NEEDS_CONTROL = '550 SSL/TLS required on the control channel';
const NEEDS_DATA = '522 SSL/TLS required on the data channel';
const UNWILLING = '534 Unwilling to accept security parameters';

/** A row of the acceptance table: what each value of TLSRequired answers. */
interface PolicyRow {
  readonly value: string;
  /** USER, PASS and ACCT in clear are refused. */
  readonly login: boolean;
  /** So is every other command but the few that always pass. */
  readonly control: boolean;
  readonly data: 'required' | 'optional' | 'forbidden';
  readonly ccc: 200 | 534;
}

const POLICY: readonly PolicyRow[] = [
  { value: 'off', login: false, control: false, data: 'optional', ccc: 200 },
  { value: 'on', login: true, control: true, data: 'required', ccc: 534 },
  { value: 'ctrl', login: true, control: true, data: 'optional', ccc: 534 },
  { value: 'ctrl+!data', login: true, control: true, data: 'forbidden', ccc: 534 },
  { value: 'data', login: false, control: false, data: 'required', ccc: 200 },
  { value: '!data', login: false, control: false, data: 'forbidden', ccc: 200 },
  { value: 'auth', login: true, control: false, data: 'optional', ccc: 200 },
  { value: 'auth+data', login: true, control: false, data: 'required', ccc: 200 },
  { value: 'auth+!data', login: true, control: false, data: 'forbidden', ccc: 200 },
];

const hostOf = (row: PolicyRow): string => `policy-${POLICY.indexOf(row)}`;

let seed: SeedServer;

before(async () => {
  const policies = POLICY.map((row) => [hostOf(row), baseTls({ TLSRequired: row.value })]);
  seed = await startSeedServer({
    base: baseTls(),
    ident: `ServerIdent on "${IDENT}"\n${baseTls()}`,
    required: baseTls({ TLSRequired: 'on' }),
    'certificate-login': baseTls({ TLSVerifyClient: 'on', TLSUserName: 'CommonName' }),
    optional: baseTls({ TLSVerifyClient: 'optional' }),
    chained: baseTls({ TLSCertificateChainFile: trees.chainFile }),
    ...(Object.fromEntries(policies) as Record<string, string>),
  });
});

after(() => seed?.close());

test(
  '15: s_client -starttls ftp sees banner, certificate and 221; the banner is the default or ServerIdent’s',
  LIMIT,
  async () => {
    const plain = await seed.connect('base');
    assert.deepEqual(plain.greeting?.lines, ["220 ProFTPD Server (TJ's FTPS Server) [127.0.0.1]"]);
    const named = await seed.connect('ident');
    assert.deepEqual(named.greeting?.lines, [`220 ${IDENT}`]);
    const result = await sClient(seed.port('ident'));
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(chainSubjects(result), ['certA']);
    assert.match(result.stdout, /^221 Goodbye\.\r?$/m);
  },
);

test(
  '16: after 234 there is TLS only, and what was pipelined behind AUTH is never executed',
  LIMIT,
  async (t) => {
    const relay = await startRecordingProxy(t, seed.port('base'));
    const client = await FtpClient.connect({ port: relay.port });
    client.sendRaw('AUTH TLS\r\nUSER alice\r\n');
    assert.equal((await client.readReply()).text, 'AUTH TLS successful');
    await client.startTls();
    // USER in clear would have made this a password; and no reply of it may come instead.
    assert.deepEqual((await client.command('PASS secret')).lines, ['503 Login with USER first']);
    assert.equal((await client.login('alice', 'secret')).code, 230);
    assert.equal((await client.quit()).code, 221);
    const wire = relay.fromServer();
    const clear = /^220 [^\r\n]+\r\n234 AUTH TLS successful\r\n/.exec(wire.toString('latin1'))?.[0];
    assert.ok(clear !== undefined, wire.subarray(0, 200).toString('latin1'));
    assertTlsRecords(wire.subarray(clear.length));
  },
);

test('17: FEAT lists AUTH TLS, PBSZ, PROT, CCC and SSCN before TLS was started', LIMIT, async () => {
  const client = await seed.connect('base');
  const { code, lines } = await client.command('FEAT');
  assert.equal(code, 211);
  for (const feature of [' AUTH TLS', ' CCC', ' PBSZ', ' PROT', ' SSCN']) {
    assert.ok(lines.includes(feature), `${feature}: ${lines.join('|')}`);
  }
});

test('18: clear and protected sessions work on the same port at the same time', LIMIT, async () => {
  const [plain, secured] = await Promise.all([seed.connect('base'), seed.connect('base')]);
  const [answer] = await Promise.all([plain.login('alice', 'secret'), secured.loginTls('bob', 'secret')]);
  assert.equal(answer.code, 230);
  const [first, second] = await Promise.all([plain.download('LIST'), protectedList(secured)]);
  assert.equal(first.final.code, 226);
  assert.equal(second.final.code, 226);
});

test('19: without PROT data connections are clear, after PROT P they are TLS', LIMIT, async () => {
  writeFileSync(join(seed.server.homeOf('alice'), 'nineteen.txt'), 'data\n');
  const client = await seed.connect('base');
  await client.authTls();
  await client.login('alice', 'secret');
  const clear = await client.download('NLST');
  assert.equal(clear.final.code, 226);
  assert.match(clear.body.toString(), /^nineteen\.txt\r$/m);
  assert.equal((await client.command('PBSZ 0')).text, 'PBSZ 0 successful');
  assert.equal((await client.command('PROT P')).text, 'Protection set to Private');
  const secured = await client.download('NLST', { tls: { session: 'resume' } });
  assert.equal(secured.final.code, 226);
  assert.deepEqual(secured.body, clear.body);
});

test(
  '20: TLSRequired on refuses USER in clear and says why; off serves everything in clear',
  LIMIT,
  async (t) => {
    const log = seed.tlsLog('required');
    const clear = await seed.connect('required');
    assert.deepEqual((await clear.command('USER alice')).lines, [NEEDS_CONTROL]);
    await log.line(/SSL\/TLS required but absent for authentication, denying USER command/);
    await clear.loginTls('alice', 'secret');
    assert.equal((await protectedList(clear)).final.code, 226);
    const open = await seed.connect('base');
    assert.equal((await open.login('alice', 'secret')).code, 230);
    assert.equal((await open.download('LIST')).final.code, 226);
    if (!needsProgram(t, 'curl')) return;
    const url = `ftp://127.0.0.1:${seed.port('required')}/`;
    const curl = ['-sS', '--max-time', '15', '-u', 'alice:secret'];
    const refused = await runProgram('curl', [...curl, url]);
    assert.notEqual(refused.code, 0);
    const served = await runProgram('curl', [...curl, '--ssl-reqd', '-k', url]);
    assert.equal(served.code, 0, served.stderr);
  },
);

for (const row of POLICY) {
  test(`21: TLSRequired ${row.value} answers as the acceptance table says`, LIMIT, async () => {
    await checkClear(row);
    await checkSecured(row);
  });
}

test(
  '22: a handshake that succeeds is two lines, request and cipher, with module, version and process',
  LIMIT,
  async () => {
    const log = seed.tlsLog('base');
    const client = await seed.connect('base');
    await client.authTls({ minVersion: 'TLSv1.3' });
    await log.inOrder(
      /TLS\/TLS-C requested, starting TLS handshake$/,
      /TLSv1\.3 connection accepted, using cipher TLS_AES_256_GCM_SHA384 \(256 bits\)$/,
    );
    for (const line of log.lines) {
      assert.match(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} mod_tls\/\d+\.\d+\S*\[\d+\]: \S/);
    }
  },
);

test('23: AUTH SSL and AUTH TLS-P protect data connections without PROT P', LIMIT, async () => {
  for (const mechanism of ['SSL', 'TLS-P']) {
    const log = seed.tlsLog('base');
    const client = await seed.connect('base');
    const answer = await client.authTls({}, mechanism);
    assert.deepEqual(answer.lines, [`234 AUTH ${mechanism} successful`]);
    await log.line(/SSL\/TLS-P requested, starting TLS handshake/);
    await client.login('alice', 'secret');
    assert.equal((await protectedList(client)).final.code, 226);
    await log.line(/data connection accepted, using cipher .*resumed session/);
  }
});

test('24: AUTH with another mechanism is not understood, and AUTH TLS still works', LIMIT, async () => {
  const log = seed.tlsLog('base');
  const client = await seed.connect('base');
  assert.deepEqual((await client.command('AUTH GSSAPI')).lines, ['500 AUTH not understood']);
  await log.line(/AUTH GSSAPI unsupported, declining/);
  assert.deepEqual((await client.command('AUTH')).lines, ['504 AUTH requires at least one argument']);
  await client.loginTls('alice', 'secret');
});

test('25: a certificate can stand for the password, but not for USER', LIMIT, async () => {
  const log = seed.tlsLog('certificate-login');
  const certificate = clientCertificate(trees.alice);
  const client = await seed.connect('certificate-login');
  await client.authTls(certificate);
  assert.deepEqual((await client.command('PASS secret')).lines, ['503 Login with USER first']);
  assert.deepEqual((await client.command('USER alice')).lines, ['232 User alice logged in']);
  assert.deepEqual((await client.command('PASS secret')).lines, ['503 You are already logged in']);
  await log.line(/matched client cert CommonName 'alice' to user 'alice'/);
  await log.line(/TLS\/X509 TLSUserName 'CommonName' check successful for user 'alice'/);
  await client.dialogue('PBSZ 0', 'PROT P');
  assert.equal((await protectedList(client, certificate)).final.code, 226);
  // Somebody else's name: the ordinary dialogue.
  const other = await seed.connect('certificate-login');
  await other.authTls(certificate);
  assert.equal((await other.command('USER bob')).code, 331);
  assert.equal((await other.command('PASS secret')).code, 230);
});

test('26: a client that verifies finds a valid chain and its names', LIMIT, async () => {
  const authorities = [trees.myRootCa.certificate, trees.myServerCa.certificate].map((path) =>
    readFileSync(path),
  );
  const strict = { rejectUnauthorized: true, servername: 'localhost' };
  const direct = await seed.connect('base');
  await direct.authTls({ ...strict, ca: authorities });
  assert.equal((direct.stream as TLSSocket).authorized, true);
  // The chain file bridges to a client that knows the root only.
  const chained = await seed.connect('chained');
  await chained.authTls({ ...strict, ca: authorities.slice(0, 1) });
  assert.equal((chained.stream as TLSSocket).authorized, true);
  const byAddress = [
    '-CAfile',
    trees.myRootCa.certificate,
    '-verify_return_error',
    '-verify_ip',
    '127.0.0.1',
  ];
  const openssl = await sClient(seed.port('chained'), byAddress);
  assert.equal(openssl.code, 0, openssl.stderr);
  assert.match(openssl.stdout, /Verify return code: 0 \(ok\)/);
});

test(
  '27: TLSVerifyClient optional serves clients without certificate and names those with one',
  LIMIT,
  async () => {
    const without = await seed.connect('optional');
    await without.authTls();
    assert.equal((await without.command('USER alice')).code, 331);
    const log = seed.tlsLog('optional');
    const client = await seed.connect('optional');
    await client.authTls(clientCertificate(trees.alice));
    assert.equal((await client.login('alice', 'secret')).code, 230);
    await log.line(/Client: \/O=Tests\/CN=alice$/);
  },
);

/** Commands in clear, before login. */
async function checkClear(row: PolicyRow): Promise<void> {
  const client = await seed.connect(hostOf(row));
  for (const command of ['SYST', 'FEAT', 'HOST 127.0.0.1', 'CLNT test']) {
    assert.notEqual((await client.command(command)).code, 550, command);
  }
  for (const command of ['USER alice', 'PASS wrong', 'ACCT x']) {
    const answer = await client.command(command);
    if (row.login) assert.deepEqual(answer.lines, [NEEDS_CONTROL], command);
    else assert.notEqual(answer.code, 550, command);
  }
  for (const command of ['PWD', 'SIZE x', 'NOSUCH']) {
    const answer = await client.command(command);
    if (row.control) assert.deepEqual(answer.lines, [NEEDS_CONTROL], command);
    else assert.ok(answer.code === 530 || answer.code === 500, `${command}: ${answer.lines.join()}`);
  }
  for (const command of ['LIST', 'NLST', 'MLSD', 'RETR x', 'STOR x', 'APPE x', 'STOU']) {
    const answer = await client.command(command);
    const expected = row.control ? NEEDS_CONTROL : row.data === 'required' ? NEEDS_DATA : null;
    if (expected !== null) assert.deepEqual(answer.lines, [expected], command);
    else assert.equal(answer.code, 530, command);
  }
  assert.equal((await client.command('QUIT')).code, 221);
}

/** Commands under TLS, logged in. */
async function checkSecured(row: PolicyRow): Promise<void> {
  const client = await seed.connect(hostOf(row));
  assert.equal((await client.authTls()).code, 234);
  assert.equal((await client.login('alice', 'secret')).code, 230);
  await client.command('PBSZ 0');
  const unprotected = await client.download('LIST');
  if (row.data === 'required') assert.deepEqual(unprotected.final.lines, [NEEDS_DATA]);
  else assert.equal(unprotected.final.code, 226);
  expectProt(await client.command('PROT C'), row.data !== 'required', '200 Protection set to Clear');
  expectProt(await client.command('PROT P'), row.data !== 'forbidden', '200 Protection set to Private');
  const listing = row.data === 'forbidden' ? await client.download('LIST') : await protectedList(client);
  assert.equal(listing.final.code, 226);
  const ccc = await client.command('CCC');
  assert.deepEqual(ccc.lines, [row.ccc === 200 ? '200 Clearing control channel protection' : UNWILLING]);
}

function expectProt(answer: ClientReply, allowed: boolean, success: string): void {
  assert.deepEqual(answer.lines, [allowed ? success : UNWILLING]);
}

function clientCertificate(files: { certificate: string; key: string }): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
}
