/**
 * passwd(5), group(5) and shadow(5) texts to values. Pure: no file is opened here, so both main (logins) and the
 * session actors (names in listings) use it. A line that is not well formed is left out and named in `problems`,
 * never guessed at: an unreadable id must not become 0.
 */
import { Secret } from '../log/secret.ts';
import type { Filter, PasswordFileFilter } from './server-config.ts';

export interface PasswordEntry {
  readonly name: string;
  readonly hash: Secret;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Day numbers count from 1970-01-01; null: the field is empty, so the rule does not exist. */
export interface ShadowEntry {
  readonly name: string;
  readonly hash: Secret;
  readonly lastChange: number | null;
  readonly maxDays: number | null;
  readonly expires: number | null;
}

/** One line that was not used; `reason` never quotes the line, which may hold a hash. */
export interface LineProblem {
  readonly line: number;
  readonly reason: string;
}

export interface ParsedFile<T> {
  /** In file order; the first of several entries of one name counts. */
  readonly entries: readonly T[];
  readonly problems: readonly LineProblem[];
}

/** The largest id the kernel knows; 4294967295 means "unchanged" to chown and setuid. */
const MAX_ID = 4_294_967_294;
const MAX_LINE = 65_536;
/** Compatibility entries of NIS: `+`, `-name`, `+@netgroup`. */
const NIS_ENTRY = /^[+-]/;

/** `name:hash:uid:gid:gecos:home:shell` */
export function parsePasswordFile(text: string): ParsedFile<PasswordEntry> {
  return parseLines(text, (fields) => {
    if (fields.length !== 7) return 'expected 7 fields';
    const [name = '', hash = '', uidText = '', gidText = '', , home = '', shell = ''] = fields;
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (!isName(name)) return 'missing or invalid user name';
    if (uid === null) return 'invalid uid';
    if (gid === null) return 'invalid gid';
    if (home !== '' && !home.startsWith('/')) return 'home is not an absolute path';
    return { name, hash: new Secret(hash), uid, gid, home: home === '' ? '/' : home, shell };
  });
}

/** `name:x:gid:member,member` */
export function parseGroupFile(text: string): ParsedFile<GroupEntry> {
  return parseLines(text, (fields) => {
    if (fields.length !== 4) return 'expected 4 fields';
    const [name = '', , gidText = '', members = ''] = fields;
    const gid = parseId(gidText);
    if (!isName(name)) return 'missing or invalid group name';
    if (gid === null) return 'invalid gid';
    const names = members.split(',').map((member) => member.trim());
    return { name, gid, members: names.filter((member) => member !== '') };
  });
}

/** `name:hash:lastchange:min:max:warn:inactive:expire:flag` */
export function parseShadowFile(text: string): ParsedFile<ShadowEntry> {
  return parseLines(text, (fields) => {
    if (fields.length < 8) return 'expected 9 fields';
    const [name = '', hash = '', lastChange = '', , max = '', , , expires = ''] = fields;
    if (!isName(name)) return 'missing or invalid user name';
    return {
      name,
      hash: new Secret(hash),
      lastChange: parseDays(lastChange),
      maxDays: parseDays(max),
      expires: parseDays(expires),
    };
  });
}

/** Drops the entries an `AuthUserFile path [id min-max] [home regex] [name regex]` hides. */
export function filterPasswordEntries(
  entries: readonly PasswordEntry[],
  filter: PasswordFileFilter,
): readonly PasswordEntry[] {
  return entries.filter(
    (entry) =>
      withinIds(entry.uid, filter.ids) && passes(entry.home, filter.home) && passes(entry.name, filter.name),
  );
}

/** Drops the entries an `AuthGroupFile path [id min-max] [name regex]` hides. */
export function filterGroupEntries(
  entries: readonly GroupEntry[],
  filter: PasswordFileFilter,
): readonly GroupEntry[] {
  return entries.filter((entry) => withinIds(entry.gid, filter.ids) && passes(entry.name, filter.name));
}

/** One shell or user name a line, as in /etc/shells and /etc/ftpusers; `#` starts a comment. */
export function parseNameList(text: string): ReadonlySet<string> {
  const names = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return new Set(names.filter((name) => name !== ''));
}

/** The permission bits of an account file and its directory that matter. */
export interface AccountFileMode {
  readonly fileMode: number;
  readonly directoryMode: number;
}

/**
 * Why an account file may not be used, in the words the server log prints, or null.
 * AuthFileOptions InsecurePerms switches the check off.
 */
export function insecureAccountFile(
  directive: 'AuthUserFile' | 'AuthGroupFile',
  path: string,
  mode: AccountFileMode,
  authFileOptions: readonly string[],
): string | null {
  if (authFileOptions.some((option) => option.toLowerCase() === 'insecureperms')) return null;
  // Group files hold no secrets; anybody may read them.
  if (directive === 'AuthUserFile' && (mode.fileMode & 0o004) !== 0) {
    return `unable to use world-readable AuthUserFile '${path}'`;
  }
  if ((mode.fileMode & 0o002) !== 0) return `unable to use world-writable ${directive} '${path}'`;
  // A sticky directory (/tmp) keeps others from replacing the file.
  if ((mode.directoryMode & 0o1002) === 0o002) {
    return `unable to use ${directive} '${path}' from world-writable directory`;
  }
  return null;
}

function parseLines<T>(text: string, parse: (fields: string[]) => T | string): ParsedFile<T> {
  const entries: T[] = [];
  const problems: LineProblem[] = [];
  let number = 0;
  for (const raw of text.split('\n')) {
    number++;
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line.trim() === '' || line.startsWith('#') || NIS_ENTRY.test(line)) continue;
    const result = line.length > MAX_LINE ? 'line too long' : parse(line.split(':'));
    if (typeof result === 'string') problems.push({ line: number, reason: result });
    else entries.push(result);
  }
  return { entries, problems };
}

/** Decimal digits only: `0x0`, ` 0`, `-1` and the empty text are not ids. */
function parseId(text: string): number | null {
  if (!/^[0-9]{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

function parseDays(text: string): number | null {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}

function isName(name: string): boolean {
  return name !== '' && name.length <= 256 && !/[\x00-\x1f\x7f/]/.test(name);
}

function withinIds(id: number, range: PasswordFileFilter['ids']): boolean {
  return range === undefined || (id >= range.min && id <= range.max);
}

function passes(text: string, filter: Filter | undefined): boolean {
  return filter === undefined || filter.pattern.test(text) !== filter.negate;
}
