import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

const trees = certificateTrees();
const options = { timeout: 30_000 };
const servers: TlsServer[] = [];

after(async () => {
  for (const server of servers) {
    assert.deepEqual(server.bugs, []);
    await server.close();
  }
});

const certificates = `
TLSRSACertificateFile ${trees.certA.certificate}
TLSRSACertificateKeyFile ${trees.certA.key}
TLSECCertificateFile ${trees.certAEc.combined}
`;

async function start(text = ''): Promise<TlsServer> {
  const server = await startTlsServer(`TLSEngine on\n${certificates}\nTLSTimeoutHandshake 5\n${text}`);
  servers.push(server);
  return server;
}

function connect(server: TlsServer): Promise<FtpClient> {
  return FtpClient.connect({ port: server.port });
}

/** The error of a client whose handshake must not succeed. */
async function failedHandshake(server: TlsServer, tls: Parameters<FtpClient['authTls']>[0]): Promise<string> {
  const client = await connect(server);
  const error = await client.authTls(tls).then(
    () => null,
    (cause: unknown) => cause as Error,
  );
  assert.ok(error, 'the handshake succeeded');
  await client.waitClosed();
  await server.idle();
  return error.message;
}

test('AUTH TLS answers 234, handshakes, and logs as mod_tls does', options, async () => {
  const server = await start();
  const client = await connect(server);
  assert.equal((await client.authTls({ minVersion: 'TLSv1.3' })).lines[0], '234 AUTH TLS successful');
  assert.equal((await client.command('PBSZ 0')).lines[0], '200 PBSZ 0 successful');
  assert.equal((await client.command('PROT P')).lines[0], '200 Protection set to Private');
  assert.deepEqual(server.log, [
    'TLS/TLS-C requested, starting TLS handshake',
    'control connection negotiated TLSv1.3, cipher TLS_AES_256_GCM_SHA384, group X25519MLKEM768, signature ECDSA+SHA256',
    'TLSv1.3 connection accepted, using cipher TLS_AES_256_GCM_SHA384 (256 bits)',
    'Protection set to Private',
  ]);
  assert.equal(server.facts?.protocol, 'ftps');
  assert.equal(server.facts?.notes.get('TLS_PROTOCOL'), 'TLSv1.3');
  assert.equal(server.facts?.notes.get('TLS_GROUP'), 'X25519MLKEM768');
  client.destroy();
});

test('a command sent in clear behind AUTH TLS is never executed', options, async () => {
  const server = await start();
  const client = await connect(server);
  client.send('AUTH TLS', 'USER alice');
  assert.equal((await client.readReply()).code, 234);
  await client.startTls();
  assert.equal((await client.command('PASS secret')).code, 503);
  assert.equal(client.pendingReplies, 0);
  client.destroy();
});

test('AUTH refuses what section 3 refuses, with its texts', options, async () => {
  const server = await start();
  const client = await connect(server);
  const replies = await client.dialogue('AUTH', 'AUTH GSSAPI', 'PBSZ 0', 'PROT P', 'CCC', 'SSCN ON');
  assert.deepEqual(
    replies.map((reply) => reply.lines[0]),
    [
      '504 AUTH requires at least one argument',
      '500 AUTH not understood',
      '500 PBSZ not understood',
      '500 PROT not understood',
      '500 CCC not understood',
      '500 SSCN not understood',
    ],
  );
  assert.equal((await client.authTls()).code, 234);
  assert.equal((await client.command('AUTH TLS')).lines[0], '503 Unwilling to accept second AUTH');
  const plain = await connect(server);
  await plain.login('alice', 'secret');
  assert.equal((await plain.command('AUTH TLS')).lines[0], '534 Unwilling to accept security parameters');
  assert.ok(server.log.includes('AUTH GSSAPI unsupported, declining'));
  client.destroy();
  plain.destroy();
});

