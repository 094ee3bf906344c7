/** Real ClientHello bytes of Node's own TLS client. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { parseClientHello } from '../../workers/ftp/tls/client-hello.ts';

/** What a client with these options sends first. */
export async function recordClientHello(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  // The recording server never answers; the client's complaint about that is expected.
  client.on('error', () => client.destroy());
  const [socket] = await accepted;
  let bytes = Buffer.alloc(0);
  while (parseClientHello(bytes).kind === 'incomplete') {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}
