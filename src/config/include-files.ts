/** Which files an `Include` names (core reference, section 1). */
import { posix } from 'node:path';
import { ConfigError } from './config-error.ts';
import type { ConfigSource, EntryKind } from './config-source.ts';
import { globMatches, hasGlob } from './glob-match.ts';

/** `IncludeOptions`. */
export interface IncludeOptions {
  readonly allowSymlinks: boolean;
  readonly ignoreTempFiles: boolean;
  readonly ignoreWildcards: boolean;
}

export interface IncludedFiles {
  readonly files: readonly string[];
  /** Symbolic links that a pattern or directory would have brought in, had AllowSymlinks been set. */
  readonly skippedLinks: readonly string[];
}

/** The parameters of `IncludeOptions`. Throws ConfigError. */
export function readIncludeOptions(args: readonly string[]): IncludeOptions {
  const directive = 'IncludeOptions';
  if (args.length === 0) throw new ConfigError('missing parameters', { directive });
  const names = args.map((arg) => arg.toLowerCase());
  const known = ['allowsymlinks', 'ignoretempfiles', 'ignorewildcards'];
  const unknown = args.find((arg) => !known.includes(arg.toLowerCase()));
  if (unknown !== undefined) throw new ConfigError(`unknown IncludeOption '${unknown}'`, { directive });
  return {
    allowSymlinks: names.includes('allowsymlinks'),
    ignoreTempFiles: names.includes('ignoretempfiles'),
    ignoreWildcards: names.includes('ignorewildcards'),
  };
}

/** Most entries one pattern may bring in. */
const MAX_MATCHES = 4096;

/**
 * Files for one parameter of `Include`: the file itself, all files of a directory, or what a pattern matches, sorted
 * by name. A pattern without a match gives nothing; a plain name is returned whether or not it is there.
 * Throws ConfigError (reason only).
 */
export function includedFiles(path: string, options: IncludeOptions, source: ConfigSource): IncludedFiles {
  if (!path.startsWith('/'))
    throw new ConfigError(`unable to use relative path for configuration file '${path}'`);
  const found: { files: string[]; skippedLinks: string[] } = { files: [], skippedLinks: [] };
  if (hasGlob(path) && !options.ignoreWildcards) {
    for (const match of expandPattern(path, source)) addMatch(match.path, match.kind, options, source, found);
  } else if (source.kindOf(path) === 'directory') {
    addDirectory(posix.normalize(path), options, source, found);
  } else {
    found.files.push(path);
  }
  return found;
}

function addMatch(
  path: string,
  kind: EntryKind,
  options: IncludeOptions,
  source: ConfigSource,
  found: { files: string[]; skippedLinks: string[] },
): void {
  if (options.ignoreTempFiles && isTempFile(posix.basename(path))) return;
  if (kind === 'symlink' && !options.allowSymlinks) {
    found.skippedLinks.push(path);
    return;
  }
  const real = kind === 'symlink' ? source.kindOf(path) : kind;
  if (real === 'directory') addDirectory(path, options, source, found);
  else if (real === 'file') found.files.push(path);
}

/** The files of a directory; directories inside it are left alone. */
function addDirectory(
  path: string,
  options: IncludeOptions,
  source: ConfigSource,
  found: { files: string[]; skippedLinks: string[] },
): void {
  const entries = [...(source.listDirectory(path) ?? [])].sort(byName);
  if (entries.length > MAX_MATCHES) throw new ConfigError(`too many files in '${path}'`);
  for (const entry of entries) {
    if (entry.kind === 'directory') continue;
    const child = posix.join(path, entry.name);
    if (entry.kind === 'symlink' && source.kindOf(child) === 'directory') continue;
    addMatch(child, entry.kind, options, source, found);
  }
}

function expandPattern(pattern: string, source: ConfigSource): { path: string; kind: EntryKind }[] {
  let matches: { path: string; kind: EntryKind }[] = [{ path: '/', kind: 'directory' }];
  for (const part of pattern.split('/').filter((name) => name !== '')) {
    matches = matches.flatMap((base) => expandPart(base.path, part, source));
    if (matches.length > MAX_MATCHES) throw new ConfigError(`too many files match '${pattern}'`);
  }
  return matches;
}

function expandPart(base: string, part: string, source: ConfigSource): { path: string; kind: EntryKind }[] {
  if (!hasGlob(part)) {
    const path = posix.join(base, part);
    const kind = source.kindOf(path);
    return kind === null ? [] : [{ path, kind }];
  }
  // A leading dot must be written, as in the shell.
  const visible = (name: string): boolean => part.startsWith('.') || !name.startsWith('.');
  return [...(source.listDirectory(base) ?? [])]
    .filter((entry) => visible(entry.name) && globMatches(part, entry.name))
    .sort(byName)
    .map((entry) => ({ path: posix.join(base, entry.name), kind: entry.kind }));
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Backups and lock files of vi and Emacs. */
function isTempFile(name: string): boolean {
  return name.endsWith('~') || name.startsWith('.#') || /^#.*#$/.test(name) || /\.sw[a-p]$/.test(name);
}
