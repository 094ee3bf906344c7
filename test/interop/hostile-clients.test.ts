/** Clients that mean harm: after a storm of them the server serves, has not grown, and has not met a bug of its own. */
import assert from 'node:assert/strict';
import { connect as connectTcp, type Socket } from 'node:net';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram } from '../support/seed-server.ts';
import { BASE_CONFIG, freePorts, startServer, TLS_CONFIG, type ChildServer } from '../support/server.ts';
import {
  eventually,
  loggedIn,
  openDescriptors,
  residentBytes,
  sharedServer,
} from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const STORM_MS = 8_000;
const AT_ONCE = 12;
/** What a hostile connection may last; the server is not asked to be quick with it. */
const PATIENCE_MS = 400;
const GROWTH_BYTES = 160 * 1024 * 1024;
const SEED = 20_240_607;
const DATA_STALLS =
  'TimeoutNoTransfer 5\nTimeoutStalled 5\nTimeoutLogin 10\nTimeoutIdle 10\nMaxLoginAttempts 3\n';

describe('hostile input', LIMIT, () => {
  const shared = sharedServer(`${BASE_CONFIG}${TLS_CONFIG}${DATA_STALLS}`);

  test(`after ${STORM_MS / 1000} s of it the server serves, its memory is bounded and its log names no bug`, async (t) => {
    const { server } = shared;
    writeFileSync(join(server.homeOf('alice'), 'file'), 'content');
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, lane) => storm(server, lane, performance.now() + 1_500)),
    );
    await quiet(server);
    const descriptors = openDescriptors(server).length;
    const memory = residentBytes(server);
    const end = performance.now() + STORM_MS;
    const attacks = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, lane) => storm(server, lane + AT_ONCE, end)),
    );
    t.diagnostic(`${attacks.reduce((sum, count) => sum + count, 0)} attacks`);

    const client = await loggedIn(server);
    assert.equal((await client.download('RETR file')).body.toString(), 'content');
    await client.quit();
    await quiet(server);
    assert.ok(openDescriptors(server).length <= descriptors, openDescriptors(server).join(', '));
    const growth = residentBytes(server) - memory;
    t.diagnostic(`memory grew by ${(growth / 1024 / 1024).toFixed(1)} MiB`);
    assert.ok(growth < GROWTH_BYTES, `memory grew by ${growth} bytes`);
    const text = server.read('system.log') + server.stderr();
    assert.doesNotMatch(text, /internal error|uncaught|worker failed|\.ts:\d+:\d+/i);
  });

  test('a TLS session of another server is no key to a data connection, and costs nobody anything', async (t) => {
    const { server } = shared;
    const other = await startServer(t, `${BASE_CONFIG}${TLS_CONFIG}`);
    const stranger = await FtpClient.connect({ port: other.port });
    await stranger.loginTls('alice', 'secret');
    assert.equal((await stranger.command('NOOP')).code, 200);
    const foreign = stranger.sessions.at(-1);
    assert.ok(foreign !== undefined);
    const bystander = await loggedIn(server);
    const client = await FtpClient.connect({ port: server.port });
    await client.loginTls('alice', 'secret');
    for (const line of ['RETR file', 'LIST', 'MLSD']) {
      assert.equal((await client.download(line, { tls: { session: foreign } })).final.code, 425, line);
    }
    assert.equal((await client.upload('STOR stolen', 'x', { tls: { session: foreign } })).final.code, 425);
    assert.equal((await client.download('LIST', { tls: { session: 'resume' } })).final.code, 226);
    assert.equal((await bystander.command('NOOP')).code, 200);
    for (const each of [stranger, client, bystander]) each.destroy();
  });

  test('an ABOR behind a refused STAT ends the transfer, and a client that leaves then ends its session', async () => {
    const { server } = shared;
    const client = await loggedIn(server);
    await client.prepareData('epsv');
    client.send('LIST', 'STAT missing', 'ABOR', 'NOOP');
    const codes: number[] = [];
    for (let index = 0; index < 4; index += 1) codes.push((await client.readReply()).code);
    assert.deepEqual(codes, [426, 450, 226, 200]);
    await client.prepareData('epsv');
    client.send('LIST', 'STAT missing');
    client.tcp.on('error', () => undefined).resetAndDestroy();
    await quiet(server);
  });

  test('a refused ABOR before a STAT at work does not stop the other sessions', async (t) => {
    const server = await startServer(t, BASE_CONFIG);
    // Listing it takes some turns of the event loop, in which the transfer in front ends.
    for (let index = 0; index < 4_000; index += 1)
      writeFileSync(join(server.homeOf('alice'), `${index}`), '');
    const [client, bystander] = [
      await FtpClient.connect({ port: server.port }),
      await FtpClient.connect({ port: server.port }),
    ];
    t.after(() => [client, bystander].forEach((each) => each.destroy()));
    assert.equal((await client.login('alice', 'secret')).code, 230);
    const [closedPort] = await freePorts(1);
    client.send(`EPRT |1|127.0.0.1|${closedPort}|`, 'LIST', 'ABOR now', 'STAT .', 'NOOP');
    const codes: number[] = [];
    for (let index = 0; index < 5; index += 1) codes.push((await client.readReply()).code);
    assert.deepEqual(codes, [200, 425, 501, 211, 200]);
    assert.equal((await bystander.command('NOOP')).code, 200);
  });

  test('a client silent in the middle of AUTH is gone soon after TimeoutLogin', async (t) => {
    const server = await startServer(t, `${BASE_CONFIG}${TLS_CONFIG}TimeoutLogin 1\n`);
    const client = await FtpClient.connect({ port: server.port });
    t.after(() => client.destroy());
    assert.equal((await client.command('AUTH TLS')).code, 234);
    assert.equal((await client.readReply()).code, 421);
    await client.waitClosed();
    await eventually(() => server.read('system.log').includes('FTP session closed'), 'the session ends');
  });

  test('a client that sends commands and reads no answer is held back, not buffered without end', async () => {
    const { server } = shared;
    const before = residentBytes(server);
    const client = await loggedIn(server);
    client.tcp.on('error', () => undefined).pause();
    // 4 MiB of FEAT, whose answers are 50 times as long.
    for (let sent = 0; sent < 64; sent += 1) client.sendRaw('FEAT\r\n'.repeat(11_000));
    const other = await loggedIn(server);
    for (let index = 0; index < 20; index += 1) assert.equal((await other.command('NOOP')).code, 200);
    assert.ok(residentBytes(server) - before < GROWTH_BYTES, 'the answers pile up');
    client.tcp.resetAndDestroy();
    await other.quit();
  });
});

