/**
 * Pre-shared keys of TLS (TLSPreSharedKey; RFC 4279, RFC 8446 section 4.2.11): read from their files at start, looked up
 * in the handshake. Who knows the key of an identity needs no certificate on either side.
 */
import { randomBytes } from 'node:crypto';
import type { Settings } from '../src/config/server-config.ts';
import { fileBytes, type SecretFiles } from './tls-configuration.ts';

/** Shorter keys can be guessed from one recorded handshake. */
const MIN_KEY_BYTES = 20;
/** OpenSSL's PSK_MAX_PSK_LEN. */
const MAX_KEY_BYTES = 512;

/** Identity to key. */
export type PreSharedKeys = ReadonlyMap<string, Buffer>;

/** Keys of these settings; the start-up check has refused files that cannot be used. */
export function preSharedKeysOf(settings: Settings, files: SecretFiles): PreSharedKeys {
  const keys = new Map<string, Buffer>();
  for (const { identity, path } of settings.tlsPreSharedKey) {
    const key = readKey(fileBytes(files, path));
    if (key !== null && !keys.has(identity)) keys.set(identity, key);
  }
  return keys;
}

/** Reports what keeps the configured keys from being used. `unreadable`: path -> why main did not read it. */
export function checkPreSharedKeys(
  settings: Settings,
  files: SecretFiles,
  unreadable: ReadonlyMap<string, string>,
  fail: (reason: string) => void,
): void {
  const identities = new Set<string>();
  for (const { identity, path } of settings.tlsPreSharedKey) {
    const bytes = files.get(path);
    if (bytes === undefined)
      fail(`unable to use '${path}': ${unreadable.get(path) ?? 'No such file or directory'}`);
    else if (readKey(bytes) === null) {
      fail(`unable to use '${path}': expected ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes in hexadecimal`);
    }
    if (identities.has(identity)) fail(`identity '${identity}' is configured twice`);
    identities.add(identity);
  }
  if (identities.size > 0 && settings.tlsVerifyClient === 'on') {
    fail('a client with a pre-shared key shows no certificate, which TLSVerifyClient on requires');
  }
}

function readKey(bytes: Uint8Array): Buffer | null {
  const text = Buffer.from(bytes).toString('latin1').trim();
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) return null;
  const key = Buffer.from(text, 'hex');
  return key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES ? key : null;
}

/** The library's own order. */
const LIBRARY_SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

/**
 * Suites of TLS 1.3 for clients that offer a pre-shared key: those with SHA-256 first, because that is the hash of every
 * such key (RFC 8446, section 4.2.11), and OpenSSL passes over a key whose hash is not the suite's. Null: the library's.
 */
export function suitesForKeys(suites: string | null): string {
  const names = (suites ?? LIBRARY_SUITES).split(':');
  const isFitting = (name: string): boolean => name.endsWith('SHA256');
  return [...names.filter(isFitting), ...names.filter((name) => !isFitting(name))].join(':');
}

/**
 * The key for an identity a client names. Unknown in TLS 1.2: a random key, so that the handshake fails as with a wrong
 * key and identities cannot be probed (RFC 4279, section 2). Unknown in TLS 1.3: null, because every session ticket is
 * asked for here as well (RFC 8446, section 4.2.11), and the handshake goes on with a ticket or a certificate.
 */
export function preSharedKeyFor(keys: PreSharedKeys, identity: string, isTls13: boolean): Buffer | null {
  const known = keys.get(identity);
  if (known !== undefined) return known;
  return isTls13 ? null : randomBytes(MIN_KEY_BYTES);
}
