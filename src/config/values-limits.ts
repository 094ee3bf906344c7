/** Parameters of counts, rates, file sizes and conditional paths. */
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import { parseNameExpression } from './name-expression.ts';
import type {
  Conditional,
  CreateHome,
  LimitWithMessage,
  PasswordFileFilter,
  RootedDirectory,
  TransferRateLimit,
} from './server-config.ts';
import {
  conditional,
  expectCount,
  isSizeUnit,
  readAbsolutePath,
  readBoolean,
  readDuration,
  readInteger,
  readOctal,
  readSize,
  someWords,
} from './values.ts';
import { readFilter } from './values-regex.ts';

const MAX_COUNT = 1_000_000;
const MAX_ID = 4_294_967_294;
const TRANSFER_COMMANDS = new Set(['APPE', 'RETR', 'STOR', 'STOU']);

/** `N|none`, with 0 for none. */
export function readLimit(word: string): number {
  if (word.toLowerCase() === 'none') return 0;
  if (!/^\d{1,7}$/.test(word) || Number(word) < 1 || Number(word) > MAX_COUNT) {
    throw new ConfigError(`parameter must be 'none' or a number between 1 and ${MAX_COUNT}: '${word}'`);
  }
  return Number(word);
}

/** `N|none ["message"]`; in the message `%m` stands for N. */
export function limitWithMessage(input: ParseInput): LimitWithMessage {
  const [count, message] = expectCount(input, 1, 2);
  return withMessage(readLimit(count!), message);
}

function withMessage(count: number, message: string | undefined): LimitWithMessage {
  return message === undefined ? { count } : { count, message };
}

/** `class N|none ["message"]`. */
export function classLimit(
  input: ParseInput,
): readonly (LimitWithMessage & { readonly className: string })[] {
  const [className, count, message] = expectCount(input, 2, 3);
  return [{ ...withMessage(readLimit(count!), message), className: className! }];
}

/** `APPE,STOR ...` in upper case. */
export function readTransferCommands(word: string): readonly string[] {
  const commands = word.toUpperCase().split(',');
  for (const command of commands) {
    if (!TRANSFER_COMMANDS.has(command))
      throw new ConfigError(`invalid FTP data transfer command: '${command}'`);
  }
  return commands;
}

/** `commands N|none ["message"]`. */
export function transferLimit(
  input: ParseInput,
): readonly (LimitWithMessage & { readonly commands: readonly string[] })[] {
  const [commands, count, message] = expectCount(input, 2, 3);
  return [{ ...withMessage(readLimit(count!), message), commands: readTransferCommands(commands!) }];
}

/** `N units|* [user|group|class expression]`; 0 for `*`, no limit. */
export function fileSizeLimit(input: ParseInput): readonly Conditional<number>[] {
  const words = someWords(input);
  const rest = words.slice(1);
  const unit = rest[0] !== undefined && isSizeUnit(rest[0]) ? rest.shift()! : '';
  if (words[0] === '*') return [conditional(0, rest)];
  const bytes = readSize(words[0]!, unit);
  if (bytes === 0) throw new ConfigError('size must be greater than zero');
  return [conditional(bytes, rest)];
}

/** `commands kilobytes[:free-bytes] [user|group|class expression]`. */
export function transferRate(input: ParseInput): readonly Conditional<TransferRateLimit>[] {
  const [commands, rate, ...rest] = expectCount(input, 2, Number.MAX_SAFE_INTEGER);
  const parts = /^(\d{1,9}(?:\.\d{1,6})?)(?::(\d{1,15}))?$/.exec(rate!);
  if (parts === null) throw new ConfigError(`invalid rate: '${rate!}'`);
  const kilobytesPerSecond = Number(parts[1]);
  if (kilobytesPerSecond <= 0) throw new ConfigError('rate must be greater than zero');
  const limit = {
    commands: readTransferCommands(commands!),
    kilobytesPerSecond,
    freeBytes: Number(parts[2] ?? 0),
  };
  return [conditional(limit, rest)];
}

/** `seconds [user|group|class expression]`. */
export function sessionTimeout(input: ParseInput): readonly Conditional<number>[] {
  const [seconds, ...rest] = someWords(input);
  return [conditional(readDuration(seconds!), rest)];
}

