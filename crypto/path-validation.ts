/** RFC 5280, section 6, by pkijs's chain engine: name constraints, policies, key usage of authorities, critical extensions. */
import type { X509Certificate } from 'node:crypto';
import { certificateParsers } from './certificate-parsers.ts';

/** Validates a path that was found already (leaf first, its last certificate the trust anchor). */
export async function isValidPath(path: readonly X509Certificate[], now: Date): Promise<boolean> {
  return (await pathProblem(path, now)) === null;
}

/** The engine's words for what is wrong with a path, or null. For operators; a peer is told nothing of it. */
export async function pathProblem(path: readonly X509Certificate[], now: Date): Promise<string | null> {
  // An end certificate that is itself the anchor has no path to validate.
  if (path.length < 2) return null;
  const { pkijs } = await certificateParsers();
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
    // The path's signatures were verified when it was found, with every algorithm OpenSSL knows.
    findIssuer: (certificate) => Promise.resolve([issuers.get(certificate) ?? certificate]),
  });
  const verdict = await engine.verify();
  return verdict.result ? null : verdict.resultMessage;
}
