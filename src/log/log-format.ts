/** LogFormat strings, compiled once into a list of parts (ExtendedLog). */
import { basename, dirname } from 'node:path';
import { escapeControls } from './log-text.ts';
import type { CommandRecord, SessionFacts } from './session-log.ts';
import { logStamp, pad, shortMonth, clock, strftime, zoneOffset } from './strftime.ts';

/** What the variables of one line can look at. */
export interface LogFormatInput {
  readonly record: CommandRecord;
  readonly facts: SessionFacts;
  readonly serverName: string;
  /** Fully qualified name of the virtual host, for %V. */
  readonly serverHost: string;
  readonly version: string;
}

type Part = string | ((input: LogFormatInput) => string | number | null);

export type LogFormatter = (input: LogFormatInput) => string;

/** Commands whose argument is a secret. */
const HIDDEN_ARGUMENT = new Set(['PASS', 'ACCT', 'ADAT']);

export const DEFAULT_LOG_FORMAT = '%h %l %u %t "%r" %s %b';

type LoggedCommand = Pick<CommandRecord, 'verb' | 'argument' | 'classes'>;

/** A verb nobody knows may be a mistyped PASS, so its argument is hidden too. */
function loggedArgument(record: LoggedCommand): string {
  const isUnknown = record.classes.length === 0 && record.argument !== '';
  return isUnknown || HIDDEN_ARGUMENT.has(record.verb) ? '(hidden)' : record.argument;
}

/** The command line as a log may show it: secrets hidden. */
export function fullCommand(record: LoggedCommand): string {
  const argument = loggedArgument(record);
  return argument === '' ? record.verb : `${record.verb} ${argument}`;
}

/** CWD, MKD, LIST and their kin name a directory; a file command's directory is its parent. */
const DIRECTORY_VERBS = new Set([
  'CDUP',
  'CWD',
  'LIST',
  'MKD',
  'MLSD',
  'MLST',
  'NLST',
  'RMD',
  'XCUP',
  'XCWD',
  'XMKD',
  'XRMD',
]);

function directoryOf(record: CommandRecord, path: string | null): string | null {
  if (path === null) return null;
  return DIRECTORY_VERBS.has(record.verb) ? path : dirname(path);
}

const LETTERS: Readonly<Record<string, (input: LogFormatInput) => string | number | null>> = {
  a: ({ facts }) => facts.remoteAddress,
  A: ({ facts }) => facts.anonymousPassword ?? 'UNKNOWN',
  b: ({ record }) => record.transfer?.bytes ?? null,
  c: ({ facts }) => facts.className,
  d: ({ record }) => {
    const directory = directoryOf(record, record.clientPath);
    return directory === null ? null : basename(directory) || '/';
  },
  D: ({ record }) => directoryOf(record, record.clientPath),
  E: ({ facts }) => facts.endReason,
  f: ({ record }) => record.realPath,
  F: ({ record }) => record.clientPath,
  g: ({ facts }) => facts.group,
  h: ({ facts }) => facts.remoteName,
  H: ({ facts }) => facts.localAddress,
  I: ({ facts }) => facts.rawBytesIn,
  J: ({ record }) => loggedArgument(record) || null,
  l: ({ facts }) => facts.identUser ?? 'UNKNOWN',
  L: ({ facts }) => facts.localAddress,
  m: ({ record }) => record.verb,
  O: ({ facts }) => facts.rawBytesOut,
  p: ({ facts }) => facts.localPort,
  P: () => process.pid,
  r: ({ record }) => fullCommand(record),
  R: ({ record }) => Math.round(record.milliseconds),
  // SFTP's 0 is an answer, OK; without a text there was none.
  s: ({ record }) => (record.replyCode === 0 && record.replyText === '' ? null : record.replyCode),
  S: ({ record }) => record.replyText || null,
  t: ({ record }) => apacheTime(record.receivedAt),
  T: ({ record }) => (record.transfer === null ? null : (record.transfer.milliseconds / 1000).toFixed(3)),
  u: ({ facts }) => facts.user,
  U: ({ facts }) => facts.loginName,
  v: ({ serverName }) => serverName,
  V: ({ serverHost }) => serverHost,
  w: ({ record }) => record.renameFrom,
};

