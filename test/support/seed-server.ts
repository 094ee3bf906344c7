/**
 * One lockgate process for many acceptance scenarios: every scenario is a virtual host with a port, a configuration and a
 * TLSLog of its own, so a file of tests starts one server. Base configuration and clients are those of the scenarios.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateTrees } from './certificates.ts';
import { FtpClient, type ClientTlsOptions, type TransferOutcome } from './ftp-client.ts';
import { LAUNCHER, startChildServer, type ChildServer, type TestServerOptions } from './server.ts';

export interface SeedServer {
  readonly server: ChildServer;
  /** Port of a virtual host. */
  port(name: string): number;
  /** A client that read the greeting; closed when the server stops. */
  connect(name: string): Promise<FtpClient>;
  /** Lines of the virtual host's TLSLog from here on. */
  tlsLog(name: string): LogReader;
  /** Lines of the server log from here on. */
  systemLog(): LogReader;
  /** Stops the server and removes its folder. */
  close(): Promise<void>;
}

const WAIT_MS = 5_000;
const PROGRAM_MS = 20_000;

/** Account settings shared by all hosts; TLS is each host's own affair. */
const MAIN = `
ServerName "TJ's FTPS Server"
ServerType standalone
DefaultServer on
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port @PORT@
LockgateWorkers 1
PidFile @DIR@/lockgate.pid
SystemLog @DIR@/system.log
<Global>
  SyslogLevel debug
  AuthOrder mod_auth_file.c
  AuthUserFile @USERS@
  RequireValidShell off
  DefaultRoot ~
  AllowOverwrite on
</Global>
`;

const USERS = ['alice', 'bob', 'ftp'].map((name) => ({ name, password: 'secret' }));

/** Directives of base configuration B between `TLSEngine on` and `TLSRequired`. */
export function baseTls(changes: Readonly<Record<string, string | null>> = {}): string {
  const { certA, clientAuthorities } = certificateTrees();
  const directives: Record<string, string | null> = {
    TLSEngine: 'on',
    TLSRSACertificateFile: certA.certificate,
    TLSRSACertificateKeyFile: certA.key,
    TLSCACertificateFile: clientAuthorities,
    TLSVerifyClient: 'off',
    TLSRenegotiate: 'none',
    TLSRequired: 'off',
    ...changes,
  };
  const lines = Object.entries(directives).map(([name, value]) => (value === null ? '' : `${name} ${value}`));
  return `<IfModule mod_tls.c>\n${lines.filter((line) => line !== '').join('\n')}\n</IfModule>\n`;
}

/** The configuration of a server with these virtual hosts; `NAME.log` is each one's TLSLog. */
export function seedConfig(hosts: Readonly<Record<string, string>>, main = ''): string {
  const sections = Object.entries(hosts).map(
    ([name, directives], index) =>
      `<VirtualHost 127.0.0.1>\nServerName "TJ's FTPS Server"\nPort @PORT${index + 2}@\n` +
      `TLSLog @DIR@/${name}.log\n${directives}\n</VirtualHost>\n`,
  );
  return `${MAIN}${main}\n${sections.join('')}`;
}

