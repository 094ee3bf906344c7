/**
 * The key exchange methods of an SSH server (RFC 4253, 4419, 4432, 5656, 8731, 9941, 10042), each as: given the client's
 * public value, the server's and the secret. Messages and their order are the transport's.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import * as crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { CURVE_PUBLIC_BYTES, generate, importRawPublic, respondCurve, type Curve } from './curve-exchange.ts';
import { respondDh } from './dh-exchange.ts';
import { builtinGroup, type DhGroup } from './dh-groups.ts';
import type { ExchangeHash } from './key-derivation.ts';
import { KeyExchangeError } from './key-exchange-error.ts';

export { chooseGroup, isSafeGroup, parseDhParameters, type DhGroup } from './dh-groups.ts';
export { deriveKey, exchangeHash, kdfSource, type ExchangeHash, type KeyLetter } from './key-derivation.ts';
export { KeyExchangeError } from './key-exchange-error.ts';
export { prepareTransientRsaKey, type TransientRsaKey } from './rsa-exchange.ts';

export interface KeyExchangeMethod {
  readonly name: string;
  /** For the exchange hash, the key derivation and a hybrid's combination. */
  readonly hash: ExchangeHash;
  /** dh: 30 mpint, 31 mpint; ecdh: 30 string, 31 string (X25519, X448 and the hybrids too). */
  readonly shape: 'dh' | 'ecdh' | 'group-exchange' | 'rsa';
}

export interface KeyExchangeAnswer {
  /** dh, group-exchange: magnitude of f; ecdh: contents of the string. */
  readonly serverPublic: Buffer;
  /** The secret as it enters exchange hash and key derivation: an mpint, or a string (hybrids). */
  readonly encodedSecret: Buffer;
}

interface MethodRow extends KeyExchangeMethod {
  readonly group?: string;
  readonly curve?: Curve;
  readonly kem?: 'ml-kem-768' | 'ml-kem-1024';
}

const METHODS = new Map<string, MethodRow>(
  (
    [
      { name: 'mlkem768x25519-sha256', hash: 'sha256', shape: 'ecdh', kem: 'ml-kem-768', curve: 'x25519' },
      { name: 'mlkem768nistp256-sha256', hash: 'sha256', shape: 'ecdh', kem: 'ml-kem-768', curve: 'P-256' },
      { name: 'mlkem1024nistp384-sha384', hash: 'sha384', shape: 'ecdh', kem: 'ml-kem-1024', curve: 'P-384' },
      { name: 'curve25519-sha256', hash: 'sha256', shape: 'ecdh', curve: 'x25519' },
      { name: 'curve25519-sha256@libssh.org', hash: 'sha256', shape: 'ecdh', curve: 'x25519' },
      { name: 'curve448-sha512', hash: 'sha512', shape: 'ecdh', curve: 'x448' },
      { name: 'ecdh-sha2-nistp256', hash: 'sha256', shape: 'ecdh', curve: 'P-256' },
      { name: 'ecdh-sha2-nistp384', hash: 'sha384', shape: 'ecdh', curve: 'P-384' },
      { name: 'ecdh-sha2-nistp521', hash: 'sha512', shape: 'ecdh', curve: 'P-521' },
      { name: 'diffie-hellman-group18-sha512', hash: 'sha512', shape: 'dh', group: 'modp18' },
      { name: 'diffie-hellman-group17-sha512', hash: 'sha512', shape: 'dh', group: 'modp17' },
      { name: 'diffie-hellman-group16-sha512', hash: 'sha512', shape: 'dh', group: 'modp16' },
      { name: 'diffie-hellman-group15-sha512', hash: 'sha512', shape: 'dh', group: 'modp15' },
      { name: 'diffie-hellman-group14-sha256', hash: 'sha256', shape: 'dh', group: 'modp14' },
      { name: 'diffie-hellman-group-exchange-sha256', hash: 'sha256', shape: 'group-exchange' },
      { name: 'diffie-hellman-group-exchange-sha1', hash: 'sha1', shape: 'group-exchange' },
      { name: 'diffie-hellman-group14-sha1', hash: 'sha1', shape: 'dh', group: 'modp14' },
      { name: 'diffie-hellman-group1-sha1', hash: 'sha1', shape: 'dh', group: 'modp2' },
      { name: 'rsa2048-sha256', hash: 'sha256', shape: 'rsa' },
      { name: 'rsa1024-sha1', hash: 'sha1', shape: 'rsa' },
    ] as const
  ).map((row) => [row.name, row]),
);

/** ML-KEM sizes in bytes (FIPS 203, table 3). */
const KEM_PUBLIC_BYTES = { 'ml-kem-768': 1184, 'ml-kem-1024': 1568 } as const;

