/** The only door between a protocol and a file: resolve -> authorise -> act, with the session's own rights. */
import { closeSync, constants, readSync, type Stats } from 'node:fs';
import type { EffectiveConfig, PathConfig } from '../../src/config/effective-config.ts';
import type { Settings } from '../../src/config/server-config.ts';
import { changeLink, changeOpenFile, changePath, type AttributeChanges } from './attribute-changes.ts';
import { describeEntry, openDirectoryCursor } from './directory-cursor.ts';
import { applyOwner } from './entry-owner.ts';
import { errnoOf, toFsError } from './errno-mapping.ts';
import { extendedAttributesAt } from './extended-attributes.ts';
import { fileSystemStatistics, type FileSystemStatistics } from './file-system-statistics.ts';
import { FsError, type FsErrorCode } from './fs-error.ts';
import type { Rights } from './identity.ts';
import { moveEntry, openMove } from './local-backend.ts';
import type { JailKind, Pinned } from './root-jail.ts';
import { openUpdate } from './open-update.ts';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from './path-calls.ts';
import { SessionFiles, type Place } from './session-files.ts';
import type {
  DirectoryCursor,
  DirectoryEntry,
  ExtendedAttributes,
  OpenedFile,
  OpenedUpdate,
  OwnerNames,
  UpdateRequest,
  UploadMode,
  UploadTarget,
  VirtualFileSystem,
  VirtualFileSystemOptions,
  VirtualPath,
} from './types.ts';
import { openUpload } from './upload-target.ts';
import {
  belowRoot,
  childPath,
  joinRoot,
  resolveLiteralPath,
  resolveVirtualPath,
  rootPath,
} from './virtual-path.ts';

const UNCHANGED = -1;

/** Answers of a Display file that cannot be shown; the session goes on without it. */
const unreadable: ReadonlySet<FsErrorCode> = new Set([
  'not-found',
  'not-a-directory',
  'not-regular',
  'permission-denied',
  'too-many-links',
]);

/**
 * Opens the file system of one session; its working directory is `/`. Throws FsError when the root cannot be used, and
 * an ordinary error when the server cannot take the identity. `jail` is for tests.
 */
export function createVirtualFileSystem(
  options: VirtualFileSystemOptions,
  jail?: JailKind,
): VirtualFileSystem {
  const root = options.root.replace(/\/+$/, '') || '/';
  return new LocalFileSystem(new SessionFiles({ ...options, root }, jail));
}

class LocalFileSystem implements VirtualFileSystem {
  readonly root: string;
  readonly home: string;
  readonly owners: OwnerNames;
  readonly #files: SessionFiles;
  readonly #homePath: VirtualPath;
  #cwd = rootPath;

  constructor(files: SessionFiles) {
    this.#files = files;
    this.root = files.jail.root;
    this.home = files.home;
    this.owners = files.owners;
    const home = belowRoot(this.root, files.home);
    this.#homePath = home === null ? rootPath : resolveVirtualPath(home, rootPath, rootPath);
  }

  get cwd(): VirtualPath {
    return this.#cwd;
  }

