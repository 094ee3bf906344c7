/**
 * One SSH session from its accepted socket to its end: transport, user authentication, channels, and the clocks and
 * orders that end it. What runs on a channel is given by the session room.
 */
import type { EndReason } from '../../src/actor/messages.ts';
import type { Settings } from '../../src/config/server-config.ts';
import { endReasonText } from '../../src/log/end-reason.ts';
import { setSocketSizes } from '../../src/util/socket-options.ts';
import { activeProfile } from '../../crypto/profile.ts';
import type { HostKey } from '../../crypto/ssh/host-keys.ts';
import { applicableValues } from '../../src/config/name-expression.ts';
import type { ProtocolSession, SessionContext } from '../session/session-context.ts';
import { keepAlive } from '../transfer/keep-alive.ts';
import { SessionTimers, timeoutDirectives, type TimeoutKind } from '../transfer/session-timers.ts';
import { watchClient } from './connection/client-alive.ts';
import { Connection } from './connection/connection.ts';
import { recordOfMessage } from './message-records.ts';
import { serverVersion } from './server-version.ts';
import { algorithmLines, negotiationLine, noteAlgorithms, noteClient } from './session-environment.ts';
import type { ChannelServices } from './ssh-channel.ts';
import type { SshSession } from './ssh-types.ts';
import { configuredGroups } from './transport/group-choice.ts';
import type { AgreedAlgorithms } from './transport/negotiation.ts';
import { ProtocolViolation } from './transport/protocol-violation.ts';
import { serverHostKeys } from './transport/server-host-keys.ts';
import { TransferWatch } from './transfer-watch.ts';
import { SshTransport } from './transport/ssh-transport.ts';
import type { TransportHooks } from './transport/transport-types.ts';
import { createUserauth, type EnteredSession, type Userauth } from './userauth/userauth.ts';
import { DisconnectCode } from './wire/message-numbers.ts';
import type { ClientVersion } from './wire/version-line.ts';

interface Outcome {
  readonly reason: EndReason;
  readonly detail: string | null;
}

/** Under FIPS what was negotiated is what an auditor looks for, so SyslogLevel's default shows it. */
const NEGOTIATION_LEVEL = activeProfile().fips ? 'notice' : 'info';

const TIMEOUT_TEXTS: Readonly<Record<TimeoutKind, string>> = {
  login: 'Login timeout',
  idle: 'Idle timeout',
  'no-transfer': 'No transfer timeout',
  session: 'Session timeout',
};

/** SSH on one accepted socket; `run` greets, serves and closes it. */
export function createSshSession(context: SessionContext, services: ChannelServices): ProtocolSession {
  return new SshProtocolSession(context, services);
}

/** Tests put a user authentication of their own in the place of the real one. */
export type UserauthFactory = typeof createUserauth;

export class SshProtocolSession implements ProtocolSession {
  readonly #context: SessionContext;
  readonly #services: ChannelServices;
  readonly #createUserauth: UserauthFactory;
  readonly #timers: SessionTimers;
  readonly #transfers: TransferWatch;
  readonly #over = Promise.withResolvers<void>();
  #settings: Settings;
  #transport: SshTransport | null = null;
  #userauth: Userauth | null = null;
  #connection: Connection | null = null;
  #entered: EnteredSession | null = null;
  #hostKeys: readonly HostKey[] = [];
  /** Bytes on channels, both ways. */
  #moved = 0;
  #stopAliveWatch: (() => void) | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  /** The server log's line; a rekey that agrees on the same says nothing new. */
  #negotiation = '';
  #outcome: Outcome | null = null;
  #lastWords: Promise<void> | null = null;
  #bug: { readonly error: unknown } | null = null;

