/** CPU time of a process tree from /proc, where the kernel offers no control group. */
import { readFileSync, readdirSync } from 'node:fs';

/** USER_HZ: 100 on every Linux Node runs on. */
const TICKS_PER_SECOND = 100;
const SAMPLE_MILLISECONDS = 20;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of the process itself, in ticks. */
  readonly own: number;
  /** The same of children it has waited for. */
  readonly reaped: number;
}

/** A file of /proc, or null when its process is gone. */
export function readIfAlive(path: string): string | null {
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
  const ticks = (a: number, b: number): number => Number(fields[a]) + Number(fields[b]);
  return { pid, parent: Number(fields[1]), own: ticks(11, 12), reaped: ticks(13, 14) };
}

/** The process and its living descendants. */
function processTree(root: number): ProcessStat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== null);
  const tree = all.filter((stat) => stat.pid === root);
  for (let i = 0; i < tree.length; i += 1) tree.push(...all.filter((stat) => stat.parent === tree[i]!.pid));
  return tree;
}

/**
 * Two accounts, of which the larger counts: the kernel's (own time plus that of reaped children) and samples of every
 * living process, because a server that does not wait for its children (vsftpd) loses their time in the first, and a
 * child's last 20 ms are lost in the second.
 */
export class SampledProcesses {
  readonly #root: number;
  readonly #last = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(root: number) {
    this.#root = root;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MILLISECONDS);
    this.#timer.unref();
  }

  processes(): number[] {
    return processTree(this.#root).map((stat) => stat.pid);
  }

  cpuSeconds(): number {
    this.#sample();
    let sampled = 0;
    for (const ticks of this.#last.values()) sampled += ticks;
    const accounted = processTree(this.#root).reduce((sum, stat) => sum + stat.own + stat.reaped, 0);
    return Math.max(sampled, accounted) / TICKS_PER_SECOND;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    for (const stat of processTree(this.#root)) this.#last.set(stat.pid, stat.own);
  }
}
