/** Moves and copies that one `fs` call does not do: never replacing, and across file systems. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  read,
  readSync,
  write,
  writeSync,
  type Stats,
} from 'node:fs';
import { promisify } from 'node:util';
import { errnoName, native } from '../../src/util/native.ts';
import { errnoOf, fsErrorOf } from './errno-mapping.ts';
import { linkSync, lstatSync, openSync, renameSync, unlinkSync } from './path-calls.ts';
import type { Pinned } from './root-jail.ts';
import { temporaryName } from './temporary-name.ts';

const COPY_CHUNK = 1024 * 1024;

/** A move between file systems copies while the client waits for its reply: beyond this it is refused. */
export const CROSS_DEVICE_LIMIT = 256 * COPY_CHUNK;

/** An entry by the directory that holds it. */
export interface Entry {
  readonly directory: Pinned;
  readonly name: string;
  readonly path: string;
}

/** Renames; EEXIST when `to` exists, even if it appeared this moment. */
export function moveWithoutReplacing(from: string, to: string): void {
  const result = native === null ? null : native.renameNoReplace(from, to);
  if (result === 0) return;
  const errno = result === null ? 'ENOSYS' : errnoName(result);
  // EINVAL: the file system cannot do it (some network ones). ENOSYS, EPERM: no such call, or a seccomp filter.
  if (errno !== 'EINVAL' && errno !== 'ENOSYS' && errno !== 'EPERM') throw fsErrorOf(errno);
  moveByLink(from, to);
}

/** A hard link refuses to replace as well; directories, and file systems without links, leave only a check before. */
function moveByLink(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'EPERM' && errno !== 'EOPNOTSUPP' && errno !== 'ENOTSUP' && errno !== 'EMLINK') throw error;
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) throw fsErrorOf('EEXIST');
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}

/** Renames, replacing or not. EXDEV between file systems: see `openMove`. */
export function moveEntry(from: Entry, to: Entry, replace: boolean): void {
  if (replace) renameSync(from.path, to.path);
  else moveWithoutReplacing(from.path, to.path);
}

/** A move between file systems whose files are open; `copy` may run without the user's rights, the rest may not. */
export interface OpenMove {
  copy(): Promise<void>;
  /** Renames the copy and removes the source: the destination is whole or absent. */
  finish(replace: boolean): void;
  /** Call once, whatever happened. */
  close(): void;
}

/** For a regular file; everything else, and what is too large to be copied, is EXDEV. */
export function openMove(from: Entry, to: Entry): OpenMove {
  const stats = lstatSync(from.path);
  if (!stats.isFile() || stats.size > CROSS_DEVICE_LIMIT) throw fsErrorOf('EXDEV');
  const temporary = `${to.directory.path}/${temporaryName(to.name)}`;
  const source = openSync(from.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  let target: number;
  try {
    target = openSync(temporary, flags, 0o600);
  } catch (error) {
    closeSync(source);
    throw error;
  }
  return {
    copy: () => copyInTurns(source, target, CROSS_DEVICE_LIMIT),
    finish(replace) {
      const now = lstatSync(from.path);
      const changed = now.ino !== stats.ino || now.dev !== stats.dev || now.mtimeMs !== stats.mtimeMs;
      // Somebody else's file by now, or one that is being written: what was copied is not what would be removed.
      if (changed || now.size !== stats.size) throw fsErrorOf('EBUSY');
      keepOwner(target, stats);
      fchmodSync(target, stats.mode & 0o777);
      futimesSync(target, stats.atime, stats.mtime);
      moveEntry({ ...to, path: temporary }, to, replace);
      unlinkSync(from.path);
    },
    close() {
      closeSync(source);
      closeSync(target);
      removeIfThere(temporary);
    },
  };
}

const readAsync = promisify(read);
const writeAsync = promisify(write);

/** Like `copyBytes`, with other work of this thread between the pieces. */
async function copyInTurns(source: number, target: number, limit: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(COPY_CHUNK);
  for (let total = 0; ;) {
    const { bytesRead } = await readAsync(source, buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    total += bytesRead;
    if (total > limit) throw fsErrorOf('EFBIG');
    for (let written = 0; written < bytesRead;)
      written += (await writeAsync(target, buffer, written, bytesRead - written, null)).bytesWritten;
  }
}

/** Copies from the current positions to the end of the source; EFBIG beyond `limit` bytes (a file that grows). */
export function copyBytes(source: number, target: number, limit: number): void {
  const buffer = Buffer.allocUnsafe(COPY_CHUNK);
  for (let total = 0; ;) {
    const count = readSync(source, buffer, 0, buffer.length, null);
    if (count === 0) return;
    total += count;
    if (total > limit) throw fsErrorOf('EFBIG');
    for (let written = 0; written < count;)
      written += writeSync(target, buffer, written, count - written, null);
  }
}

/** Gives the file the owner of the one it stands for, as far as the caller may; an ordinary user may only set groups. */
export function keepOwner(descriptor: number, stats: Stats): void {
  try {
    fchownSync(descriptor, stats.uid, stats.gid);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
  }
}

export function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
