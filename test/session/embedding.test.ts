/** `createServer` with typed options: what an embedding program sees, from options to reload. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createServer, type ServerOptions } from '../../src/index.ts';
import { optionsToConfig } from '../../src/server-options.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, prepare, TLS_CONFIG } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };

/** Accounts, certificates and a free port; the configuration comes from the options alone. */
async function typedOptions(t: TestContext): Promise<{ options: ServerOptions; home: string }> {
  const { directory, port, homeOf } = await prepare(t, BASE_CONFIG + TLS_CONFIG);
  const options: ServerOptions = {
    port,
    serverName: 'A "quoted" \\ name',
    users: { passwordFile: join(directory, 'users') },
    tls: {
      certificateFile: join(directory, 'ec.pem'),
      keyFile: join(directory, 'ec.key'),
      algorithm: 'EC',
    },
    directives: ['UseReverseDNS off', 'AllowOverwrite on'],
  };
  return { options, home: homeOf('alice') };
}

async function clientOf(t: TestContext, port: number): Promise<FtpClient> {
  const client = await FtpClient.connect({ port });
  t.after(() => client.destroy());
  return client;
}

test(
  'typed options make a server that requires TLS and tells login, transfer and logout',
  LIMIT,
  async (t) => {
    const { options, home } = await typedOptions(t);
    const server = createServer({ options, workers: 1 });
    t.after(() => server.close());
    await server.listen();
    assert.deepEqual([server.address()?.address, server.address()?.port], ['127.0.0.1', options.port]);

    // A session learns when it starts whether anybody wants to hear of its transfers.
    const transfer = once(server, 'transfer');
    const clear = await clientOf(t, options.port);
    assert.equal(
      (await clear.login('alice', 'secret')).code,
      550,
      'TLS is required unless the options say otherwise',
    );
    const refused = once(server, 'logout');
    clear.destroy();
    assert.equal((await refused)[0].user, null);

    const client = await clientOf(t, options.port);
    const login = once(server, 'login');
    await client.loginTls('alice', 'secret');
    const [session] = await login;
    assert.equal(session.user, 'alice');
    assert.equal(session.remoteAddress, '127.0.0.1');

    const upload = await client.upload('STOR one.txt', Buffer.from('0123456789'), {
      tls: { session: 'resume' },
    });
    assert.equal(upload.final.code, 226);
    const [report] = await transfer;
    assert.deepEqual(
      [report.direction, report.path, report.bytes, report.completed, report.sessionId],
      ['upload', '/one.txt', 10, true, session.sessionId],
    );
    assert.equal(readFileSync(join(home, 'one.txt'), 'latin1'), '0123456789');

    const logout = once(server, 'logout');
    await client.quit();
    const [ended] = await logout;
    assert.deepEqual([ended.user, ended.reason], ['alice', 'quit']);
  },
);

test(
  'reload() takes new options for new sessions; options with an error leave the old ones in force',
  LIMIT,
  async (t) => {
    const { options } = await typedOptions(t);
    const plain: ServerOptions = { ...options, tls: { ...options.tls!, required: false } };
    const server = createServer({ options: plain, workers: 1 });
    t.after(() => server.close());
    await server.listen();
    const before = await clientOf(t, options.port);
    assert.equal((await before.login('alice', 'secret')).code, 230);

    await server.reload({ options });
    assert.equal((await before.command('PWD')).code, 257, 'a running session keeps its configuration');
    const after = await clientOf(t, options.port);
    assert.equal((await after.login('alice', 'secret')).code, 550);

    await assert.rejects(server.reload({ options: { ...options, directives: ['NoSuchDirective on'] } }), {
      name: 'ConfigError',
      message: /unknown configuration directive 'NoSuchDirective'/,
    });
    // The failed options are forgotten: a plain reload reads the last good ones.
    await server.reload();
    assert.equal((await (await clientOf(t, options.port)).login('alice', 'secret')).code, 550);
  },
);

test('close({ grace }) lets a transfer that runs come to its end', LIMIT, async (t) => {
  const { options, home } = await typedOptions(t);
  writeFileSync(join(home, 'large.bin'), Buffer.alloc(16 * 1024 * 1024, 7), { mode: 0o644 });
  const server = createServer({ options, workers: 1 });
  t.after(() => server.close());
  await server.listen();
  const client = await clientOf(t, options.port);
  await client.loginTls('alice', 'secret');
  await client.command('TYPE I');
  const data = await client.prepareData('pasv');
  client.send('RETR large.bin');
  // Over TLS the client speaks first: the data connection must be there before the 150 is read.
  const stream = await data.connect({ session: 'resume' });
  assert.equal((await client.readReply()).code, 150);
  const closed = server.close({ grace: 20_000 });
  let received = 0;
  for await (const chunk of stream) received += (chunk as Buffer).length;
  assert.equal(received, 16 * 1024 * 1024);
  assert.equal((await client.readReply()).code, 226);
  await closed;
  assert.equal(server.address(), null);
});

test('an option with a line break cannot smuggle in a directive', () => {
  const options: ServerOptions = { port: 0, serverName: 'x\nRootLogin on', users: { userStore: '/nowhere' } };
  assert.throws(() => optionsToConfig(options), TypeError);
  assert.throws(
    () => optionsToConfig({ ...options, serverName: 'x', masqueradeAddress: '192.0.2.1\nRootLogin on' }),
    TypeError,
  );
});
