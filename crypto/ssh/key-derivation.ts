/** Exchange hash and keys (RFC 4253, sections 7.2 and 8). */
import { createHash } from 'node:crypto';
import { nativeSshKdf } from './openssl-native.ts';

export type ExchangeHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/**
 * 'A' IV client to server, 'B' IV server to client, 'C' and 'D' the cipher keys, 'E' and 'F' the MAC keys in the same
 * order.
 */
export type KeyLetter = 'A' | 'B' | 'C' | 'D' | 'E' | 'F';

/** More than any cipher or MAC takes; a guard against a wrong caller. */
const MAX_KEY_BYTES = 1024;

/** HASH over the parts, which are SSH-encoded and in the method's order. */
export function exchangeHash(method: { readonly hash: ExchangeHash }, parts: readonly Buffer[]): Buffer {
  const hash = createHash(method.hash);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/**
 * One key of the six. Taken from the SSHKDF of OpenSSL's providers where it can be reached (in FIPS mode that is the
 * validated module's), else put together from hashes; both give the same bytes.
 * @param encodedSecret - the shared secret as it entered the exchange hash (mpint, or string of a hybrid)
 * @param sessionId - exchange hash of the connection's first key exchange
 */
export function deriveKey(
  hash: ExchangeHash,
  encodedSecret: Buffer,
  exchangeHashBytes: Buffer,
  letter: KeyLetter,
  sessionId: Buffer,
  bytes: number,
): Buffer {
  if (bytes < 0 || bytes > MAX_KEY_BYTES) throw new RangeError('key size out of range');
  if (bytes === 0) return Buffer.alloc(0);
  if (kdfSource() === 'module') {
    const key = moduleKey(hash, encodedSecret, exchangeHashBytes, letter, sessionId, bytes);
    // What worked a moment ago must not fall back in silence: the report says where keys come from.
    if (key === null) throw new Error('the SSHKDF of OpenSSL failed');
    return key;
  }
  return hashedKey(hash, encodedSecret, exchangeHashBytes, letter, sessionId, bytes);
}

/** The key of RFC 4253, section 7.2, from hashes alone. */
export function hashedKey(
  hash: ExchangeHash,
  encodedSecret: Buffer,
  exchangeHashBytes: Buffer,
  letter: KeyLetter,
  sessionId: Buffer,
  bytes: number,
): Buffer {
  let key = createHash(hash)
    .update(encodedSecret)
    .update(exchangeHashBytes)
    .update(letter, 'latin1')
    .update(sessionId)
    .digest();
  while (key.length < bytes) {
    const more = createHash(hash).update(encodedSecret).update(exchangeHashBytes).update(key).digest();
    key = Buffer.concat([key, more]);
  }
  return key.subarray(0, bytes);
}

function moduleKey(
  hash: ExchangeHash,
  encodedSecret: Buffer,
  exchangeHashBytes: Buffer,
  letter: KeyLetter,
  sessionId: Buffer,
  bytes: number,
): Buffer | null {
  const input = {
    hash: hash.toUpperCase(),
    encodedSecret,
    exchangeHash: exchangeHashBytes,
    letter,
    sessionId,
  };
  return nativeSshKdf(input, bytes);
}

let source: 'module' | 'own' | undefined;

/** Where keys are derived: by SSHKDF of OpenSSL's providers, or by this file. Found out by deriving one both ways. */
export function kdfSource(): 'module' | 'own' {
  if (source === undefined) {
    // An mpint of 128 bits: FIPS modules refuse secrets of less than 112 (service indicator of SSHKDF).
    const sample = Buffer.from('000000100102030405060708090a0b0c0d0e0f10', 'hex');
    const id = Buffer.alloc(32, 0x5a);
    const key = moduleKey('sha256', sample, id, 'C', id, 72);
    source = key !== null && key.equals(hashedKey('sha256', sample, id, 'C', id, 72)) ? 'module' : 'own';
  }
  return source;
}