/** `N [seconds]`: so many events in an interval of one second by default; `none` for no limit. */
export function rateLimit(input: ParseInput): { readonly count: number; readonly seconds: number } | null {
  const [count, seconds] = expectCount(input, 1, 2);
  if (count!.toLowerCase() === 'none' && seconds === undefined) return null;
  const interval = seconds === undefined ? 1 : readDuration(seconds);
  if (interval < 1) throw new ConfigError(`invalid interval: '${seconds!}'`);
  return { count: readInteger(count!, 1, MAX_COUNT), seconds: interval };
}

/** `path [group-expression]`: an absolute path or one that starts with `~`; comma means AND, `!` not. */
export function rootedDirectory(input: ParseInput): readonly RootedDirectory[] {
  const [path, ...groups] = someWords(input);
  if (!path!.startsWith('/') && !path!.startsWith('~')) {
    throw new ConfigError(`(${path!}) absolute pathname required`);
  }
  return [
    groups.length === 0 ? { path: path! } : { path: path!, groups: parseNameExpression(groups, 'and') },
  ];
}

/** `path [id min-max] [home regex] [name regex]`. */
export function passwordFile(input: ParseInput): readonly PasswordFileFilter[] {
  const words = someWords(input);
  const filter: { -readonly [K in keyof PasswordFileFilter]: PasswordFileFilter[K] } = {
    path: readAbsolutePath(words[0]!),
  };
  for (let index = 1; index < words.length; index += 2) {
    const value = words[index + 1];
    if (value === undefined) throw new ConfigError('wrong number of parameters');
    switch (words[index]!.toLowerCase()) {
      case 'id':
        filter.ids = readIdRange(value);
        break;
      case 'home':
        if (input.name.toLowerCase() !== 'authuserfile')
          throw new ConfigError(`unknown restriction '${words[index]!}'`);
        filter.home = readFilter([value]);
        break;
      case 'name':
        filter.name = readFilter([value]);
        break;
      default:
        throw new ConfigError(`unknown restriction '${words[index]!}'`);
    }
  }
  return [filter];
}

function readIdRange(word: string): { readonly min: number; readonly max: number } {
  const range = /^(\d{1,10})-(\d{1,10})$/.exec(word);
  if (range === null) throw new ConfigError(`badly formatted ID restriction: '${word}'`);
  const [min, max] = [readInteger(range[1]!, 0, MAX_ID), readInteger(range[2]!, 0, MAX_ID)];
  if (min > max) throw new ConfigError(`badly formatted ID restriction: '${word}'`);
  return { min, max };
}

const HOME_DEFAULTS: CreateHome = {
  enabled: false,
  mode: 0o700,
  directoryMode: 0o711,
  noRootPrivileges: false,
};

/** `off | on [mode] [skel path] [dirmode mode] [uid u] [gid g] [homegid g] [NoRootPrivs]`. */
export function createHome(input: ParseInput): CreateHome {
  const words = [...someWords(input)];
  const enabled = readBoolean(words.shift()!);
  if (!enabled) {
    if (words.length > 0) throw new ConfigError('wrong number of parameters');
    return HOME_DEFAULTS;
  }
  const result: { -readonly [K in keyof CreateHome]: CreateHome[K] } = { ...HOME_DEFAULTS, enabled };
  if (words[0] !== undefined && /^\d/.test(words[0])) result.mode = readOctal(words.shift()!, 'mode', 0o7777);
  while (words.length > 0) {
    const keyword = words.shift()!;
    if (keyword.toLowerCase() === 'norootprivs') {
      result.noRootPrivileges = true;
      continue;
    }
    const value = words.shift();
    if (value === undefined) throw new ConfigError(`missing parameter for '${keyword}'`);
    readHomeOption(result, keyword, value);
  }
  return result;
}

function readHomeOption(
  result: { -readonly [K in keyof CreateHome]: CreateHome[K] },
  keyword: string,
  value: string,
): void {
  const idOrSelf = (): number | '~' => (value === '~' ? '~' : readInteger(value, 0, MAX_ID));
  switch (keyword.toLowerCase()) {
    case 'skel':
      result.skeleton = readAbsolutePath(value);
      break;
    case 'dirmode':
      result.directoryMode = readOctal(value, 'mode', 0o7777);
      break;
    case 'uid':
      result.uid = idOrSelf();
      break;
    case 'gid':
      result.gid = idOrSelf();
      break;
    case 'homegid':
      result.homeGid = readInteger(value, 0, MAX_ID);
      break;
    default:
      throw new ConfigError(`unknown parameter: '${keyword}'`);
  }
}
