/** Clients that vanish in the middle: nothing half-done stays, nothing stays open, no passive port is lost. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync, chownSync, statSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { before, describe, test } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, startChildServer, TLS_CONFIG, type ChildServer } from '../support/server.ts';
import { needsProgram } from '../support/programs.ts';
import { eventually, loggedIn, openDescriptors, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const ABORTS = 200;
const AT_ONCE = 20;
const OLD = 'the file that was there before';
const PASSIVE_PORTS = 5;
const PASSIVE_TRANSFERS = 500;
/** More than the sockets of both sides hold, so that the transfer cannot be over. */
const LARGE = 32 * 1024 * 1024;

/** What the client was doing when its cable was pulled. */
type Moment =
  | 'upload over old'
  | 'upload of new'
  | 'download'
  | 'upload over TLS'
  | 'download over TLS'
  | 'waiting for data';
const MOMENTS: readonly Moment[] = [
  'upload over old',
  'upload of new',
  'download',
  'upload over TLS',
  'download over TLS',
  'waiting for data',
];

describe('cable pulled', LIMIT, () => {
  const shared = sharedServer(BASE_CONFIG + TLS_CONFIG);
  before(() => {
    const { server } = shared;
    const { uid, gid } = statSync(server.homeOf('alice'));
    for (const [name, content] of [
      ['old', OLD],
      ['large', Buffer.alloc(LARGE)],
    ] as const) {
      writeFileSync(join(server.homeOf('alice'), name), content);
      chownSync(join(server.homeOf('alice'), name), uid, gid);
    }
  });

  test(`${ABORTS} clients vanish mid-transfer: files, folder, sessions and descriptors are as before`, async () => {
    const { server } = shared;
    // The first transfers open what the server keeps.
    for (const moment of MOMENTS) await vanish(server, moment, 0);
    const ended = (): number => server.read('system.log').split('FTP session closed').length - 1;
    await eventually(() => ended() >= MOMENTS.length, 'the first sessions end');
    const descriptors = openDescriptors(server).length;
    const endedBefore = ended();
    for (let done = 0; done < ABORTS; done += AT_ONCE) {
      const batch = Array.from({ length: AT_ONCE }, (_, index) =>
        vanish(server, MOMENTS[(done + index) % MOMENTS.length]!, done + index),
      );
      await Promise.all(batch);
    }
    await eventually(
      () => ended() >= endedBefore + ABORTS,
      () => `${ended() - endedBefore} of ${ABORTS} sessions ended`,
    );
    await eventually(
      () => openDescriptors(server).length <= descriptors,
      () => `descriptors were ${descriptors}, are ${openDescriptors(server).join(', ')}`,
    );
    assert.equal(readFileSync(join(server.homeOf('alice'), 'old'), 'utf8'), OLD);
    assert.deepEqual(readdirSync(server.homeOf('alice')).sort(), ['large', 'old']);
    assert.doesNotMatch(server.read('system.log'), /\.ts:\d+|uncaught/i);
    const client = await loggedIn(server);
    assert.equal((await client.download('RETR old')).body.toString(), OLD);
    await client.quit();
  });
});

describe('client killed', LIMIT, () => {
  const shared = sharedServer(BASE_CONFIG);

  test('a curl that is killed in the middle of an upload leaves the old file, although both connections end in order', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    const { server } = shared;
    const home = server.homeOf('alice');
    const { uid, gid } = statSync(home);
    writeFileSync(join(home, 'old'), OLD);
    chownSync(join(home, 'old'), uid, gid);
    const ended = (): number => server.read('system.log').split('FTP session closed').length - 1;
    for (let round = 1; round <= 10; round += 1) {
      const source = ['--limit-rate', '8M', '-T', join(server.directory, 'source'), '-u', 'alice:secret'];
      if (round === 1) writeFileSync(join(server.directory, 'source'), Buffer.alloc(LARGE, 'n'));
      const curl = spawn('curl', ['-sS', ...source, `ftp://127.0.0.1:${server.port}/old`], {
        stdio: 'ignore',
      });
      const arriving = (): boolean =>
        readdirSync(home).some(
          (name) => name.startsWith('.lockgate.') && statSync(join(home, name)).size > 1_000_000,
        );
      await eventually(arriving, 'the upload begins');
      curl.kill('SIGKILL');
      await eventually(() => ended() >= round, 'the session ends');
      assert.equal(statSync(join(home, 'old')).size, OLD.length);
      assert.deepEqual(readdirSync(home), ['old']);
    }
  });
});

