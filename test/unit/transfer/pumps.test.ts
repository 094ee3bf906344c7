import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, duplexPair } from 'node:stream';
import { after, test } from 'node:test';
import { DownloadPump, type DownloadOptions } from '../../../workers/transfer/pump-download.ts';
import { UploadPump, type UploadOptions } from '../../../workers/transfer/pump-upload.ts';
import { RateLimiter } from '../../../workers/transfer/rate-limit.ts';
import { TransferError, type TransferFailure } from '../../../workers/transfer/transfer-error.ts';
import { BYTES_IN, BYTES_OUT, TransferProgress } from '../../../workers/transfer/transfer-progress.ts';

const directory = mkdtempSync(join(tmpdir(), 'lockgate-pumps-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const BUFFER = 4096;

function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 255));
}

function fileWith(data: Uint8Array): string {
  const path = join(directory, 'file');
  writeFileSync(path, data);
  return path;
}

/** Takes bytes as a socket does: they are copied before the write is reported done, a turn later. */
function copyingSink(): { readonly sink: Duplex; readonly body: () => Buffer } {
  const chunks: Buffer[] = [];
  const sink = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      setImmediate(() => {
        chunks.push(Buffer.from(chunk));
        done();
      });
    },
  });
  return { sink, body: () => Buffer.concat(chunks) };
}

async function download(data: Uint8Array, options: Partial<DownloadOptions> = {}): Promise<Buffer> {
  const { sink, body } = copyingSink();
  const descriptor = openSync(fileWith(data), 'r');
  const progress = new TransferProgress(new BigInt64Array(2), BYTES_OUT);
  try {
    const defaults = { start: 0, length: Infinity, expected: data.length, ascii: false, bufferSize: BUFFER };
    await new DownloadPump(sink, { descriptor, rate: null, progress, ...defaults, ...options }).run();
    assert.ok(sink.writableEnded);
    assert.equal(progress.bytes, body().length);
    return body();
  } finally {
    closeSync(descriptor);
  }
}

for (const size of [0, 1, 2047, 2048, 2049, BUFFER - 1, BUFFER, BUFFER + 1, 5 * BUFFER + 3]) {
  test(`a download of ${size} bytes is exact`, { timeout: 5_000 }, async () => {
    const data = pattern(size);
    assert.deepEqual(await download(data), data);
  });
}

test('start and length select the bytes of a range', { timeout: 5_000 }, async () => {
  const data = pattern(3 * BUFFER);
  const options = { start: 100, length: BUFFER + 5, expected: BUFFER + 5 };
  assert.deepEqual(await download(data, options), data.subarray(100, 105 + BUFFER));
});

test('a file that grew after it was opened is sent to its new end', { timeout: 5_000 }, async () => {
  const data = pattern(3 * BUFFER);
  assert.deepEqual(await download(data, { expected: 10 }), data);
});

test('an ASCII download larger than the buffers converts every line', { timeout: 5_000 }, async () => {
  const text = 'x\n'.repeat(3 * BUFFER);
  const body = await download(Buffer.from(text), { ascii: true });
  assert.equal(body.toString(), text.replaceAll('\n', '\r\n'));
});

test('a sink that is destroyed ends the download as a lost connection', { timeout: 5_000 }, async () => {
  const [server] = duplexPair({ highWaterMark: 1 });
  const descriptor = openSync(fileWith(pattern(10 * BUFFER)), 'r');
  const progress = new TransferProgress(new BigInt64Array(2), BYTES_OUT);
  const options = { descriptor, start: 0, length: Infinity, expected: 10 * BUFFER, ascii: false };
  const run = new DownloadPump(server, { ...options, bufferSize: BUFFER, rate: null, progress }).run();
  server.destroy();
  assert.deepEqual((await failureOf(run)).kind, 'connection-lost');
  closeSync(descriptor);
});

async function failureOf(run: Promise<void>): Promise<TransferFailure> {
  try {
    await run;
  } catch (error) {
    assert.ok(error instanceof TransferError);
    return error.failure;
  }
  assert.fail('the transfer succeeded');
}

