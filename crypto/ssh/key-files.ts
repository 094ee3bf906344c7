/**
 * Files of public keys: RFC 4716 blocks, as mod_sftp reads them, and the lines of OpenSSH's authorized_keys, mixed at
 * will. A bad entry is a problem of its own and costs the others nothing.
 */
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { NO_OPTIONS, parseKeyOptions, type AuthorizedKeyOptions } from './key-options.ts';
import { keyTypeOfAlgorithm } from './keys.ts';

export type { AuthorizedKeyOptions } from './key-options.ts';

export interface AuthorizedKey {
  readonly blob: Buffer;
  /** First line of the entry, from 1. */
  readonly line: number;
  readonly format: 'rfc4716' | 'openssh';
  readonly comment: string | null;
  /** RFC 4716 header Subject (MatchKeySubject). */
  readonly subject: string | null;
  readonly options: AuthorizedKeyOptions;
}

export interface KeyFileProblem {
  readonly line: number;
  /** Fixed text: nothing of the entry but numbers and option names. */
  readonly reason: string;
}

export interface AuthorizedKeys {
  readonly keys: readonly AuthorizedKey[];
  /** Entries left out, and oddities of entries taken. */
  readonly problems: readonly KeyFileProblem[];
}

const BEGIN = '---- BEGIN SSH2 PUBLIC KEY ----';
const END = '---- END SSH2 PUBLIC KEY ----';
/** RFC 4716, section 3.1. */
const MAX_RFC4716_LINE = 72;
const MAX_TAG = 64;
const MAX_VALUE = 1024;
/** Base64 of the largest blob, with room for options and comment. */
const MAX_LINE = 32_768;
const MAX_BLOCK = 32_768;
const MAX_ENTRIES = 20_000;
const MAX_PROBLEMS = 100;

interface Source {
  readonly lines: readonly string[];
  /** Index of the next line. */
  at: number;
}

/** What stands before the base64 of a block. */
interface Headers {
  comment: string | null;
  subject: string | null;
  touchRequired: boolean;
  verifyRequired: boolean;
}

/** Reads all entries. Whether a key is usable is asked of its blob (keys.ts). */
export function parseAuthorizedKeys(text: string): AuthorizedKeys {
  const source: Source = { lines: text.split(/\r\n|\r|\n/), at: 0 };
  const keys: AuthorizedKey[] = [];
  const problems: KeyFileProblem[] = [];
  const note = (line: number, reason: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ line, reason });
  };
  while (source.at < source.lines.length) {
    const line = source.lines[source.at]!.trim();
    const number = (source.at += 1);
    if (line === '' || line.startsWith('#')) continue;
    if (keys.length >= MAX_ENTRIES) {
      note(number, `more than ${MAX_ENTRIES} keys; the rest is left out`);
      break;
    }
    const entry = line === BEGIN ? readBlock(source, number, note) : readLine(line, number);
    if (typeof entry === 'string') note(number, entry);
    else keys.push(entry);
  }
  return { keys, problems };
}

/** Reads on behind the BEGIN line. A string is the reason why there is no key. */
function readBlock(
  source: Source,
  start: number,
  note: (line: number, reason: string) => void,
): AuthorizedKey | string {
  const headers: Headers = { comment: null, subject: null, touchRequired: false, verifyRequired: false };
  let base64 = '';
  for (;;) {
    const raw = source.lines[source.at];
    if (raw === undefined) return `no '${END}' line`;
    // A new block begins where the end of this one is missing.
    if (raw.trim() === BEGIN) return `no '${END}' line`;
    source.at += 1;
    if (raw.length > MAX_RFC4716_LINE) note(source.at, `line too long (${raw.length})`);
    const line = raw.trim();
    if (line === END) break;
    if (base64 === '' && line.includes(':')) {
      const problem = readHeader(source, raw, headers);
      if (problem !== null) note(source.at, problem);
    } else {
      base64 += line;
    }
    if (base64.length > MAX_BLOCK) return 'key too large';
  }
  const blob = decodeBlob(base64);
  if (typeof blob === 'string') return blob;
  const { comment, subject, touchRequired, verifyRequired } = headers;
  const options = { ...NO_OPTIONS, touchRequired, verifyRequired };
  return { blob, line: start, format: 'rfc4716', comment, subject, options };
}

/** One header with its continuation lines (RFC 4716, section 3.3). */
function readHeader(source: Source, first: string, headers: Headers): string | null {
  let text = first;
  while (text.endsWith('\\')) {
    const next = source.lines[source.at];
    if (next === undefined || next.trim() === END) break;
    source.at += 1;
    text = text.slice(0, -1) + next;
    if (text.length > MAX_TAG + MAX_VALUE + 2) break;
  }
  const colon = text.indexOf(':');
  const tag = text.slice(0, colon).trim().toLowerCase();
  const value = unquoted(text.slice(colon + 1).trim());
  if (tag.length > MAX_TAG || value.length > MAX_VALUE) return 'header too long, ignored';
  if (tag === 'comment') headers.comment = value;
  else if (tag === 'subject') headers.subject = value;
  else if (tag === 'x-fido-touch-required') headers.touchRequired = isTrue(value);
  else if (tag === 'x-fido-verify-required') headers.verifyRequired = isTrue(value);
  return null;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Booleans as everywhere in the configuration. */
function isTrue(value: string): boolean {
  return ['1', 'on', 'true', 'yes'].includes(value.toLowerCase());
}

/** `[options] type base64 [comment]`, or base64 alone. */
function readLine(line: string, number: number): AuthorizedKey | string {
  if (line.length > MAX_LINE) return `line too long (${line.length})`;
  let options: AuthorizedKeyOptions = { ...NO_OPTIONS, touchRequired: true };
  let rest = line;
  if (!isTypeName(firstWord(rest)) && !rest.startsWith('AAAA')) {
    const parsed = parseKeyOptions(rest);
    if (typeof parsed === 'string') return parsed;
    ({ options } = parsed);
    rest = parsed.rest;
  }
  const type = rest.startsWith('AAAA') ? null : firstWord(rest);
  if (type !== null && !isTypeName(type)) return 'not an OpenSSH key line, nor RFC 4716';
  if (type !== null) rest = rest.slice(type.length).trimStart();
  const base64 = firstWord(rest);
  const blob = decodeBlob(base64);
  if (typeof blob === 'string') return blob;
  if (type !== null && type !== typeNameOf(blob)) return 'the key is of another type than its line says';
  const comment = rest.slice(base64.length).trim();
  return {
    blob,
    line: number,
    format: 'openssh',
    comment: comment === '' ? null : comment,
    subject: null,
    options,
  };
}

function firstWord(text: string): string {
  return /^\S*/.exec(text)![0];
}

/** Names of types as they stand at the start of a line; certificates are recognised to be refused by name. */
function isTypeName(word: string): boolean {
  return /^(ssh|ecdsa|sk)-[a-z0-9-]+(@openssh\.com)?$/.test(word);
}

function decodeBlob(base64: string): Buffer | string {
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return 'key is not base64';
  const blob = Buffer.from(base64, 'base64');
  const type = typeNameOf(blob);
  if (type === null) return 'malformed key';
  if (type.includes('-cert-v01@')) return 'a certificate stands where a key belongs';
  if (keyTypeOfAlgorithm(type) === null) return 'unsupported key type';
  return blob;
}

function typeNameOf(blob: Buffer): string | null {
  try {
    return new ByteReader(blob).name();
  } catch (error) {
    if (error instanceof ByteError) return null;
    throw error;
  }
}
