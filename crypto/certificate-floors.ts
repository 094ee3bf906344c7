/**
 * Certificates and keys of a configuration below what the profile asks for: sizes, curves, types, signature digests.
 * Only a profile with floors (FIPS) finds anything; elsewhere the library's security level decides.
 */
import type { X509Certificate } from 'node:crypto';
import type { Settings } from '../src/config/server-config.ts';
import { CertificateFileError, parseCertificates } from './certificate-files.ts';
import type { CryptoProfile } from './profile.ts';
import { forbiddenCertificate, forbiddenPublicKey } from './profile-rules.ts';
import { certificateDirectives, fileBytes, type SecretFiles } from './tls-configuration.ts';

export interface FloorViolation {
  readonly directive: string;
  /** Names the file and the rule. */
  readonly reason: string;
}

/**
 * Violations of everything a virtual host sends or trusts, in the order of the directives. Files that are missing or
 * broken contribute nothing: other checks report them.
 */
export function floorViolations(
  settings: Settings,
  files: SecretFiles,
  profile: CryptoProfile,
): FloorViolation[] {
  if (profile.tls.floors === null) return [];
  const own = certificateDirectives(settings).map((row) => [row.directive, row.certificatePath] as const);
  const others = [
    ['TLSCertificateChainFile', settings.tlsCertificateChainFile],
    ['TLSCACertificateFile', settings.tlsCACertificateFile],
  ] as const;
  return [...own, ...others].flatMap(([directive, path]) => {
    if (path === null) return [];
    const certificates = readable(() => parseCertificates(fileBytes(files, path))) ?? [];
    const isOwn = own.some(([name]) => name === directive);
    return certificates.flatMap(({ certificate }, index) => {
      const reason =
        isOwn && index === 0 ? forbiddenCertificate(certificate, profile) : belowFloor(certificate, profile);
      return reason === null ? [] : [{ directive, reason: `'${path}': ${reason}` }];
    });
  });
}

/**
 * For a certificate of a chain, ours or a client's. An authority that issued itself is trusted by its key alone: its signature proves
 * nothing. A server's own certificate has to meet all of `forbiddenCertificate`.
 */
export function belowFloor(certificate: X509Certificate, profile: CryptoProfile): string | null {
  const isAnchor = certificate.ca && certificate.checkIssued(certificate);
  return isAnchor ? forbiddenPublicKey(certificate, profile) : forbiddenCertificate(certificate, profile);
}

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof CertificateFileError) return null;
    throw error;
  }
}
