/** Changes of an entry's attributes (SFTP's SETSTAT and its kin), on an open file, an entry, or a link itself. */
import { fchmodSync, fchownSync, fstatSync, ftruncateSync, futimesSync, type Stats } from 'node:fs';
import { fsErrorOf } from './errno-mapping.ts';
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  statSync,
  truncateSync,
  utimesSync,
} from './path-calls.ts';

/** Null: left as it is. */
export interface AttributeChanges {
  readonly size: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
  /** Permission bits, 07777 at most. */
  readonly mode: number | null;
  /** Seconds since the epoch, with a fraction. */
  readonly accessTime: number | null;
  readonly modifyTime: number | null;
}

const UNCHANGED = -1;
const MODE_BITS = 0o7777;

/** The calls for one kind of target. */
interface Target {
  truncate(size: number): void;
  chown(uid: number, gid: number): void;
  chmod(mode: number): void;
  utimes(accessTime: number | Date, modifyTime: number | Date): void;
  stats(): Stats;
}

/** Size before owner before mode (a new owner clears set-id bits) before times (a new size changes them). */
function apply(target: Target, changes: AttributeChanges): void {
  const { size, uid, gid, mode, accessTime, modifyTime } = changes;
  if (size !== null) target.truncate(size);
  if (uid !== null || gid !== null) target.chown(uid ?? UNCHANGED, gid ?? UNCHANGED);
  if (mode !== null) target.chmod(mode & MODE_BITS);
  if (accessTime === null && modifyTime === null) return;
  const kept = accessTime === null || modifyTime === null ? target.stats() : null;
  target.utimes(
    timeArgument(accessTime ?? kept!.atimeMs / 1000),
    timeArgument(modifyTime ?? kept!.mtimeMs / 1000),
  );
}

/** Node takes a negative number of seconds for "now"; a Date may lie before 1970, in milliseconds. */
function timeArgument(seconds: number): number | Date {
  return seconds < 0 ? new Date(seconds * 1000) : seconds;
}

/** On an open file; a new size needs a descriptor that may write. */
export function changeOpenFile(descriptor: number, changes: AttributeChanges): void {
  apply(
    {
      truncate: (size) => ftruncateSync(descriptor, size),
      chown: (uid, gid) => fchownSync(descriptor, uid, gid),
      chmod: (mode) => fchmodSync(descriptor, mode),
      utimes: (accessTime, modifyTime) => futimesSync(descriptor, accessTime, modifyTime),
      stats: () => fstatSync(descriptor),
    },
    changes,
  );
}

/** On what `path` names, a link followed. */
export function changePath(path: string, changes: AttributeChanges): void {
  apply(
    {
      truncate: (size) => truncateSync(path, size),
      chown: (uid, gid) => chownSync(path, uid, gid),
      chmod: (mode) => chmodSync(path, mode),
      utimes: (accessTime, modifyTime) => utimesSync(path, accessTime, modifyTime),
      stats: () => statSync(path),
    },
    changes,
  );
}

/** On a symbolic link itself: it has an owner and times, and neither a size nor a mode of its own. */
export function changeLink(path: string, changes: AttributeChanges): void {
  const refuse = (): never => {
    throw fsErrorOf('EOPNOTSUPP');
  };
  apply(
    {
      truncate: refuse,
      chown: (uid, gid) => lchownSync(path, uid, gid),
      chmod: refuse,
      utimes: (accessTime, modifyTime) => lutimesSync(path, accessTime, modifyTime),
      stats: () => lstatSync(path),
    },
    changes,
  );
}
