/** Parameters of the SFTP directives (sftp-directives, section 2). */
import { activeProfile } from '../../crypto/profile.ts';
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import type {
  Settings,
  SftpClientMatch,
  SftpExtension,
  SftpHostKeySource,
  SftpKeyStore,
  SftpOption,
  SftpRekey,
} from './server-config.ts';
import { compilePosixRegex } from './values-regex.ts';
import { requireOffered } from './values-ssh-algorithms.ts';
import {
  expectCount,
  oneWord,
  readAbsolutePath,
  readBoolean,
  readInteger,
  readSize,
  someWords,
} from './values.ts';

const METHODS: readonly string[] = ['hostbased', 'keyboard-interactive', 'password', 'publickey'];

/** `a+b c`: chains, each to be passed in order; the first completed one logs in. */
export function sftpAuthMethods(input: ParseInput): readonly (readonly string[])[] {
  return someWords(input).map(readMethodChain);
}

function readMethodChain(word: string): readonly string[] {
  const methods = word.split('+');
  if (methods.includes('')) throw new ConfigError(`invalid authentication parameter: ${word}`);
  for (const method of methods) {
    const [name, driver] = method.split(':', 2);
    if (!METHODS.includes(name!)) throw new ConfigError(`unsupported authentication method '${method}'`);
    if (driver !== undefined && name !== 'keyboard-interactive')
      throw new ConfigError(`unsupported authentication method '${method}'`);
    if (driver !== undefined && driver !== 'otp')
      throw new ConfigError(`unsupported authentication method '${method}': no such driver`);
  }
  const once = methods.filter((method) => method !== 'publickey');
  if (new Set(once).size !== once.length)
    throw new ConfigError(`unsupportable chain of authentication methods '${word}'`);
  return methods;
}

/** `file:PATH ...`, tried left to right. */
export function sftpKeyStores(input: ParseInput): readonly SftpKeyStore[] {
  return someWords(input).map((word) => {
    const colon = word.indexOf(':');
    if (colon === -1) throw new ConfigError(`badly formatted parameter: '${word}'`);
    const kind = word.slice(0, colon);
    if (kind === 'sql') throw new ConfigError(`unsupported key store: '${word}' (mod_sftp_sql is not here)`);
    if (kind !== 'file') throw new ConfigError(`unsupported key store: '${word}'`);
    const path = word.slice(colon + 1);
    if (!path.startsWith('/') && !path.startsWith('~'))
      throw new ConfigError(`must be an absolute path: ${path}`);
    return { kind: 'file', path };
  });
}

const KEY_TYPES = ['RSA', 'DSA', 'ECDSA', 'ED25519'] as const;

/** `PATH`, `agent:SOCKET` or `NoRSA` and its kin. */
export function sftpHostKey(input: ParseInput): readonly SftpHostKeySource[] {
  const word = oneWord(input);
  const { location } = input;
  const without = KEY_TYPES.find((type) => `no${type}`.toLowerCase() === word.toLowerCase());
  if (without !== undefined) return [{ kind: 'without', type: without }];
  if (word.startsWith('agent:'))
    return [{ kind: 'agent', socket: readAbsolutePath(word.slice('agent:'.length)), location }];
  return [{ kind: 'file', path: readAbsolutePath(word), location }];
}

/** `none`, or the path of a dictionary; whether it is there shows at start. */
export function sftpKeyBlacklist(input: ParseInput): string | null {
  const word = oneWord(input);
  if (word.toLowerCase() === 'none') return null;
  if (!word.startsWith('/')) throw new ConfigError(`path '${word}' not an absolute path`);
  return word;
}

/** Environment names with `*` and `?`. */
export function sftpAcceptEnv(input: ParseInput): readonly string[] {
  return someWords(input).map((word) => {
    if (!/^[A-Za-z_*?][A-Za-z0-9_*?]{0,255}$/.test(word))
      throw new ConfigError(`invalid environment variable name: '${word}'`);
    return word;
  });
}

/** `count interval`; both 0: off. */
export function sftpClientAlive(input: ParseInput): Settings['sftpClientAlive'] {
  const [first, second] = expectCount(input, 2);
  const count = readInteger(first!, 0, 10_000);
  const interval = readInteger(second!, 0, 86_400);
  if (count === 0 || interval === 0) {
    if (count !== interval)
      throw new ConfigError('count and interval must both be greater than zero, or both zero');
    return null;
  }
  return { count, interval };
}

const MAX_PACKET_BYTES = 262_144;
const MAX_WINDOW_BYTES = 0xffff_ffff;

/** `pattern key value ...`. */
export function sftpClientMatch(input: ParseInput): readonly SftpClientMatch[] {
  const [pattern, ...pairs] = someWords(input);
  if (pairs.length === 0 || pairs.length % 2 !== 0) throw new ConfigError('wrong number of parameters');
  let match: SftpClientMatch = { pattern: compilePattern(pattern!) };
  for (let index = 0; index < pairs.length; index += 2)
    match = { ...match, ...clientMatchValue(pairs[index]!, pairs[index + 1]!) };
  return [match];
}

