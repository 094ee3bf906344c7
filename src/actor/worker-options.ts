/** What every session worker is told when it starts, and what it answers. */
import type { LogLevel } from '../log/session-log.ts';

/** Plain data, cloned through workerData. */
export interface WorkerOptions {
  /** Least severe level of the operation log. */
  readonly logLevel: LogLevel;
}

/** Posted by the worker when all its imports are done. */
export const WORKER_READY = 'lockgate-worker-ready';
