/** An FTP server of real sessions in this process: configuration text in, TLSLog lines out. No workers, no main actor. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkTlsConfiguration, type TlsCheckHooks, type TlsCheckResult } from '../../crypto/tls-check.ts';
import { tlsFilesOf } from '../../crypto/tls-configuration.ts';
import type { Account, MainServices } from '../../src/actor/messages.ts';
import { DEFAULT_SETTINGS } from '../../src/config/default-settings.ts';
import { createEffectiveConfig, type EffectiveConfig } from '../../src/config/effective-config.ts';
import { hostsSharing, selectVirtualHost } from '../../src/config/listeners.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { ServerConfig } from '../../src/config/server-config.ts';
import type { SessionLog } from '../../src/log/session-log.ts';
import { createFtpSession } from '../../workers/ftp/ftp-session.ts';
import type { MutableSessionFacts } from '../../workers/session/session-context.ts';
import { initialFacts } from '../../workers/session/initial-facts.ts';

export interface TlsServer {
  readonly port: number;
  readonly home: string;
  readonly config: ServerConfig;
  /** TLSLog lines of all sessions, oldest first, without the time stamp. */
  readonly log: readonly string[];
  /** Notes and environment of the session that started last. */
  readonly facts: MutableSessionFacts | null;
  /** Bugs that ended a session; a test that leaves one here has found one. */
  readonly bugs: readonly unknown[];
  /** Resolves when no session runs any more. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

const PASSWORDS: ReadonlyMap<string, string> = new Map([
  ['alice', 'secret'],
  ['bob', 'secret'],
]);

/** Loads a configuration and gives every TLS file it names to the sessions, as main does. */
export async function loadTlsConfig(
  text: string,
  hooks: TlsCheckHooks = {},
): Promise<{ readonly config: ServerConfig; readonly check: TlsCheckResult }> {
  const { config } = await loadConfig({ file: '/etc/proftpd.conf', text, version: 1 });
  const secretFiles = new Map<string, Uint8Array>();
  for (const host of config.virtualHosts) {
    for (const path of tlsFilesOf({ ...DEFAULT_SETTINGS, ...host.settings })) {
      const bytes = readIfPresent(path);
      if (bytes !== null) secretFiles.set(path, bytes);
    }
  }
  const check = await checkTlsConfiguration({ ...config, secretFiles }, hooks);
  const { pkcs12PassPhrases } = check;
  return { config: { ...config, secretFiles: check.secretFiles, pkcs12PassPhrases }, check };
}

/** `text`: configuration without Port and user directives; the main server answers on a free port. */
export async function startTlsServer(text: string): Promise<TlsServer> {
  const { config, check } = await loadTlsConfig(`Port 2121\nUseReverseDNS off\n${text}`);
  if (check.errors.length > 0) throw new Error(check.errors.join('\n'));
  const home = mkdtempSync(join(tmpdir(), 'lockgate-home-'));
  writeFileSync(join(home, 'hello.txt'), 'hello over TLS\r\n');
  const harness = new Harness(config, home);
  await harness.listen();
  return harness;
}

