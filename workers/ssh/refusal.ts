/** An SSH client that is not served: told why in its own protocol, without keys and before anything it may have sent. */
import type { Socket } from 'node:net';
import { cipherSpec, createSealer } from '../../crypto/ssh/packet-protection.ts';
import { DisconnectCode } from './wire/message-numbers.ts';
import { encodeDisconnect } from './wire/transport-messages.ts';

const EMPTY = Buffer.alloc(0);
const BLOCK = 8;
const SMALLEST_PADDING = 4;

/**
 * Version line and DISCONNECT, which may come before any key exchange (RFC 4253, section 11.1).
 * @param version - without line end
 * @param text - as said to FTP clients; a reply code is left out
 */
export function refusalBytes(version: string, text: string): Buffer {
  const payload = encodeDisconnect(DisconnectCode.tooManyConnections, text.replace(/^\d{3}[ -]/, ''));
  const head = Buffer.alloc(5 + payload.length);
  let padding = BLOCK - (head.length % BLOCK);
  if (padding < SMALLEST_PADDING) padding += BLOCK;
  head.writeUInt32BE(1 + payload.length + padding);
  head[4] = padding;
  payload.copy(head, 5);
  const sealer = createSealer(cipherSpec('none')!, null, EMPTY, EMPTY, EMPTY);
  return Buffer.concat([
    Buffer.from(`${version}\r\n`, 'latin1'),
    ...sealer.seal(head, null, Buffer.alloc(padding), 0),
  ]);
}

const CLOSE_TIMEOUT_MS = 2_000;

/** Resolves when the peer has it and the connection is closed, or after two seconds. Never rejects. */
export function refuseAndClose(socket: Socket, version: string, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    // Bytes that stay unread turn the close into a reset, and the peer would lose the reason.
    socket.resume();
    socket.end(refusalBytes(version, text));
  });
}