test('PBSZ, PROT and SSCN answer every argument as documented', options, async () => {
  const server = await start();
  const client = await connect(server);
  await client.authTls();
  const lines = [
    'PBSZ 100',
    'PBSZ',
    'PROT C',
    'PROT P',
    'PROT S',
    'PROT X',
    'PROT',
    'SSCN',
    'SSCN ON',
    'SSCN OFF',
    'SSCN x',
  ];
  const replies = await client.dialogue(...lines, 'CCC');
  assert.deepEqual(
    replies.map((reply) => reply.lines[0]),
    [
      '200 PBSZ=0 successful',
      '501 Invalid number of parameters',
      '200 Protection set to Clear',
      '200 Protection set to Private',
      '536 PROT S unsupported',
      '504 PROT X unsupported',
      '501 Invalid number of parameters',
      '200 SSCN:SERVER METHOD',
      '200 SSCN:CLIENT METHOD',
      '200 SSCN:SERVER METHOD',
      '501 SSCN: Invalid argument',
      '530 Please login with USER and PASS',
    ],
  );
  client.destroy();
});

test('AUTH SSL and TLS-P protect data connections at once', options, async () => {
  const server = await start();
  for (const mechanism of ['SSL', 'TLS-P']) {
    const client = await connect(server);
    assert.equal((await client.authTls({}, mechanism)).lines[0], `234 AUTH ${mechanism} successful`);
    await client.login('alice', 'secret');
    const { final } = await client.download('NLST', { tls: { session: 'resume' } });
    assert.equal(final.code, 226);
    client.destroy();
  }
  assert.ok(server.log.includes('SSL/TLS-P requested, starting TLS handshake'));
});

test('TLSRequired on refuses clear login, PROT C and CCC, and logs why', options, async () => {
  const server = await start('TLSRequired on');
  const client = await connect(server);
  assert.equal((await client.command('USER alice')).lines[0], '550 SSL/TLS required on the control channel');
  assert.equal((await client.command('NOSUCH')).code, 550);
  assert.equal((await client.command('FEAT')).code, 211);
  await client.authTls();
  await client.login('alice', 'secret');
  assert.equal((await client.command('LIST')).lines[0], '522 SSL/TLS required on the data channel');
  assert.equal((await client.command('PROT C')).code, 534);
  assert.equal((await client.command('CCC')).code, 534);
  for (const line of [
    'SSL/TLS required but absent for authentication, denying USER command',
    'SSL/TLS required but absent on data channel, denying LIST command',
    'PROT: TLSRequired requires protection for data transfers',
    'PROT: unwilling to accept security parameter (C)',
    'CCC: unwilling to accept security parameters: TLSRequired setting does not allow for unprotected control channel',
  ]) {
    assert.ok(server.log.includes(line), line);
  }
  client.destroy();
});

test('RSA and EC certificates serve together', options, async () => {
  const server = await start();
  for (const [ciphers, key] of [
    ['ECDHE-RSA-AES256-GCM-SHA384', 'rsa'],
    ['ECDHE-ECDSA-AES256-GCM-SHA384', 'ec'],
  ] as const) {
    const client = await connect(server);
    await client.authTls({ ciphers, maxVersion: 'TLSv1.2' });
    const certificate = (client.stream as TLSSocket).getPeerX509Certificate();
    assert.equal(certificate?.publicKey.asymmetricKeyType, key);
    client.destroy();
  }
});

test('without a certificate AUTH answers 431 and clear FTP works', options, async () => {
  const server = await startTlsServer('TLSEngine on');
  servers.push(server);
  const client = await connect(server);
  assert.equal((await client.command('AUTH TLS')).lines[0], '431 Necessary security resource unavailable');
  assert.equal((await client.login('alice', 'secret')).code, 230);
  assert.ok(server.log.includes('Unable to accept AUTH TLS due to lack of certificates'));
  client.destroy();
});

test('TLSEngine off hides the commands and their FEAT lines', options, async () => {
  const server = await startTlsServer('TLSEngine off');
  servers.push(server);
  const client = await connect(server);
  assert.equal((await client.command('AUTH TLS')).code, 500);
  assert.doesNotMatch((await client.command('FEAT')).lines.join('\n'), /AUTH|PROT/);
  client.destroy();
});

