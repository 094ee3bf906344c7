/** Downloads that the kernel sends itself: real sockets and files, because only they can. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { after, afterEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TLSSocket, createSecureContext } from 'node:tls';
import { bindFunctions } from '../../../src/util/native-functions.ts';
import { openDownloadPump } from '../../../workers/transfer/open-download-pump.ts';
import { DirectDownloadPump } from '../../../workers/transfer/pump-download-direct.ts';
import { DownloadPump, type DownloadOptions } from '../../../workers/transfer/pump-download.ts';
import { RateLimiter } from '../../../workers/transfer/rate-limit.ts';
import { createFileSender } from '../../../workers/transfer/send-file.ts';
import { TransferError, type TransferFailure } from '../../../workers/transfer/transfer-error.ts';
import { BYTES_OUT, TransferProgress } from '../../../workers/transfer/transfer-progress.ts';

const LIMIT = {
  timeout: 20_000,
  skip: process.platform === 'linux' ? false : 'sendfile(2) is used on Linux',
};
const BUFFER = 128 * 1024;
/** More than the buffers of both ends of a loopback connection hold. */
const LARGE = 32 * 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'lockgate-direct-'));
after(() => rmSync(directory, { recursive: true }));

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

async function connection(): Promise<{ readonly server: Socket; readonly client: Socket }> {
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(address !== null && typeof address === 'object');
  const client = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  const [server] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  // What breaks shows in the pump's answer.
  server.on('error', () => server.destroy());
  client.on('error', () => client.destroy());
  open.push(server, client);
  return { server, client };
}

let files = 0;

function fileWith(data: Uint8Array): string {
  const path = join(directory, `file-${(files += 1)}`);
  writeFileSync(path, data);
  return path;
}

/** Of the file at `path`; the descriptor closes when the download has ended, as the session does it. */
function download(sink: Duplex, path: string, changes: Partial<DownloadOptions> = {}) {
  const descriptor = openSync(path, 'r');
  const counters = new BigInt64Array(2);
  const progress = new TransferProgress(counters, BYTES_OUT);
  const defaults = { start: 0, length: Infinity, expected: statSync(path).size, ascii: false };
  const options = { ...defaults, bufferSize: BUFFER, rate: null, ...changes };
  const sender = createFileSender(sink, descriptor);
  assert.ok(sender !== null);
  const pump = new DirectDownloadPump(sink, sender, { descriptor, progress, ...options });
  const run = pump.run().finally(() => closeSync(descriptor));
  return { pump, run, progress, counters };
}

async function collect(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function failureOf(run: Promise<void>): Promise<TransferFailure> {
  const error = await run.then(
    () => assert.fail('the transfer succeeded'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TransferError, String(error));
  return error.failure;
}

/** Until the pump has filled both socket buffers of a client that does not read, and waits. */
async function untilFull(server: Socket): Promise<void> {
  while (server.writableLength === 0) await nextTurn();
}

const sizes = [0, 1, 16_383, 16_384, 65_535, 65_536, 65_537, BUFFER - 1, BUFFER, BUFFER + 1, 5 * BUFFER + 3];
for (const size of [...sizes, LARGE + 1]) {
  test(`${size} bytes arrive exactly, sent by the kernel`, LIMIT, async () => {
    const { server, client } = await connection();
    const data = randomBytes(size);
    const { run, progress, counters } = download(server, fileWith(data));
    const [got] = await Promise.all([collect(client), run]);
    assert.ok(got.equals(data));
    assert.ok(server.writableEnded);
    assert.equal(progress.bytes, size);
    assert.equal(counters[BYTES_OUT], BigInt(size));
  });
}

test('start and length select the bytes of a range', LIMIT, async () => {
  const { server, client } = await connection();
  const data = randomBytes(4 * BUFFER);
  const range = { start: 100, length: 2 * BUFFER + 5, expected: 2 * BUFFER + 5 };
  const { run } = download(server, fileWith(data), range);
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.equals(data.subarray(100, 105 + 2 * BUFFER)));
});

test('a client that reads late gets every byte in order', LIMIT, async () => {
  const { server, client } = await connection();
  const data = randomBytes(LARGE);
  const { run, progress } = download(server, fileWith(data));
  await untilFull(server);
  assert.ok(progress.bytes < LARGE);
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.equals(data));
});

