/** CPU time and memory of a server with all its processes, by the operating system's own accounting (Linux /proc). */
import { readFileSync, readdirSync } from 'node:fs';

/** USER_HZ: 100 on every Linux Node runs on. */
const TICKS_PER_SECOND = 100;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of the process itself, in ticks. */
  readonly own: number;
  /** The same of children it has waited for. */
  readonly reaped: number;
}

function readIfAlive(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

function readStat(pid: number): ProcessStat | null {
  const text = readIfAlive(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The command name may hold blanks and brackets; fields count from behind its last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = (...indexes: number[]): number =>
    indexes.reduce((sum, index) => sum + Number(fields[index]), 0);
  return { pid, parent: Number(fields[1]), own: ticks(11, 12), reaped: ticks(13, 14) };
}

/** The process and its living descendants. */
function processTree(root: number): ProcessStat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== null);
  const tree = all.filter((stat) => stat.pid === root);
  for (let i = 0; i < tree.length; i++) tree.push(...all.filter((stat) => stat.parent === tree[i]!.pid));
  return tree;
}

const SAMPLE_MILLISECONDS = 20;

/**
 * CPU seconds of a process tree between `start` and `stop`. Two accounts, of which the larger counts: the kernel's
 * (own time plus that of reaped children) and samples of every living process, because a server that does not wait
 * for its children (vsftpd) loses their time in the first, and a child's last 20 ms are lost in the second.
 */
export class CpuMeter {
  readonly #root: number;
  readonly #atStart: number;
  readonly #first = new Map<number, number>();
  readonly #last = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(root: number) {
    this.#root = root;
    this.#atStart = this.#accounted();
    for (const stat of processTree(root)) this.#first.set(stat.pid, stat.own);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MILLISECONDS);
  }

  #accounted(): number {
    return processTree(this.#root).reduce((sum, stat) => sum + stat.own + stat.reaped, 0);
  }

  #sample(): void {
    for (const stat of processTree(this.#root)) this.#last.set(stat.pid, stat.own);
  }

  /** Waits (at most a second) until the account stands still, so that a session's end counts. */
  async stop(): Promise<number> {
    for (let i = 0, last = -1; i < 10; i++) {
      const now = this.#accounted();
      if (now === last) break;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    clearInterval(this.#timer);
    this.#sample();
    let sampled = 0;
    for (const [pid, ticks] of this.#last) sampled += ticks - (this.#first.get(pid) ?? 0);
    return Math.max(sampled, this.#accounted() - this.#atStart) / TICKS_PER_SECOND;
  }
}

/** Proportional set size of all processes, bytes. */
export function proportionalMemory(root: number): number {
  let kilobytes = 0;
  for (const { pid } of processTree(root)) {
    const match = /^Pss:\s+(\d+) kB/m.exec(readIfAlive(`/proc/${pid}/smaps_rollup`) ?? '');
    kilobytes += Number(match?.[1] ?? 0);
  }
  return kilobytes * 1024;
}
