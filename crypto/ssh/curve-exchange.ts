/** The server's half of an exchange over a curve (RFC 5656, section 4; RFC 8731). */
import {
  createPublicKey,
  diffieHellman,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { KeyExchangeError } from './key-exchange-error.ts';

export type Curve = 'x25519' | 'x448' | 'P-256' | 'P-384' | 'P-521';

/** Bytes of a public value; a NIST point is 04 ‖ x ‖ y. */
export const CURVE_PUBLIC_BYTES: Readonly<Record<Curve, number>> = {
  x25519: 32,
  x448: 56,
  'P-256': 65,
  'P-384': 97,
  'P-521': 133,
};

/** Node's raw key formats (since 26), which its type declarations do not have for every kind. */
interface RawPublicKey {
  export(options: { format: 'raw-public' }): Buffer;
}

export interface CurveResult {
  readonly serverPublic: Buffer;
  /** Raw output: the x-coordinate in the field's full length, or the 32 or 56 bytes of X25519 or X448. */
  readonly secret: Buffer;
}

/**
 * Answers the client's public value. The large curves run in the thread pool; X25519 and P-256 take less than the way
 * there.
 * @throws KeyExchangeError for a value of the wrong length or form, off the curve, or of low order
 */
export async function respondCurve(curve: Curve, clientPublic: Buffer): Promise<CurveResult> {
  const publicKey = importPublic(curve, clientPublic);
  const slow = curve === 'P-384' || curve === 'P-521' || curve === 'x448';
  const keys = slow ? await generateAsync(curve) : generate(curve);
  const serverPublic = (keys.publicKey as unknown as RawPublicKey).export({ format: 'raw-public' });
  try {
    const secret = slow
      ? await agreeAsync(keys.privateKey, publicKey)
      : diffieHellman({ privateKey: keys.privateKey, publicKey });
    return { serverPublic, secret };
  } catch {
    // X25519 and X448 of a low-order point give zero, which OpenSSL refuses (RFC 8731, section 3).
    throw new KeyExchangeError('bad public value');
  }
}

function importPublic(curve: Curve, value: Buffer): KeyObject {
  if (value.length !== CURVE_PUBLIC_BYTES[curve])
    throw new KeyExchangeError('public value of a wrong length');
  const nist = curve.startsWith('P-');
  // OpenSSL would take compressed and hybrid points of this length too; RFC 5656 as used has neither.
  if (nist && value[0] !== 0x04) throw new KeyExchangeError('point is not uncompressed');
  const type = nist ? { asymmetricKeyType: 'ec', namedCurve: curve } : { asymmetricKeyType: curve };
  return importRawPublic(value, type);
}

/**
 * A public key from its raw bytes.
 * @throws KeyExchangeError where OpenSSL refuses them (off the curve; ML-KEM: coefficients too large)
 */
export function importRawPublic(
  value: Buffer,
  type: { readonly asymmetricKeyType: string; readonly namedCurve?: string },
): KeyObject {
  try {
    return createPublicKey({ key: value, format: 'raw-public', ...type } as unknown as Parameters<
      typeof createPublicKey
    >[0]);
  } catch {
    throw new KeyExchangeError('bad public value');
  }
}

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A fresh pair; throws what OpenSSL says where it has not the curve. */
export function generate(curve: Curve): KeyPair {
  if (curve === 'x25519') return generateKeyPairSync('x25519');
  if (curve === 'x448') return generateKeyPairSync('x448');
  return generateKeyPairSync('ec', { namedCurve: curve });
}

function generateAsync(curve: Curve): Promise<KeyPair> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error === null) resolve({ publicKey, privateKey });
      else reject(new KeyExchangeError('no key could be made for the curve'));
    };
    if (curve === 'x25519') generateKeyPair('x25519', {}, done);
    else if (curve === 'x448') generateKeyPair('x448', {}, done);
    else generateKeyPair('ec', { namedCurve: curve }, done);
  });
}

function agreeAsync(privateKey: KeyObject, publicKey: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    diffieHellman({ privateKey, publicKey }, (error, secret) => {
      if (error === null) resolve(secret!);
      else reject(error);
    });
  });
}
