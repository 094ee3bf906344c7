import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
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

async function start(text: string): Promise<TlsServer> {
  const server = await startTlsServer(
    `TLSEngine on\nTLSECCertificateFile ${trees.certAEc.combined}\nTLSTimeoutHandshake 5\n${text}`,
  );
  servers.push(server);
  return server;
}

const perUser = 'TLSOptions AllowPerUser\nTLSRequired on\n<IfGroup trusted>\n  TLSRequired off\n</IfGroup>';

test('AllowPerUser lets members of a relaxed group work in clear', options, async () => {
  const server = await start(perUser);
  const client = await FtpClient.connect({ port: server.port });
  assert.equal((await client.login('bob', 'secret')).code, 230);
  assert.equal((await client.download('NLST')).final.code, 226);
  client.destroy();
});

test('AllowPerUser cuts everybody else after the password, and TLS clients pass', options, async () => {
  const server = await start(perUser);
  const client = await FtpClient.connect({ port: server.port });
  assert.equal((await client.login('alice', 'secret')).lines[0], '530 Login incorrect.');
  await client.waitClosed();
  assert.ok(server.log.includes('SSL/TLS required but absent on control channel, disconnecting'));
  const protectedClient = await FtpClient.connect({ port: server.port });
  await protectedClient.authTls();
  assert.equal((await protectedClient.login('alice', 'secret')).code, 230);
  assert.equal((await protectedClient.command('LIST')).code, 522);
  protectedClient.destroy();
});

test('AllowPerUser accepts AUTH after login', options, async () => {
  const server = await start(perUser);
  const client = await FtpClient.connect({ port: server.port });
  await client.login('bob', 'secret');
  assert.equal((await client.authTls()).code, 234);
  assert.equal((await client.command('PWD')).code, 257);
  client.destroy();
});

test('a directory can demand private data where the server does not', options, async () => {
  const server = await start('<Directory />\n  TLSRequired data\n</Directory>');
  const client = await FtpClient.connect({ port: server.port });
  await client.authTls();
  await client.login('alice', 'secret');
  assert.equal((await client.command('LIST')).lines[0], '522 SSL/TLS required on the data channel');
  assert.match(server.log.at(-1) ?? '', /^LIST command denied by TLSRequired in directory '/);
  assert.equal((await client.command('PWD')).code, 257);
  await client.command('PROT P');
  assert.equal((await client.download('NLST', { tls: { session: 'resume' } })).final.code, 226);
  client.destroy();
});

test('TLSRequired !data refuses PROT P and implicit sessions start with clear data', options, async () => {
  const server = await start('TLSRequired !data\nTLSOptions UseImplicitSSL');
  const client = await FtpClient.connect({ port: server.port, implicitTls: {} });
  await client.login('alice', 'secret');
  assert.equal((await client.command('PROT P')).lines[0], '534 Unwilling to accept security parameters');
  assert.equal((await client.download('NLST')).final.code, 226);
  assert.ok(server.log.includes('PROT: TLSRequired does not allow protection for data transfers'));
  client.destroy();
});

test('TLSOptions found at login count for data connections', options, async () => {
  const server = await start('<IfGroup trusted>\n  TLSOptions NoSessionReuseRequired\n</IfGroup>');
  for (const [user, code] of [
    ['bob', 226],
    ['alice', 425],
  ] as const) {
    const client = await FtpClient.connect({ port: server.port });
    await client.loginTls(user, 'secret');
    assert.equal((await client.download('NLST', { tls: { session: 'fresh' } })).final.code, code);
    client.destroy();
  }
});

test('FEAT names the security commands before TLS', options, async () => {
  const server = await start('');
  const client = await FtpClient.connect({ port: server.port });
  const features = (await client.command('FEAT')).lines.join('\n');
  for (const feature of ['AUTH TLS', 'CCC', 'PBSZ', 'PROT', 'SSCN'])
    assert.match(features, new RegExp(`^ ${feature}$`, 'm'));
  client.destroy();
});

test('a server renegotiation falls due by time and the session goes on', options, async () => {
  const server = await start(
    'TLSProtocol TLSv1.2\nTLSOptions AllowClientRenegotiations\nTLSRenegotiate ctrl 1 timeout 5',
  );
  const client = await FtpClient.connect({ port: server.port });
  const stream = await client.authTls({ maxVersion: 'TLSv1.2' }).then(() => client.stream);
  const renegotiated = once(stream, 'secure');
  await renegotiated;
  assert.equal((await client.command('NOOP')).code, 200);
  assert.ok(
    server.log.includes('requesting TLS renegotiation on control channel (1 sec renegotiation interval)'),
  );
  client.destroy();
});

test('a password glued to its command is refused in clear and not logged', options, async () => {
  const server = await start('TLSRequired on');
  const client = await FtpClient.connect({ port: server.port });
  assert.equal((await client.command('PASSsecret123')).code, 550);
  assert.ok(server.log.includes('SSL/TLS required but absent on control channel, denying PASS command'));
  assert.ok(!server.log.some((line) => line.includes('123')));
  client.destroy();
});

test('a name given before AUTH has to be given again', options, async () => {
  const server = await start('');
  const client = await FtpClient.connect({ port: server.port });
  assert.equal((await client.command('USER bob')).code, 331);
  await client.authTls();
  assert.equal((await client.command('PASS secret')).code, 503);
  assert.equal((await client.login('bob', 'secret')).code, 230);
  client.destroy();
});
