/** Filters: a regular expression with `!` and flags, as several directives take one. */
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import type { Filter } from './server-config.ts';
import { compilePosixRegex } from './posix-regex.ts';
import { someWords } from './values.ts';

export { compilePosixRegex } from './posix-regex.ts';

/** `NC` or `nocase`, in brackets or without. */
function isNoCase(word: string): boolean {
  return /^\[?(?:nc|nocase)\]?$/i.test(word);
}

/** Reads `[!]regex [NC]`. */
export function readFilter(words: readonly string[]): Filter {
  const [pattern, flag, ...more] = words;
  if (pattern === undefined) throw new ConfigError('missing parameters');
  if (more.length > 0) throw new ConfigError('wrong number of parameters');
  if (flag !== undefined && !isNoCase(flag)) throw new ConfigError(`unknown flag: '${flag}'`);
  const negate = pattern.startsWith('!');
  const source = negate ? pattern.slice(1) : pattern;
  if (source === '') throw new ConfigError('missing parameters');
  return { pattern: compilePosixRegex(source, flag !== undefined), negate };
}

/** The parameter of AllowFilter, DenyFilter and their kin: `regex [NC]`, or `none` for no filter. */
export function filterParameter(input: ParseInput): Filter | null {
  const words = someWords(input);
  if (words.length === 1 && words[0]!.toLowerCase() === 'none') return null;
  return readFilter(words);
}
