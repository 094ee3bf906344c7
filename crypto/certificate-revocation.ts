/**
 * Whether certificates of a validated path were revoked: by the configured lists (RFC 5280, section 6.3) and by their
 * responders (RFC 6960), in the order of TLSVerifyOrder. Every listed method is asked and the first objection counts; a
 * responder that cannot be reached is made up for only by a list that clears the certificate.
 */
import type { X509Certificate } from 'node:crypto';
import type { CertificateRevocationList } from 'pkijs';
import { certificateParsers, type CertificateParsers } from './certificate-parsers.ts';
import { queryOcsp, type OcspAnswer } from './ocsp-client.ts';

export type RevocationMethod = 'crl' | 'ocsp';

export interface RevocationCheck {
  /** DER. */
  readonly revocationLists: readonly Uint8Array[];
  readonly order: readonly RevocationMethod[];
  readonly now: Date;
  /** Milliseconds for all responders of one path together. */
  readonly ocspTimeoutMs: number;
}

/** What the path's certificates come to; `depth` 0 is the end certificate. */
export type RevocationOutcome =
  | { readonly ok: true; readonly notes: readonly string[] }
  /** `note`: what the operator should know besides the reason. */
  | { readonly ok: false; readonly depth: number; readonly reason: string; readonly note: string | null };

/** One method's word about one certificate. */
type Opinion =
  | { readonly kind: 'good' }
  /** The method has nothing to say about certificates of this issuer. */
  | { readonly kind: 'silent'; readonly note: string | null }
  | { readonly kind: 'unavailable'; readonly note: string }
  | { readonly kind: 'objection'; readonly reason: string; readonly note: string | null };

const SILENT: Opinion = { kind: 'silent', note: null };

/** Checks every certificate of the path but its last, the trust anchor. Never throws for what a peer can cause. */
export async function checkRevocation(
  path: readonly X509Certificate[],
  check: RevocationCheck,
): Promise<RevocationOutcome> {
  const lists = check.order.includes('crl') ? await parsedLists(check.revocationLists) : [];
  const deadline = performance.now() + check.ocspTimeoutMs;
  const notes: string[] = [];
  for (const [depth, certificate] of path.entries()) {
    const issuer = path[depth + 1];
    if (issuer === undefined) break;
    let cleared = false;
    let unavailable: string | null = null;
    for (const method of check.order) {
      const opinion =
        method === 'crl'
          ? await opinionOfLists(lists, certificate, issuer, check.now)
          : opinionOfResponder(await ask(certificate, issuer, deadline - performance.now()), depth);
      if (opinion.kind === 'objection')
        return { ok: false, depth, reason: opinion.reason, note: opinion.note };
      if (opinion.kind === 'good') cleared = true;
      if (opinion.kind === 'unavailable') unavailable = opinion.note;
      if (opinion.kind === 'silent' && opinion.note !== null) notes.push(opinion.note);
    }
    if (unavailable === null) continue;
    if (!cleared) return { ok: false, depth, reason: 'OCSP verification failed', note: unavailable };
    notes.push(unavailable);
  }
  return { ok: true, notes };
}

async function parsedLists(lists: readonly Uint8Array[]): Promise<CertificateRevocationList[]> {
  if (lists.length === 0) return [];
  const { pkijs } = await certificateParsers();
  return lists.flatMap((der) => {
    try {
      return pkijs.CertificateRevocationList.fromBER(Uint8Array.from(der));
    } catch {
      // The start-up check refuses a broken TLSCARevocationFile; other files of a directory are not lists.
      return [];
    }
  });
}

/** No list of an issuer means no objection; where all of its lists are expired, all its certificates are refused. */
async function opinionOfLists(
  lists: readonly CertificateRevocationList[],
  certificate: X509Certificate,
  issuer: X509Certificate,
  now: Date,
): Promise<Opinion> {
  if (lists.length === 0) return SILENT;
  const { pkijs } = await certificateParsers();
  const parsed = pkijs.Certificate.fromBER(certificate.raw);
  const own = lists.filter((candidate) => candidate.issuer.isEqual(parsed.issuer));
  const current = own.filter((list) => listFailure(list, now) === null);
  const [first] = own;
  if (first === undefined) return SILENT;
  if (current.length === 0) return listFailure(first, now) ?? SILENT;
  for (const list of current) {
    const objection = await objectionOfList(pkijs, list, parsed, issuer);
    if (objection !== null) return objection;
  }
  return { kind: 'good' };
}

async function objectionOfList(
  pkijs: CertificateParsers['pkijs'],
  list: CertificateRevocationList,
  certificate: InstanceType<CertificateParsers['pkijs']['Certificate']>,
  issuer: X509Certificate,
): Promise<Opinion | null> {
  const issuerCertificate = pkijs.Certificate.fromBER(issuer.raw);
  if (!(await verifiesList(list, issuerCertificate))) {
    return { kind: 'objection', reason: 'CRL signature failure', note: null };
  }
  if (!list.isCertificateRevoked(certificate)) return null;
  return { kind: 'objection', reason: 'certificate revoked', note: null };
}

async function verifiesList(
  list: CertificateRevocationList,
  issuerCertificate: InstanceType<CertificateParsers['pkijs']['Certificate']>,
): Promise<boolean> {
  try {
    return await list.verify({ issuerCertificate });
  } catch {
    // An algorithm or critical extension that cannot be checked here: the list vouches for nobody.
    return false;
  }
}

function listFailure(
  list: CertificateRevocationList,
  now: Date,
): (Opinion & { readonly kind: 'objection' }) | null {
  if (list.thisUpdate.value > now) return { kind: 'objection', reason: 'CRL is not yet valid', note: null };
  const nextUpdate = list.nextUpdate?.value;
  if (nextUpdate === undefined || nextUpdate >= now) return null;
  return {
    kind: 'objection',
    reason: 'CRL has expired',
    note: 'CRL is expired, revoking all certificates until an updated CRL is obtained',
  };
}

function ask(certificate: X509Certificate, issuer: X509Certificate, leftMs: number): Promise<OcspAnswer> {
  return queryOcsp({
    certificate,
    issuer,
    timeoutMs: Math.max(1, Math.floor(leftMs)),
    withNonce: true,
    verifySignature: true,
  });
}

function opinionOfResponder(answer: OcspAnswer, depth: number): Opinion {
  if (!answer.ok) {
    return answer.kind === 'no-responder'
      ? { kind: 'silent', note: `OCSP not checked at depth ${depth}: ${answer.reason}` }
      : { kind: 'unavailable', note: `OCSP check at depth ${depth} failed: ${answer.reason}` };
  }
  const source = `OCSP responder ${answer.url} at depth ${depth}`;
  switch (answer.status) {
    case 'good':
      return { kind: 'good' };
    case 'revoked':
      return { kind: 'objection', reason: 'certificate revoked', note: `${source}: revoked` };
    case 'unknown':
      return { kind: 'objection', reason: 'OCSP unknown cert', note: `${source}: unknown` };
  }
}