describe('a worker dies', LIMIT, () => {
  test('its upload leaves the old file, and a download of another worker comes through whole', async (t) => {
    const server = await startServer(t, BASE_CONFIG, { embedding: { workers: 2 } });
    const home = server.homeOf('alice');
    const large = Buffer.alloc(24 * 1024 * 1024, 'large');
    writeFileSync(join(home, 'large'), large);
    const [first, second] = [
      await FtpClient.connect({ port: server.port }),
      await FtpClient.connect({ port: server.port }),
    ];
    t.after(() => [first, second].forEach((client) => client.destroy()));
    for (const client of [first, second]) {
      client.tcp.on('error', () => undefined);
      assert.equal((await client.login('alice', 'secret')).code, 230);
    }
    assert.equal((await first.upload('STOR file', 'old')).final.code, 226);
    const upload = await first.prepareData('epsv');
    first.send('STOR file');
    const [socket] = await Promise.all([upload.connect(), first.readReply()]);
    await new Promise((written) => socket.write('new', written));
    const download = second.download('RETR large');
    await server.server.terminateWorker(0);
    const survivors = await Promise.allSettled([first.command('NOOP'), download]);
    assert.deepEqual(
      survivors.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
    assert.equal(large.compare((await download).body), 0);
    const again = await FtpClient.connect({ port: server.port });
    t.after(() => again.destroy());
    assert.equal((await again.login('alice', 'secret')).code, 230);
    assert.equal((await again.download('RETR file')).body.toString(), 'old');
    socket.destroy();
  });

  test('a full server tells curl 421 and serves it when there is room again', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    const server = await startServer(t, BASE_CONFIG, { embedding: { workers: 1, sessionsPerWorker: 1 } });
    const holder = await FtpClient.connect({ port: server.port });
    const url = `ftp://alice:secret@127.0.0.1:${server.port}/`;
    const refused = await runProgram('curl', ['-sS', '-v', '--max-time', '10', url]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /< 421 /);
    await holder.quit();
    const served = await runProgram('curl', [
      '-sS',
      '--max-time',
      '10',
      '--retry',
      '5',
      '--retry-delay',
      '1',
      '--retry-all-errors',
      url,
    ]);
    assert.equal(served.code, 0, served.stderr);
  });
});

