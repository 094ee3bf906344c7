/** A TCP relay that keeps what went over the wire, for tests about the order and form of bytes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface Relay {
  readonly port: number;
  /** Everything the server sent so far. */
  readonly fromServer: Buffer;
  /** How much of it came before the client's first byte. */
  readonly unasked: number;
}

/** Relays one connection to a port of 127.0.0.1, until the test ends. */
export async function startRelay(t: Pick<TestContext, 'after'>, target: number): Promise<Relay> {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  let clientSpoke = false;
  let unasked = 0;
  const server = createServer((client) => {
    const upstream = connectTcp(target, '127.0.0.1');
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    client.once('data', () => {
      clientSpoke = true;
    });
    upstream.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if (!clientSpoke) unasked += chunk.length;
    });
    client.pipe(upstream);
    upstream.pipe(client);
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get fromServer() {
      return Buffer.concat(received);
    },
    get unasked() {
      return unasked;
    },
  };
}

/** The bytes are whole TLS records (RFC 8446, section 5.1), a handshake first. */
export function assertTlsRecords(bytes: Buffer): void {
  assert.equal(bytes[0], 22, 'the first record is not a handshake');
  let at = 0;
  while (at < bytes.length) {
    const type = bytes[at] ?? 0;
    assert.ok(type >= 20 && type <= 23 && bytes[at + 1] === 3, `no TLS record at byte ${at}`);
    at += 5 + bytes.readUInt16BE(at + 3);
  }
  assert.equal(at, bytes.length);
}
