/** SocketOptions keepalive, for every connection of a session. */
import type { Socket } from 'node:net';
import type { Settings } from '../../src/config/server-config.ts';

/** Documented in Node's net API; its type declarations lack interval and count. */
interface ProbedSocket {
  setKeepAlive(enable: boolean, initialDelayMs: number, intervalMs: number, count: number): void;
}

/** Turns the probes on as configured; where the configuration says off, the socket's default (off) stays. */
export function keepAlive(socket: Socket, options: Settings['socketOptions']): void {
  if (!options.keepAlive) return;
  const { keepAliveProbes: probes } = options;
  if (probes === undefined) socket.setKeepAlive(true);
  else (socket as ProbedSocket).setKeepAlive(true, probes.idle * 1000, probes.interval * 1000, probes.count);
}