  resolve(argument: string): VirtualPath {
    return resolveVirtualPath(argument, this.#cwd, this.#homePath);
  }

  resolveLiteral(path: string): VirtualPath {
    return resolveLiteralPath(path, this.#cwd);
  }

  canonicalPath(path: VirtualPath, command: string): { path: VirtualPath; stats: Stats | null } {
    return this.#at(path, command, (place) => {
      const target = this.#files.jail.pinIfThere(path.slice(1));
      if (target !== null) {
        using found = target;
        return { path: this.#files.virtualPathOf(found) ?? path, stats: found.stats };
      }
      const parent = this.#files.virtualPathOf(place.directory);
      return { path: parent === null ? path : childPath(parent, place.name), stats: null };
    });
  }

  realPath(path: VirtualPath): string {
    return joinRoot(this.root, path);
  }

  configFor(path: VirtualPath): PathConfig {
    return this.#files.configFor(path);
  }

  authorize(command: string, path: VirtualPath): void {
    this.#at(path, command, () => undefined);
  }

  changeDirectory(path: VirtualPath, command: string): void {
    this.#onTarget(path, command, (target, place) => {
      if (!target.stats.isDirectory()) throw new FsError('not-a-directory', { errno: 'ENOTDIR' });
      // Looking up `.` needs the right to search the directory, as chdir(2) does.
      lstatSync(`${target.path}/.`);
      const shown = place.config.settings.showSymlinks ? path : this.#files.virtualPathOf(target);
      this.#cwd = shown ?? path;
    });
  }

  stat(path: VirtualPath, command: string): Stats {
    return this.#onTarget(path, command, (target) => target.stats);
  }

  lstat(path: VirtualPath, command: string): Stats {
    // A rename begins with RNFR, which only looks at the entry.
    if (command === 'RNFR') return this.#change(path, command, (place) => lstatSync(place.path));
    return this.#at(path, command, (place) => lstatSync(place.path));
  }

  readLink(path: VirtualPath, command: string): string {
    return this.#at(path, command, (place) => readlinkSync(place.path));
  }

  entry(path: VirtualPath, command: string): DirectoryEntry {
    return this.#at(path, command, (place) => {
      const found = { name: place.name, path: place.path, virtualPath: path };
      return describeEntry(this.#files, found, lstatSync(place.path), place.config.settings.showSymlinks);
    });
  }

  openDirectory(path: VirtualPath, command: string): DirectoryCursor {
    return openDirectoryCursor(this.#files, path, command);
  }

  openRead(path: VirtualPath, command: string, also: readonly string[] = []): OpenedFile {
    return this.#onTarget(path, command, (target, place) => {
      for (const other of also) this.#files.ask(place, other);
      if (!target.stats.isFile()) throw new FsError('not-regular');
      return new LocalOpenedFile(openSync(target.path, constants.O_RDONLY), target.stats, place);
    });
  }

  openWrite(path: VirtualPath, mode: UploadMode, command: string): UploadTarget {
    return openUpload(this.#files, path, mode, command);
  }

  openUpdate(
    path: VirtualPath,
    request: UpdateRequest,
    command: string,
    also: readonly string[] = [],
  ): OpenedUpdate {
    return openUpdate(this.#files, path, request, command, also);
  }

  pendingUpdate(path: VirtualPath): OpenedUpdate | null {
    return this.#files.pendingAt(path);
  }

  pendingIn(path: VirtualPath): readonly OpenedUpdate[] {
    const { pending } = this.#files;
    if (pending.size === 0) return [];
    const directory = path === '/' ? '/' : `${path}/`;
    return [...pending.values()].filter(({ virtualPath, previousSize }) => {
      const inDirectory = virtualPath.startsWith(directory) && !virtualPath.includes('/', directory.length);
      return inDirectory && previousSize === null;
    });
  }

  makeSymbolicLink(target: string, path: VirtualPath, command: string): void {
    if (target === '' || target.includes('\0')) throw new FsError('invalid-name');
    this.#change(path, command, (place) => symlinkSync(target, place.path));
  }

  makeHardLink(existing: VirtualPath, path: VirtualPath, command: string): void {
    this.#files.run(() => {
      using source = this.#files.locateForChange(existing, command);
      using target = this.#files.locateForChange(path, command);
      // linkat(2) takes the entry as it is: a link gets a second name, and not what it points to.
      if (!lstatSync(source.path).isFile()) throw new FsError('not-regular');
      linkSync(source.path, target.path);
    });
  }

  changeAttributes(
    path: VirtualPath,
    changes: AttributeChanges,
    follow: boolean,
    commands: readonly [string, ...string[]],
  ): void {
    const [first, ...others] = commands;
    this.#change(path, first, (place) => {
      // Another name of what truncation does to a file: replacing what is in it.
      if (changes.size !== null && !place.config.settings.allowOverwrite)
        throw new FsError('overwrite-denied');
      for (const command of others) this.#files.ask(place, command);
      if (!follow) {
        using entry = this.#files.jail.pinEntry(place.directory, place.name);
        if (entry.stats.isSymbolicLink()) changeLink(place.path, changes);
        else changePath(entry.path, changes);
        return;
      }
      using target = this.#files.follow(place, first);
      for (const command of others) this.#files.follow(place, command).close();
      changePath(target.path, changes);
    });
  }

  statistics(path: VirtualPath, command: string): FileSystemStatistics {
    return this.#onTarget(path, command, (target) => fileSystemStatistics(target.path));
  }

  withExtendedAttributes<T>(
    path: VirtualPath,
    command: string,
    use: (attributes: ExtendedAttributes) => T,
  ): T {
    return this.#onTarget(path, command, (target) => use(extendedAttributesAt(target.path)));
  }

  withDescriptorAttributes<T>(descriptor: number, use: (attributes: ExtendedAttributes) => T): T {
    return this.#files.run(() => use(extendedAttributesAt(`/proc/self/fd/${descriptor}`)));
  }

  changeOpenFile(descriptor: number, changes: AttributeChanges): void {
    this.#files.run(() => changeOpenFile(descriptor, changes));
  }

  makeDirectory(path: VirtualPath, command: string, asked = 0o777): void {
    this.#change(path, command, (place) => {
      const { settings } = place.config;
      const mode = asked & 0o777 & ~settings.umask.directory;
      mkdirSync(place.path, mode);
      using created = this.#files.jail.pinEntry(place.directory, place.name);
      // The name may have been taken by another entry since: only a directory of this session's own is changed.
      if (!created.stats.isDirectory() || created.stats.uid !== this.#files.identity.uid) return;
      const kept = created.stats.mode & 0o7000;
      // The process's own umask is not the session's.
      if ((created.stats.mode & 0o777) !== mode) chmodSync(created.path, kept | mode);
      applyOwner(this.#files, settings, (uid, gid) => chownSync(created.path, uid, gid), place.realPath);
    });
  }

  removeDirectory(path: VirtualPath, command: string): void {
    this.#change(path, command, (place) => rmdirSync(removable(place)));
  }

  removeFile(path: VirtualPath, command: string): void {
    this.#change(path, command, (place) => {
      const stats = lstatSync(place.path);
      if (stats.isDirectory()) throw new FsError('is-a-directory', { errno: 'EISDIR' });
      unlinkSync(place.path);
    });
  }

  rename(from: VirtualPath, to: VirtualPath, command: string, mayReplace = true): void {
    this.#files.run(() => {
      using held = new DisposableStack();
      const { source, target } = this.#renamed(from, to, command, held);
      renaming(target, mayReplace, (replace) => moveEntry(source, target, replace));
    });
  }

  async moveByCopy(from: VirtualPath, to: VirtualPath, command: string, mayReplace = true): Promise<void> {
    using held = new DisposableStack();
    const { move, target } = this.#files.run(() => {
      const renamed = this.#renamed(from, to, command, held);
      return { move: openMove(renamed.source, renamed.target), target: renamed.target };
    });
    try {
      await move.copy().catch((error: unknown) => {
        throw toFsError(error);
      });
      this.#files.run(() => renaming(target, mayReplace, (replace) => move.finish(replace)));
    } finally {
      this.#files.run(() => move.close());
    }
  }

  #renamed(
    from: VirtualPath,
    to: VirtualPath,
    command: string,
    held: DisposableStack,
  ): { readonly source: Place; readonly target: Place } {
    const source = held.use(this.#files.locateForChange(from, command === 'RNTO' ? 'RNFR' : command));
    const target = held.use(this.#files.locateForChange(to, command));
    removable(source);
    removable(target);
    return { source, target };
  }

  changeMode(path: VirtualPath, mode: number, command: string): void {
    this.#changeTarget(path, command, (target) => chmodSync(target.path, mode & 0o7777));
  }

  changeGroup(path: VirtualPath, gid: number, command: string): void {
    this.#changeTarget(path, command, (target) => chownSync(target.path, UNCHANGED, gid));
  }

  changeOwner(path: VirtualPath, uid: number, gid: number, command: string): void {
    this.#changeTarget(path, command, (target) => chownSync(target.path, uid, gid));
  }

  setTimes(path: VirtualPath, accessTime: Date, modifyTime: Date, command: string): void {
    this.#onTarget(path, command, (target) => utimesSync(target.path, accessTime, modifyTime));
  }

  rights(stats: Stats): Rights {
    return this.#files.identity.rights(stats);
  }

  freeBytes(path: VirtualPath): number {
    return this.#files.run(() => {
      using target = this.#files.jail.pin(path.slice(1), true);
      const { bavail, bsize } = statfsSync(target.path);
      return bavail * bsize;
    });
  }

  readTextFile(path: VirtualPath, maxBytes: number): string | null {
    try {
      return this.#files.run(() => {
        using target = this.#files.jail.pin(path.slice(1), true);
        if (!target.stats.isFile()) throw new FsError('not-regular');
        return readText(target.path, maxBytes);
      });
    } catch (error) {
      if (error instanceof FsError && unreadable.has(error.code)) return null;
      throw error;
    }
  }

  useConfig(config: EffectiveConfig): void {
    this.#files.config = config;
  }

  close(): void {
    this.#files.jail.close();
  }

  #at<T>(path: VirtualPath, command: string, act: (place: Place) => T): T {
    return this.#files.run(() => {
      using place = this.#files.locate(path, command);
      return act(place);
    });
  }

  #change<T>(path: VirtualPath, command: string, act: (place: Place) => T): T {
    return this.#files.run(() => {
      using place = this.#files.locateForChange(path, command);
      return act(place);
    });
  }

  #onTarget<T>(path: VirtualPath, command: string, act: (target: Pinned, place: Place) => T): T {
    return this.#at(path, command, (place) => {
      using target = this.#files.follow(place, command);
      return act(target, place);
    });
  }

  #changeTarget(path: VirtualPath, command: string, act: (target: Pinned) => void): void {
    this.#change(path, command, (place) => {
      using target = this.#files.follow(place, command);
      act(target);
    });
  }
}

/** AllowOverwrite of the destination; without it a name that is taken refuses the rename. */
function renaming(target: Place, mayReplace: boolean, act: (replace: boolean) => void): void {
  const replace = mayReplace && target.config.settings.allowOverwrite;
  try {
    act(replace);
  } catch (error) {
    if (!mayReplace) throw error;
    if (!replace && errnoOf(error) === 'EEXIST') throw new FsError('rename-denied', { errno: 'EEXIST' });
    throw error;
  }
}

/** The root is its own entry `.` here, and nobody renames or removes it. */
function removable(place: Place): string {
  if (place.name === '.') throw new FsError('busy', { errno: 'EBUSY' });
  return place.path;
}

function readText(path: string, maxBytes: number): string {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    const bytes = Buffer.alloc(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const count = readSync(descriptor, bytes, length, maxBytes - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}

class LocalOpenedFile implements OpenedFile {
  readonly descriptor: number;
  readonly stats: Stats;
  readonly realPath: string;
  readonly settings: Settings;
  #open = true;

  constructor(descriptor: number, stats: Stats, place: Place) {
    this.descriptor = descriptor;
    this.stats = stats;
    this.realPath = place.realPath;
    this.settings = place.config.settings;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.descriptor);
  }
}
