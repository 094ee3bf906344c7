/** Parameters of the directives about revocation, stapling, pre-shared keys and ticket keys (ftps-directives, section 1). */
import { ConfigError } from './config-error.ts';
import type { ParseInput } from './directive-row.ts';
import type {
  Settings,
  TlsPreSharedKeyFile,
  TlsRevocationMethod,
  TlsStaplingCache,
  TlsStaplingOption,
} from './server-config.ts';
import {
  booleanOrNull,
  expectCount,
  oneWord,
  readAbsolutePath,
  readChoice,
  readDuration,
  someWords,
} from './values.ts';

/** `crl [ocsp]` or `ocsp [crl]`. */
export function tlsVerifyOrder(input: ParseInput): readonly TlsRevocationMethod[] {
  const order = expectCount(input, 1, 2).map((word) =>
    readChoice(word, ['crl', 'ocsp'] as const, 'unknown verification method'),
  );
  if (new Set(order).size !== order.length) throw new ConfigError('a verification method is named twice');
  return order;
}

/** `type:/info` or `off`: `fscache:/path=DIR` keeps responses in files, the other types stand for main's memory. */
export function tlsStaplingCache(input: ParseInput): TlsStaplingCache {
  const word = oneWord(input);
  if (booleanOrNull(word) === false) return { kind: 'memory' };
  const colon = word.indexOf(':');
  if (colon < 0) throw new ConfigError('badly formatted parameter');
  const type = word.slice(0, colon).toLowerCase();
  if (type === 'shm') return { kind: 'memory' };
  if (type !== 'fscache') throw new ConfigError(`stapling cache type '${type}' not available`);
  const path = /^\/?path=(.+)$/.exec(word.slice(colon + 1))?.[1];
  if (path === undefined)
    throw new ConfigError('badly formatted parameter, expected fscache:/path=DIRECTORY');
  return { kind: 'directory', path: readAbsolutePath(path) };
}

/** Told to whoever configured shared memory: there is one process, its threads share what main holds. */
export function warnTlsStaplingCache(input: ParseInput): string | null {
  return /^shm:/i.test(input.args[0] ?? '')
    ? 'responses are kept in the memory of this process and shared by its threads; no shm file is used'
    : null;
}

const STAPLING_OPTIONS: readonly TlsStaplingOption[] = ['NoNonce', 'NoVerify', 'NoFakeTryLater'];

/** `NoNonce`, `NoVerify`, `NoFakeTryLater`. */
export function tlsStaplingOptions(input: ParseInput): readonly TlsStaplingOption[] {
  return someWords(input).map((word) => readChoice(word, STAPLING_OPTIONS, ': unknown TLSStaplingOption'));
}

/** An `http:` URL: OCSP responses are signed, and https would ask for another certificate to check first. */
export function tlsStaplingResponder(input: ParseInput): string {
  const word = oneWord(input);
  const url = URL.canParse(word) ? new URL(word) : null;
  if (url?.protocol !== 'http:' || url.username !== '' || url.password !== '') {
    throw new ConfigError(`badly formatted URL, expected http://host[:port]/path: '${word}'`);
  }
  return word;
}

const MAX_STAPLING_TIMEOUT = 300;

/** Seconds for one question to the responder. */
export function tlsStaplingTimeout(input: ParseInput): number {
  const seconds = readDuration(oneWord(input));
  if (seconds < 1 || seconds > MAX_STAPLING_TIMEOUT) {
    throw new ConfigError(`timeout must be between 1 and ${MAX_STAPLING_TIMEOUT} seconds`);
  }
  return seconds;
}

/** RFC 4279, section 5.3: implementations take identities of up to 128 bytes. */
const MAX_IDENTITY_BYTES = 128;

/** `identity hex:PATH`; the file is read by main. */
export function tlsPreSharedKey(input: ParseInput): readonly TlsPreSharedKeyFile[] {
  const words = expectCount(input, 2);
  const identity = words[0]!;
  const source = words[1]!;
  if (identity === '' || Buffer.byteLength(identity) > MAX_IDENTITY_BYTES) {
    throw new ConfigError(`identity must have 1 to ${MAX_IDENTITY_BYTES} bytes`);
  }
  if (!/^hex:/i.test(source))
    throw new ConfigError(`badly formatted parameter, expected hex:PATH: '${source}'`);
  return [{ identity, path: readAbsolutePath(source.slice('hex:'.length)) }];
}

const MIN_KEY_AGE_SECONDS = 60;
const MAX_KEY_COUNT = 1000;
const DEFAULT_KEY_AGE_SECONDS = 43_200;
const DEFAULT_KEY_COUNT = 25;

/** `[age T] [count N]`. */
export function tlsSessionTicketKeys(input: ParseInput): Settings['tlsSessionTicketKeys'] {
  const words = someWords(input);
  if (words.length % 2 !== 0 || words.length > 4) throw new ConfigError('wrong number of parameters');
  let ageSeconds = DEFAULT_KEY_AGE_SECONDS;
  let count = DEFAULT_KEY_COUNT;
  for (let index = 0; index < words.length; index += 2) {
    const value = words[index + 1]!;
    switch (words[index]!.toLowerCase()) {
      case 'age':
        ageSeconds = readDuration(value);
        if (ageSeconds < MIN_KEY_AGE_SECONDS) throw new ConfigError('max key age must be at least 60sec');
        break;
      case 'count':
        count = /^\d{1,9}$/.test(value) ? Number(value) : 0;
        if (count < 1) throw new ConfigError('max key count must be at least 1');
        if (count > MAX_KEY_COUNT) throw new ConfigError(`max key count must be at most ${MAX_KEY_COUNT}`);
        break;
      default:
        throw new ConfigError(`unknown parameter '${words[index]!}'`);
    }
  }
  return { ageSeconds, count };
}