const NAMES: Readonly<Record<string, (input: LogFormatInput) => string | number | null>> = {
  basename: ({ record }) => (record.clientPath === null ? null : basename(record.clientPath) || '/'),
  epoch: ({ record }) => Math.floor(record.receivedAt.getTime() / 1000),
  'file-modified': ({ record }) => (record.transfer === null ? null : String(record.transfer.fileModified)),
  'file-offset': ({ record }) => record.transfer?.offset ?? null,
  'file-size': ({ record }) => record.transfer?.fileSize ?? null,
  gid: ({ facts }) => facts.gid,
  uid: ({ facts }) => facts.uid,
  iso8601: ({ record }) => `${logStamp(record.receivedAt)} ${zoneOffset(record.receivedAt)}`,
  millisecs: ({ record }) => pad(record.receivedAt.getMilliseconds(), 3),
  microsecs: ({ record }) => pad(record.receivedAt.getMilliseconds() * 1000, 6),
  protocol: ({ record, facts }) => record.protocol ?? facts.protocol,
  'remote-port': ({ facts }) => facts.remotePort,
  'transfer-failure': ({ record }) => record.transfer?.failure ?? null,
  'transfer-millisecs': ({ record }) =>
    record.transfer === null ? null : Math.round(record.transfer.milliseconds),
  'transfer-port': ({ record }) => record.transfer?.port ?? null,
  'transfer-speed': ({ record }) => transferSpeed(record),
  'transfer-status': ({ record }) => record.transfer?.status ?? null,
  'transfer-type': ({ record }) =>
    record.transfer === null ? null : record.transfer.ascii ? 'ASCII' : 'binary',
  version: ({ version }) => version,
};

/** `[dd/Mon/YYYY:HH:MM:SS +ZZZZ]`. */
function apacheTime(at: Date): string {
  return `[${pad(at.getDate())}/${shortMonth(at)}/${at.getFullYear()}:${clock(at)} ${zoneOffset(at)}]`;
}

/** Kilobytes per second of the transfer, three decimals. */
function transferSpeed(record: CommandRecord): string | null {
  if (record.transfer === null) return null;
  const seconds = Math.max(record.transfer.milliseconds, 1) / 1000;
  return (record.transfer.bytes / 1024 / seconds).toFixed(3);
}

const VARIABLE = /%(?:\{([^}]*)\}([A-Za-z])?|([A-Za-z%]))/g;

/** True when every variable of the format is known; otherwise the first unknown one. */
export function unknownVariable(format: string): string | null {
  for (const match of format.matchAll(VARIABLE)) {
    if (match[3] !== undefined) {
      if (match[3] !== '%' && !(match[3] in LETTERS)) return match[0];
    } else if (!namedPartIsKnown(match[1] ?? '', match[2])) return match[0];
  }
  return null;
}

function namedPartIsKnown(name: string, letter: string | undefined): boolean {
  return (
    letter === 'e' ||
    letter === 't' ||
    name in NAMES ||
    /^(note|env|time):/.test(name) ||
    name === 'UNIQUE_ID'
  );
}

/** `%{NAME}e`, `%{FORMAT}t` consume their letter; after any other name it is ordinary text. */
function namedPart(name: string, letter: string | undefined): Part[] {
  if (letter === 'e') return [({ facts }) => facts.environment.get(name) ?? process.env[name] ?? null];
  if (letter === 't') return [({ record }) => strftime(name, record.receivedAt)];
  const rest = letter ?? '';
  const known = NAMES[name];
  if (known !== undefined) return [known, rest];
  if (name.startsWith('note:')) return [({ facts }) => facts.notes.get(name.slice(5)) ?? null, rest];
  if (name.startsWith('env:'))
    return [({ facts }) => facts.environment.get(name.slice(4)) ?? process.env[name.slice(4)] ?? null, rest];
  if (name.startsWith('time:')) return [({ record }) => strftime(name.slice(5), record.receivedAt), rest];
  return [() => null, rest];
}

/** Compiles a LogFormat; values that are not available print `-`, and control characters never pass. */
export function compileLogFormat(format: string): LogFormatter {
  const parts: Part[] = [];
  let from = 0;
  for (const match of format.matchAll(VARIABLE)) {
    parts.push(format.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[3] === '%') parts.push('%');
    else if (match[3] !== undefined) parts.push(LETTERS[match[3]] ?? match[0]);
    else parts.push(...namedPart(match[1] ?? '', match[2]));
  }
  parts.push(format.slice(from));
  const filled = parts.filter((part) => part !== '');
  return (input) => {
    let line = '';
    for (const part of filled) line += typeof part === 'string' ? part : printed(part(input));
    return line;
  };
}

function printed(value: string | number | null): string {
  if (value === null || value === '') return '-';
  return typeof value === 'number' ? String(value) : escapeControls(value);
}
