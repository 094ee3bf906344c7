/** One command line (RFC 959, section 5.3): `VERB [SP argument]`, the verb without regard to case. */
import { isUtf8 } from 'node:buffer';
import { decodePathBytes } from '../../../src/util/path-text.ts';

export type CommandLine =
  | {
      readonly kind: 'command';
      /** Upper case. */
      readonly verb: string;
      /** Everything behind the first space, other spaces kept: they may belong to a name. */
      readonly argument: string;
      /** False: the bytes are no UTF-8. `argument` holds them escaped (path-text.ts), that of a login as Latin-1. */
      readonly wellEncoded: boolean;
    }
  /** Nothing that could be a command: empty, no printable verb, a NUL byte. */
  | { readonly kind: 'garbage' };

const GARBAGE: CommandLine = { kind: 'garbage' };
const SPACE = 0x20;
/** Names and passwords are text to compare and to hash: escaped bytes have no UTF-8. */
const loginVerbs: ReadonlySet<string> = new Set(['USER', 'PASS', 'ACCT']);

/** Never throws; `line` is one line without its end. */
export function parseCommandLine(line: Buffer): CommandLine {
  let start = 0;
  while (line[start] === SPACE) start += 1;
  let end = start;
  for (; end < line.length; end += 1) {
    const byte = line[end] as number;
    if (byte === SPACE) break;
    if (byte < 0x21 || byte > 0x7e) return GARBAGE;
  }
  if (end === start || line.includes(0, end)) return GARBAGE;
  const verb = line.toString('latin1', start, end).toUpperCase();
  if (end + 1 >= line.length) return { kind: 'command', verb, argument: '', wellEncoded: true };
  const rest = line.subarray(end + 1);
  const wellEncoded = isUtf8(rest);
  return {
    kind: 'command',
    verb,
    argument: loginVerbs.has(verb) && !wellEncoded ? rest.toString('latin1') : decodePathBytes(rest),
    wellEncoded,
  };
}

/** PASS with the blank forgotten: the password stands in the verb. */
export function loggedVerb(unknown: string): string {
  return unknown.startsWith('PASS') ? 'PASS' : unknown;
}

/** The words of an argument that is a list of parameters; empty for an empty one. */
export function splitWords(argument: string): string[] {
  return argument.split(' ').filter((word) => word !== '');
}

const HTTP_VERBS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);
const SMTP_VERBS = new Set(['DATA', 'EHLO', 'EXPN', 'HELO', 'MAIL', 'RCPT', 'RSET', 'VRFY']);

/**
 * The protocol a first command belongs to when it is not FTP's: a browser form or mail relay made to talk to this
 * port must not have the rest of its text taken for commands.
 */
export function foreignProtocol(verb: string): 'HTTP' | 'SMTP' | 'SSH2' | null {
  if (HTTP_VERBS.has(verb)) return 'HTTP';
  if (SMTP_VERBS.has(verb)) return 'SMTP';
  return verb.startsWith('SSH-') ? 'SSH2' : null;
}
