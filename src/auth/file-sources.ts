/** mod_auth_file (AuthUserFile, AuthGroupFile) and mod_auth_unix (/etc/passwd, /etc/shadow, /etc/group) as sources. */
import { dirname } from 'node:path';
import {
  filterGroupEntries,
  filterPasswordEntries,
  insecureAccountFile,
  parseGroupFile,
  parsePasswordFile,
  parseShadowFile,
} from '../config/account-files.ts';
import type { GroupEntry, LineProblem, PasswordEntry, ShadowEntry } from '../config/account-files.ts';
import type { PasswordFileFilter, Settings } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import type { AccountFileCache, FileKind } from './account-file-cache.ts';
import type { AccountSource, AccountState, SourceAccount, SourceGroup } from './account-source.ts';
import { EMPTY_CENSUS, mergeCensuses, takeCensus } from './hash-census.ts';
import type { HashCensus } from './hash-census.ts';

type Log = (level: LogLevel, text: string) => void;

/** The system's account files; tests put others in their place. */
export interface SystemFiles {
  readonly passwd: string;
  readonly shadow: string;
  readonly group: string;
  readonly shells: string;
  readonly ftpUsers: string;
}

export const SYSTEM_FILES: SystemFiles = {
  passwd: '/etc/passwd',
  shadow: '/etc/shadow',
  group: '/etc/group',
  shells: '/etc/shells',
  ftpUsers: '/etc/ftpusers',
};

interface UserTable {
  readonly byName: ReadonlyMap<string, readonly PasswordEntry[]>;
  readonly census: HashCensus;
}

interface GroupTable {
  readonly entries: readonly GroupEntry[];
  readonly byMember: ReadonlyMap<string, readonly GroupEntry[]>;
}

const NO_USERS: UserTable = { byName: new Map(), census: EMPTY_CENSUS };
const NO_GROUPS: GroupTable = { entries: [], byMember: new Map() };
const NO_SHADOW: ReadonlyMap<string, ShadowEntry> = new Map();

/** AuthUserFile and AuthGroupFile of one virtual host. */
export function createAuthFileSource(settings: Settings, cache: AccountFileCache, log: Log): AccountSource {
  const options = settings.authFileOptions;
  // Virtual hosts may differ in AuthFileOptions for the same file: then they do not share its verdict.
  const variant = options.join(' ').toLowerCase();
  const userKind = userFileKind('AuthUserFile', variant, log, (path, stamp) =>
    securePermissions('AuthUserFile', path, stamp, cache, options),
  );
  const groupKind = groupFileKind('AuthGroupFile', variant, log, (path, stamp) =>
    securePermissions('AuthGroupFile', path, stamp, cache, options),
  );
  return {
    module: 'mod_auth_file',
    credentials: null,
    find(name) {
      for (const file of settings.authUserFile) {
        const table = cache.load(file.path, userKind);
        // Filters hide entries; the file itself is cached once, whatever the filters.
        const entry = filterPasswordEntries(table.byName.get(name) ?? [], file)[0];
        if (entry !== undefined) return { ...entry, state: 'usable' };
      }
      return null;
    },
    ...groupLookups(settings.authGroupFile, (path) => cache.load(path, groupKind)),
    census() {
      const tables = settings.authUserFile.map((file) => cache.load(file.path, userKind));
      return mergeCensuses(tables.map((table) => table.census));
    },
  };
}

/** The system's own accounts. */
export function createUnixSource(files: SystemFiles, cache: AccountFileCache, log: Log): AccountSource {
  const trusted = (): null => null;
  const userKind = userFileKind('system password file', '', log, trusted);
  const groupKind = groupFileKind('system group file', '', log, trusted);
  const shadowKind = shadowFileKind(log);
  const groupFiles = [{ path: files.group }];
  return {
    module: 'mod_auth_unix',
    credentials: null,
    find(name) {
      const entry = cache.load(files.passwd, userKind).byName.get(name)?.[0];
      if (entry === undefined) return null;
      // `x` says the hash stands in the shadow file; without an entry there the account stays locked.
      const shadow =
        entry.hash.reveal() === 'x' ? cache.load(files.shadow, shadowKind).entries.get(name) : undefined;
      if (shadow === undefined) return { ...entry, state: 'usable' };
      return { ...entry, hash: shadow.hash, state: shadowState(shadow) } satisfies SourceAccount;
    },
    ...groupLookups(groupFiles, (path) => cache.load(path, groupKind)),
    census() {
      const passwd = cache.load(files.passwd, userKind);
      const shadow = cache.load(files.shadow, shadowKind);
      return mergeCensuses([shadow.census, passwd.census]);
    },
  };
}

