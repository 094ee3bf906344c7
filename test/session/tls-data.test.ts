import assert from 'node:assert/strict';
import { constants, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TLSSocket, createSecureContext, type SecureVersion } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

const trees = certificateTrees();
const options = { timeout: 30_000 };
const servers: TlsServer[] = [];
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

after(async () => {
  for (const server of servers) {
    assert.deepEqual(server.bugs, []);
    await server.close();
  }
});

async function start(text = ''): Promise<TlsServer> {
  const certificates = `TLSRSACertificateFile ${trees.certA.combined}\nTLSECCertificateFile ${trees.certAEc.combined}`;
  const server = await startTlsServer(
    `TLSEngine on\nAllowOverwrite on\n${certificates}\nTLSTimeoutHandshake 5\n${text}`,
  );
  servers.push(server);
  return server;
}

async function login(server: TlsServer, user: string, tls: ClientTlsOptions): Promise<FtpClient> {
  const client = await FtpClient.connect({ port: server.port });
  await client.loginTls(user, 'secret', tls);
  return client;
}

function only(version: SecureVersion): ClientTlsOptions {
  return { minVersion: version, maxVersion: version };
}

const notReused =
  'client did not reuse TLS session, rejecting data connection (see the NoSessionReuseRequired TLSOptions parameter)';
const stolen =
  'client did not reuse TLS session from control channel, rejecting data connection (see the NoSessionReuseRequired TLSOptions parameter)';

for (const version of versions) {
  const tls = only(version);

  test(`${version}: a client that resumes lists and transfers as often as it likes`, options, async () => {
    for (const tickets of ['on', 'off']) {
      const server = await start(`TLSSessionTickets ${tickets}`);
      const client = await login(server, 'alice', tls);
      for (let round = 0; round < 5; round += 1) {
        const { opening, final, body } = await client.download('RETR hello.txt', {
          tls: { session: 'resume', options: tls },
        });
        assert.equal(opening.code, 150);
        assert.equal(final.code, 226);
        assert.match(body.toString(), /hello over TLS/);
      }
      const accepted = server.log.filter((line) => line.includes('data connection accepted'));
      assert.equal(accepted.length, 1, 'only the first data handshake is logged');
      assert.match(accepted[0] ?? '', /\(256 bits, resumed session\)$/);
      client.destroy();
    }
  });

  test(
    `${version}: a client that does not resume gets 150, 425, and the session goes on`,
    options,
    async () => {
      const server = await start();
      const client = await login(server, 'alice', tls);
      for (const line of ['RETR hello.txt', 'NLST', 'MLSD']) {
        const { opening, final } = await client.download(line, { tls: { session: 'fresh', options: tls } });
        assert.equal(opening.code, 150);
        assert.equal(final.lines[0], '425 Unable to build data connection: Operation not permitted');
      }
      assert.ok(server.log.includes(notReused));
      assert.equal(server.log.at(-1), 'unable to open data connection: TLS negotiation failed');
      assert.equal(
        (await client.download('NLST', { tls: { session: 'resume', options: tls } })).final.code,
        226,
      );
      client.destroy();
    },
  );

  test(`${version}: a session stolen from another control connection is refused`, options, async () => {
    for (const tickets of ['on', 'off']) {
      const server = await start(`TLSSessionTickets ${tickets}`);
      const alice = await login(server, 'alice', tls);
      const bob = await login(server, 'bob', tls);
      assert.equal(
        (await bob.download('NLST', { tls: { session: 'resume', options: tls } })).final.code,
        226,
      );
      const theft = bob.sessions.at(-1);
      assert.ok(theft);
      const { final } = await alice.download('RETR hello.txt', { tls: { session: theft, options: tls } });
      assert.equal(final.code, 425);
      assert.ok(server.log.includes(stolen), `tickets ${tickets}`);
      assert.equal(
        (await alice.download('NLST', { tls: { session: 'resume', options: tls } })).final.code,
        226,
      );
      alice.destroy();
      bob.destroy();
    }
  });

  test(`${version}: NoSessionReuseRequired and TLSSessionCache off accept any session`, options, async () => {
    for (const text of ['TLSOptions NoSessionReuseRequired', 'TLSSessionCache off']) {
      const server = await start(text);
      const client = await login(server, 'alice', tls);
      const { final } = await client.download('NLST', { tls: { session: 'fresh', options: tls } });
      assert.equal(final.code, 226);
      client.destroy();
    }
  });

  test(`${version}: an upload arrives whole`, options, async () => {
    const server = await start();
    const client = await login(server, 'alice', tls);
    await client.command('TYPE I');
    const body = randomBytes(1_500_000);
    const { final } = await client.upload('STOR big.bin', body, { tls: { session: 'resume', options: tls } });
    assert.equal(final.code, 226);
    assert.ok(readFileSync(join(server.home, 'big.bin')).equals(body));
    client.destroy();
  });

  test(`${version}: an expired control session is not resumed`, options, async () => {
    const server = await start('TLSSessionCache internal:1');
    const client = await login(server, 'alice', tls);
    const handshake = performance.now();
    while (performance.now() - handshake < 1_100) await client.command('NOOP');
    const { final } = await client.download('NLST', { tls: { session: 'resume', options: tls } });
    assert.equal(final.code, 425);
    client.destroy();
  });
}

