/** mod_lockgate: the embedded user store as a source of accounts. */
import { statSync } from 'node:fs';
import type { LogLevel } from '../log/session-log.ts';
import type { AsRoot } from './account-file-cache.ts';
import type { AccountSource } from './account-source.ts';
import { EMPTY_CENSUS, takeCensus } from './hash-census.ts';
import type { HashCensus } from './hash-census.ts';
import { openUserStore, UserStoreError } from './user-store.ts';
import type { UserStore } from './user-store.ts';

/** The server edits on the main thread and must not stand still for long. */
const EDIT_LOCK_TIMEOUT_MS = 250;

interface OpenStore {
  readonly store: UserStore;
  /** Device and inode: a file put in the old one's place is opened anew. */
  readonly identity: string;
  census: { readonly version: number; readonly value: HashCensus } | null;
}

/** Read-only connections to the stores of all virtual hosts, by path; they stay open. */
export class StoreConnections {
  readonly #open = new Map<string, OpenStore>();
  readonly #failing = new Set<string>();
  readonly #asRoot: AsRoot;
  readonly #log: (level: LogLevel, text: string) => void;

  constructor(asRoot: AsRoot, log: (level: LogLevel, text: string) => void) {
    this.#asRoot = asRoot;
    this.#log = log;
  }

  /** Opens the store now, while the process may still read it; false (and logged) where that fails. */
  open(path: string): boolean {
    return this.use(path, () => true, false);
  }

  /** Runs `query`; a store that cannot be used is logged once and answers `otherwise`. */
  use<T>(path: string, query: (open: OpenStore) => T, otherwise: T): T {
    try {
      const result = this.#asRoot(() => query(this.#connection(path)));
      this.#failing.delete(path);
      return result;
    } catch (error) {
      this.#drop(path);
      if (!this.#failing.has(path)) {
        this.#failing.add(path);
        const text = error instanceof UserStoreError ? error.message : `unable to use user store '${path}'`;
        this.#log('error', text);
      }
      return otherwise;
    }
  }

  /** Runs `edit` on a connection of its own that may write; null (logged) where that fails. */
  change<T>(path: string, edit: (store: UserStore) => T): T | null {
    return this.use<T | null>(
      path,
      () => {
        const store = openUserStore(path, { lockTimeoutMs: EDIT_LOCK_TIMEOUT_MS });
        try {
          return edit(store);
        } finally {
          store.close();
        }
      },
      null,
    );
  }

  close(): void {
    for (const path of [...this.#open.keys()]) this.#drop(path);
  }

  #connection(path: string): OpenStore {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined)
      throw new UserStoreError('unusable', `unable to use user store '${path}': no such file`);
    if ((stats.mode & 0o004) !== 0) {
      throw new UserStoreError('unusable', `unable to use world-readable user store '${path}'`);
    }
    const identity = `${stats.dev}:${stats.ino}`;
    const known = this.#open.get(path);
    if (known !== undefined && known.identity === identity) return known;
    this.#drop(path);
    const opened = { store: openUserStore(path, { readOnly: true }), identity, census: null };
    this.#open.set(path, opened);
    return opened;
  }

  #drop(path: string): void {
    this.#open.get(path)?.store.close();
    this.#open.delete(path);
  }
}

/** @param path the store's file (`userStore` of the settings) */
export function createStoreSource(path: string, connections: StoreConnections): AccountSource {
  return {
    module: 'mod_lockgate',
    find(name) {
      const user = connections.use(path, ({ store }) => store.find(name), null);
      if (user === null) return null;
      const { hash, uid, gid, home, shell, enabled } = user;
      return { name: user.name, hash, uid, gid, home, shell, state: enabled ? 'usable' : 'disabled' };
    },
    groupsOf(user) {
      const groups = connections.use(path, ({ store }) => store.find(user)?.groups ?? [], []);
      return groups.map((name) => ({ name, gid: null }));
    },
    credentials: {
      publicKeys: (name) => connections.use(path, ({ store }) => store.credentials.publicKeys(name), []),
      totp: (name) => connections.use(path, ({ store }) => store.credentials.totp(name), null),
      useTotpStep: (name, step) =>
        connections.change(path, (store) =>
          store.credentials.useTotpStep(name, step) ? 'used' : 'replayed',
        ) ?? 'unavailable',
    },
    // The store knows group names of users only; ids come from the other sources.
    groupByName: () => null,
    groupById: () => null,
    census() {
      return connections.use(
        path,
        (open) => {
          const version = open.store.dataVersion();
          if (open.census?.version !== version) {
            open.census = { version, value: takeCensus(open.store.hashes()) };
          }
          return open.census.value;
        },
        EMPTY_CENSUS,
      );
    },
  };
}
