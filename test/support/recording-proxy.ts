/** A TCP relay that keeps what the server sent, as the wire carried it. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface RecordingProxy {
  readonly port: number;
  /** Everything the server sent so far. */
  fromServer(): Buffer;
  /** Resolves when the server has closed its side of the first connection. */
  readonly ended: Promise<void>;
}

/** Listens on a free port and relays to `port` of 127.0.0.1; closed with the test. */
export async function startRecordingProxy(
  t: Pick<TestContext, 'after'>,
  port: number,
): Promise<RecordingProxy> {
  const chunks: Buffer[] = [];
  const sockets: Socket[] = [];
  const end = Promise.withResolvers<void>();
  const server = createServer((client) => {
    const upstream = connect({ port, host: '127.0.0.1' });
    sockets.push(client, upstream);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // Not pipe: what the server still says after the client is gone is recorded too.
      socket.on('data', (chunk: Buffer) => {
        if (other.writable) other.write(chunk);
      });
      socket.once('end', () => other.end());
      socket.on('error', () => other.destroy());
    }
    upstream.on('data', (chunk: Buffer) => chunks.push(chunk));
    upstream.once('close', () => end.resolve());
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    fromServer: () => Buffer.concat(chunks),
    ended: end.promise,
  };
}
