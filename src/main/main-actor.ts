/**
 * The main actor: owns the listening sockets, the running configuration and every decision that concerns more than one
 * session. Sessions themselves live in worker threads.
 */
import { EventEmitter, once } from 'node:events';
import { stat } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { fipsLogLine } from '../../crypto/fips-attestation.ts';
import { fipsMode } from '../../crypto/fips-module.ts';
import type { FipsProbeError } from '../../crypto/fips-probes.ts';
import type { SessionEnd, TransferReport } from '../actor/messages.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { listenerOfConnection } from '../config/listeners.ts';
import type { ListenerConfig, ServerConfig, Settings } from '../config/server-config.ts';
import { canSwitchCredentials } from '../util/thread-credentials.ts';
import { LOCKGATE_VERSION, PROFTPD_VERSION } from '../version.ts';
import { CertificateService } from './certificate-service.ts';
import { ConfigVersions } from './config-versions.ts';
import { settingsOfHost } from './config-settings.ts';
import { createDaemonLog, type DaemonLog } from './daemon-log.ts';
import { ListenerSet, releaseBound } from './listener-set.ts';
import type { Authenticator } from './main-services.ts';
import { raiseOpenFilesLimit } from './open-files-limit.ts';
import { applyEnvironment } from './process-environment.ts';
import { discardConfig, prepareConfig, type AskPassPhrase, type PreparedConfig } from './prepare-config.ts';
import { asRoot, becomeServerUser, type ProcessIdentity } from './privileged.ts';
import { SessionLauncher } from './session-launcher.ts';
import { SessionPool } from './session-pool.ts';
import { SessionRegistry, type SessionEntry } from './session-registry.ts';

export interface MainActorOptions {
  /** Reads and validates the configuration; called at start and at every reload. Throws ConfigError. */
  readonly load: (version: number) => Promise<LoadedConfig>;
  readonly createAuth: (log: DaemonLog, onFipsFailure: (error: FipsProbeError) => void) => Authenticator;
  /** Descriptor for readable log lines (foreground), or null. */
  readonly consoleDescriptor: number | null;
  readonly debugLevel: number;
  /** The process is ours: umask, user and limits may be changed. False when embedded. */
  readonly ownsProcess: boolean;
  /** Any free port instead of the configured ones. */
  readonly anyPort: boolean;
  readonly sessionsPerWorker: number;
  /** Overrides LockgateWorkers. */
  readonly workers: number | null;
  /** Asks for pass phrases of encrypted keys, at start only; null where nobody is there to answer. */
  readonly askPassPhrase: AskPassPhrase | null;
  /** Another worker runs this module instead of the session actor (tests). */
  readonly workerEntry?: URL;
  /** Lines of the server log that say in whose name FIPS mode is on; empty: nobody asked for it. */
  readonly fipsLines?: readonly string[];
  /** Ports are bound and root is still there: the moment to write PidFile. A throw ends the start. */
  readonly beforeUser?: (settings: Settings) => void;
  /** Connections are accepted; STARTUP is logged behind it, so whoever waits for that line may send signals. */
  readonly onListening?: () => void;
  /** The server had to stop by itself, and has: a thread is not in the FIPS mode the server is in. */
  readonly onFatal?: () => void;
}

/** What embedders and tests can listen to. */
export interface MainActorEvents {
  login: [session: SessionEntry];
  transfer: [session: SessionEntry, report: TransferReport];
  logout: [session: SessionEntry, end: SessionEnd];
  'session-error': [session: SessionEntry, error: Error];
  /** A listener or worker failed outside any session; logged already. */
  trouble: [error: Error];
}

const VERSION_TEXT = `ProFTPD ${PROFTPD_VERSION} (Lockgate ${LOCKGATE_VERSION})`;
const SHUTDOWN_TEXT = 'FTP server shutting down';
/** From the end of the grace period to the end of the worker threads. */
const LAST_WORDS_MS = 300;

/** What exists between start and stop. */
interface Running {
  readonly pool: SessionPool;
  readonly auth: Authenticator;
  readonly launcher: SessionLauncher;
}

