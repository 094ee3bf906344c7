/** Parameters of the TLS directives (ftps-directives, section 1). */
import { createSecureContext } from 'node:tls';
import { activeProfile } from '../../crypto/profile.ts';
import {
  forbiddenCipher,
  forbiddenGroup,
  forbiddenOption,
  forbiddenProtocol,
  forbiddenSuite,
} from '../../crypto/profile-rules.ts';
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import type { Settings, TlsOption, TlsRenegotiate, TlsRequired, TlsVersion } from './server-config.ts';
import { booleanOrNull, expectCount, oneWord, readChoice, readDuration, someWords } from './values.ts';

const VERSIONS: readonly TlsVersion[] = ['SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
/** `ALL` and `SSLv23`; SSLv3 is not in any current library. */
const ALL_VERSIONS: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** A version by its name, whatever a profile says of it. */
export function readVersion(word: string): TlsVersion {
  const name = word.toLowerCase() === 'tlsv1.0' ? 'TLSv1' : word;
  const version = VERSIONS.find((known) => known.toLowerCase() === name.toLowerCase());
  if (version === undefined) throw new ConfigError(`unknown protocol: '${word}'`);
  return version;
}

/** A version that is to be offered. */
function readOffered(word: string): TlsVersion {
  const version = readVersion(word);
  requireAllowed(forbiddenProtocol(version, activeProfile()));
  return version;
}

/** `ALL` and `SSLv23` stand for what is there: a profile's own limits are no error of whoever wrote them. */
function allVersions(): readonly TlsVersion[] {
  return ALL_VERSIONS.filter((version) => forbiddenProtocol(version, activeProfile()) === null);
}

/** Throws what a profile says against a name. */
function requireAllowed(refusal: string | null): void {
  if (refusal !== null) throw new ConfigError(refusal);
}

/** `v1 [v2 ...]`, `SSLv23`, or `ALL [+|-]v ...`; in the order of the versions. */
export function tlsProtocol(input: ParseInput): readonly TlsVersion[] {
  const words = someWords(input);
  const chosen = new Set<TlsVersion>();
  if (words[0]!.toLowerCase() === 'all') {
    for (const version of allVersions()) chosen.add(version);
    for (const word of words.slice(1)) {
      if (!/^[+-]/.test(word)) throw new ConfigError(`missing required +/- prefix: ${word}`);
      if (word.startsWith('+')) chosen.add(readOffered(word.slice(1)));
      else chosen.delete(readVersion(word.slice(1)));
    }
  } else {
    for (const word of words) {
      if (word.toLowerCase() === 'sslv23') for (const version of allVersions()) chosen.add(version);
      else chosen.add(readOffered(word));
    }
  }
  return requireUsable(chosen);
}

/** The versions in order; SSLv3 alone, or nothing at all, could serve nobody. */
export function requireUsable(chosen: ReadonlySet<TlsVersion>): readonly TlsVersion[] {
  const versions = VERSIONS.filter((version) => chosen.has(version));
  if (!versions.some((version) => version !== 'SSLv3')) {
    throw new ConfigError('no protocol version remains that this server can speak (TLSv1.2, TLSv1.3)');
  }
  return versions;
}

/** What an operator should know about a list of versions. */
export function warnTlsProtocol(versions: readonly TlsVersion[]): string | null {
  if (versions.includes('SSLv3')) return 'SSLv3 is not available in this library and is left out';
  if (!versions.includes('TLSv1.2') && !versions.includes('TLSv1.3')) {
    return `modern clients cannot connect with ${versions.join(' and ')} alone; add TLSv1.2 and TLSv1.3`;
  }
  return null;
}

const SUITES_13 = new Set([
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_CCM_SHA256',
  'TLS_AES_128_CCM_8_SHA256',
]);
const DEFAULT_CIPHERS = 'DEFAULT:!ADH:!EXPORT:!DES';

type CipherSettings = Partial<Pick<Settings, 'tlsCipherSuite' | 'tlsCipherSuite13'>>;

/** `[TLSv1|TLSv1.1|TLSv1.2|TLSv1.3] list`: one list for TLS 1.3, one for the versions before it. */
export function tlsCipherSuite(input: ParseInput): CipherSettings {
  const words = expectCount(input, 1, 2);
  const version = words.length === 2 ? readVersion(words[0]!) : null;
  const list = words[words.length - 1]!;
  if (version === 'TLSv1.3') return { tlsCipherSuite13: readSuites13(list) };
  if (isSystemProfile(list)) return { tlsCipherSuite: DEFAULT_CIPHERS };
  if (/(?:^|[:+!-])TLS_[A-Z0-9_]+/.test(list)) {
    throw new ConfigError(
      `use of TLSv1.3 ciphersuite in '${list}' requires protocol parameter; use 'TLSCipherSuite TLSv1.3 ${list}'`,
    );
  }
  // The default's own text asks for nothing; every profile has its own default.
  if (list !== DEFAULT_CIPHERS) requireAllowed(forbiddenCipher(list, activeProfile()));
  requireAccepted(`unable to use ciphersuite '${list}'`, () => createSecureContext({ ciphers: list }));
  return { tlsCipherSuite: list };
}

function readSuites13(list: string): string {
  const names = list.split(':').filter((name) => name !== '');
  const unknown = names.find((name) => !SUITES_13.has(name));
  if (names.length === 0 || unknown !== undefined) {
    throw new ConfigError(`unable to use ciphersuite '${list}': no cipher match`);
  }
  requireAllowed(forbiddenSuite(list, activeProfile()));
  return list;
}

/** `PROFILE=SYSTEM` of Red Hat: a patch to their library, which this server does not use. */
export function isSystemProfile(list: string): boolean {
  return /^PROFILE=/i.test(list);
}

/** Told to whoever wrote `PROFILE=SYSTEM`. */
export function warnTlsCipherSuite(input: ParseInput): string | null {
  const list = input.args[input.args.length - 1] ?? '';
  return isSystemProfile(list)
    ? `'${list}' needs the distribution's own library; '${DEFAULT_CIPHERS}' is used instead`
    : null;
}

/** Lets the library judge a list; its reason without the error number. */
function requireAccepted(prefix: string, attempt: () => unknown): void {
  try {
    attempt();
  } catch (error) {
    const text = error instanceof Error ? error.message : 'unknown';
    const reason = /:([^:]+)$/.exec(text)?.[1]?.trim() ?? text;
    throw new ConfigError(`${prefix}: ${reason}`, { cause: error });
  }
}

/** `name[:name ...]`, or null for `auto`. */
export function tlsCurves(input: ParseInput): string | null {
  const names = oneWord(input);
  if (names.toLowerCase() === 'auto') return null;
  requireAllowed(forbiddenGroup(names, activeProfile()));
  requireAccepted(`unable to use curve '${names}'`, () => createSecureContext({ ecdhCurve: names }));
  return names;
}

const OPTIONS: readonly TlsOption[] = [
  'AllowClientRenegotiations',
  'AllowDotLogin',
  'AllowPerUser',
  'AllowWeakDH',
  'AllowWeakSecurity',
  'CommonNameRequired',
  'dNSNameRequired',
  'iPAddressRequired',
  'EnableDiags',
  'ExportCertData',
  'IgnoreSNI',
  'NoAutoECDH',
  'NoCertRequest',
  'NoEmptyFragments',
  'NoSessionReuseRequired',
  'StdEnvVars',
  'UseImplicitSSL',
];

/** One or more TLSOptions, matched exactly as ProFTPD does. */
export function tlsOptions(input: ParseInput): readonly TlsOption[] {
  return someWords(input).map((word) => {
    if (word === 'AllowClientRenegotiation') return 'AllowClientRenegotiations';
    const option = OPTIONS.find((known) => known === word);
    if (option === undefined) throw new ConfigError(`: unknown TLSOption '${word}'`);
    requireAllowed(forbiddenOption(option, activeProfile()));
    return option;
  });
}

/** Options that are only read for the sake of old configurations. */
export function warnTlsOptions(input: ParseInput): string | null {
  if (input.args.includes('NoCertRequest')) {
    return 'NoCertRequest is deprecated: TLSVerifyClient off already asks for no certificate';
  }
  if (input.args.includes('EnableDiags')) {
    return "EnableDiags tells about resumed sessions only: the library's own messages cannot be had";
  }
  return input.args.includes('NoEmptyFragments') ? 'NoEmptyFragments has no effect in this library' : null;
}

const REQUIRED: Readonly<Record<string, TlsRequired>> = {
  both: { control: true, data: 'required', auth: true },
  'ctrl+data': { control: true, data: 'required', auth: true },
  ctrl: { control: true, data: 'optional', auth: true },
  control: { control: true, data: 'optional', auth: true },
  'ctrl+!data': { control: true, data: 'forbidden', auth: true },
  data: { control: false, data: 'required', auth: false },
  '!data': { control: false, data: 'forbidden', auth: false },
  auth: { control: false, data: 'optional', auth: true },
  'auth+data': { control: false, data: 'required', auth: true },
  'auth+!data': { control: false, data: 'forbidden', auth: true },
};

/** The values of section 2 of the reference. */
export function tlsRequired(input: ParseInput): TlsRequired {
  const word = oneWord(input);
  const flag = booleanOrNull(word);
  if (flag === true) return REQUIRED['both']!;
  if (flag === false) return { control: false, data: 'optional', auth: false };
  const value = REQUIRED[word.toLowerCase()];
  if (value === undefined) throw new ConfigError('bad parameter');
  return value;
}

function readPositive(word: string | undefined, key: string): number {
  if (word === undefined) throw new ConfigError('wrong number of parameters');
  const seconds = /^\d{1,9}$/.test(word) ? Number(word) : 0;
  if (seconds < 1) throw new ConfigError(`${key} must be greater than zero: '${word}'`);
  return seconds;
}

/** `none`, or any of `ctrl SECS`, `data KBYTES`, `timeout SECS`, `required on|off`; 0 stands for never. */
export function tlsRenegotiate(input: ParseInput): TlsRenegotiate | null {
  const words = someWords(input);
  if (words.length === 1 && words[0]!.toLowerCase() === 'none') return null;
  if (words.length % 2 !== 0 || words.length > 8) throw new ConfigError('wrong number of parameters');
  const result = { controlSeconds: 0, dataKilobytes: 0, timeoutSeconds: 30, required: true };
  for (let index = 0; index < words.length; index += 2) {
    const value = words[index + 1]!;
    switch (words[index]!.toLowerCase()) {
      case 'ctrl':
        result.controlSeconds = readPositive(value, 'ctrl');
        break;
      case 'data':
        if (!/^\d{1,12}$/.test(value)) throw new ConfigError(`data must be valid number: '${value}'`);
        result.dataKilobytes = Number(value);
        break;
      case 'timeout':
        result.timeoutSeconds = readPositive(value, 'timeout');
        break;
      case 'required': {
        const flag = booleanOrNull(value);
        if (flag === null) throw new ConfigError(`required must be a Boolean value: '${value}'`);
        result.required = flag;
        break;
      }
      default:
        throw new ConfigError(`: unknown TLSRenegotiate argument '${words[index]!}'`);
    }
  }
  return result;
}

const DEFAULT_CACHE_SECONDS = 1800;

/** `off`, `internal:[SECS]` or `internal: SECS`; shared caches of other types are not available. */
export function tlsSessionCache(input: ParseInput): Settings['tlsSessionCache'] {
  const words = expectCount(input, 1, 2);
  if (words.length === 1 && booleanOrNull(words[0]!) === false) return { kind: 'off' };
  const colon = words[0]!.indexOf(':');
  if (colon < 0) throw new ConfigError('badly formatted parameter');
  const type = words[0]!.slice(0, colon);
  if (type.toLowerCase() !== 'internal') throw new ConfigError(`session cache type '${type}' not available`);
  const attached = words[0]!.slice(colon + 1);
  if (attached !== '' && words.length === 2) throw new ConfigError('badly formatted parameter');
  const text = attached === '' ? words[1] : attached;
  const lifetimeSeconds = text === undefined ? DEFAULT_CACHE_SECONDS : readDuration(text);
  if (lifetimeSeconds < 1) throw new ConfigError('timeout must be greater than zero');
  return { kind: 'internal', lifetimeSeconds };
}

/** `CommonName`, `EmailSubjAltName` or a dotted object identifier. */
export function tlsUserName(input: ParseInput): string {
  const word = oneWord(input);
  if (word === 'CommonName' || word === 'EmailSubjAltName') return word;
  if (!/^[0-2](?:\.(?:0|[1-9]\d{0,15})){1,32}$/.test(word))
    throw new ConfigError('badly formatted OID parameter');
  return word;
}

/** `on|off|optional`. */
export function tlsVerifyClient(input: ParseInput): Settings['tlsVerifyClient'] {
  const word = oneWord(input);
  if (word.toLowerCase() === 'optional') return 'optional';
  const flag = booleanOrNull(word);
  if (flag === null) throw new ConfigError('expected Boolean parameter');
  return flag ? 'on' : 'off';
}

/** `on|off|NoReverseDNS`. */
export function tlsVerifyServer(input: ParseInput): Settings['tlsVerifyServer'] {
  const word = oneWord(input);
  const flag = booleanOrNull(word);
  if (flag !== null) return flag ? 'on' : 'off';
  return readChoice(word, ['NoReverseDNS'] as const, 'expected Boolean parameter');
}