test('a client that has ended its own side gets the whole file', LIMIT, async () => {
  const { server, client } = await connection();
  const data = randomBytes(LARGE);
  client.end();
  const { run } = download(server, fileWith(data));
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.equals(data));
});

test('a file that grew after it was opened is sent to its new end', LIMIT, async () => {
  const { server, client } = await connection();
  const data = randomBytes(3 * BUFFER);
  const { run } = download(server, fileWith(data), { expected: 10 });
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.equals(data));
});

test('a file that is extended while it is sent ends at its new end', LIMIT, async () => {
  const { server, client } = await connection();
  const [data, more] = [randomBytes(LARGE), randomBytes(3 * BUFFER)];
  const path = fileWith(data);
  const { run } = download(server, path);
  await untilFull(server);
  appendFileSync(path, more);
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.equals(Buffer.concat([data, more])));
});

test('a file that is cut while it is sent ends there', LIMIT, async () => {
  const { server, client } = await connection();
  const data = randomBytes(LARGE);
  const path = fileWith(data);
  const { run, progress } = download(server, path);
  await untilFull(server);
  truncateSync(path, 1000);
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.length < LARGE && got.length === progress.bytes);
  // The pages that were on their way when the file was cut may have become zeros; what was copied before may not.
  assert.ok(got.subarray(0, 1000).equals(data.subarray(0, 1000)));
});

for (const when of ['before the first byte', 'while the socket is full'] as const) {
  test(`a connection that is reset ${when} is lost`, LIMIT, async () => {
    const { server, client } = await connection();
    const path = fileWith(randomBytes(LARGE));
    if (when === 'before the first byte') {
      client.resetAndDestroy();
      await once(client, 'close');
      const { run } = download(server, path);
      assert.deepEqual(await failureOf(run), { kind: 'connection-lost' });
    } else {
      const { run } = download(server, path);
      await untilFull(server);
      client.resetAndDestroy();
      assert.deepEqual(await failureOf(run), { kind: 'connection-lost' });
    }
    assert.ok(server.destroyed);
  });
}

test('a download that is stopped while the socket is full ends with that reason', LIMIT, async () => {
  const { server } = await connection();
  const { pump, run } = download(server, fileWith(randomBytes(LARGE)));
  await untilFull(server);
  pump.stop({ kind: 'aborted', by: 'abor' });
  pump.stop({ kind: 'connection-lost' });
  assert.deepEqual(await failureOf(run), { kind: 'aborted', by: 'abor' });
  assert.ok(server.destroyed);
});

test('a download that is stopped between two slices sends no more', LIMIT, async () => {
  const { server, client } = await connection();
  const { pump, run, progress } = download(server, fileWith(randomBytes(LARGE)));
  client.resume();
  const before = progress.bytes;
  assert.equal(before, BUFFER);
  pump.stop({ kind: 'aborted', by: 'quit' });
  assert.deepEqual(await failureOf(run), { kind: 'aborted', by: 'quit' });
  await nextTurn();
  assert.equal(progress.bytes, before);
});

test('a socket that is gone before the download begins is a lost connection', LIMIT, async () => {
  const { server } = await connection();
  server.destroy();
  const { run } = download(server, fileWith(randomBytes(10)));
  assert.deepEqual(await failureOf(run), { kind: 'connection-lost' });
});

test('other work has its turn between two slices', LIMIT, async () => {
  const { server, client } = await connection();
  const { run, progress } = download(server, fileWith(randomBytes(LARGE)));
  client.resume();
  let most = 0;
  for (let last = progress.bytes; !server.writableEnded; last = progress.bytes) {
    await nextTurn();
    most = Math.max(most, progress.bytes - last);
  }
  await run;
  // A slice, and the piece that went through the stream before it.
  assert.ok(most > 0 && most <= 2 * BUFFER + 16_384, `${most} bytes in one turn`);
});

test('a rate holds the kernel back, after the bytes that are free', LIMIT, async () => {
  const { server, client } = await connection();
  const data = randomBytes(96 * 1024);
  const limit = { commands: ['RETR'], kilobytesPerSecond: 256, freeBytes: 32 * 1024 };
  const startedAt = performance.now();
  const { run } = download(server, fileWith(data), { rate: new RateLimiter(limit, BUFFER) });
  const [got] = await Promise.all([collect(client), run]);
  const milliseconds = performance.now() - startedAt;
  assert.ok(got.equals(data));
  assert.ok(milliseconds >= 240 && milliseconds < 5000, `${milliseconds} ms`);
});