export class MainActor extends EventEmitter<MainActorEvents> {
  readonly registry = new SessionRegistry();
  readonly log: DaemonLog;
  readonly #options: MainActorOptions;
  readonly #versions = new ConfigVersions(this.registry);
  readonly #listeners: ListenerSet;
  readonly #passPhrases = new Map<string, string>();
  readonly #certificates: CertificateService;
  #started = false;
  #pool: SessionPool | null = null;
  #running: Running | null = null;
  #identity: ProcessIdentity = { kind: 'ordinary', uid: process.geteuid?.() ?? -1 };
  #reloading: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  constructor(options: MainActorOptions) {
    super();
    this.#options = options;
    this.log = createDaemonLog(options.debugLevel > 0 ? 'debug' : 'info');
    this.#certificates = new CertificateService({
      log: this.log,
      identity: () => this.#identity,
      passPhrases: this.#passPhrases,
      nextVersion: () => this.#versions.nextVersion(),
      onChange: () => void this.refreshCertificates(),
    });
    this.#listeners = new ListenerSet(
      {
        onConnection: (socket, listener) => this.#running!.launcher.accept(socket, listener.config),
        onError: (error) => this.#trouble('a connection could not be accepted', error),
        onNotice: (text) => this.log.daemon('notice', text),
      },
      options.anyPort,
    );
  }

  get config(): ServerConfig {
    return this.#versions.current;
  }

  /** Settings of the main server. */
  get settings(): Settings {
    return settingsOfHost(this.config, 0);
  }

  /** Where the server accepts connections, in the order of the configuration. */
  get addresses(): AddressInfo[] {
    return this.#listeners.addresses;
  }

  get identity(): ProcessIdentity {
    return this.#identity;
  }

  /** Null before start and after stop. */
  get pool(): SessionPool | null {
    return this.#pool;
  }

  /**
   * Binds, opens logs and keys, gives up root, waits for the workers, then accepts. Throws ConfigError or ListenError;
   * everything opened so far is closed then.
   */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const loaded = await this.#options.load(this.#versions.nextVersion());
    const settings = settingsOfHost(loaded.config, 0);
    // libuv's pool threads inherit the credentials of whoever starts them; any asynchronous file call does it.
    await stat('/');
    if (this.#options.ownsProcess) applyEnvironment(settings);
    const pool = this.#startPool(settings);
    const bound = this.#listeners.bindMissing(this.#wantedListeners(loaded.config), settings);
    try {
      const prepared = await this.#prepare(loaded, this.#options.askPassPhrase);
      const openFiles = this.#options.ownsProcess ? await this.#takeProcess(settings, prepared) : null;
      const auth = this.#options.createAuth(this.log, (error) => this.#fipsFailed(error));
      this.#running = { pool, auth, launcher: this.#createLauncher(pool, auth) };
      this.#adopt(prepared);
      await pool.ready;
      if (fipsMode() !== 'off') {
        await auth.ready;
        for (const line of this.#options.fipsLines ?? []) this.log.daemon('notice', line);
        this.log.daemon('notice', fipsLogLine(pool.threadCount, new Date()));
      }
      await this.#listeners.open(bound, settings);
      this.#started = true;
      this.#options.onListening?.();
      if (!this.#isInetd(settings)) this.#announce(openFiles);
    } catch (error) {
      releaseBound(bound);
      throw error;
    }
  }

  /** ServerType inetd: serves one connection that somebody else accepted. False when it was closed at once. */
  serveConnection(socket: Socket): boolean {
    const listener = listenerOfConnection(this.config, socket.localAddress ?? '', socket.localPort ?? 0);
    if (listener === null) socket.destroy();
    else this.#running!.launcher.accept(socket, listener);
    return this.registry.size > 0;
  }

  /** Embedded, the server always listens: standard input belongs to the process around it. */
  #isInetd(settings: Settings): boolean {
    return this.#options.ownsProcess && settings.serverType === 'inetd';
  }

  #wantedListeners(config: ServerConfig): readonly ListenerConfig[] {
    return this.#isInetd(settingsOfHost(config, 0)) ? [] : config.listeners;
  }

  /**
   * Reads the configuration again. Running sessions keep theirs. A configuration with an error changes nothing: the
   * error is logged and thrown.
   */
  reload(): Promise<void> {
    const next = this.#reloading.then(() => this.#reload());
    this.#reloading = next.catch(() => undefined);
    return next;
  }

  async #reload(): Promise<void> {
    if (this.#stopping !== null) return;
    this.log.daemon('notice', 'received SIGHUP -- master server reparsing configuration file');
    try {
      const loaded = await this.#options.load(this.#versions.nextVersion());
      const settings = settingsOfHost(loaded.config, 0);
      const prepared = await this.#prepare(loaded, null);
      try {
        const bound = asRoot(this.#identity, () =>
          this.#listeners.bindMissing(this.#wantedListeners(loaded.config), settings),
        );
        await this.#listeners.open(bound, settings);
      } catch (error) {
        discardConfig(prepared);
        throw error;
      }
      this.#adopt(prepared);
      this.#listeners.retain(loaded.config.listeners);
    } catch (error) {
      this.log.failure('the new configuration is not used, the old one stays in force', error);
      throw error;
    }
  }

  /**
   * Takes certificate files that changed since they were read; called by itself when they do. Running sessions keep what
   * they have. Never rejects: what cannot be used is logged.
   */
  refreshCertificates(): Promise<void> {
    const next = this.#reloading.then(() => this.#refreshCertificates());
    this.#reloading = next;
    return next;
  }

  async #refreshCertificates(): Promise<void> {
    if (this.#stopping !== null || this.#running === null) return;
    try {
      const prepared = await this.#certificates.refresh(this.config);
      if (prepared !== null) this.#adopt(prepared);
    } catch (error) {
      this.log.failure('changed certificate files are not used, the old ones stay in force', error);
    }
  }

  /** Stops accepting, tells every session, and ends. `graceMs`: how long running transfers may go on. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#listeners.closeAll();
    const ended = this.#sessionsEnded(graceMs + LAST_WORDS_MS);
    for (const session of this.registry.all()) {
      // A session that ends or hangs meanwhile is no reason to wait: the deadline below ends it.
      session.control
        .drain(SHUTDOWN_TEXT, graceMs)
        .catch((error: unknown) => this.log.daemon('debug', String(error)));
    }
    await ended;
    await this.#reloading;
    if (this.#running !== null && !this.#isInetd(this.settings))
      this.log.daemon('notice', `${VERSION_TEXT} standalone mode SHUTDOWN`);
    await this.#release();
  }

  /** Resolves when no session is left, or after `timeoutMs`. */
  async #sessionsEnded(timeoutMs: number): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (this.registry.size > 0 && !signal.aborted) {
      // Rejects when the time is over; the loop's condition sees it.
      await once(this, 'logout', { signal }).catch(() => undefined);
    }
  }

  async #release(): Promise<void> {
    this.#listeners.closeAll();
    const running = this.#running;
    this.#running = null;
    await this.#pool?.destroy();
    this.#pool = null;
    await running?.auth.close();
    this.#certificates.close();
    this.#versions.closeAll();
  }

  #startPool(settings: Settings): SessionPool {
    this.#pool = new SessionPool({
      workers: this.#isInetd(settings) ? 1 : Math.max(1, this.#options.workers ?? settings.workers),
      sessionsPerWorker: this.#options.sessionsPerWorker,
      workerData: {
        logLevel: this.#options.debugLevel > 0 ? 'debug' : 'info',
        fips: fipsMode() !== 'off',
      },
      onFipsFailure: (error) => this.#fipsFailed(error),
      onWorkerError: (error) => this.#trouble('a session worker failed and is replaced', error),
      ...(this.#options.workerEntry === undefined ? {} : { entry: this.#options.workerEntry }),
    });
    return this.#pool;
  }

  async #prepare(loaded: LoadedConfig, askPassPhrase: AskPassPhrase | null): Promise<PreparedConfig> {
    const { consoleDescriptor } = this.#options;
    const prepared = await prepareConfig(loaded, {
      identity: this.#identity,
      consoleDescriptor,
      passPhrases: this.#passPhrases,
      askPassPhrase,
    });
    try {
      return await this.#certificates.withStaples(prepared);
    } catch (error) {
      discardConfig(prepared);
      throw error;
    }
  }

  /** The process becomes the server's own: limits, umask, user. Returns how many files may be open. */
  async #takeProcess(settings: Settings, prepared: PreparedConfig): Promise<number | null> {
    try {
      const files = await raiseOpenFilesLimit(settings.rLimitOpenFiles);
      this.#options.beforeUser?.(settings);
      // Modes of new files are complete: session threads apply Umask themselves.
      process.umask(0);
      this.#identity = becomeServerUser(settings);
      return files;
    } catch (error) {
      discardConfig(prepared);
      throw error;
    }
  }

  #adopt(prepared: PreparedConfig): void {
    const config = Object.freeze({ ...prepared.config, actsAsUsers: this.#actsAsUsers() });
    this.#versions.adopt(config);
    this.log.useConfig(config, settingsOfHost(config, 0));
    for (const warning of prepared.warnings) this.log.daemon('warn', warning);
    for (const notice of prepared.notices) this.log.daemon('info', notice);
    this.#running?.auth.openStores(config);
    this.#certificates.adopted(config, prepared.tlsFiles);
  }

  #actsAsUsers(): boolean {
    if (!this.#options.ownsProcess) return canSwitchCredentials();
    return this.#identity.kind === 'acts-as-users';
  }

  #createLauncher(pool: SessionPool, auth: Authenticator): SessionLauncher {
    return new SessionLauncher({
      registry: this.registry,
      pool,
      auth,
      log: this.log,
      currentConfig: () => this.config,
      configOf: (version) => this.#versions.get(version),
      reportsTransfers: () => this.listenerCount('transfer') > 0,
      onLogin: (session) => this.emit('login', session),
      onTransfer: (session, report) => this.emit('transfer', session, report),
      onEnd: (session, end, lost) => {
        auth.forgetSession(session.id);
        if (lost !== null || end.reason === 'error') {
          this.emit('session-error', session, lost ?? new Error(end.detail ?? 'session failed'));
        }
        this.emit('logout', session, end);
        this.#versions.releaseUnused();
      },
    });
  }

  /** Never on in a mode that is not the one asked for. During the start it is the start that fails. */
  #fipsFailed(error: FipsProbeError): void {
    if (!this.#started) return;
    this.#trouble('unable to use FIPS mode, the server stops', error);
    void this.stop(0).then(() => this.#options.onFatal?.());
  }

  #trouble(text: string, error: Error): void {
    this.log.failure(text, error);
    this.emit('trouble', error);
  }

  #announce(openFiles: number | null): void {
    const { log } = this;
    if (openFiles !== null) log.daemon('info', `up to ${openFiles} files may be open at one time`);
    if (!this.#actsAsUsers()) {
      log.daemon(
        'notice',
        `all users share uid ${process.geteuid?.() ?? -1}: this process cannot act as other users`,
      );
    }
    log.daemon('notice', `${VERSION_TEXT} standalone mode STARTUP`);
  }
}
