/** Reads a directory entry by entry: bounded memory, and one bounded step at a time. */
import type { Stats } from 'node:fs';
import { errnoOf } from './errno-mapping.ts';
import { FsError } from './fs-error.ts';
import { lstatSync, opendirSync, readlinkSync, type NameReader } from './path-calls.ts';
import type { Pinned } from './root-jail.ts';
import type { SessionFiles } from './session-files.ts';
import type { DirectoryCursor, DirectoryEntry, VirtualPath } from './types.ts';
import { createVisibility, type Visibility } from './visibility.ts';

/** Entries fetched from the kernel at once. */
const READ_AHEAD = 128;

export function openDirectoryCursor(
  files: SessionFiles,
  path: VirtualPath,
  command: string,
): DirectoryCursor {
  return files.run(() => {
    using place = files.locate(path, command);
    const pinned = files.follow(place, command);
    try {
      if (!pinned.stats.isDirectory()) throw new FsError('not-a-directory', { errno: 'ENOTDIR' });
      const { settings } = place.config;
      const visibility = createVisibility(settings, files.config.principal, files.identity, files.owners);
      const directory = opendirSync(pinned.path, READ_AHEAD);
      return new LocalDirectoryCursor(files, path, pinned, directory, visibility, settings.showSymlinks);
    } catch (error) {
      pinned.close();
      throw error;
    }
  });
}

class LocalDirectoryCursor implements DirectoryCursor {
  readonly #files: SessionFiles;
  readonly #virtualPath: VirtualPath;
  readonly #pinned: Pinned;
  readonly #directory: NameReader;
  readonly #visibility: Visibility;
  readonly #showSymlinks: boolean;
  #state: 'reading' | 'ended' | 'closed' = 'reading';

  constructor(
    files: SessionFiles,
    virtualPath: VirtualPath,
    pinned: Pinned,
    directory: NameReader,
    visibility: Visibility,
    showSymlinks: boolean,
  ) {
    this.#files = files;
    this.#virtualPath = virtualPath;
    this.#pinned = pinned;
    this.#directory = directory;
    this.#visibility = visibility;
    this.#showSymlinks = showSymlinks;
  }

  get ended(): boolean {
    return this.#state !== 'reading';
  }

  next(count: number): DirectoryEntry[] {
    if (this.#state === 'closed') throw new FsError('other', { detail: 'the listing is closed' });
    const entries: DirectoryEntry[] = [];
    if (this.#state === 'ended') return entries;
    return this.#files.run(() => {
      // Counted by names looked at: a directory full of hidden ones must not be read in one go.
      for (let looked = 0; looked < count; looked += 1) {
        const found = this.#directory.readSync();
        if (found === null) {
          this.#state = 'ended';
          break;
        }
        const entry = this.#visibility.hidesName(found) ? null : this.#read(found);
        if (entry !== null) entries.push(entry);
      }
      return entries;
    });
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#directory.closeSync();
    this.#pinned.close();
  }

  /** Null for an entry that is hidden, vanished meanwhile or cannot be looked at. */
  #read(name: string): DirectoryEntry | null {
    try {
      const path = `${this.#pinned.path}/${name}`;
      const stats = lstatSync(path);
      if (this.#visibility.hidesStats(stats)) return null;
      const parent = this.#virtualPath === '/' ? '' : this.#virtualPath;
      return describeEntry(
        this.#files,
        { name, path, virtualPath: `${parent}/${name}` as VirtualPath },
        stats,
        this.#showSymlinks,
      );
    } catch (error) {
      if (errnoOf(error) === null) throw error;
      return null;
    }
  }
}

/**
 * The entry as a listing shows it: with ShowSymlinks a link is a link with its target text, without it the target's
 * attributes stand under the link's name, and a link that leads nowhere throws.
 */
export function describeEntry(
  files: SessionFiles,
  found: { readonly name: string; readonly path: string; readonly virtualPath: VirtualPath },
  stats: Stats,
  showSymlinks: boolean,
): DirectoryEntry {
  const { name } = found;
  if (!stats.isSymbolicLink()) return { name, stats, linkTarget: null };
  if (showSymlinks) return { name, stats, linkTarget: readlinkSync(found.path) };
  const target = files.jail.pin(found.virtualPath.slice(1), true);
  try {
    return { name, stats: target.stats, linkTarget: null };
  } finally {
    target.close();
  }
}
