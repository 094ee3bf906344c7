/**
 * The worker threads that run sessions; the only importer of piscina. One Piscina task is one session and lives as long
 * as it, so the death of a worker rejects exactly its own sessions and Piscina starts another worker.
 */
import { Piscina } from 'piscina';
import type { SessionEnd, SessionTask } from '../actor/messages.ts';
import { expectProbeIndicator } from '../../crypto/fips-indicators.ts';
import { FipsProbeError } from '../../crypto/fips-probes.ts';
import { fipsRefusalOf, readWorkerReady, type WorkerOptions } from '../actor/worker-options.ts';

/** Both source and compiled tree keep this file and the worker entry at the same distance. */
const WORKER_ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? '../../workers/session-worker.ts' : '../../workers/session-worker.js',
  import.meta.url,
);

type Movable = NonNullable<NonNullable<Parameters<Piscina['run']>[1]>['transferList']>;

/** A worker that cannot finish its imports in this time is broken. */
const START_TIMEOUT_MS = 20_000;

export interface SessionPoolOptions {
  /** Worker threads, at least 1. */
  readonly workers: number;
  /** Sessions one worker may hold; beyond `workers` times this number the server is full. */
  readonly sessionsPerWorker: number;
  readonly workerData: WorkerOptions;
  /** A worker ended with an error while it held no session, or while it started. */
  readonly onWorkerError: (error: Error) => void;
  /** In FIPS mode, a worker that was started later failed its probes. */
  readonly onFipsFailure: (error: FipsProbeError) => void;
  /** Another worker runs `entry` instead of the session actor (tests). */
  readonly entry?: URL;
}

export class SessionPool {
  readonly #pool: Piscina<SessionTask, SessionEnd>;
  readonly #capacity: number;
  #active = 0;
  #stopWaiting: (error: Error) => void = () => undefined;
  /** Resolves when every worker has loaded the session actor. */
  readonly ready: Promise<void>;

  constructor(options: SessionPoolOptions) {
    this.#capacity = options.workers * options.sessionsPerWorker;
    this.#pool = new Piscina({
      filename: (options.entry ?? WORKER_ENTRY).href,
      minThreads: options.workers,
      maxThreads: options.workers,
      concurrentTasksPerWorker: options.sessionsPerWorker,
      maxQueue: 0,
      // The default parks an idle worker in Atomics.wait, which would stop every timer and socket it still serves.
      atomics: 'disabled',
      workerData: options.workerData,
      recordTiming: false,
      // Sessions open files by openat2, which Node's own list of descriptors does not know.
      trackUnmanagedFds: false,
    });
    this.ready = this.#waitForWorkers(options);
    // Handled here as well, so that a failed start that nobody awaits yet is no unhandled rejection.
    this.ready.catch(() => undefined);
    this.#pool.on('error', options.onWorkerError);
  }

  get threadCount(): number {
    return this.#pool.threads.length;
  }

  get isFull(): boolean {
    return this.#active >= this.#capacity;
  }

  /**
   * Runs one session; socket and port move to the worker. Resolves at its end, rejects when its worker died. Ask
   * `isFull` first: Piscina would keep a task that it rejects.
   */
  async run(task: SessionTask): Promise<SessionEnd> {
    this.#active += 1;
    try {
      return await this.#pool.run(task, { transferList: [task.socket, task.port] as unknown as Movable });
    } finally {
      this.#active -= 1;
    }
  }

  /** Ends one worker thread the hard way, as a crash would; its sessions are lost. For tests and emergencies. */
  async terminateWorker(index: number): Promise<void> {
    await this.#pool.threads[index]?.terminate();
  }

  /** Ends all workers at once. */
  async destroy(): Promise<void> {
    this.#stopWaiting(new Error('the server stops'));
    await this.#pool.destroy();
  }

  #waitForWorkers(options: SessionPoolOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      let waiting = options.workers;
      const timer = setTimeout(
        () => finish(new Error(`session workers were not ready within ${START_TIMEOUT_MS / 1000} seconds`)),
        START_TIMEOUT_MS,
      );
      const onMessage = (message: unknown): void => {
        const ready = readWorkerReady(message);
        if (ready === null) return;
        if (options.workerData.fips) expectProbeIndicator();
        const refusal = options.workerData.fips ? fipsRefusalOf(ready) : null;
        if (refusal !== null) {
          const error = new FipsProbeError(`session worker: ${refusal}`);
          if (waiting > 0) finish(error);
          else options.onFipsFailure(error);
        } else if (waiting > 0 && --waiting === 0) finish(null);
      };
      const finish = (error: Error | null): void => {
        clearTimeout(timer);
        this.#pool.off('error', finish);
        if (error === null) resolve();
        else reject(error);
      };
      this.#stopWaiting = finish;
      this.#pool.on('message', onMessage);
      this.#pool.on('error', finish);
    });
  }
}
