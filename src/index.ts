/** Embedding: `import { createServer } from 'lockgate'`. */
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { EndReason } from './actor/messages.ts';
import { requireRequestedFips } from './cli/fips-embedded.ts';
import { definesWithFips, fipsEnabledLines, fipsRequest } from './cli/fips-request.ts';
import { optionsToConfig, type ServerOptions } from './server-options.ts';
import { loadConfig } from './config/load-config.ts';
import { MainActor } from './main/main-actor.ts';
import { createStandardAuth, DEFAULT_SESSIONS_PER_WORKER } from './main/standard-parts.ts';
import type { SessionEntry } from './main/session-registry.ts';

export { FipsError } from './cli/fips-error.ts';
export { ConfigError } from './config/config-error.ts';
export { ListenError } from './main/listeners.ts';
export type { EndReason } from './actor/messages.ts';
export type { ServerOptions } from './server-options.ts';

/** Which session an event is about. */
export interface SessionInfo {
  readonly sessionId: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Null before login. */
  readonly user: string | null;
}

export interface TransferInfo extends SessionInfo {
  readonly direction: 'upload' | 'download';
  /** As the client sees it. */
  readonly path: string;
  readonly bytes: number;
  readonly milliseconds: number;
  readonly completed: boolean;
}

export interface LogoutInfo extends SessionInfo {
  readonly reason: EndReason;
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export interface ServerEvents {
  login: [session: SessionInfo];
  /** Of sessions that began after somebody listened: add the listener before `listen()`. */
  transfer: [transfer: TransferInfo];
  /** Every session that ended, logged in or not. */
  logout: [session: LogoutInfo];
  /** An error of the server ended this session; no other noticed. */
  'session-error': [session: SessionInfo, error: Error];
}

/** Where the configuration comes from: a text or a file in ProFTPD's language, or typed options. */
export type CreateServerOptions = EmbeddingOptions &
  (
    | { readonly config: string; readonly file?: never; readonly options?: never }
    | { readonly file: string; readonly config?: never; readonly options?: never }
    | { readonly options: ServerOptions; readonly config?: never; readonly file?: never }
  );

export interface EmbeddingOptions {
  /** Labels for `<IfDefine>`. */
  readonly defines?: readonly string[];
  /** Worker threads; default: LockgateWorkers, else one per core. */
  readonly workers?: number;
  /** Sessions per worker thread; beyond that clients get 421. */
  readonly sessionsPerWorker?: number;
  /** Any free port for every listener; `address()` tells which. */
  readonly anyPort?: boolean;
  /** Readable log lines on standard error. */
  readonly log?: boolean;
  /** Another worker entry, for the tests of this project. */
  readonly workerEntry?: URL;
}

/** A server inside this process. It changes neither user nor umask of the process and handles no signals. */
export class Server extends EventEmitter<ServerEvents> {
  readonly #actor: MainActor;
  #options: CreateServerOptions;

  constructor(options: CreateServerOptions) {
    super();
    this.#options = options;
    const request = fipsRequest(options.defines ?? [], process.env);
    this.#actor = new MainActor({
      load: (version) => this.#load(version),
      createAuth: createStandardAuth,
      consoleDescriptor: options.log === true ? 2 : null,
      debugLevel: 0,
      ownsProcess: false,
      anyPort: options.anyPort ?? false,
      sessionsPerWorker: options.sessionsPerWorker ?? DEFAULT_SESSIONS_PER_WORKER,
      workers: options.workers ?? null,
      fipsLines: request === null ? [] : fipsEnabledLines(request),
      askPassPhrase: null,
      ...(options.workerEntry === undefined ? {} : { workerEntry: options.workerEntry }),
    });
    this.#forwardEvents();
  }

  /** Accepts connections from now on. Rejects with ConfigError, ListenError or, where FIPS mode is asked for, FipsError. */
  async listen(): Promise<void> {
    requireRequestedFips(this.#options.defines ?? [], process.env);
    await this.#actor.start();
  }

  /** Where the first listener accepts connections; null while the server does not listen. */
  address(): AddressInfo | null {
    return this.#actor.addresses[0] ?? null;
  }

  /** All listeners, in the order of the configuration. */
  addresses(): AddressInfo[] {
    return this.#actor.addresses;
  }

  /** Sessions that live now. */
  get sessionCount(): number {
    return this.#actor.registry.size;
  }

  /**
   * Reads the configuration again (or takes a new one of the same kind). Running sessions keep theirs. Rejects when the
   * new one has an error: then the old one stays in force.
   */
  async reload(options?: Pick<CreateServerOptions, 'config' | 'file' | 'options'>): Promise<void> {
    const previous = this.#options;
    if (options !== undefined) {
      const { config: _config, file: _file, options: _options, ...embedding } = previous;
      this.#options = { ...embedding, ...options } as CreateServerOptions;
    }
    try {
      await this.#actor.reload();
    } catch (error) {
      this.#options = previous;
      throw error;
    }
  }

  /** Stops accepting, lets transfers go on for `grace` milliseconds (default 0), then ends every session with 421. */
  async close(options: { readonly grace?: number } = {}): Promise<void> {
    await this.#actor.stop(options.grace ?? 0);
  }

  /** Ends one worker thread as a crash would. Its sessions are lost; the server goes on. For tests. */
  async terminateWorker(index: number): Promise<void> {
    await this.#actor.pool?.terminateWorker(index);
  }

  #load(version: number) {
    const options = this.#options;
    const environment = process.env;
    const common = { version, environment, defines: definesWithFips(options.defines ?? [], environment) };
    if (options.file !== undefined) return loadConfig({ ...common, file: resolve(options.file) });
    const text = options.config ?? optionsToConfig(options.options);
    return loadConfig({ ...common, file: resolve('lockgate.conf'), text });
  }

  #forwardEvents(): void {
    const actor = this.#actor;
    actor.on('login', (session) => this.emit('login', infoOf(session)));
    actor.on('logout', (session, end) =>
      this.emit('logout', {
        ...infoOf(session),
        reason: end.reason,
        bytesReceived: end.bytesReceived,
        bytesSent: end.bytesSent,
      }),
    );
    actor.on('session-error', (session, error) => this.emit('session-error', infoOf(session), error));
    // Workers report transfers only where somebody listens.
    this.on('newListener', (event) => {
      if (event !== 'transfer' || actor.listenerCount('transfer') > 0) return;
      actor.on('transfer', (session, report) => {
        const { direction, path, bytes, milliseconds, completed } = report;
        this.emit('transfer', { ...infoOf(session), direction, path, bytes, milliseconds, completed });
      });
    });
  }
}

/** A server with this configuration; `listen()` starts it. */
export function createServer(options: CreateServerOptions): Server {
  return new Server(options);
}

function infoOf(session: SessionEntry): SessionInfo {
  return {
    sessionId: session.id,
    remoteAddress: session.remoteAddress,
    remotePort: session.remotePort,
    user: session.phase.kind === 'connected' ? null : session.phase.account.user,
  };
}
