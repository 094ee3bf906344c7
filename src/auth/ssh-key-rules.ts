/** What a public key must be before anybody looks for it in a store: algorithm, size, not on the blacklist. */
import { createHash, getFips } from 'node:crypto';
import { activeProfile } from '../../crypto/profile.ts';
import { isCertificateAlgorithm, parseCertificate } from '../../crypto/ssh/certificates.ts';
import type { SshCertificate } from '../../crypto/ssh/certificates.ts';
import { KeyError, keyTypeOfAlgorithm, parsePublicKeyBlob, plainAlgorithm } from '../../crypto/ssh/keys.ts';
import type { SshPublicKey } from '../../crypto/ssh/keys.ts';
import type { Settings } from '../config/server-config.ts';
import { ByteError } from '../util/byte-reader.ts';
import type { KeyBlacklistFile } from './key-blacklist-file.ts';

/** Reference, section 14. */
const MAX_BLOB_BYTES = 16 * 1024;

/** A line of the session's SFTPLog. */
export type Note = (text: string) => void;

/** A key that may be used, as far as it alone tells. */
export interface PresentedKey {
  /** The plain key: inside the certificate where there is one. */
  readonly key: SshPublicKey;
  readonly certificate: SshCertificate | null;
  /** The algorithm its signatures must carry inside. */
  readonly signatureAlgorithm: string;
}

export type KeyReading =
  | { readonly kind: 'usable'; readonly presented: PresentedKey }
  | { readonly kind: 'refused' }
  | { readonly kind: 'blacklisted' };

const REFUSED: KeyReading = { kind: 'refused' };

/** Signature algorithms accepted of users: SFTPAuthPublicKeys, else the crypto profile's. Also server-sig-algs. */
export function userKeyAlgorithms(settings: Settings): readonly string[] {
  return settings.sftpAuthPublicKeys ?? activeProfile().ssh.publicKeys.default;
}

/** Reads and judges the key of a request; every reason for a refusal goes to `note`. */
export function readPresentedKey(
  algorithm: string,
  blob: Buffer,
  settings: Settings,
  blacklist: KeyBlacklistFile,
  note: Note,
): KeyReading {
  const plain = plainAlgorithm(algorithm);
  if (keyTypeOfAlgorithm(plain) === null) {
    note(`unsupported public key algorithm '${algorithm}' requested, rejecting request`);
    return REFUSED;
  }
  if (!userKeyAlgorithms(settings).includes(algorithm)) {
    note(`public key algorithm '${algorithm}' disabled by SFTPAuthPublicKeys, rejecting request`);
    return REFUSED;
  }
  const presented = parsePresented(algorithm, plain, blob);
  if (presented === null) {
    note(`malformed public key in request with algorithm '${algorithm}', rejecting request`);
    return REFUSED;
  }
  const keys = [
    presented.key,
    ...(presented.certificate === null ? [] : [presented.certificate.signatureKey]),
  ];
  for (const key of keys) {
    const tooSmall = refuseSize(key, settings);
    if (tooSmall !== null) {
      note(tooSmall);
      return REFUSED;
    }
    if (
      settings.sftpKeyBlacklist !== null &&
      isBlacklisted(key, settings.sftpKeyBlacklist, blacklist, note)
    ) {
      note('public key is blacklisted');
      return { kind: 'blacklisted' };
    }
  }
  return { kind: 'usable', presented };
}

function parsePresented(algorithm: string, plain: string, blob: Buffer): PresentedKey | null {
  if (blob.length > MAX_BLOB_BYTES) return null;
  try {
    const certificate = isCertificateAlgorithm(algorithm) ? parseCertificate(blob) : null;
    const key = certificate === null ? parsePublicKeyBlob(blob) : certificate.publicKey;
    if (keyTypeOfAlgorithm(plain) !== key.type) return null;
    return { key, certificate, signatureAlgorithm: plain };
  } catch (error) {
    if (error instanceof KeyError || error instanceof ByteError) return null;
    throw error;
  }
}

/** SFTPKeyLimits; the text is what the log says, null: large enough. */
function refuseSize(key: SshPublicKey, settings: Settings): string | null {
  const { minimumRsaBits, minimumDsaBits, minimumEcBits } = settings.sftpKeyLimits;
  const { fips, ssh } = activeProfile();
  const rsaFloor = fips ? Math.max(minimumRsaBits, ssh.minimumRsaBits) : minimumRsaBits;
  const [kind, minimum] = key.type.includes('rsa')
    ? ['RSA', rsaFloor]
    : key.type === 'ssh-dss'
      ? ['DSA', minimumDsaBits]
      : key.type.includes('ecdsa')
        ? ['EC', minimumEcBits]
        : ['', 0];
  if (key.bits >= minimum) return null;
  return `${kind} key size (${key.bits} bits) less than required minimum (${minimum} bits)`;
}

function isBlacklisted(key: SshPublicKey, path: string, blacklist: KeyBlacklistFile, note: Note): boolean {
  // The dictionary goes by MD5, which a FIPS module does not compute; its RSA-1024 and DSA keys are too small there anyway.
  if (getFips() === 1) {
    note(`SFTPKeyBlacklist '${path}' cannot be used in FIPS mode: its fingerprints are MD5`);
    return false;
  }
  return blacklist.has(path, createHash('md5').update(key.blob).digest(), note);
}
