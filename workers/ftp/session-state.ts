/**
 * What an FTP session is between two commands: configuration in force, login, parameters, connections. The loop that
 * serves commands (ftp-session.ts) extends it; commands see it as FtpSession.
 */
import type { EffectiveConfig, PathConfig } from '../../src/config/effective-config.ts';
import { applicableValues } from '../../src/config/name-expression.ts';
import type { Settings } from '../../src/config/server-config.ts';
import type { SessionContext } from '../session/session-context.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { VirtualFileSystem, VirtualPath } from '../vfs/types.ts';
import type { FtpCommand } from './command.ts';
import { ftpCommands } from './commands/index.ts';
import { SocketControlConnection } from './control-connection.ts';
import { createDataConnections } from './data-connection.ts';
import { MLST_FACT_NAMES, selectFacts } from './fact-names.ts';
import type {
  ActiveTransfer,
  DataConnections,
  FtpSession,
  LoggedDetails,
  LoginState,
  SessionProtection,
} from './session-types.ts';
import { SessionTimers, type TimeoutKind } from './timers.ts';
import { createSessionProtection } from './tls/session-protection.ts';
import type { Reply } from './wire/reply.ts';

export abstract class SessionState implements FtpSession {
  readonly context: SessionContext;
  readonly control: SocketControlConnection;
  readonly protection: SessionProtection;
  readonly data: DataConnections;
  readonly commands: ReadonlyMap<string, FtpCommand> = ftpCommands;
  transferType: 'ascii' | 'binary';
  restartOffset = 0;
  range: { readonly start: number; readonly end: number } | null = null;
  renameFrom: VirtualPath | null = null;
  requestedHost: string | null = null;
  epsvAll = false;
  mlstFacts: readonly string[];
  utf8: boolean;
  logged: LoggedDetails = noDetails();

  protected readonly timers: SessionTimers;