test('a stop ends the pause of a rate', LIMIT, async () => {
  const { server } = await connection();
  const limit = { commands: ['RETR'], kilobytesPerSecond: 0.5, freeBytes: 0 };
  const { pump, run } = download(server, fileWith(randomBytes(64 * 1024)), {
    rate: new RateLimiter(limit, BUFFER),
  });
  pump.stop({ kind: 'stalled', seconds: 1 });
  assert.deepEqual(await failureOf(run), { kind: 'stalled', seconds: 1 });
});

test('what is not in memory is read in the thread pool and arrives exactly', LIMIT, async (context) => {
  const data = randomBytes(20 * BUFFER);
  const path = fileWith(data);
  if (!leaveMemory(path)) return context.skip('this file system keeps the file in memory');
  const { server, client } = await connection();
  const descriptor = openSync(path, 'r');
  const sender = createFileSender(server, descriptor);
  assert.equal(sender?.isInMemory(data.length - 1), false);
  closeSync(descriptor);
  const { run, progress } = download(server, path);
  // Nothing was sent from this thread.
  assert.equal(progress.bytes, 0);
  const [got] = await Promise.all([collect(client), run]);
  assert.ok(got.equals(data));
  assert.equal(progress.bytes, data.length);
});

test('a stop reaches a download that reads in the thread pool', LIMIT, async (context) => {
  const path = fileWith(randomBytes(LARGE));
  if (!leaveMemory(path)) return context.skip('this file system keeps the file in memory');
  const { server } = await connection();
  const { pump, run } = download(server, path);
  pump.stop({ kind: 'aborted', by: 'abor' });
  assert.deepEqual(await failureOf(run), { kind: 'aborted', by: 'abor' });
});

/** Drops the file from the page cache; false where it lies in memory always. */
function leaveMemory(path: string): boolean {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  if (mounts.some((line) => isTmpfsOf(line, path))) return false;
  const POSIX_FADV_DONTNEED = 4;
  const functions = bindFunctions({
    posix_fadvise: { arguments: ['i32', 'i64', 'i64', 'i32'], return: 'i32' },
  });
  const descriptor = openSync(path, 'r+');
  fsyncSync(descriptor);
  assert.equal(functions?.call('posix_fadvise', descriptor, 0n, 0n, POSIX_FADV_DONTNEED), 0);
  closeSync(descriptor);
  return true;
}

function isTmpfsOf(line: string, path: string): boolean {
  const [, mount = '', type] = line.split(' ');
  return type === 'tmpfs' && mount !== '/' && path.startsWith(`${mount}/`);
}

test('a file the kernel cannot send is read instead', LIMIT, async () => {
  const { server, client } = await connection();
  const { run } = download(server, '/proc/self/limits');
  const [got] = await Promise.all([collect(client), run]);
  assert.match(got.toString(), /^Limit /);
});

test(
  'TLS, ASCII, small files, other streams, waiting bytes and UseSendfile off take the way with buffers',
  LIMIT,
  async () => {
    const { server, client } = await connection();
    const path = fileWith(randomBytes(10));
    const descriptor = openSync(path, 'r');
    const progress = new TransferProgress(new BigInt64Array(2), BYTES_OUT);
    const range = { start: 0, length: Infinity, expected: 65_537, bufferSize: BUFFER };
    const options = { descriptor, ...range, ascii: false, rate: null, progress };
    const [stream] = duplexPair();
    const tls = new TLSSocket(server, { isServer: true, secureContext: createSecureContext({}) });
    assert.ok(openDownloadPump(tls, true, options) instanceof DownloadPump);
    assert.ok(openDownloadPump(stream, true, options) instanceof DownloadPump);
    assert.ok(openDownloadPump(client, true, { ...options, ascii: true }) instanceof DownloadPump);
    assert.ok(openDownloadPump(client, false, options) instanceof DownloadPump);
    assert.ok(openDownloadPump(client, true, { ...options, expected: 65_536 }) instanceof DownloadPump);
    assert.ok(openDownloadPump(client, true, options) instanceof DirectDownloadPump);
    client.cork();
    client.write('waiting');
    assert.ok(openDownloadPump(client, true, options) instanceof DownloadPump);
    closeSync(descriptor);
    tls.destroy();
    client.destroy();
  },
);
