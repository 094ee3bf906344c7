/** Options of LIST, NLST and STAT, as ls(1) knows them (core reference, section 7). */
import type { ListOptions } from '../../../src/config/server-config.ts';

export interface ListFlags {
  /** -a, -A: names with a leading dot; -a also `.` and `..`. */
  readonly dotFiles: 'hidden' | 'all' | 'almost-all';
  /** -B: octal escapes for characters that do not print. */
  readonly escape: boolean;
  /** -l / -1 / -C. */
  readonly layout: 'long' | 'names' | 'columns';
  /** -d: the directory itself. */
  readonly directoryItself: boolean;
  /** -F: a mark behind the name. */
  readonly classify: boolean;
  readonly humanSizes: boolean;
  /** -L: what links point to. */
  readonly dereference: boolean;
  readonly numericIds: boolean;
  readonly recursive: boolean;
  readonly reverse: boolean;
  readonly sort: 'name' | 'size' | 'time' | 'none';
  /** -c, -u. */
  readonly time: 'modify' | 'change' | 'access';
}

export interface ListRequest {
  readonly flags: ListFlags;
  /** What follows the options; empty: the current directory. */
  readonly path: string;
}

const KNOWN = '1AaBCcdFhLlnRrStUu';

/**
 * Splits `-la -R path` and merges the directive: forced letters (`ListOptions "-a"`) always hold, removed ones
 * (`"+R"`) never do, and `strict` drops the client's. Options stand only at the start of the argument.
 */
export function parseListArgument(
  argument: string,
  defaults: { readonly layout: ListFlags['layout']; readonly sort: ListFlags['sort'] },
  directive: ListOptions,
): ListRequest {
  let rest = argument.trimStart();
  let letters = '';
  for (;;) {
    const match = /^-([^\s]*)(?:\s+|$)/.exec(rest);
    if (match === null || match[1] === '') break;
    rest = rest.slice(match[0].length);
    if (match[1] === '-') break;
    letters += match[1] ?? '';
  }
  const client = directive.strict ? '' : letters;
  const wanted = Array.from(client + directive.forced).filter(
    (letter) => KNOWN.includes(letter) && !directive.removed.includes(letter),
  );
  return { flags: flagsOf(wanted, defaults), path: rest };
}

function flagsOf(
  letters: readonly string[],
  defaults: { readonly layout: ListFlags['layout']; readonly sort: ListFlags['sort'] },
): ListFlags {
  const has = (letter: string): boolean => letters.includes(letter);
  const last = (candidates: string): string | undefined =>
    letters.findLast((letter) => candidates.includes(letter));
  const layouts = { l: 'long', n: 'long', '1': 'names', C: 'columns' } as const;
  const sorts = { S: 'size', t: 'time', U: 'none' } as const;
  const layout = last('ln1C') as keyof typeof layouts | undefined;
  const sort = last('StU') as keyof typeof sorts | undefined;
  return {
    dotFiles: has('a') ? 'all' : has('A') ? 'almost-all' : 'hidden',
    escape: has('B'),
    layout: layout === undefined ? defaults.layout : layouts[layout],
    directoryItself: has('d'),
    classify: has('F'),
    humanSizes: has('h'),
    dereference: has('L'),
    numericIds: has('n'),
    recursive: has('R'),
    reverse: has('r'),
    sort: sort === undefined ? defaults.sort : sorts[sort],
    time: last('cu') === 'c' ? 'change' : last('cu') === 'u' ? 'access' : 'modify',
  };
}
