/**
 * HOT PATH: calls on an entry of a pinned directory, by the directory's descriptor. The way over /proc/self/fd costs the
 * kernel four more names, and an error of `node:fs` for what is not there costs more than the call.
 */
import { O_CLOEXEC, errnoName, native } from '../../src/util/native.ts';
import { errnoOf, fsErrorOf } from './errno-mapping.ts';
import { openSync, renameSync } from './path-calls.ts';
import type { Pinned } from './root-jail.ts';

/** The descriptor. Throws FsError or the system's error. @param flags - of open(2); O_NOFOLLOW is the caller's to give */
export function openEntry(directory: Pinned, name: string, flags: number, mode = 0): number {
  if (native === null || directory.descriptor === null)
    return openSync(`${directory.path}/${name}`, flags, mode);
  const opened = native.openat2(directory.descriptor, name, flags | O_CLOEXEC, mode, 0);
  if (opened >= 0) return opened;
  // A kernel or a seccomp filter that does not know openat2.
  const errno = errnoName(opened);
  if (errno === 'ENOSYS' || errno === 'EPERM') return openSync(`${directory.path}/${name}`, flags, mode);
  throw fsErrorOf(errno);
}

/** The same; null for ENOENT. */
export function openEntryIfThere(directory: Pinned, name: string, flags: number): number | null {
  if (native !== null && directory.descriptor !== null) {
    const opened = native.openat2(directory.descriptor, name, flags | O_CLOEXEC, 0, 0);
    if (opened >= 0) return opened;
    if (errnoName(opened) === 'ENOENT') return null;
  }
  try {
    return openEntry(directory, name, flags);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** rename(2) within one directory. Throws FsError or the system's error. */
export function renameEntry(directory: Pinned, from: string, to: string): void {
  if (native !== null && directory.descriptor !== null) {
    const result = native.renameat(directory.descriptor, from, to);
    if (result >= 0) return;
    const errno = errnoName(result);
    if (errno !== 'ENOSYS' && errno !== 'EPERM') throw fsErrorOf(errno);
  }
  renameSync(`${directory.path}/${from}`, `${directory.path}/${to}`);
}
