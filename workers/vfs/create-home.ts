/** CreateHome (core reference, section 3): makes a missing home directory at login, with a copy of a skeleton. */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync } from 'node:fs';
import type { CreateHome } from '../../src/config/server-config.ts';
import { errnoOf, toFsError } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import { createSessionIdentity } from './identity.ts';
import { copyBytes } from './local-backend.ts';
import {
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  opendirSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from './path-calls.ts';
import type { Identity } from './types.ts';
import { componentsOf } from './virtual-path.ts';

/** A skeleton is a handful of files; these bounds only keep a mistaken path from copying a disk. */
const SKELETON_ENTRIES = 10_000;
const SKELETON_DEPTH = 16;
const SKELETON_FILE_BYTES = 64 * 1024 * 1024;
/** Entries fetched from the kernel at once. */
const READ_AHEAD = 32;
const UNCHANGED = -1;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface HomeRequest {
  readonly settings: CreateHome;
  /** Absolute real path of the home. */
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
  readonly groupIds: readonly number[];
  /** ServerConfig.actsAsUsers: the home is made by root and given to the user. */
  readonly actsAsUsers: boolean;
  readonly warn: (text: string) => void;
}

/**
 * True when the home was made, false when it was there or CreateHome is off. Throws FsError when it cannot be made.
 * Call after the password was accepted and before the file system is opened.
 */
export function createHome(request: HomeRequest): boolean {
  const { settings } = request;
  if (!settings.enabled) return false;
  const identity: Identity | null = request.actsAsUsers
    ? { uid: request.uid, gid: request.gid, groupIds: request.groupIds }
    : null;
  const actor = createSessionIdentity(identity);
  const asRoot = identity !== null && !settings.noRootPrivileges;
  const make = (): boolean => new HomeMaker(request, asRoot).make();
  try {
    return asRoot ? actor.runPrivileged(make) : actor.run(make);
  } catch (error) {
    throw errnoOf(error) === null ? error : toFsError(error);
  }
}

class HomeMaker {
  readonly #request: HomeRequest;
  /** Only root gives entries away; otherwise they are the creator's. */
  readonly #givesAway: boolean;
  #copied = 0;

  constructor(request: HomeRequest, givesAway: boolean) {
    this.#request = request;
    this.#givesAway = givesAway;
  }

  make(): boolean {
    const { home, settings, uid, gid } = this.#request;
    const existing = statSync(home, { throwIfNoEntry: false });
    if (existing?.isDirectory() === true) return false;
    if (existing !== undefined) throw new FsError('not-a-directory', { errno: 'ENOTDIR' });
    this.#makeParents(componentsOf(home).slice(0, -1));
    const { skeleton } = settings;
    const homeGid = settings.homeGid ?? gid;
    // Until the copy is done the home is the maker's own: its user could otherwise lead root's copy astray by a link.
    mkdirSync(home, 0o700);
    const descriptor = openSync(home, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      if (skeleton !== undefined) this.#copySkeleton(skeleton, homeGid);
    } finally {
      this.#dress(descriptor, settings.mode, uid, homeGid);
    }
    return true;
  }

  #makeParents(components: readonly string[]): void {
    const { settings } = this.#request;
    const uid = settings.uid === '~' ? this.#request.uid : (settings.uid ?? UNCHANGED);
    const gid = settings.gid === '~' ? this.#request.gid : (settings.gid ?? UNCHANGED);
    for (const index of components.keys()) {
      const path = `/${components.slice(0, index + 1).join('/')}`;
      if (statSync(path, { throwIfNoEntry: false }) === undefined) {
        this.#makeDirectory(path, settings.directoryMode, uid, gid);
      }
    }
  }

  #makeDirectory(path: string, mode: number, uid: number, gid: number): void {
    mkdirSync(path, 0o700);
    this.#dress(
      openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW),
      mode,
      uid,
      gid,
    );
  }

  #copySkeleton(skeleton: string, gid: number): void {
    const { home, uid, warn } = this.#request;
    const stats = statSync(skeleton, { throwIfNoEntry: false });
    if (stats?.isDirectory() !== true) {
      warn(`CreateHome: skeleton '${skeleton}' is not a directory, '${home}' stays empty`);
      return;
    }
    // What everybody may write, everybody could put into the homes of others.
    if ((stats.mode & 0o002) !== 0) {
      warn(`CreateHome: skeleton '${skeleton}' is world-writable and was not copied`);
      return;
    }
    this.#copyDirectory(skeleton, home, uid, gid, 0);
  }

  #copyDirectory(from: string, to: string, uid: number, gid: number, depth: number): void {
    const directory = opendirSync(from, READ_AHEAD);
    try {
      for (let name = directory.readSync(); name !== null; name = directory.readSync()) {
        this.#copied += 1;
        if (this.#copied > SKELETON_ENTRIES || depth >= SKELETON_DEPTH) {
          throw new FsError('limit-exceeded', { detail: 'the skeleton directory is too large' });
        }
        this.#copyEntry(`${from}/${name}`, `${to}/${name}`, uid, gid, depth);
      }
    } finally {
      directory.closeSync();
    }
  }

  /** Set-id bits are not copied; sockets, FIFOs and devices not at all. */
  #copyEntry(from: string, to: string, uid: number, gid: number, depth: number): void {
    const stats = lstatSync(from);
    if (stats.isSymbolicLink()) {
      symlinkSync(readlinkSync(from), to);
      if (this.#givesAway) lchownSync(to, uid, gid);
    } else if (stats.isDirectory()) {
      // The directory is the user's only when it is full: until then nobody else can put a link into it.
      mkdirSync(to, 0o700);
      this.#copyDirectory(from, to, uid, gid, depth + 1);
      this.#dress(
        openSync(to, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW),
        stats.mode,
        uid,
        gid,
      );
    } else if (stats.isFile()) {
      this.#copyFile(from, to, stats.mode, uid, gid);
    }
  }

  #copyFile(from: string, to: string, mode: number, uid: number, gid: number): void {
    const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(source).isFile()) return;
      const target = openSync(to, NEW_FILE, 0o600);
      try {
        copyBytes(source, target, SKELETON_FILE_BYTES);
      } catch (error) {
        closeSync(target);
        throw error;
      }
      this.#dress(target, mode, uid, gid);
    } finally {
      closeSync(source);
    }
  }

  /** Gives the open entry its owner and mode (no set-id bits), and closes it. */
  #dress(descriptor: number, mode: number, uid: number, gid: number): void {
    try {
      if (this.#givesAway) fchownSync(descriptor, uid, gid);
      fchmodSync(descriptor, mode & 0o777);
    } finally {
      closeSync(descriptor);
    }
  }
}