/** Starts one server process with a virtual host for each entry; the main server itself speaks plain FTP. */
export async function startSeedServer(
  hosts: Readonly<Record<string, string>>,
  options: TestServerOptions & { readonly main?: string } = {},
): Promise<SeedServer> {
  const cleanups: (() => unknown)[] = [];
  const owner = { after: (step: () => unknown) => void cleanups.push(step) };
  const names = Object.keys(hosts);
  const close = async (): Promise<void> => {
    for (const step of cleanups.splice(0).reverse()) await step();
  };
  try {
    const server = await startChildServer(
      owner as Parameters<typeof startChildServer>[0],
      seedConfig(hosts, options.main),
      {
        users: USERS,
        ...options,
      },
    );
    const port = (name: string): number => {
      const found = name === 'main' ? server.port : server.ports[names.indexOf(name) + 1];
      if (found === undefined || (name !== 'main' && !names.includes(name)))
        throw new Error(`no virtual host ${name}`);
      return found;
    };
    return {
      server,
      port,
      async connect(name) {
        const client = await FtpClient.connect({ port: port(name) });
        cleanups.push(() => client.destroy());
        return client;
      },
      tlsLog: (name) => new LogReader(server.directory, `${name}.log`),
      systemLog: () => new LogReader(server.directory, 'system.log'),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a log file gains after this object was made. */
export class LogReader {
  readonly #directory: string;
  readonly #name: string;
  readonly #start: number;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
    this.#start = this.#whole().length;
  }

  /** Lines written so far. */
  get lines(): string[] {
    return this.#whole().slice(this.#start).split('\n').slice(0, -1);
  }

  /** The first line that matches, waiting for it; the error shows what was logged instead. */
  async line(pattern: RegExp, timeoutMs: number = WAIT_MS): Promise<string> {
    const [first] = await this.matches(pattern, 1, timeoutMs);
    return first ?? '';
  }

  /** Waits until at least `count` lines match; gives all that do. */
  matches(pattern: RegExp, count: number, timeoutMs: number = WAIT_MS): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const watcher = watch(this.#directory, () => look());
      const timer = setTimeout(() => {
        watcher.close();
        const wanted = count === 1 ? `${pattern}` : `${count} times ${pattern}`;
        reject(new Error(`${this.#name}: no ${wanted} within ${timeoutMs} ms:\n${this.lines.join('\n')}`));
      }, timeoutMs);
      const look = (): void => {
        const found = this.lines.filter((line) => pattern.test(line));
        if (found.length < count) return;
        watcher.close();
        clearTimeout(timer);
        resolve(found);
      };
      look();
    });
  }

  /** Waits for the lines in this order; other lines may stand between them. */
  async inOrder(...patterns: RegExp[]): Promise<void> {
    await this.line(patterns.at(-1)!);
    let from = 0;
    const { lines } = this;
    for (const pattern of patterns) {
      const at = lines.findIndex((line, index) => index >= from && pattern.test(line));
      if (at < 0)
        throw new Error(`${this.#name}: ${pattern} is missing or out of order:\n${lines.join('\n')}`);
      from = at + 1;
    }
  }

  #whole(): string {
    try {
      return readFileSync(join(this.#directory, this.#name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    }
  }
}

export interface ProgramResult {
  /** Null: it was ended by the deadline. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, with a deadline. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly timeoutMs?: number } = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: 'pipe',
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? PROGRAM_MS,
      killSignal: 'SIGKILL',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    // A program that does not read its input shows in its exit code and output.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** `openssl s_client -starttls ftp`, which types `quit` and reads until the server closes. */
export function sClient(port: number, args: readonly string[] = [], explicit = true): Promise<ProgramResult> {
  const start = explicit ? ['-starttls', 'ftp'] : [];
  const connect = ['s_client', '-connect', `127.0.0.1:${port}`, ...start, '-crlf', '-ign_eof', ...args];
  return runProgram('openssl', connect, { input: 'quit\n' });
}

/** Subject lines of the chain s_client printed, leaf first: `O = Tests, CN = certA`. */
export function chainSubjects(result: ProgramResult): string[] {
  return [...result.stdout.matchAll(/^ *\d+ s:(.*)$/gm)].map((match) => commonName(match[1] ?? ''));
}

/** Common names under "Acceptable client certificate CA names"; empty when the server asked for no certificate. */
export function announcedAuthorities(result: ProgramResult): string[] {
  const block = /Acceptable client certificate CA names\n((?:.*CN.*\n)+)/.exec(result.stdout)?.[1] ?? '';
  return block
    .split('\n')
    .filter((line) => line !== '')
    .map(commonName);
}

function commonName(subject: string): string {
  return /CN ?= ?([^,/]+)/.exec(subject)?.[1]?.trim() ?? subject;
}

/** Runs `lockgate` with a configuration that is expected to be refused (or with -t, checked). */
export async function tryConfig(
  directory: string,
  text: string,
  args: readonly string[] = ['-n'],
): Promise<ProgramResult> {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'refused.conf');
  writeFileSync(join(directory, 'users'), '', { mode: 0o600 });
  const filled = text.replaceAll('@DIR@', directory).replaceAll('@USERS@', join(directory, 'users'));
  writeFileSync(file, filled.replace(/@PORT\d*@/g, '0'));
  return runProgram(LAUNCHER, [...args, '-c', file], {
    env: { ...process.env, LOCKGATE_STATE: join(directory, 'state') },
  });
}

/** Offers one protocol version only; weak ones need the client's own security level lowered. */
export function onlyVersion(version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): ClientTlsOptions {
  const weak = version === 'TLSv1' || version === 'TLSv1.1';
  return { minVersion: version, maxVersion: version, ...(weak ? { ciphers: 'DEFAULT:@SECLEVEL=0' } : {}) };
}

/** LIST over a protected data connection that resumes the control session; TLS options as on that. */
export function protectedList(client: FtpClient, options: ClientTlsOptions = {}): Promise<TransferOutcome> {
  return client.download('LIST', { tls: { session: 'resume', options } });
}
