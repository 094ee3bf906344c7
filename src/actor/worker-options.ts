/** What every session worker is told when it starts, and what it answers. */
import type { LogLevel } from '../log/session-log.ts';

/** Plain data, cloned through workerData. */
export interface WorkerOptions {
  /** Least severe level of the operation log. */
  readonly logLevel: LogLevel;
  /** The server is in FIPS mode: the worker proves that it is, too. */
  readonly fips: boolean;
}

const READY = 'lockgate-worker-ready';

/** Posted by every worker when all its imports are done. */
export interface WorkerReady {
  readonly kind: typeof READY;
  /** What went wrong in the FIPS probes, empty when all passed; null: they were not run. */
  readonly fipsFailures: string | null;
}

export function workerReady(fipsFailures: string | null): WorkerReady {
  return { kind: READY, fipsFailures };
}

/** Null for any other message of a worker. */
export function readWorkerReady(message: unknown): WorkerReady | null {
  const ready = message as Partial<WorkerReady> | null;
  if (typeof ready !== 'object' || ready?.kind !== READY) return null;
  return workerReady(typeof ready.fipsFailures === 'string' ? ready.fipsFailures : null);
}

/** Why a worker of a server in FIPS mode may not serve; null when it may. */
export function fipsRefusalOf(ready: WorkerReady): string | null {
  if (ready.fipsFailures === null) return 'it did not run the FIPS probes';
  return ready.fipsFailures === '' ? null : ready.fipsFailures;
}
