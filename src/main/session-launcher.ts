/** From an accepted socket to a running session actor, and what follows when the session is over. */
import type { Socket } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import type { SessionControl, SessionEnd, TransferReport } from '../actor/messages.ts';
import { connectCalls, serveCalls } from '../actor/rpc.ts';
import { normaliseAddress } from '../config/address-pattern.ts';
import { selectVirtualHost } from '../config/listeners.ts';
import type { ListenerConfig, ServerConfig, VirtualHost } from '../config/server-config.ts';
import { admitConnection, ConnectionRate } from './admission.ts';
import { settingsAtLogin, settingsOfHost } from './config-settings.ts';
import type { DaemonLog } from './daemon-log.ts';
import { createMainServices, type Authenticator } from './main-services.ts';
import type { SessionPool } from './session-pool.ts';
import type { SessionEntry, SessionRegistry } from './session-registry.ts';

/** Said by main itself, on a socket that no actor has touched. */
const FULL_REPLY = '421 Service not available, the server is full; please try again later\r\n';
/** How long a peer may take to accept that line. */
const REFUSAL_LINGER_MS = 2_000;
/** SessionControl calls only start something in the actor, so a healthy one answers at once. */
const CONTROL_DEADLINE_MS = 5_000;

export interface LauncherOptions {
  readonly registry: SessionRegistry;
  readonly pool: SessionPool;
  readonly auth: Authenticator;
  readonly log: DaemonLog;
  readonly currentConfig: () => ServerConfig;
  readonly configOf: (version: number) => ServerConfig | undefined;
  readonly reportsTransfers: () => boolean;
  readonly onLogin: (session: SessionEntry) => void;
  readonly onTransfer: (session: SessionEntry, report: TransferReport) => void;
  /** Every session that reached a worker, however it ended; `lost` is set when its worker died. */
  readonly onEnd: (session: SessionEntry, end: SessionEnd, lost: Error | null) => void;
}

interface Endpoints {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

export class SessionLauncher {
  readonly #options: LauncherOptions;
  readonly #rate = new ConnectionRate();

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** Takes one accepted, untouched socket. Never throws. */
  accept(socket: Socket, listener: ListenerConfig): void {
    const endpoints = endpointsOf(socket);
    // The peer is gone already: accept(2) succeeded, but there is nobody to talk to.
    if (endpoints === null) return void socket.destroy();

    const { registry, pool, log } = this.#options;
    const config = this.#options.currentConfig();
    const host = selectVirtualHost(config, listener.id, endpoints.localAddress);
    const verdict = admitConnection(
      {
        remoteAddress: endpoints.remoteAddress,
        virtualHost: host?.id ?? null,
        settings: settingsOfHost(config, host?.id ?? 0),
        serverSettings: settingsOfHost(config, 0),
        now: Date.now(),
      },
      registry,
      this.#rate,
    );
    if (verdict.kind !== 'serve') log.client('notice', endpoints.remoteAddress, verdict.log);
    if (verdict.kind === 'close') return void socket.destroy();
    if (pool.isFull) {
      log.client(
        'notice',
        endpoints.remoteAddress,
        'all session workers are full, new connection refused with 421',
      );
      return refuseFull(socket);
    }
    this.#start(socket, listener, config, host, endpoints, verdict.kind === 'refuse' ? verdict.reply : null);
  }

  #start(
    socket: Socket,
    listener: ListenerConfig,
    config: ServerConfig,
    host: VirtualHost | null,
    endpoints: Endpoints,
    refusal: string | null,
  ): void {
    const { registry, pool } = this.#options;
    const { port1: port, port2: workerPort } = new MessageChannel();
    const connectedAt = Date.now();
    const session: SessionEntry = {
      id: registry.allocateId(),
      ...endpoints,
      configVersion: config.version,
      virtualHost: host?.id ?? null,
      connectedAt,
      counters: new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT),
      control: connectCalls<SessionControl>(port, {
        drain: CONTROL_DEADLINE_MS,
        disconnect: CONTROL_DEADLINE_MS,
      }),
      port,
      phase: { kind: 'connected' },
      transfer: null,
    };
    registry.add(session);
    this.#serve(session);
    pool
      .run({
        sessionId: session.id,
        socket,
        port: workerPort,
        configVersion: config.version,
        listenerId: listener.id,
        acceptedAt: connectedAt,
        ...endpoints,
        currentClients: registry.size,
        refusal,
        counters: session.counters,
        reportsTransfers: this.#options.reportsTransfers(),
      })
      .then(
        (end) => this.#finish(session, end, null),
        (error: Error) => {
          // The task may never have reached the worker; then the socket is still ours.
          socket.destroy();
          this.#finish(session, lostEnd(session), error);
        },
      );
  }

  #serve(session: SessionEntry): void {
    const { registry, auth, log, configOf, onLogin, onTransfer } = this.#options;
    const services = createMainServices({
      session,
      registry,
      auth,
      configOf,
      settingsFor: settingsAtLogin,
      log: (level, text) => log.client(level, session.remoteAddress, text),
      onLogin,
      onTransfer,
    });
    serveCalls(session.port, services, (method, error) =>
      log.failure(`session ${session.id}: ${method} failed`, error),
    );
  }

  #finish(session: SessionEntry, end: SessionEnd, lost: Error | null): void {
    const { registry, log } = this.#options;
    registry.remove(session.id);
    session.port.close();
    if (lost !== null) {
      const user = end.user === null ? 'not logged in' : `user ${end.user}`;
      log.failure(
        `session ${session.id} of ${session.remoteAddress} (${user}) was lost with its worker`,
        lost,
      );
    }
    this.#options.onEnd(session, end, lost);
  }
}

function endpointsOf(socket: Socket): Endpoints | null {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || localAddress === undefined) return null;
  return {
    remoteAddress: normaliseAddress(remoteAddress) ?? remoteAddress,
    remotePort: remotePort ?? 0,
    localAddress: normaliseAddress(localAddress) ?? localAddress,
    localPort: localPort ?? 0,
  };
}

/** An actor that died cannot count any more; the shared counters still tell the bytes. */
function lostEnd(session: SessionEntry): SessionEnd {
  const counters = new BigInt64Array(session.counters);
  return {
    sessionId: session.id,
    reason: 'error',
    detail: 'worker lost',
    user: session.phase.kind === 'connected' ? null : session.phase.account.user,
    bytesReceived: Number(Atomics.load(counters, 0)),
    bytesSent: Number(Atomics.load(counters, 1)),
    filesReceived: 0,
    filesSent: 0,
  };
}

function refuseFull(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), REFUSAL_LINGER_MS);
  socket.on('close', () => clearTimeout(timer));
  // Reading what the peer sent keeps the close from becoming a reset that swallows the reply.
  socket.resume();
  socket.end(FULL_REPLY);
}
