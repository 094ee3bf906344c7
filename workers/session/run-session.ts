/**
 * One session from accepted socket to its end: configuration, virtual host, names, logs, then the protocol. An error that
 * nobody caught ends this session with 421 and touches no other.
 */
import type {
  EndReason,
  MainServices,
  SessionControl,
  SessionEnd,
  SessionTask,
} from '../../src/actor/messages.ts';
import { connectCalls, serveCalls, type Deadlines } from '../../src/actor/rpc.ts';
import { classOf } from '../../src/config/class-match.ts';
import {
  createEffectiveConfig,
  type EffectiveConfig,
  type Principal,
} from '../../src/config/effective-config.ts';
import { hostsSharing, selectVirtualHost } from '../../src/config/listeners.ts';
import type { ServerConfig } from '../../src/config/server-config.ts';
import { endReasonText } from '../../src/log/end-reason.ts';
import { createSessionLog } from '../../src/log/session-log-writer.ts';
import type { OperationLog } from '../../src/log/operation-log.ts';
import type { SessionLog } from '../../src/log/session-log.ts';
import type { ConfigCache } from './config-cache.ts';
import { askIdent } from './ident-client.ts';
import { initialFacts } from './initial-facts.ts';
import type { PeerNames } from './reverse-dns.ts';
import type { MutableSessionFacts, ProtocolSession, SessionContext } from './session-context.ts';
import { adoptSocket, runInSession, type SessionScope } from './session-scope.ts';
import { refuseAndClose } from '../ssh/refusal.ts';
import { serverVersion } from '../ssh/server-version.ts';
import { noteConnected } from '../ssh/session-environment.ts';
import { speaksSsh } from './create-protocol.ts';
import { sayAndClose } from './say-and-close.ts';

/** Every question to main is bounded; logins wait for slow hashes, so they get longest. */
const SERVICE_DEADLINES: Deadlines<MainServices> = {
  fetchConfig: 10_000,
  inquireUser: 20_000,
  login: 60_000,
  authenticateSsh: 60_000,
  admitLogin: 10_000,
  beginTransfer: 5_000,
  endTransfer: 5_000,
  bindLowPort: 5_000,
  reportTransfer: 5_000,
  countClients: 5_000,
};

const FAILURE_TEXT = 'Service not available, closing control connection';
/** From the 421 after a bug until the session is cut, whatever its protocol still does. */
const FAILURE_LINGER_MS = 2_000;

export interface SessionEnvironment {
  readonly configs: ConfigCache;
  readonly names: PeerNames;
  readonly createProtocol: (context: SessionContext) => ProtocolSession;
}

interface Outcome {
  readonly reason: EndReason;
  readonly detail: string | null;
}

/** Runs the session to its end. Rejects only where main must treat it as lost. */
export async function runSession(task: SessionTask, environment: SessionEnvironment): Promise<SessionEnd> {
  const session = new Session(task, environment);
  adoptSocket(session, task.socket);
  return runInSession(session, () => session.run());
}

class Session implements SessionScope, SessionControl {
  readonly #task: SessionTask;
  readonly #environment: SessionEnvironment;
  readonly #services: MainServices;
  readonly #facts: MutableSessionFacts;
  readonly #failed = Promise.withResolvers<Outcome>();
  #protocol: ProtocolSession | null = null;
  #operations: OperationLog | null = null;
  #log: SessionLog | null = null;
  /** Version line of a virtual host that speaks SSH; null: FTP, or not known yet. */
  #sshVersion: string | null = null;
  #hasFailed = false;

  constructor(task: SessionTask, environment: SessionEnvironment) {
    this.#task = task;
    this.#environment = environment;
    this.#facts = initialFacts({ ...task, connectedAt: new Date(task.acceptedAt) });
    this.#services = connectCalls<MainServices>(task.port, SERVICE_DEADLINES);
    serveCalls<SessionControl>(
      task.port,
      { drain: (...args) => this.drain(...args), disconnect: (...args) => this.disconnect(...args) },
      (_method, error) => this.fail(error),
    );
    // The protocol has its own handlers; this one covers the time before them.
    task.socket.on('error', () => task.socket.destroy());
  }

