/**
 * Expressions users write run in a thread they share with other sessions. The engine here backtracks, so those whose
 * time can grow exponentially with the text are not accepted from users.
 */

/** The source of the first expression in plain data that could run away, or null. */
export function riskyPattern(value: unknown): string | null {
  if (value instanceof RegExp) return canRunAway(value.source) ? value.source : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const inner of Object.values(value)) {
    const risky = riskyPattern(inner);
    if (risky !== null) return risky;
  }
  return null;
}

/** Expressions in plain data. */
export function countPatterns(value: unknown): number {
  if (value instanceof RegExp) return 1;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, inner) => sum + countPatterns(inner), 0);
}

/** Longest expression accepted from a user. */
const MAX_LENGTH = 256;
/**
 * Each unbounded repetition multiplies the work by the length of the text, and so does the search for a beginning where
 * no `^` fixes it. Paths have up to 4,096 characters: their square is what one match may cost, their cube takes seconds.
 */
const MAX_POWER = 2;
/** Ways through optional parts and alternatives: each multiplies the work as well. */
const MAX_WAYS = 32;

/** True for a repeated group that itself repeats or chooses, for back-references, and for too many ways to match. */
export function canRunAway(source: string): boolean {
  if (source.length > MAX_LENGTH || /\\[1-9]/.test(source)) return true;
  const plain = source.replace(/\\[^]/g, 'x').replace(/\[(?:\^?\]?)[^\]]*\]/g, 'x');
  return power(plain) > MAX_POWER || waysThrough(plain) > MAX_WAYS || repeatsChoice(plain);
}

function power(plain: string): number {
  const repetitions = plain.match(/[*+]|\{\d*,\}/g) ?? [];
  const begins = plain.startsWith('^') && !plain.includes('|');
  return repetitions.length + (begins ? 0 : 1);
}

/** `a?` has two ways, `(a|b|c)` three, `a{2,5}` four; a choice outside of groups adds instead. */
function waysThrough(plain: string): number {
  let ways = 1;
  const open: number[] = [];
  for (const [index, character] of plain.split('').entries()) {
    const group = open.length - 1;
    if (character === '(') open.push(1);
    else if (character === ')') ways *= open.pop() ?? 1;
    else if (character === '|' && group >= 0) open[group] = (open[group] ?? 1) + 1;
    // Behind `(` a `?` says what the group is, behind a repetition that it is lazy.
    else if (character === '?' && !'(*+}?'.includes(plain[index - 1] ?? '(')) ways *= 2;
  }
  for (const [, low, high] of plain.matchAll(/\{(\d*),(\d+)\}/g)) ways *= Number(high) - Number(low) + 1;
  return ways;
}

/** A repetition behind a group that repeats or chooses nests, and its time grows exponentially. */
function repeatsChoice(plain: string): boolean {
  // Which open groups hold a repetition or a choice.
  const open: boolean[] = [];
  let closed = false;
  for (const [index, character] of plain.split('').entries()) {
    const repeats = '*+{'.includes(character);
    if (character === '(') {
      open.push(false);
    } else if (character === ')') {
      closed = open.pop() ?? false;
      if (closed && open.length > 0) open[open.length - 1] = true;
    } else if (repeats || character === '|' || (character === '?' && plain[index - 1] !== '(')) {
      if (repeats && closed && plain[index - 1] === ')') return true;
      if (open.length > 0) open[open.length - 1] = true;
    }
  }
  return false;
}
