/**
 * One FTP session actor's code in this process, over real sockets: the main actor is replaced by answers a test gives.
 * Every login succeeds with the password `secret`; the file system is a temporary directory.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MainServices, TransferReport } from '../../src/actor/messages.ts';
import { createEffectiveConfig } from '../../src/config/effective-config.ts';
import type {
  ClassSection,
  PartialSettings,
  ServerConfig,
  VirtualHost,
} from '../../src/config/server-config.ts';
import type { CommandRecord, SessionLog, TransferRecord } from '../../src/log/session-log.ts';
import { createFtpSession } from '../../workers/ftp/ftp-session.ts';
import type { MutableSessionFacts } from '../../workers/session/session-context.ts';
import { FtpClient } from './ftp-client.ts';
import { initialFacts } from '../../workers/session/initial-facts.ts';

export interface SessionServerOptions {
  readonly settings?: PartialSettings;
  readonly classes?: readonly ClassSection[];
  readonly secretFiles?: ReadonlyMap<string, Uint8Array>;
  /** Address to listen on; 127.0.0.1 unless given. */
  readonly host?: string;
  readonly services?: Partial<MainServices>;
  /** Directory of the user's files instead of a fresh one; it is kept. */
  readonly home?: string;
}

export interface SessionServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The user's files; the client's `/`. */
  readonly home: string;
  readonly systemLines: string[];
  readonly tlsLines: string[];
  readonly transfers: TransferRecord[];
  readonly commands: CommandRecord[];
  readonly reports: TransferReport[];
  readonly counters: BigInt64Array;
  /** Facts of the session that started last. */
  facts(): MutableSessionFacts;
  /** A client that is connected and logged in, TYPE I. */
  login(): Promise<FtpClient>;
}

const ACCOUNT = {
  user: 'alice',
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  groupName: 'staff',
  groupIds: [process.getgid?.() ?? 0],
  groups: ['staff'],
  shell: '/bin/sh',
};

export async function startSessionServer(options: SessionServerOptions = {}): Promise<SessionServer> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'lockgate-session-')));
  const home = options.home ?? join(base, 'home');
  mkdirSync(home, { recursive: true });
  const records = {
    systemLines: [] as string[],
    tlsLines: [] as string[],
    transfers: [] as TransferRecord[],
    commands: [] as CommandRecord[],
    reports: [] as TransferReport[],
  };
  const config = serverConfig(home, options);
  const counters = new BigInt64Array(new SharedArrayBuffer(16));
  const running = new Set<Promise<unknown>>();
  const clients: FtpClient[] = [];
  let latest: MutableSessionFacts | null = null;
  let lastId = 0;
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    lastId += 1;
    latest = sessionFacts(lastId, socket);
    const principal = {
      address: latest.remoteAddress,
      hostName: latest.remoteAddress,
      className: null,
      user: null,
      groups: [],
      authenticated: false,
    };
    const host = config.virtualHosts[0] as VirtualHost;
    const session = createFtpSession({
      sessionId: lastId,
      socket,
      services: { ...services(home, records.reports), ...options.services },
      log: sessionLog(records),
      facts: latest,
      counters,
      currentClients: 1,
      config: createEffectiveConfig(config, host, principal),
      siblings: [0],
      configChanged: () => undefined,
      reportsTransfers: true,
    });
    const run = session.run().catch((error: unknown) => {
      records.systemLines.push(`BUG ${error instanceof Error ? error.stack : String(error)}`);
    });
    running.add(run);
    void run.finally(() => running.delete(run));
  });
  const host = options.host ?? '127.0.0.1';
  await listen(server, host);
  const { port } = server.address() as AddressInfo;
  return {
    host,
    port,
    home,
    ...records,
    counters,
    facts: () => latest as MutableSessionFacts,
    async login() {
      const client = await FtpClient.connect({ host, port });
      clients.push(client);
      const answer = await client.login('alice', 'secret');
      if (answer.code !== 230) throw new Error(`login: ${answer.lines.join(' | ')}`);
      await client.command('TYPE I');
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all(running);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
}

function serverConfig(home: string, options: SessionServerOptions): ServerConfig {
  const location = { file: 'test.conf', line: 1 };
  const virtualHost: VirtualHost = {
    id: 0,
    isMain: true,
    addresses: ['127.0.0.1'],
    port: 21,
    settings: { defaultRoot: [{ path: home }], useReverseDNS: false, ...options.settings },
    limits: [],
    directories: [],
    anonymous: [],
    conditionals: [],
    location,
  };
  return {
    version: 1,
    file: 'test.conf',
    defines: [],
    listeners: [],
    virtualHosts: [virtualHost],
    classes: options.classes ?? [],
    logFormats: new Map(),
    logDescriptors: new Map(),
    secretFiles: options.secretFiles ?? new Map(),
    actsAsUsers: false,
  } as unknown as ServerConfig;
}

function sessionFacts(
  sessionId: number,
  socket: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>,
): MutableSessionFacts {
  return initialFacts({
    sessionId,
    remoteAddress: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    localAddress: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    connectedAt: new Date(),
  });
}

function sessionLog(records: {
  systemLines: string[];
  tlsLines: string[];
  transfers: TransferRecord[];
  commands: CommandRecord[];
}): SessionLog {
  return {
    system: (_level, text) => void records.systemLines.push(text),
    tls: (text) => void records.tlsLines.push(text),
    sftp: () => undefined,
    trace: () => undefined,
    transfer: (record) => void records.transfers.push(record),
    command: (record) => void records.commands.push(record),
  };
}

function services(home: string, reports: TransferReport[]): MainServices {
  return {
    fetchConfig: () => Promise.reject(new Error('no other configuration')),
    inquireUser: ({ loginName }) =>
      Promise.resolve({ anonymous: null, passwordRequired: true, user: loginName, home: null }),
    authenticateSsh: () => Promise.reject(new Error('an FTP session asked for SSH authentication')),
    login: ({ password }) =>
      Promise.resolve(
        password === 'secret'
          ? { ok: true, account: { ...ACCOUNT, home }, anonymous: null }
          : { ok: false, code: 'bad-credentials', disconnect: false },
      ),
    admitLogin: () => Promise.resolve({ ok: true }),
    beginTransfer: () => Promise.resolve('ok'),
    endTransfer: () => Promise.resolve(),
    bindLowPort: () => Promise.resolve(null),
    reportTransfer: (report) => {
      reports.push(report);
      return Promise.resolve();
    },
    countClients: () => Promise.resolve(1),
  };
}
