/** Raises the soft limit of open files to the hard one: two descriptors a session go quickly below the usual 1,024. */
import { readFileSync } from 'node:fs';

const RLIMIT_NOFILE = 7;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/**
 * Raises the soft limit as far as the hard limit (or to `wanted`, RLimitOpenFiles) allows. Returns what is in force, in
 * descriptors, or null where the platform offers no call for it; the limit then stays as it was.
 */
export async function raiseOpenFilesLimit(wanted: number | null): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const { default: ffi } = await import('node:ffi');
  const { prlimit64 } = ffi.dlopen(null, {
    prlimit64: { arguments: ['i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
  }).functions;
  const limits = readLimits();
  if (limits === null) return null;
  const target = wanted === null ? limits.hard : BigInt(Math.min(wanted, Number(limits.hard)));
  if (target !== limits.soft) {
    const previous = new BigUint64Array(2);
    if (prlimit64(0, RLIMIT_NOFILE, BigUint64Array.of(target, limits.hard), previous) !== 0) {
      return Number(limits.soft);
    }
  }
  return Number(target);
}

/** `Max open files  SOFT  HARD  files` of /proc/self/limits. */
function readLimits(): { readonly soft: bigint; readonly hard: bigint } | null {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  if (match === null) return null;
  const parse = (text: string): bigint => (text === 'unlimited' ? RLIM_INFINITY : BigInt(text));
  return { soft: parse(match[1]!), hard: parse(match[2]!) };
}
