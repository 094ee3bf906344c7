/** The text of LIST, NLST and STAT: pieces of CRLF lines, made as they are asked for, with bounded work and memory. */
import type { ListOptions, Settings } from '../../src/config/server-config.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { DirectoryCursor, DirectoryEntry, VirtualPath } from '../vfs/types.ts';
import { expandGlob, type GlobMatch } from '../vfs/glob-expansion.ts';
import { ListPresenter, type ListedLine } from './list-presenter.ts';
import type { FtpSession } from './session-types.ts';
import { isPattern } from '../vfs/glob.ts';
import type { ListFlags } from './wire/list-options.ts';

/** Entries read from the disk in one go. */
const BATCH = 256;
/** Lines sorted in memory, and in one go (some 0.1 s); a larger directory comes as sorted runs of this length. */
const MAX_SORTED = 50_000;
const MAX_DEPTH = 64;
const MAX_DIRECTORIES = 100_000;
const COLUMNS_WIDTH = 80;

export type ListingResult =
  | { readonly kind: 'listed' }
  /** The argument named nothing that can be listed; `pattern` when it was one. */
  | { readonly kind: 'absent'; readonly error: FsError; readonly pattern: boolean };

export interface ListingRequest {
  readonly verb: 'LIST' | 'NLST' | 'STAT';
  readonly flags: ListFlags;
  /** The client's path or pattern; empty: the current directory. */
  readonly path: string;
  readonly settings: Settings;
}

const LISTED: ListingResult = { kind: 'listed' };

/** What is to be listed, looked up before or after 150 as the verb has it. */
export type ListingTargets =
  | { readonly kind: 'targets'; readonly matches: readonly GlobMatch[] }
  | { readonly kind: 'absent'; readonly error: FsError; readonly pattern: boolean };

/** Finds the path, or all matches of a pattern; a name that exists is itself, whatever characters it has. */
export function* findTargets(
  session: FtpSession,
  request: ListingRequest,
): Generator<string, ListingTargets> {
  const shown = request.path === '' ? '.' : request.path;
  try {
    const path = session.vfs.resolve(shown);
    return { kind: 'targets', matches: [{ shown, path, entry: session.vfs.entry(path, request.verb) }] };
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    if (!request.settings.useGlobbing || !isPattern(shown)) return { kind: 'absent', error, pattern: false };
  }
  const dotFiles = request.flags.dotFiles !== 'hidden';
  const matches = yield* expandGlob(session, shown, request.verb, dotFiles);
  if (matches.length > 0) return { kind: 'targets', matches };
  return { kind: 'absent', error: new FsError('not-found', { errno: 'ENOENT' }), pattern: true };
}

/** Target lookup and listing in one, for LIST and STAT. */
export function* listing(session: FtpSession, request: ListingRequest): Generator<string, ListingResult> {
  const targets = yield* findTargets(session, request);
  if (targets.kind === 'absent') return targets;
  return yield* listTargets(session, request, targets.matches);
}

/** Files first, as ls does, then directories, with a header each when there are several. */
export function* listTargets(
  session: FtpSession,
  request: ListingRequest,
  matches: readonly GlobMatch[],
): Generator<string, ListingResult> {
  const writer = new ListingWriter(session, request);
  const directories: GlobMatch[] = [];
  if (!request.flags.directoryItself) {
    for (const [index, match] of matches.entries()) {
      if (isDirectory(session, match)) directories.push(match);
      if (index % BATCH === BATCH - 1) yield '';
    }
  }
  const listsDirectory = new Set(directories);
  yield* writer.plainEntries(matches.filter((match) => !listsDirectory.has(match)));
  for (const match of directories) {
    const header = matches.length > 1 || request.flags.recursive ? match.shown : null;
    try {
      yield* writer.directory(match, header, 0, []);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // The only target: its error is the command's. One of several: the others still count.
      if (matches.length === 1) return { kind: 'absent', error, pattern: false };
    }
    if (writer.isFull) break;
  }
  return LISTED;
}

