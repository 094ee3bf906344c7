/** Closing a data connection without losing its tail (TimeoutLinger). */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FtpSession } from './session-types.ts';

/** Sockets of one session that may wait for their peers at the same time; then the oldest is cut. */
const MAX_LINGERING = 16;

const lingering = new WeakMap<FtpSession, Set<() => void>>();

/**
 * Ends our side (close_notify and FIN) and returns at once. The socket is destroyed when the peer has closed too, and
 * after TimeoutLinger seconds in any case: destroying it earlier, with bytes of the peer unread, would send RST and
 * could cost the client the end of its download.
 */
export function closeDataStream(session: FtpSession, stream: Duplex, socket: Socket): void {
  if (stream.destroyed || socket.destroyed) {
    stream.destroy();
    socket.destroy();
    return;
  }
  const sockets = lingering.get(session) ?? new Set<() => void>();
  lingering.set(session, sockets);
  const cut = (): void => {
    clearTimeout(timer);
    sockets.delete(cut);
    stream.destroy();
    socket.destroy();
  };
  const timer = setTimeout(cut, session.settings.timeoutLinger * 1000);
  sockets.add(cut);
  if (sockets.size > MAX_LINGERING) sockets.values().next().value?.();
  const closeIfDone = (): void => {
    if (stream.readableEnded && stream.writableFinished) cut();
  };
  stream.once('end', closeIfDone);
  stream.once('finish', closeIfDone);
  stream.once('close', cut);
  if (!stream.writableEnded) stream.end();
  stream.resume();
  closeIfDone();
}
