/** OpenSSH's certificates (PROTOCOL.certkeys), as users present them. */
import { BlockList, isIP } from 'node:net';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import {
  asKeyError,
  KeyError,
  keyTypeOfAlgorithm,
  parsePublicKeyBlob,
  plainAlgorithm,
  readKeyFields,
  verifySignature,
  type SshPublicKey,
} from './keys.ts';

export interface SshCertificate {
  /** `ssh-ed25519-cert-v01@openssh.com` and its like. */
  readonly type: string;
  /** The certified key; its blob is that of the plain key. */
  readonly publicKey: SshPublicKey;
  readonly serial: bigint;
  readonly kind: 'user' | 'host';
  /** Whatever the authority wrote: to be escaped in logs. */
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since the epoch; valid from here ... */
  readonly validAfter: bigint;
  /** ... until before here. */
  readonly validBefore: bigint;
  /** Name to data, as encoded. */
  readonly criticalOptions: ReadonlyMap<string, Buffer>;
  readonly extensions: ReadonlyMap<string, Buffer>;
  readonly signatureKey: SshPublicKey;
  readonly signature: Buffer;
  /** All before the signature. */
  readonly signedData: Buffer;
}

export interface CertificateUse {
  /** Name that must stand among the principals. */
  readonly user: string;
  /** The client's, IPv4 or IPv6. */
  readonly address: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Blobs of the keys trusted to certify users. */
  readonly trustedCas: readonly Buffer[];
  /** principals= of the authority's line: one of these must be in the certificate, in place of the user's name. */
  readonly principals?: readonly string[];
}

export type CertificateVerdict =
  | { readonly ok: true; readonly touchRequired: boolean; readonly verifyRequired: boolean }
  | { readonly ok: false; readonly reason: string };

const SUFFIX = '-cert-v01@openssh.com';
const MAX_CERTIFICATE_BYTES = 16_384;
const MAX_PRINCIPALS = 256;
const MAX_OPTIONS = 64;
const MAX_NAME_BYTES = 1024;
const USER = 1;
const HOST = 2;
/** Authorities' signatures that no longer prove anything. */
const WEAK_SIGNATURES = new Set(['ssh-rsa', 'ssh-dss']);

/** Whether the algorithm name is that of a certificate. */
export function isCertificateAlgorithm(name: string): boolean {
  return name.endsWith(SUFFIX);
}

/**
 * Reads a certificate; nothing of it is checked yet.
 *
 *     string type, string nonce, key fields, u64 serial, u32 kind, string key id, string principals,
 *     u64 valid after, u64 valid before, string critical options, string extensions, string reserved,
 *     string signature key, string signature
 *
 * @throws KeyError
 */
export function parseCertificate(blob: Buffer): SshCertificate {
  if (blob.length > MAX_CERTIFICATE_BYTES) throw new KeyError('certificate too large');
  return asKeyError(() => {
    const reader = new ByteReader(blob);
    const type = reader.name();
    const keyType = isCertificateAlgorithm(type) ? keyTypeOfAlgorithm(type) : null;
    // `rsa-sha2-256-cert-v01` names a signature; the certificate itself says ssh-rsa-cert-v01.
    if (keyType === null || keyType === 'ssh-dss' || plainAlgorithm(type) !== keyType) {
      throw new KeyError('unsupported certificate type');
    }
    reader.string();
    const fieldsAt = reader.offset;
    const fields = readKeyFields(keyType, reader);
    const keyBlob = new ByteWriter(600).string(keyType).raw(blob.subarray(fieldsAt, reader.offset)).finish();
    const certificate = {
      type,
      publicKey: { ...fields, blob: keyBlob },
      serial: reader.u64(),
      kind: kindOf(reader.u32()),
      keyId: reader.utf8(MAX_NAME_BYTES),
      principals: readPrincipals(reader.string()),
      validAfter: reader.u64(),
      validBefore: reader.u64(),
      criticalOptions: readOptions(reader.string()),
      extensions: readOptions(reader.string()),
    };
    reader.string();
    const signatureKey = parsePublicKeyBlob(reader.string());
    const signedData = blob.subarray(0, reader.offset);
    const signature = reader.string();
    reader.end();
    return { ...certificate, signatureKey, signedData, signature };
  });
}

function kindOf(kind: number): 'user' | 'host' {
  if (kind !== USER && kind !== HOST) throw new KeyError('unknown kind of certificate');
  return kind === USER ? 'user' : 'host';
}

