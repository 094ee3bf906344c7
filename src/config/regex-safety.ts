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

/** Longest expression accepted from a user. */
const MAX_LENGTH = 256;
/** Each unbounded repetition may multiply the work by the length of the text. */
const MAX_REPETITIONS = 4;

/** True for a repeated group that itself repeats or chooses, for back-references, and for many repetitions. */
export function canRunAway(source: string): boolean {
  if (source.length > MAX_LENGTH || /\\[1-9]/.test(source)) return true;
  const plain = source.replace(/\\[^]/g, 'x').replace(/\[(?:\^?\]?)[^\]]*\]/g, 'x');
  if ((plain.match(/[*+]|\{\d*,?\d*\}/g) ?? []).length > MAX_REPETITIONS) return true;
  // Which open groups hold a repetition or a choice; a repetition behind such a group nests.
  const open: boolean[] = [];
  let closed = false;
  for (const [index, character] of plain.split('').entries()) {
    const repeats = '*+{'.includes(character);
    if (character === '(') {
      open.push(false);
    } else if (character === ')') {
      closed = open.pop() ?? false;
      if (closed && open.length > 0) open[open.length - 1] = true;
    } else if (repeats || character === '|') {
      if (repeats && closed && plain[index - 1] === ')') return true;
      if (open.length > 0) open[open.length - 1] = true;
    }
  }
  return false;
}
