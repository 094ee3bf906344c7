/** Types of the virtual file system: the only door between a protocol and a file. */
import type { Stats } from 'node:fs';
import type { EffectiveConfig, PathConfig } from '../../src/config/effective-config.ts';
import type { Settings } from '../../src/config/server-config.ts';
import type { AttributeChanges } from './attribute-changes.ts';
import type { FileSystemStatistics } from './file-system-statistics.ts';
import type { FsError } from './fs-error.ts';

/** Absolute, normalised path as the client sees it: starts with `/`, no `.`/`..`, no NUL. */
export type VirtualPath = string & { readonly __virtualPath: unique symbol };

/** Credentials the kernel checks while a call runs; null where the server cannot change them. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groupIds: readonly number[];
}

export interface VirtualFileSystemOptions {
  /** Real directory that is the client's `/`; `/` itself when there is no DefaultRoot. */
  readonly root: string;
  /** Real home directory, for `~` and `<Directory ~/...>`. */
  readonly home: string;
  readonly identity: Identity | null;
  readonly config: EffectiveConfig;
  /** Names for uid and gid (listings, %u): from AuthUserFile/AuthGroupFile or the system. */
  readonly owners: OwnerNames;
  /** Session log, for UserOwner/GroupOwner failures. */
  readonly warn: (text: string) => void;
}

export interface OwnerNames {
  userName(uid: number): string;
  groupName(gid: number): string;
  uidOf(userName: string): number | null;
  gidOf(groupName: string): number | null;
}

/** One entry of a directory listing, hidden entries already removed, DirFake* applied to the display fields. */
export interface DirectoryEntry {
  readonly name: string;
  readonly stats: Stats;
  /** Target text when the entry is a symbolic link and ShowSymlinks is on; otherwise null and stats are the target's. */
  readonly linkTarget: string | null;
}

/** Reads a directory in batches so that 100,000 entries neither block the actor nor fill its memory. */
export interface DirectoryCursor {
  /**
   * Looks at the next `count` names in directory order and gives those that are to be seen, which may be none of them.
   * Unreadable entries are skipped.
   */
  next(count: number): DirectoryEntry[];
  /** Nothing more will come. */
  readonly ended: boolean;
  close(): void;
}

export interface OpenedFile {
  readonly descriptor: number;
  /** What is in force for this file. */
  readonly settings: Settings;
  readonly stats: Stats;
  /** Absolute real path, for logs. */
  readonly realPath: string;
  close(): void;
}

/** STOR, STOU, APPE or a restart. The target path holds the old file until `commit`, unless written in place. */
export interface UploadTarget {
  readonly descriptor: number;
  /** What is in force for this file. */
  readonly settings: Settings;
  /** Where the first byte goes: 0, the REST offset, or the size for APPE. */
  readonly offset: number;
  /** Size before the upload; null when the file did not exist. */
  readonly previousSize: number | null;
  /** Final path, real; for logs. */
  readonly realPath: string;
  readonly virtualPath: VirtualPath;
  /** Closes; moves a hidden temporary to its final name; applies owner directives. Throws FsError. */
  commit(): void;
  /** Closes; removes what DeleteAbortedStores or HiddenStores says must not stay. `received` is the byte count so far. */
  abort(received: number): void;
}

export type UploadMode =
  | { readonly kind: 'store' }
  | { readonly kind: 'append' }
  | { readonly kind: 'restart'; readonly offset: number }
  /** STOU: creates a file that did not exist (O_EXCL). */
  | { readonly kind: 'unique' };

/** How a file is opened for writing at any offset. */
export interface UpdateRequest {
  /** Also read from the same descriptor. */
  readonly read: boolean;
  /** Every write goes to the end, whatever its offset. */
  readonly append: boolean;
  readonly create: boolean;
  readonly truncate: boolean;
  /** With `create`: must not exist. */
  readonly exclusive: boolean;
  /** Permission bits of a new file before Umask; null: 0666. */
  readonly mode: number | null;
}

/** A file that is written at any offset; `descriptor` may be written asynchronously until `commit` or `abort`. */
export interface OpenedUpdate extends UploadTarget {
  /** Written under its final name already; otherwise `commit` gives it that name. */
  readonly inPlace: boolean;
  /** The file as written so far. */
  stats(): Stats;
  change(changes: AttributeChanges): void;
  /** Gives the file its final name now, because its session goes on to use that name. Throws FsError. */
  publish(): void;
}

/** Extended attributes of one file: user attributes only (`user.` in front of the name is the system's, not the client's). */
export interface ExtendedAttributes {
  get(name: string, maxBytes: number): Buffer;
  list(maxBytes: number): string[];
  set(name: string, value: Buffer, mode: 'any' | 'create' | 'replace'): void;
  remove(name: string): void;
}

/**
 * Every call: resolve -> authorise (`command` names the `<Limit>` rule) -> act. Metadata calls are synchronous and
 * run with the session's identity in this thread only; all throw FsError. Bytes are then moved on the descriptor.
 */
