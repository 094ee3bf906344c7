/** Runs jobs in load processes side by side and gathers what they say. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from '../harness/cleanup.ts';
import type { RunningServer } from '../peers/peer.ts';
import { startCpuMeter } from '../peers/server-account.ts';
import type { FromLoad, FromParent, Job, JobResult } from './jobs.ts';

const LOAD_PROCESS = fileURLToPath(new URL('./load-process.ts', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
/** A job that takes longer is ended and reported: the slowest one of a full run takes a third of it. */
const JOB_TIMEOUT_MS = 600_000;

export interface LoadResult {
  /** Of the server, from the start to the end of its sessions; connecting and logging in before the start is not in it. */
  readonly serverCpuSeconds: number;
  /** From the first start to the last end. */
  readonly seconds: number;
  /** Sum over the processes. */
  readonly count: number;
  /** Of all load processes, from start to end. */
  readonly clientCpuSeconds: number;
  readonly latencies: readonly number[];
}

/** A load process that takes one job after another. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #stop: () => Promise<void>;

  constructor(cleanup: Cleanup) {
    this.#child = fork(LOAD_PROCESS, [], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#stop = cleanup.add(`load process ${this.#child.pid}`, () => endProcess(this.#child));
  }

  /** Logs in where the job wants that. */
  async prepare(job: Job): Promise<void> {
    const answer = await this.#ask({ type: 'job', job }, READY_TIMEOUT_MS);
    if (answer.type !== 'ready') throw new Error(`load process answered ${answer.type}`);
  }

  async go(timeoutMs: number = JOB_TIMEOUT_MS): Promise<JobResult> {
    const answer = await this.#ask({ type: 'go' }, timeoutMs);
    if (answer.type !== 'result') throw new Error(`load process answered ${answer.type}`);
    return answer.result;
  }

  /** Starts a job that has no end. */
  start(): void {
    this.#child.send({ type: 'go' } satisfies FromParent);
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  #ask(message: FromParent, timeoutMs: number): Promise<FromLoad> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        finish();
      };
      const onMessage = (answer: unknown): void => {
        const told = answer as FromLoad;
        settle(() => (told.type === 'failed' ? reject(new Error(told.reason)) : resolve(told)));
      };
      const onExit = (): void => settle(() => reject(new Error('load process ended early')));
      const timer = setTimeout(
        () => settle(() => reject(new Error(`load process said nothing for ${timeoutMs / 1000} s`))),
        timeoutMs,
      );
      child.on('message', onMessage);
      child.on('exit', onExit);
      if (!child.connected) onExit();
      else child.send(message);
    });
  }
}

/**
 * Load processes that outlive their job, for the next one: their code is compiled and warm, and no start of a process
 * disturbs what is measured.
 */
export class LoadPool {
  readonly #cleanup: Cleanup;
  readonly #idle: LoadProcess[] = [];

  constructor(cleanup: Cleanup) {
    this.#cleanup = cleanup;
  }

  take(count: number): LoadProcess[] {
    return Array.from({ length: count }, () => this.#idle.pop() ?? new LoadProcess(this.#cleanup));
  }

  /** Of jobs that ended well only. */
  giveBack(loads: readonly LoadProcess[]): void {
    this.#idle.push(...loads);
  }
}

/** Prepares all jobs, each in a process of its own, starts them together and waits for the last. */
export async function runLoad(
  server: RunningServer,
  jobs: readonly Job[],
  pool: LoadPool,
): Promise<LoadResult> {
  const loads = pool.take(jobs.length);
  try {
    await Promise.all(loads.map((load, index) => load.prepare(jobs[index]!)));
    const meter = startCpuMeter(server.account);
    const results = await Promise.all(loads.map((load) => load.go()));
    const result = { ...combine(results), serverCpuSeconds: await meter() };
    pool.giveBack(loads);
    return result;
  } catch (error) {
    await Promise.all(loads.map((load) => load.stop()));
    throw error;
  }
}

function combine(results: readonly JobResult[]): Omit<LoadResult, 'serverCpuSeconds'> {
  const start = Math.min(...results.map((result) => result.startedAt));
  const end = Math.max(...results.map((result) => result.endedAt));
  return {
    seconds: end - start,
    count: results.reduce((sum, result) => sum + result.count, 0),
    clientCpuSeconds: results.reduce((sum, result) => sum + result.cpuSeconds, 0),
    latencies: results.flatMap((result) => result.latencies),
  };
}

function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    // It may sit in a blocking call, where nothing else reaches it.
    child.kill('SIGKILL');
  });
}
