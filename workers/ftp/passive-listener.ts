/** One listening socket for one data connection (PASV, EPSV). It closes itself after the first rightful peer. */
import { randomInt } from 'node:crypto';
import { BoundSocket, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setSocketSizes, type SocketSizes } from '../../src/util/socket-options.ts';

export interface PassiveListenerOptions {
  /** Numeric local address of the control connection. */
  readonly host: string;
  /** PassivePorts; null: any port the system gives. */
  readonly range: { readonly min: number; readonly max: number } | null;
  /** What an exhausted range does: any port, or none. */
  readonly whenExhausted: 'fallback' | 'refuse';
  /** SocketOptions: inherited by the connection. */
  readonly sizes: SocketSizes;
  readonly onExhausted: () => void;
  /** False: the connection is dropped and the listener waits for the next one. */
  readonly admits: (peerAddress: string) => boolean;
  /** Called once, with the socket paused, after the listener closed. */
  readonly onConnection: (socket: Socket) => void;
  /** The listener broke (never called after `close`). */
  readonly onError: (error: Error) => void;
}

export interface PassiveListener {
  readonly port: number;
  close(): void;
}

/** Ports tried in one go before other sessions get their turn. */
const PORTS_PER_TURN = 64;
/** The range Linux gives outgoing connections; IANA's dynamic ports begin at 49152. */
const EPHEMERAL = { min: 32_768, max: 60_999 };
const EPHEMERAL_DRAWS = 8;
/** One client is expected; a few strangers may knock before it. */
const BACKLOG = 4;

/** Listens; null when no port could be bound. */
export async function listenPassive(options: PassiveListenerOptions): Promise<PassiveListener | null> {
  if (options.range === null) return listenAnywhere(options);
  const listener = await searchRange(options, options.range.min, options.range.max);
  if (listener !== null) return listener;
  options.onExhausted();
  return options.whenExhausted === 'refuse' ? null : listenAnywhere(options);
}

/**
 * The system's own choice (port 0) skips every port that is in TIME_WAIT and slows to milliseconds when thousands are,
 * as after many small transfers; a port named outright may be in TIME_WAIT. So a few are drawn first.
 */
function listenAnywhere(options: PassiveListenerOptions): PassiveListener | null {
  for (let draw = 0; draw < EPHEMERAL_DRAWS; draw += 1) {
    const listener = tryListen(options, randomInt(EPHEMERAL.min, EPHEMERAL.max + 1));
    if (listener !== null) return listener;
  }
  return tryListen(options, 0);
}

/** A random start keeps ports hard to guess; going on from there tries every port of the range once. */
async function searchRange(
  options: PassiveListenerOptions,
  min: number,
  max: number,
): Promise<PassiveListener | null> {
  const count = max - min + 1;
  const start = randomInt(count);
  for (let step = 0; step < count; step += 1) {
    const listener = tryListen(options, min + ((start + step) % count));
    if (listener !== null) return listener;
    if (step % PORTS_PER_TURN === PORTS_PER_TURN - 1) await nextTurn();
  }
  return null;
}

/**
 * Binding is synchronous (BoundSocket) and sets SO_REUSEADDR, so a port whose last connection is in TIME_WAIT is free
 * at once.
 */
function tryListen(options: PassiveListenerOptions, port: number): PassiveListener | null {
  let bound: BoundSocket;
  try {
    bound = new BoundSocket({ host: options.host, port });
  } catch (error) {
    if (isPortTrouble(error)) return null;
    throw error;
  }
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true });
  server.on('connection', (socket) => accept(server, socket, options));
  server.on('error', (error) => {
    server.close();
    options.onError(error);
  });
  const listening = bound.address().port;
  server.listen(bound, BACKLOG);
  // Two threads can both bind a port, only one can listen: the other finds itself without a handle at once.
  if (!server.listening) {
    server.removeAllListeners('error').on('error', ignoreReported);
    return null;
  }
  setSocketSizes(server, options.sizes);
  return { port: listening, close: () => closeSilently(server) };
}

/** The failure was seen and another port is tried; the event still comes a turn later. */
function ignoreReported(): void {
  return;
}

function accept(server: Server, socket: Socket, options: PassiveListenerOptions): void {
  const peer = socket.remoteAddress;
  // Connections that waited in the backlog may still be reported after close().
  if (!server.listening || peer === undefined || !options.admits(peer)) {
    socket.destroy();
    return;
  }
  server.close();
  options.onConnection(socket);
}

function closeSilently(server: Server): void {
  server.removeAllListeners('connection');
  server.on('connection', (late: Socket) => late.destroy());
  server.close();
}

function isPortTrouble(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return (
    code === 'EADDRINUSE' ||
    code === 'EACCES' ||
    code === 'EADDRNOTAVAIL' ||
    code === 'EMFILE' ||
    code === 'ENFILE'
  );
}
