/**
 * Names for uid and gid in listings, and the way back for UserOwner, GroupOwner and SITE CHGRP: the account's own,
 * then the AuthUserFile and AuthGroupFile of the server, then the system's files.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Account } from '../../src/actor/messages.ts';
import { parseGroupFile, parsePasswordFile } from '../../src/config/account-files.ts';
import type { Settings } from '../../src/config/server-config.ts';
import { withRootCredentials } from '../../src/util/thread-credentials.ts';
import type { OwnerNames } from './types.ts';

const SYSTEM_USERS = '/etc/passwd';
const SYSTEM_GROUPS = '/etc/group';
/** How long a file is taken to be what it was: an `ls` of 10,000 entries must not look at it 10,000 times. */
const TRUSTED_MS = 5_000;
/** Larger account files are not read for names; listings then show numbers. */
const FILE_LIMIT = 16 * 1024 * 1024;
const CACHE_LIMIT = 64;

interface NameTable {
  readonly byId: ReadonlyMap<number, string>;
  readonly byName: ReadonlyMap<string, number>;
}

interface CachedTable {
  readonly table: NameTable;
  /** Modification time and size the table was read at. */
  readonly version: string;
  checkedAt: number;
}

const EMPTY: NameTable = { byId: new Map(), byName: new Map() };

/** Shared by all sessions of this thread. */
const cache = new Map<string, CachedTable>();

/** Names as `settings` and `account` have them; files are read when a name is asked for, and cached per thread. */
export function createOwnerNames(settings: Settings, account: Account): OwnerNames {
  const users = [...settings.authUserFile.map((file) => file.path), SYSTEM_USERS];
  const groups = [...settings.authGroupFile.map((file) => file.path), SYSTEM_GROUPS];
  return {
    userName: (uid) => (uid === account.uid ? account.user : nameIn(users, 'users', uid)),
    groupName: (gid) => (gid === account.gid ? account.groupName : nameIn(groups, 'groups', gid)),
    uidOf: (name) => (name === account.user ? account.uid : idIn(users, 'users', name)),
    gidOf: (name) => (name === account.groupName ? account.gid : idIn(groups, 'groups', name)),
  };
}

function nameIn(paths: readonly string[], kind: 'users' | 'groups', id: number): string {
  for (const path of paths) {
    const name = tableOf(path, kind).byId.get(id);
    if (name !== undefined) return name;
  }
  return String(id);
}

function idIn(paths: readonly string[], kind: 'users' | 'groups', name: string): number | null {
  for (const path of paths) {
    const id = tableOf(path, kind).byName.get(name);
    if (id !== undefined) return id;
  }
  return null;
}

function tableOf(path: string, kind: 'users' | 'groups'): NameTable {
  const key = `${kind}:${path}`;
  const known = cache.get(key);
  const now = Date.now();
  if (known !== undefined && now - known.checkedAt < TRUSTED_MS) return known.table;
  const read = withRootCredentials(() => readTable(path, kind, known));
  cache.delete(key);
  cache.set(key, { ...read, checkedAt: now });
  if (cache.size > CACHE_LIMIT) cache.delete(cache.keys().next().value ?? key);
  return read.table;
}

function readTable(
  path: string,
  kind: 'users' | 'groups',
  known: CachedTable | undefined,
): Omit<CachedTable, 'checkedAt'> {
  try {
    const { mtimeMs, size } = statSync(path);
    const version = `${mtimeMs}/${size}`;
    if (known?.version === version) return known;
    if (size > FILE_LIMIT) return { table: EMPTY, version };
    const text = readFileSync(path, 'utf8');
    const table =
      kind === 'users'
        ? tableFrom(parsePasswordFile(text).entries.map(({ name, uid }) => [name, uid]))
        : tableFrom(parseGroupFile(text).entries.map(({ name, gid }) => [name, gid]));
    return { table, version };
  } catch (error) {
    // An unreadable file costs names in listings and nothing else: the numbers are shown.
    if (error instanceof Error && 'code' in error) return { table: EMPTY, version: '' };
    throw error;
  }
}

/** The first entry of a name or number counts, as with getpwnam(3). */
function tableFrom(entries: readonly (readonly [name: string, id: number])[]): NameTable {
  const byId = new Map<number, string>();
  const byName = new Map<string, number>();
  for (const [name, id] of entries) {
    if (!byId.has(id)) byId.set(id, name);
    if (!byName.has(name)) byName.set(name, id);
  }
  return { byId, byName };
}
