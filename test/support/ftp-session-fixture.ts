/**
 * FTP sessions over real sockets with a real configuration and real files, and everything main would do played by a
 * few plain functions. One account: alice, password `secret`, home `<base>/alice`; anonymous root `<base>/public`.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Account, LoginResult, MainServices } from '../../src/actor/messages.ts';
import { findAnonymousLogin } from '../../src/config/anonymous-login.ts';
import {
  createEffectiveConfig,
  type EffectiveConfig,
  type Principal,
} from '../../src/config/effective-config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { ServerConfig } from '../../src/config/server-config.ts';
import type { CommandRecord, SessionLog, TransferRecord } from '../../src/log/session-log.ts';
import { createFtpSession } from '../../workers/ftp/ftp-session.ts';
import type {
  MutableSessionFacts,
  ProtocolSession,
  SessionContext,
} from '../../workers/session/session-context.ts';
import { FtpClient, type FtpClientOptions } from './ftp-client.ts';
import { initialFacts } from '../../workers/session/initial-facts.ts';

export interface FtpFixtureOptions {
  /** Lines of the configuration; `BASE` stands for the temporary directory. */
  readonly config?: string;
  /** Replaces single answers of main. */
  readonly services?: Partial<MainServices>;
  readonly groups?: readonly string[];
  readonly className?: string;
}

export interface SessionOutcome {
  readonly reason: string;
  readonly detail: string | null;
}

export interface FtpFixture extends AsyncDisposable {
  readonly port: number;
  /** Holds `alice` and `public`. */
  readonly base: string;
  readonly home: string;
  readonly records: CommandRecord[];
  readonly transfers: TransferRecord[];
  /** Lines of the system log, `level: text`. */
  readonly lines: string[];
  /** One per accepted connection, in order. */
  readonly sessions: ProtocolSession[];
  /** The server's ends of the control connections. */
  readonly sockets: Socket[];
  readonly outcomes: Promise<SessionOutcome>[];
  readonly facts: MutableSessionFacts[];
  connect(options?: Partial<FtpClientOptions>): Promise<FtpClient>;
  /** Connected and logged in as alice. */
  login(options?: Partial<FtpClientOptions>): Promise<FtpClient>;
}

const BASE_CONFIG = `
ServerName "Test"
ServerAdmin admin@example.org
Port 2121
DefaultAddress 127.0.0.1
UseReverseDNS off
SystemLog none
TransferLog none
`;

