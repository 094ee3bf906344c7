/** One line instead of a session: refusals, and last words before a protocol exists. */
import type { Socket } from 'node:net';

const CLOSE_TIMEOUT_MS = 2_000;

/** Resolves when the peer has the line and the connection is closed, or after two seconds. Never rejects. */
export function sayAndClose(socket: Socket, line: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    // Bytes that stay unread turn the close into a reset, and the peer would lose the line.
    socket.resume();
    socket.end(`${line}\r\n`);
  });
}
