/**
 * Notices that certificate files change. Directories are watched, not files: tools that renew certificates put a new file
 * (or symbolic link) in the place of the old one. What changed, and whether it can be used, is not decided here.
 */
import { realpathSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import { configFiles } from '../config/config-files.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { asRoot, type ProcessIdentity } from './privileged.ts';

export interface CertificateWatchOptions {
  readonly identity: () => ProcessIdentity;
  /** Files were touched and have been left alone since. */
  readonly onChange: () => void;
  readonly log: (text: string) => void;
  /** Milliseconds of quiet: certificate and key are two files, written one after the other. */
  readonly quietMs?: number;
}

const QUIET_MS = 1_000;
/** Events that never stop must not put a renewal off for ever. */
const MAX_DELAY_MS = 10_000;
const MAX_DIRECTORIES = 256;

/** What counts in one directory; null: everything. */
type Names = Set<string> | null;

export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; names: Names }>();
  /** Directories already complained about: every new configuration tries them again. */
  readonly #unwatched = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #firstEvent = 0;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
  }

  /** Watches the TLS files of this configuration from now on, and no others. */
  follow(config: ServerConfig): void {
    const wanted = asRoot(this.#options.identity(), () => watchedDirectories(config));
    for (const [directory, { watcher }] of this.#watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const [directory, names] of wanted) {
      const existing = this.#watchers.get(directory);
      if (existing !== undefined) existing.names = names;
      else this.#start(directory, names);
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #start(directory: string, names: Names): void {
    if (this.#watchers.size >= MAX_DIRECTORIES)
      return this.#options.log(`${directory}: too many directories to watch`);
    try {
      const watcher = asRoot(this.#options.identity(), () => watch(directory, { persistent: false }));
      this.#watchers.set(directory, { watcher, names });
      watcher.on('change', (_event, name) => this.#event(directory, name === null ? null : String(name)));
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(directory);
        this.#options.log(`${directory}: changes are not noticed any more, ${this.#way()}`);
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      if (!this.#unwatched.has(directory))
        this.#options.log(`${directory}: changes are not noticed (${code}), ${this.#way()}`);
      this.#unwatched.add(directory);
    }
  }

  /** Who gave up root (RootRevoke) may not be able to read a new key either. */
  #way(): string {
    return this.#options.identity().kind === 'revoked' ? 'restart the server to use new files' : 'use SIGHUP';
  }

  #event(directory: string, name: string | null): void {
    const names = this.#watchers.get(directory)?.names ?? null;
    // `..data` and its like: Kubernetes swaps a whole directory behind one symbolic link.
    if (name !== null && names !== null && !names.has(name) && !name.startsWith('..')) return;
    const now = performance.now();
    if (this.#timer === null) this.#firstEvent = now;
    else clearTimeout(this.#timer);
    const quiet = this.#options.quietMs ?? QUIET_MS;
    const left = Math.max(0, this.#firstEvent + MAX_DELAY_MS - now);
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#options.onChange();
      },
      Math.min(quiet, left),
    ).unref();
  }
}

/** Folder of each file as it is named and, behind symbolic links, as it really lies; TLSCACertificatePath and its like whole. */
function watchedDirectories(config: ServerConfig): Map<string, Names> {
  const { tls, tlsDirectories } = configFiles(config);
  const wanted = new Map<string, Names>();
  for (const path of tls.flatMap((named) => [named, realPath(named)])) {
    const directory = dirname(path);
    const names = wanted.get(directory) ?? new Set<string>();
    names.add(basename(path));
    wanted.set(directory, names);
  }
  for (const directory of tlsDirectories) wanted.set(directory, null);
  return wanted;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    // A file that is gone now comes back under its own name.
    return path;
  }
}
