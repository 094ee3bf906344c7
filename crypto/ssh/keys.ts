/**
 * Public keys of SSH as blobs (RFC 4253, section 6.6; RFC 5656; RFC 8709; PROTOCOL.u2f), their signatures and
 * fingerprints.
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { bitLength } from './dh-groups.ts';
import { dsaPublicKey } from './dsa-keys.ts';

/** A key or certificate is malformed or of no supported kind; the text is fixed. */
export class KeyError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'KeyError';
  }
}

export type SshKeyType =
  | 'ssh-ed25519'
  | 'ssh-ed448'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp384'
  | 'ecdsa-sha2-nistp521'
  | 'ssh-rsa'
  | 'ssh-dss'
  | 'sk-ssh-ed25519@openssh.com'
  | 'sk-ecdsa-sha2-nistp256@openssh.com';

export interface SshPublicKey {
  readonly type: SshKeyType;
  /** Of the modulus, the curve's field or the prime. */
  readonly bits: number;
  readonly blob: Buffer;
  readonly keyObject: KeyObject;
  /** Security keys: what they were made for (`ssh:`); null for the others. */
  readonly application: string | null;
}

export type SignatureVerdict =
  | { readonly valid: false }
  | {
      readonly valid: true;
      /** What a security key says of its user; null for the others. */
      readonly securityKey: {
        readonly touched: boolean;
        readonly verified: boolean;
        readonly counter: number;
      } | null;
    };

/** How a key type is read and verified. */
interface TypeRow {
  /** Names a signature by this type may carry, best first. */
  readonly algorithms: readonly string[];
  readonly curve?: 'P-256' | 'P-384' | 'P-521';
  readonly hash: 'sha256' | 'sha384' | 'sha512' | 'sha1' | null;
  readonly read: (reader: ByteReader, row: TypeRow) => { keyObject: KeyObject; bits: number };
  readonly securityKey: boolean;
}

const MAX_BLOB_BYTES = 16_384;
/** Floors that mean anything are the caller's (SFTPKeyLimits); below this OpenSSL does not work either. */
const MIN_RSA_BITS = 512;
const MAX_RSA_BITS = 16_384;
const CURVE_BITS = { 'P-256': 256, 'P-384': 384, 'P-521': 521 } as const;
const TOUCHED = 1;
const VERIFIED = 4;

const TYPES: Readonly<Record<SshKeyType, TypeRow>> = {
  'ssh-ed25519': row(['ssh-ed25519'], null, readEd25519),
  'ssh-ed448': row(['ssh-ed448'], null, readEd448),
  'ecdsa-sha2-nistp256': ecdsaRow('ecdsa-sha2-nistp256', 'sha256', 'P-256'),
  'ecdsa-sha2-nistp384': ecdsaRow('ecdsa-sha2-nistp384', 'sha384', 'P-384'),
  'ecdsa-sha2-nistp521': ecdsaRow('ecdsa-sha2-nistp521', 'sha512', 'P-521'),
  'ssh-rsa': row(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'], null, readRsa),
  'ssh-dss': row(['ssh-dss'], 'sha1', readDsa),
  'sk-ssh-ed25519@openssh.com': {
    ...row(['sk-ssh-ed25519@openssh.com'], null, readEd25519),
    securityKey: true,
  },
  'sk-ecdsa-sha2-nistp256@openssh.com': {
    ...ecdsaRow('sk-ecdsa-sha2-nistp256@openssh.com', 'sha256', 'P-256'),
    securityKey: true,
  },
};

/** Hash of an RSA signature by its algorithm name (RFC 8332; RFC 4253). */
const RSA_HASHES = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
  ['ssh-rsa', 'sha1'],
]);

const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com';

function row(algorithms: readonly string[], hash: TypeRow['hash'], read: TypeRow['read']): TypeRow {
  return { algorithms, hash, read, securityKey: false };
}

function ecdsaRow(
  name: string,
  hash: 'sha256' | 'sha384' | 'sha512',
  curve: 'P-256' | 'P-384' | 'P-521',
): TypeRow {
  return { algorithms: [name], hash, curve, read: readEcdsa, securityKey: false };
}

function isKeyType(name: string): name is SshKeyType {
  return Object.hasOwn(TYPES, name);
}

/**
 * Reads a plain public key.
 * @throws KeyError for malformed bytes, unknown types, certificates, keys OpenSSL refuses
 */
export function parsePublicKeyBlob(blob: Buffer): SshPublicKey {
  if (blob.length > MAX_BLOB_BYTES) throw new KeyError('key too large');
  return asKeyError(() => {
    const reader = new ByteReader(blob);
    const type = reader.name();
    if (!isKeyType(type)) throw new KeyError('unsupported key type');
    const fields = readKeyFields(type, reader);
    reader.end();
    return { ...fields, blob };
  });
}