/** In Node since 24.7; its type declarations may lack it. */
const { encapsulate } = crypto as unknown as {
  encapsulate: (key: KeyObject) => { sharedKey: Buffer; ciphertext: Buffer };
};

/** Every method this server can carry out. */
export const KEY_EXCHANGE_NAMES: readonly string[] = [...METHODS.keys()];

/** Names the manual has and OpenSSL cannot do; the reason is for the operator. */
export const UNSUPPORTED_KEY_EXCHANGES: ReadonlyMap<string, string> = new Map([
  ['sntrup761x25519-sha512', 'OpenSSL has no Streamlined NTRU Prime'],
  ['sntrup761x25519-sha512@openssh.com', 'OpenSSL has no Streamlined NTRU Prime'],
]);

/** Null for a name this server does not know. */
export function keyExchangeMethod(name: string): KeyExchangeMethod | null {
  return METHODS.get(name) ?? null;
}

/**
 * Why this process cannot carry the method out, for the operator; null where it can. Found out by making a key: a FIPS
 * module has no X25519, an older library no ML-KEM. Asked once per method and thread.
 */
export function keyExchangeUnavailable(name: string): string | null {
  let reason = unavailable.get(name);
  if (reason === undefined) {
    reason = whyUnavailable(name);
    if (METHODS.has(name)) unavailable.set(name, reason);
  }
  return reason;
}

const unavailable = new Map<string, string | null>();

function whyUnavailable(name: string): string | null {
  const row = METHODS.get(name);
  if (row === undefined) return UNSUPPORTED_KEY_EXCHANGES.get(name) ?? 'no such key exchange is known';
  try {
    if (row.kem !== undefined) generateKeyPairSync(row.kem as 'ml-kem-768');
    if (row.curve !== undefined) generate(row.curve);
    if (row.group !== undefined)
      generateKeyPairSync('dh', { group: row.group } as unknown as { primeLength: number });
    createHash(row.hash);
    return null;
  } catch {
    // OpenSSL's word for "not with these providers" differs from method to method.
    return "this process's OpenSSL refuses it";
  }
}

/**
 * The server's half of an exchange.
 * @param clientPublic - dh, group-exchange: magnitude of e; ecdh: contents of the string
 * @param group - of a group-exchange
 * @throws KeyExchangeError for a value the method forbids
 */
export async function respond(
  method: KeyExchangeMethod,
  clientPublic: Buffer,
  group?: DhGroup,
): Promise<KeyExchangeAnswer> {
  const row = METHODS.get(method.name);
  if (row === undefined || row.shape === 'rsa') throw new RangeError(`'${method.name}' has no public values`);
  if (row.kem !== undefined) return respondHybrid(row.hash, row.kem, row.curve!, clientPublic);
  if (row.curve !== undefined) {
    const { serverPublic, secret } = await respondCurve(row.curve, clientPublic);
    return { serverPublic, encodedSecret: encodedMpint(secret) };
  }
  const chosen = row.group === undefined ? group : builtinGroup(row.group);
  if (chosen === undefined) throw new RangeError('a group exchange needs its group');
  const { serverPublic, secret } = await respondDh(clientPublic, chosen);
  return { serverPublic, encodedSecret: encodedMpint(secret) };
}

/**
 * RFC 10042: C_INIT = ML-KEM key ‖ curve value, S_REPLY = ciphertext ‖ curve value, K = HASH(K_PQ ‖ K_CL) with both
 * halves in their full length; K is encoded as a string.
 */
async function respondHybrid(
  hash: ExchangeHash,
  kem: 'ml-kem-768' | 'ml-kem-1024',
  curve: Curve,
  clientPublic: Buffer,
): Promise<KeyExchangeAnswer> {
  const kemBytes = KEM_PUBLIC_BYTES[kem];
  if (clientPublic.length !== kemBytes + CURVE_PUBLIC_BYTES[curve]) {
    throw new KeyExchangeError('public value of a wrong length');
  }
  const kemKey = importRawPublic(clientPublic.subarray(0, kemBytes), { asymmetricKeyType: kem });
  const { sharedKey, ciphertext } = encapsulate(kemKey);
  const classical = await respondCurve(curve, clientPublic.subarray(kemBytes));
  const secret = createHash(hash).update(sharedKey).update(classical.secret).digest();
  return {
    serverPublic: Buffer.concat([ciphertext, classical.serverPublic]),
    encodedSecret: new ByteWriter(4 + secret.length).string(secret).finish(),
  };
}

function encodedMpint(magnitude: Buffer): Buffer {
  return new ByteWriter(magnitude.length + 5).mpint(magnitude).finish();
}
