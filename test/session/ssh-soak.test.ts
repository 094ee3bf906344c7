/**
 * Sessions that end anywhere: after it is over, nothing of a session is left. LOCKGATE_SOAK is the number of connections
 * (2,000 before a release).
 */
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { suite, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { SshClient, type SshClientOptions } from '../support/ssh-client.ts';
import { startSshServer, type SshServer } from '../support/ssh-session-server.ts';

const CONNECTIONS = Number(process.env['LOCKGATE_SOAK'] ?? 240);
const AT_A_TIME = 8;
const LIMIT = { timeout: 240_000 };

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CIPHERS: readonly [string, string][] = [
  ['aes128-gcm@openssh.com', 'hmac-sha2-256'],
  ['chacha20-poly1305@openssh.com', 'hmac-sha2-256'],
  ['aes256-ctr', 'hmac-sha2-256-etm@openssh.com'],
  ['aes128-cbc', 'hmac-sha2-256'],
];

/** How far a client goes before it is cut off; each does what the one before did, and more. */
const STAGES: readonly ((client: SshClient) => Promise<void> | void)[] = [
  (client) => client.writeRaw(Buffer.from('SSH-2.0-')),
  (client) => client.sendVersion(),
  async (client) => {
    client.sendVersion();
    client.sendKexInit();
    await new Promise((resolve) => setImmediate(resolve));
  },
  (client) => client.handshake(),
  async (client) => {
    await client.handshake();
    client.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
    client.send(new ByteWriter().u8(50).string('alice').string('ssh-connection').string('none').finish());
  },
  (client) => loggedIn(client),
  async (client) => {
    await loggedIn(client);
    const channel = await client.openChannel();
    await channel.exec('echo');
    channel.data(randomBytes(30_000));
  },
  async (client) => {
    await loggedIn(client);
    const channel = await client.openChannel(1024);
    await channel.exec('source 10000000');
  },
  async (client) => {
    await loggedIn(client);
    const channel = await client.openChannel();
    await channel.exec('hold');
    for (let sent = 0; sent < 20; sent += 1) channel.data(randomBytes(30_000));
    client.sendKexInit();
  },
  async (client) => {
    await loggedIn(client);
    client.sendKexInit();
    await client.until(() => client.exchanges === 2);
    const channel = await client.openChannel();
    await channel.exec('sink');
    channel.close();
  },
];

async function loggedIn(client: SshClient): Promise<void> {
  await client.handshake();
  await client.authenticate();
}

/** Ways to go: cut, end, damage, say goodbye. */
function leave(client: SshClient): void {
  switch (randomInt(4)) {
    case 0:
      client.socket.resetAndDestroy();
      break;
    case 1:
      client.socket.end();
      break;
    case 2:
      client.writeRaw(randomBytes(100_000));
      client.socket.end();
      break;
    default:
      client.inject(new ByteWriter().u8(1).u32(11).string('bye').string('').finish());
  }
}

async function oneClient(port: number, index: number): Promise<void> {
  const [cipher, mac] = CIPHERS[index % CIPHERS.length]!;
  const compression = index % 5 === 0 ? 'zlib@openssh.com' : 'none';
  const options: SshClientOptions = { port, cipher, mac, compression, strict: index % 3 !== 0 };
  const client = await SshClient.open(options);
  await STAGES[randomInt(STAGES.length)]!(client);
  leave(client);
  await client.until(() => false);
}

async function clients(port: number, count: number): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await oneClient(port, next);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
}

interface Left {
  readonly descriptors: number;
  readonly threads: number;
  readonly timers: number;
  readonly heap: number;
  readonly resident: number;
}

async function left(server: SshServer): Promise<Left> {
  await Promise.all(server.outcomes);
  // What the doubles remember of each session is no part of what is measured.
  const { lines, commands, sessions, sockets, facts, outcomes, channels } = server;
  for (const kept of [lines, commands, sessions, sockets, facts, outcomes, channels.opened, channels.closed])
    kept.length = 0;
  channels.digests.clear();
  channels.held.clear();
  // Finalizers of native contexts run a turn after the collection that found them.
  for (let turn = 0; turn < 4; turn += 1) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    heap: heapUsed + arrayBuffers,
    resident: rss,
  };
}

suite('ssh: sessions cut off anywhere', { ...LIMIT, skip: process.platform !== 'linux' }, () => {
  test('leave no descriptor, no timer, no thread and no memory behind', async (t) => {
    const settings = { sftpCompression: 'delayed', sftpCiphers: CIPHERS.map(([name]) => name) } as const;
    const server = await startSshServer({ settings });
    try {
      await clients(server.port, 80);
      const before = await left(server);
      await clients(server.port, CONNECTIONS);
      const bugs = server.lines.filter((line) => line.startsWith('bug:'));
      assert.deepEqual(bugs, []);
      const after = await left(server);
      t.diagnostic(JSON.stringify({ before, after }));
      assert.equal(after.descriptors, before.descriptors);
      assert.ok(after.threads <= before.threads, `${after.threads} threads, were ${before.threads}`);
      assert.ok(after.timers <= before.timers, `${after.timers} timers, were ${before.timers}`);
      assert.ok(after.heap < before.heap + 4 * 1024 * 1024, `${after.heap} bytes, were ${before.heap}`);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });
});