test('TLS 1.2 without tickets resumes by session id, and only its own', options, async () => {
  const server = await start('TLSSessionTickets on');
  const tls: ClientTlsOptions = { ...only('TLSv1.2'), secureOptions: constants.SSL_OP_NO_TICKET };
  const alice = await login(server, 'alice', tls);
  const bob = await login(server, 'bob', tls);
  for (let round = 0; round < 3; round += 1) {
    assert.equal(
      (await alice.download('NLST', { tls: { session: 'resume', options: tls } })).final.code,
      226,
    );
  }
  const theft = bob.sessions.at(-1);
  assert.ok(theft);
  assert.equal((await alice.download('NLST', { tls: { session: theft, options: tls } })).final.code, 425);
  assert.ok(server.log.includes(stolen));
  alice.destroy();
  bob.destroy();
});

test('TLS 1.3 clients that use each ticket once never run out on downloads', options, async () => {
  const server = await start();
  const tls = only('TLSv1.3');
  const client = await login(server, 'alice', tls);
  await client.command('NOOP');
  const tickets = [...client.sessions];
  assert.equal(tickets.length, 2);
  for (let round = 0; round < 6; round += 1) {
    const ticket = tickets.shift();
    assert.ok(ticket, `a ticket for transfer ${round + 1}`);
    const prepared = await client.prepareData('epsv');
    const connecting = prepared.connect({ session: ticket, options: tls });
    client.send('RETR hello.txt');
    const socket = await connecting;
    socket.on('session', (session: Buffer) => tickets.push(session));
    for await (const chunk of socket) assert.ok((chunk as Buffer).length > 0);
    assert.equal((await client.readReply()).code, 150);
    assert.equal((await client.readReply()).code, 226);
  }
  client.destroy();
});

test('TLS 1.3 sends no ticket on an upload, whose client may never read it', options, async () => {
  const server = await start();
  const tls = only('TLSv1.3');
  const client = await login(server, 'alice', tls);
  await client.command('NOOP');
  const prepared = await client.prepareData('epsv');
  const connecting = prepared.connect({ session: client.sessions.at(-1) as Buffer, options: tls });
  client.send('STOR up.bin');
  const socket = (await connecting) as TLSSocket;
  let tickets = 0;
  socket.on('session', () => {
    tickets += 1;
  });
  const reused = socket.isSessionReused();
  socket.resume();
  socket.end(randomBytes(200_000));
  await once(socket, 'close');
  assert.equal((await client.readReply()).code, 150);
  assert.equal((await client.readReply()).code, 226);
  assert.equal(reused, true);
  assert.equal(tickets, 0);
  client.destroy();
});

test('an empty file still gets its whole handshake', options, async () => {
  const server = await start();
  const client = await login(server, 'alice', {});
  const { final } = await client.upload('STOR empty.txt', '', { tls: { session: 'resume' } });
  assert.equal(final.code, 226);
  const back = await client.download('RETR empty.txt', { tls: { session: 'resume' } });
  assert.equal(back.final.code, 226);
  assert.equal(back.body.length, 0);
  client.destroy();
});

test('SSCN makes this server the TLS client of the data connection', options, async () => {
  for (const [verify, expected] of [
    ['TLSVerifyServer off', 226],
    [`TLSVerifyServer on\nTLSCACertificateFile ${trees.clientAuthorities}`, 425],
    [`TLSVerifyServer on\nTLSCACertificateFile ${trees.chainFile}`, 226],
  ] as const) {
    const server = await start(verify);
    const client = await login(server, 'alice', {});
    assert.equal((await client.command('SSCN ON')).lines[0], '200 SSCN:CLIENT METHOD');
    const peer = createServer();
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    const accepted = once(peer, 'connection');
    const { port } = peer.address() as AddressInfo;
    await client.command(`PORT 127,0,0,1,${port >> 8},${port & 255}`);
    client.send('RETR hello.txt');
    const [socket] = await accepted;
    const pem = readFileSync(trees.certA.combined);
    const other = new TLSSocket(socket, {
      isServer: true,
      secureContext: createSecureContext({
        cert: [pem, readFileSync(trees.myServerCa.certificate)].join('\n'),
        key: pem,
      }),
    });
    other.on('error', () => other.destroy());
    other.resume();
    assert.equal((await client.readReply()).code, 150);
    assert.equal((await client.readReply()).code, expected, verify);
    assert.equal(/server certificate failed verification/.test(server.log.join('\n')), expected === 425);
    client.destroy();
    other.destroy();
    peer.close();
  }
});
