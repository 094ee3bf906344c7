/**
 * What a server costs by the operating system's own account. A control group of its own counts the processor time of
 * every process the server ever starts to the nanosecond, however short it lived and whether anybody waited for it.
 * Where no group can be made, /proc is read instead: the time of living processes and of children waited for.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readIfAlive, SampledProcesses } from './sampled-processes.ts';

const GROUP_PREFIX = 'lockgate-bench-';

interface GroupHierarchy {
  readonly describe: string;
  readonly root: string;
  /** Processor time so far, in seconds. */
  readonly seconds: (folder: string) => number;
}

const HIERARCHIES: readonly GroupHierarchy[] = [
  {
    describe: 'control group (v2 cpu.stat)',
    root: '/sys/fs/cgroup',
    seconds: (folder) =>
      Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(folder, 'cpu.stat'), 'utf8'))![1]) / 1e6,
  },
  {
    describe: 'control group (v1 cpuacct.usage)',
    root: '/sys/fs/cgroup/cpuacct',
    seconds: (folder) => Number(readFileSync(join(folder, 'cpuacct.usage'), 'utf8')) / 1e9,
  },
];

function usableHierarchy(): GroupHierarchy | null {
  for (const hierarchy of HIERARCHIES) {
    // The root of v2 has this file, and so has a v1 controller; a plain folder that holds mounts has not.
    if (!existsSync(join(hierarchy.root, 'cgroup.procs'))) continue;
    const probe = join(hierarchy.root, `${GROUP_PREFIX}probe-${process.pid}`);
    try {
      mkdirSync(probe);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      continue;
    }
    try {
      hierarchy.seconds(probe);
      return hierarchy;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    } finally {
      rmdirSync(probe);
    }
  }
  return null;
}

const hierarchy = usableHierarchy();

/** How processor time is counted on this machine. */
export const CPU_ACCOUNT =
  hierarchy?.describe ?? '/proc of all processes, in ticks of 10 ms, sampled every 20 ms';

export class ServerAccount {
  readonly #group: string | null;
  #sampled: SampledProcesses | null = null;

  constructor(name: string) {
    this.#group = hierarchy === null ? null : join(hierarchy.root, `${GROUP_PREFIX}${process.pid}-${name}`);
    if (this.#group !== null) mkdirSync(this.#group);
  }

  /** The command that enters the account and becomes `command`. */
  wrap(command: readonly string[]): readonly string[] {
    if (this.#group === null) return command;
    return ['/bin/sh', '-c', 'echo $$ > "$0" && exec "$@"', join(this.#group, 'cgroup.procs'), ...command];
  }

  /** @param root - the process started with `wrap` */
  attach(root: number): void {
    if (this.#group === null) this.#sampled = new SampledProcesses(root);
  }

  /** Every living process of the server. */
  processes(): number[] {
    if (this.#group === null) return this.#sampled?.processes() ?? [];
    const text = readFileSync(join(this.#group, 'cgroup.procs'), 'utf8').trim();
    return text === '' ? [] : text.split('\n').map(Number);
  }

  /** Processor seconds since the start. */
  cpuSeconds(): number {
    return this.#group === null ? (this.#sampled?.cpuSeconds() ?? 0) : hierarchy!.seconds(this.#group);
  }

  /** Proportional set size of all processes, bytes: shared pages are divided among those who share them. */
  proportionalMemory(): number {
    let kilobytes = 0;
    for (const pid of this.processes()) {
      const match = /^Pss:\s+(\d+) kB/m.exec(readIfAlive(`/proc/${pid}/smaps_rollup`) ?? '');
      kilobytes += Number(match?.[1] ?? 0);
    }
    return kilobytes * 1024;
  }

  /** Ends what the server left running and gives the account up (2 s at most for the processes to go). */
  async close(): Promise<void> {
    for (let attempt = 0; attempt < 40 && this.processes().length > 0; attempt += 1) {
      for (const pid of this.processes()) killIfAlive(pid);
      await wait(50);
    }
    this.#sampled?.close();
    if (this.#group !== null) rmdirSync(this.#group);
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const SETTLE_STEP_MS = 50;
const SETTLE_LIMIT_MS = 1000;
/** Less than this in one step is a timer or a housekeeping thread, not the session's end. */
const SETTLED_SECONDS = 0.001;

/**
 * Processor seconds the server spends from now on until the returned function is called and, a second at most, the
 * account stands still: a session's end counts for the session.
 */
export function startCpuMeter(account: ServerAccount): () => Promise<number> {
  const start = account.cpuSeconds();
  return async () => {
    let last = account.cpuSeconds();
    for (let waited = 0; waited < SETTLE_LIMIT_MS; waited += SETTLE_STEP_MS) {
      await wait(SETTLE_STEP_MS);
      const now = account.cpuSeconds();
      const settled = now - last < SETTLED_SECONDS;
      last = now;
      if (settled) break;
    }
    return last - start;
  };
}
