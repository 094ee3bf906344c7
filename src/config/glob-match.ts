/**
 * Shell patterns as fnmatch(3) without FNM_PATHNAME knows them: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before a
 * character that is meant literally. `*` crosses `/`.
 */

/** True when the text holds a pattern character. */
export function hasGlob(text: string): boolean {
  return /[*?[]/.test(text);
}

/** Matches the whole text. */
export function globMatches(pattern: string, text: string): boolean {
  return globEnd(pattern, text, (index) => index === text.length) >= 0;
}

/**
 * Length of the shortest leading part of a path that the pattern matches and that ends where a name ends; -1 when
 * there is none.
 */
export function globPathPrefix(pattern: string, path: string): number {
  return globEnd(pattern, path, (index) => index === path.length || path[index] === '/');
}

/**
 * First index at which the pattern is used up and `mayEnd` agrees. Linear in pattern times text: a star remembers only its
 * last position, so no pattern from a configuration can be made slow by a name a client chooses.
 */
function globEnd(pattern: string, text: string, mayEnd: (index: number) => boolean): number {
  let p = 0;
  let t = 0;
  let starPattern = -1;
  let starText = 0;
  for (;;) {
    if (pattern[p] === '*') {
      starPattern = p;
      starText = t;
      p += 1;
      continue;
    }
    if (p === pattern.length && mayEnd(t)) return t;
    const step = p < pattern.length && t < text.length ? matchOne(pattern, p, text[t] ?? '') : -1;
    if (step > 0) {
      p += step;
      t += 1;
    } else if (starPattern >= 0 && starText < text.length) {
      starText += 1;
      p = starPattern + 1;
      t = starText;
    } else {
      return -1;
    }
  }
}

/** Length of the pattern element at `p` when it matches the character, else -1. */
function matchOne(pattern: string, p: number, character: string): number {
  const first = pattern[p];
  if (first === '?') return 1;
  if (first === '\\' && p + 1 < pattern.length) return pattern[p + 1] === character ? 2 : -1;
  if (first === '[') {
    const end = bracketEnd(pattern, p);
    if (end > 0) return bracketHolds(pattern.slice(p + 1, end), character) ? end - p + 1 : -1;
  }
  return first === character ? 1 : -1;
}

/** Index of the `]` that closes the bracket at `start`, or -1: then `[` is an ordinary character. */
function bracketEnd(pattern: string, start: number): number {
  let index = start + 1;
  if (pattern[index] === '!' || pattern[index] === '^') index += 1;
  return pattern.indexOf(']', index + 1);
}

function bracketHolds(body: string, character: string): boolean {
  const negated = body.startsWith('!') || body.startsWith('^');
  let holds = false;
  for (let index = negated ? 1 : 0; index < body.length; index += 1) {
    const low = body[index] ?? '';
    if (body[index + 1] === '-' && index + 2 < body.length) {
      holds ||= low <= character && character <= (body[index + 2] ?? '');
      index += 2;
    } else {
      holds ||= low === character;
    }
  }
  return holds !== negated;
}
