/** Runs OpenSSH's sftp or scp once and says what it cost. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from '../harness/cleanup.ts';
import { NotMeasurable } from '../harness/part.ts';
import type { BenchFixture, RunningServer } from '../peers/peer.ts';
import { ServerAccount, startCpuMeter } from '../peers/server-account.ts';
import type { LoadResult } from './run-load.ts';

const TIMEOUT_MS = 600_000;

export interface OpensshTransfer {
  /** `scp` in its own protocol (-O). */
  readonly program: 'sftp' | 'scp';
  readonly cipher: string;
  readonly mac: string | null;
  readonly direction: 'download' | 'upload';
  readonly recursive: boolean;
  /** Path below the user's home. */
  readonly remote: string;
  /** File to upload; null: a scratch folder in memory, emptied afterwards. */
  readonly local: string | null;
}

let runs = 0;

/** @throws Error with the client's last words when it fails or takes longer than ten minutes */
export async function runOpenssh(
  server: RunningServer,
  fixture: BenchFixture,
  cleanup: Cleanup,
  transfer: OpensshTransfer,
): Promise<Omit<LoadResult, 'latencies' | 'count'>> {
  const scratch = join(fixture.folder, `openssh-client-${(runs += 1)}`);
  mkdirSync(scratch);
  const account = new ServerAccount(`openssh-client-${runs}`);
  const removeScratch = cleanup.add(scratch, () => rmSync(scratch, { recursive: true, force: true }));
  const closeAccount = cleanup.add(`client ${transfer.program}`, () => account.close());
  try {
    const serverMeter = startCpuMeter(server.account);
    const started = performance.now();
    await runClient(account, command(server, fixture, transfer, transfer.local ?? scratch));
    const seconds = (performance.now() - started) / 1000;
    return { seconds, serverCpuSeconds: await serverMeter(), clientCpuSeconds: account.cpuSeconds() };
  } finally {
    await closeAccount();
    await removeScratch();
  }
}

function command(
  { port }: RunningServer,
  { user, userKey }: BenchFixture,
  { program, cipher, mac, direction, recursive, remote }: OpensshTransfer,
  local: string,
): string[] {
  const settings = [
    'BatchMode=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    'IdentitiesOnly=yes',
    'LogLevel=ERROR',
    `Ciphers=${cipher}`,
    ...(mac === null ? [] : [`MACs=${mac}`]),
  ].flatMap((setting) => ['-o', setting]);
  // -F none: the caller's own settings must not matter.
  const common = ['-q', '-F', 'none', '-i', userKey, '-P', String(port), ...settings];
  const flags = recursive ? ['-r'] : [];
  const there = `${user}@127.0.0.1:${remote}`;
  if (program === 'scp') {
    const paths = direction === 'download' ? [there, local] : [local, there];
    return ['scp', '-O', ...common, ...flags, ...paths];
  }
  if (direction === 'download') return ['sftp', ...common, ...flags, there, local];
  // sftp uploads by a command only; its batch comes from standard input.
  const script = 'put="put $1 $2"; shift 2; echo "$put" | "$@"';
  return ['/bin/sh', '-c', script, 'put', local, remote, 'sftp', '-b', '-', ...common, `${user}@127.0.0.1`];
}

function runClient(account: ServerAccount, words: readonly string[]): Promise<void> {
  const [program, ...args] = account.wrap(words);
  const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (child.pid !== undefined) account.attach(child.pid);
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-500)));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new NotMeasurable(error.message));
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`${words[0]} ended with ${signal ?? code}: ${complaint.trim()}`));
    });
  });
}
