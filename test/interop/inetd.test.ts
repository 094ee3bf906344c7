/** ServerType inetd: a parent that accepts and starts one server per connection, its socket on descriptor 0. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, LAUNCHER, prepare } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };
const INETD_CONFIG = BASE_CONFIG.replace('standalone', 'inetd');

interface Inetd {
  readonly port: number;
  /** The process of the next connection. */
  readonly started: Promise<ChildProcess>;
}

async function startInetd(
  t: TestContext,
  configFile: string,
  stdio: (socket: Socket) => StdioOptions,
): Promise<Inetd> {
  const listener = createServer({ pauseOnConnect: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => listener.close());
  const started = once(listener, 'connection').then(([socket]) => {
    const child = spawn(LAUNCHER, ['-n', '-c', configFile], { stdio: stdio(socket as Socket) });
    t.after(() => child.kill('SIGKILL'));
    // The child has its own copy; ours would keep the connection open.
    (socket as Socket).destroy();
    return child;
  });
  return { port: (listener.address() as AddressInfo).port, started };
}

test('one session is served on descriptor 0, and the process ends with it', LIMIT, async (t) => {
  const base = await prepare(t, INETD_CONFIG);
  // As inetd does it: input, output and errors are all the client's connection.
  const inetd = await startInetd(t, base.configFile, (socket) => [socket, socket, socket]);
  const client = await FtpClient.connect({ port: inetd.port });
  t.after(() => client.destroy());
  const exited = once(await inetd.started, 'exit');
  assert.equal(client.greeting?.code, 220);
  assert.equal((await client.login('alice', 'secret')).code, 230);
  const upload = await client.upload('STOR a.txt', 'through inetd');
  assert.equal(upload.final.code, 226);
  assert.equal(String((await client.download('RETR a.txt')).body), 'through inetd');
  assert.ok(!existsSync(join(base.directory, 'lockgate.pid')), 'inetd mode writes no PidFile');
  assert.equal((await client.quit()).code, 221);
  assert.equal(client.pendingReplies, 0, 'no log line reached the client');
  assert.deepEqual(await exited, [0, null]);
  assert.match(base.read('system.log'), /\(127\.0\.0\.1\[127\.0\.0\.1\]\): FTP session closed/);
  assert.doesNotMatch(base.read('system.log'), /STARTUP/);
});

test('a configuration error says nothing to the client and ends with 1', LIMIT, async (t) => {
  const base = await prepare(t, `${INETD_CONFIG}\nNoSuchDirective on\n`);
  const inetd = await startInetd(t, base.configFile, (socket) => [socket, socket, socket]);
  const client = await FtpClient.connect({ port: inetd.port, readGreeting: false });
  t.after(() => client.destroy());
  const exited = once(await inetd.started, 'exit');
  await client.waitClosed(20_000);
  assert.equal(client.pendingReplies, 0);
  assert.deepEqual(await exited, [1, null]);
});

test('without a connection on standard input, or without -n, the start is refused', LIMIT, async (t) => {
  const base = await prepare(t, INETD_CONFIG);
  for (const [args, reason] of [
    [['-n'], /^fatal: ServerType: standard input is no connection/],
    [[], /^fatal: ServerType: inetd serves the connection on standard input; start with -n/],
  ] as const) {
    const child = spawn(LAUNCHER, [...args, '-c', base.configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 1);
    assert.match(errors, reason);
  }
});
