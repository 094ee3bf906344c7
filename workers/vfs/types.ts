/** Types of the virtual file system: the only door between a protocol and a file. */
import type { Stats } from 'node:fs';
import type { EffectiveConfig, PathConfig } from '../../src/config/effective-config.ts';
import type { Settings } from '../../src/config/server-config.ts';
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
  openRead(path: VirtualPath, command: string): OpenedFile;
  openWrite(path: VirtualPath, mode: UploadMode, command: string): UploadTarget;
  makeDirectory(path: VirtualPath, command: string): void;
  removeDirectory(path: VirtualPath, command: string): void;
  removeFile(path: VirtualPath, command: string): void;
  /** `cross-device` where the two are on different file systems: then `moveByCopy` may do it. */
  rename(from: VirtualPath, to: VirtualPath, command: string): void;
  /** Moves one regular file between file systems. */
  moveByCopy(from: VirtualPath, to: VirtualPath, command: string): Promise<void>;
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
