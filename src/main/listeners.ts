/** The listening sockets. Accepted sockets are handed on untouched: nothing is read or written here. */
import { BoundSocket, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { ListenerConfig } from '../config/server-config.ts';
import { setSocketSizes, type SocketSizes } from '../util/socket-options.ts';

/** Socket tuning of the main server, in force for every listener. */
export interface ListenerOptions {
  readonly backlog: number;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  readonly reusePort: boolean;
  readonly sizes: SocketSizes;
  /** Any free port instead of the configured one (embedding, tests). */
  readonly anyPort: boolean;
  /** Told when a listener is not bound as configured. */
  readonly onNotice: (text: string) => void;
  /** Another way to bind, for tests. */
  readonly bind?: (options: ConstructorParameters<typeof BoundSocket>[0]) => BoundSocket;
}

/** `address` and `port` as configured identify a listener across reloads. */
export interface BoundListener {
  readonly key: string;
  readonly config: ListenerConfig;
  readonly handle: BoundSocket;
}

export interface OpenListener {
  readonly key: string;
  /** Replaced on reload: which virtual hosts share the socket may change. */
  config: ListenerConfig;
  readonly server: Server;
  readonly address: AddressInfo;
}

/** A listener that cannot be opened; `message` is for the operator. */
export class ListenError extends Error {
  readonly code: string;

  constructor(config: ListenerConfig, cause: NodeJS.ErrnoException) {
    const hint =
      cause.code === 'EADDRINUSE'
        ? 'the address is already in use'
        : cause.code === 'EACCES'
          ? 'permission denied; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE'
          : cause.code === 'EADDRNOTAVAIL'
            ? 'this machine does not have the address'
            : (cause.code ?? 'unknown error');
    super(`unable to listen on ${formatEndpoint(config.address, config.port)}: ${hint}`, { cause });
    this.name = 'ListenError';
    this.code = cause.code ?? 'EUNKNOWN';
  }
}

export function listenerKey(config: ListenerConfig): string {
  return `${config.address}|${config.port}`;
}

export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Binds without listening yet, so that low ports are taken while the process is still root. `siblings` are all
 * listeners of the configuration: `::` serves IPv4 too unless one of them takes IPv4 itself.
 */
export function bindListener(
  config: ListenerConfig,
  siblings: readonly ListenerConfig[],
  options: ListenerOptions,
): BoundListener {
  const ipv6Only =
    config.address.includes(':') &&
    siblings.some((other) => other.port === config.port && !other.address.includes(':'));
  const bind = options.bind ?? ((how) => new BoundSocket(how));
  const bindTo = (host: string): BoundListener => {
    const port = options.anyPort ? 0 : config.port;
    const handle = bind({ host, port, ipv6Only, reusePort: options.reusePort });
    return { key: listenerKey(config), config, handle };
  };
  try {
    try {
      return bindTo(config.address);
    } catch (error) {
      if (config.address !== '::' || ipv6Only || !meansNoIPv6(error)) throw error;
      const code = (error as NodeJS.ErrnoException).code;
      options.onNotice(
        `no IPv6 on this machine (${code}), listening on ${formatEndpoint('0.0.0.0', config.port)} instead`,
      );
      return bindTo('0.0.0.0');
    }
  } catch (error) {
    throw new ListenError(config, error as NodeJS.ErrnoException);
  }
}

/** The kernel was built or started without IPv6. */
function meansNoIPv6(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}

/** Starts to accept. EADDRINUSE may come here rather than from bind: libuv delays it. */
export async function openListener(
  bound: BoundListener,
  options: ListenerOptions,
  onConnection: (socket: Socket, listener: OpenListener) => void,
  onError: (error: Error, listener: OpenListener) => void,
): Promise<OpenListener> {
  const server = createServer({
    pauseOnConnect: true,
    noDelay: options.noDelay,
    keepAlive: options.keepAlive,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new ListenError(bound.config, error)));
    // Of an object with a handle Node does not read the backlog.
    server.listen(bound.handle, options.backlog, resolve);
  });
  server.removeAllListeners('error');
  setSocketSizes(server, options.sizes);
  const listener: OpenListener = {
    key: bound.key,
    config: bound.config,
    server,
    address: server.address() as AddressInfo,
  };
  server.on('connection', (socket) => onConnection(socket, listener));
  // EMFILE and the like: the listener stays open, the connection is lost.
  server.on('error', (error) => onError(error, listener));
  return listener;
}

/** Stops accepting at once; sessions are not touched. */
export function closeListener(listener: OpenListener): void {
  listener.server.close();
}