  #config: EffectiveConfig;
  #login: LoginState = { kind: 'new' };
  #transfer: ActiveTransfer | null = null;
  #directory: {
    readonly path: VirtualPath;
    readonly of: EffectiveConfig;
    readonly config: PathConfig;
  } | null = null;
  #controlBytes = { received: 0, sent: 0 };

  constructor(context: SessionContext) {
    this.context = context;
    this.#config = context.config;
    this.#traceConfig();
    const { settings } = context.config;
    this.transferType = settings.defaultTransferMode;
    this.mlstFacts = defaultFacts(settings);
    this.utf8 = settings.useEncoding;
    this.control = new SocketControlConnection(context.socket, settings.commandBufferSize, {
      onActivity: () => this.noteActivity(),
    });
    this.protection = createSessionProtection(this);
    this.data = createDataConnections(this);
    this.timers = new SessionTimers({
      isTransferring: () => this.#transfer !== null,
      expired: (kind, seconds) => this.timedOut(kind, seconds),
    });
  }

  /** The control connection has something to look at. */
  protected abstract noteActivity(): void;
  protected abstract timedOut(kind: TimeoutKind, seconds: number): void;
  abstract reply(value: Reply): Promise<boolean>;
  abstract end(reason: 'quit' | 'protocol-error' | 'policy' | 'timeout', detail?: string | null): void;

  get config(): EffectiveConfig {
    return this.#config;
  }

  get settings(): Settings {
    return this.#config.settings;
  }

  get login(): LoginState {
    return this.#login;
  }

  get vfs(): VirtualFileSystem {
    if (this.#login.kind !== 'logged-in') throw new Error('a command asked for files before login');
    return this.#login.vfs;
  }

  get activeTransfer(): ActiveTransfer | null {
    return this.#transfer;
  }

  set activeTransfer(transfer: ActiveTransfer | null) {
    this.#transfer = transfer;
    // Bytes that came before the transfer was known may hold an ABOR already.
    if (transfer === null) this.timers.transferred();
    else queueMicrotask(() => this.noteActivity());
  }

  get directoryConfig(): PathConfig {
    const config = this.#config;
    if (this.#login.kind !== 'logged-in') return config;
    const path = this.#login.vfs.cwd;
    if (this.#directory?.path !== path || this.#directory.of !== config) {
      this.#directory = { path, of: config, config: this.#readDirectoryConfig(this.#login.vfs) };
    }
    return this.#directory.config;
  }

  noteTransfer(): void {
    this.timers.transferred();
  }

  useConfig(config: EffectiveConfig): void {
    const before = this.settings;
    this.#config = config;
    const { settings } = config;
    this.control.setCommandLimit(settings.commandBufferSize);
    // What the client chose itself (OPTS, TYPE) stays unless the configuration says something new about it.
    if (settings.defaultTransferMode !== before.defaultTransferMode)
      this.transferType = settings.defaultTransferMode;
    if (settings.factsDefault !== before.factsDefault) this.mlstFacts = defaultFacts(settings);
    if (settings.useEncoding !== before.useEncoding) this.utf8 = settings.useEncoding;
    this.applyEnvironment();
    this.context.configChanged(config);
    this.#traceConfig();
    if (this.#login.kind === 'logged-in') this.#login.vfs.useConfig(config);
    this.protection.configChanged();
  }

  setLogin(state: LoginState): void {
    this.#login = state;
    if (state.kind !== 'logged-in') return;
    const { settings, principal } = this.#config;
    const session = applicableValues(settings.timeoutSession, principal)[0];
    this.context.log.trace(
      'timer',
      7,
      () =>
        `TimeoutIdle ${settings.timeoutIdle}, TimeoutNoTransfer ${settings.timeoutNoTransfer}, ` +
        `TimeoutSession ${session ?? 0} seconds`,
    );
    this.timers.loggedIn(settings.timeoutIdle, settings.timeoutNoTransfer, session ?? 0);
  }

  /** Which sections are in force, after connect and whenever that changes. */
  #traceConfig(): void {
    const { log } = this.context;
    log.trace('config', 5, () => {
      const { server, virtualHost, principal, anonymous } = this.#config;
      const who = `user ${principal.user ?? '-'}, groups ${principal.groups.join(',') || '-'}`;
      const section = anonymous === null ? '' : `, <Anonymous ${anonymous.root}>`;
      const { serverName } = this.settings;
      return `configuration ${server.version}: server '${serverName}' (${virtualHost.id}), class ${principal.className ?? '-'}, ${who}${section}`;
    });
  }

  /** SetEnv and UnsetEnv of the configuration in force; the most specific comes first. Empty hides the process's own. */
  protected applyEnvironment(): void {
    const { environment } = this.context.facts;
    for (const { name, value } of this.settings.setEnv.toReversed()) environment.set(name, value ?? '');
  }

  #readDirectoryConfig(vfs: VirtualFileSystem): PathConfig {
    try {
      const found = vfs.configFor(vfs.cwd);
      this.context.log.trace('config', 8, () => {
        const own = found.settings === this.settings ? 'those of the session' : 'of its own';
        return `directory '${vfs.cwd}': settings ${own}, ${found.limitLevels.length} levels of <Limit>`;
      });
      return found;
    } catch (error) {
      // The directory is gone or locked away: what holds for the session holds here.
      if (error instanceof FsError) return this.#config;
      throw error;
    }
  }

  /** Control bytes count as raw bytes of the session; the data connections add theirs themselves. */
  protected countControlBytes(): void {
    const { facts, socket } = this.context;
    const { bytesRead, bytesWritten } = socket;
    facts.rawBytesIn += bytesRead - this.#controlBytes.received;
    facts.rawBytesOut += bytesWritten - this.#controlBytes.sent;
    this.#controlBytes.received = bytesRead;
    this.#controlBytes.sent = bytesWritten;
  }
}

export function noDetails(): LoggedDetails {
  return { realPath: null, clientPath: null, renameFrom: null, transfer: null };
}

function defaultFacts(settings: Settings): readonly string[] {
  return settings.factsDefault === null ? MLST_FACT_NAMES : selectFacts(settings.factsDefault);
}
