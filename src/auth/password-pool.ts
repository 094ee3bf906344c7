/**
 * The small pool of threads that compute password hashes. The second importer of piscina beside
 * src/main/session-pool.ts: hashes must never wait for, or hold up, a session's thread.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { expectProbeIndicator } from '../../crypto/fips-indicators.ts';
import { fipsMode } from '../../crypto/fips-module.ts';
import { FipsProbeError } from '../../crypto/fips-probes.ts';
import { fipsRefusalOf, readWorkerReady } from '../actor/worker-options.ts';
import type { Secret } from '../log/secret.ts';

/**
 * unsupported: the hash's scheme is unknown here. overloaded: too many checks wait already. timed-out: the deadline
 * passed. failed: the thread died or is closing. Only `match` lets anybody in.
 */
export type HashVerdict = 'match' | 'mismatch' | 'unsupported' | 'overloaded' | 'timed-out' | 'failed';

export interface HashPool {
  verify(password: Secret, hash: Secret): Promise<HashVerdict>;
  close(): Promise<void>;
}

/** The pool, and when its first thread answered. */
export interface PasswordPool extends HashPool {
  /** Rejects with FipsProbeError when the thread is not in the FIPS mode the server is in. */
  readonly ready: Promise<void>;
}

export interface PasswordPoolOptions {
  /** Threads, and so hashes at one time. Default: the number of cores, at most 4. */
  readonly threads?: number;
  /** Checks that may wait for a thread; more are refused at once. */
  readonly maxWaiting?: number;
  /** Waiting and computing together, in milliseconds. */
  readonly deadlineMs?: number;
  /** A bug in the worker, for the server log; carries neither password nor hash. */
  readonly onError?: (error: Error) => void;
  /** In FIPS mode, a thread failed its probes. */
  readonly onFipsFailure?: (error: FipsProbeError) => void;
}

const DEFAULT_MAX_WAITING = 256;
const DEFAULT_DEADLINE_MS = 15_000;
const IDLE_THREAD_MS = 60_000;

/** Starts the pool; one thread is kept warm, the others come with the load. */
export function createPasswordPool(options: PasswordPoolOptions = {}): PasswordPool {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const threads = options.threads ?? Math.min(availableParallelism(), 4);
  const capacity = threads + (options.maxWaiting ?? DEFAULT_MAX_WAITING);
  const fips = fipsMode() !== 'off';
  const pool = new Piscina({
    filename: workerFile(),
    minThreads: 1,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
    // `capacity` is the limit in force; while threads start, piscina counts all jobs as queued.
    maxQueue: capacity,
    idleTimeout: IDLE_THREAD_MS,
    atomics: 'disabled',
    workerData: { fips },
    recordTiming: false,
  });
  const report = options.onError ?? (() => undefined);
  let waiting = 0;
  let closed = false;
  pool.on('error', report);
  const first = Promise.withResolvers<void>();
  // Handled here as well: without FIPS nobody waits for it.
  first.promise.catch(() => undefined);
  pool.on('error', first.reject);
  pool.on('message', (message: unknown) => {
    const ready = readWorkerReady(message);
    if (ready !== null && fips) expectProbeIndicator();
    const refusal = ready === null || !fips ? null : fipsRefusalOf(ready);
    if (refusal === null) {
      if (ready !== null) first.resolve();
      return;
    }
    const error = new FipsProbeError(`password worker: ${refusal}`);
    first.reject(error);
    options.onFipsFailure?.(error);
  });

  async function verify(password: Secret, hash: Secret): Promise<HashVerdict> {
    // A destroyed piscina would start threads again.
    if (closed) return 'failed';
    if (waiting >= capacity) return 'overloaded';
    waiting++;
    // Never aborted: aborting a running job would end its whole thread. A late one finds its time over and returns.
    const job = pool.run({
      password: password.reveal(),
      hash: hash.reveal(),
      notAfter: Date.now() + deadlineMs,
    }) as Promise<HashVerdict | 'expired'>;
    const verdict = job.then(
      (result): HashVerdict => (result === 'expired' ? 'timed-out' : result),
      (error: unknown): HashVerdict => {
        if (closed) return 'failed';
        report(error instanceof Error ? error : new Error('the password worker failed'));
        return 'failed';
      },
    );
    return withDeadline(
      verdict.finally(() => waiting--),
      deadlineMs,
    );
  }

  return {
    verify,
    ready: first.promise,
    close() {
      closed = true;
      first.reject(new Error('the password pool is closed'));
      return pool.destroy();
    },
  };
}

function withDeadline(verdict: Promise<HashVerdict>, deadlineMs: number): Promise<HashVerdict> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, deadlineMs, 'timed-out');
    verdict.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The sources run as they are, a published package runs compiled: the worker has this file's own extension. */
function workerFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../../workers/password-worker.${extension}`, import.meta.url).href;
}
