/** `-----BEGIN OPENSSH PRIVATE KEY-----` (PROTOCOL.key of OpenSSH), which `node:crypto` cannot read. */
import { createDecipheriv, createPrivateKey, randomBytes, type CipherGCM, type KeyObject } from 'node:crypto';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { MAX_BCRYPT_ROUNDS, bcryptPbkdf } from './bcrypt-pbkdf.ts';
import { dsaPrivateKey } from './dsa-keys.ts';
import { HostKeyError } from './host-key-error.ts';
import { publicBlobOf } from './public-blob.ts';

const MAGIC = 'openssh-key-v1\0';
const ARMOUR = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END OPENSSH PRIVATE KEY-----/;
const TAG_BYTES = 16;

interface FileCipher {
  readonly openssl: string;
  readonly keyBytes: number;
  readonly ivBytes: number;
  readonly blockBytes: number;
}

const CIPHERS = new Map<string, FileCipher>([
  ['aes256-ctr', { openssl: 'aes-256-ctr', keyBytes: 32, ivBytes: 16, blockBytes: 16 }],
  ['aes192-ctr', { openssl: 'aes-192-ctr', keyBytes: 24, ivBytes: 16, blockBytes: 16 }],
  ['aes128-ctr', { openssl: 'aes-128-ctr', keyBytes: 16, ivBytes: 16, blockBytes: 16 }],
  ['aes256-cbc', { openssl: 'aes-256-cbc', keyBytes: 32, ivBytes: 16, blockBytes: 16 }],
  ['aes192-cbc', { openssl: 'aes-192-cbc', keyBytes: 24, ivBytes: 16, blockBytes: 16 }],
  ['aes128-cbc', { openssl: 'aes-128-cbc', keyBytes: 16, ivBytes: 16, blockBytes: 16 }],
  ['3des-cbc', { openssl: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8, blockBytes: 8 }],
  ['aes256-gcm@openssh.com', { openssl: 'aes-256-gcm', keyBytes: 32, ivBytes: 12, blockBytes: 16 }],
  ['aes128-gcm@openssh.com', { openssl: 'aes-128-gcm', keyBytes: 16, ivBytes: 12, blockBytes: 16 }],
]);

/** Whether the text is of this format at all. */
export function isOpenSshPrivateKey(text: string): boolean {
  return text.includes('-----BEGIN OPENSSH PRIVATE KEY-----');
}

/**
 * Reads the file's one key.
 * @throws HostKeyError; `needsPassPhrase` where it is encrypted and no pass phrase was given
 */
export function parseOpenSshPrivateKey(text: string, passPhrase?: string): KeyObject {
  const body = ARMOUR.exec(text)?.[1];
  if (body === undefined) throw new HostKeyError('the OpenSSH private key is incomplete');
  try {
    return readFile(Buffer.from(body, 'base64'), passPhrase);
  } catch (error) {
    if (error instanceof ByteError) throw new HostKeyError('the OpenSSH private key is malformed');
    throw error;
  }
}

function readFile(bytes: Buffer, passPhrase: string | undefined): KeyObject {
  const reader = new ByteReader(bytes);
  if (reader.raw(MAGIC.length).toString('latin1') !== MAGIC) throw new ByteError('no OpenSSH key');
  const cipherName = reader.name();
  const kdfName = reader.name();
  const kdfOptions = reader.string();
  if (reader.u32() !== 1) throw new HostKeyError('the file must hold exactly one key');
  const publicBlob = reader.string();
  const secret = reader.string();
  if (cipherName === 'none' && kdfName === 'none') {
    reader.end();
    return readPrivateSection(secret, publicBlob, 'the OpenSSH private key is malformed');
  }
  const cipher = CIPHERS.get(cipherName);
  if (cipher === undefined || kdfName !== 'bcrypt') {
    throw new HostKeyError(`unsupported encryption of the key file (${cipherName}, ${kdfName})`);
  }
  if (passPhrase === undefined) throw new HostKeyError('the key is encrypted', 'needs-pass-phrase');
  const tag = cipher.openssl.endsWith('-gcm') ? reader.raw(TAG_BYTES) : null;
  reader.end();
  const clear = decrypt(cipher, kdfOptions, secret, tag, passPhrase);
  try {
    return readPrivateSection(clear, publicBlob, 'wrong pass phrase');
  } finally {
    clear.fill(0);
  }
}

function decrypt(
  cipher: FileCipher,
  kdfOptions: Buffer,
  secret: Buffer,
  tag: Buffer | null,
  passPhrase: string,
): Buffer {
  const options = new ByteReader(kdfOptions);
  const salt = options.string();
  const rounds = options.u32();
  options.end();
  if (salt.length === 0 || rounds === 0) throw new ByteError('no salt');
  if (rounds > MAX_BCRYPT_ROUNDS) throw new HostKeyError(`more than ${MAX_BCRYPT_ROUNDS} bcrypt rounds`);
  if (secret.length === 0 || secret.length % cipher.blockBytes !== 0) throw new ByteError('partial block');
  const material = bcryptPbkdf(Buffer.from(passPhrase), salt, rounds, cipher.keyBytes + cipher.ivBytes);
  const key = material.subarray(0, cipher.keyBytes);
  const decipher = createDecipheriv(cipher.openssl, key, material.subarray(cipher.keyBytes));
  material.fill(0);
  if (tag === null) {
    decipher.setAutoPadding(false);
    return Buffer.concat([decipher.update(secret), decipher.final()]);
  }
  (decipher as unknown as CipherGCM & { setAuthTag(bytes: Buffer): void }).setAuthTag(tag);
  const clear = decipher.update(secret);
  try {
    decipher.final();
  } catch {
    // The tag is wrong, and all that can be wrong with it is the pass phrase or the file.
    throw new HostKeyError('wrong pass phrase');
  }
  return clear;
}