function readIfPresent(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

class Harness implements TlsServer {
  readonly config: ServerConfig;
  readonly home: string;
  readonly log: string[] = [];
  readonly bugs: unknown[] = [];
  facts: MutableSessionFacts | null = null;
  readonly #server: Server;
  readonly #sessions = new Set<Promise<void>>();
  readonly #sockets = new Set<Socket>();
  #count = 0;

  constructor(config: ServerConfig, home: string) {
    this.config = config;
    this.home = home;
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.#accept(socket),
    );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async idle(): Promise<void> {
    while (this.#sessions.size > 0) await Promise.all(this.#sessions);
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.idle();
    rmSync(this.home, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const running: Promise<void> = this.#serve(socket)
      .catch((error: unknown) => {
        this.bugs.push(error);
        socket.destroy();
      })
      .finally(() => this.#sessions.delete(running));
    this.#sessions.add(running);
  }

  async #serve(socket: Socket): Promise<void> {
    const listener = this.config.listeners[0];
    const address = socket.localAddress ?? '127.0.0.1';
    const host = listener === undefined ? null : selectVirtualHost(this.config, listener.id, address);
    if (listener === undefined || host === null) throw new Error('no virtual host');
    this.#count += 1;
    const facts = sessionFacts(socket, this.#count);
    this.facts = facts;
    const config: EffectiveConfig = createEffectiveConfig(this.config, host, {
      address: '127.0.0.1',
      hostName: '127.0.0.1',
      className: null,
      user: null,
      groups: [],
      authenticated: false,
    });
    const session = createFtpSession({
      sessionId: this.#count,
      socket,
      services: new TestServices(this.home),
      log: this.#sessionLog(),
      facts,
      counters: new BigInt64Array(2),
      currentClients: 1,
      config,
      siblings: hostsSharing(this.config, listener.id, host, address).map(({ id }) => id),
      configChanged: () => undefined,
      reportsTransfers: false,
    });
    await session.run();
    socket.destroy();
  }

  #sessionLog(): SessionLog {
    return {
      system: () => undefined,
      tls: (text) => this.log.push(text),
      sftp: () => undefined,
      trace: () => undefined,
      transfer: () => undefined,
      command: () => undefined,
    };
  }
}

/** What main would answer: alice and bob with the password `secret`. */
class TestServices implements MainServices {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  fetchConfig(): Promise<ServerConfig> {
    return Promise.reject(new Error('the configuration is given'));
  }

  inquireUser(inquiry: { loginName: string }): ReturnType<MainServices['inquireUser']> {
    const known = PASSWORDS.has(inquiry.loginName);
    const answer = {
      anonymous: null,
      passwordRequired: true,
      user: inquiry.loginName,
      home: known ? this.#home : null,
    };
    return Promise.resolve(answer as Awaited<ReturnType<MainServices['inquireUser']>>);
  }

  authenticateSsh(): ReturnType<MainServices['authenticateSsh']> {
    return Promise.reject(new Error('an FTP session asked for SSH authentication'));
  }

  login(claim: Parameters<MainServices['login']>[0]): ReturnType<MainServices['login']> {
    const right = PASSWORDS.get(claim.loginName) === claim.password || claim.verifiedByCertificate;
    if (!right)
      return Promise.resolve({ ok: false, code: 'bad-credentials', disconnect: false } as Awaited<
        ReturnType<MainServices['login']>
      >);
    const gid = process.getgid?.() ?? 0;
    const account: Account = {
      user: claim.loginName,
      uid: process.getuid?.() ?? 0,
      gid,
      groupName: String(gid),
      groupIds: [gid],
      groups: claim.loginName === 'bob' ? ['trusted'] : [],
      home: this.#home,
      shell: '/bin/sh',
    } as Account;
    return Promise.resolve({ ok: true, account, anonymous: null } as Awaited<
      ReturnType<MainServices['login']>
    >);
  }

  admitLogin(): Promise<{ ok: true }> {
    return Promise.resolve({ ok: true });
  }

  beginTransfer(): Promise<'ok'> {
    return Promise.resolve('ok');
  }

  endTransfer(): Promise<void> {
    return Promise.resolve();
  }

  bindLowPort(): Promise<null> {
    return Promise.resolve(null);
  }

  reportTransfer(): Promise<void> {
    return Promise.resolve();
  }

  countClients(): Promise<number> {
    return Promise.resolve(1);
  }
}

function sessionFacts(socket: Socket, sessionId: number): MutableSessionFacts {
  return initialFacts({
    sessionId,
    remoteAddress: '127.0.0.1',
    remotePort: socket.remotePort ?? 0,
    localAddress: '127.0.0.1',
    localPort: socket.localPort ?? 0,
    connectedAt: new Date(),
  });
}