  async run(): Promise<SessionEnd> {
    const { configs } = this.#environment;
    const { socket, port, configVersion } = this.#task;
    const served = this.#serve().catch((error: unknown) => {
      this.fail(error);
      return this.#failed.promise;
    });
    let outcome: Outcome;
    try {
      outcome = await Promise.race([served, this.#failed.promise]);
    } finally {
      configs.release(configVersion);
      socket.destroy();
    }
    this.#log?.system('info', `${this.#sshVersion === null ? 'FTP' : 'SSH2'} session closed.`);
    this.#facts.endReason ??= endReasonText(outcome.reason, outcome.detail);
    this.#logEvent('EXIT', new Date());
    // Closed a turn later: answers to main's last calls go out first.
    setImmediate(() => port.close());
    return this.#end(outcome);
  }

  /** An error of ours, thrown anywhere in this session's code. Logged with its stack, answered 421, contained here. */
  fail(error: unknown): void {
    const text = `session ${this.#task.sessionId}: internal error, the session is ended`;
    if (this.#operations !== null)
      this.#operations.error({ err: error, session: this.#task.sessionId }, text);
    else process.stderr.write(`lockgate: ${text}: ${error instanceof Error ? error.stack : String(error)}\n`);
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#log?.system('error', text);
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown error';
    const { socket } = this.#task;
    const over = (): void => {
      clearTimeout(timer);
      this.#failed.resolve({ reason: 'error', detail });
    };
    // The 421 gets a moment to arrive; the end of the connection ends the wait.
    const timer = setTimeout(over, socket.destroyed ? 0 : FAILURE_LINGER_MS);
    socket.once('close', over);
    this.#sayLastWords();
  }

  #sayLastWords(): void {
    try {
      if (this.#protocol === null) void this.#say(`421 ${FAILURE_TEXT}`);
      else this.#protocol.fail(FAILURE_TEXT);
    } catch (error) {
      // The bug reaches as far as the last words; the socket is destroyed without them.
      this.#operations?.error({ err: error, session: this.#task.sessionId }, 'the 421 could not be sent');
    }
  }

  async drain(text: string, graceMs: number): Promise<void> {
    if (this.#protocol !== null) this.#protocol.drain(text, graceMs);
    else await this.#say(`421 ${text}`);
  }

  async disconnect(text: string, reason: EndReason): Promise<void> {
    if (this.#protocol !== null) this.#protocol.disconnect(text, reason);
    else await this.#say(`421 ${text}`);
  }

  async #serve(): Promise<Outcome> {
    const task = this.#task;
    const held = await this.#environment.configs.acquire(task.configVersion, this.#services);
    this.#operations = held.operations;
    const { config } = held;
    const host = selectVirtualHost(config, task.listenerId, task.localAddress);
    if (host !== null) {
      const own = createEffectiveConfig(config, host, this.#anonymousPeer());
      if (speaksSsh(own)) this.#sshVersion = serverVersion(own, task.localAddress);
    }
    if (task.refusal !== null) return this.#refuse(task.refusal);
    if (host === null) {
      return this.#refuse(`500 Sorry, no server available to handle request on ${task.localAddress}`);
    }
    const effective = await this.#identifyPeer(config, host.id);
    let inForce = effective;
    const log = createSessionLog({ config: () => inForce, facts: this.#facts, operations: held.operations });
    this.#log = log;
    if (this.#sshVersion !== null) {
      this.#facts.protocol = 'sftp';
      noteConnected(this.#facts, effective.settings.setEnv);
    }
    log.system('info', `${this.#sshVersion === null ? 'FTP' : 'SSH2'} session opened.`);
    this.#logEvent('CONNECT', this.#facts.connectedAt);
    const protocol = this.#environment.createProtocol({
      sessionId: task.sessionId,
      socket: task.socket,
      services: this.#services,
      log,
      facts: this.#facts,
      counters: new BigInt64Array(task.counters),
      currentClients: task.currentClients,
      config: effective,
      siblings: hostsSharing(config, task.listenerId, host, task.localAddress).map(({ id }) => id),
      configChanged: (changed) => {
        inForce = changed;
      },
      reportsTransfers: task.reportsTransfers,
    });
    this.#protocol = protocol;
    return protocol.run();
  }

  /** ExtendedLog classes CONNECT and EXIT: start and end of the session stand there like commands. */
  #logEvent(verb: 'CONNECT' | 'EXIT', receivedAt: Date): void {
    this.#log?.command({
      verb,
      argument: '',
      classes: [verb],
      replyCode: 0,
      replyText: '',
      receivedAt,
      milliseconds: 0,
      realPath: null,
      clientPath: null,
      renameFrom: null,
      transfer: null,
    });
  }

  /** Reverse name, class and ident answer; all bounded. */
  async #identifyPeer(config: ServerConfig, virtualHost: number): Promise<EffectiveConfig> {
    const task = this.#task;
    const anonymousPeer = this.#anonymousPeer();
    const host = config.virtualHosts[virtualHost]!;
    const { settings } = createEffectiveConfig(config, host, anonymousPeer);
    const [hostName, identUser] = await Promise.all([
      settings.useReverseDNS ? this.#environment.names.nameOf(task.remoteAddress) : task.remoteAddress,
      settings.identLookups ? askIdent(task) : null,
    ]);
    const className = classOf(config.classes, { address: task.remoteAddress, hostName });
    this.#facts.remoteName = hostName;
    this.#facts.identUser = identUser;
    this.#facts.className = className;
    return createEffectiveConfig(config, host, { ...anonymousPeer, hostName, className });
  }

  #anonymousPeer(): Principal {
    const { remoteAddress } = this.#task;
    return {
      address: remoteAddress,
      hostName: remoteAddress,
      className: null,
      user: null,
      groups: [],
      authenticated: false,
    };
  }

  /** Last words where no protocol has begun, in the language of who is going to read them. */
  #say(line: string): Promise<void> {
    const { socket } = this.#task;
    return this.#sshVersion === null
      ? sayAndClose(socket, line)
      : refuseAndClose(socket, this.#sshVersion, line);
  }

  async #refuse(line: string): Promise<Outcome> {
    await this.#say(line);
    return { reason: 'refused', detail: null };
  }

  #end(outcome: Outcome): SessionEnd {
    const facts = this.#facts;
    return {
      sessionId: this.#task.sessionId,
      ...outcome,
      user: facts.user,
      bytesReceived: facts.bytesIn,
      bytesSent: facts.bytesOut,
      filesReceived: facts.filesIn,
      filesSent: facts.filesOut,
    };
  }
}
