/** The one-line records of the scp protocol, `\n` cut (sftp-protocol reference, section 14). */
import { pathTextBytes } from '../../../src/util/path-text.ts';

export type ScpRecord =
  /** C: a file follows, `size` bytes of it. */
  | { readonly kind: 'file'; readonly mode: number; readonly size: number; readonly name: string }
  /** D: what follows is inside this directory. */
  | { readonly kind: 'directory'; readonly mode: number; readonly name: string }
  /** E: back to the parent. */
  | { readonly kind: 'end' }
  /** T: times of the C or D that follows, in whole seconds since the epoch. */
  | { readonly kind: 'times'; readonly modified: number; readonly accessed: number }
  /** 1 and 2: the other side tells of an error. */
  | { readonly kind: 'warning' | 'fatal'; readonly text: string };

/** A record that breaks the protocol; the message is what scp clients know. */
export class ScpRecordError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScpRecordError';
  }
}

/** Beyond this a time is no date (ECMAScript), and no file system stores it either. */
const LARGEST_TIME = 8_640_000_000_000;

/** Throws ScpRecordError with the original's words. */
export function parseRecord(line: string): ScpRecord {
  const rest = line.slice(1);
  switch (line[0]) {
    case 'C':
    case 'D':
      return entryRecord(line[0] === 'C' ? 'file' : 'directory', rest);
    case 'E':
      return { kind: 'end' };
    case 'T':
      return timesRecord(rest);
    case '\u0001':
      return { kind: 'warning', text: rest };
    case '\u0002':
      return { kind: 'fatal', text: rest };
    default:
      throw new ScpRecordError('expected control message');
  }
}

function entryRecord(kind: 'file' | 'directory', rest: string): ScpRecord {
  const mode = rest.slice(0, 4);
  if (!/^[0-7]{4}$/.test(mode)) throw new ScpRecordError('bad mode');
  if (rest[4] !== ' ') throw new ScpRecordError('mode not delimited');
  const sizeEnd = rest.indexOf(' ', 5);
  const digits = rest.slice(5, sizeEnd);
  if (sizeEnd === -1 || !/^\d+$/.test(digits)) throw new ScpRecordError('file size not delimited');
  const size = Number(digits);
  if (!Number.isSafeInteger(size)) throw new ScpRecordError('file size out of range');
  const name = rest.slice(sizeEnd + 1);
  // A peer names entries of the directory it was given, and nothing else (CVE-2019-6111).
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new ScpRecordError(`unexpected filename: ${name}`);
  const permissions = Number.parseInt(mode, 8);
  return kind === 'file' ? { kind, mode: permissions, size, name } : { kind, mode: permissions, name };
}

const TIME_FIELDS = ['mtime secs', 'mtime usecs', 'atime secs', 'atime usecs'];

function timesRecord(rest: string): ScpRecord {
  const words = rest.split(' ');
  for (const [index, field] of TIME_FIELDS.entries()) {
    if (!/^\d+$/.test(words[index] ?? '') || Number(words[index]) > LARGEST_TIME)
      throw new ScpRecordError(`${field} not delimited`);
  }
  if (words.length !== TIME_FIELDS.length) throw new ScpRecordError('atime usecs not delimited');
  return { kind: 'times', modified: Number(words[0]), accessed: Number(words[2]) };
}

/** A line for the client, `\n` included; line breaks in names cannot make a second record. */
export function encodeRecord(record: Exclude<ScpRecord, { kind: 'warning' | 'fatal' }>): Buffer {
  switch (record.kind) {
    case 'file':
      return line(`C${octal(record.mode)} ${record.size} ${record.name}`);
    case 'directory':
      return line(`D${octal(record.mode)} 0 ${record.name}`);
    case 'times':
      return line(`T${record.modified} 0 ${record.accessed} 0`);
    case 'end':
      return line('E');
  }
}

/** `scp: TEXT` behind a byte 1 (go on) or 2 (the end). */
export function encodeError(kind: 'warning' | 'fatal', text: string): Buffer {
  return line(`${kind === 'warning' ? '\u0001' : '\u0002'}scp: ${text}`);
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

function line(text: string): Buffer {
  return pathTextBytes(`${text.replaceAll('\n', '?')}\n`);
}
