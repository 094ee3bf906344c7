/** Acceptance scenarios 28-33: TLS before the first byte of FTP, and clients that expect the other mode. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { collect, FtpClient } from '../support/ftp-client.ts';
import { needsProgram } from '../support/programs.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import {
  baseTls,
  protectedList,
  runProgram,
  sClient,
  startSeedServer,
  type SeedServer,
} from '../support/seed-server.ts';
import { assertTlsRecords } from '../support/tls-records.ts';

const LIMIT = { timeout: 30_000 };
const { certA, clientAuthorities } = certificateTrees();
const IMPLICIT = { TLSOptions: 'UseImplicitSSL' };

/** Certificates for every virtual host; the main server speaks explicit FTPS. */
const SHARED = `
TLSLog @DIR@/main.log
<Global>
  TLSEngine on
  TLSRSACertificateFile ${certA.certificate}
  TLSRSACertificateKeyFile ${certA.key}
  TLSCACertificateFile ${clientAuthorities}
</Global>
`;

let seed: SeedServer;

before(async () => {
  seed = await startSeedServer(
    {
      implicit: baseTls(IMPLICIT),
      explicit: baseTls(),
      impatient: baseTls({ ...IMPLICIT, TLSTimeoutHandshake: '1' }),
      shared: 'TLSOptions UseImplicitSSL',
    },
    { main: SHARED },
  );
});

after(() => seed?.close());

test(
  '28: implicit FTPS is silent until the client’s hello; greeting and login come under TLS',
  LIMIT,
  async (t) => {
    const log = seed.tlsLog('implicit');
    const relay = await startRecordingProxy(t, seed.port('implicit'));
    const tcp = connectTcp(relay.port, '127.0.0.1');
    await once(tcp, 'connect');
    // The session exists and waits: were it to speak first, it would have.
    await log.line(/TLSOption UseImplicitSSL in effect, starting SSL\/TLS handshake/);
    assert.equal(relay.fromServer().length, 0);
    const secured = connectTls({ socket: tcp, rejectUnauthorized: false });
    await once(secured, 'secureConnect');
    const [greeting] = (await once(secured, 'data')) as [Buffer];
    assert.match(greeting.toString(), /^220 /);
    secured.destroy();
    assertTlsRecords(relay.fromServer());
    const client = await implicitClient('implicit');
    assert.match(client.greeting?.lines[0] ?? '', /^220 ProFTPD Server/);
    assert.equal((await client.login('alice', 'secret')).code, 230);
    // Data connections are private from the start.
    assert.equal((await protectedList(client)).final.code, 226);
    await client.quit();
    if (!needsProgram(t, 'curl')) return;
    const url = `ftps://127.0.0.1:${seed.port('implicit')}/`;
    const curl = await runProgram('curl', ['-sS', '-k', '--max-time', '15', '-u', 'alice:secret', url]);
    assert.equal(curl.code, 0, curl.stderr);
  },
);

test('29: a clear-text client gets no greeting and is disconnected', LIMIT, async () => {
  const log = seed.tlsLog('implicit');
  const tcp = await openTcp('implicit');
  tcp.write('USER x\r\n');
  const answer = await readToEnd(tcp);
  assert.doesNotMatch(answer, /220|331|230/);
  await log.line(/implicit SSL\/TLS negotiation failed on control channel/);
});

test('30: AUTH inside implicit FTPS is refused, PBSZ and PROT are answered', LIMIT, async () => {
  const client = await implicitClient('implicit');
  const answers = await client.dialogue('AUTH TLS', 'PBSZ 0', 'PROT P');
  assert.deepEqual(
    answers.map((answer) => answer.lines[0]),
    ['503 Unwilling to accept second AUTH', '200 PBSZ 0 successful', '200 Protection set to Private'],
  );
  await client.quit();
});

test(
  '31: an explicit and an implicit server share certificates of <Global>, each in its own mode',
  LIMIT,
  async () => {
    const explicit = await seed.connect('main');
    await explicit.loginTls('alice', 'secret');
    assert.equal((await protectedList(explicit)).final.code, 226);
    const implicit = await implicitClient('shared');
    assert.equal((await implicit.login('bob', 'secret')).code, 230);
    assert.equal((await protectedList(implicit)).final.code, 226);
    await implicit.quit();
  },
);

test(
  '32: a TLS hello on an explicit port starts no TLS, harms nobody, and its session ends',
  LIMIT,
  async (t) => {
    const log = seed.systemLog();
    const relay = await startRecordingProxy(t, seed.port('explicit'));
    const tcp = connectTcp(relay.port, '127.0.0.1');
    t.after(() => tcp.destroy());
    const secured = connectTls({ socket: tcp, rejectUnauthorized: false });
    const [error] = (await once(secured, 'error')) as [Error];
    assert.match(error.message, /wrong version number|packet length too long/);
    tcp.destroy();
    await log.line(/FTP session closed/);
    // All the server ever said was FTP.
    assert.match(
      relay.fromServer().toString('latin1'),
      /^220 [^\r\n]+\r\n(500 [^\r\n]+\r\n)*(421 [^\r\n]+\r\n)?$/,
    );
    assert.equal((await sClient(seed.port('explicit'), [], false)).code, 1);
    const explicit = await seed.connect('explicit');
    await explicit.loginTls('alice', 'secret');
  },
);

test(
  '33: explicit servers speak first, implicit ones wait, and silent clients are not waited for',
  LIMIT,
  async () => {
    const explicit = await openTcp('explicit');
    const [greeting] = (await once(explicit, 'data')) as [Buffer];
    assert.match(greeting.toString(), /^220 /);
    explicit.destroy();
    const log = seed.tlsLog('impatient');
    const silent = await openTcp('impatient');
    const said = await readToEnd(silent);
    assert.doesNotMatch(said, /220/);
    await log.inOrder(
      /UseImplicitSSL in effect/,
      /TLS negotiation timed out \(1 seconds\)/,
      /implicit SSL\/TLS negotiation failed on control channel/,
    );
    // Connect and close, as port scanners and load balancers do.
    const probed = seed.tlsLog('implicit');
    const system = seed.systemLog();
    for (let probe = 0; probe < 3; probe += 1) (await openTcp('implicit')).end();
    await system.matches(/FTP session closed/, 3);
    assert.ok(probed.lines.length <= 4 * 3, probed.lines.join('\n'));
    const client = await implicitClient('implicit');
    assert.equal((await client.login('alice', 'secret')).code, 230);
    await client.quit();
  },
);

function implicitClient(name: string): Promise<FtpClient> {
  return FtpClient.connect({ port: seed.port(name), implicitTls: {} });
}

async function openTcp(name: string): Promise<Socket> {
  const tcp = connectTcp(seed.port(name), '127.0.0.1');
  await once(tcp, 'connect');
  return tcp;
}

/** Everything until the server closes; a reset is a way to close. */
async function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await collect(socket).catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'ECONNRESET'));
  return Buffer.concat(chunks).toString('latin1');
}