/** A link to a directory lists that directory, as `ls -l link/` would; otherwise LIST on it would show nothing new. */
function isDirectory(session: FtpSession, match: GlobMatch): boolean {
  if (match.entry.stats.isDirectory()) return true;
  if (match.entry.linkTarget === null) return false;
  try {
    return session.vfs.stat(match.path, 'LIST').isDirectory();
  } catch (error) {
    if (error instanceof FsError) return false;
    throw error;
  }
}

class ListingWriter {
  readonly #session: FtpSession;
  readonly #request: ListingRequest;
  readonly #limits: Pick<ListOptions, 'maxFiles' | 'maxDirectories' | 'maxDepth'>;
  readonly #presenter: ListPresenter;
  #files = 0;
  #directories = 0;
  /** Directories of -R that were seen and not listed yet, on all levels together: they are kept in memory. */
  #waiting = 0;
  #wroteAny = false;

  constructor(session: FtpSession, request: ListingRequest) {
    this.#session = session;
    this.#request = request;
    this.#limits = listLimits(request.settings.listOptions, request.verb);
    this.#presenter = new ListPresenter(session, request.settings, request.flags);
  }

  /** ListOptions maxfiles is used up. */
  get isFull(): boolean {
    return this.#files >= this.#limits.maxFiles;
  }

