/** Certificates in order: what goes out behind the leaf, how a path to a trust anchor is found, and how names print. */
import type { X509Certificate } from 'node:crypto';
import type { ParsedCertificate } from './certificate-files.ts';

/** A found path, leaf first; `anchored` when its last certificate is a trust anchor. */
export interface CertificatePath {
  readonly certificates: readonly X509Certificate[];
  readonly anchored: boolean;
}

/** More certificates than any sane path has; a peer's chain beyond it is not followed. */
export const MAX_PATH_LENGTH = 32;

/** `/C=US/O=Example/CN=alice`, the form of OpenSSL's one-line names and of mod_tls's log lines. */
export function oneLineName(name: string): string {
  return name === '' ? '' : `/${name.split('\n').join('/')}`;
}

/**
 * PEM of what a server sends: its certificate, then what stood behind it in the same file and the certificates of
 * TLSCertificateChainFile, issuer after issuer (RFC 8446, section 4.4.2), whatever leads nowhere at the end. Copies of
 * the server certificate and duplicates are left out.
 */
export function outgoingChain(
  leaf: ParsedCertificate,
  sameFile: readonly ParsedCertificate[],
  chainFile: readonly ParsedCertificate[],
): { readonly pem: string; readonly added: number } {
  const sent = new Set([leaf.certificate.fingerprint256]);
  const ordered: ParsedCertificate[] = [];
  const keep = (candidate: ParsedCertificate): boolean => {
    if (sent.has(candidate.certificate.fingerprint256)) return false;
    sent.add(candidate.certificate.fingerprint256);
    ordered.push(candidate);
    return true;
  };
  const chainOnly = new Set(chainFile);
  let added = 0;
  for (const candidate of inPathOrder(leaf, [...sameFile, ...chainFile])) {
    if (keep(candidate) && chainOnly.has(candidate)) added += 1;
  }
  return { pem: [leaf, ...ordered].map((entry) => entry.pem).join(''), added };
}

/** Issuer after issuer as far as they are among `candidates`, then the rest in file order. */
function inPathOrder(from: ParsedCertificate, candidates: readonly ParsedCertificate[]): ParsedCertificate[] {
  const left = [...candidates];
  const ordered: ParsedCertificate[] = [];
  let current = from;
  for (;;) {
    const index = left.findIndex((candidate) => isIssuedBy(current.certificate, candidate.certificate));
    const next = index < 0 ? undefined : left[index];
    if (next === undefined) return [...ordered, ...left];
    left.splice(index, 1);
    ordered.push(next);
    current = next;
  }
}

/** The path from `leaf` upwards through presented certificates and anchors; signatures are checked on the way. */
export function findPath(
  leaf: X509Certificate,
  presented: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
): CertificatePath {
  const trusted = new Set(anchors.map((anchor) => anchor.fingerprint256));
  const certificates = [leaf];
  let current = leaf;
  while (certificates.length <= MAX_PATH_LENGTH) {
    if (isSelfIssued(current)) return { certificates, anchored: trusted.has(current.fingerprint256) };
    // Anchors first: a peer may send an old cross-signed copy of a certificate we hold.
    const issuer = issuerOf(current, anchors) ?? issuerOf(current, presented);
    if (issuer === undefined || certificates.includes(issuer)) return { certificates, anchored: false };
    certificates.push(issuer);
    current = issuer;
  }
  return { certificates, anchored: false };
}

/** The issuer of `certificate` among the candidates, one that has not expired before any other. */
export function issuerOf(
  certificate: X509Certificate,
  candidates: readonly X509Certificate[],
): X509Certificate | undefined {
  const issuers = candidates.filter((candidate) => isIssuedBy(certificate, candidate));
  const now = Date.now();
  return issuers.find((issuer) => issuer.validToDate.getTime() > now) ?? issuers[0];
}

/** Name, key identifier and signature say that `issuer` issued `certificate`. */
export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Issued and signed by itself: a root, or a self-signed end certificate. */
export function isSelfIssued(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer && isIssuedBy(certificate, certificate);
}