test('TLSProtocol is exact: gaps and bounds are kept', options, async () => {
  const server = await start('TLSProtocol TLSv1.2');
  const message = await failedHandshake(server, { minVersion: 'TLSv1.3' });
  assert.match(message, /protocol version|unsupported protocol/);
  assert.match(
    server.log.join('\n'),
    /unable to accept TLS connection: protocol error: .*unsupported protocol/,
  );
  assert.equal(server.log.at(-1), 'TLS/TLS-C negotiation failed on control channel');
  const gap = await start('TLSOptions AllowWeakSecurity\nTLSProtocol TLSv1.1 TLSv1.3');
  assert.match(
    await failedHandshake(gap, { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' }),
    /protocol version|unsupported protocol/,
  );
  const client = await connect(gap);
  await client.authTls({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' });
  assert.equal((client.stream as TLSSocket).getProtocol(), 'TLSv1.1');
  client.destroy();
});

test('no shared cipher is logged with the configured list', options, async () => {
  const server = await start('TLSCipherSuite ECDHE-RSA-AES256-GCM-SHA384');
  await failedHandshake(server, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' });
  assert.match(server.log.join('\n'), /unable to accept TLS connection: protocol error: .*no shared cipher/);
  assert.ok(
    server.log.includes(
      "client does not support any cipher from 'TLSCipherSuite ECDHE-RSA-AES256-GCM-SHA384'",
    ),
  );
});

test('ALPN selects ftp and ignores everything else', options, async () => {
  const server = await start();
  for (const [offered, selected] of [
    [['h2', 'ftp'], 'ftp'],
    [['h2', 'http/1.1'], false],
  ] as const) {
    const client = await connect(server);
    await client.authTls({ ALPNProtocols: [...offered] });
    assert.equal((client.stream as TLSSocket).alpnProtocol, selected);
    client.destroy();
  }
});

test('a silent client is cut after TLSTimeoutHandshake', options, async () => {
  const server = await start('TLSTimeoutHandshake 1');
  const client = await connect(server);
  await client.command('AUTH TLS');
  await client.waitClosed();
  await server.idle();
  assert.ok(server.log.includes('TLS negotiation timed out (1 seconds)'));
  assert.equal(server.log.at(-1), 'TLS/TLS-C negotiation failed on control channel');
});

test('a peer that goes away during the handshake is logged', options, async () => {
  const server = await start();
  const client = await connect(server);
  await client.command('AUTH TLS');
  client.sendRaw(Buffer.from([22, 3, 1, 0, 200, 1]));
  client.stream.end();
  await client.waitClosed();
  await server.idle();
  assert.ok(server.log.includes('unable to accept TLS connection: received EOF that violates protocol'));
});

test('a failed handshake is answered 421 in clear behind the alert', options, async () => {
  const server = await start();
  const client = await connect(server);
  await client.command('AUTH TLS');
  client.sendRaw('this is not TLS\r\n');
  assert.equal((await client.readReply()).lines[0], '421 TLS handshake failed');
  await client.waitClosed();
  assert.match(server.log.join('\n'), /protocol error: .*wrong version number/);
});

test(
  'client-initiated renegotiation is aborted unless AllowClientRenegotiations is set',
  options,
  async () => {
    const renegotiate = async (server: TlsServer): Promise<{ client: FtpClient; stream: TLSSocket }> => {
      const client = await connect(server);
      await client.authTls({ maxVersion: 'TLSv1.2' });
      const stream = client.stream as TLSSocket;
      stream.renegotiate({ rejectUnauthorized: false }, () => undefined);
      return { client, stream };
    };
    const strict = await start('TLSProtocol TLSv1.2');
    const refused = await renegotiate(strict);
    await once(refused.stream, 'close');
    await strict.idle();
    assert.ok(
      strict.log.includes('warning: client-initiated session renegotiation detected, aborting connection'),
    );
    const lenient = await start('TLSProtocol TLSv1.2\nTLSOptions AllowClientRenegotiations');
    const { client } = await renegotiate(lenient);
    assert.equal((await client.command('NOOP')).code, 200);
    client.destroy();
  },
);

const named = `
ServerAlias main.example
<VirtualHost 127.0.0.1>
  Port 2121
  ServerName other
  ServerAlias other.example
  TLSEngine on
  TLSRSACertificateFile ${trees.certA.certificate}
  TLSRSACertificateKeyFile ${trees.certA.key}
  TLSECCertificateFile ${trees.certB.combined}
  TLSTimeoutHandshake 5
</VirtualHost>
<VirtualHost 127.0.0.1>
  Port 2121
  ServerAlias clear.example
  TLSEngine off
</VirtualHost>
`;

test('SNI chooses the virtual host, with EC and RSA certificates behind it', options, async () => {
  const server = await start(`DefaultAddress 127.0.0.1\n${named}`);
  for (const [ciphers, name] of [
    ['ECDHE-ECDSA-AES256-GCM-SHA384', 'certB'],
    ['ECDHE-RSA-AES256-GCM-SHA384', 'certA'],
  ] as const) {
    const client = await connect(server);
    await client.authTls({ servername: 'OTHER.example', maxVersion: 'TLSv1.2', ciphers });
    assert.match(
      (client.stream as TLSSocket).getPeerX509Certificate()?.subject ?? '',
      new RegExp(`CN=${name}`),
    );
    assert.equal((await client.command('HOST other.example')).code, 220);
    assert.equal((await client.command('HOST main.example')).code, 504);
    client.destroy();
  }
});

test('SNI nobody knows, of a host without TLS, or against HOST is rejected', options, async () => {
  const server = await start(`DefaultAddress 127.0.0.1\n${named}`);
  assert.match(await failedHandshake(server, { servername: 'unknown.example' }), /unrecognized name/);
  assert.match(await failedHandshake(server, { servername: 'clear.example' }), /unrecognized name/);
  const client = await connect(server);
  await client.command('HOST other.example');
  await assert.rejects(client.authTls({ servername: 'main.example' }), /access denied/);
  await client.waitClosed();
  for (const line of [
    "no matching server found for client-sent SNI 'unknown.example', rejecting SSL/TLS connection",
    "TLSEngine not enabled for SNI 'clear.example', rejecting client",
    "warning: SNI 'main.example' does not match HOST 'other.example', rejecting SSL/TLS connection",
  ]) {
    assert.ok(server.log.includes(line), line);
  }
});

test(
  'implicit FTPS says nothing before the hello, then greets under TLS with private data',
  options,
  async () => {
    const server = await start('TLSOptions UseImplicitSSL');
    const client = await FtpClient.connect({ port: server.port, implicitTls: {} });
    assert.equal(client.greeting?.code, 220);
    assert.equal((await client.command('AUTH TLS')).lines[0], '503 Unwilling to accept second AUTH');
    await client.login('alice', 'secret');
    const { final } = await client.download('NLST', { tls: { session: 'resume' } });
    assert.equal(final.code, 226);
    assert.ok(server.log.includes('TLSOption UseImplicitSSL in effect, starting SSL/TLS handshake'));
    client.destroy();
  },
);

test(
  'a clear client on an implicit port gets no greeting, and the next client is served',
  options,
  async () => {
    const server = await start('TLSOptions UseImplicitSSL');
    const plain = connectTcp({ port: server.port, host: '127.0.0.1' });
    plain.write('USER alice\r\n');
    const received: Buffer[] = [];
    for await (const chunk of plain as Socket) received.push(chunk as Buffer);
    assert.doesNotMatch(Buffer.concat(received).toString('latin1'), /220|331/);
    const probe = connectTcp({ port: server.port, host: '127.0.0.1' });
    await once(probe, 'connect');
    probe.end();
    const client = await FtpClient.connect({ port: server.port, implicitTls: {} });
    assert.equal(client.greeting?.code, 220);
    assert.ok(server.log.includes('implicit SSL/TLS negotiation failed on control channel'));
    client.destroy();
  },
);

test('the chain file is sent in path order whatever its own order', options, async () => {
  for (const file of [trees.chainFile, trees.reversedChainFile]) {
    const server = await start(
      `TLSCertificateChainFile ${file}\nTLSCACertificateFile ${trees.clientAuthorities}`,
    );
    const tcp = await connect(server);
    await tcp.command('AUTH TLS');
    tcp.tcp.removeAllListeners('data');
    const stream = connectTls({ socket: tcp.tcp, rejectUnauthorized: false });
    await once(stream, 'secureConnect');
    const names: string[] = [];
    let certificate = stream.getPeerCertificate(true);
    while (certificate !== undefined && !names.includes(String(certificate.subject.CN))) {
      names.push(String(certificate.subject.CN));
      certificate = certificate.issuerCertificate;
    }
    assert.deepEqual(names, ['certA', 'MyServerCA', 'MyRootCA']);
    assert.ok(server.log.includes(`added 2 certs from '${file}' to SSL_CTX certificate chain`));
    stream.destroy();
  }
});
