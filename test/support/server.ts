/**
 * Servers for tests, from a configuration text: in this process through createServer, or as a child process through
 * bin/lockgate. Both wait until the server accepts connections and clean up after the test.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hashPassword } from '../../crypto/password-hash.ts';
import { createSelfSigned, type SelfSigned } from '../../src/cli/self-signed.ts';
import { createServer, type EmbeddingOptions, type Server } from '../../src/index.ts';

/** The launcher every user starts. */
export const LAUNCHER = fileURLToPath(new URL('../../bin/lockgate', import.meta.url));

/**
 * A server with the accounts of `users`, jailed in their homes, plain FTP. Add directives behind it. Placeholders:
 * `@PORT@`, `@PORT2@` ... free ports; `@DIR@` the test's folder; `@USERS@` the password file; `@EC_CERT@ @EC_KEY@
 * @RSA_CERT@ @RSA_KEY@` self-signed certificates for localhost and 127.0.0.1.
 */
export const BASE_CONFIG = `
ServerName "Test"
ServerType standalone
DefaultServer on
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port @PORT@
AuthOrder mod_auth_file.c
AuthUserFile @USERS@
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
PidFile @DIR@/lockgate.pid
SystemLog @DIR@/system.log
SyslogLevel debug
`;

/** Behind BASE_CONFIG: AUTH TLS with an EC and an RSA certificate. */
export const TLS_CONFIG = `
TLSEngine on
TLSRequired off
TLSLog @DIR@/tls.log
TLSECCertificateFile @EC_CERT@
TLSECCertificateKeyFile @EC_KEY@
TLSRSACertificateFile @RSA_CERT@
TLSRSACertificateKeyFile @RSA_KEY@
`;

export interface TestUser {
  readonly name: string;
  readonly password: string;
}

export interface TestServerOptions {
  /** Default: alice with password `secret`. */
  readonly users?: readonly TestUser[];
  /** For the child process: further arguments before `-c`. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly embedding?: EmbeddingOptions;
  /** Adds what the configuration names to the test's folder. */
  readonly beforeStart?: (directory: string) => Promise<void>;
}

/** What both kinds of server share. */
export interface TestServer {
  readonly host: '127.0.0.1';
  /** Value of `@PORT@`. */
  readonly port: number;
  /** `@PORT@`, `@PORT2@` ... */
  readonly ports: readonly number[];
  readonly directory: string;
  readonly configFile: string;
  /** Both self-signed certificates, for clients; written when the configuration names one. */
  readonly trustFile: string;
  homeOf(user: string): string;
  /** Text of a file in the test's folder; empty while it is not there. */
  read(name: string): string;
  /** Replaces the configuration file; placeholders as at start. */
  writeConfig(text: string): void;
  stop(): Promise<void>;
}

export type InProcessServer = TestServer & { readonly server: Server };
export type ChildServer = TestServer & { readonly child: ChildProcess; readonly stderr: () => string };

const START_TIMEOUT_MS = 20_000;

/** Starts a server in this process. */
export async function startServer(
  t: Pick<TestContext, 'after'>,
  config: string,
  options: TestServerOptions = {},
): Promise<InProcessServer> {
  const base = await prepare(t, config, options);
  const server = createServer({ file: base.configFile, workers: 1, ...options.embedding });
  const stop = (): Promise<void> => server.close();
  t.after(stop);
  await server.listen();
  return { ...base, server, stop };
}

/** Starts `bin/lockgate -n` as a child process and waits for its STARTUP line and port. */
export async function startChildServer(
  t: Pick<TestContext, 'after'>,
  config: string,
  options: TestServerOptions = {},
): Promise<ChildServer> {
  const base = await prepare(t, config, options);
  const child = spawn(LAUNCHER, [...(options.args ?? []), '-n', '-c', base.configFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LOCKGATE_STATE: join(base.directory, 'state'), ...options.environment },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8');
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    child.kill('SIGTERM');
    await exited;
    clearTimeout(timer);
  };
  t.after(stop);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the server did not start:\n${stderr}`)),
      START_TIMEOUT_MS,
    );
    child.stderr.on('data', (chunk: string) => {
      stderr += chunk;
      if (!stderr.includes('standalone mode STARTUP')) return;
      clearTimeout(timer);
      resolve();
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the server ended with code ${code}:\n${stderr}`));
    });
  });
  return { ...base, child, stderr: () => stderr, stop };
}

