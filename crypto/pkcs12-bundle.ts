/** TLSPKCS12File at start-up: the bundle in a context of its own, and why a FIPS module may not open it. */
import type { Settings } from '../src/config/server-config.ts';
import { offeredVersions } from './tls-configuration.ts';
import { TlsContextSet } from './tls-context.ts';

/** Loads the bundle. Throws the library's error for a wrong pass phrase or a damaged file. */
export function bundleContext(settings: Settings, bytes: Uint8Array, passPhrase: string): TlsContextSet {
  const buf = { bytes, passPhrase };
  return new TlsContextSet({
    identities: [],
    pkcs12: buf,
    clientAuthorities: [],
    versions: offeredVersions(settings),
    cipherList: null,
    cipherSuites13: null,
    serverPreference: true,
    groups: null,
    dhParameters: null,
    lifetimeSeconds: 1,
    weakSecurity: settings.tlsOptions.includes('AllowWeakSecurity'),
  });
}

/**
 * PKCS#12 protects itself with a key derivation of its own (RFC 7292, appendix B), which no FIPS module has, and often
 * with salts shorter than SP 800-132 asks for. No pass phrase would help; PBMAC1 (RFC 9579) does.
 */
export function isUnapprovedBundle(error: unknown): boolean {
  return error instanceof Error && /Unsupported PKCS12|invalid salt length/.test(error.message);
}

/** The sentence for the operator. */
export function unapprovedBundle(path: string): string {
  const rule = "PKCS#12's own key derivation is not approved (SP 800-132)";
  return (
    `'${path}' is forbidden by the FIPS profile: ${rule}; make it with PBMAC1 (openssl pkcs12 -export -pbmac1_pbkdf2, ` +
    'OpenSSL 3.4 or later), or use TLSRSACertificateFile or TLSECCertificateFile'
  );
}