  *plainEntries(matches: readonly GlobMatch[]): Generator<string, void> {
    const lines: ListedLine[] = [];
    for (const match of matches) {
      if (this.isFull) break;
      this.#files += 1;
      lines.push(this.#presenter.present(match.entry, match.shown, match.path));
      if (lines.length % BATCH === 0) yield '';
    }
    yield this.#sortedText(lines);
  }

  /** `header` null: no `name:` line. `ancestors` holds device:inode of the directories above, against loops. */
  *directory(
    place: { readonly shown: string; readonly path: VirtualPath },
    header: string | null,
    depth: number,
    ancestors: readonly string[],
  ): Generator<string, void> {
    const { flags, verb } = this.#request;
    this.#directories += 1;
    const cursor = this.#session.vfs.openDirectory(place.path, verb);
    const below: GlobMatch[] = [];
    try {
      if (header !== null) yield `${this.#wroteAny ? '\r\n' : ''}${header}:\r\n`;
      this.#wroteAny = true;
      yield* this.#entries(cursor, place, flags.recursive ? below : null);
    } finally {
      cursor.close();
    }
    if (!flags.recursive || depth + 1 >= this.#limits.maxDepth) return;
    below.sort((a, b) => (a.shown < b.shown ? -1 : 1));
    for (const next of below) {
      if (this.isFull || this.#directories >= this.#limits.maxDirectories) return;
      this.#waiting -= 1;
      const { dev, ino } = next.entry.stats;
      const identity = `${dev}:${ino}`;
      if (ancestors.includes(identity)) continue;
      try {
        yield* this.directory(next, next.shown, depth + 1, [...ancestors, identity]);
      } catch (error) {
        // A directory that may not be read has no entries to show; the rest of the tree has.
        if (!(error instanceof FsError)) throw error;
      }
    }
  }

  *#entries(
    cursor: DirectoryCursor,
    place: { readonly shown: string; readonly path: VirtualPath },
    below: GlobMatch[] | null,
  ): Generator<string, void> {
    const { flags } = this.#request;
    const streams = flags.sort === 'none' && flags.layout !== 'columns';
    let lines = this.#dotEntries(place.path);
    for (;;) {
      const batch = cursor.next(BATCH);
      for (const entry of batch) {
        if (flags.dotFiles === 'hidden' && entry.name.startsWith('.')) continue;
        if (this.isFull) break;
        this.#files += 1;
        const path = join(place.path, entry.name);
        lines.push(this.#presenter.present(entry, this.#shownName(place.shown, entry), path));
        if (below !== null && entry.stats.isDirectory() && this.#waiting < MAX_DIRECTORIES) {
          this.#waiting += 1;
          below.push({ shown: joinShown(place.shown, entry.name), path, entry });
        }
      }
      const last = cursor.ended || this.isFull;
      if (streams || last || lines.length >= MAX_SORTED) {
        yield streams ? plainText(lines) : this.#sortedText(lines);
        lines = [];
      } else {
        yield '';
      }
      if (last) return;
    }
  }

  /** NLST of a named directory gives names the client can use as they are (RFC 1123, section 4.1.2.7). */
  #shownName(directory: string, entry: DirectoryEntry): string {
    if (this.#request.verb !== 'NLST' || this.#request.path === '') return entry.name;
    return this.#request.flags.layout === 'long' ? entry.name : joinShown(directory, entry.name);
  }

  /** -a: `.` and `..` are no entries of the cursor. */
  #dotEntries(path: VirtualPath): ListedLine[] {
    if (this.#request.flags.dotFiles !== 'all') return [];
    const lines: ListedLine[] = [];
    for (const name of ['.', '..']) {
      const target = name === '.' ? path : parentOf(path);
      try {
        const entry = this.#session.vfs.entry(target, this.#request.verb);
        lines.push(this.#presenter.present({ ...entry, name }, name, target));
      } catch (error) {
        // A parent the session may not look at is left out.
        if (!(error instanceof FsError)) throw error;
      }
    }
    return lines;
  }

  #sortedText(lines: ListedLine[]): string {
    const { sort, reverse, layout } = this.#presenter.flags;
    if (sort === 'name') lines.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (sort === 'size' || sort === 'time') lines.sort((a, b) => b.key - a.key || (a.name < b.name ? -1 : 1));
    if (reverse) lines.reverse();
    return layout === 'columns' ? columnText(lines) : plainText(lines);
  }
}

function plainText(lines: readonly ListedLine[]): string {
  let text = '';
  for (const { line } of lines) text += `${line}\r\n`;
  return text;
}

/** -C: as many columns as fit into 80 characters, filled downwards. */
function columnText(lines: readonly ListedLine[]): string {
  let width = 1;
  for (const { name } of lines) width = Math.max(width, name.length + 2);
  const columns = Math.max(1, Math.floor(COLUMNS_WIDTH / width));
  const rows = Math.ceil(lines.length / columns);
  let text = '';
  for (let row = 0; row < rows; row += 1) {
    let line = '';
    for (let at = row; at < lines.length; at += rows) line += (lines[at]?.name ?? '').padEnd(width);
    text += `${line.trimEnd()}\r\n`;
  }
  return text;
}

/** LISTOnly and NLSTOnly say whose the directive is; 0 or absent means our own bounds. */
export function listLimits(
  options: ListOptions,
  verb: ListingRequest['verb'],
): Pick<ListOptions, 'maxFiles' | 'maxDirectories' | 'maxDepth'> {
  const applies = listOptionsApply(options, verb);
  const limit = (value: number, bound: number): number =>
    applies && value > 0 ? Math.min(value, bound) : bound;
  return {
    maxFiles: limit(options.maxFiles, Number.MAX_SAFE_INTEGER),
    maxDirectories: limit(options.maxDirectories, MAX_DIRECTORIES),
    maxDepth: limit(options.maxDepth, MAX_DEPTH),
  };
}

/** Whether the ListOptions directive speaks about this verb. */
export function listOptionsApply(options: ListOptions, verb: ListingRequest['verb']): boolean {
  if (options.listOnly) return verb === 'LIST';
  return options.nlstOnly ? verb === 'NLST' : true;
}

function join(directory: VirtualPath, name: string): VirtualPath {
  return (directory === '/' ? `/${name}` : `${directory}/${name}`) as VirtualPath;
}

function joinShown(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** `/` for the root and its children. */
export function parentOf(path: VirtualPath): VirtualPath {
  return (path.slice(0, path.lastIndexOf('/')) || '/') as VirtualPath;
}