interface Upload {
  readonly client: Duplex;
  readonly pump: UploadPump;
  readonly run: Promise<void>;
  readonly path: string;
  readonly counters: BigInt64Array;
}

function startUpload(options: Partial<UploadOptions> = {}): Upload {
  const [server, client] = duplexPair();
  const path = fileWith(Buffer.alloc(0));
  const descriptor = options.descriptor ?? openSync(path, 'w');
  const counters = new BigInt64Array(2);
  const progress = new TransferProgress(counters, BYTES_IN);
  const defaults = { offset: 0, room: Infinity, limit: 0, ascii: false, bufferSize: BUFFER, rate: null };
  const pump = new UploadPump(server, { descriptor, progress, ...defaults, ...options });
  return { client, pump, run: pump.run(), path, counters };
}

for (const size of [0, 1, BUFFER, 10 * BUFFER + 17, 100 * BUFFER]) {
  test(`an upload of ${size} bytes is exact and counted`, { timeout: 5_000 }, async () => {
    const data = pattern(size);
    const { client, run, path, counters, pump } = startUpload();
    client.end(data);
    await run;
    assert.deepEqual(readFileSync(path), data);
    assert.equal(pump.written, size);
    assert.equal(counters[BYTES_IN], BigInt(size));
  });
}

test('an upload over MaxStoreFileSize stops with that limit', { timeout: 5_000 }, async () => {
  const { client, run } = startUpload({ room: 5_000, limit: 5_000 });
  client.on('error', () => client.destroy());
  client.end(pattern(20_000));
  assert.deepEqual(await failureOf(run), { kind: 'size-limit', limit: 5_000 });
});

test('an upload exactly as large as the limit is complete', { timeout: 5_000 }, async () => {
  const { client, run, pump } = startUpload({ room: 5_000, limit: 5_000 });
  client.end(pattern(5_000));
  await run;
  assert.equal(pump.written, 5_000);
});

test('a write that fails ends the upload with the error of the file', { timeout: 5_000 }, async () => {
  const readOnly = openSync(fileWith(Buffer.alloc(1)), 'r');
  const { client, run } = startUpload({ descriptor: readOnly });
  client.on('error', () => client.destroy());
  client.end(pattern(3 * BUFFER));
  assert.equal((await failureOf(run)).kind, 'file');
  closeSync(readOnly);
});

test('a full device is reported as no space', { timeout: 5_000 }, async () => {
  const full = openSync('/dev/full', 'w');
  const { client, run } = startUpload({ descriptor: full });
  client.on('error', () => client.destroy());
  client.end(pattern(3 * BUFFER));
  const failure = await failureOf(run);
  assert.ok(failure.kind === 'file' && failure.error.code === 'no-space');
  closeSync(full);
});

test('an upload whose connection breaks before its end is not complete', { timeout: 5_000 }, async () => {
  const [server, client] = duplexPair();
  const descriptor = openSync(fileWith(Buffer.alloc(0)), 'w');
  const progress = new TransferProgress(new BigInt64Array(2), BYTES_IN);
  const options = { descriptor, offset: 0, room: Infinity, limit: 0, ascii: false, bufferSize: BUFFER };
  const run = new UploadPump(server, { ...options, rate: null, progress }).run();
  client.write(pattern(10));
  server.destroy();
  assert.equal((await failureOf(run)).kind, 'connection-lost');
  closeSync(descriptor);
});

test('TransferRate gives the pause that keeps the rate, after the free bytes', () => {
  const limiter = new RateLimiter({ commands: ['RETR'], kilobytesPerSecond: 10, freeBytes: 1_024 }, 65_536);
  assert.equal(limiter.chunkSize, 1_280);
  assert.equal(limiter.delay(1_024, 1_024, 0), 0);
  assert.equal(limiter.delay(1_024 + 10_240, 10_240, 0), 1_000);
  assert.equal(limiter.delay(1_024 + 20_480, 10_240, 1_500), 500);
});