/** u32 check, u32 the same, key fields, comment, padding 1, 2, 3 ... */
function readPrivateSection(section: Buffer, publicBlob: Buffer, mismatch: string): KeyObject {
  const reader = new ByteReader(section);
  if (reader.u32() !== reader.u32()) throw new HostKeyError(mismatch);
  const key = readKey(reader);
  reader.string();
  const padding = reader.rest();
  if (padding.some((byte, index) => byte !== ((index + 1) & 0xff))) throw new ByteError('bad padding');
  if (!publicBlobOf(key).equals(publicBlob)) {
    throw new HostKeyError('the public and the private half of the key differ');
  }
  return key;
}

function readKey(reader: ByteReader): KeyObject {
  const type = reader.name();
  try {
    if (type === 'ssh-ed25519' || type === 'ssh-ed448') return readEdwards(reader, type);
    if (type.startsWith('ecdsa-sha2-nistp')) return readEcdsa(reader);
    if (type === 'ssh-rsa') return readRsa(reader);
    if (type === 'ssh-dss') return readDsa(reader);
  } catch (error) {
    if (error instanceof ByteError || error instanceof HostKeyError) throw error;
    // OpenSSL's word on the numbers, which must not reach a log.
    throw new HostKeyError('OpenSSL refuses the key');
  }
  if (type.startsWith('sk-')) throw new HostKeyError('a key on a security token cannot be a host key');
  throw new HostKeyError('unsupported key type');
}

function readEdwards(reader: ByteReader, type: 'ssh-ed25519' | 'ssh-ed448'): KeyObject {
  const size = type === 'ssh-ed25519' ? 32 : 57;
  const publicBytes = reader.string();
  const secret = reader.string();
  if (publicBytes.length !== size || secret.length !== 2 * size) throw new ByteError('wrong length');
  const options = { key: secret.subarray(0, size), format: 'raw-private', asymmetricKeyType: type.slice(4) };
  return createPrivateKey(options as unknown as Parameters<typeof createPrivateKey>[0]);
}

function readEcdsa(reader: ByteReader): KeyObject {
  const bits = /^nistp(256|384|521)$/.exec(reader.name())?.[1];
  if (bits === undefined) throw new HostKeyError('unsupported curve');
  const half = Math.ceil(Number(bits) / 8);
  const point = reader.string();
  const scalar = reader.mpint();
  if (point.length !== 1 + 2 * half || point[0] !== 0x04 || scalar.length > half) {
    throw new ByteError('wrong length');
  }
  const d = Buffer.alloc(half);
  scalar.copy(d, half - scalar.length);
  return fromJwk({
    kty: 'EC',
    crv: `P-${bits}`,
    x: point.subarray(1, 1 + half),
    y: point.subarray(1 + half),
    d,
  });
}

function readRsa(reader: ByteReader): KeyObject {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => reader.mpint()) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  return fromJwk({ kty: 'RSA', n, e, d, p, q, dp: reduced(d, p), dq: reduced(d, q), qi });
}

/** d mod (prime - 1), which the file leaves out. */
function reduced(exponent: Buffer, prime: Buffer): Buffer {
  const modulus = asNumber(prime) - 1n;
  if (modulus < 1n) throw new ByteError('not a prime');
  const digits = (asNumber(exponent) % modulus).toString(16);
  return Buffer.from(digits.length % 2 === 1 ? `0${digits}` : digits, 'hex');
}

function asNumber(magnitude: Buffer): bigint {
  return magnitude.length === 0 ? 0n : BigInt(`0x${magnitude.toString('hex')}`);
}

function readDsa(reader: ByteReader): KeyObject {
  const [p, q, g, , x] = Array.from({ length: 5 }, () => reader.mpint()) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  return dsaPrivateKey(p, q, g, x);
}

function fromJwk(fields: Readonly<Record<string, string | Buffer>>): KeyObject {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : value.toString('base64url'),
  ]);
  return createPrivateKey({ key: Object.fromEntries(entries) as { kty: string }, format: 'jwk' });
}

/** An Ed25519, ECDSA or RSA key as an unencrypted file of this format, for clients that read no other. */
export function encodeOpenSshPrivateKey(key: KeyObject, comment = ''): string {
  const publicBlob = publicBlobOf(key);
  const check = randomBytes(4);
  const section = new ByteWriter(2048).raw(check).raw(check);
  writeKey(section, key, publicBlob);
  section.string(comment);
  for (let pad = 1; section.length % 8 !== 0; pad += 1) section.u8(pad);
  const file = new ByteWriter(4096)
    .raw(Buffer.from(MAGIC, 'latin1'))
    .string('none')
    .string('none')
    .string('')
    .u32(1)
    .string(publicBlob)
    .string(section.finish())
    .finish();
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}

function writeKey(writer: ByteWriter, key: KeyObject, publicBlob: Buffer): void {
  const jwk = key.export({ format: 'jwk' });
  const field = (name: 'n' | 'e' | 'd' | 'p' | 'q' | 'qi'): Buffer =>
    Buffer.from(jwk[name] ?? '', 'base64url');
  const blob = new ByteReader(publicBlob);
  const type = blob.name();
  writer.string(type);
  if (type === 'ssh-ed25519') {
    const bytes = blob.string();
    writer.string(bytes).string(Buffer.concat([field('d'), bytes]));
  } else if (type.startsWith('ecdsa-')) {
    writer.raw(blob.rest()).mpint(field('d'));
  } else if (type === 'ssh-rsa') {
    for (const name of ['n', 'e', 'd', 'qi', 'p', 'q'] as const) writer.mpint(field(name));
  } else {
    throw new HostKeyError('unsupported key type');
  }
}