export interface VirtualFileSystem {
  readonly root: string;
  readonly home: string;
  readonly cwd: VirtualPath;
  /** Argument of a command -> virtual path, relative to cwd; `~` is the home. Throws invalid-name on NUL, CR, LF. */
  resolve(argument: string): VirtualPath;
  /** Like `resolve` for protocols whose paths are lengths and bytes: `~` and line ends are ordinary. Throws on NUL. */
  resolveLiteral(path: string): VirtualPath;
  /**
   * The path with its links resolved as far as it exists; `stats` null where its last name is missing. Throws not-found
   * where a directory on the way is missing, and for what IgnoreHidden hides from `command`.
   */
  canonicalPath(
    path: VirtualPath,
    command: string,
  ): { readonly path: VirtualPath; readonly stats: Stats | null };
  /** Real absolute path for logs; never used to open. */
  realPath(path: VirtualPath): string;
  configFor(path: VirtualPath): PathConfig;
  /** Throws permission-denied (or not-found with IgnoreHidden) when `<Limit>` denies `command` here. */
  authorize(command: string, path: VirtualPath): void;
  changeDirectory(path: VirtualPath, command: string): void;
  stat(path: VirtualPath, command: string): Stats;
  lstat(path: VirtualPath, command: string): Stats;
  readLink(path: VirtualPath, command: string): string;
  /** Entry for LIST/MLST of one path, with the same display rules as a listing. */
  entry(path: VirtualPath, command: string): DirectoryEntry;
  openDirectory(path: VirtualPath, command: string): DirectoryCursor;
  /** @param also further commands `<Limit>` is asked about */
  openRead(path: VirtualPath, command: string, also?: readonly string[]): OpenedFile;
  openWrite(path: VirtualPath, mode: UploadMode, command: string): UploadTarget;
  /** Opens for writing at any offset; see open-update.ts for what is written in place. */
  openUpdate(
    path: VirtualPath,
    request: UpdateRequest,
    command: string,
    also?: readonly string[],
  ): OpenedUpdate;
  /** This session's own unfinished `openUpdate` of that path, which is not under its name yet. */
  pendingUpdate(path: VirtualPath): OpenedUpdate | null;
  /** Uploads in the directory `path` that are new and not under their names yet. */
  pendingIn(path: VirtualPath): readonly OpenedUpdate[];
  /** @param mode before Umask; absent: 0777 */
  makeDirectory(path: VirtualPath, command: string, mode?: number): void;
  makeSymbolicLink(target: string, path: VirtualPath, command: string): void;
  /** Another name for a regular file. */
  makeHardLink(existing: VirtualPath, path: VirtualPath, command: string): void;
  /** Asks every one of `commands`; `follow` false changes a link itself. */
  changeAttributes(
    path: VirtualPath,
    changes: AttributeChanges,
    follow: boolean,
    commands: readonly [string, ...string[]],
  ): void;
  statistics(path: VirtualPath, command: string): FileSystemStatistics;
  /** Runs `use` on the attributes of what `path` names; throws unsupported where the system has none. */
  withExtendedAttributes<T>(
    path: VirtualPath,
    command: string,
    use: (attributes: ExtendedAttributes) => T,
  ): T;
  /** The same for an open file. */
  withDescriptorAttributes<T>(descriptor: number, use: (attributes: ExtendedAttributes) => T): T;
  /** Attribute changes of an open file, with the session's rights. */
  changeOpenFile(descriptor: number, changes: AttributeChanges): void;
  removeDirectory(path: VirtualPath, command: string): void;
  removeFile(path: VirtualPath, command: string): void;
  /**
   * `cross-device` where the two are on different file systems: then `moveByCopy` may do it.
   * @param replace false: a name that is taken is `exists`, whatever AllowOverwrite says
   */
  rename(from: VirtualPath, to: VirtualPath, command: string, replace?: boolean): void;
  /** Moves one regular file between file systems. */
  moveByCopy(from: VirtualPath, to: VirtualPath, command: string, replace?: boolean): Promise<void>;
  changeMode(path: VirtualPath, mode: number, command: string): void;
  changeGroup(path: VirtualPath, gid: number, command: string): void;
  changeOwner(path: VirtualPath, uid: number, gid: number, command: string): void;
  setTimes(path: VirtualPath, accessTime: Date, modifyTime: Date, command: string): void;
  /** access(2)-style rights of the session's identity, for MLSx `perm`. */
  rights(stats: Stats): { readonly read: boolean; readonly write: boolean; readonly execute: boolean };
  /** Free bytes on the file system of cwd, for %f. */
  freeBytes(path: VirtualPath): number;
  /** Small text file inside the root (Display*), null when missing; at most `maxBytes`. */
  readTextFile(path: VirtualPath, maxBytes: number): string | null;
  readonly owners: OwnerNames;
  /** After login sections changed the configuration. */
  useConfig(config: EffectiveConfig): void;
  /** Gives back the descriptor of the root. Call once when the session ends; every later call throws. */
  close(): void;
}

export type FsResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: FsError };
