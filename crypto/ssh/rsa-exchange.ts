/** Transient RSA keys of the RSA key exchange (RFC 4432). Old clients' method; off unless configured. */
import { constants, generateKeyPair, privateDecrypt, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { KeyExchangeError } from './key-exchange-error.ts';

/** Enough for rsa2048-sha256, and used for rsa1024-sha1 too, which asks for 1024 at least. */
const MODULUS_BITS = 2048;
const generateKeyPairAsync = promisify(generateKeyPair);

export interface TransientRsaKey {
  /** K_T: an ssh-rsa key blob. */
  readonly blob: Buffer;
  /**
   * The secret the client encrypted, encoded as it enters the exchange hash.
   * @param hash - of the method; OAEP uses the same
   * @throws KeyExchangeError, always the same, whatever was wrong with it
   */
  decrypt(cipherText: Buffer, hash: 'sha1' | 'sha256'): Buffer;
}

let next: Promise<TransientRsaKey> | null = null;

/**
 * A key for one connection. Making one takes tens of milliseconds of the thread pool; from the first on there is one
 * ahead.
 */
export async function prepareTransientRsaKey(): Promise<TransientRsaKey> {
  const ready = next ?? generate();
  next = generate();
  // A failure is reported to whoever takes the key, and the one after tries again.
  next.catch(() => {
    next = null;
  });
  return ready;
}

async function generate(): Promise<TransientRsaKey> {
  const { publicKey, privateKey } = await generateKeyPairAsync('rsa', { modulusLength: MODULUS_BITS });
  const { e, n } = publicKey.export({ format: 'jwk' });
  const blob = new ByteWriter(400)
    .string('ssh-rsa')
    .mpint(Buffer.from(e!, 'base64url'))
    .mpint(Buffer.from(n!, 'base64url'))
    .finish();
  return { blob, decrypt: (cipherText, hash) => decrypt(privateKey, cipherText, hash) };
}

function decrypt(key: KeyObject, cipherText: Buffer, hash: 'sha1' | 'sha256'): Buffer {
  const hashBytes = hash === 'sha1' ? 20 : 32;
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const secret = privateDecrypt({ key, oaepHash: hash, padding }, cipherText);
    const reader = new ByteReader(secret);
    const magnitude = reader.mpint();
    reader.end();
    // RFC 4432, section 4: 0 <= K < 2^(KLEN - 2*HLEN - 49).
    if (magnitude.length * 8 > MODULUS_BITS - 16 * hashBytes - 49 + 8)
      throw new ByteError('secret too large');
    return secret;
  } catch {
    throw new KeyExchangeError('the RSA key exchange failed');
  }
}
