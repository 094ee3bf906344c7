/** Raises the soft limit of open files to the hard one: two descriptors a session go quickly below the usual 1,024. */
import { readFileSync } from 'node:fs';
import type { Settings } from '../config/server-config.ts';

const RLIMIT_NOFILE = 7;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

/**
 * Raises the soft limit as far as the hard limit allows, or sets both to `wanted` (RLimitOpenFiles). Returns what is in force, in
 * descriptors, or null where the platform offers no call for it; the limit then stays as it was.
 */
export async function raiseOpenFilesLimit(wanted: Settings['rLimitOpenFiles']): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const { default: ffi } = await import('node:ffi');
  const { prlimit64 } = ffi.dlopen(null, {
    prlimit64: { arguments: ['i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
  }).functions;
  const limits = readLimits();
  if (limits === null) return null;
  const hard = lower(limits.hard, wanted?.hard);
  const target = lower(hard, wanted?.soft);
  if (target !== limits.soft || hard !== limits.hard) {
    const previous = new BigUint64Array(2);
    if (prlimit64(0, RLIMIT_NOFILE, BigUint64Array.of(target, hard), previous) !== 0) {
      return Number(limits.soft);
    }
  }
  return Number(target);
}

/** `max` (infinite) and no value leave the limit as it is. */
function lower(limit: bigint, wanted: number | undefined): bigint {
  if (wanted === undefined || !Number.isFinite(wanted)) return limit;
  return BigInt(wanted) < limit ? BigInt(wanted) : limit;
}

/** `Max open files  SOFT  HARD  files` of /proc/self/limits. */
function readLimits(): { readonly soft: bigint; readonly hard: bigint } | null {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  if (match === null) return null;
  const parse = (text: string): bigint => (text === 'unlimited' ? RLIM_INFINITY : BigInt(text));
  return { soft: parse(match[1]!), hard: parse(match[2]!) };
}