/** Everything but the running server: a temporary folder with the configuration file in it. */
export async function prepare(
  t: Pick<TestContext, 'after'>,
  config: string,
  options: TestServerOptions = {},
): Promise<Omit<TestServer, 'stop'>> {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  // Users other than root have to get through to their homes.
  chmodSync(directory, 0o711);
  await writeAccounts(directory, options.users ?? [{ name: 'alice', password: 'secret' }]);
  await options.beforeStart?.(directory);
  const count = Math.max(1, ...[...config.matchAll(/@PORT(\d+)@/g)].map((match) => Number(match[1])));
  const ports = await freePorts(count);
  if (/@(EC|RSA)_(CERT|KEY)@/.test(config)) await writeCertificates(directory);
  const configFile = join(directory, 'lockgate.conf');
  const writeConfig = (text: string): void =>
    writeFileSync(configFile, fill(text, directory, ports), { mode: 0o600 });
  writeConfig(config);
  return {
    host: '127.0.0.1',
    port: ports[0]!,
    ports,
    directory,
    configFile,
    trustFile: join(directory, 'trust.pem'),
    homeOf: (user) => join(directory, 'homes', user),
    read: (name) => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : ''),
    writeConfig,
  };
}

function fill(text: string, directory: string, ports: readonly number[]): string {
  const values: Record<string, string> = {
    DIR: directory,
    USERS: join(directory, 'users'),
    EC_CERT: join(directory, 'ec.pem'),
    EC_KEY: join(directory, 'ec.key'),
    RSA_CERT: join(directory, 'rsa.pem'),
    RSA_KEY: join(directory, 'rsa.key'),
  };
  for (const [index, port] of ports.entries())
    values[index === 0 ? 'PORT' : `PORT${index + 1}`] = String(port);
  return text.replace(/@([A-Z_]+\d*)@/g, (whole, name: string) => {
    const value = values[name];
    assert.ok(value !== undefined, `the test configuration has an unknown placeholder ${whole}`);
    return value;
  });
}

/** Homes and password file; as root the users get a uid of their own, else they are the test's own user. */
async function writeAccounts(directory: string, users: readonly TestUser[]): Promise<void> {
  const asRoot = process.getuid?.() === 0;
  const lines: string[] = [];
  mkdirSync(join(directory, 'homes'), { mode: 0o711 });
  for (const [index, { name, password }] of users.entries()) {
    const uid = asRoot ? 40_000 + index : process.getuid!();
    const gid = asRoot ? 40_000 + index : process.getgid!();
    const home = join(directory, 'homes', name);
    mkdirSync(home, { mode: 0o755 });
    chownSync(home, uid, gid);
    // Few rounds: tests log in often, and the strength of the hash is not what they test.
    lines.push(`${name}:${await hashPassword(password, 1_000)}:${uid}:${gid}::${home}:/bin/false`);
  }
  writeFileSync(join(directory, 'users'), `${lines.join('\n')}\n`, { mode: 0o600 });
}

let certificates: Promise<readonly [ec: SelfSigned, rsa: SelfSigned]> | null = null;

async function writeCertificates(directory: string): Promise<void> {
  const now = new Date();
  certificates ??= Promise.all([createSelfSigned('ec', now), createSelfSigned('rsa', now)]);
  const [ec, rsa] = await certificates;
  for (const [name, pair] of [
    ['ec', ec],
    ['rsa', rsa],
  ] as const) {
    writeFileSync(join(directory, `${name}.pem`), pair.certificatePem);
    writeFileSync(join(directory, `${name}.key`), pair.keyPem, { mode: 0o600 });
  }
  writeFileSync(join(directory, 'trust.pem'), ec.certificatePem + rsa.certificatePem);
}

/**
 * Ports nobody listens on now; all held at once, so that they differ. Below those the system hands out itself
 * (ip_local_port_range): tests in parallel open passive ports and connections there all the time.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: TcpServer[] = [];
  for (let tries = 0; servers.length < count; tries += 1) {
    if (tries === count + 100) throw new Error(`no ${count} free ports found`);
    const server = await tryListen(randomInt(10_000, 31_000));
    if (server !== null) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

function tryListen(port: number): Promise<TcpServer | null> {
  return new Promise((resolve) => {
    const server = createTcpServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
