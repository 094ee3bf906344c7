/** Connecting to the client's data port (PORT, EPRT, or the default port of RFC 959 section 3.2). */
import { BoundSocket, Socket } from 'node:net';
import { setSocketSizes, type SocketSizes } from '../../src/util/socket-options.ts';

export interface ActiveConnectOptions {
  readonly address: string;
  readonly port: number;
  /** Numeric local address of the control connection: the data connection leaves from there. */
  readonly localAddress: string;
  /** A socket bound to the privileged port L-1, or null for an ordinary source port. */
  readonly bound: BoundSocket | null;
  readonly sizes: SocketSizes;
  readonly timeoutMs: number;
}

export interface ActiveConnect {
  readonly socket: Promise<Socket>;
  cancel(): void;
}

/** Starts to connect; the promise rejects with the system's error, or ETIMEDOUT after `timeoutMs`. */
export function connectActive(options: ActiveConnectOptions): ActiveConnect {
  const source = options.bound ?? new BoundSocket({ host: options.localAddress, port: 0 });
  const socket = new Socket({ handle: source, allowHalfOpen: true, noDelay: true });
  setSocketSizes(socket, options.sizes);
  const connected = new Promise<Socket>((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(systemError('ETIMEDOUT')), options.timeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    const onClose = (): void => onError(systemError('ECONNABORTED'));
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      socket.off('close', onClose);
      // As with passive ones: what breaks before a transfer looks at the socket shows as its state.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
  socket.pause();
  socket.connect({ host: options.address, port: options.port });
  return { socket: connected, cancel: () => socket.destroy(systemError('ECONNABORTED')) };
}

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}
