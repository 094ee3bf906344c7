/** DisplayReadme: says when a README of the directory was last modified, so people know whether to read it again. */
import { globMatches, hasGlob } from '../../src/config/glob-match.ts';
import { strftime } from '../../src/log/strftime.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { FtpSession } from './session-types.ts';

/** A notice is a courtesy: directories larger than this are not searched for patterns. */
const SEARCH_LIMIT = 1_000;
const NOTICE_LIMIT = 10;
/** A .ftpaccess is written by a user; each pattern is tried on every name. */
const PATTERN_LIMIT = 32;
const DAY_MS = 86_400_000;

/** Two lines for each file of the current directory that one of the patterns names. */
export function readmeNotice(session: FtpSession, patterns: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of namesFor(session, patterns).slice(0, NOTICE_LIMIT)) {
    const modified = modifiedAt(session, name);
    if (modified === null) continue;
    const days = Math.max(0, Math.floor((Date.now() - modified.getTime()) / DAY_MS));
    lines.push(`Please read the file ${name}`);
    lines.push(
      `   it was last modified on ${strftime('%a %b %e %H:%M:%S %Y', modified)} - ${days} day${days === 1 ? '' : 's'} ago`,
    );
  }
  return lines;
}

function namesFor(session: FtpSession, patterns: readonly string[]): string[] {
  const wildcards = patterns.filter(hasGlob).slice(0, PATTERN_LIMIT);
  const plain = patterns.filter((pattern) => !hasGlob(pattern));
  if (wildcards.length === 0) return plain;
  return [...plain, ...search(session, wildcards)];
}

function search(session: FtpSession, wildcards: readonly string[]): string[] {
  try {
    const cursor = session.vfs.openDirectory(session.vfs.cwd, 'LIST');
    try {
      const names = cursor.next(SEARCH_LIMIT).map((entry) => entry.name);
      return names.filter((name) => wildcards.some((pattern) => globMatches(pattern, name)));
    } finally {
      cursor.close();
    }
  } catch (error) {
    if (error instanceof FsError) return [];
    throw error;
  }
}

function modifiedAt(session: FtpSession, name: string): Date | null {
  try {
    const stats = session.vfs.stat(session.vfs.resolve(name), 'LIST');
    return stats.isFile() ? stats.mtime : null;
  } catch (error) {
    if (error instanceof FsError) return null;
    throw error;
  }
}
