/** Uploads that the socket reads straight into reused buffers: real sockets, because only they can. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { duplexPair, type Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { TLSSocket, connect as connectTls, createSecureContext } from 'node:tls';
import { openUploadPump } from '../../../workers/transfer/open-upload-pump.ts';
import { DirectUploadPump } from '../../../workers/transfer/pump-upload-direct.ts';
import { UploadPump, type UploadOptions } from '../../../workers/transfer/pump-upload.ts';
import { TransferError, type TransferFailure } from '../../../workers/transfer/transfer-error.ts';
import { BYTES_IN, TransferProgress } from '../../../workers/transfer/transfer-progress.ts';
import { certificateTrees } from '../../support/certificates.ts';

const LIMIT = { timeout: 20_000 };
const BUFFER = 128 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'lockgate-direct-'));
after(() => rmSync(directory, { recursive: true }));

/** Two ends of one connection; `server` paused as the data connection hands it over. */
async function connection(tls: boolean): Promise<{ readonly server: Duplex; readonly client: Duplex }> {
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(address !== null && typeof address === 'object');
  const raw = connect(address.port, '127.0.0.1');
  const [accepted] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  if (!tls) return { server: accepted, client: raw };
  const { certAEc } = certificateTrees();
  const secureContext = createSecureContext({
    cert: readFileSync(certAEc.certificate),
    key: readFileSync(certAEc.key),
  });
  const server = new TLSSocket(accepted, { isServer: true, secureContext });
  const client = connectTls({ socket: raw, rejectUnauthorized: false });
  await Promise.all([once(server, 'secure'), once(client, 'secureConnect')]);
  return { server, client };
}

let files = 0;

function upload(server: Duplex, changes: Partial<UploadOptions> = {}) {
  const path = join(directory, `file-${(files += 1)}`);
  const descriptor = changes.descriptor ?? openSync(path, 'w');
  const progress = new TransferProgress(new BigInt64Array(2), BYTES_IN);
  const defaults = { offset: 0, room: Infinity, limit: 0, ascii: false, bufferSize: BUFFER, rate: null };
  const pump = openUploadPump(server, { descriptor, progress, ...defaults, ...changes });
  return { path, pump, progress, run: pump.run() };
}

async function failureOf(run: Promise<void>): Promise<TransferFailure> {
  const error = await run.then(
    () => assert.fail('the transfer succeeded'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TransferError, String(error));
  return error.failure;
}

for (const tls of [false, true]) {
  const over = tls ? 'over TLS' : 'in clear';
  for (const size of [0, 1, BUFFER - 1, BUFFER, 7 * BUFFER + 4321, 64 * BUFFER]) {
    test(`${size} bytes ${over} arrive exactly, read into reused buffers`, LIMIT, async () => {
      const { server, client } = await connection(tls);
      const data = randomBytes(size);
      const { path, pump, progress, run } = upload(server);
      assert.ok(pump instanceof DirectUploadPump);
      client.end(data);
      await run;
      assert.ok(readFileSync(path).equals(data));
      assert.equal(pump.written, size);
      assert.equal(progress.bytes, size);
      server.destroy();
      client.destroy();
    });
  }

  test(`bytes that were read ${over} before the upload began come first`, LIMIT, async () => {
    const { server, client } = await connection(tls);
    const [first, rest] = [randomBytes(3000), randomBytes(3 * BUFFER)];
    client.write(first);
    server.read(0);
    while (server.readableLength < first.length) await nextTurn();
    const { path, run } = upload(server);
    client.end(rest);
    await run;
    const got = readFileSync(path);
    assert.equal(got.length, first.length + rest.length);
    assert.ok(got.equals(Buffer.concat([first, rest])));
    server.destroy();
    client.destroy();
  });

  test(`a limit ${over} stops the upload with that limit`, LIMIT, async () => {
    const { server, client } = await connection(tls);
    client.on('error', () => client.destroy());
    const { run } = upload(server, { room: 5000, limit: 5000 });
    client.end(randomBytes(4 * BUFFER));
    assert.deepEqual(await failureOf(run), { kind: 'size-limit', limit: 5000 });
  });

  test(`a full device ${over} is reported as no space`, LIMIT, async () => {
    const { server, client } = await connection(tls);
    client.on('error', () => client.destroy());
    const descriptor = openSync('/dev/full', 'w');
    const { run } = upload(server, { descriptor });
    client.end(randomBytes(6 * BUFFER));
    const failure = await failureOf(run);
    assert.ok(failure.kind === 'file' && failure.error.code === 'no-space');
    closeSync(descriptor);
  });

  test(`a connection that breaks ${over} is no complete upload`, LIMIT, async () => {
    const { server, client } = await connection(tls);
    const { run } = upload(server);
    client.write(randomBytes(1000));
    server.destroy();
    client.destroy();
    assert.equal((await failureOf(run)).kind, 'connection-lost');
  });
}

test('a stream that cannot read into a given buffer is served from its data events', LIMIT, async () => {
  const [server, client] = duplexPair();
  const data = randomBytes(5 * BUFFER);
  const { path, pump, run } = upload(server);
  assert.ok(pump instanceof UploadPump);
  client.end(data);
  await run;
  assert.ok(readFileSync(path).equals(data));
});