/** Logs in, gets into the middle of something, and resets all connections. */
async function vanish(server: ChildServer, moment: Moment, index: number): Promise<void> {
  const client = await FtpClient.connect({ port: server.port, timeoutMs: 20_000 });
  const secure = moment.endsWith('TLS');
  if (secure) await client.loginTls('alice', 'secret');
  else await client.login('alice', 'secret');
  client.tcp.on('error', ignore);
  const data = await client.prepareData('epsv');
  if (moment === 'waiting for data') {
    client.send('RETR large');
    client.tcp.resetAndDestroy();
    return;
  }
  const upload = moment.startsWith('upload');
  client.send(upload ? `STOR ${moment === 'upload of new' ? `new-${index}` : 'old'}` : 'RETR large');
  const [raw, opening] = await Promise.all([data.connect(), client.readReply()]);
  assert.equal(opening.code, 150);
  const socket = secure
    ? connectTls({ rejectUnauthorized: false, session: client.sessions.at(-1)!, socket: raw })
    : raw;
  socket.on('error', ignore);
  if (upload) await new Promise((written) => socket.write(Buffer.alloc(64 * 1024, 'n'), written));
  else await once(socket, 'readable');
  // A reset, because an orderly end of the data connection means that the file is whole. Which connection breaks first varies.
  for (const connection of index % 2 === 0 ? [client.tcp, raw] : [raw, client.tcp])
    connection.resetAndDestroy();
}

function ignore(): void {
  return undefined;
}

describe('PassivePorts of five ports', LIMIT, () => {
  test(`${PASSIVE_TRANSFERS} transfers by five clients at once, abandoned listeners between them, never leave the range`, async (t) => {
    const first = await freeRange(PASSIVE_PORTS);
    const last = first + PASSIVE_PORTS - 1;
    const server = await startChildServer(t, `${BASE_CONFIG}PassivePorts ${first} ${last}\n`);
    writeFileSync(join(server.homeOf('alice'), 'file'), OLD);
    const seen = new Set<number>();

    // Twenty clients, five at a time, leave while their port waits for them.
    for (let round = 0; round < 4; round += 1) {
      const waiting = await Promise.all(Array.from({ length: PASSIVE_PORTS }, () => loggedIn(server)));
      for (const client of waiting) {
        seen.add((await client.prepareData('epsv')).port);
        client.tcp.on('error', ignore).resetAndDestroy();
      }
      await eventually(
        () => server.read('system.log').split('FTP session closed').length - 1 >= (round + 1) * PASSIVE_PORTS,
        'sessions end',
      );
    }

    const clients = await Promise.all(Array.from({ length: PASSIVE_PORTS }, () => loggedIn(server)));
    t.after(() => clients.forEach((client) => client.destroy()));
    const work = clients.map(async (client, index) => {
      for (let done = 0; done < PASSIVE_TRANSFERS / PASSIVE_PORTS; done += 1) {
        if (done % 10 === 0) seen.add((await client.prepareData(index % 2 === 0 ? 'pasv' : 'epsv')).port);
        const data = await client.prepareData(done % 2 === 0 ? 'pasv' : 'epsv');
        seen.add(data.port);
        client.send('RETR file');
        const [socket] = await Promise.all([data.connect(), client.readReply()]);
        let text = '';
        for await (const chunk of socket) text += String(chunk);
        assert.equal(text, OLD);
        assert.equal((await client.readReply()).code, 226);
      }
    });
    await Promise.all(work);
    for (const port of seen)
      assert.ok(port >= first && port <= last, `${port} is outside of ${first}-${last}`);
    assert.doesNotMatch(server.read('system.log'), /unable to find open port/);
  });
});

/** First of `count` neighbouring ports nobody listens on, below those the system hands out itself. */
async function freeRange(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const first = randomInt(15_000, 32_000);
    const servers = Array.from({ length: count }, () => createServer());
    const results = await Promise.allSettled(
      servers.map((server, index) => once(server.listen(first + index, '127.0.0.1'), 'listening')),
    );
    for (const server of servers) server.close();
    if (results.every(({ status }) => status === 'fulfilled')) return first;
  }
  throw new Error(`no ${count} neighbouring free ports found`);
}
