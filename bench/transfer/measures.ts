/** What `npm run bench -- transfer` measures; each function returns numbers of one run on one server. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { performance } from 'node:perf_hooks';
import type { BenchFixture, RunningPeer } from '../peers/peer.ts';
import { BIG_FILE, SMALL_FILES, SMALL_FILE_BYTES } from '../support/fixture.ts';
import { FtpLoadClient } from '../support/ftp-load-client.ts';
import { CpuMeter, proportionalMemory } from '../support/process-cost.ts';

const runFile = promisify(execFile);

const UPLOADED_FILE = 'upload.bin';

export interface ThroughputRun {
  readonly megabytesPerSecond: number;
  /** Server CPU seconds per GiB. */
  readonly cpuPerGib: number;
}

/** One file of `bytes` through curl, in clear or over TLS 1.3 AES-256-GCM. */
export async function throughput(
  peer: RunningPeer,
  fixture: BenchFixture,
  bytes: number,
  direction: 'download' | 'upload',
  tls: boolean,
): Promise<ThroughputRun> {
  const url = `ftp://127.0.0.1:${peer.port}/`;
  const secure = tls ? ['--ssl-reqd', '-k', '--tls13-ciphers', 'TLS_AES_256_GCM_SHA384'] : [];
  const what =
    direction === 'download'
      ? ['-o', '/dev/null', `${url}${BIG_FILE}`]
      : ['-T', `${fixture.home}/${BIG_FILE}`, `${url}${UPLOADED_FILE}`];
  // Every server writes into memory that was free before, whether it overwrites in place or writes beside and renames.
  rmSync(join(fixture.home, UPLOADED_FILE), { force: true });
  const meter = new CpuMeter(peer.pid);
  const started = performance.now();
  await runFile('curl', [
    '-sS',
    '--max-time',
    '300',
    '-u',
    `${fixture.user}:${fixture.password}`,
    ...secure,
    ...what,
  ]);
  const seconds = (performance.now() - started) / 1000;
  const cpu = await meter.stop();
  return { megabytesPerSecond: bytes / 1e6 / seconds, cpuPerGib: (cpu * 2 ** 30) / bytes };
}

const LOGIN_CHILD = fileURLToPath(new URL('../support/login-load.ts', import.meta.url));
const IDLE_CHILD = fileURLToPath(new URL('../support/idle-load.ts', import.meta.url));
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];

/** Complete sessions (connect, AUTH TLS, USER, PASS, QUIT) a second, by four client processes of four sessions each. */
export async function loginsPerSecond(
  peer: RunningPeer,
  fixture: BenchFixture,
  seconds: number,
): Promise<number> {
  const args = [
    ...NODE_FLAGS,
    LOGIN_CHILD,
    String(peer.port),
    fixture.user,
    fixture.password,
    String(seconds),
    'tls',
  ];
  const started = performance.now();
  const children = await Promise.all(Array.from({ length: 4 }, () => runFile(process.execPath, args)));
  const total = children.reduce((sum, child) => sum + Number(child.stdout), 0);
  return total / ((performance.now() - started) / 1000);
}

/** Downloads of 4 KiB files a second, one after the other on one logged-in session; `tls` null: in clear. */
export async function smallDownloadsPerSecond(
  peer: RunningPeer,
  fixture: BenchFixture,
  tls: 'TLSv1.2' | 'TLSv1.3' | null,
  seconds: number,
): Promise<number> {
  const version = tls === null ? {} : { maxVersion: tls };
  const client = await FtpLoadClient.connect({ port: peer.port, tls: tls !== null, ...version });
  await client.login(fixture.user, fixture.password);
  await client.prepareDownloads();
  await client.download('small-0.bin');
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < seconds * 1000) {
    const bytes = await client.download(`small-${count % SMALL_FILES}.bin`);
    if (bytes !== SMALL_FILE_BYTES)
      throw new Error(`${peer.name} sent ${bytes} of ${SMALL_FILE_BYTES} bytes`);
    count++;
  }
  const rate = count / ((performance.now() - started) / 1000);
  await client.quit();
  return rate;
}

/** Proportional memory per idle logged-in TLS session, bytes: with `count` sessions less without any. */
export async function idleSessionBytes(
  peer: RunningPeer,
  fixture: BenchFixture,
  count: number,
): Promise<number> {
  const before = proportionalMemory(peer.pid);
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, IDLE_CHILD, String(peer.port), fixture.user, fixture.password, String(count)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  const ready = await Promise.race([once(child.stdout, 'data').then(() => true), exited.then(() => false)]);
  if (!ready) throw new Error(`${peer.name} did not hold ${count} sessions`);
  const after = proportionalMemory(peer.pid);
  child.stdin.end();
  await exited;
  return (after - before) / count;
}
