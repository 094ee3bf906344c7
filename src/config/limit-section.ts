/** The content of `<Limit>` (core reference, section 4.1). */
import { parseAddressPatterns } from './address-pattern.ts';
import { ConfigError } from './config-error.ts';
import { parseNameExpression } from './name-expression.ts';
import { compilePosixRegex } from './posix-regex.ts';
import type { LimitSection, SourceLocation } from './server-config.ts';

/** A `<Limit>` while its lines are read. */
export type LimitDraft = {
  -readonly [K in keyof LimitSection]: LimitSection[K] extends readonly (infer T)[] ? T[] : LimitSection[K];
};

/** An empty section for these commands and groups. Throws ConfigError (reason only) when there are none. */
export function newLimit(args: readonly string[], location: SourceLocation): LimitDraft {
  const commands = args.flatMap((arg) => arg.split(',')).filter((word) => word !== '');
  if (commands.length === 0) throw new ConfigError('missing parameters');
  return {
    commands: commands.map((command) => command.toUpperCase()),
    order: 'allow,deny',
    allowAll: false,
    denyAll: false,
    allowFrom: [],
    denyFrom: [],
    allowUser: [],
    denyUser: [],
    allowGroup: [],
    denyGroup: [],
    allowClass: [],
    denyClass: [],
    ignoreHidden: false,
    location,
  };
}

type LimitReader = (draft: LimitDraft, args: readonly string[]) => void;

const READERS = new Map<string, LimitReader>([
  ['order', (draft, args) => void (draft.order = readOrder(args))],
  ['allowall', (draft, args) => void (draft.allowAll = readNothing(args))],
  ['denyall', (draft, args) => void (draft.denyAll = readNothing(args))],
  ['allow', (draft, args) => void draft.allowFrom.push(...parseAddressPatterns(args))],
  ['deny', (draft, args) => void draft.denyFrom.push(...parseAddressPatterns(args))],
  ['allowuser', (draft, args) => void draft.allowUser.push(parseNameExpression(args, 'or'))],
  ['denyuser', (draft, args) => void draft.denyUser.push(parseNameExpression(args, 'or'))],
  ['allowgroup', (draft, args) => void draft.allowGroup.push(parseNameExpression(args, 'and'))],
  ['denygroup', (draft, args) => void draft.denyGroup.push(parseNameExpression(args, 'and'))],
  ['allowclass', (draft, args) => void draft.allowClass.push(parseNameExpression(args, 'or'))],
  ['denyclass', (draft, args) => void draft.denyClass.push(parseNameExpression(args, 'or'))],
  ['allowfilter', (draft, args) => void (draft.allowFilter = readFilter(args))],
  ['denyfilter', (draft, args) => void (draft.denyFilter = readFilter(args))],
  ['ignorehidden', (draft, args) => void (draft.ignoreHidden = readBoolean(args))],
]);

/** Takes one directive into a section; false when it is none of `<Limit>`'s. Throws ConfigError (reason only). */
export function readLimitDirective(draft: LimitDraft, name: string, args: readonly string[]): boolean {
  const reader = READERS.get(name.toLowerCase());
  if (reader === undefined) return false;
  reader(draft, args);
  return true;
}

/** True for directives that mean something of their own inside `<Limit>`. */
export function isLimitDirective(name: string): boolean {
  return READERS.has(name.toLowerCase());
}

function readOrder(args: readonly string[]): LimitSection['order'] {
  const text = args.join(',').toLowerCase().replace(/,+/g, ',');
  if (text === 'allow,deny' || text === 'deny,allow') return text;
  throw new ConfigError(args.length === 0 ? 'missing parameters' : `invalid argument '${args.join(' ')}'`);
}

function readNothing(args: readonly string[]): true {
  if (args.length > 0) throw new ConfigError('wrong number of parameters');
  return true;
}

function readFilter(args: readonly string[]): RegExp {
  const [source, flag] = args;
  if (source === undefined) throw new ConfigError('missing parameters');
  const ignoreCase = flag !== undefined && /^\[?(nc|nocase)\]?$/i.test(flag);
  if (args.length > 2 || (flag !== undefined && !ignoreCase)) {
    throw new ConfigError('wrong number of parameters');
  }
  return compilePosixRegex(source, ignoreCase);
}

function readBoolean(args: readonly string[]): boolean {
  if (args.length !== 1) {
    throw new ConfigError(args.length === 0 ? 'missing parameters' : 'wrong number of parameters');
  }
  const word = args[0]?.toLowerCase() ?? '';
  if (['on', 'yes', 'true', '1'].includes(word)) return true;
  if (['off', 'no', 'false', '0'].includes(word)) return false;
  throw new ConfigError('expected Boolean parameter');
}
