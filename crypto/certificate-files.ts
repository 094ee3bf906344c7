/**
 * Bytes of certificate, key, CRL and DH parameter files as values: splitting PEM, pairing a certificate with its key,
 * and saying in one fixed sentence what is wrong with a file. Nothing here opens a file or repeats key material.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';

export type KeyAlgorithm = 'RSA' | 'EC' | 'DSA';

/** A file this server cannot use; `reason` may be shown to operators and holds no secret. */
export class CertificateFileError extends Error {
  readonly code: 'unreadable' | 'encrypted' | 'wrong-algorithm' | 'key-mismatch' | 'no-data';

  constructor(code: CertificateFileError['code'], reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'CertificateFileError';
    this.code = code;
  }
}

/** A certificate as found in a file. */
export interface ParsedCertificate {
  readonly pem: string;
  readonly certificate: X509Certificate;
}

/** A server certificate with its key, ready for a TLS context. */
export interface KeyPair {
  readonly algorithm: KeyAlgorithm;
  readonly leaf: ParsedCertificate;
  /** Further certificates of the same file, in file order. */
  readonly chain: readonly ParsedCertificate[];
  /** PKCS#8 PEM, not encrypted. */
  readonly keyPem: string;
}

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;
const CERTIFICATE_LABELS = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']);

/** All PEM blocks of a file: label and text with the armour. Text around them is ignored, as OpenSSL does. */
export function pemBlocks(bytes: Uint8Array): { label: string; pem: string }[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return [...text.matchAll(PEM_BLOCK)].map((match) => ({ label: match[1] ?? '', pem: `${match[0]}\n` }));
}

/** Every certificate of a PEM file, in order. Throws CertificateFileError when there is none or one is broken. */
export function parseCertificates(bytes: Uint8Array): ParsedCertificate[] {
  const blocks = pemBlocks(bytes).filter((block) => CERTIFICATE_LABELS.has(block.label));
  if (blocks.length === 0) throw new CertificateFileError('no-data', 'file contained no certificate data');
  return blocks.map(({ pem }) => {
    try {
      return { pem, certificate: new X509Certificate(pem) };
    } catch (cause) {
      throw new CertificateFileError('unreadable', 'bad certificate', { cause });
    }
  });
}

/** CRLs of a PEM file. Throws CertificateFileError when there is none. */
export function parseRevocationLists(bytes: Uint8Array): Uint8Array[] {
  const blocks = pemBlocks(bytes).filter((block) => block.label === 'X509 CRL');
  if (blocks.length === 0) throw new CertificateFileError('no-data', 'file contained no CRL data');
  return blocks.map(({ pem }) => derOf(pem));
}

/** The bytes between the armour lines. */
export function derOf(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[A-Z0-9 ]+-----/g, '').replace(/\s+/g, ''), 'base64');
}

/** True when the first private key of the file needs a pass phrase. */
export function isEncryptedKey(bytes: Uint8Array): boolean {
  const key = pemBlocks(bytes).find((block) => block.label.endsWith('PRIVATE KEY'));
  if (key === undefined) return false;
  return key.label.startsWith('ENCRYPTED') || /Proc-Type:\s*4,ENCRYPTED/.test(key.pem);
}

/** The private key of a PEM file. `passPhrase` is used only where the key is encrypted. */
export function parsePrivateKey(bytes: Uint8Array, passPhrase: string | null = null): KeyObject {
  const block = pemBlocks(bytes).find((candidate) => candidate.label.endsWith('PRIVATE KEY'));
  if (block === undefined) throw new CertificateFileError('no-data', 'no start line');
  const encrypted = isEncryptedKey(bytes);
  if (encrypted && passPhrase === null) throw new CertificateFileError('encrypted', 'bad password read');
  try {
    return createPrivateKey(
      encrypted ? { key: block.pem, passphrase: passPhrase ?? '' } : { key: block.pem },
    );
  } catch (cause) {
    // The cause may quote library internals, never the key; the text shown is ours.
    throw new CertificateFileError(
      encrypted ? 'encrypted' : 'unreadable',
      encrypted ? 'bad decrypt' : 'bad key data',
      {
        cause,
      },
    );
  }
}

