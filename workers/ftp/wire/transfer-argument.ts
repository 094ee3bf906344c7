/** Arguments of REST, RANG and ALLO: text in, checked integers out. */

const DIGITS = /^\d{1,20}$/;

/** A byte offset 0 <= N <= 2^53 - 1, or null. */
export function parseOffset(text: string): number | null {
  if (!DIGITS.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

export type RangeArgument =
  | { readonly kind: 'range'; readonly start: number; readonly end: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'malformed' }
  /** Numbers no file can have. */
  | { readonly kind: 'too-large' };

/** `RANG start end`, both inclusive (draft-bryan-ftp-range); `1 0` resets. */
export function parseRange(argument: string): RangeArgument {
  const words = argument.trim().split(/ +/);
  const [first = '', last = ''] = words;
  if (words.length !== 2 || !DIGITS.test(first) || !DIGITS.test(last)) return { kind: 'malformed' };
  const start = parseOffset(first);
  const end = parseOffset(last);
  if (start === null || end === null) return { kind: 'too-large' };
  if (start === 1 && end === 0) return { kind: 'reset' };
  return end < start ? { kind: 'malformed' } : { kind: 'range', start, end };
}

/** `ALLO bytes [R record]`; null when malformed. */
export function parseAllocation(argument: string): number | null {
  const match = /^(\d{1,20})(?: R \d{1,10})?$/i.exec(argument.trim());
  return match === null ? null : parseOffset(match[1] ?? '');
}
