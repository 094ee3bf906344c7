/**
 * The acceptance scenarios of SFTP: virtual hosts with the base configuration in one server process (seed-server.ts), an
 * OpenSSH client that types passwords, and what a test needs to speak SSH itself.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { generateHostKey } from '../../crypto/ssh/host-keys.ts';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import {
  LogReader,
  runProgram,
  startSeedServer,
  type ProgramResult,
  type SeedServer,
} from './seed-server.ts';
import type { TestServerOptions } from './server.ts';
import { SshClient, type SshClientOptions } from './ssh-client.ts';
import { keyProof, passwordRequest, userauthRequest, type TestKey } from './userauth-fixture.ts';

/** BASE: directives replaced by name, null leaves one out; `SFTPHostKey` stands for both lines. */
export function baseSftp(name: string, changes: Readonly<Record<string, string | null>> = {}): string {
  const directives: Record<string, string | null> = {
    SFTPEngine: 'on',
    SFTPLog: `@DIR@/${name}-sftp.log`,
    SFTPHostKey: '@DIR@/host-ed25519\nSFTPHostKey @DIR@/host-rsa',
    SFTPAuthorizedUserKeys: 'file:~/.sftp/authorized_keys',
    ...changes,
  };
  return Object.entries(directives)
    .filter(([, value]) => value !== null)
    .map(([directive, value]) => `${directive} ${value}\n`)
    .join('');
}

export interface SftpSeed extends SeedServer {
  /** Lines of the virtual host's SFTPLog from here on. */
  sftpLog(name: string): LogReader;
  /** Path of a private key of ssh-keygen; made at the first call. `.pub` stands beside it. */
  key(name: string, type?: 'ed25519' | 'rsa' | 'ecdsa'): string;
  /** Appends to a user's ~/.sftp/authorized_keys. */
  authorize(user: string, text: string): void;
  /** Runs an OpenSSH program against a virtual host; `password` is what it is told when it asks. */
  openSsh(program: 'ssh' | 'sftp' | 'scp', host: string, run: OpenSshRun): Promise<ProgramResult>;
  /** sftp with these commands; a password is typed, or an identity used. */
  sftp(host: string, commands: string, run?: OpenSshRun): Promise<ProgramResult>;
  /** Our own client, keys agreed on; destroyed when the server stops. */
  client(host: string, options?: Partial<SshClientOptions>): Promise<SshClient>;
  readonly folder: string;
}

export interface OpenSshRun {
  readonly user?: string;
  /** Null: no password is known. */
  readonly password?: string | null;
  readonly identity?: string;
  /** Behind the program's name, before the destination. */
  readonly args?: readonly string[];
  /** Behind the destination (ssh). */
  readonly command?: readonly string[];
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Where host keys are looked for; default: nowhere, and any is taken. */
  readonly knownHosts?: string;
}

export const PASSWORD = 'secret';

/** PEM, made once per test process. */
let hostKeys: Promise<readonly [ed25519: string, rsa: string]> | null = null;

export async function writeHostKeys(directory: string): Promise<void> {
  hostKeys ??= Promise.all([generateHostKey('ed25519'), generateHostKey('rsa')]);
  const [ed25519, rsa] = await hostKeys;
  writeFileSync(join(directory, 'host-ed25519'), ed25519, { mode: 0o600 });
  writeFileSync(join(directory, 'host-rsa'), rsa, { mode: 0o600 });
}

