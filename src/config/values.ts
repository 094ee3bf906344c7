/**
 * Readers of directive parameters: each takes words and returns a checked value, or throws ConfigError with the
 * reason alone in ProFTPD's wording. Nothing here opens a file: the paths are the loader's business.
 */
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import { parseNameExpression } from './name-expression.ts';
import type { AppliesTo, Conditional } from './server-config.ts';

export { parseNameExpression } from './name-expression.ts';

/** Longest wait a timer of this platform can be set to, in seconds. */
export const MAX_SECONDS = 2_147_483;

/** Refuses a directive with fewer than `min` or more than `max` words. */
export function expectCount(input: ParseInput, min: number, max = min): readonly string[] {
  const { args } = input;
  if (args.length === 0 && min > 0) throw new ConfigError('missing parameters');
  if (args.length < min || args.length > max) throw new ConfigError('wrong number of parameters');
  return args;
}

/** The only word of a directive that takes one. */
export function oneWord(input: ParseInput): string {
  return expectCount(input, 1)[0]!;
}

/** One word that may not be empty. */
export function oneName(input: ParseInput): string {
  const word = oneWord(input);
  if (word === '') throw new ConfigError('missing parameters');
  return word;
}

/** All words, at least one. */
export function someWords(input: ParseInput): readonly string[] {
  return expectCount(input, 1, Number.MAX_SAFE_INTEGER);
}

const TRUE_WORDS = new Set(['on', 'yes', 'true', '1']);
const FALSE_WORDS = new Set(['off', 'no', 'false', '0']);

/** on/off, yes/no, true/false, 1/0 in any case; null for anything else. */
export function booleanOrNull(word: string): boolean | null {
  const text = word.toLowerCase();
  if (TRUE_WORDS.has(text)) return true;
  return FALSE_WORDS.has(text) ? false : null;
}

/** A Boolean word. */
export function readBoolean(word: string): boolean {
  const value = booleanOrNull(word);
  if (value === null) throw new ConfigError('expected Boolean parameter');
  return value;
}

/** The parameter of an on/off directive. */
export function onOff(input: ParseInput): boolean {
  return readBoolean(oneWord(input));
}

/** A decimal integer within bounds, both included. */
export function readInteger(word: string, min: number, max: number): number {
  const value = /^[+-]?\d{1,16}$/.test(word) ? Number(word) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new ConfigError(`invalid number '${word}'`);
  if (value < min || value > max) throw new ConfigError(`value must be between ${min} and ${max}`);
  return value;
}

/** A parser for a directive with one integer. */
export function integer(min: number, max: number): (input: ParseInput) => number {
  return (input) => readInteger(oneWord(input), min, max);
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 };

/** `N`, `Ns`, `Nm`, `Nh` or `hh:mm:ss`, in seconds; `sec`, `min`, `hr` and their plurals are read as well. */
export function readDuration(word: string): number {
  const clock = /^(\d{1,4}):([0-5]?\d):([0-5]?\d)$/.exec(word);
  const plain = /^(\d{1,10})(?:(s)(?:ecs?)?|(m)(?:ins?)?|(h)(?:rs?)?)?$/i.exec(word);
  let seconds: number;
  if (clock !== null) seconds = Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3]);
  else if (plain !== null) {
    const unit = (plain[2] ?? plain[3] ?? plain[4] ?? '').toLowerCase();
    seconds = Number(plain[1]) * UNIT_SECONDS[unit]!;
  } else throw new ConfigError(`error parsing timeout value '${word}': Invalid argument`);
  if (seconds > MAX_SECONDS) throw new ConfigError(`timeout values must be between 0 and ${MAX_SECONDS}`);
  return seconds;
}

/** The parameter of a Timeout directive; 0 switches it off. */
export function duration(input: ParseInput): number {
  return readDuration(oneWord(input));
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1024 ** 4,
};

