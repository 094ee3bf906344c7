/**
 * What every file operation of a session begins with: take the user's rights, find the object through the jail, ask
 * `<Limit>`, translate errors. The operations themselves stand in the modules beside this one.
 */
import type { EffectiveConfig, PathConfig } from '../../src/config/effective-config.ts';
import { authorizeCommand } from '../access/authorize.ts';
import { pathFiltersAllow } from '../access/path-filter.ts';
import { errnoOf, nullIfAbsent, toFsError } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import { createFtpAccessFiles, type FtpAccessFiles } from './ftp-access-files.ts';
import { createSessionIdentity, type SessionIdentity } from './identity.ts';
import { lstatSync } from './path-calls.ts';
import { openRootJail, type JailKind, type Pinned, type RootJail } from './root-jail.ts';
import type { OpenedUpdate, OwnerNames, VirtualFileSystemOptions, VirtualPath } from './types.ts';
import { belowRoot, componentsOf, joinRoot, splitVirtualPath } from './virtual-path.ts';
import { createVisibility } from './visibility.ts';

/** An entry of a directory that is held open: what happens to `path` cannot be led elsewhere by a swapped link. */
export interface Place extends Disposable {
  readonly virtualPath: VirtualPath;
  readonly directory: Pinned;
  readonly name: string;
  /** For `fs` calls that do not follow a final link. */
  readonly path: string;
  /** Absolute path, links of the directory part resolved. */
  readonly realPath: string;
  /** What is in force here. */
  readonly config: PathConfig;
  /** Every name of the place, for `<Limit>`: with links resolved, and as the client wrote it where that differs. */
  readonly namedConfigs: readonly PathConfig[];
}

export class SessionFiles {
  readonly jail: RootJail;
  readonly identity: SessionIdentity;
  readonly owners: OwnerNames;
  readonly home: string;
  readonly warn: (text: string) => void;
  config: EffectiveConfig;
  /** Uploads of this session that do not have their final name yet, by that name (real path). */
  readonly pending = new Map<string, OpenedUpdate>();
  readonly #ftpAccess: FtpAccessFiles;

  constructor(options: VirtualFileSystemOptions, kind?: JailKind) {
    this.identity = createSessionIdentity(options.identity);
    this.owners = options.owners;
    this.home = options.home;
    this.warn = options.warn;
    this.config = options.config;
    this.jail = this.#openJail(options, kind);
    this.#ftpAccess = createFtpAccessFiles(this.jail, options.config.server.defines, options.warn);
  }