export async function openFtpFixture(options: FtpFixtureOptions = {}): Promise<FtpFixture> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'lockgate-ftp-')));
  const home = join(base, 'alice');
  mkdirSync(home);
  mkdirSync(join(base, 'public'));
  const given = options.config ?? '';
  // The first DefaultRoot counts, so a test that brings one must not find another before it.
  const root = /^DefaultRoot/m.test(given) ? '' : 'DefaultRoot ~\n';
  const text = BASE_CONFIG + root + given.replaceAll('BASE', base);
  const { config } = await loadConfig({ file: join(base, 'proftpd.conf'), text, version: 1 });
  const state: Omit<FtpFixture, 'port' | 'connect' | 'login' | typeof Symbol.asyncDispose> = {
    base,
    home,
    records: [],
    transfers: [],
    lines: [],
    sessions: [],
    sockets: [],
    outcomes: [],
    facts: [],
  };
  const server = createServer({ pauseOnConnect: true }, (socket) => serve(socket, config, options, state));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients: FtpClient[] = [];
  const connect = async (more: Partial<FtpClientOptions> = {}): Promise<FtpClient> => {
    const client = await FtpClient.connect({ port, ...more });
    clients.push(client);
    return client;
  };
  return {
    ...state,
    port,
    connect,
    login: async (more) => {
      const client = await connect(more);
      const answer = await client.login('alice', 'secret');
      if (answer.code !== 230) throw new Error(`login refused: ${answer.lines.join(' | ')}`);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      await Promise.allSettled(state.outcomes);
      server.close();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function serve(
  socket: Socket,
  config: ServerConfig,
  options: FtpFixtureOptions,
  state: Pick<
    FtpFixture,
    'base' | 'records' | 'transfers' | 'lines' | 'sessions' | 'sockets' | 'outcomes' | 'facts'
  >,
): void {
  const facts = factsOf(socket, options, state.sessions.length + 1);
  const principal: Principal = {
    address: facts.remoteAddress,
    hostName: facts.remoteName,
    className: facts.className,
    user: null,
    groups: [],
    authenticated: false,
  };
  const host = config.virtualHosts.find((candidate) => candidate.port !== 0)!;
  const effective = createEffectiveConfig(config, host, principal);
  const context: SessionContext = {
    sessionId: facts.sessionId,
    socket,
    services: servicesOf(effective, options, state.base),
    log: logOf(state),
    facts,
    counters: new BigInt64Array(new SharedArrayBuffer(16)),
    currentClients: 1,
    config: effective,
    siblings: config.virtualHosts.map(({ id }) => id).filter((id) => config.virtualHosts[id]!.port !== 0),
    configChanged: () => undefined,
    reportsTransfers: false,
  };
  const session = createFtpSession(context);
  state.sessions.push(session);
  state.sockets.push(socket);
  state.facts.push(facts);
  // As run-session does: a bug ends this session with 421.
  const outcome = session.run().catch((error: unknown) => {
    state.lines.push(`bug: ${error instanceof Error ? error.stack : String(error)}`);
    session.fail('Service not available, closing control connection');
    return { reason: 'error', detail: 'bug' };
  });
  state.outcomes.push(outcome);
}

function factsOf(socket: Socket, options: FtpFixtureOptions, sessionId: number): MutableSessionFacts {
  const facts = initialFacts({
    sessionId,
    remoteAddress: '127.0.0.1',
    remotePort: socket.remotePort ?? 0,
    localAddress: '127.0.0.1',
    localPort: socket.localPort ?? 0,
    connectedAt: new Date(),
  });
  return { ...facts, className: options.className ?? null };
}

function logOf(state: Pick<FtpFixture, 'records' | 'transfers' | 'lines'>): SessionLog {
  return {
    system: (level, text) => state.lines.push(`${level}: ${text}`),
    tls: (text) => state.lines.push(`tls: ${text}`),
    sftp: (text) => state.lines.push(`sftp: ${text}`),
    trace: () => undefined,
    transfer: (record) => state.transfers.push(record),
    command: (record) => state.records.push(record),
  };
}

function servicesOf(config: EffectiveConfig, options: FtpFixtureOptions, base: string): MainServices {
  const groups = options.groups ?? ['users'];
  let failures = 0;
  return {
    fetchConfig: async () => config.server,
    inquireUser: async ({ loginName, virtualHost }) => {
      const host = config.server.virtualHosts[virtualHost]!;
      const found = findAnonymousLogin(config.withVirtualHost(host), loginName);
      return {
        anonymous: found === null ? null : host.anonymous.indexOf(found.section),
        passwordRequired: found === null || found.section.settings.anonRequirePassword === true,
        user: found?.user ?? loginName,
        home: loginName === 'alice' ? join(base, 'alice') : null,
      };
    },
    authenticateSsh: () => Promise.reject(new Error('an FTP session asked for SSH authentication')),
    login: async ({ loginName, password }): Promise<LoginResult> => {
      const anonymous = findAnonymousLogin(config, loginName);
      if (anonymous !== null) {
        const index = config.virtualHost.anonymous.indexOf(anonymous.section);
        return { ok: true, account: account('ftp', join(base, 'public'), ['ftp']), anonymous: index };
      }
      if (loginName === 'alice' && password === 'secret') {
        return { ok: true, account: account('alice', join(base, 'alice'), groups), anonymous: null };
      }
      failures += 1;
      const { maxLoginAttempts } = config.settings;
      const isLast = maxLoginAttempts !== 0 && failures >= maxLoginAttempts;
      const code = password === '' ? 'empty-password' : 'bad-credentials';
      return { ok: false, code, disconnect: isLast };
    },
    admitLogin: async () => ({ ok: true }),
    beginTransfer: async () => 'ok',
    endTransfer: async () => undefined,
    bindLowPort: async () => null,
    reportTransfer: async () => undefined,
    countClients: async () => 7,
    ...options.services,
  };
}

function account(user: string, home: string, groups: readonly string[]): Account {
  const uid = process.getuid?.() ?? 1000;
  const gid = process.getgid?.() ?? 1000;
  return { user, uid, gid, groupName: groups[0] ?? 'users', groupIds: [gid], groups, home, shell: '/bin/sh' };
}
