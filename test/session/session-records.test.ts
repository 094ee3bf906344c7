/** ExtendedLog classes CONNECT and EXIT, and why a session ended (%E). */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { LogReader } from '../support/seed-server.ts';
import { BASE_CONFIG, startServer, type InProcessServer } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };
const RECORDS = `
LogFormat event "%m|%u|%E|%a"
ExtendedLog @DIR@/events.log CONNECT,EXIT event
`;

async function start(
  t: TestContext,
  more = '',
): Promise<{
  server: InProcessServer;
  connect: () => Promise<FtpClient>;
  ends: (text: string) => Promise<void>;
}> {
  const server = await startServer(t, `${BASE_CONFIG}${RECORDS}${more}`);
  const log = new LogReader(server.directory, 'events.log');
  const connect = async (): Promise<FtpClient> => {
    const client = await FtpClient.connect({ port: server.port });
    t.after(() => client.destroy());
    return client;
  };
  const ends = async (text: string): Promise<void> => {
    await log.line(/^EXIT/);
    assert.deepEqual(log.lines, ['CONNECT|-|-|127.0.0.1', `EXIT|${text}|127.0.0.1`]);
  };
  return { server, connect, ends };
}

test('QUIT: a record at start and end, and none of the commands between', LIMIT, async (t) => {
  const { connect, ends } = await start(t);
  const client = await connect();
  await client.login('alice', 'secret');
  await client.quit();
  await ends('alice|Quit');
});

test('a client that just closes: Read EOF from client', LIMIT, async (t) => {
  const { connect, ends } = await start(t);
  (await connect()).destroy();
  await ends('-|Read EOF from client');
});

test('a clock that runs out names its directive', LIMIT, async (t) => {
  const { connect, ends } = await start(t, 'TimeoutLogin 1\n');
  const client = await connect();
  assert.equal((await client.readReply()).code, 421);
  await ends('-|Timeout exceeded: TimeoutLogin');
});

test('too many wrong passwords: Configured policy, with the directive', LIMIT, async (t) => {
  const { connect, ends } = await start(t, 'MaxLoginAttempts 1\n');
  const client = await connect();
  assert.equal((await client.login('alice', 'wrong')).code, 530);
  await ends('-|Configured policy: Denied by MaxLoginAttempts');
});

test('a limit on logins: Configured policy, with the directive', LIMIT, async (t) => {
  const { server, connect } = await start(t, 'MaxClients 1\n');
  const first = await connect();
  await first.login('alice', 'secret');
  const log = new LogReader(server.directory, 'events.log');
  const second = await connect();
  assert.equal((await second.login('alice', 'secret')).code, 530);
  assert.equal(await log.line(/^EXIT/), 'EXIT|alice|Configured policy: Denied by MaxClients|127.0.0.1');
});

test('the end of the server: Server shutting down', LIMIT, async (t) => {
  const { server, connect } = await start(t);
  await connect();
  await server.stop();
  assert.match(server.read('events.log'), /^EXIT\|-\|Server shutting down\|127\.0\.0\.1$/m);
});

test('ALL includes CONNECT but not EXIT', LIMIT, async (t) => {
  const server = await startServer(
    t,
    `${BASE_CONFIG}LogFormat verb "%m"\nExtendedLog @DIR@/all.log ALL verb\nExtendedLog @DIR@/exit.log EXIT verb\n`,
  );
  const exit = new LogReader(server.directory, 'exit.log');
  const client = await FtpClient.connect({ port: server.port });
  await client.quit();
  assert.equal(await exit.line(/./), 'EXIT');
  assert.equal(server.read('all.log'), 'CONNECT\nQUIT\n');
});