  /** As root where the server can: a DefaultRoot may lie below directories the user cannot enter, as with chroot(2). */
  #openJail(options: VirtualFileSystemOptions, kind: JailKind | undefined): RootJail {
    try {
      return this.identity.runPrivileged(() => {
        if (!options.config.settings.allowChrootSymlinks) refuseLinkedRoot(options.root);
        return openRootJail(options.root, kind);
      });
    } catch (error) {
      throw toFsErrorOrBug(error);
    }
  }

  /** Runs `action` with the session's rights; whatever the system throws leaves as FsError. */
  run<T>(action: () => T): T {
    try {
      return this.identity.run(action);
    } catch (error) {
      throw toFsErrorOrBug(error);
    }
  }

  /** Finds the place of `path` and asks `<Limit>` for `command`. Dispose the result, or hold it as an upload does. */
  locate(path: VirtualPath, command: string): Place {
    const place = this.#locateUnchecked(path, command);
    try {
      this.#authorize(place, command);
      return place;
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
  }

  /** Asks `<Limit>` for one more command about a place that was found already. */
  ask(place: Place, command: string): void {
    this.#authorize(place, command);
  }

  /** Like `locate`, for an entry that may also not be named: PathAllowFilter and PathDenyFilter. */
  locateForChange(path: VirtualPath, command: string): Place {
    const place = this.locate(path, command);
    if (pathFiltersAllow(place.config.settings, path)) return place;
    place[Symbol.dispose]();
    throw new FsError('forbidden-name');
  }

  /** The object itself, a final link followed inside the root; where it leads elsewhere, `<Limit>` is asked there too. */
  follow(place: Place, command: string): Pinned {
    const entry = this.jail.pinEntry(place.directory, place.name);
    if (!entry.stats.isSymbolicLink()) return entry;
    entry.close();
    const target = this.jail.pin(place.virtualPath.slice(1), true);
    try {
      this.#check(this.#pathConfig(target.realPath()), command, place.virtualPath, null);
      return target;
    } catch (error) {
      target.close();
      throw error;
    }
  }

  /** Settings and limits for a path that need not exist. */
  configFor(path: VirtualPath): PathConfig {
    return this.run(() => {
      try {
        using place = this.#locateUnchecked(path, null);
        return place.config;
      } catch (error) {
        if (errnoOf(error) === null) throw error;
        return this.#pathConfig(joinRoot(this.jail.root, path));
      }
    });
  }

  /** What this session is writing under that name; null: nothing. */
  pendingAt(path: VirtualPath): OpenedUpdate | null {
    if (this.pending.size === 0) return null;
    return this.run(() =>
      nullIfAbsent(() => {
        using place = this.#locateUnchecked(path, null);
        return this.pending.get(place.realPath) ?? null;
      }),
    );
  }

  /** Virtual path of a pinned object; null when it was moved out of the root meanwhile. */
  virtualPathOf(pinned: Pinned): VirtualPath | null {
    return belowRoot(this.jail.root, pinned.realPath());
  }

  /** `command` null: nobody asks, so a missing directory is just missing. */
  #locateUnchecked(path: VirtualPath, command: string | null): Place {
    const { directory: parent, name } = splitVirtualPath(path);
    const directory = this.#pinParent(parent, path, command);
    try {
      const parentRealPath = directory.realPath();
      const realPath =
        name === '.' ? parentRealPath : `${parentRealPath === '/' ? '' : parentRealPath}/${name}`;
      const namedConfigs = this.#namedConfigs(realPath, joinRoot(this.jail.root, path));
      return {
        virtualPath: path,
        directory,
        name,
        path: `${directory.path}/${name}`,
        realPath,
        config: this.#deciding(namedConfigs),
        namedConfigs,
        [Symbol.dispose]: () => directory.close(),
      };
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  #pinParent(parent: VirtualPath, path: VirtualPath, command: string | null): Pinned {
    try {
      const directory = this.jail.pin(parent.slice(1), true);
      if (directory.stats.isDirectory()) return directory;
      directory.close();
      throw new FsError('not-a-directory', { errno: 'ENOTDIR' });
    } catch (error) {
      // Below a forbidden directory the answer must not tell what exists there.
      if (command !== null && errnoOf(error) !== null) {
        this.#check(this.#pathConfig(joinRoot(this.jail.root, path)), command, path, null);
      }
      throw error;
    }
  }

  #pathConfig(realPath: string): PathConfig {
    return this.config.forPath(realPath, this.home, this.#lookUpFtpAccess);
  }

  readonly #lookUpFtpAccess = (directory: string): ReturnType<FtpAccessFiles['lookUp']> =>
    this.#ftpAccess.lookUp(directory);

  /** A section may be written for the path with its links resolved, or for the path as the client names it. */
  #namedConfigs(realPath: string, namedPath: string): readonly [PathConfig, ...PathConfig[]] {
    const resolved = this.#pathConfig(realPath);
    return realPath === namedPath ? [resolved] : [resolved, this.#pathConfig(namedPath)];
  }

  /** The resolved name decides the settings, unless nothing but the session's own settings is in force there. */
  #deciding(configs: readonly [PathConfig, ...PathConfig[]]): PathConfig {
    return configs.find((config) => config.settings !== this.config.settings) ?? configs[0];
  }

  /** Both names must be allowed: a link leads around no `<Limit>`, and no `<Limit>` is lost by a link. */
  #authorize(place: Place, command: string): void {
    for (const config of place.namedConfigs) this.#check(config, command, place.virtualPath, place);
  }

  #check(config: PathConfig, command: string, argument: VirtualPath, place: Place | null): void {
    const permission = authorizeCommand(config, command, argument, this.config.principal);
    if (permission.ignoreHidden && place !== null && this.#isHidden(place))
      throw new FsError('not-found', { errno: 'ENOENT' });
    if (!permission.allowed) throw new FsError('permission-denied', { errno: 'EACCES' });
  }

  #isHidden(place: Place): boolean {
    const visibility = createVisibility(
      place.config.settings,
      this.config.principal,
      this.identity,
      this.owners,
    );
    if (visibility.hidesName(place.name)) return true;
    const stats = lstatSync(place.path, { throwIfNoEntry: false });
    return stats !== undefined && visibility.hidesStats(stats);
  }
}

/** Bugs of ours keep their class and stack, so that the session ends with them in the log. */
function toFsErrorOrBug(error: unknown): unknown {
  return error instanceof FsError || errnoOf(error) !== null ? toFsError(error) : error;
}

/** `AllowChrootSymlinks off`: no component of the root may be a link. */
function refuseLinkedRoot(root: string): void {
  const components = componentsOf(root);
  for (const index of components.keys()) {
    const path = `/${components.slice(0, index + 1).join('/')}`;
    if (lstatSync(path).isSymbolicLink()) throw new FsError('permission-denied', { errno: 'EPERM' });
  }
}
