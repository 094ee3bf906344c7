/** An open directory of a channel. */
import type { FsError } from '../vfs/fs-error.ts';
import type { DirectoryCursor, DirectoryEntry, VirtualPath } from '../vfs/types.ts';

export interface ListedEntry {
  readonly name: string;
  readonly stats: DirectoryEntry['stats'];
}

export class DirectoryHandle {
  readonly kind = 'directory';
  readonly path: VirtualPath;
  readonly realPath: string;
  readonly cursor: DirectoryCursor;
  /** `.` and `..`, and what this session is uploading there: listed before the entries on disk. */
  readonly extra: ListedEntry[];
  /** `<Limit LIST>` or `<Limit NLST>` refuses what is in it: the listing is empty. */
  readonly denied: FsError | null;

  constructor(
    path: VirtualPath,
    realPath: string,
    cursor: DirectoryCursor,
    extra: ListedEntry[],
    denied: FsError | null,
  ) {
    this.path = path;
    this.realPath = realPath;
    this.cursor = cursor;
    this.extra = extra;
    this.denied = denied;
  }
}
