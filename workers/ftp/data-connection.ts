/** Passive and active data connections of one FTP session: what is prepared, what is open, and who may connect. */
import type { BoundSocket, Socket } from 'node:net';
import { normaliseAddress } from '../../src/config/address-pattern.ts';
import { connectActive, type ActiveConnect } from './active-connector.ts';
import { admitsDataAddress } from './foreign-address.ts';
import { keepAlive } from '../transfer/keep-alive.ts';
import { receiveCopies } from '../transfer/receive-into.ts';
import { listenPassive, type PassiveListener } from './passive-listener.ts';
import type { DataConnections, FtpSession } from './session-types.ts';

/** Answer: 425 Unable to build data connection: REASON. `reason` is one of the system's own messages. */
export class DataConnectionError extends Error {
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'DataConnectionError';
    this.reason = reason;
  }
}

/** A prepared listener without a transfer command goes away after this long: ports are a shared resource. */
const LISTENER_LIFETIME_MS = 300_000;
/** How long a transfer command waits for the client's connection, and for its own. */
const OPEN_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 30_000;
/** After a stranger's connection was refused the rightful client gets this long, then 425. */
const FOREIGN_GRACE_MS = 3_000;

type PassiveState =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'connected'; readonly socket: Socket }
  | { readonly kind: 'failed'; readonly error: DataConnectionError };

interface PassivePreparation {
  readonly mode: 'passive';
  readonly port: number;
  listener: PassiveListener | null;
  state: PassiveState;
  foreignRefused: boolean;
  readonly lifetime: NodeJS.Timeout;
  /** The transfer command that waits: told of each change of `state`. */
  changed: (() => void) | null;
}

type Preparation =
  PassivePreparation | { readonly mode: 'active'; readonly address: string; readonly port: number };

/** Data connections of `session`; `close` belongs to the session's end. */
export function createDataConnections(session: FtpSession): DataConnections {
  return new SessionDataConnections(session);
}

class SessionDataConnections implements DataConnections {
  readonly #session: FtpSession;
  #preparation: Preparation | null = null;
  #open: { readonly mode: 'passive' | 'active'; readonly socket: Socket } | null = null;
  #connecting: ActiveConnect | null = null;
  #closed = false;

  constructor(session: FtpSession) {
    this.#session = session;
  }

  get prepared(): 'none' | 'passive' | 'active' {
    return this.#preparation?.mode ?? 'none';
  }

  get endpoint(): DataConnections['endpoint'] {
    const open = this.#open;
    if (open !== null && !open.socket.destroyed) {
      const { remoteAddress = '', remotePort = 0, localPort = 0 } = open.socket;
      const port = open.mode === 'passive' ? localPort : remotePort;
      return { mode: open.mode, address: normaliseAddress(remoteAddress) ?? remoteAddress, port };
    }
    const preparation = this.#preparation;
    if (preparation === null) return null;
    const address = preparation.mode === 'active' ? preparation.address : this.#localAddress();
    return { mode: preparation.mode, address, port: preparation.port };
  }

