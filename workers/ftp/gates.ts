/**
 * What stands between a command line and its `run`: one list, one order, for every command.
 *
 *   known -> TLS policy -> login -> encoding and number of words -> RNFR's successor -> filters -> <Limit>
 *
 * Whether a transfer runs is the queue's question: only rows with `duringTransfer` reach this point while one does.
 * `<Limit>` of a path is asked by the file system with the resolved path; here it is asked for what has no path.
 */
import type { PathConfig } from '../../src/config/effective-config.ts';
import { evaluateLimits } from '../../src/config/limit-evaluation.ts';
import { inLimitAll, limitGroupsOf } from '../../src/config/limit-groups.ts';
import type { Filter } from '../../src/config/server-config.ts';
import type { FtpCommand } from './command.ts';
import type { FtpSession } from './session-types.ts';
import { loggedVerb, splitWords } from './wire/command-line.ts';
import { reply, type Reply } from './wire/reply.ts';

/** A command line that named a verb. */
export interface ReceivedCommand {
  readonly verb: string;
  readonly argument: string;
  readonly wellEncoded: boolean;
}

export type GateResult =
  | { readonly kind: 'run'; readonly command: FtpCommand }
  | { readonly kind: 'refused'; readonly command: FtpCommand | null; readonly reply: Reply };

const NOT_LOGGED_IN = reply(530, 'Please login with USER and PASS');
const WRONG_COUNT = reply(501, 'Invalid number of parameters');
const BAD_SEQUENCE = reply(501, 'Bad sequence of commands');

/**
 * `<Limit ALL>` is written to shut files off, with the permitted commands beside it. Commands that touch none and
 * that every client sends (TYPE, SYST, REST ...) are refused only where a section names them.
 */
const coveredByAll: ReadonlySet<string> = new Set([
  ...['CCC', 'FEAT', 'HELP', 'LANG', 'NOOP', 'PWD', 'SITE', 'SSCN', 'XPWD'],
]);

/** Verbs that exist only where TLSEngine is on. */
const tlsVerbs: ReadonlySet<string> = new Set(['AUTH', 'CCC', 'PBSZ', 'PROT', 'SSCN']);

/** Asks every gate in order; the first that refuses answers. */
export function passGates(session: FtpSession, received: ReceivedCommand): GateResult {
  const { verb, argument } = received;
  const found = session.commands.get(verb) ?? null;
  const command = found !== null && tlsVerbs.has(verb) && !session.protection.enabled ? null : found;
  const tlsRefusal = session.protection.refuse(
    command,
    command === null ? loggedVerb(verb) : verb,
    session.login.kind === 'logged-in' ? session.vfs.cwd : null,
  );
  if (tlsRefusal !== null) return { kind: 'refused', command, reply: tlsRefusal };
  if (command === null) return { kind: 'refused', command, reply: reply(500, `${verb} not understood`) };
  const refusal = refuse(session, command, received);
  if (refusal !== null) return { kind: 'refused', command, reply: refusal };
  if (isLimited(session, verb, argument, command)) {
    return { kind: 'refused', command, reply: limitReply(verb, argument) };
  }
  return { kind: 'run', command };
}

function refuse(session: FtpSession, command: FtpCommand, received: ReceivedCommand): Reply | null {
  const { argument } = received;
  if (!command.implemented) return reply(502, `${received.verb} command not implemented`);
  if (command.phase === 'login' && session.login.kind !== 'logged-in') return NOT_LOGGED_IN;
  if (!received.wellEncoded && !command.isLoginCommand && session.utf8) {
    return reply(550, `${argument}: Illegal character sequence in filename`);
  }
  if (!hasRightCount(command, argument)) return WRONG_COUNT;
  if (session.renameFrom !== null && !command.keepsRename) {
    session.renameFrom = null;
    return BAD_SEQUENCE;
  }
  if (argument !== '' && !command.isLoginCommand && !filtersAllow(session.directoryConfig, argument)) {
    return reply(550, `${argument}: Forbidden command argument`);
  }
  return null;
}

function hasRightCount(command: FtpCommand, argument: string): boolean {
  if (command.argumentCount === null) return true;
  const [min, max] = command.argumentCount;
  if (argument === '') return min === 0;
  const count = splitWords(argument).length;
  return count >= min && count <= max;
}

/** AllowFilter and DenyFilter (core reference, section 4.5). */
function filtersAllow(config: PathConfig, argument: string): boolean {
  const { allowFilter, denyFilter } = config.settings;
  return (
    (allowFilter === null || matches(allowFilter, argument)) &&
    (denyFilter === null || !matches(denyFilter, argument))
  );
}

function matches(filter: Filter, text: string): boolean {
  return filter.pattern.test(text) !== filter.negate;
}

/** `<Limit>` for a command without a path. Rows of a file group are left to the file system. */
function isLimited(session: FtpSession, verb: string, argument: string, command: FtpCommand): boolean {
  if (command.limitGroup !== null) return false;
  return isDenied(session, verb, argument, command.inLimitAll && coveredByAll.has(verb));
}

/** Whether `<Limit>` denies this verb here; `underAll` false: only sections that name it or its group count. */
export function isDenied(session: FtpSession, verb: string, argument: string, underAll: boolean): boolean {
  const { limitLevels } = session.directoryConfig;
  if (limitLevels.length === 0) return false;
  const limited = { verb, groups: limitGroupsOf(verb), inAll: underAll && inLimitAll(verb), argument };
  return evaluateLimits(limitLevels, limited, session.config.principal).decision === 'deny';
}

/** The answer to a command that `<Limit>` denies (core reference, section 4.1). */
function limitReply(verb: string, argument: string): Reply {
  switch (verb) {
    case 'PROT':
    case 'CCC':
      return reply(534, 'Unwilling to accept security parameters');
    case 'PASV':
    case 'EPSV':
    case 'PORT':
    case 'EPRT':
    case 'HELP':
    case 'OPTS':
      return reply(501, `${verb}: Operation not permitted`);
    case 'FEAT':
      return reply(500, `${verb}: Operation not permitted`);
    case 'NOOP':
    case 'PWD':
    case 'XPWD':
      return reply(550, `${verb}: Operation not permitted`);
    default:
      return reply(550, `${argument === '' ? verb : argument}: Permission denied`);
  }
}
