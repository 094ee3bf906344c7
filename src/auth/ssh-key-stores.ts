/**
 * SFTPAuthorizedUserKeys, SFTPAuthorizedHostKeys and LockgateTrustedUserCAKeys: files of public keys, read with root's rights
 * before any jail, parsed again as soon as they change. The files may belong to users, so nothing about them is trusted:
 * what is no regular file is not read, what is too large or anybody may write is not used.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { parseAuthorizedKeys } from '../../crypto/ssh/key-files.ts';
import type { AuthorizedKeys } from '../../crypto/ssh/key-files.ts';
import { O_PATH } from '../util/native.ts';
import type { AsRoot } from './account-file-cache.ts';

/** Thousands of keys; more would be a mistake, and parsing holds up the main thread. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_CACHED_FILES = 1024;
/** Kernel time stamps advance in ticks; a file younger than this is read again. */
const SETTLE_NS = 2_000_000_000n;
const NOT_REGULAR = 'not a regular file';
const WRITABLE_BY_OTHERS = 0o002n;

export type StoreContent =
  | { readonly kind: 'keys'; readonly path: string; readonly keys: AuthorizedKeys }
  /** `reason`: errno name or a few words, for the log. */
  | { readonly kind: 'unusable'; readonly path: string; readonly reason: string };

interface Cached {
  readonly stamp: string;
  readonly settled: boolean;
  readonly content: StoreContent;
}

export class KeyStoreFiles {
  readonly #cache = new Map<string, Cached>();
  readonly #asRoot: AsRoot;

  constructor(asRoot: AsRoot) {
    this.#asRoot = asRoot;
  }

  /** Never throws but on a bug. */
  load(path: string): StoreContent {
    let descriptor: number | null = null;
    try {
      descriptor = this.#asRoot(() => openStore(path));
      return this.#read(path, descriptor);
    } catch (error) {
      if (error instanceof NotRegular) return { kind: 'unusable', path, reason: NOT_REGULAR };
      const code = errnoName(error);
      if (code === null) throw error;
      return { kind: 'unusable', path, reason: code };
    } finally {
      if (descriptor !== null) closeSync(descriptor);
    }
  }

  #read(path: string, descriptor: number): StoreContent {
    const stats = fstatSync(descriptor, { bigint: true });
    const refusal = refuseFile(stats);
    if (refusal !== null) return { kind: 'unusable', path, reason: refusal };
    const stamp = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
    const cached = this.#cache.get(path);
    if (cached !== undefined && cached.settled && cached.stamp === stamp) return cached.content;

    const keys = parseAuthorizedKeys(readBounded(descriptor, Number(stats.size)).toString('utf8'));
    const content: StoreContent = { kind: 'keys', path, keys };
    if (this.#cache.size >= MAX_CACHED_FILES) this.#cache.clear();
    const settled = BigInt(Date.now()) * 1_000_000n - stats.ctimeNs > SETTLE_NS;
    this.#cache.set(path, { stamp, settled, content });
    return content;
  }
}

/**
 * Opens with root's rights what may be a user's link to anywhere. Opening alone does things to some devices (a watchdog
 * starts, a tape rewinds), so on Linux the object is looked at first, by a descriptor that opens nothing.
 */
function openStore(path: string): number {
  // O_NONBLOCK: a FIFO in the file's place must not stop the server.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  if (process.platform !== 'linux') return openSync(path, flags);
  const object = openSync(path, O_PATH);
  try {
    if (!fstatSync(object).isFile()) throw new NotRegular();
    return openSync(`/proc/self/fd/${object}`, flags);
  } finally {
    closeSync(object);
  }
}

class NotRegular extends Error {}

function refuseFile(stats: BigIntStats): string | null {
  if (!stats.isFile()) return NOT_REGULAR;
  if (stats.size > BigInt(MAX_FILE_BYTES)) return 'file too large';
  return (stats.mode & WRITABLE_BY_OTHERS) === 0n ? null : 'file is world-writable';
}

/** What has grown since the stamp was taken is read next time. */
function readBounded(descriptor: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(descriptor, buffer, length, buffer.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

/**
 * A store's path for one user: `%u` is the login name, a leading `~` the home. Null where the name would lead out of the
 * directory the operator meant.
 * @param home null: there is no such user; a path that cannot exist stands in, so that the same calls are made
 */
export function storePath(template: string, loginName: string, home: string | null): string | null {
  let path = template;
  if (path === '~' || path.startsWith('~/')) path = `${home ?? NO_HOME}${path.slice(1)}`;
  if (!path.includes('%u')) return path;
  const isUnsafe = loginName === '' || loginName === '.' || loginName === '..' || /[/\0]/.test(loginName);
  return isUnsafe ? null : path.replaceAll('%u', () => loginName);
}

const NO_HOME = '/nonexistent';

function errnoName(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return null;
}
