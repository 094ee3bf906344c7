/**
 * Shell patterns in LIST and NLST arguments: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}` and `\` before a literal character,
 * one path segment at a time. Patterns come from clients: compiled once, matched in time pattern x name, never worse.
 */

/** True when the text holds a character that makes it a pattern. */
export function isPattern(text: string): boolean {
  return /[*?[{]/.test(text);
}

type Token =
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'star' }
  | {
      readonly kind: 'set';
      readonly negate: boolean;
      readonly ranges: readonly (readonly [low: string, high: string])[];
    };

/** One segment's pattern, ready to match names. */
export interface CompiledGlob {
  /** Names with a leading dot match only a pattern that starts with one. */
  readonly matchesDot: boolean;
  readonly tokens: readonly Token[];
}

/** Compiles one path segment. A `[` without its `]` is an ordinary character. */
export function compileGlob(pattern: string): CompiledGlob {
  const tokens: Token[] = [];
  let index = 0;
  while (index < pattern.length) {
    const character = pattern[index] as string;
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (character === '?') {
      tokens.push({ kind: 'any' });
    } else if (character === '\\' && index + 1 < pattern.length) {
      index += 1;
      tokens.push({ kind: 'literal', character: pattern[index] as string });
    } else if (character === '[') {
      const end = setEnd(pattern, index);
      if (end < 0) {
        // No `]` follows any more: the rest holds no set at all, so look no further for one.
        for (const rest of pattern.slice(index)) tokens.push(plainToken(rest));
        break;
      }
      tokens.push(compileSet(pattern.slice(index + 1, end)));
      index = end;
    } else {
      tokens.push({ kind: 'literal', character });
    }
    index += 1;
  }
  return { matchesDot: pattern.startsWith('.') || pattern.startsWith('\\.'), tokens };
}

function plainToken(character: string): Token {
  if (character === '*') return { kind: 'star' };
  return character === '?' ? { kind: 'any' } : { kind: 'literal', character };
}

function setEnd(pattern: string, start: number): number {
  const negated = pattern[start + 1] === '!' || pattern[start + 1] === '^';
  return pattern.indexOf(']', start + (negated ? 3 : 2));
}

function compileSet(body: string): Token {
  const negate = body.startsWith('!') || body.startsWith('^');
  const ranges: [string, string][] = [];
  for (let index = negate ? 1 : 0; index < body.length; index += 1) {
    const low = body[index] as string;
    if (body[index + 1] === '-' && index + 2 < body.length) {
      ranges.push([low, body[index + 2] as string]);
      index += 2;
    } else {
      ranges.push([low, low]);
    }
  }
  return { kind: 'set', negate, ranges };
}

/** Whether the whole name matches; `dotFiles` lets wildcards take a leading dot. */
export function matchGlob(glob: CompiledGlob, name: string, dotFiles: boolean): boolean {
  if (name.startsWith('.') && !dotFiles && !glob.matchesDot) return false;
  const { tokens } = glob;
  let token = 0;
  let at = 0;
  // Only the last star is ever tried again: enough for a match, and it keeps the time at tokens x characters.
  let starToken = -1;
  let starAt = 0;
  while (at < name.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      starToken = token;
      starAt = at;
      token += 1;
    } else if (current !== undefined && takes(current, name[at] as string)) {
      token += 1;
      at += 1;
    } else if (starToken >= 0) {
      starAt += 1;
      at = starAt;
      token = starToken + 1;
    } else {
      return false;
    }
  }
  while (tokens[token]?.kind === 'star') token += 1;
  return token === tokens.length;
}

function takes(token: Token, character: string): boolean {
  switch (token.kind) {
    case 'literal':
      return token.character === character;
    case 'any':
    case 'star':
      return true;
    case 'set':
      return token.ranges.some(([low, high]) => low <= character && character <= high) !== token.negate;
  }
}

const MAX_ALTERNATIVES = 64;

/** `{a,b}` multiplied out, at most 64 patterns; unbalanced braces are ordinary characters. */
export function expandBraces(pattern: string): string[] {
  let patterns = [pattern];
  for (;;) {
    const next: string[] = [];
    for (const candidate of patterns) next.push(...expandFirst(candidate));
    if (next.length > MAX_ALTERNATIVES) return patterns;
    if (next.length === patterns.length) return next;
    patterns = next;
  }
}

/** Innermost first brace group; a pattern without one comes back as it is. One pass: patterns come from clients. */
function expandFirst(pattern: string): string[] {
  let open = -1;
  let hasComma = false;
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index];
    if (character === '{') {
      open = index;
      hasComma = false;
    } else if (character === ',') {
      hasComma = true;
    } else if (character === '}') {
      if (open >= 0 && hasComma) {
        const before = pattern.slice(0, open);
        const after = pattern.slice(index + 1);
        const alternatives = pattern.slice(open + 1, index).split(',');
        return alternatives.map((alternative) => before + alternative + after);
      }
      open = -1;
    }
  }
  return [pattern];
}
