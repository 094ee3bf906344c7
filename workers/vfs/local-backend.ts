/** Moves and copies that one `fs` call does not do: never replacing, and across file systems. */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { errnoName, native } from '../../src/util/native.ts';
import { errnoOf, fsErrorOf } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import type { Pinned } from './root-jail.ts';
import { temporaryName } from './temporary-name.ts';

const COPY_CHUNK = 1024 * 1024;

/** A move between file systems copies in this thread, which serves others too: beyond this it is refused. */
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

/** Renames, replacing or not; a regular file may also move to another file system. */
export function moveEntry(from: Entry, to: Entry, replace: boolean): void {
  try {
    if (replace) renameSync(from.path, to.path);
    else moveWithoutReplacing(from.path, to.path);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    moveAcrossFileSystems(from, to, replace);
  }
}

/** Copies beside the destination, renames the copy, removes the source: the destination is whole or absent. */
function moveAcrossFileSystems(from: Entry, to: Entry, replace: boolean): void {
  const stats = lstatSync(from.path);
  if (!stats.isFile() || stats.size > CROSS_DEVICE_LIMIT)
    throw new FsError('cross-device', { errno: 'EXDEV' });
  const temporary = `${to.directory.path}/${temporaryName(to.name)}`;
  const source = openSync(from.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    copyInto(source, temporary, stats);
    if (replace) renameSync(temporary, to.path);
    else moveWithoutReplacing(temporary, to.path);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  } finally {
    closeSync(source);
  }
  unlinkSync(from.path);
}

function copyInto(source: number, temporary: string, stats: Stats): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const copy = openSync(temporary, flags, 0o600);
  try {
    copyBytes(source, copy, CROSS_DEVICE_LIMIT);
    keepOwner(copy, stats);
    fchmodSync(copy, stats.mode & 0o777);
    futimesSync(copy, stats.atime, stats.mtime);
  } finally {
    closeSync(copy);
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
