/**
 * The embedded user store: one SQLite file (node:sqlite) of mode 0600. The command line writes it, the server only
 * reads it; write-ahead logging keeps the two out of each other's way, and an edit acts at the next login.
 */
import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { SQLOutputValue } from 'node:sqlite';
import { Secret } from '../log/secret.ts';
import { createStoredCredentials, CREDENTIALS_MIGRATION } from './user-store-credentials.ts';
import type { StoredCredentials } from './user-store-credentials.ts';

/** File name inside the state folder. */
export const USER_STORE_FILE = 'users.sqlite';

/** Grows with every change of the tables; `migrations[n]` leads from version n to n + 1. */
const SCHEMA_VERSION = 2;
const MIGRATIONS = [
  `CREATE TABLE users (
     name TEXT NOT NULL PRIMARY KEY,
     hash TEXT NOT NULL,
     uid INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967294),
     gid INTEGER NOT NULL CHECK (gid BETWEEN 0 AND 4294967294),
     home TEXT NOT NULL,
     shell TEXT NOT NULL,
     enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
     created TEXT NOT NULL,
     password_changed TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE memberships (
     user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
     group_name TEXT NOT NULL,
     PRIMARY KEY (user, group_name)
   ) STRICT, WITHOUT ROWID;`,
  CREDENTIALS_MIGRATION,
];
/** Readers take older stores too: a server that was upgraded must not lock everybody out. */
const OLDEST_READABLE_VERSION = 1;

/** How long one statement may wait for another process's write lock. */
const BUSY_TIMEOUT_MS = 2000;
/** The server reads on the main thread and must not stand still. */
const READ_BUSY_TIMEOUT_MS = 100;

export interface StoredUser {
  readonly name: string;
  readonly hash: Secret;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly string[];
  /** Absolute path. */
  readonly home: string;
  readonly shell: string;
  readonly enabled: boolean;
  /** ISO 8601, UTC. */
  readonly created: string;
}

export type NewUser = Omit<StoredUser, 'created' | 'enabled'>;

/** The store cannot be used, or refuses an edit. The message is for the operator and holds no secret. */
export class UserStoreError extends Error {
  readonly code: 'exists' | 'not-found' | 'invalid' | 'unusable';

  constructor(code: UserStoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UserStoreError';
    this.code = code;
  }
}

export interface UserStore {
  readonly path: string;
  find(name: string): StoredUser | null;
  /** By name. */
  list(): StoredUser[];
  /** Throws UserStoreError `exists` or `invalid`. */
  add(user: NewUser): void;
  /** Throws UserStoreError `not-found`. */
  setHash(name: string, hash: Secret): void;
  /** Throws UserStoreError `not-found`. */
  remove(name: string): void;
  /** Public keys and one-time codes. */
  readonly credentials: StoredCredentials;
  /** Changes whenever another connection wrote. */
  dataVersion(): number;
  hashes(): Secret[];
  close(): void;
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}$/;

/**
 * A user or group name of the store: letters, digits and `_ . @ + -`, at most 128, not starting with `-` or `.`. So a
 * name is safe in a path, a log line and a listing.
 */
export function isStoreName(name: string): boolean {
  return NAME.test(name);
}

export interface OpenOptions {
  readonly readOnly?: boolean;
  /** How long one statement may wait for another process's write lock, in milliseconds. */
  readonly lockTimeoutMs?: number;
}

/**
 * Opens the store; a writer creates file and tables where they are missing.
 * @throws UserStoreError `unusable` when the file is missing (readers), damaged, or of a later version
 */
