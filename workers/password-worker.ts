/**
 * Entry of the password pool's threads (src/auth/password-pool.ts): one job, one hash, synchronously. These threads do
 * nothing else, so a login storm costs sessions no time; PBKDF2 runs here too and not in libuv's pool, which the
 * sessions' file reads share.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { probeFailures, runFipsProbes } from '../crypto/fips-probes.ts';
import { verifyPasswordSync } from '../crypto/password-hash.ts';
import { workerReady } from '../src/actor/worker-options.ts';

/** Plain data, cloned through workerData. */
export interface PasswordWorkerOptions {
  /** The server is in FIPS mode: the worker proves that it is, too. */
  readonly fips: boolean;
}

export interface PasswordJob {
  readonly password: string;
  readonly hash: string;
  /** Milliseconds since the epoch; a job that starts later is pointless, its asker has gone. */
  readonly notAfter: number;
}

export type PasswordJobResult = 'match' | 'mismatch' | 'unsupported' | 'expired';

export default function runPasswordJob(job: PasswordJob): PasswordJobResult {
  if (Date.now() > job.notAfter) return 'expired';
  return verifyPasswordSync(job.password, job.hash);
}

const { fips } = workerData as PasswordWorkerOptions;
parentPort?.postMessage(workerReady(fips ? probeFailures(runFipsProbes()) : null));
