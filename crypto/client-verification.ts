/**
 * Verification of a client's certificate: path to a trust anchor, depth, dates, purpose, revocation, then pkijs's
 * RFC 5280 validation of the found path. The reasons are OpenSSL's words, because operators know them from logs.
 */
import type { X509Certificate } from 'node:crypto';
import type { CertificateRevocationList } from 'pkijs';
import { findPath, isSelfIssued, oneLineName } from './certificate-chain.ts';
import { certificateParsers, type CertificateParsers } from './certificate-parsers.ts';

export interface ClientVerification {
  readonly leaf: X509Certificate;
  /** What the client sent besides its certificate. */
  readonly presented: readonly X509Certificate[];
  readonly anchors: readonly X509Certificate[];
  /** DER. */
  readonly revocationLists: readonly Uint8Array[];
  /** Number of intermediate certificates allowed between leaf and trust anchor (TLSVerifyDepth). */
  readonly maximumDepth: number;
  readonly now: Date;
}

export type VerificationOutcome =
  | { readonly ok: true; readonly path: readonly X509Certificate[] }
  | {
      readonly ok: false;
      readonly reason: string;
      /** 0 is the client's own certificate. */
      readonly depth: number;
      readonly subject: string;
      readonly issuer: string;
      /** Operator's business rather than the client's: an expired CRL. */
      readonly note: string | null;
    };

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';

/** Verifies a client certificate. Never throws for what a client can cause. */
export async function verifyClientCertificate(input: ClientVerification): Promise<VerificationOutcome> {
  const path = findPath(input.leaf, input.presented, input.anchors);
  const untrusted = path.anchored ? null : trustFailure(path.certificates);
  const failure =
    tooLong(path.certificates, input.maximumDepth) ??
    untrusted ??
    authorityFailure(path.certificates) ??
    purposeFailure(path.certificates) ??
    dateFailure(path.certificates, input.now);
  if (failure !== null) return failure;
  const parsers = await certificateParsers();
  return (
    (await revocationFailure(parsers, path.certificates, input)) ??
    (await validationFailure(parsers, path.certificates, input.now)) ?? { ok: true, path: path.certificates }
  );
}

function refused(
  path: readonly X509Certificate[],
  depth: number,
  reason: string,
  note: string | null = null,
): VerificationOutcome {
  const certificate = path[depth] ?? path.at(-1);
  return {
    ok: false,
    reason,
    depth,
    subject: oneLineName(certificate?.subject ?? ''),
    issuer: oneLineName(certificate?.issuer ?? ''),
    note,
  };
}

function trustFailure(path: readonly X509Certificate[]): VerificationOutcome {
  const depth = path.length - 1;
  const last = path[depth];
  if (last !== undefined && isSelfIssued(last)) {
    return refused(
      path,
      depth,
      depth === 0 ? 'self-signed certificate' : 'self-signed certificate in certificate chain',
    );
  }
  return refused(path, depth, 'unable to get local issuer certificate');
}

/** Leaf and anchor do not count, only what stands between them; a self-signed certificate has nothing between. */
function tooLong(path: readonly X509Certificate[], maximumDepth: number): VerificationOutcome | null {
  const last = path.at(-1);
  const endsInRoot = last !== undefined && isSelfIssued(last);
  const intermediates = Math.max(0, path.length - (endsInRoot ? 2 : 1));
  return intermediates > maximumDepth ? refused(path, maximumDepth + 1, 'certificate chain too long') : null;
}

function authorityFailure(path: readonly X509Certificate[]): VerificationOutcome | null {
  const depth = path.findIndex((certificate, index) => index > 0 && !certificate.ca);
  return depth < 0 ? null : refused(path, depth, 'invalid CA certificate');
}

function purposeFailure(path: readonly X509Certificate[]): VerificationOutcome | null {
  // Node's keyUsage is the extended key usage; undefined where the certificate has none.
  const usages = path[0]?.keyUsage as readonly string[] | undefined;
  if (usages === undefined || usages.includes(CLIENT_AUTHENTICATION) || usages.includes(ANY_PURPOSE))
    return null;
  return refused(path, 0, 'unsuitable certificate purpose');
}

function dateFailure(path: readonly X509Certificate[], now: Date): VerificationOutcome | null {
  for (const [depth, certificate] of path.entries()) {
    if (certificate.validFromDate > now) return refused(path, depth, 'certificate is not yet valid');
    if (certificate.validToDate < now) return refused(path, depth, 'certificate has expired');
  }
  return null;
}

