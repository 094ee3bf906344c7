import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { LogoutInfo, SessionInfo, TransferInfo } from '../../src/index.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, startServer, type InProcessServer } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };

function clientOf(t: TestContext, server: InProcessServer): Promise<FtpClient> {
  return FtpClient.connect({ host: server.host, port: server.port }).then((client) => {
    t.after(() => client.destroy());
    return client;
  });
}

/** Everything a server says to a client that says nothing, until it closes. */
async function listen(server: InProcessServer): Promise<string> {
  const socket = connect(server.port, server.host);
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => (text += chunk));
  // A reset is a close too: MaxInstances says nothing.
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return text;
}

describe('session pool', LIMIT, () => {
  test('a worker that dies loses its own sessions only, and the server keeps accepting', async (t) => {
    const server = await startServer(t, BASE_CONFIG, { embedding: { workers: 2 } });
    const clients = await Promise.all([
      clientOf(t, server),
      clientOf(t, server),
      clientOf(t, server),
      clientOf(t, server),
    ]);
    for (const client of clients) assert.equal((await client.login('alice', 'secret')).code, 230);
    const lost: SessionInfo[] = [];
    server.server.on('session-error', (session) => lost.push(session));

    await server.server.terminateWorker(0);
    const alive = await Promise.allSettled(clients.map((client) => client.command('NOOP')));
    const survivors = alive.filter((result) => result.status === 'fulfilled');
    assert.equal(survivors.length, 2, 'the least busy worker gets the next session, so each had two');
    for (const { value } of survivors) assert.equal(value.code, 200);
    assert.equal(lost.length, 2);
    assert.ok(lost.every(({ user }) => user === 'alice'));
    assert.match(
      server.read('system.log'),
      /session \d+ of 127\.0\.0\.1 \(user alice\) was lost with its worker/,
    );

    for (let index = 0; index < 4; index += 1) {
      const client = await clientOf(t, server);
      assert.equal((await client.login('alice', 'secret')).code, 230);
    }
  });

  test('the death of the only worker is survived: the next client is served by its successor', async (t) => {
    const server = await startServer(t, BASE_CONFIG);
    const client = await clientOf(t, server);
    await server.server.terminateWorker(0);
    await assert.rejects(client.command('NOOP'));
    assert.equal((await (await clientOf(t, server)).login('alice', 'secret')).code, 230);
  });

  test('a full server answers 421 and serves again when a session has ended', async (t) => {
    const server = await startServer(t, BASE_CONFIG, { embedding: { workers: 1, sessionsPerWorker: 1 } });
    const first = await clientOf(t, server);
    assert.match(
      await listen(server),
      /^421 Service not available, the server is full; please try again later\r\n$/,
    );
    assert.match(await listen(server), /^421 /);
    const ended = once(server.server, 'logout');
    await first.quit();
    await ended;
    assert.equal((await (await clientOf(t, server)).login('alice', 'secret')).code, 230);
  });

  for (const bug of ['THROW', 'TIMER', 'REJECT']) {
    test(`an uncaught error (${bug}) ends its session with 421 and no other`, async (t) => {
      const server = await startServer(t, BASE_CONFIG, {
        embedding: { workers: 1, workerEntry: new URL('../support/faulty-worker.ts', import.meta.url) },
      });
      const healthy = await clientOf(t, server);
      const faulty = await clientOf(t, server);
      const failed = once(server.server, 'session-error') as Promise<[SessionInfo, Error]>;
      faulty.send(bug);
      const reply = await faulty.readReply();
      assert.equal(reply.code, 421);
      await faulty.waitClosed();
      const [, error] = await failed;
      assert.match(error.message, /bug in an event handler|bug in a timer|bug in a promise/);
      assert.equal((await healthy.command('NOOP')).code, 200);
      assert.match(server.read('system.log'), /internal error, the session is ended/);
    });
  }
});