/** Waits until no session is left. */
async function quiet(server: ChildServer): Promise<void> {
  const count = (text: string): number => server.read('system.log').split(text).length - 1;
  await eventually(
    () => count('FTP session closed') >= count('FTP session opened'),
    () => `the sessions end\n${describeLeftovers(server)}`,
    20_000,
  );
}

/** The console log of each session that was opened and not closed, and which threads of the server are at work. */
function describeLeftovers(server: ChildServer): string {
  const bySession = new Map<string, string[]>();
  for (const line of server.stderr().split('\n')) {
    const session = /\[(\d+) /.exec(line)?.[1];
    if (session !== undefined) bySession.set(session, [...(bySession.get(session) ?? []), line]);
  }
  const open = [...bySession.values()].filter(
    (lines) =>
      lines.some((line) => line.includes('FTP session opened')) &&
      !lines.some((line) => line.includes('FTP session closed')),
  );
  return [...open.flat(), 'threads (name, state, clock ticks):', ...threadStates(server)].join('\n');
}

/** A thread that is `R` and has used far more time than the others turns in a circle. */
function threadStates(server: ChildServer): string[] {
  const folder = `/proc/${server.child.pid}/task`;
  return readdirSync(folder).map((thread) => {
    const stat = readFileSync(`${folder}/${thread}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${stat.slice(stat.indexOf('('), stat.lastIndexOf(')') + 1)} ${state} ${fields[10]}`;
  });
}

type Random = (below: number) => number;

/** Attacks one after another until `end`; gives how many. */
async function storm(server: ChildServer, lane: number, end: number): Promise<number> {
  let state = SEED + lane;
  const random: Random = (below) => {
    // A linear congruential generator (Numerical Recipes): the same storm every time.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let attacks = 0;
  for (; performance.now() < end; attacks += 1) {
    const socket = connectTcp(server.port, '127.0.0.1');
    let replies = 0;
    socket.on('error', () => undefined);
    socket.on('data', () => (replies += 1));
    const closed = once(socket, 'close').catch(() => undefined);
    attack(socket, random);
    await Promise.race([closed, delay(random(PATIENCE_MS), undefined, { ref: false })]);
    if (random(2) === 0) socket.resetAndDestroy();
    else socket.destroy();
    await closed;
  }
  return attacks;
}

const VERBS =
  'USER PASS LIST NLST MLSD STAT RETR STOR APPE REST CWD MKD RNFR RNTO SITE OPTS PORT EPRT PASV EPSV AUTH PBSZ PROT TYPE MFMT HELP HOST ALLO RANG FEAT ABOR CCC'.split(
    ' ',
  );

function attack(socket: Socket, random: Random): void {
  const login = 'USER alice\r\nPASS secret\r\n';
  switch (random(8)) {
    case 0:
      return void socket.write(noise(random, 20_000));
    case 1:
      return void socket.write('A'.repeat(random(300_000)));
    case 2:
      return void socket.write(
        Buffer.concat([
          Buffer.from('AUTH TLS\r\n'),
          Buffer.from([0x16, 3, 1, 1, random(256)]),
          noise(random, 600),
        ]),
      );
    case 3:
      return void socket.write(Buffer.from([255, 244, 255, 242, 255, 253, random(256), 0, 10, 13, 255]));
    case 4:
      return void socket.write(login + Array.from({ length: random(60) }, () => command(random)).join(''));
    case 5:
      return void socket.write(
        `${login}EPSV\r\nPASV\r\n${command(random)}EPSV ALL\r\nLIST ${'*?[a-z]'.repeat(random(80))}\r\n`,
      );
    case 6:
      return void socket.write(
        `${login}${'CWD ../'.padEnd(random(5_000), '/..')}\r\nMKD ${'d/'.repeat(random(3_000))}\r\n`,
      );
    default:
      return void socket.write(`${'NOOP\r\n'.repeat(random(5_000))}USER ${'ü'.repeat(random(4_000))}\r\n`);
  }
}

/** A real verb with an argument nobody wants. */
function command(random: Random): string {
  const verb = VERBS[random(VERBS.length)]!;
  const port = `${random(300)},${random(300)},0,1,${random(300)},${random(300)}`;
  const wanted = [
    '',
    '-1',
    '99999999999999999999',
    '/'.repeat(random(2_000)),
    '%s%n%x',
    '\0\x01\x7f',
    port,
    '|1|127.0.0.1|22|',
  ];
  return `${verb} ${wanted[random(wanted.length)]}\r\n`;
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length: random(length) }, () => random(256)));
}
