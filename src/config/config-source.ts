/** Where configuration files come from; the parser sees only this, so it can be run on texts alone. */
import { lstatSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { decodePathBytes } from '../util/path-text.ts';
import { LEXER_LIMITS } from './lexer.ts';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

export interface ConfigSource {
  /** Text of a file. Throws a plain Error whose message is the reason (`No such file or directory`). */
  readFile(path: string): string;
  /** Names and kinds of a directory's entries, in any order; null when it is not a readable directory. */
  listDirectory(path: string): readonly { readonly name: string; readonly kind: EntryKind }[] | null;
  /** What a path is, symbolic links followed; null when it is not there. */
  kindOf(path: string): EntryKind | null;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  ELOOP: 'Too many levels of symbolic links',
};

/** The file system. Synchronous: the configuration is read once, before anything is served. */
export const fileSystemSource: ConfigSource = {
  readFile(path) {
    try {
      const stats = statSync(path);
      if (stats.size > LEXER_LIMITS.fileLength) throw new Error('File too large');
      if (!stats.isFile() && !stats.isFIFO()) throw new Error('Not a regular file');
      return decodePathBytes(readFileSync(path));
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  },
  listDirectory(path) {
    try {
      return readdirSync(path, { withFileTypes: true }).map((entry) => ({
        name: entry.name,
        kind: kindOfStats(entry),
      }));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return null;
    }
  },
  kindOf(path) {
    try {
      return kindOfStats(statSync(path));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return lstatSync(path, { throwIfNoEntry: false }) === undefined ? null : 'other';
    }
  },
};

/** A source that has no files: for texts that may not include others. */
export const emptySource: ConfigSource = {
  readFile() {
    throw new Error('No such file or directory');
  },
  listDirectory: () => null,
  kindOf: () => null,
};

function kindOfStats(stats: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): EntryKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code !== undefined) return REASONS[code] ?? code;
  return error instanceof Error ? error.message : 'unreadable';
}
