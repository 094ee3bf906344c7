/**
 * OCSP responses (RFC 6960, sections 3.2 and 4.2): pkijs parses, and what makes a response acceptable is checked here,
 * one rule after the other. Whatever bytes a responder sends, the result is a value.
 */
import { X509Certificate } from 'node:crypto';
import type { BasicOCSPResponse, Certificate, SingleResponse } from 'pkijs';
import { isIssuedBy } from './certificate-chain.ts';
import { certificateParsers, type CertificateParsers } from './certificate-parsers.ts';
import { encodedNonce, OCSP_NONCE } from './ocsp-request.ts';

export interface OcspExpectation {
  readonly certificate: X509Certificate;
  readonly issuer: X509Certificate;
  /** Nonce of the request; a response with another one answers somebody else. */
  readonly nonce: Uint8Array | null;
  readonly now: Date;
  /** False only for TLSStaplingOptions NoVerify. */
  readonly verifySignature: boolean;
}

export type OcspVerdict =
  | {
      readonly ok: true;
      readonly status: 'good' | 'revoked' | 'unknown';
      readonly thisUpdate: Date;
      /** Null: the responder promises nothing about the time from now on. */
      readonly nextUpdate: Date | null;
    }
  | { readonly ok: false; readonly reason: string };

const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';
/** Difference between two machines' clocks that is nobody's fault. */
const CLOCK_SKEW_MS = 5 * 60_000;
/** How old a response without nextUpdate may be. */
const MAX_AGE_MS = 24 * 3_600_000;
/** Certificates in a response beyond the signer are nobody's need. */
const MAX_EMBEDDED = 8;

/** OCSPResponseStatus ::= ENUMERATED; 4 is not used. */
const STATUS_TEXTS: readonly string[] = [
  'successful',
  'malformedRequest',
  'internalError',
  'tryLater',
  'unknown response status',
  'sigRequired',
  'unauthorized',
];

/** OCSPResponse { responseStatus tryLater }: what is stapled while the responder does not answer. */
export const TRY_LATER_RESPONSE: Uint8Array = new Uint8Array([0x30, 0x03, 0x0a, 0x01, 0x03]);

/** Judges a response. Never throws for what a responder can send. */
export async function readOcspResponse(der: Uint8Array, expected: OcspExpectation): Promise<OcspVerdict> {
  const parsers = await certificateParsers();
  const opened = openResponse(parsers, der);
  if (!('basic' in opened)) return opened;
  const { basic } = opened;
  const single = await matchingResponse(parsers, basic, expected);
  if (single === null) return failed('the response is about another certificate');
  if (!nonceFits(basic, expected.nonce)) return failed('the response repeats another nonce');
  const untimely = timeFailure(single, expected.now);
  if (untimely !== null) return failed(untimely);
  if (expected.verifySignature && !(await isSignedByAuthority(parsers, basic, expected))) {
    return failed('the signature is not of the issuer or a responder it appointed');
  }
  const status = statusOf(single);
  if (status === null) return failed('malformed response');
  return { ok: true, status, thisUpdate: single.thisUpdate, nextUpdate: single.nextUpdate ?? null };
}

function failed(reason: string): OcspVerdict & { ok: false } {
  return { ok: false, reason };
}

function openResponse(
  { pkijs }: CertificateParsers,
  der: Uint8Array,
): { readonly basic: BasicOCSPResponse } | (OcspVerdict & { ok: false }) {
  try {
    const response = pkijs.OCSPResponse.fromBER(Uint8Array.from(der));
    const status = response.responseStatus.valueBlock.valueDec;
    if (status !== 0) return failed(`the responder answers ${STATUS_TEXTS[status] ?? 'an unknown status'}`);
    const { responseBytes } = response;
    if (responseBytes?.responseType !== BASIC_RESPONSE) return failed('not a basic response');
    return {
      basic: pkijs.BasicOCSPResponse.fromBER(Uint8Array.from(responseBytes.response.valueBlock.valueHexView)),
    };
  } catch {
    // The parser's complaint is about bytes of a stranger; the fixed text says all an operator can use.
    return failed('malformed response');
  }
}