export function openUserStore(path: string, options: OpenOptions = {}): UserStore {
  const readOnly = options.readOnly ?? false;
  const lockTimeoutMs = options.lockTimeoutMs ?? (readOnly ? READ_BUSY_TIMEOUT_MS : BUSY_TIMEOUT_MS);
  try {
    if (!readOnly) createPrivateFile(path);
    const database = new DatabaseSync(path, {
      readOnly,
      timeout: lockTimeoutMs,
      enableForeignKeyConstraints: true,
    });
    try {
      prepareSchema(database, path, readOnly);
      return createStore(database, path);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    if (error instanceof UserStoreError) throw error;
    throw new UserStoreError('unusable', `unable to use user store '${path}': ${reason(error)}`, {
      cause: error,
    });
  }
}

/** Created with mode 0600 before SQLite sees it, so that no moment exists in which others can read hashes. */
function createPrivateFile(path: string): void {
  closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
  chmodSync(path, 0o600);
}

function prepareSchema(database: DatabaseSync, path: string, readOnly: boolean): void {
  const version = integer(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > SCHEMA_VERSION) {
    throw new UserStoreError('unusable', `unable to use user store '${path}': written by a later version`);
  }
  if (readOnly) {
    if (version < OLDEST_READABLE_VERSION) {
      throw new UserStoreError('unusable', `unable to use user store '${path}': not yet set up`);
    }
    return;
  }
  // What is deleted is a hash or a secret: it is overwritten.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;');
  if (version === SCHEMA_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been faster; the version read under the lock counts.
    const current = integer(database.prepare('PRAGMA user_version').get()?.['user_version']);
    for (const migration of MIGRATIONS.slice(current)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function createStore(database: DatabaseSync, path: string): UserStore {
  const select = database.prepare('SELECT * FROM users WHERE name = ?');
  const selectAll = database.prepare('SELECT * FROM users ORDER BY name');
  const selectGroups = database.prepare(
    'SELECT group_name FROM memberships WHERE user = ? ORDER BY group_name',
  );
  const selectHashes = database.prepare('SELECT hash FROM users');
  const selectVersion = database.prepare('PRAGMA data_version');

  const toUser = (row: Record<string, SQLOutputValue>): StoredUser => ({
    name: text(row['name']),
    hash: new Secret(text(row['hash'])),
    uid: integer(row['uid']),
    gid: integer(row['gid']),
    groups: selectGroups.all(text(row['name'])).map((group) => text(group['group_name'])),
    home: text(row['home']),
    shell: text(row['shell']),
    enabled: integer(row['enabled']) === 1,
    created: text(row['created']),
  });

  return {
    path,
    credentials: createStoredCredentials(database),
    find(name) {
      const row = select.get(name);
      return row === undefined ? null : toUser(row);
    },
    list: () => selectAll.all().map(toUser),
    add: (user) => insertUser(database, user),
    setHash(name, hash) {
      const update = database.prepare('UPDATE users SET hash = ?, password_changed = ? WHERE name = ?');
      const result = update.run(hash.reveal(), new Date().toISOString(), name);
      if (Number(result.changes) === 0)
        throw new UserStoreError('not-found', `no user '${name}' in the store`);
    },
    remove(name) {
      const result = database.prepare('DELETE FROM users WHERE name = ?').run(name);
      if (Number(result.changes) === 0)
        throw new UserStoreError('not-found', `no user '${name}' in the store`);
    },
    dataVersion: () => integer(selectVersion.get()?.['data_version']),
    hashes: () => selectHashes.all().map((row) => new Secret(text(row['hash']))),
    close: () => database.close(),
  };
}

function insertUser(database: DatabaseSync, user: NewUser): void {
  if (!isStoreName(user.name)) throw new UserStoreError('invalid', 'invalid user name');
  if (!user.groups.every(isStoreName)) throw new UserStoreError('invalid', 'invalid group name');
  if (!user.home.startsWith('/') || /[\x00-\x1f\x7f]/.test(user.home)) {
    throw new UserStoreError('invalid', 'the home directory must be an absolute path');
  }
  const now = new Date().toISOString();
  database.exec('BEGIN IMMEDIATE');
  try {
    if (database.prepare('SELECT 1 FROM users WHERE name = ?').get(user.name) !== undefined) {
      throw new UserStoreError('exists', `user '${user.name}' exists already`);
    }
    database
      .prepare(
        'INSERT INTO users (name, hash, uid, gid, home, shell, created, password_changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(user.name, user.hash.reveal(), user.uid, user.gid, user.home, user.shell, now, now);
    const join = database.prepare('INSERT INTO memberships (user, group_name) VALUES (?, ?)');
    for (const group of new Set(user.groups)) join.run(user.name, group);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new UserStoreError('unusable', 'the user store is damaged');
  return value;
}

function integer(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new UserStoreError('unusable', 'the user store is damaged');
  return value;
}

/** SQLite's own words; they name the trouble, never a value. */
function reason(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
