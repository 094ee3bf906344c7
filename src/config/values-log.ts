/** Parameters of the logging directives. */
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import type { ExtendedLogTarget, Settings } from './server-config.ts';
import { expectCount, readAbsolutePath, readChoice, readInteger, someWords } from './values.ts';

/** Log classes of ExtendedLog (reference, section 9). */
export const LOG_CLASSES: readonly string[] = [
  'ALL',
  'NONE',
  'AUTH',
  'INFO',
  'DIRS',
  'READ',
  'WRITE',
  'MISC',
  'SEC',
  'SSH',
  'SFTP',
  'CONNECT',
  'EXIT',
];

/** Verbs that may stand as `!VERB` without a `+` before them; behind a `+` any verb may (SSH request names too). */
const VERBS = new Set(
  (
    'ABOR ACCT ALLO APPE AUTH CCC CDUP CLNT CSID CWD DELE EPRT EPSV FEAT HELP HOST LANG LIST MDTM MFF MFMT MKD MLSD ' +
    'MLST MODE NLST NOOP OPTS PASS PASV PBSZ PORT PROT PWD QUIT RANG REIN REST RETR RMD RNFR RNTO SITE SIZE STAT ' +
    'STOR STOU STRU SYST TYPE USER XCUP XCWD XMKD XPWD XRMD'
  ).split(' '),
);

const LEVELS = ['emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug'] as const;
const LEVEL_ALIASES: Readonly<Record<string, string>> = { panic: 'emerg', err: 'error', warning: 'warn' };
const FACILITIES = [
  'auth',
  'authpriv',
  'cron',
  'daemon',
  'ftp',
  'kern',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
  'lpr',
  'mail',
  'news',
  'syslog',
  'user',
  'uucp',
] as const;

/** A syslog level by name, in lower case. */
export function readSyslogLevel(word: string): string {
  const name = word.toLowerCase();
  return readChoice(LEVEL_ALIASES[name] ?? name, LEVELS, 'unknown syslog level');
}

/** A syslog facility by name, in lower case. */
export function readSyslogFacility(word: string): string {
  return readChoice(word, FACILITIES, 'unknown syslog facility');
}

/** `path|syslog:LEVEL [classes[+commands]] [nickname]`. */
export function extendedLog(input: ParseInput): readonly ExtendedLogTarget[] {
  const [target, selection, nickname] = expectCount(input, 1, 3);
  const path = target!.toLowerCase().startsWith('syslog:')
    ? `syslog:${readSyslogLevel(target!.slice('syslog:'.length))}`
    : readAbsolutePath(target!);
  return [{ path, ...readLogSelection(selection ?? ''), format: nickname ?? 'default' }];
}

/** `READ,WRITE`, `ALL,!MISC`, `AUTH+STOR,!RETR`: classes and, behind a plus sign, single commands. */
function readLogSelection(text: string): Omit<ExtendedLogTarget, 'path' | 'format'> {
  const classes: string[] = [];
  const excludedClasses: string[] = [];
  const commands: string[] = [];
  const excludedCommands: string[] = [];
  let inCommands = false;
  for (const token of text.split(/(?=\+)|[,|\s]/).filter((part) => part !== '')) {
    if (token.startsWith('+')) inCommands = true;
    const bare = token.replace(/^[+!]+/, '').toUpperCase();
    const negated = token.includes('!');
    if (LOG_CLASSES.includes(bare) && !(inCommands && token.startsWith('+'))) {
      (negated ? excludedClasses : classes).push(bare);
    } else if ((inCommands && /^[A-Z][A-Z0-9_]{1,15}$/.test(bare)) || (negated && VERBS.has(bare))) {
      (negated ? excludedCommands : commands).push(bare);
    } else {
      throw new ConfigError(`invalid log class '${token}' in '${text}'`);
    }
  }
  return { classes, excludedClasses, commands, excludedCommands };
}

type LogOptions = Settings['logOptions'];
const LOG_OPTIONS = ['Hostname', 'VirtualHost', 'Timestamp', 'RoleBasedProcessLabels'] as const;
const LOG_OPTION_KEYS: Readonly<Record<(typeof LOG_OPTIONS)[number], keyof LogOptions | null>> = {
  Hostname: 'hostname',
  VirtualHost: 'virtualHost',
  Timestamp: 'timestamp',
  RoleBasedProcessLabels: null,
};

/** `+Name`, `-Name`: changes to the default prefix; names without a sign are the whole list. */
export function logOptions(input: ParseInput): LogOptions {
  const words = someWords(input);
  const edits = words.every((word) => /^[+-]/.test(word));
  const result = { hostname: edits, virtualHost: edits, timestamp: edits };
  for (const word of words) {
    const name = readChoice(word.replace(/^[+-]/, ''), LOG_OPTIONS, 'unknown LogOption');
    const key = LOG_OPTION_KEYS[name];
    if (key !== null) result[key] = !word.startsWith('-');
  }
  return result;
}

/** Names that have no counterpart here are told to the operator. */
export function warnLogOptions(input: ParseInput): string | null {
  const named = input.args.some((word) => /^\+?RoleBasedProcessLabels$/i.test(word));
  return named ? 'RoleBasedProcessLabels has no effect: there is one process' : null;
}

const MAX_TRACE_LEVEL = 100;

/** Channels on which a session writes something. */
export const TRACE_CHANNELS: readonly string[] = [
  'auth',
  'command',
  'config',
  'data',
  'response',
  'timer',
  'tls',
  'xfer',
];

/** Channels of the original that are silent here. */
export function warnTraceChannels(input: ParseInput): string | null {
  const silent = [...traceChannels(input).keys()].filter(
    (name) => name !== 'DEFAULT' && !TRACE_CHANNELS.includes(name),
  );
  return silent.length === 0
    ? null
    : `nothing is traced on ${silent.join(', ')}; channels: ${TRACE_CHANNELS.join(', ')}`;
}

/** `[session] channel[,channel]:level|min-max ...`. */
export function traceChannels(input: ParseInput): Settings['trace'] {
  const words = [...someWords(input)];
  if (words[0]!.toLowerCase() === 'session') words.shift();
  if (words.length === 0) throw new ConfigError('wrong number of parameters');
  const channels = new Map<string, { readonly min: number; readonly max: number }>();
  for (const word of words) {
    const parts = /^([\w.,*-]+):(\d{1,3})(?:-(\d{1,3}))?$/.exec(word);
    if (parts === null) throw new ConfigError(`badly formatted parameter: '${word}'`);
    const low = readInteger(parts[2]!, 0, MAX_TRACE_LEVEL);
    const high = parts[3] === undefined ? low : readInteger(parts[3], 0, MAX_TRACE_LEVEL);
    if (high < low) throw new ConfigError(`badly formatted level range: '${word}'`);
    const range = { min: parts[3] === undefined ? 0 : low, max: high };
    for (const name of parts[1]!.split(',').filter((channel) => channel !== '')) channels.set(name, range);
  }
  return channels;
}
