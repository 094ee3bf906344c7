/**
 * Account files as parsed values, read again as soon as they change: an edit acts at the next login, and a login costs
 * one stat per file otherwise.
 */
import { readFileSync, statSync } from 'node:fs';
import type { LogLevel } from '../log/session-log.ts';

/** Runs synchronous file calls with the rights account files need; main passes its way back to root. */
export type AsRoot = <T>(work: () => T) => T;

/** How account files are reached. Synchronous: credentials are a thread's, so nothing may run in between. */
interface AccountFileAccess {
  readonly read: (path: string) => Buffer;
  readonly stat: (path: string) => FileStamp;
}

/** What tells one version of a file from the next. Times in nanoseconds. */
export interface FileStamp {
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly mode: number;
}

/** Turns a file's text into a value; `refuse` gets the stamp first and may say why the file is not to be used. */
export interface FileKind<T> {
  readonly empty: T;
  readonly parse: (text: string, path: string) => T;
  readonly refuse: (path: string, stamp: FileStamp) => string | null;
  /** Without a log line when the file does not exist (/etc/shells, /etc/ftpusers, /etc/shadow). */
  readonly optional: boolean;
  /** For `unable to open LABEL 'PATH': CODE`. */
  readonly label: string;
  /** Part of the cache key: what else `refuse` and `parse` depend on. */
  readonly variant: string;
}

interface Cached {
  readonly key: string;
  readonly value: unknown;
  /** False while the file was so young that a second edit could carry the same times. */
  readonly settled: boolean;
}

const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Kernel time stamps advance in ticks; a file younger than this is read again. */
const SETTLE_NS = 2_000_000_000n;
const MAX_CACHED_FILES = 1024;

export interface AccountFileCache {
  /** Never throws: a file that cannot be used is logged, once for each version of it, and is as good as empty. */
  load<T>(path: string, kind: FileKind<T>): T;
  /** False where `path` does not exist. */
  exists(path: string): boolean;
  stamp(path: string): FileStamp;
}

function fileAccess(asRoot: AsRoot): AccountFileAccess {
  return {
    read: (path) => asRoot(() => readFileSync(path)),
    stat(path) {
      const stats = asRoot(() => statSync(path, { bigint: true }));
      return {
        device: stats.dev,
        inode: stats.ino,
        size: stats.size,
        mtimeNs: stats.mtimeNs,
        ctimeNs: stats.ctimeNs,
        mode: Number(stats.mode),
      };
    },
  };
}

export function createAccountFileCache(
  asRoot: AsRoot,
  log: (level: LogLevel, text: string) => void,
): AccountFileCache {
  const access = fileAccess(asRoot);
  const cache = new Map<string, Cached>();

  function load<T>(path: string, kind: FileKind<T>): T {
    const cacheKey = `${kind.label}\0${kind.variant}\0${path}`;
    const cached = cache.get(cacheKey);
    const failed = (code: string, optional: boolean): T => {
      if (cached?.key !== code && !optional) log('error', `unable to open ${kind.label} '${path}': ${code}`);
      remember(cacheKey, { key: code, value: kind.empty, settled: false });
      return kind.empty;
    };
    try {
      const stamp = access.stat(path);
      const key = stampKey(stamp);
      if (cached !== undefined && cached.key === key && cached.settled) return cached.value as T;
      const refusal =
        stamp.size > MAX_FILE_BYTES
          ? `unable to use ${kind.label} '${path}': too large`
          : kind.refuse(path, stamp);
      if (refusal !== null && cached?.key !== key) log('error', refusal);
      const value = refusal === null ? kind.parse(access.read(path).toString('utf8'), path) : kind.empty;
      const now = BigInt(Date.now()) * 1_000_000n;
      // A refused file is looked at each time: a chmod of its directory does not show in its own stamp.
      remember(cacheKey, { key, value, settled: refusal === null && now - stamp.ctimeNs > SETTLE_NS });
      return value;
    } catch (error) {
      const code = errorCode(error);
      if (code === null) throw error;
      return failed(code, kind.optional && code === 'ENOENT');
    }
  }

  function remember(key: string, value: Cached): void {
    if (cache.size >= MAX_CACHED_FILES) cache.clear();
    cache.set(key, value);
  }

  return {
    load,
    stamp: (path) => access.stat(path),
    exists(path) {
      try {
        access.stat(path);
        return true;
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return false;
        throw error;
      }
    },
  };
}

function stampKey(stamp: FileStamp): string {
  return [stamp.device, stamp.inode, stamp.size, stamp.mtimeNs, stamp.ctimeNs, stamp.mode].join(':');
}

/** The errno name of a file error; null for anything else, which is a bug of ours and must surface. */
function errorCode(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return null;
}