/** The SingleResponse whose CertID is ours, made with whatever hash the responder chose. */
async function matchingResponse(
  { pkijs }: CertificateParsers,
  basic: BasicOCSPResponse,
  { certificate, issuer }: OcspExpectation,
): Promise<SingleResponse | null> {
  const parsed = pkijs.Certificate.fromBER(certificate.raw);
  const issuerCertificate = pkijs.Certificate.fromBER(issuer.raw);
  for (const single of basic.tbsResponseData.responses) {
    const hashAlgorithm = HASHES[single.certID.hashAlgorithm.algorithmId];
    if (hashAlgorithm === undefined) continue;
    const ours = await pkijs.CertID.create(parsed, { hashAlgorithm, issuerCertificate });
    if (ours.isEqual(single.certID)) return single;
  }
  return null;
}

const HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
};

/** Responders may leave the nonce out (RFC 9654, section 2.1): the dates then guard against replay. */
function nonceFits(basic: BasicOCSPResponse, nonce: Uint8Array | null): boolean {
  const extension = basic.tbsResponseData.responseExtensions?.find(({ extnID }) => extnID === OCSP_NONCE);
  if (extension === undefined || nonce === null) return true;
  return Buffer.from(extension.extnValue.valueBlock.valueHexView).equals(encodedNonce(nonce));
}

function timeFailure(single: SingleResponse, now: Date): string | null {
  const { thisUpdate, nextUpdate } = single;
  if (thisUpdate.getTime() > now.getTime() + CLOCK_SKEW_MS) return 'the response is not yet valid';
  const end = nextUpdate?.getTime() ?? thisUpdate.getTime() + MAX_AGE_MS;
  return end < now.getTime() - CLOCK_SKEW_MS ? 'the response has expired' : null;
}

/** CertStatus ::= CHOICE { good [0], revoked [1], unknown [2] }. */
function statusOf(single: SingleResponse): 'good' | 'revoked' | 'unknown' | null {
  const choice = single.certStatus as { idBlock?: { tagNumber?: number } } | undefined;
  const statuses = ['good', 'revoked', 'unknown'] as const;
  return statuses[choice?.idBlock?.tagNumber ?? -1] ?? null;
}

/** Section 4.2.2.2: the issuer itself, or a certificate it issued for exactly this purpose. */
async function isSignedByAuthority(
  parsers: CertificateParsers,
  basic: BasicOCSPResponse,
  { issuer, now }: OcspExpectation,
): Promise<boolean> {
  const embedded = (basic.certs ?? []).slice(0, MAX_EMBEDDED);
  for (const candidate of [parsers.pkijs.Certificate.fromBER(issuer.raw), ...embedded]) {
    const signer = asNodeCertificate(candidate);
    if (signer === null || !isAuthorised(signer, issuer, now)) continue;
    if (await verifiesWith(parsers, basic, candidate)) return true;
  }
  return false;
}

function asNodeCertificate(certificate: Certificate): X509Certificate | null {
  try {
    return new X509Certificate(Buffer.from(certificate.toSchema(true).toBER(false)));
  } catch {
    // A broken certificate inside a response signs nothing.
    return null;
  }
}

function isAuthorised(signer: X509Certificate, issuer: X509Certificate, now: Date): boolean {
  if (signer.fingerprint256 === issuer.fingerprint256) return true;
  // Node's keyUsage is the extended key usage; undefined where the certificate has none.
  const usages = signer.keyUsage as readonly string[] | undefined;
  return (
    usages?.includes(OCSP_SIGNING) === true &&
    signer.validFromDate <= now &&
    signer.validToDate >= now &&
    isIssuedBy(signer, issuer)
  );
}

/** The responder id is not compared: it only helps to find the signer, and all candidates are tried. */
async function verifiesWith(
  { pkijs }: CertificateParsers,
  basic: BasicOCSPResponse,
  signer: Certificate,
): Promise<boolean> {
  try {
    return await pkijs
      .getCrypto(true)
      .verifyWithPublicKey(
        Uint8Array.from(basic.tbsResponseData.tbsView),
        basic.signature,
        signer.subjectPublicKeyInfo,
        basic.signatureAlgorithm,
      );
  } catch {
    // An algorithm this build or its FIPS provider does not verify: not a valid signature here.
    return false;
  }
}
