/** One server process for many SFTP scenarios: each is a virtual host with SFTPEngine on, and logs of its own. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import {
  LogReader,
  runProgram,
  startSeedServer,
  type ProgramResult,
  type SeedServer,
} from './seed-server.ts';
import type { TestServerOptions } from './server.ts';
import { sshFiles } from './ssh-server.ts';
import { SshLogin, type ChannelOptions, type LoginOptions, type RemoteSftp } from './sftp-login.ts';

export interface SftpScenarioServer {
  readonly seed: SeedServer;
  readonly directory: string;
  port(name: string): number;
  home(user?: string): string;
  /** A file (or, with null, a directory) in alice's home that is hers. */
  give(path: string, content: string | Buffer | null, mode?: number): string;
  /** SFTPLog of a virtual host from here on. */
  sftpLog(name: string): LogReader;
  /** Any log in the server's folder from here on. */
  log(fileName: string): LogReader;
  /** SFTP of the suite's own client; cut when the server stops. */
  sftp(
    name: string,
    version?: SftpVersion,
    options?: Partial<LoginOptions> & ChannelOptions,
  ): Promise<RemoteSftp>;
  login(name: string, options?: Partial<LoginOptions>): Promise<SshLogin>;
  /** OpenSSH's programs as alice: `sftp` with a batch, `scp` and `ssh` with these arguments. */
  openSftp(name: string, batch: string, args?: readonly string[]): Promise<ProgramResult>;
  /** `@` stands for `alice@127.0.0.1:`. */
  openScp(name: string, args: readonly string[]): Promise<ProgramResult>;
  openSsh(name: string, args: readonly string[], command?: readonly string[]): Promise<ProgramResult>;
  close(): Promise<void>;
}

/** Directives of a virtual host before its own: BASE of the scenarios, with an Ed25519 key. */
export const SFTP_BASE = `
SFTPEngine on
SFTPHostKey @DIR@/host_ed25519
AuthUserFile @USERS@
SFTPAuthorizedUserKeys file:@DIR@/keys/%u
`;

/** Starts one server; a host's SFTPLog is `NAME.sftp`. */
export async function startSftpScenarios(
  hosts: Readonly<Record<string, string>>,
  options: TestServerOptions & { readonly main?: string } = {},
): Promise<SftpScenarioServer> {
  const sections = Object.entries(hosts).map(([name, directives]) => [
    name,
    `${SFTP_BASE}SFTPLog @DIR@/${name}.sftp\n${directives}`,
  ]);
  const { beforeStart } = options;
  const seed = await startSeedServer(Object.fromEntries(sections), {
    ...options,
    beforeStart: async (directory) => {
      await sshFiles(directory);
      await beforeStart?.(directory);
    },
  });
  const { directory } = seed.server;
  const logins: SshLogin[] = [];
  const openSsh = (port: number): string[] => [
    '-F',
    '/dev/null',
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'LogLevel=ERROR',
    '-o',
    'BatchMode=yes',
    '-i',
    join(directory, 'user_key'),
    '-o',
    `Port=${port}`,
  ];
  const login = async (name: string, more: Partial<LoginOptions> = {}): Promise<SshLogin> => {
    const made = await SshLogin.connect({ ...more, port: seed.port(name) });
    logins.push(made);
    return made;
  };
  return {
    seed,
    directory,
    port: (name) => seed.port(name),
    home: (user = 'alice') => seed.server.homeOf(user),
    give(path, content, mode) {
      const home = seed.server.homeOf('alice');
      const full = join(home, path);
      if (content === null) mkdirSync(full);
      else writeFileSync(full, content);
      const { uid, gid } = statSync(home);
      chownSync(full, uid, gid);
      if (mode !== undefined) chmodSync(full, mode);
      return full;
    },
    sftpLog: (name) => new LogReader(directory, `${name}.sftp`),
    log: (fileName) => new LogReader(directory, fileName),
    login,
    sftp: async (name, version = 3, more = {}) => (await login(name, more)).openSftp(version, more),
    openSftp: (name, batch, args = []) =>
      runProgram('sftp', [...openSsh(seed.port(name)), ...args, '-b', '-', 'alice@127.0.0.1'], {
        input: batch,
      }),
    openScp: (name, args) =>
      runProgram('scp', [
        ...openSsh(seed.port(name)),
        ...args.map((argument) =>
          argument.startsWith('@') ? `alice@127.0.0.1:${argument.slice(1)}` : argument,
        ),
      ]),
    openSsh: (name, args, command = []) =>
      runProgram('ssh', [...openSsh(seed.port(name)), ...args, 'alice@127.0.0.1', ...command]),
    async close() {
      for (const made of logins) made.destroy();
      await seed.close();
    },
  };
}