describe('admission', LIMIT, () => {
  test('above MaxInstances connections are closed without a reply and logged', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\nMaxInstances 1\n`);
    await clientOf(t, server);
    assert.equal(await listen(server), '');
    assert.match(server.read('system.log'), /MaxInstances \(1\) reached, new connection denied/);
  });

  test('above MaxConnectionsPerHost the client reads the documented 530', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\nMaxConnectionsPerHost 1\n`);
    await clientOf(t, server);
    const text = 'Sorry, the maximum number of connections (1) for your host are already connected.';
    assert.equal(await listen(server), `530 ${text}\r\n`);
    assert.match(server.read('system.log'), /Connection refused \(MaxConnectionsPerHost 1\)/);
  });

  test('above MaxConnectionRate connections are closed without a reply', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\nMaxConnectionRate 1 3600\n`);
    await clientOf(t, server);
    assert.equal(await listen(server), '');
  });

  test('where no server answers the address, the client reads 500', async (t) => {
    const config = BASE_CONFIG.replace('DefaultServer on', '')
      .replace('DefaultAddress 127.0.0.1', 'DefaultAddress 127.0.0.2')
      .replace('SocketBindTight on', '');
    const server = await startServer(t, config);
    assert.equal(await listen(server), '500 Sorry, no server available to handle request on 127.0.0.1\r\n');
  });

  test('MaxClients refuses the login with its own text, %m replaced, and disconnects', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\nMaxClients 1 "Only %m at a time"\n`);
    assert.equal((await (await clientOf(t, server)).login('alice', 'secret')).code, 230);
    const second = await clientOf(t, server);
    const reply = await second.login('alice', 'secret');
    assert.equal(reply.code, 530);
    assert.match(JSON.stringify(reply), /Only 1 at a time/);
    await second.waitClosed();
    assert.match(server.read('system.log'), /Connection refused \(MaxClients 1\)/);
  });
});

describe('reload', LIMIT, () => {
  test('running sessions keep their configuration, new ones get the new', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\nServerIdent on "before"\nAllowOverwrite on\n`);
    const old = await clientOf(t, server);
    await old.login('alice', 'secret');
    server.writeConfig(`${BASE_CONFIG}\nServerIdent on "after"\n`);
    await server.server.reload();
    assert.equal((await old.command('NOOP')).code, 200);
    assert.match(await greetingOf(server), /^220 after/);
    assert.match(server.read('system.log'), /received SIGHUP -- master server reparsing configuration file/);
  });

  test('a broken configuration changes nothing and is logged', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\nServerIdent on "before"\n`);
    server.writeConfig(`${BASE_CONFIG}\nNoSuchDirective on\n`);
    await assert.rejects(server.server.reload(), /unknown configuration directive/);
    assert.match(await greetingOf(server), /^220 before/);
    assert.match(server.read('system.log'), /the old one stays in force.*NoSuchDirective/);
  });

  test('ports that appear are opened and ports that vanish are closed', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}\n# @PORT2@\n`);
    const moved = BASE_CONFIG.replace('@PORT@', '@PORT2@');
    server.writeConfig(moved);
    await server.server.reload();
    const client = await FtpClient.connect({ host: server.host, port: server.ports[1]! });
    t.after(() => client.destroy());
    assert.equal((await client.login('alice', 'secret')).code, 230);
    await assert.rejects(FtpClient.connect({ host: server.host, port: server.port }));
  });
});

describe('embedding', LIMIT, () => {
  test('login, transfer and logout are events', async (t) => {
    const server = await startServer(t, BASE_CONFIG);
    const events: string[] = [];
    const transfers: TransferInfo[] = [];
    server.server.on('login', ({ user }) => events.push(`login ${user}`));
    server.server.on('transfer', (transfer) => transfers.push(transfer));
    const logout = once(server.server, 'logout') as Promise<[LogoutInfo]>;
    const client = await clientOf(t, server);
    await client.login('alice', 'secret');
    await client.upload('STOR a.txt', Buffer.from('hello'));
    await client.quit();
    const [{ user, reason, bytesReceived }] = await logout;
    assert.deepEqual({ user, reason, bytesReceived }, { user: 'alice', reason: 'quit', bytesReceived: 5 });
    assert.deepEqual(events, ['login alice']);
    assert.deepEqual(
      transfers.map(({ direction, path, bytes, completed }) => ({ direction, path, bytes, completed })),
      [{ direction: 'upload', path: '/a.txt', bytes: 5, completed: true }],
    );
  });

  test('close tells idle sessions 421 and resolves when they are gone', async (t) => {
    const server = await startServer(t, BASE_CONFIG);
    const client = await clientOf(t, server);
    await client.login('alice', 'secret');
    const [reply] = await Promise.all([client.readReply(), server.server.close({ grace: 1_000 })]);
    assert.equal(reply.code, 421);
    assert.equal(server.server.sessionCount, 0);
    await assert.rejects(FtpClient.connect({ host: server.host, port: server.port }));
  });

  test('a port that is taken is a ListenError that says so', async (t) => {
    const server = await startServer(t, BASE_CONFIG);
    const { createServer } = await import('../../src/index.ts');
    const second = createServer({ file: server.configFile, workers: 1 });
    await assert.rejects(
      second.listen(),
      /unable to listen on 127\.0\.0\.1:\d+: the address is already in use/,
    );
  });
});

async function greetingOf(server: InProcessServer): Promise<string> {
  const socket = connect(server.port, server.host);
  socket.setEncoding('latin1');
  const [line] = (await once(socket, 'data')) as [string];
  socket.destroy();
  return line;
}