  constructor(
    context: SessionContext,
    services: ChannelServices,
    userauthFactory: UserauthFactory = createUserauth,
  ) {
    this.#context = context;
    this.#services = services;
    this.#createUserauth = userauthFactory;
    this.#settings = context.config.settings;
    this.#timers = new SessionTimers({
      isTransferring: () => this.#transfers.isRunning,
      expired: (kind, seconds) =>
        this.#sayAndEnd(DisconnectCode.byApplication, `${TIMEOUT_TEXTS[kind]} (${seconds} seconds)`, {
          reason: 'timeout',
          detail: timeoutDirectives[kind],
        }),
    });
    this.#transfers = new TransferWatch({
      moved: () => this.#moved + (this.#transport?.writer.written ?? 0),
      changed: () => this.#timers.transferred(),
      stalled: (seconds) =>
        this.#sayAndEnd(DisconnectCode.byApplication, `Stalled transfer (${seconds} seconds)`, {
          reason: 'timeout',
          detail: 'TimeoutStalled',
        }),
    });
  }

  async run(): Promise<Outcome> {
    try {
      await this.#start();
      await this.#over.promise;
      this.#closeServices();
      await this.#lastWords;
    } finally {
      this.#release();
    }
    if (this.#bug !== null) throw this.#bug.error;
    await this.#transport?.end();
    return this.#outcome ?? { reason: 'peer-closed', detail: null };
  }

  drain(text: string, graceMs: number): void {
    if (!this.#transfers.isRunning) return this.disconnect(text, 'shutdown');
    this.#transfers.afterwards(() => this.disconnect(text, 'shutdown'));
    this.#graceTimer ??= setTimeout(() => this.disconnect(text, 'shutdown'), graceMs);
  }

  disconnect(text: string, reason: EndReason): void {
    this.#sayAndEnd(DisconnectCode.byApplication, withoutReplyCode(text), { reason, detail: null });
  }

  fail(text: string): void {
    this.#lastWords ??= this.#transport?.disconnect(DisconnectCode.byApplication, text) ?? null;
    this.#finish({ reason: 'error', detail: null });
  }

  async #start(): Promise<void> {
    const context = this.#context;
    const { socket, facts, config } = context;
    const settings = this.#settings;
    facts.protocol = 'sftp';
    socket.setNoDelay(true);
    // What a client sends last still wants its answer when it has closed its side.
    socket.allowHalfOpen = true;
    keepAlive(socket, settings.socketOptions);
    setSocketSizes(socket, settings.socketOptions);
    this.#timers.connected(settings.timeoutLogin, settings.timeoutIdle);
    const log = (text: string): void => context.log.sftp(text);
    const [hostKeys, groups] = await Promise.all([
      serverHostKeys(config.server, settings, log),
      configuredGroups(config.server, settings, log),
    ]);
    if (this.#outcome !== null) return;
    if (hostKeys.length === 0) {
      log('no available host keys, unable to handle session');
      this.#finish({ reason: 'refused', detail: 'no available host keys' });
      return;
    }
    this.#hostKeys = hostKeys;
    this.#transport = new SshTransport(
      {
        socket,
        settings,
        hostKeys,
        configuredGroups: groups,
        serverVersion: serverVersion(config, facts.localAddress),
      },
      this.#hooks(),
    );
    this.#transport.start();
  }

  #hooks(): TransportHooks {
    const { log } = this.#context;
    return {
      sftpLog: (text) => log.sftp(text),
      logMessage: (type) => this.#logMessage(type),
      clientNamed: (version) => this.#clientNamed(version),
      agreed: (algorithms) => this.#agreed(algorithms),
      userauth: (payload) => this.#authenticate(payload),
      connection: (packet, start, end) => this.#connection!.handle(packet, start, end),
      drained: () => this.#connection?.proceed(),
      disconnected: (code, text) => this.#peerDisconnected(code, text),
      ended: () => this.#finish({ reason: 'peer-closed', detail: null }),
      failed: (error) => this.#transportFailed(error),
    };
  }

  #clientNamed(version: ClientVersion): void {
    const { log, facts } = this.#context;
    log.sftp(`received client version '${version.line}'`);
    log.sftp(`handling connection from SSH2 client '${version.software}'`);
    noteClient(facts, version.line);
    const { visitor } = this.#transport!.client.quirks;
    if (visitor === null) return;
    const logText = `SSH2 ${visitor} from '${facts.remoteAddress}', disconnecting`;
    throw new ProtocolViolation('Not welcome', {
      code: DisconnectCode.byApplication,
      logText,
      endReason: 'policy',
    });
  }

  #agreed(algorithms: AgreedAlgorithms): void {
    const { log, facts } = this.#context;
    noteAlgorithms(facts, algorithms);
    for (const line of algorithmLines(algorithms, this.#transport!.exchange.hostKey!.type)) log.sftp(line);
    const line = negotiationLine(algorithms);
    if (line !== this.#negotiation) log.system(NEGOTIATION_LEVEL, line);
    this.#negotiation = line;
  }

  #logMessage(type: number): void {
    if (this.#settings.extendedLog.length === 0) return;
    const record = recordOfMessage(type, this.#transport?.exchange.agreed?.keyExchange ?? null);
    if (record !== null) this.#context.log.command(record);
  }

  // --- login ---

  async #authenticate(payload: Buffer): Promise<void> {
    this.#timers.commandReceived();
    this.#userauth ??= this.#newUserauth();
    const step = await this.#userauth.handle(payload);
    if (step.kind === 'continue') return;
    if (step.kind === 'disconnect') {
      this.#sayAndEnd(step.code, step.text, { reason: step.reason, detail: step.detail });
    } else if (this.#outcome === null) {
      this.#enter(step.entered);
    } else {
      step.entered.vfs.close();
    }
  }

  #newUserauth(): Userauth {
    const transport = this.#transport!;
    const { agreed, sessionId, hostKey } = transport.exchange;
    const { cipherIn, cipherOut, macIn, macOut } = agreed!;
    return this.#createUserauth({
      context: this.#context,
      config: this.#context.config,
      sessionIdentifier: sessionId!,
      hostKeyBlob: hostKey!.blob,
      insecureTransport: [cipherIn, cipherOut, macIn, macOut].includes('none'),
      showsBanner: transport.client.quirks.takesBanner,
      send: (packet) => transport.send(packet),
      sftpLog: (text) => this.#context.log.sftp(text),
    });
  }

  #enter(entered: EnteredSession): void {
    const context = this.#context;
    const transport = this.#transport!;
    this.#entered = entered;
    this.#userauth = null;
    this.#settings = entered.config.settings;
    const { settings, principal } = entered.config;
    const session = applicableValues(settings.timeoutSession, principal)[0];
    this.#timers.loggedIn(settings.timeoutIdle, settings.timeoutNoTransfer, session ?? 0);
    this.#connection = new Connection(
      this.#serviceSession(entered),
      transport,
      this.#services,
      this.#hostKeys,
      {
        active: () => this.#timers.commandReceived(),
        logMessage: (type) => this.#logMessage(type),
        moved: (bytes) => {
          this.#moved += bytes;
        },
      },
    );
    transport.authenticated(settings);
    context.log.sftp('sending userauth success');
    this.#connection.announceHostKeys();
    this.#stopAliveWatch = watchClient(settings.sftpClientAlive, {
      received: () => transport.packetsIn,
      isExchangingKeys: () => transport.exchange.frozen,
      probe: () => this.#connection?.probe(),
      lost: () => this.#clientLost(settings.sftpClientAlive!),
    });
  }

  #serviceSession(entered: EnteredSession): SshSession {
    const { version, match } = this.#transport!.client;
    return {
      context: this.#context,
      config: entered.config,
      settings: entered.config.settings,
      account: entered.account,
      vfs: entered.vfs,
      loginName: entered.loginName,
      client: { softwareVersion: version?.software ?? '', match },
      sftpLog: (text) => this.#context.log.sftp(text),
      noteTransfer: () => this.#timers.transferred(),
      transferStarted: () => this.#transfers.started(this.#settings.timeoutStalled),
      transferEnded: () => this.#transfers.ended(),
    };
  }

  #clientLost({ count, interval }: { readonly count: number; readonly interval: number }): void {
    this.#context.log.sftp(
      `SFTPClientAlive threshold (max ${count} checks, ${interval} sec interval) reached, disconnecting client`,
    );
    this.#sayAndEnd(DisconnectCode.byApplication, 'client alive threshold reached', {
      reason: 'timeout',
      detail: 'SFTPClientAlive',
    });
  }

  // --- the end ---

  #transportFailed(error: unknown): void {
    if (!(error instanceof ProtocolViolation)) {
      this.#bug ??= { error };
      this.#finish({ reason: 'error', detail: null });
      return;
    }
    if (error.logText !== null) this.#context.log.sftp(error.logText);
    this.#sayAndEnd(error.code, error.text, { reason: error.endReason, detail: error.text });
  }

  #peerDisconnected(code: number, text: string): void {
    this.#context.log.sftp(`client disconnected: code ${code}, '${text}'`);
    const isGoodbye = code === DisconnectCode.byApplication;
    this.#finish(
      isGoodbye
        ? { reason: 'quit', detail: null }
        : { reason: 'peer-closed', detail: `disconnect code ${code}` },
    );
  }

  #sayAndEnd(code: number, text: string, outcome: Outcome): void {
    if (this.#outcome !== null) return;
    this.#context.log.sftp(`disconnecting (${text})`);
    // First, as the services' own end may still have words of its own.
    this.#closeServices();
    this.#lastWords = this.#transport?.disconnect(code, text) ?? null;
    this.#finish(outcome);
  }

  #finish(outcome: Outcome): void {
    if (this.#outcome === null) {
      this.#outcome = outcome;
      this.#context.facts.endReason = endReasonText(outcome.reason, outcome.detail);
    }
    this.#over.resolve();
  }

  #closeServices(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.close();
  }

  #release(): void {
    const { socket, facts } = this.#context;
    this.#timers.stop();
    this.#transfers.stop();
    this.#stopAliveWatch?.();
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#closeServices();
    this.#entered?.vfs.close();
    facts.rawBytesIn = socket.bytesRead;
    facts.rawBytesOut = socket.bytesWritten;
    const transport = this.#transport;
    if (transport === null) return;
    // After a bug the last words still need it.
    if (socket.destroyed) transport.close();
    else socket.once('close', () => transport.close());
  }
}

/** Main words what is said at the end for FTP: `421 ...`. */
function withoutReplyCode(text: string): string {
  return text.replace(/^\d{3}[ -]/, '');
}
