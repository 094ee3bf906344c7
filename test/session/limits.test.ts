/** Limits on clients, hosts, transfers and connections over real sockets, with their texts (core reference, section 5). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, startServer, type InProcessServer } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };
const USERS = ['alice', 'bob'].map((name) => ({ name, password: 'secret' }));

async function start(t: TestContext, directives: string): Promise<InProcessServer> {
  return startServer(t, `${BASE_CONFIG}\n${directives}\n`, { users: USERS });
}

async function connect(
  t: TestContext,
  server: InProcessServer,
  localAddress = '127.0.0.1',
): Promise<FtpClient> {
  const client = await FtpClient.connect({ port: server.port, localAddress });
  t.after(() => client.destroy());
  return client;
}

async function enters(
  t: TestContext,
  server: InProcessServer,
  user: string,
  from?: string,
): Promise<FtpClient> {
  const client = await connect(t, server, from);
  assert.equal((await client.login(user, 'secret')).code, 230);
  return client;
}

/** The login is refused with exactly this text, the connection closed and the directive logged. */
async function isRefused(
  t: TestContext,
  server: InProcessServer,
  user: string,
  text: string,
  log: string,
  from?: string,
): Promise<void> {
  const client = await connect(t, server, from);
  const { code, lines } = await client.login(user, 'secret');
  assert.deepEqual([code, lines], [530, [`530 ${text}`]]);
  await client.waitClosed();
  assert.ok(server.read('system.log').includes(`Connection refused (${log})`), server.read('system.log'));
}

/** Leaves, and waits until main has counted it. */
async function leaves(server: InProcessServer, client: FtpClient): Promise<void> {
  const ended = once(server.server, 'logout');
  await client.quit();
  await ended;
}

const CLASSES = `
<Class here>
  From 127.0.0.1
</Class>
<Class there>
  From 127.0.0.2
</Class>
`;

test('MaxClientsPerClass counts the sessions of one class', LIMIT, async (t) => {
  const server = await start(t, `${CLASSES}MaxClientsPerClass here 1\nMaxClientsPerClass there 2\n`);
  const first = await enters(t, server, 'alice');
  const text = 'Sorry, the maximum number of clients (1) from your class are already connected.';
  await isRefused(t, server, 'bob', text, 'MaxClientsPerClass 1');
  await enters(t, server, 'bob', '127.0.0.2');
  await enters(t, server, 'bob', '127.0.0.2');
  // Of no class: not counted.
  await enters(t, server, 'bob', '127.0.0.3');
  await leaves(server, first);
  await enters(t, server, 'bob');
});

test('MaxClientsPerHost, MaxClientsPerUser and MaxClients say whose limit it is', LIMIT, async (t) => {
  const perHost = await start(t, 'MaxClientsPerHost 1');
  await enters(t, perHost, 'alice');
  const hostText = 'Sorry, the maximum number of clients (1) from your host are already connected.';
  await isRefused(t, perHost, 'bob', hostText, 'MaxClientsPerHost 1');
  await enters(t, perHost, 'bob', '127.0.0.2');

  const perUser = await start(t, 'MaxClientsPerUser 1');
  await enters(t, perUser, 'alice');
  const userText = 'Sorry, the maximum number of clients (1) for this user are already connected.';
  await isRefused(t, perUser, 'alice', userText, 'MaxClientsPerUser 1', '127.0.0.2');
  await enters(t, perUser, 'bob');

  const all = await start(t, 'MaxClients 1');
  const only = await enters(t, all, 'alice');
  const allText = 'Sorry, the maximum number of allowed clients (1) are already connected.';
  await isRefused(t, all, 'bob', allText, 'MaxClients 1', '127.0.0.2');
  await leaves(all, only);
  await enters(t, all, 'bob');
});

test('MaxHostsPerUser counts hosts, not sessions', LIMIT, async (t) => {
  const server = await start(t, 'MaxHostsPerUser 2');
  await enters(t, server, 'alice', '127.0.0.1');
  await enters(t, server, 'alice', '127.0.0.1');
  await enters(t, server, 'alice', '127.0.0.2');
  await enters(t, server, 'alice', '127.0.0.2');
  const text = 'Sorry, the maximum number of hosts (2) for this user are already connected.';
  await isRefused(t, server, 'alice', text, 'MaxHostsPerUser 2', '127.0.0.3');
  await enters(t, server, 'bob', '127.0.0.3');
});

/** An upload that stays open until it is told to end. */
async function holdsTransfer(client: FtpClient): Promise<{ end: () => Promise<void> }> {
  const data = await client.prepareData('epsv');
  client.send('STOR held.bin');
  const socket = await data.connect();
  assert.equal((await client.readReply()).code, 150);
  return {
    async end() {
      socket.end('done');
      assert.equal((await client.readReply()).code, 226);
    },
  };
}

async function transferLimit(
  t: TestContext,
  directive: string,
  refused: { user: string; from: string },
  free: { user: string; from: string },
  whose: string,
): Promise<void> {
  const server = await start(t, `${directive} RETR,STOR 1`);
  for (const { name } of USERS) writeFileSync(join(server.homeOf(name), 'a.txt'), 'a', { mode: 0o644 });
  const busy = await enters(t, server, 'alice', '127.0.0.1');
  const second = await enters(t, server, refused.user, refused.from);
  const third = await enters(t, server, free.user, free.from);
  const held = await holdsTransfer(busy);
  const { opening } = await second.download('RETR a.txt');
  assert.deepEqual(opening.lines, [
    `451-Sorry, the maximum number of data transfers (1) from ${whose} are currently being used.`,
    '451 a.txt: Too many transfers',
  ]);
  assert.equal((await third.download('RETR a.txt')).final.code, 226);
  await held.end();
  assert.equal((await second.download('RETR a.txt')).final.code, 226);
}

test('MaxTransfersPerHost counts the transfers of one host', LIMIT, (t) =>
  transferLimit(
    t,
    'MaxTransfersPerHost',
    { user: 'bob', from: '127.0.0.1' },
    { user: 'alice', from: '127.0.0.2' },
    'your host',
  ),
);

test('MaxTransfersPerUser counts the transfers of one user', LIMIT, (t) =>
  transferLimit(
    t,
    'MaxTransfersPerUser',
    { user: 'alice', from: '127.0.0.2' },
    { user: 'bob', from: '127.0.0.1' },
    'this user',
  ),
);

/** Connects without waiting for a greeting and waits for the silent close. */
async function isCutOff(server: InProcessServer): Promise<void> {
  const client = await FtpClient.connect({ port: server.port, readGreeting: false });
  await client.waitClosed();
  assert.equal(client.pendingReplies, 0);
}

test('MaxConnectionRate closes what comes too fast, silently, and logs it', LIMIT, async (t) => {
  const server = await start(t, 'MaxConnectionRate 2 3600');
  await connect(t, server);
  await connect(t, server);
  await isCutOff(server);
  assert.match(
    server.read('system.log'),
    /MaxConnectionRate \(2\/3600 secs\) reached, new connection denied/,
  );
});

test('MaxInstances counts connections before login and forgets those that ended', LIMIT, async (t) => {
  const server = await start(t, 'MaxInstances 2');
  const first = await connect(t, server);
  await connect(t, server);
  await isCutOff(server);
  assert.match(server.read('system.log'), /MaxInstances \(2\) reached, new connection denied/);
  await leaves(server, first);
  await enters(t, server, 'alice');
});
