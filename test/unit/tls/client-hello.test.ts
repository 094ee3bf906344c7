import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { recordClientHello } from '../../support/client-hello.ts';
import { offersSession, parseClientHello, type ClientHello } from '../../../workers/ftp/tls/client-hello.ts';
import { peekClientHello } from '../../../workers/ftp/tls/hello-peek.ts';

function read(bytes: Buffer): ClientHello {
  const result = parseClientHello(bytes);
  assert.equal(result.kind, 'hello');
  return (result as { hello: ClientHello }).hello;
}

test('a TLS 1.3 hello gives name, protocols and version', { timeout: 10_000 }, async () => {
  const hello = read(
    await recordClientHello({ servername: 'Files.Example.org', ALPNProtocols: ['ftp', 'h2'] }),
  );
  assert.equal(hello.serverName, 'Files.Example.org');
  assert.deepEqual(hello.alpnProtocols, ['ftp', 'h2']);
  assert.equal(hello.highestVersion, 0x0304);
  assert.equal(offersSession(hello), false);
});

test('a TLS 1.2 hello asks for a ticket and offers no session', { timeout: 10_000 }, async () => {
  const hello = read(await recordClientHello({ maxVersion: 'TLSv1.2' }));
  assert.equal(hello.highestVersion, 0x0303);
  assert.equal(hello.ticket, 'empty');
  assert.equal(hello.serverName, null);
  assert.equal(offersSession(hello), false);
});

test('every prefix of a hello is incomplete, never wrong', { timeout: 10_000 }, async () => {
  const bytes = await recordClientHello({ servername: 'a.example' });
  for (let length = 0; length < bytes.length; length += 1) {
    const result = parseClientHello(bytes.subarray(0, length));
    assert.ok(result.kind === 'incomplete', `after ${length} bytes`);
    assert.ok(result.missing > 0 && result.missing <= bytes.length - length, `after ${length} bytes`);
  }
});

test('a hello spread over small records is read as one', { timeout: 10_000 }, async () => {
  const bytes = await recordClientHello({ servername: 'split.example' });
  const body = bytes.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += 37) {
    const part = body.subarray(at, at + 37);
    records.push(Buffer.from([22, 3, 1, 0, part.length]), part);
  }
  assert.equal(read(Buffer.concat(records)).serverName, 'split.example');
});

test('clear text, SSLv2 and other records are not hellos', () => {
  for (const bytes of [
    Buffer.from('USER x\r\n'),
    Buffer.from([0x80, 0x2e, 1]),
    Buffer.from([23, 3, 3, 0, 1, 0]),
  ]) {
    assert.equal(parseClientHello(bytes).kind, 'not-a-hello');
  }
});

test('lengths that point outside the message are refused', () => {
  const body = Buffer.alloc(40, 0);
  body.writeUInt16BE(0x0303, 0);
  body[34] = 33;
  const header = Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]);
  assert.equal(parseClientHello(Buffer.concat([header, body])).kind, 'not-a-hello');
});

test('a hello in records of one byte costs its sender more than us', { timeout: 20_000 }, async () => {
  const socket = new PassThrough();
  const peeked = peekClientHello(socket, AbortSignal.timeout(15_000));
  const start = performance.now();
  // A hello of 60,000 bytes, in as many pieces as fit into what is read of one.
  const first = [1, 0, 60_000 >> 8, 60_000 & 255];
  for (let index = 0; index < 23_000; index += 1) {
    socket.write(Buffer.from([22, 3, 1, 0, 1, first[index] ?? 0]));
    if (index % 100 === 0) await new Promise(setImmediate);
  }
  assert.deepEqual(await peeked, { kind: 'ready', hello: null });
  assert.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});