/** shadow(5): days since 1970-01-01; a last change on day 0 asks for a new password, which FTP cannot set. */
function shadowState(entry: ShadowEntry): AccountState {
  const today = Math.floor(Date.now() / 86_400_000);
  if (entry.expires !== null && today >= entry.expires) return 'disabled';
  if (entry.lastChange === 0) return 'password-expired';
  if (entry.lastChange !== null && entry.maxDays !== null && today > entry.lastChange + entry.maxDays) {
    return 'password-expired';
  }
  return 'usable';
}

function groupLookups(
  files: readonly PasswordFileFilter[],
  load: (path: string) => GroupTable,
): Pick<AccountSource, 'groupsOf' | 'groupByName' | 'groupById'> {
  const search = (matches: (entry: GroupEntry) => boolean): SourceGroup | null => {
    for (const file of files) {
      const entry = filterGroupEntries(load(file.path).entries, file).find(matches);
      if (entry !== undefined) return { name: entry.name, gid: entry.gid };
    }
    return null;
  };
  return {
    groupsOf(user) {
      const groups: SourceGroup[] = [];
      for (const file of files) {
        const table = load(file.path);
        for (const entry of filterGroupEntries(table.byMember.get(user) ?? [], file)) {
          groups.push({ name: entry.name, gid: entry.gid });
        }
      }
      return groups;
    },
    groupByName: (name) => search((entry) => entry.name === name),
    groupById: (gid) => search((entry) => entry.gid === gid),
  };
}

function userFileKind(
  label: string,
  variant: string,
  log: Log,
  refuse: FileKind<UserTable>['refuse'],
): FileKind<UserTable> {
  return {
    variant,
    empty: NO_USERS,
    optional: false,
    label,
    refuse,
    parse(text, path) {
      const parsed = parsePasswordFile(text);
      reportProblems(label, path, parsed.problems, log);
      const byName = Map.groupBy(parsed.entries, (entry) => entry.name);
      return { byName, census: takeCensus(parsed.entries.map((entry) => entry.hash)) };
    },
  };
}

function groupFileKind(
  label: string,
  variant: string,
  log: Log,
  refuse: FileKind<GroupTable>['refuse'],
): FileKind<GroupTable> {
  return {
    variant,
    empty: NO_GROUPS,
    optional: label !== 'AuthGroupFile',
    label,
    refuse,
    parse(text, path) {
      const { entries, problems } = parseGroupFile(text);
      reportProblems(label, path, problems, log);
      const byMember = new Map<string, GroupEntry[]>();
      for (const entry of entries) {
        for (const member of new Set(entry.members)) {
          const groups = byMember.get(member);
          if (groups === undefined) byMember.set(member, [entry]);
          else groups.push(entry);
        }
      }
      return { entries, byMember };
    },
  };
}

interface ShadowTable {
  readonly entries: ReadonlyMap<string, ShadowEntry>;
  readonly census: HashCensus;
}

function shadowFileKind(log: Log): FileKind<ShadowTable> {
  const label = 'system shadow file';
  return {
    empty: { entries: NO_SHADOW, census: EMPTY_CENSUS },
    optional: true,
    label,
    variant: '',
    refuse: () => null,
    parse(text, path) {
      const parsed = parseShadowFile(text);
      reportProblems(label, path, parsed.problems, log);
      const entries = new Map<string, ShadowEntry>();
      for (const entry of parsed.entries) if (!entries.has(entry.name)) entries.set(entry.name, entry);
      return { entries, census: takeCensus(parsed.entries.map((entry) => entry.hash)) };
    },
  };
}

const MAX_REPORTED_PROBLEMS = 10;

function reportProblems(label: string, path: string, problems: readonly LineProblem[], log: Log): void {
  for (const problem of problems.slice(0, MAX_REPORTED_PROBLEMS)) {
    log('warn', `${label} '${path}': line ${problem.line} ignored: ${problem.reason}`);
  }
  const more = problems.length - MAX_REPORTED_PROBLEMS;
  if (more > 0) log('warn', `${label} '${path}': ${more} more lines ignored`);
}

function securePermissions(
  directive: 'AuthUserFile' | 'AuthGroupFile',
  path: string,
  file: { readonly mode: number },
  cache: AccountFileCache,
  options: readonly string[],
): string | null {
  const directory = cache.stamp(dirname(path));
  return insecureAccountFile(
    directive,
    path,
    { fileMode: file.mode, directoryMode: directory.mode },
    options,
  );
}
