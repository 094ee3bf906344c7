/** Host keys: files of every format administrators have, and signatures (RFC 4253, section 6.6; RFC 8332). */
import { createPrivateKey, generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { HostKeyError } from './host-key-error.ts';
import {
  parsePublicKeyBlob,
  signatureAlgorithms,
  KeyError,
  type SshKeyType,
  type SshPublicKey,
} from './keys.ts';
import { isOpenSshPrivateKey, parseOpenSshPrivateKey } from './openssh-private-key.ts';
import { publicBlobOf } from './public-blob.ts';

export { HostKeyError, type HostKeyProblem } from './host-key-error.ts';

export interface HostKey {
  readonly type: SshKeyType;
  /** Signature algorithms it can be offered with, best first. */
  readonly algorithms: readonly string[];
  readonly blob: Buffer;
  readonly bits: number;
  /** Unencrypted PKCS#8 DER; empty for a key held by an agent. */
  readonly pkcs8: Buffer;
  /**
   * Signs; RSA and the large curves in the thread pool.
   * @returns the signature blob: string algorithm, string bytes
   */
  sign(algorithm: string, data: Buffer): Promise<Buffer>;
}

/** Bits of a new RSA key: as ssh-keygen. */
const NEW_RSA_BITS = 3072;

const HASHES: Readonly<Record<string, string | null>> = {
  'ssh-ed25519': null,
  'ssh-ed448': null,
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
  'rsa-sha2-512': 'sha512',
  'rsa-sha2-256': 'sha256',
  'ssh-rsa': 'sha1',
  'ssh-dss': 'sha1',
};

/** What is often named in place of a private key, and what to say then. */
const MISTAKES: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /^---- BEGIN SSH2 (ENCRYPTED )?PRIVATE KEY ----/m,
    'it is a private key in the format of Tectia and ssh.com; convert it with `ssh-keygen -i`',
  ],
  [
    /^PuTTY-User-Key-File-/,
    'it is a PuTTY key; export it in the OpenSSH format (`puttygen -O private-openssh`)',
  ],
  [/-cert-v01@openssh\.com /, 'it is a certificate; name the file of the private key'],
  [
    /^---- BEGIN SSH2 PUBLIC KEY ----|^-----BEGIN (RSA )?PUBLIC KEY-----|^(ssh|ecdsa|sk)-\S+ AAAA/m,
    'it is a public key; name the file of the private key, the one without .pub',
  ],
  [/^-----BEGIN CERTIFICATE-----/m, 'it is an X.509 certificate; name the file of a private key'],
];

/**
 * Reads a private key: PEM of PKCS#1, SEC 1 or PKCS#8, or OpenSSH's own format, each encrypted or not.
 * @throws HostKeyError; with `needsPassPhrase` where it is encrypted and no pass phrase was given
 */
export async function loadHostKey(bytes: Buffer, passPhrase?: string): Promise<HostKey> {
  const text = bytes.toString('latin1');
  if (isOpenSshPrivateKey(text)) return hostKeyOf(parseOpenSshPrivateKey(text, passPhrase));
  if (!/-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/.test(text)) {
    const mistake = MISTAKES.find(([pattern]) => pattern.test(text));
    throw new HostKeyError(
      mistake?.[1] ?? 'it is no private key in PEM or OpenSSH format',
      mistake === MISTAKES[0] ? 'tectia' : 'no-private-key',
    );
  }
  return hostKeyOf(readPem(text, passPhrase));
}

function readPem(text: string, passPhrase: string | undefined): KeyObject {
  // Both the PKCS#8 label and the Proc-Type header of older PEM files say it with this word.
  const encrypted = text.includes('ENCRYPTED');
  if (encrypted && passPhrase === undefined)
    throw new HostKeyError('the key is encrypted', 'needs-pass-phrase');
  try {
    return encrypted
      ? createPrivateKey({ key: text, format: 'pem', passphrase: passPhrase! })
      : createPrivateKey({ key: text, format: 'pem' });
  } catch {
    // OpenSSL's text may quote what it read.
    throw new HostKeyError(
      encrypted ? 'wrong pass phrase, or the key is damaged' : 'OpenSSL cannot read the key',
    );
  }
}

/**
 * The key main loaded, in a worker.
 * @param bytes - PKCS#8 DER, unencrypted
 * @throws HostKeyError
 */
export function hostKeyFromPkcs8(bytes: Buffer): HostKey {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
  } catch {
    // The bytes are a key's: no word of OpenSSL on them.
    throw new HostKeyError('OpenSSL cannot read the key');
  }
  return hostKeyOf(key);
}

/** @throws HostKeyError for kinds and sizes SSH does not use */
export function hostKeyOf(key: KeyObject): HostKey {
  const blob = publicBlobOf(key);
  let publicKey: SshPublicKey;
  try {
    publicKey = parsePublicKeyBlob(blob);
  } catch (error) {
    if (error instanceof KeyError) throw new HostKeyError(error.message);
    throw error;
  }
  const { type, bits } = publicKey;
  const algorithms = signatureAlgorithms(type);
  return {
    type,
    algorithms,
    blob,
    bits,
    pkcs8: key.export({ format: 'der', type: 'pkcs8' }),
    async sign(algorithm, data) {
      if (!algorithms.includes(algorithm)) throw new RangeError(`a ${type} key does not sign ${algorithm}`);
      const bytes = await signatureBytes(key, type, HASHES[algorithm] ?? null, data);
      return new ByteWriter(bytes.length + 40).string(algorithm).string(bytes).finish();
    },
  };
}

async function signatureBytes(
  key: KeyObject,
  type: SshKeyType,
  hash: string | null,
  data: Buffer,
): Promise<Buffer> {
  if (type === 'ssh-ed25519' || type === 'ssh-ed448') return sign(null, data, key);
  if (type === 'ssh-rsa') return signInPool(hash, data, key);
  const fixed = { key, dsaEncoding: 'ieee-p1363' } as const;
  if (type === 'ssh-dss') return signInPool(hash, data, fixed);
  // P-256 takes less time than the way to the pool and back.
  const pair = type === 'ecdsa-sha2-nistp256' ? sign(hash, data, fixed) : await signInPool(hash, data, fixed);
  const half = pair.length / 2;
  return new ByteWriter(pair.length + 10).mpint(pair.subarray(0, half)).mpint(pair.subarray(half)).finish();
}

function signInPool(hash: string | null, data: Buffer, key: Parameters<typeof sign>[2]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(hash, data, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(new HostKeyError('OpenSSL refuses to sign'));
    });
  });
}

/** A new host key as PEM (PKCS#8): Ed25519, ECDSA on P-256, or RSA of 3072 bits. */
export async function generateHostKey(kind: 'ed25519' | 'ecdsa' | 'rsa'): Promise<string> {
  const key = await new Promise<KeyObject>((resolve, reject) => {
    const done = (error: Error | null, _publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error === null) resolve(privateKey);
      else reject(error);
    };
    if (kind === 'ed25519') generateKeyPair('ed25519', {}, done);
    else if (kind === 'ecdsa') generateKeyPair('ec', { namedCurve: 'P-256' }, done);
    else generateKeyPair('rsa', { modulusLength: NEW_RSA_BITS }, done);
  });
  return key.export({ format: 'pem', type: 'pkcs8' }) as string;
}