  async listen(): Promise<number | null> {
    this.#discard();
    const { passivePorts, passivePortsExhausted, socketOptions } = this.#session.settings;
    // The listener reports to the preparation that is made for it in this same turn.
    const target: { preparation: PassivePreparation | null; broken: boolean } = {
      preparation: null,
      broken: false,
    };
    const listener = await listenPassive({
      host: this.#localAddress(),
      range: passivePorts,
      whenExhausted: passivePortsExhausted,
      sizes: socketOptions,
      onExhausted: () => this.#logExhausted(),
      admits: (peer) => this.#admits(peer, target.preparation),
      onConnection: (socket) => this.#accepted(socket, target.preparation),
      onError: () => {
        target.broken = true;
        settle(target.preparation, failed('Address already in use'));
      },
    });
    if (listener === null) return null;
    if (this.#closed || target.broken) {
      listener.close();
      return null;
    }
    this.#discard();
    target.preparation = {
      mode: 'passive',
      port: listener.port,
      listener,
      state: { kind: 'waiting' },
      foreignRefused: false,
      lifetime: setTimeout(() => this.#discard(), LISTENER_LIFETIME_MS),
      changed: null,
    };
    this.#preparation = target.preparation;
    this.#trace(5, () => `listening on ${this.#localAddress()} port ${listener.port}`);
    return listener.port;
  }

  connectTo(address: string, port: number): void {
    this.#discard();
    this.#preparation = { mode: 'active', address, port };
    this.#trace(5, () => `will connect to ${address} port ${port}`);
  }

  async open(): Promise<Socket> {
    const preparation = this.#preparation;
    const passive = preparation?.mode === 'passive';
    const socket = passive ? await this.#openPassive(preparation) : await this.#openActive(preparation);
    if (this.#closed) {
      socket.destroy();
      throw new DataConnectionError('Connection reset by peer');
    }
    this.#applySocketOptions(socket);
    this.#open = { mode: passive ? 'passive' : 'active', socket };
    this.#trace(4, () => {
      const from = `${socket.localAddress ?? '-'} port ${socket.localPort ?? 0}`;
      return `${passive ? 'passive' : 'active'} connection of ${from} with ${socket.remoteAddress ?? '-'} port ${socket.remotePort ?? 0}`;
    });
    return socket;
  }

  cancel(): void {
    this.#discard();
    this.#connecting?.cancel();
  }

  release(): void {
    this.#open = null;
  }

  close(): void {
    this.#closed = true;
    this.cancel();
    this.#open?.socket.destroy();
    this.#open = null;
  }

  async #openPassive(preparation: PassivePreparation): Promise<Socket> {
    clearTimeout(preparation.lifetime);
    try {
      if (preparation.state.kind === 'waiting') await waitForPeer(preparation);
      const { state } = preparation;
      if (state.kind === 'connected') return state.socket;
      throw state.kind === 'failed' ? state.error : new DataConnectionError('Connection timed out');
    } finally {
      // One preparation serves one transfer.
      if (preparation.state.kind !== 'connected') release(preparation);
      if (this.#preparation === preparation) this.#preparation = null;
    }
  }

  async #openActive(preparation: Preparation | null): Promise<Socket> {
    const { facts } = this.#session.context;
    const target =
      preparation?.mode === 'active'
        ? preparation
        : { address: normaliseAddress(facts.remoteAddress) ?? facts.remoteAddress, port: facts.remotePort };
    this.#preparation = null;
    try {
      const bound = await this.#privilegedSource();
      if (this.#closed) {
        bound?.close();
        throw new DataConnectionError('Connection reset by peer');
      }
      this.#connecting = connectActive({
        address: target.address,
        port: target.port,
        localAddress: this.#localAddress(),
        bound,
        sizes: this.#session.settings.socketOptions,
        timeoutMs: CONNECT_TIMEOUT_MS,
      });
      return await this.#connecting.socket;
    } catch (error) {
      if (error instanceof DataConnectionError) throw error;
      throw new DataConnectionError(connectReason(error), { cause: error });
    } finally {
      this.#connecting = null;
    }
  }

  /** Source port L-1 only where the server kept its privileges (RootRevoke off) and the port is a low one. */
  async #privilegedSource(): Promise<BoundSocket | null> {
    const { rootRevoke } = this.#session.settings;
    const port = this.#session.context.facts.localPort - 1;
    if (rootRevoke !== 'off' || port < 1 || port >= 1024) return null;
    return this.#session.context.services.bindLowPort(this.#localAddress(), port);
  }

  #admits(peer: string, preparation: PassivePreparation | null): boolean {
    if (admitsDataAddress(this.#session, peer)) return true;
    const own = this.#session.context.facts.remoteAddress;
    this.#session.context.log.system(
      'notice',
      `SECURITY VIOLATION: Passive connection from foreign IP address ${normaliseAddress(peer) ?? peer} rejected ` +
        `(does not match client IP address ${normaliseAddress(own) ?? own}).`,
    );
    if (preparation !== null) {
      preparation.foreignRefused = true;
      preparation.changed?.();
    }
    return false;
  }

  #accepted(socket: Socket, preparation: PassivePreparation | null): void {
    // Errors before a transfer uses the socket show as its state; without a listener they would be uncaught.
    socket.on('error', () => socket.destroy());
    if (preparation === null || preparation !== this.#preparation) {
      socket.destroy();
      return;
    }
    preparation.listener = null;
    settle(preparation, { kind: 'connected', socket });
  }

  #applySocketOptions(socket: Socket): void {
    receiveCopies(socket);
    const { tcpNoDelay, socketOptions } = this.#session.settings;
    if (!tcpNoDelay) socket.setNoDelay(false);
    keepAlive(socket, socketOptions);
  }

  #discard(): void {
    const preparation = this.#preparation;
    this.#preparation = null;
    if (preparation?.mode !== 'passive') return;
    const { state } = preparation;
    release(preparation);
    if (state.kind === 'connected') state.socket.destroy();
    else settle(preparation, failed('Connection reset by peer'));
  }

  #logExhausted(): void {
    const range = this.#session.settings.passivePorts;
    const span = range === null ? '' : ` ${range.min}-${range.max}`;
    this.#session.context.log.system(
      'warn',
      `unable to find open port in PassivePorts range${span}: defaulting to INPORT_ANY ` +
        '(consider defining a larger PassivePorts range)',
    );
  }

  #trace(level: number, text: () => string): void {
    this.#session.context.log.trace('data', level, text);
  }

  #localAddress(): string {
    const { localAddress } = this.#session.context.facts;
    return normaliseAddress(localAddress) ?? localAddress;
  }
}

/** Resolves when the state changed for good, a stranger's grace ran out, or the wait did. */
function waitForPeer(preparation: PassivePreparation): Promise<void> {
  return new Promise((resolve) => {
    let timer = setTimeout(finish, preparation.foreignRefused ? FOREIGN_GRACE_MS : OPEN_TIMEOUT_MS);
    let inGrace = preparation.foreignRefused;
    preparation.changed = () => {
      if (preparation.state.kind !== 'waiting') finish();
      else if (preparation.foreignRefused && !inGrace) {
        inGrace = true;
        clearTimeout(timer);
        timer = setTimeout(finish, FOREIGN_GRACE_MS);
      }
    };
    function finish(): void {
      clearTimeout(timer);
      preparation.changed = null;
      if (preparation.state.kind === 'waiting' && preparation.foreignRefused) {
        preparation.state = failed('Operation not permitted');
      }
      resolve();
    }
  });
}

function settle(preparation: PassivePreparation | null, state: PassiveState): void {
  if (preparation === null || preparation.state.kind !== 'waiting') return;
  preparation.state = state;
  preparation.changed?.();
}

function failed(reason: string): PassiveState {
  return { kind: 'failed', error: new DataConnectionError(reason) };
}

function release(preparation: PassivePreparation): void {
  clearTimeout(preparation.lifetime);
  preparation.listener?.close();
  preparation.listener = null;
}

const reasonByCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  ECONNABORTED: 'Software caused connection abort',
  ETIMEDOUT: 'Connection timed out',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EMFILE: 'Too many open files',
  ENFILE: 'Too many open files in system',
};

function connectReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return reasonByCode[code] ?? 'Operation not permitted';
}
