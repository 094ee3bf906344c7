/**
 * Verification of a client's certificate: path to a trust anchor, depth, dates, purpose, revocation, then pkijs's
 * RFC 5280 validation of the found path. The reasons are OpenSSL's words, because operators know them from logs.
 */
import type { X509Certificate } from 'node:crypto';
import { findPath, isSelfIssued, oneLineName } from './certificate-chain.ts';
import { certificateParsers, type CertificateParsers } from './certificate-parsers.ts';
import { checkRevocation, type RevocationMethod } from './certificate-revocation.ts';
import { isValidPath } from './path-validation.ts';

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
  /** TLSVerifyOrder; lists alone unless given. */
  readonly revocationOrder?: readonly RevocationMethod[];
  /** Milliseconds for all OCSP responders together. */
  readonly ocspTimeoutMs?: number;
}

export type VerificationOutcome =
  | {
      readonly ok: true;
      readonly path: readonly X509Certificate[];
      /** For the log: a revocation method that could not be used. */
      readonly notes: readonly string[];
    }
  | {
      readonly ok: false;
      readonly reason: string;
      /** 0 is the client's own certificate. */
      readonly depth: number;
      readonly subject: string;
      readonly issuer: string;
      /** Operator's business rather than the client's: an expired CRL, a responder that does not answer. */
      readonly note: string | null;
    };

const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';
/** Longest a handshake waits for OCSP responders. */
const OCSP_TIMEOUT_MS = 10_000;

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
  const { certificates } = path;
  const invalid =
    keyUsageFailure(parsers, certificates) ??
    ((await isValidPath(certificates, input.now))
      ? null
      : refused(certificates, 0, 'certificate verify failed'));
  if (invalid !== null) return invalid;
  // Last, because it may ask a responder a certificate names: only one that leads to a trusted authority.
  const revocation = await checkRevocation(certificates, {
    revocationLists: input.revocationLists,
    order: input.revocationOrder ?? ['crl'],
    now: input.now,
    ocspTimeoutMs: input.ocspTimeoutMs ?? OCSP_TIMEOUT_MS,
  });
  if (!revocation.ok) return refused(certificates, revocation.depth, revocation.reason, revocation.note);
  return { ok: true, path: certificates, notes: revocation.notes };
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

/** An authority that names purposes limits what it issues to them, as OpenSSL reads it. */
function purposeFailure(path: readonly X509Certificate[]): VerificationOutcome | null {
  const depth = path.findIndex((certificate, index) => {
    // Node's keyUsage is the extended key usage; undefined where the certificate has none.
    const usages = certificate.keyUsage as readonly string[] | undefined;
    const isAnchor = index > 0 && index === path.length - 1;
    return (
      !isAnchor &&
      usages !== undefined &&
      !usages.includes(CLIENT_AUTHENTICATION) &&
      !usages.includes(ANY_PURPOSE)
    );
  });
  return depth < 0 ? null : refused(path, depth, 'unsuitable certificate purpose');
}

/** A client signs the handshake, or agrees on a key with a static one (RFC 5280, section 4.2.1.12). */
function keyUsageFailure(
  { x509 }: CertificateParsers,
  path: readonly X509Certificate[],
): VerificationOutcome | null {
  const [leaf] = path;
  if (leaf === undefined) return null;
  const usage = new x509.X509Certificate(new Uint8Array(leaf.raw)).getExtension(x509.KeyUsagesExtension);
  const wanted = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement;
  if (usage === null || (usage.usages & wanted) !== 0) return null;
  return refused(path, 0, 'unsuitable certificate purpose');
}

function dateFailure(path: readonly X509Certificate[], now: Date): VerificationOutcome | null {
  for (const [depth, certificate] of path.entries()) {
    if (certificate.validFromDate > now) return refused(path, depth, 'certificate is not yet valid');
    if (certificate.validToDate < now) return refused(path, depth, 'certificate has expired');
  }
  return null;
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