/**
 * The fields behind the type name, as they stand in keys and in certificates.
 * @throws ByteError, KeyError
 */
export function readKeyFields(type: SshKeyType, reader: ByteReader): Omit<SshPublicKey, 'blob'> {
  const rowOfType = TYPES[type];
  const { keyObject, bits } = rowOfType.read(reader, rowOfType);
  const application = rowOfType.securityKey ? reader.utf8(256) : null;
  return { type, bits, keyObject, application };
}

/** Runs a reader of hostile bytes: a ByteError becomes a KeyError with its fixed text. */
export function asKeyError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ByteError) throw new KeyError(`malformed key: ${error.message}`);
    throw error;
  }
}

function fromRaw(bytes: Buffer, asymmetricKeyType: string, namedCurve?: string): KeyObject {
  const options = { key: bytes, format: 'raw-public', asymmetricKeyType, namedCurve };
  try {
    return createPublicKey(options as unknown as Parameters<typeof createPublicKey>[0]);
  } catch {
    // OpenSSL's text would say which check failed; the peer learns that the key is no good.
    throw new KeyError('key refused by OpenSSL');
  }
}

function readEd25519(reader: ByteReader): { keyObject: KeyObject; bits: number } {
  const bytes = reader.string(32);
  if (bytes.length !== 32) throw new KeyError('Ed25519 key of a wrong length');
  return { keyObject: fromRaw(bytes, 'ed25519'), bits: 256 };
}

function readEd448(reader: ByteReader): { keyObject: KeyObject; bits: number } {
  const bytes = reader.string(57);
  if (bytes.length !== 57) throw new KeyError('Ed448 key of a wrong length');
  return { keyObject: fromRaw(bytes, 'ed448'), bits: 456 };
}

function readEcdsa(reader: ByteReader, { curve }: TypeRow): { keyObject: KeyObject; bits: number } {
  const bits = CURVE_BITS[curve!];
  if (reader.name() !== `nistp${bits}`) throw new KeyError('curve and key type differ');
  const point = reader.string(133);
  // Uncompressed points only (RFC 5656, section 3.1, and what everybody sends).
  if (point.length !== 1 + 2 * Math.ceil(bits / 8) || point[0] !== 0x04)
    throw new KeyError('malformed point');
  return { keyObject: fromRaw(point, 'ec', curve), bits };
}

function readRsa(reader: ByteReader): { keyObject: KeyObject; bits: number } {
  const exponent = reader.mpint();
  const modulus = reader.mpint();
  const bits = bitLength(modulus);
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) throw new KeyError('RSA modulus of a wrong size');
  const odd = (exponent.at(-1) ?? 0) & (modulus.at(-1) ?? 0) & 1;
  // A public exponent beyond 64 bits serves nobody but who wants the server to compute.
  if (odd !== 1 || bitLength(exponent) < 2 || exponent.length > 8) throw new KeyError('bad RSA exponent');
  const key = { kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') };
  try {
    return { keyObject: createPublicKey({ key, format: 'jwk' }), bits };
  } catch {
    // As in fromRaw.
    throw new KeyError('key refused by OpenSSL');
  }
}

function readDsa(reader: ByteReader): { keyObject: KeyObject; bits: number } {
  const [p, q, g, y] = [reader.mpint(), reader.mpint(), reader.mpint(), reader.mpint()] as const;
  const bits = bitLength(p);
  // RFC 4253, section 6.6: signatures are r and s of 160 bits each.
  if (bits < 512 || bits > 3072 || bitLength(q) !== 160) throw new KeyError('DSA key of a wrong size');
  try {
    return { keyObject: dsaPublicKey(p, q, g, y), bits };
  } catch {
    // As in fromRaw.
    throw new KeyError('key refused by OpenSSL');
  }
}

/** Names of signatures a plain key of this type can make, best first. */
export function signatureAlgorithms(type: SshKeyType): readonly string[] {
  return TYPES[type].algorithms;
}

/** The algorithm whose name the signature carries: that of a certificate signs by its plain key's. */
export function plainAlgorithm(algorithm: string): string {
  if (!algorithm.endsWith(CERTIFICATE_SUFFIX)) return algorithm;
  const base = algorithm.slice(0, -CERTIFICATE_SUFFIX.length);
  return base.startsWith('sk-') ? `${base}@openssh.com` : base;
}