function readPrincipals(bytes: Buffer): string[] {
  const reader = new ByteReader(bytes);
  const principals: string[] = [];
  while (reader.remaining > 0) {
    if (principals.length >= MAX_PRINCIPALS) throw new KeyError('too many principals');
    principals.push(reader.utf8(MAX_NAME_BYTES));
  }
  return principals;
}

function readOptions(bytes: Buffer): Map<string, Buffer> {
  const reader = new ByteReader(bytes);
  const options = new Map<string, Buffer>();
  while (reader.remaining > 0) {
    const name = reader.name(MAX_NAME_BYTES);
    if (options.has(name) || options.size >= MAX_OPTIONS) throw new KeyError('malformed certificate options');
    options.set(name, reader.string());
  }
  return options;
}

/** Whether the certificate lets this user in now, from there. The client's own signature is checked elsewhere. */
export function checkUserCertificate(certificate: SshCertificate, use: CertificateUse): CertificateVerdict {
  const reason =
    authorityProblem(certificate, use) ?? timeProblem(certificate, use.now) ?? nameProblem(certificate, use);
  if (reason !== null) return { ok: false, reason };
  return checkOptions(certificate, use.address);
}

function authorityProblem(certificate: SshCertificate, use: CertificateUse): string | null {
  if (certificate.kind !== 'user') return 'it is a host certificate';
  const { signatureKey, signature, signedData } = certificate;
  if (!use.trustedCas.some((blob) => blob.equals(signatureKey.blob))) return 'its authority is not trusted';
  const algorithm = signatureName(signature);
  if (algorithm === null || WEAK_SIGNATURES.has(algorithm)) return 'its signature is of an unacceptable kind';
  return verifySignature(signatureKey, algorithm, signedData, signature).valid
    ? null
    : "its authority's signature is wrong";
}

function signatureName(signature: Buffer): string | null {
  try {
    return asKeyError(() => new ByteReader(signature).name());
  } catch (error) {
    if (error instanceof KeyError) return null;
    throw error;
  }
}

function timeProblem(certificate: SshCertificate, now: number): string | null {
  const seconds = BigInt(Math.floor(now / 1000));
  if (seconds < certificate.validAfter) return 'it is not yet valid';
  return seconds < certificate.validBefore ? null : 'it has expired';
}

function nameProblem(certificate: SshCertificate, use: CertificateUse): string | null {
  // An empty list would be a certificate for everybody; PROTOCOL.certkeys has it so, sshd and this server do not.
  if (certificate.principals.length === 0) return 'it names no principals';
  const wanted = use.principals ?? [use.user];
  return wanted.some((name) => certificate.principals.includes(name))
    ? null
    : 'the name is not among its principals';
}

/** An unknown critical option refuses; unknown extensions are permissions nobody asks for. */
function checkOptions(certificate: SshCertificate, address: string): CertificateVerdict {
  let verifyRequired = false;
  for (const [name, data] of certificate.criticalOptions) {
    if (name === 'verify-required') {
      verifyRequired = true;
    } else if (name === 'force-command') {
      if (innerText(data) !== 'internal-sftp') return { ok: false, reason: 'it forces a command' };
    } else if (name === 'source-address') {
      if (!isAmong(address, innerText(data))) {
        return { ok: false, reason: "the client's address is not among its source addresses" };
      }
    } else {
      return { ok: false, reason: `it has the critical option '${name.slice(0, 64)}'` };
    }
  }
  return { ok: true, touchRequired: !certificate.extensions.has('no-touch-required'), verifyRequired };
}

/** The data of an option with a value is a string again; null where it is not. */
function innerText(data: Buffer): string | null {
  try {
    return asKeyError(() => {
      const reader = new ByteReader(data);
      const text = reader.utf8();
      reader.end();
      return text;
    });
  } catch (error) {
    if (error instanceof KeyError) return null;
    throw error;
  }
}

/** `list` is of addresses and address/prefix, with commas between; a malformed one matches nothing at all. */
function isAmong(address: string, list: string | null): boolean {
  if (list === null) return false;
  const allowed = new BlockList();
  for (const item of list.split(',')) {
    const [network, prefix, ...more] = item.trim().split('/');
    const family = isIP(network ?? '');
    const bits =
      prefix === undefined ? (family === 4 ? 32 : 128) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (family === 0 || more.length > 0 || bits < 0 || bits > (family === 4 ? 32 : 128)) return false;
    allowed.addSubnet(network!, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  const family = isIP(plain);
  return family !== 0 && allowed.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}
