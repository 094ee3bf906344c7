/** Which <Directory> sections and .ftpaccess files apply to a path, and what they make of the session's values. */
import type { MergeRule } from './directive-row.ts';
import type { FtpAccessLookup, PathConfig } from './effective-config.ts';
import { globPathPrefix, hasGlob } from './glob-match.ts';
import { mergeSettings } from './scope-draft.ts';
import type { Scope, Settings } from './server-config.ts';
import { withDefaults, type RankedDirectory, type SessionLayer } from './session-layer.ts';

/** One scope that applies to a path; `depth` names deep is the directory it stands for. */
export interface PathOverlay {
  readonly scope: Scope;
  readonly depth: number;
  /** Among scopes of one depth the stronger comes later. */
  readonly strength: number;
}

/**
 * Scopes for a real path (absolute, canonical), outermost first: deeper directories are stronger; at one depth a literal
 * path is stronger than a pattern, <Anonymous> than the server, and .ftpaccess than <Directory>. `lookup` is null where
 * AllowOverride is off.
 */
export function directoriesInForce(
  directories: readonly RankedDirectory[],
  realPath: string,
  home: string,
  lookup: FtpAccessLookup | null,
): readonly PathOverlay[] {
  const overlays: PathOverlay[] = [];
  for (const directory of directories) {
    const pattern = absolutePattern(directory, home);
    const depth = matchDepth(pattern, realPath);
    if (depth < 0) continue;
    const strength = (hasGlob(pattern) ? 0 : 4) + directory.rank;
    overlays.push({ scope: directory.section, depth, strength });
  }
  if (lookup !== null) overlays.push(...ftpAccessOverlays(realPath, lookup));
  return overlays.length < 2
    ? overlays
    : overlays.toSorted((a, b) => a.depth - b.depth || a.strength - b.strength);
}

/** The session's values with the overlays on top, and their `<Limit>` sections in front. */
export function overlayPath(
  layer: SessionLayer,
  overlays: readonly PathOverlay[],
  ruleOf: (key: keyof Settings) => MergeRule,
): PathConfig {
  const own = overlays.reduce((outer, { scope }) => mergeSettings(scope.settings, outer, ruleOf), layer.own);
  const levels = overlays.map(({ scope }) => scope.limits).filter((level) => level.length > 0);
  return { settings: withDefaults(own), limitLevels: [...levels.toReversed(), ...layer.limitLevels] };
}

function ftpAccessOverlays(realPath: string, lookup: FtpAccessLookup): readonly PathOverlay[] {
  const overlays: PathOverlay[] = [];
  const names = realPath.split('/').filter((name) => name !== '');
  for (let depth = 0; depth <= names.length; depth += 1) {
    const scope = lookup(`/${names.slice(0, depth).join('/')}`);
    if (scope !== null) overlays.push({ scope, depth, strength: 100 });
  }
  return overlays;
}

/** The section's path with `~` and, in <Anonymous>, the root put in front. */
function absolutePattern({ section, root }: RankedDirectory, home: string): string {
  if (section.path.startsWith('/')) return section.path;
  const base = section.path.startsWith('~') ? home : root.startsWith('~') ? home + root.slice(1) : root;
  const rest = section.path.startsWith('~') ? section.path.slice(1) : `/${section.path}`;
  const path = (base + rest).replace(/\/{2,}/g, '/');
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * How many names deep the directory is that the pattern matches above or at the path; -1 when it matches none. As in
 * ProFTPD, and unlike its documentation, `*` crosses `/`. `/dir/*` is what is in the directory, not itself.
 */
function matchDepth(pattern: string, path: string): number {
  if (pattern === '/') return 0;
  if (path === '/') return -1;
  if (!hasGlob(pattern)) {
    return path === pattern || path.startsWith(`${pattern}/`) ? countNames(pattern) : -1;
  }
  const end = globPathPrefix(pattern, path);
  return end < 0 ? -1 : countNames(path.slice(0, end));
}

function countNames(path: string): number {
  return path.split('/').length - 1;
}