function compilePattern(pattern: string): RegExp {
  try {
    return compilePosixRegex(pattern, false);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`'${pattern}' failed regex compilation: ${error.message}`, { cause: error });
  }
}

function clientMatchValue(key: string, value: string): Partial<SftpClientMatch> {
  switch (key.toLowerCase()) {
    case 'channelwindowsize':
      return { channelWindowSize: Math.min(readSize(value, ''), MAX_WINDOW_BYTES) };
    case 'channelpacketsize': {
      const bytes = readSize(value, '');
      if (bytes < 1024) throw new ConfigError(`'channelPacketSize' value ${value} too small`);
      if (bytes > MAX_PACKET_BYTES)
        throw new ConfigError(
          `'channelPacketSize' value ${value} too large, must be less than ${MAX_PACKET_BYTES}B`,
        );
      return { channelPacketSize: bytes };
    }
    case 'sftpprotocolversion':
      return { sftpProtocolVersion: readVersions(value) };
    case 'sftputf8protocolversion':
      readInteger(value, 1, 6);
      return {};
    case 'sftpciphers':
      return { sftpCiphers: requireOffered(value.split(','), 'cipher') };
    case 'sftpdigests':
      return { sftpDigests: requireOffered(value.split(','), 'mac') };
    case 'sftphostkeys':
      return { sftpHostKeys: requireOffered(value.split(','), 'host-key') };
    case 'sftpkeyexchanges':
      return { sftpKeyExchanges: requireOffered(value.split(','), 'key-exchange') };
    case 'pessimisticnewkeys':
      return { pessimisticNewkeys: readBoolean(value) };
    default:
      throw new ConfigError(`unknown SFTPClientMatch key: '${key}'`);
  }
}

function readVersions(value: string): { readonly min: number; readonly max: number } {
  const range = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(value);
  if (range === null) throw new ConfigError(`badly formatted 'sftpProtocolVersion' value: ${value}`);
  const min = Number(range[1]);
  const max = Number(range[2] ?? range[1]);
  for (const version of [min, max]) {
    if (version < 1 || version > 6)
      throw new ConfigError(`'sftpProtocolVersion' value ${version} must be between 1 and 6`);
  }
  if (min > max) throw new ConfigError(`badly formatted 'sftpProtocolVersion' value: ${value}`);
  return { min, max };
}

const COMPRESSION = ['off', 'on', 'delayed'] as const;

/** A Boolean word, or `delayed`. */
export function sftpCompression(input: ParseInput): Settings['sftpCompression'] {
  const word = oneWord(input).toLowerCase();
  const found = COMPRESSION.find((setting) => setting === word);
  if (found !== undefined) return found;
  if (/^(?:yes|true|1)$/.test(word)) return 'on';
  if (/^(?:no|false|0)$/.test(word)) return 'off';
  throw new ConfigError(`unknown compression setting: ${word}`);
}

/** Names of SFTPExtensions, as the manual writes them. */
export const SFTP_EXTENSIONS: readonly SftpExtension[] = [
  'checkFile',
  'copyData',
  'copyFile',
  'fsync',
  'hardlink',
  'homeDirectory',
  'limits',
  'posixRename',
  'spaceAvailable',
  'statvfs',
  'userGroupNames',
  'vendorID',
  'versionSelect',
  'xattr',
];

/** `+name` and `-name` words. */
export function sftpExtensions(input: ParseInput): Settings['sftpExtensions'] {
  return someWords(input).map((word) => {
    if (!/^[+-]/.test(word)) throw new ConfigError(`bad option: '${word}'`);
    const name = SFTP_EXTENSIONS.find((known) => known.toLowerCase() === word.slice(1).toLowerCase());
    if (name === undefined) throw new ConfigError(`unknown extension: '${word.slice(1)}'`);
    return { name, enabled: word.startsWith('+') };
  });
}

const HASHES = ['sha256', 'sha1', 'md5'] as const;
const ENCODINGS = ['base64', 'hex', 'hex+colons'] as const;

/** `algorithm[+encoding]`. */
export function sftpKeyFingerprints(input: ParseInput): Settings['sftpKeyFingerprints'] {
  const word = oneWord(input);
  const [name, ...rest] = word.toLowerCase().split('+');
  const hash = HASHES.find((known) => known === name);
  const encoding = ENCODINGS.find((known) => known === (rest.length === 0 ? 'base64' : rest.join('+')));
  if (hash === undefined || encoding === undefined)
    throw new ConfigError(`unsupported key fingerprint format: '${word}'`);
  if (hash === 'md5' && activeProfile().fips)
    throw new ConfigError(
      `unsupported key fingerprint format: '${word}': forbidden by the FIPS profile: MD5 is not approved`,
    );
  return { hash, encoding };
}

