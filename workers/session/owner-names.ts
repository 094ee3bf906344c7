/**
 * Names for the uids and gids of listings: AuthUserFile and AuthGroupFile of the virtual host first, then the system's
 * files. Read-only, cached per worker thread; a file this thread may not read simply gives no names.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Account } from '../../src/actor/messages.ts';
import {
  filterGroupEntries,
  filterPasswordEntries,
  parseGroupFile,
  parsePasswordFile,
} from '../../src/config/account-files.ts';
import type { PasswordFileFilter, ServerConfig, VirtualHost } from '../../src/config/server-config.ts';
import { withRootCredentials } from '../../src/util/thread-credentials.ts';
import type { OwnerNames } from '../vfs/types.ts';

/** OwnerNames and what `~user` in DefaultRoot or `<Directory>` needs. */
export interface AccountNames extends OwnerNames {
  /** Home directory of a user of the password files; null for unknown names. */
  homeOf(userName: string): string | null;
}

export interface NameFiles {
  readonly passwd: string;
  readonly group: string;
}

const SYSTEM_NAME_FILES: NameFiles = { passwd: '/etc/passwd', group: '/etc/group' };

interface NamedId {
  readonly name: string;
  readonly id: number;
  readonly home: string;
}

/** One file's names both ways; the first entry of a name or id counts. */
interface NameTable {
  readonly stamp: string;
  checkedAt: number;
  readonly byId: ReadonlyMap<number, NamedId>;
  readonly byName: ReadonlyMap<string, NamedId>;
}

/** A listing asks once per entry; files are looked at again after this long. */
const CHECK_INTERVAL_MS = 1000;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_TABLES = 256;

/** All sessions of this thread share the tables. */
const tables = new Map<string, NameTable>();

/**
 * @param virtualHost whose AuthUserFile and AuthGroupFile name the owners
 * @param account the session's own account: the only source of names for users of the embedded store
 * @param systemFiles tests put others in their place
 */
export function createOwnerNames(
  _config: ServerConfig,
  virtualHost: VirtualHost,
  account: Account | null = null,
  systemFiles: NameFiles = SYSTEM_NAME_FILES,
): AccountNames {
  const userFiles = [...(virtualHost.settings.authUserFile ?? []), { path: systemFiles.passwd }];
  const groupFiles = [...(virtualHost.settings.authGroupFile ?? []), { path: systemFiles.group }];

  const find = (
    kind: 'user' | 'group',
    pick: (table: NameTable) => NamedId | undefined,
  ): NamedId | undefined => {
    for (const file of kind === 'user' ? userFiles : groupFiles) {
      const found = pick(tableOf(kind, file));
      if (found !== undefined) return found;
    }
    return undefined;
  };

  return {
    userName(uid) {
      if (account !== null && uid === account.uid) return account.user;
      return find('user', (table) => table.byId.get(uid))?.name ?? String(uid);
    },
    groupName(gid) {
      if (account !== null && gid === account.gid) return account.groupName;
      return find('group', (table) => table.byId.get(gid))?.name ?? String(gid);
    },
    uidOf(name) {
      if (account !== null && name === account.user) return account.uid;
      return find('user', (table) => table.byName.get(name))?.id ?? null;
    },
    gidOf(name) {
      if (account !== null && name === account.groupName) return account.gid;
      return find('group', (table) => table.byName.get(name))?.id ?? null;
    },
    homeOf(name) {
      if (account !== null && name === account.user) return account.home;
      return find('user', (table) => table.byName.get(name))?.home ?? null;
    },
  };
}

function tableOf(kind: 'user' | 'group', file: PasswordFileFilter): NameTable {
  const key = [
    kind,
    file.path,
    JSON.stringify(file.ids ?? null),
    filterText(file.home),
    filterText(file.name),
  ].join('\0');
  const now = Date.now();
  const cached = tables.get(key);
  if (cached !== undefined && now - cached.checkedAt < CHECK_INTERVAL_MS) return cached;
  const { stamp, text } = readIfChanged(file.path, cached?.stamp ?? null);
  if (cached !== undefined && text === null && stamp === cached.stamp) {
    cached.checkedAt = now;
    return cached;
  }
  const entries = text === null ? [] : parseNames(kind, text, file);
  const table = buildTable(stamp, now, entries);
  if (tables.size >= MAX_TABLES) tables.clear();
  tables.set(key, table);
  return table;
}

/** `text` is null when the file is as it was, or cannot be read. */
function readIfChanged(path: string, knownStamp: string | null): { stamp: string; text: string | null } {
  try {
    return withRootCredentials(() => {
      const stats = statSync(path, { bigint: true });
      const stamp = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
      if (stamp === knownStamp || stats.size > MAX_FILE_BYTES) return { stamp, text: null };
      return { stamp, text: readFileSync(path, 'utf8') };
    });
  } catch (error) {
    // Names are a convenience: without them a listing shows numbers.
    return { stamp: (error as NodeJS.ErrnoException).code ?? 'unreadable', text: null };
  }
}

function parseNames(kind: 'user' | 'group', text: string, file: PasswordFileFilter): NamedId[] {
  if (kind === 'user') {
    return filterPasswordEntries(parsePasswordFile(text).entries, file).map((entry) => ({
      name: entry.name,
      id: entry.uid,
      home: entry.home,
    }));
  }
  return filterGroupEntries(parseGroupFile(text).entries, file).map((entry) => ({
    name: entry.name,
    id: entry.gid,
    home: '/',
  }));
}

function buildTable(stamp: string, checkedAt: number, entries: readonly NamedId[]): NameTable {
  const byId = new Map<number, NamedId>();
  const byName = new Map<string, NamedId>();
  for (const entry of entries) {
    if (!byId.has(entry.id)) byId.set(entry.id, entry);
    if (!byName.has(entry.name)) byName.set(entry.name, entry);
  }
  return { stamp, checkedAt, byId, byName };
}

function filterText(filter: PasswordFileFilter['home']): string {
  return filter === undefined
    ? ''
    : `${filter.negate ? '!' : ''}${filter.pattern.source}/${filter.pattern.flags}`;
}