/** Each certificate of the path but the anchor against the CRLs of its issuer; no CRL of an issuer means no objection. */
async function revocationFailure(
  { pkijs }: CertificateParsers,
  path: readonly X509Certificate[],
  { revocationLists, now }: ClientVerification,
): Promise<VerificationOutcome | null> {
  if (revocationLists.length === 0) return null;
  const lists = revocationLists.map((der) => pkijs.CertificateRevocationList.fromBER(der));
  for (const [depth, certificate] of path.entries()) {
    const issuer = path[depth + 1];
    if (issuer === undefined) return null;
    const parsed = pkijs.Certificate.fromBER(certificate.raw);
    const issuerCertificate = pkijs.Certificate.fromBER(issuer.raw);
    for (const list of lists.filter((candidate) => candidate.issuer.isEqual(parsed.issuer))) {
      const failure = listFailure(list, now);
      if (failure !== null) return refused(path, depth, failure.reason, failure.note);
      if (!(await list.verify({ issuerCertificate }))) return refused(path, depth, 'CRL signature failure');
      if (list.isCertificateRevoked(parsed)) return refused(path, depth, 'certificate revoked');
    }
  }
  return null;
}

function listFailure(
  list: CertificateRevocationList,
  now: Date,
): { reason: string; note: string | null } | null {
  if (list.thisUpdate.value > now) return { reason: 'CRL is not yet valid', note: null };
  const nextUpdate = list.nextUpdate?.value;
  if (nextUpdate === undefined || nextUpdate >= now) return null;
  return {
    reason: 'CRL has expired',
    note: 'CRL is expired, revoking all certificates until an updated CRL is obtained',
  };
}

/** Name constraints, policies, key usage of authorities, critical extensions. */
async function validationFailure(
  { pkijs }: CertificateParsers,
  path: readonly X509Certificate[],
  now: Date,
): Promise<VerificationOutcome | null> {
  // An end certificate that is itself the anchor has no path to validate.
  if (path.length < 2) return null;
  const parsed = path.map((certificate) => pkijs.Certificate.fromBER(certificate.raw));
  const [leaf, ...others] = parsed;
  const anchor = others.pop();
  if (leaf === undefined || anchor === undefined) return null;
  const issuers = new Map(
    parsed.map((certificate, index) => [certificate, parsed[index + 1] ?? certificate]),
  );
  const engine = new pkijs.CertificateChainValidationEngine({
    trustedCerts: [anchor],
    // pkijs takes the last certificate for the one to validate.
    certs: [...others, leaf],
    checkDate: now,
    // findPath has verified these signatures already, with every algorithm OpenSSL knows.
    findIssuer: (certificate) => Promise.resolve([issuers.get(certificate) ?? certificate]),
  });
  const verdict = await engine.verify();
  return verdict.result ? null : refused(path, 0, 'certificate verify failed');
}

/** What a certificate says about its owner. */
export interface CertificateNames {
  readonly commonName: string | null;
  readonly dnsNames: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly ipAddresses: readonly string[];
  /** Value of a subject attribute or of a string-valued extension, by dotted OID. */
  field(oid: string): string | null;
}

/** Names of a certificate (DER). Throws on bytes that are no certificate. */
export async function certificateNames(der: Uint8Array): Promise<CertificateNames> {
  const { x509 } = await certificateParsers();
  const certificate = new x509.X509Certificate(new Uint8Array(der));
  const alternatives = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const ofType = (type: string): string[] =>
    alternatives.filter((name) => name.type === type).map((name) => name.value);
  return {
    commonName: certificate.subjectName.getField('CN').at(-1) ?? null,
    dnsNames: ofType('dns'),
    emailAddresses: ofType('email'),
    ipAddresses: ofType('ip'),
    field: (oid) => {
      const attribute = certificate.subjectName.getField(oid).at(-1);
      if (attribute !== undefined) return attribute;
      const extension = certificate.getExtension(oid);
      return extension === null ? null : stringValue(Buffer.from(extension.value));
    },
  };
}

/** Tags of ASN.1 string types whose bytes are text: UTF8String, PrintableString, T61String, IA5String, VisibleString. */
const STRING_TAGS = new Set([0x0c, 0x13, 0x14, 0x16, 0x1a]);

/** A DER string with a short or one-byte long length; anything else is no name. */
function stringValue(der: Buffer): string | null {
  const long = der[1] === 0x81;
  const length = long ? der[2] : der[1];
  const start = long ? 3 : 2;
  if (!STRING_TAGS.has(der[0] ?? 0) || length === undefined || (!long && length > 0x7f)) return null;
  return start + length === der.length ? der.toString('utf8', start) : null;
}