/** `MinimumRSASize n` and its kin, any number of pairs. `base` holds what is not named. */
export function sftpKeyLimits(input: ParseInput, base: Settings['sftpKeyLimits']): Settings['sftpKeyLimits'] {
  const words = someWords(input);
  if (words.length % 2 !== 0) throw new ConfigError('wrong number of parameters');
  const limits = { ...base };
  for (let index = 0; index < words.length; index += 2) {
    const bits = readInteger(words[index + 1]!, 0, 16_384);
    const name = words[index]!.toLowerCase();
    if (name === 'minimumrsasize') limits.minimumRsaBits = bits;
    else if (name === 'minimumdsasize') limits.minimumDsaBits = bits;
    else if (name === 'minimumecsize') limits.minimumEcBits = bits;
    else throw new ConfigError(`unknown SFTPKeyLimit '${words[index]!}'`);
  }
  return limits;
}

const OPTIONS: readonly SftpOption[] = [
  'AllowInsecureLogin',
  'AllowWeakDH',
  'FIDOTouchRequired',
  'FIDOVerifyRequired',
  'IgnoreFIFOs',
  'IgnoreSCPUploadPerms',
  'IgnoreSCPUploadTimes',
  'IgnoreSFTPSetExtendedAttributes',
  'IgnoreSFTPSetOwners',
  'IgnoreSFTPSetPerms',
  'IgnoreSFTPSetTimes',
  'IgnoreSFTPUploadExtendedAttributes',
  'IgnoreSFTPUploadPerms',
  'IncludeSFTPTimes',
  'InsecureHostKeyPerms',
  'MatchKeySubject',
  'NoExtensionNegotiation',
  'NoHostkeyRotation',
  'NoStrictKex',
  'OldProtocolCompat',
  'PessimisticKexinit',
];

/** Option names; case counts, as in the original. */
export function sftpOptions(input: ParseInput): readonly SftpOption[] {
  return someWords(input).map((word) => {
    const option = OPTIONS.find((known) => known === word);
    if (option === undefined) throw new ConfigError(`unknown SFTPOption '${word}'`);
    return option;
  });
}

/** Behaviour that mod_sftp has on request and this server always. */
const ALWAYS_IN_FORCE: readonly string[] = [
  'IgnoreFIFOs',
  'IgnoreSFTPSetExtendedAttributes',
  'IgnoreSFTPUploadExtendedAttributes',
  'IncludeSFTPTimes',
];

/** What an operator should read about options that lower the guard, or that change nothing. */
export function warnSftpOptions(input: ParseInput): string | null {
  if (input.args.includes('NoStrictKex'))
    return 'NoStrictKex leaves sessions open to prefix truncation (Terrapin, CVE-2023-48795)';
  if (input.args.includes('AllowInsecureLogin'))
    return 'AllowInsecureLogin lets passwords travel where the cipher or MAC is none';
  const needless = input.args.filter((word) => ALWAYS_IN_FORCE.includes(word));
  return needless.length === 0 ? null : `${needless.join(', ')}: this server always does so`;
}

/** Keys that ask for what cannot be had otherwise. */
export function warnSftpClientMatch(input: ParseInput): string | null {
  const names = input.args.some((word) => word.toLowerCase() === 'sftputf8protocolversion');
  return names
    ? 'sftpUTF8ProtocolVersion has no effect: names are UTF-8 in every version of the protocol'
    : null;
}

const TRAFFIC_POLICIES = ['none', 'low', 'medium', 'high', 'paranoid', 'rogaway'] as const;

/** A policy's name. */
export function sftpTrafficPolicy(input: ParseInput): Settings['sftpTrafficPolicy'] {
  const word = oneWord(input);
  const policy = TRAFFIC_POLICIES.find((known) => known === word.toLowerCase());
  if (policy === undefined) throw new ConfigError(`'${word}' is not a recognized policy`);
  return policy;
}

const MEGABYTE = 1024 * 1024;
const DEFAULT_REKEY_SECONDS = 3600;
const DEFAULT_REKEY_MEGABYTES = 2048;

/** `none`, or `required [[interval MB] timeout]`: seconds, megabytes, seconds. One number alone is the interval. */
export function sftpRekey(input: ParseInput): SftpRekey {
  const [mode, ...numbers] = expectCount(input, 1, 4);
  const word = mode!.toLowerCase();
  if (word === 'none' && numbers.length === 0) return { kind: 'none' };
  if (word !== 'required') throw new ConfigError("expected either 'none' or 'required'");
  const [interval, megabytes, timeout] = numbers;
  const seconds = positive(interval, 'rekey interval', DEFAULT_REKEY_SECONDS);
  const bytes = rekeyMegabytes(megabytes) * MEGABYTE;
  return { kind: 'required', seconds, bytes, timeoutSeconds: positive(timeout, 'rekey timeout', 0) };
}

function positive(word: string | undefined, what: string, fallback: number): number {
  if (word === undefined) return fallback;
  const value = /^\d{1,9}$/.test(word) ? Number(word) : 0;
  if (value === 0) throw new ConfigError(`${what} '${word}' must be greater than zero`);
  return value;
}

function rekeyMegabytes(word: string | undefined): number {
  if (word === undefined) return DEFAULT_REKEY_MEGABYTES;
  if (!/^\d{1,9}$/.test(word) || Number(word) === 0)
    throw new ConfigError(`rekey MB '${word}' must be numeric`);
  return Number(word);
}