/** `N` with one of `B`, `Kb`, `Mb`, `Gb`, `Tb`, together or as two words, in bytes. */
export function readSize(number: string, unit: string): number {
  const together = /^(\d{1,16}(?:\.\d{1,6})?)([A-Za-z]*)$/.exec(number);
  if (together === null) throw new ConfigError(`badly formatted size: '${number}'`);
  if (together[2] !== '' && unit !== '') throw new ConfigError(`badly formatted size: '${number} ${unit}'`);
  const factor = SIZE_UNITS[(together[2] === '' ? unit : together[2]!).toLowerCase()];
  if (factor === undefined)
    throw new ConfigError(`unknown size unit: '${unit === '' ? together[2]! : unit}'`);
  const bytes = Math.floor(Number(together[1]) * factor);
  if (!Number.isSafeInteger(bytes)) throw new ConfigError(`size too large: '${number}'`);
  return bytes;
}

/** True when a word can only be the unit of a size. */
export function isSizeUnit(word: string): boolean {
  return word !== '' && SIZE_UNITS[word.toLowerCase()] !== undefined;
}

/** An absolute path; NUL bytes and empty words are refused. */
export function readAbsolutePath(word: string): string {
  if (!word.startsWith('/')) throw new ConfigError(`must be an absolute path: ${word}`);
  if (word.includes('\0')) throw new ConfigError('path contains a NUL byte');
  return word;
}

/** The parameter of a directive that names one file by absolute path. */
export function absolutePath(input: ParseInput): string {
  return readAbsolutePath(oneWord(input));
}

/** An absolute path, or null for `none`. */
export function absolutePathOrNone(input: ParseInput): string | null {
  const word = oneWord(input);
  return word.toLowerCase() === 'none' ? null : readAbsolutePath(word);
}

/** An absolute path, or the word `none`: a log that is off, which is more than one that was not set. */
export function logPathOrNone(input: ParseInput): string {
  return absolutePathOrNone(input) ?? 'none';
}

/** A path of a Display file (relative ones count from the login directory), or null for `none`. */
export function displayPath(input: ParseInput): string | null {
  const word = oneName(input);
  return word.toLowerCase() === 'none' ? null : word;
}

/** Octal mode bits up to `max`. */
export function readOctal(word: string, what: string, max = 0o777): number {
  const value = /^[0-7]{1,5}$/.test(word) ? Number.parseInt(word, 8) : Number.NaN;
  if (Number.isNaN(value) || value > max) throw new ConfigError(`invalid ${what}: '${word}'`);
  return value;
}

/** One of a few words, matched without regard to case and returned as listed. */
export function readChoice<T extends string>(word: string, choices: readonly T[], what: string): T {
  const found = choices.find((choice) => choice.toLowerCase() === word.toLowerCase());
  if (found === undefined) throw new ConfigError(`${what}: '${word}'`);
  return found;
}

/** A parser for a directive with one word of a list. */
export function choice<T extends string>(choices: readonly T[], what: string): (input: ParseInput) => T {
  return (input) => readChoice(oneWord(input), choices, what);
}

/** A parser for option lists (`AuthFileOptions SyntaxCheck`): every word must be known. */
export function options<T extends string>(
  known: readonly T[],
  what: string,
): (input: ParseInput) => readonly T[] {
  return (input) => someWords(input).map((word) => readChoice(word, known, what));
}

const PRINCIPAL_KINDS = ['user', 'group', 'class'] as const;

/** `[user|group|class expression]` at the end of a directive; no words: for everybody. */
export function readAppliesTo(words: readonly string[]): AppliesTo | undefined {
  const [kindWord, ...names] = words;
  if (kindWord === undefined) return undefined;
  const kind = readChoice(kindWord, PRINCIPAL_KINDS, 'unknown classifier used');
  if (names.length === 0) throw new ConfigError('wrong number of parameters');
  return { kind, expression: parseNameExpression(names, kind === 'group' ? 'and' : 'or') };
}

/** A value with the principals it is for. */
export function conditional<T>(value: T, words: readonly string[]): Conditional<T> {
  const appliesTo = readAppliesTo(words);
  return appliesTo === undefined ? { value } : { value, appliesTo };
}