export async function startSftpSeed(
  hosts: Readonly<Record<string, string>>,
  options: TestServerOptions & { readonly main?: string } = {},
): Promise<SftpSeed> {
  const { beforeStart } = options;
  const seed = await startSeedServer(hosts, {
    ...options,
    beforeStart: async (directory) => {
      await writeHostKeys(directory);
      await beforeStart?.(directory);
    },
  });
  // Behind the start, so that a server that does not start leaves nothing.
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-sftp-'));
  const clients: SshClient[] = [];
  const openSsh = (program: 'ssh' | 'sftp' | 'scp', host: string, run: OpenSshRun): Promise<ProgramResult> =>
    runProgram(program, openSshArguments(program, seed.port(host), folder, run), {
      input: run.input ?? '',
      timeoutMs: run.timeoutMs ?? 20_000,
      env: openSshEnvironment(folder, run.password === undefined ? PASSWORD : run.password),
    });
  return {
    ...seed,
    folder,
    openSsh,
    sftpLog: (name) => new LogReader(seed.server.directory, `${name}-sftp.log`),
    key: (name, type = 'ed25519') => sshKeygenKey(join(folder, name), type),
    authorize: (user, text) => authorize(seed.server.homeOf(user), text),
    sftp: (host, commands, run = {}) =>
      openSsh('sftp', host, {
        ...run,
        args: ['-oBatchMode=no', '-b', '-', ...(run.args ?? [])],
        input: commands,
      }),
    async client(host, given = {}) {
      const client = await SshClient.open({ port: seed.port(host), ...given });
      clients.push(client);
      await client.handshake();
      return client;
    },
    async close() {
      for (const client of clients) client.destroy();
      await seed.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function openSshArguments(program: string, port: number, folder: string, run: OpenSshRun): string[] {
  const known = run.knownHosts;
  const identity = run.identity === undefined ? ['-oPubkeyAuthentication=no'] : ['-i', run.identity];
  return [
    '-F/dev/null',
    program === 'ssh' ? '-p' : '-P',
    String(port),
    `-oUserKnownHostsFile=${known ?? '/dev/null'}`,
    `-oStrictHostKeyChecking=${known === undefined ? 'no' : 'yes'}`,
    '-oGlobalKnownHostsFile=/dev/null',
    '-oIdentitiesOnly=yes',
    '-oIdentityAgent=none',
    '-oNumberOfPasswordPrompts=1',
    ...identity,
    ...(run.args ?? []),
    ...(program === 'scp' ? [] : [`${run.user ?? 'alice'}@127.0.0.1`]),
    ...(run.command ?? []),
  ];
}

/** OpenSSH asks a program for the password, as there is no terminal. */
function openSshEnvironment(folder: string, password: string | null): NodeJS.ProcessEnv {
  const askPass = join(folder, 'ask-password');
  if (!existsSync(askPass)) {
    writeFileSync(askPass, '#!/bin/sh\nprintf "%s\\n" "$LOCKGATE_TEST_PASSWORD"\n');
    chmodSync(askPass, 0o700);
  }
  const base = { ...process.env, HOME: folder };
  if (password === null) return { ...base, SSH_ASKPASS_REQUIRE: 'never' };
  return { ...base, SSH_ASKPASS: askPass, SSH_ASKPASS_REQUIRE: 'force', LOCKGATE_TEST_PASSWORD: password };
}

export function sshKeygenKey(
  path: string,
  type: 'ed25519' | 'rsa' | 'ecdsa' | 'dsa',
  more: readonly string[] = [],
): string {
  if (!existsSync(path))
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'test', '-f', path, ...more], {
      stdio: 'pipe',
    });
  return path;
}

/** The public half in RFC 4716, as `ssh-keygen -e -m RFC4716` writes it. */
export function rfc4716(key: string): string {
  return execFileSync('ssh-keygen', ['-e', '-m', 'RFC4716', '-f', `${key}.pub`], { encoding: 'utf8' });
}

export function publicLine(key: string): string {
  return readFileSync(`${key}.pub`, 'utf8');
}

function authorize(home: string, text: string): void {
  const file = join(home, '.sftp', 'authorized_keys');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { flag: 'a' });
}

/** Bytes a silent client gets until `enough` says so. */
export function readSilently(
  port: number,
  enough: (bytes: Buffer) => boolean,
): Promise<{ readonly first: Buffer; readonly socket: Socket }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let bytes: Buffer = Buffer.alloc(0);
    socket.setTimeout(10_000, () => reject(new Error(`no more than ${bytes.length} bytes came`)));
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (enough(bytes)) resolve({ first: bytes, socket });
    });
    socket.on('close', () => resolve({ first: bytes, socket }));
  });
}

// --- user authentication of our own client ---

/** What a request led to: `success`, `failure publickey,password`, `failure ... partial`, `pk-ok`, `banner` skipped. */
export async function authAnswer(client: SshClient, request: Buffer): Promise<string> {
  client.send(request);
  for (;;) {
    const packet = await client.next();
    if (packet === null) return 'closed';
    const reader = new ByteReader(packet, 1);
    switch (packet[0]) {
      case 51:
        return `failure ${reader.nameList().join(',')}${reader.bool() ? ' partial' : ''}`;
      case 52:
        return 'success';
      case 60:
        return 'sixty';
      case 1:
        return `disconnect ${reader.u32()} ${reader.utf8()}`;
      default:
        continue;
    }
  }
}

/** SERVICE_REQUEST of ssh-userauth, granted. */
export async function startUserauth(client: SshClient): Promise<SshClient> {
  client.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
  await client.expect(6);
  return client;
}

export const noneRequest = (user = 'alice'): Buffer => userauthRequest(user, 'none');

/** A client that is logged in with the password. */
export async function loginWithPassword(
  client: SshClient,
  user = 'alice',
  password = PASSWORD,
): Promise<SshClient> {
  await startUserauth(client);
  const answer = await authAnswer(client, passwordRequest(user, password));
  if (answer !== 'success') throw new Error(`login of ${user}: ${answer}`);
  return client;
}

export function keyLogin(client: SshClient, user: string, key: TestKey): Promise<string> {
  return authAnswer(client, keyProof(user, key, { sessionIdentifier: client.sessionId! }));
}

/** The algorithm lists of a KEXINIT payload, by RFC 4253 section 7.1. */
export function kexInitLists(
  payload: Buffer,
): Record<'keyExchanges' | 'hostKeys' | 'ciphers' | 'macs' | 'compressions', string[]> {
  const reader = new ByteReader(payload, 17);
  const [keyExchanges, hostKeys, ciphers, , macs, , compressions] = Array.from({ length: 7 }, () =>
    reader.nameList(),
  );
  return {
    keyExchanges: keyExchanges!,
    hostKeys: hostKeys!,
    ciphers: ciphers!,
    macs: macs!,
    compressions: compressions!,
  };
}