/** Type of the keys an algorithm name stands for (`rsa-sha2-256`: `ssh-rsa`), certificates too; null: unknown. */
export function keyTypeOfAlgorithm(algorithm: string): SshKeyType | null {
  const plain = plainAlgorithm(algorithm);
  if (RSA_HASHES.has(plain)) return 'ssh-rsa';
  return isKeyType(plain) ? plain : null;
}

/**
 * Checks a signature.
 * @param algorithm - as negotiated or requested; the signature must carry its name
 * @param signature - the blob: string name, string bytes, and for security keys flags and counter
 * @returns whatever the bytes are; it does not throw
 */
export function verifySignature(
  key: SshPublicKey,
  algorithm: string,
  data: Buffer,
  signature: Buffer,
): SignatureVerdict {
  try {
    return verifyParsed(key, algorithm, data, new ByteReader(signature));
  } catch (error) {
    if (error instanceof ByteError || error instanceof KeyError) return { valid: false };
    throw error;
  }
}

function verifyParsed(
  key: SshPublicKey,
  algorithm: string,
  data: Buffer,
  reader: ByteReader,
): SignatureVerdict {
  const plain = plainAlgorithm(algorithm);
  if (keyTypeOfAlgorithm(algorithm) !== key.type || reader.name() !== plain) return { valid: false };
  const bytes = reader.string(MAX_BLOB_BYTES);
  if (key.application === null) {
    reader.end();
    return checkBytes(key, plain, data, bytes) ? { valid: true, securityKey: null } : { valid: false };
  }
  // PROTOCOL.u2f: signed is SHA256(application) ‖ flags ‖ counter ‖ SHA256(message).
  const flagsAt = reader.offset;
  const flags = reader.u8();
  const counter = reader.u32();
  reader.end();
  reader.offset = flagsAt;
  const signed = Buffer.concat([sha256(Buffer.from(key.application)), reader.rest(), sha256(data)]);
  if (!checkBytes(key, plain, signed, bytes)) return { valid: false };
  const touched = (flags & TOUCHED) !== 0;
  return { valid: true, securityKey: { touched, verified: (flags & VERIFIED) !== 0, counter } };
}

function checkBytes(key: SshPublicKey, algorithm: string, data: Buffer, bytes: Buffer): boolean {
  const { hash, curve } = TYPES[key.type];
  if (key.type === 'ssh-rsa') return verifyRsa(key, RSA_HASHES.get(algorithm)!, data, bytes);
  if (key.type === 'ssh-dss') {
    if (bytes.length !== 40) return false;
    return opensslVerify(hash, data, { key: key.keyObject, dsaEncoding: 'ieee-p1363' }, bytes);
  }
  if (curve === undefined) return opensslVerify(null, data, key.keyObject, bytes);
  const reader = new ByteReader(bytes);
  const [r, s] = [reader.mpint(), reader.mpint()] as const;
  reader.end();
  const half = Math.ceil(CURVE_BITS[curve] / 8);
  if (r.length > half || s.length > half) return false;
  const fixed = Buffer.alloc(2 * half);
  r.copy(fixed, half - r.length);
  s.copy(fixed, 2 * half - s.length);
  return opensslVerify(hash, data, { key: key.keyObject, dsaEncoding: 'ieee-p1363' }, fixed);
}

function verifyRsa(key: SshPublicKey, hash: string, data: Buffer, bytes: Buffer): boolean {
  const modulusBytes = Math.ceil(key.bits / 8);
  if (bytes.length > modulusBytes) return false;
  // Some clients leave leading zero bytes out, against RFC 8332, section 3.
  const padded = Buffer.concat([Buffer.alloc(modulusBytes - bytes.length), bytes]);
  return opensslVerify(hash, data, key.keyObject, padded);
}

function opensslVerify(
  hash: string | null,
  data: Buffer,
  key: Parameters<typeof verify>[2],
  signature: Buffer,
): boolean {
  try {
    return verify(hash, data, key, signature);
  } catch {
    // A signature of an impossible shape, or a hash FIPS has not: not valid here.
    return false;
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export type FingerprintHash = 'sha256' | 'sha1' | 'md5';
export type FingerprintEncoding = 'base64' | 'hex' | 'hex+colons';

/** As `ssh-keygen -l` writes it: `SHA256:` and unpadded base64, or hexadecimal digits. MD5 throws in FIPS mode. */
export function fingerprint(
  blob: Buffer,
  hash: FingerprintHash = 'sha256',
  encoding: FingerprintEncoding = 'base64',
): string {
  const digest = createHash(hash).update(blob).digest();
  if (encoding === 'base64') return `${hash.toUpperCase()}:${digest.toString('base64').replace(/=+$/, '')}`;
  const hex = digest.toString('hex');
  return encoding === 'hex' ? hex : hex.replace(/(..)(?=.)/g, '$1:');
}