/** PKCS#8 PEM of a key without encryption, as it is kept in memory after a pass phrase was given. */
export function decryptedKeyPem(bytes: Uint8Array, passPhrase: string): string {
  return parsePrivateKey(bytes, passPhrase).export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** RSA, EC or DSA; other key types are named as OpenSSL names them. */
export function keyAlgorithmName(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return 'RSA';
    case 'ec':
    case 'ed25519':
    case 'ed448':
      return 'EC';
    case 'dsa':
      return 'DSA';
    case undefined:
      return 'unknown';
    default:
      return key.asymmetricKeyType.toUpperCase();
  }
}

/** Bytes and names of one configured certificate. */
export interface KeyPairFiles {
  readonly algorithm: KeyAlgorithm;
  readonly certificateBytes: Uint8Array;
  /** The certificate's own file when the key lives there too. */
  readonly keyBytes: Uint8Array;
  readonly passPhrase?: string | null;
}

/** Loads and checks a certificate and its key; throws CertificateFileError. */
export function loadKeyPair(files: KeyPairFiles): KeyPair {
  const [leaf, ...chain] = parseCertificates(files.certificateBytes);
  if (leaf === undefined) throw new CertificateFileError('no-data', 'file contained no certificate data');
  const found = keyAlgorithmName(leaf.certificate.publicKey);
  if (found !== files.algorithm) {
    throw new CertificateFileError(
      'wrong-algorithm',
      `expected ${files.algorithm} certificate, found ${found}`,
    );
  }
  const key = parsePrivateKey(files.keyBytes, files.passPhrase ?? null);
  if (!leaf.certificate.checkPrivateKey(key)) {
    throw new CertificateFileError('key-mismatch', mismatchReason(key, chain));
  }
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { algorithm: files.algorithm, leaf, chain, keyPem };
}

/** A server certificate that does not stand first is the common reason; then the file is in the wrong order. */
function mismatchReason(key: KeyObject, others: readonly ParsedCertificate[]): string {
  const index = others.findIndex(({ certificate }) => certificate.checkPrivateKey(key));
  if (index < 0) return 'key values mismatch';
  return `key values mismatch: it belongs to certificate ${index + 2} of the file, the server certificate must stand first`;
}

/** Diffie-Hellman parameters of a PEM file and the size of their prime in bits. */
export interface DhParameters {
  readonly pem: string;
  readonly bits: number;
}

/**
 * Every `DH PARAMETERS` block (PKCS#3):
 *   DHParameter ::= SEQUENCE { prime INTEGER, base INTEGER, privateValueLength INTEGER OPTIONAL }
 */
export function parseDhParameters(bytes: Uint8Array): DhParameters[] {
  const blocks = pemBlocks(bytes).filter((block) => block.label === 'DH PARAMETERS');
  if (blocks.length === 0) throw new CertificateFileError('no-data', 'file contained no DH parameters');
  return blocks.map(({ pem }) => ({ pem, bits: primeBits(derOf(pem)) }));
}

function primeBits(der: Buffer): number {
  const sequence = derElement(der, 0);
  const prime = sequence.tag === 0x30 ? derElement(der, sequence.start) : sequence;
  if (prime.tag !== 0x02) throw new CertificateFileError('unreadable', 'bad DH parameters');
  let start = prime.start;
  while (start < prime.end && der[start] === 0) start += 1;
  if (start >= prime.end) throw new CertificateFileError('unreadable', 'bad DH parameters');
  return (prime.end - start - 1) * 8 + (32 - Math.clz32(der[start] ?? 0));
}

function derElement(der: Buffer, at: number): { tag: number; start: number; end: number } {
  const tag = der[at] ?? 0;
  const first = der[at + 1] ?? 0;
  const lengthBytes = first & 0x80 ? first & 0x7f : 0;
  if (lengthBytes > 4 || at + 2 + lengthBytes > der.length) {
    throw new CertificateFileError('unreadable', 'bad DH parameters');
  }
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  if (start + length > der.length) throw new CertificateFileError('unreadable', 'bad DH parameters');
  return { tag, start, end: start + length };
}
