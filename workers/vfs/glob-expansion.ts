/** Wildcards in names that clients give (LIST, NLST, scp -f), matched against the file system with bounded work. */
import { FsError } from './fs-error.ts';
import type { DirectoryEntry, VirtualFileSystem, VirtualPath } from './types.ts';
import { compileGlob, expandBraces, isPattern, matchGlob } from './glob.ts';

/** Entries looked at by one expansion, whatever the pattern. */
const MAX_EXAMINED = 200_000;
const MAX_MATCHES = 100_000;
const MAX_SEGMENTS = 8;
const BATCH = 256;

/** Whose file system is searched. */
export interface GlobbingSession {
  readonly vfs: VirtualFileSystem;
}

export interface GlobMatch {
  /** As the client's pattern would name it: `pub/a.txt` for `pub/*.txt`. */
  readonly shown: string;
  readonly path: VirtualPath;
  readonly entry: DirectoryEntry;
}

/** Matches in name order; yields after each batch of entries so that the caller can take a break. */
export function* expandGlob(
  session: GlobbingSession,
  pattern: string,
  command: string,
  dotFiles: boolean,
): Generator<string, readonly GlobMatch[]> {
  const matches = new Map<string, GlobMatch>();
  const budget = { examined: MAX_EXAMINED };
  for (const alternative of expandBraces(pattern)) {
    const absolute = alternative.startsWith('/');
    const segments = alternative.split('/').filter((segment) => segment !== '');
    if (segments.length === 0 || segments.filter(isPattern).length > MAX_SEGMENTS) continue;
    yield* walk({ session, command, dotFiles, budget, matches }, absolute ? '/' : '', segments, 0);
  }
  return [...matches.values()].toSorted((a, b) => (a.shown < b.shown ? -1 : 1));
}

interface Walk {
  readonly session: GlobbingSession;
  readonly command: string;
  readonly dotFiles: boolean;
  readonly budget: { examined: number };
  readonly matches: Map<string, GlobMatch>;
}

function* walk(
  context: Walk,
  base: string,
  segments: readonly string[],
  index: number,
): Generator<string, void> {
  const { session, command, budget, matches } = context;
  const segment = segments[index] as string;
  const isLast = index === segments.length - 1;
  if (!isPattern(segment)) {
    const shown = base + segment;
    if (!isLast) return yield* walk(context, `${shown}/`, segments, index + 1);
    const match = single(session, shown, command);
    if (match !== null) matches.set(shown, match);
    return;
  }
  const glob = compileGlob(segment);
  const found: DirectoryEntry[] = [];
  for (const entries of batches(session, base === '' ? '.' : base, command)) {
    budget.examined -= entries.length;
    for (const entry of entries) if (matchGlob(glob, entry.name, context.dotFiles)) found.push(entry);
    yield '';
    if (budget.examined <= 0 || matches.size + found.length > MAX_MATCHES) break;
  }
  for (const entry of found) {
    if (matches.size >= MAX_MATCHES || (budget.examined <= 0 && !isLast)) return;
    const shown = base + entry.name;
    if (isLast) {
      // A name with a line end cannot be said to the client, and costs the others nothing.
      const path = attempt(() => session.vfs.resolve(shown));
      if (path !== null) matches.set(shown, { shown, path, entry });
    } else if (entry.stats.isDirectory() || entry.linkTarget !== null) {
      yield* walk(context, `${shown}/`, segments, index + 1);
    }
  }
}

/** A pattern's directory that is missing, forbidden or no directory has no matches: that is no error of its own. */
function* batches(
  session: GlobbingSession,
  path: string,
  command: string,
): Generator<DirectoryEntry[], void> {
  const cursor = attempt(() => session.vfs.openDirectory(session.vfs.resolve(path), command));
  if (cursor === null) return;
  try {
    for (;;) {
      yield cursor.next(BATCH);
      if (cursor.ended) return;
    }
  } finally {
    cursor.close();
  }
}

function single(session: GlobbingSession, shown: string, command: string): GlobMatch | null {
  return attempt(() => {
    const path = session.vfs.resolve(shown);
    return { shown, path, entry: session.vfs.entry(path, command) };
  });
}

function attempt<T>(action: () => T): T | null {
  try {
    return action();
  } catch (error) {
    if (error instanceof FsError) return null;
    throw error;
  }
}
