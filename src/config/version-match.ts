/** `<IfVersion [!][operator] version>` of mod_ifversion. */
import { ConfigError } from './config-error.ts';
import { compilePosixRegex } from './posix-regex.ts';

/** The ProFTPD release whose behaviour is reproduced; `<IfVersion>` compares with it. */
export const COMPATIBLE_VERSION = '1.3.9';

/** major, minor, revision, stage (release candidate < release < maintenance), number within the stage. */
type VersionKey = readonly [number, number, number, number, number];

/**
 * Whether `version` (for example `1.3.9`) satisfies the condition. Operators `=` (default), `>`, `>=`, `<`, `<=`, `~` and
 * `= /regex/`; a leading `!` negates. Throws ConfigError (reason only).
 */
export function versionMatches(args: readonly string[], version: string): boolean {
  const words = [...args];
  const negated = words[0]?.startsWith('!') === true;
  if (negated) {
    words[0] = (words[0] ?? '').slice(1);
    if (words[0] === '') words.shift();
  }
  const operator = words.length === 2 ? (words.shift() ?? '') : '=';
  const wanted = words[0];
  if (words.length !== 1 || wanted === undefined) throw new ConfigError('wrong number of parameters');
  return compare(operator, wanted, version) !== negated;
}

function compare(operator: string, wanted: string, version: string): boolean {
  const slashed = /^\/(.*)\/$/.exec(wanted);
  if (operator === '~' || (slashed !== null && (operator === '=' || operator === '=='))) {
    return compilePosixRegex(slashed?.[1] ?? wanted).test(version);
  }
  const order = compareKeys(parseVersion(version), parseVersion(wanted));
  switch (operator) {
    case '=':
    case '==':
      return order === 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    default:
      throw new ConfigError(`unknown operator '${operator}'`);
  }
}

function parseVersion(text: string): VersionKey {
  const match = /^(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:rc(\d{1,9})|([a-z]))?$/.exec(text);
  if (match === null) throw new ConfigError(`unable to parse version '${text}'`);
  const [, major, minor = '0', revision = '0', candidate, maintenance] = match;
  const stage = candidate !== undefined ? 0 : maintenance === undefined ? 1 : 2;
  const within = candidate !== undefined ? Number(candidate) : (maintenance?.charCodeAt(0) ?? 0);
  return [Number(major), Number(minor), Number(revision), stage, within];
}

function compareKeys(a: VersionKey, b: VersionKey): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
