/**
 * An SFTP server for real clients: its configuration, host keys, a user's key, and what clients must be told so that they
 * know the host and ask nobody anything.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { generateHostKey, loadHostKey } from '../../crypto/ssh/host-keys.ts';
import { runProgram, type ProgramResult } from './seed-server.ts';
import { BASE_CONFIG, type ChildServer, type TestServerOptions } from './server.ts';
import { sharedServer } from './shared-server.ts';

export type HostKeyKind = 'ed25519' | 'ecdsa' | 'rsa';

const KINDS: readonly HostKeyKind[] = ['ed25519', 'ecdsa', 'rsa'];

/** In any server or virtual host; the keys are those `sshFiles` writes. */
export const SSH_DIRECTIVES = `
SFTPEngine on
SFTPLog @DIR@/sftp.log
${KINDS.map((kind) => `SFTPHostKey @DIR@/host_${kind}`).join('\n')}
SFTPAuthorizedUserKeys file:@DIR@/keys/%u
TransferLog @DIR@/xferlog
AllowStoreRestart on
`;

export const SSH_CONFIG = `${BASE_CONFIG}${SSH_DIRECTIVES}`;

/** `type base64` of each host key of this process's test servers; made once. */
let hostKeys: Promise<ReadonlyMap<HostKeyKind, { readonly pem: string; readonly line: string }>> | null =
  null;

async function makeHostKeys(): Promise<
  ReadonlyMap<HostKeyKind, { readonly pem: string; readonly line: string }>
> {
  const made = await Promise.all(
    KINDS.map(async (kind) => {
      const pem = await generateHostKey(kind);
      const { type, blob } = await loadHostKey(Buffer.from(pem));
      return [kind, { pem, line: `${type} ${blob.toString('base64')}` }] as const;
    }),
  );
  return new Map(made);
}

/** For `beforeStart`: host keys, and alice's public key (her private one is `user_key`, in OpenSSH's format). */
export async function sshFiles(directory: string): Promise<void> {
  hostKeys ??= makeHostKeys();
  const lines: string[] = [];
  for (const [kind, { pem, line }] of await hostKeys) {
    writeFileSync(join(directory, `host_${kind}`), pem, { mode: 0o600 });
    lines.push(line);
  }
  writeFileSync(join(directory, 'host_key_lines'), `${lines.join('\n')}\n`);
  mkdirSync(join(directory, 'keys'), { mode: 0o755 });
  const key = join(directory, 'user_key');
  await succeed('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'alice', '-f', key]);
  const { stdout } = await succeed('ssh-keygen', ['-e', '-m', 'RFC4716', '-f', `${key}.pub`]);
  writeFileSync(join(directory, 'keys', 'alice'), stdout);
}

/** Runs a program that is expected to end well. */
export async function succeed(
  program: string,
  args: readonly string[],
  options: Parameters<typeof runProgram>[2] = {},
): Promise<ProgramResult> {
  const result = await runProgram(program, args, options);
  if (result.code !== 0)
    throw new Error(`${program} ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`);
  return result;
}

export interface SshShared {
  readonly server: ChildServer;
  /** A folder for the clients' files, removed after the block. */
  readonly work: string;
  /** alice's home, or a path in it. */
  home(...names: readonly string[]): string;
  /** Options all of OpenSSH's clients take. `user_key` logs in; `password` in `env` where there is one. */
  options(more?: Readonly<Record<string, string>>, port?: number): string[];
  /** The same for logins by password alone. */
  passwordOptions(more?: Readonly<Record<string, string>>): string[];
  readonly env: NodeJS.ProcessEnv;
  /** `sftp -b`: one command per line. */
  sftp(
    commands: readonly string[],
    more?: Readonly<Record<string, string>>,
    flags?: readonly string[],
  ): Promise<ProgramResult>;
  scp(args: readonly string[], more?: Readonly<Record<string, string>>): Promise<ProgramResult>;
  /** `alice@127.0.0.1:PATH` for scp. */
  remote(path: string): string;
  /** A file or folder of alice's own, in her home. */
  give(path: string, bytes: Buffer | string): void;
  /** Makes what a test wrote into alice's home hers. */
  own(path: string): void;
}

/** One SFTP server for all tests of a `describe` block. */
export function sharedSshServer(config: string = SSH_CONFIG, options: TestServerOptions = {}): SshShared {
  const shared = sharedServer(config, {
    ...options,
    beforeStart: async (directory) => {
      await sshFiles(directory);
      await options.beforeStart?.(directory);
    },
  });
  const work = mkdtempSync(join(tmpdir(), 'lockgate-ssh-'));
  after(() => rmSync(work, { recursive: true, force: true }));
  const askpass = join(work, '.askpass');
  writeFileSync(askpass, '#!/bin/sh\nprintf "%s\\n" "$TEST_PASSWORD"\n');
  chmodSync(askpass, 0o700);
  const env = {
    ...process.env,
    LC_ALL: 'C.UTF-8',
    HOME: work,
    SSH_ASKPASS: askpass,
    SSH_ASKPASS_REQUIRE: 'force',
    DISPLAY: ':0',
    TEST_PASSWORD: 'secret',
  };
  const home = (...names: readonly string[]): string => join(shared.server.homeOf('alice'), ...names);
  const own = (path: string): void => {
    const { uid, gid } = statSync(home());
    chownSync(path, uid, gid);
  };
  const written = new Map<number, string>();
  // Once per port: clients that run at the same time read it.
  const knownHosts = (port: number): string => {
    const file = written.get(port) ?? join(work, `.known_hosts.${port}`);
    if (written.has(port)) return file;
    const lines = shared.server.read('host_key_lines').trim().split('\n');
    writeFileSync(file, lines.map((line) => `[127.0.0.1]:${port} ${line}\n`).join(''));
    written.set(port, file);
    return file;
  };
  const given = (values: Readonly<Record<string, string>>): string[] =>
    Object.entries(values).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const common = (port: number): Readonly<Record<string, string>> => ({
    Port: String(port),
    User: 'alice',
    BatchMode: 'no',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: knownHosts(port),
    GlobalKnownHostsFile: '/dev/null',
    IdentityAgent: 'none',
    IdentitiesOnly: 'yes',
    NumberOfPasswordPrompts: '1',
    ConnectTimeout: '10',
  });
  const clientOptions = (
    more: Readonly<Record<string, string>> = {},
    port = shared.server.port,
  ): string[] => [
    ...['-F', '/dev/null'],
    ...given(more),
    ...given({
      ...common(port),
      IdentityFile: join(shared.server.directory, 'user_key'),
      PreferredAuthentications: 'publickey',
    }),
  ];
  return {
    get server() {
      return shared.server;
    },
    work,
    env,
    home,
    own,
    options: clientOptions,
    passwordOptions: (more = {}) => [
      ...['-F', '/dev/null'],
      ...given(more),
      ...given({ ...common(shared.server.port), IdentityFile: 'none', PreferredAuthentications: 'password' }),
    ],
    sftp: (commands, more = {}, flags = []) =>
      runProgram('sftp', [...clientOptions(more), ...flags, '-b', '-', '127.0.0.1'], {
        input: `${commands.join('\n')}\n`,
        env,
      }),
    scp: (args, more = {}) => runProgram('scp', [...clientOptions(more), ...args], { env }),
    remote: (path) => `127.0.0.1:${path}`,
    give(path, bytes) {
      writeFileSync(home(path), bytes);
      own(home(path));
    },
  };
}
