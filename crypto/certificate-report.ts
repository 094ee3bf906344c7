/**
 * What an operator should know about the certificates of a virtual host, at every start, reload and `lockgate check`: one
 * sentence per fact, warnings for what breaks clients now or soon, notes for the rest.
 */
import type { X509Certificate } from 'node:crypto';
import type { Settings } from '../src/config/server-config.ts';
import { oneLineName } from './certificate-chain.ts';
import { CertificateFileError, parseRevocationLists } from './certificate-files.ts';
import { certificateParsers } from './certificate-parsers.ts';
import { checkRevocation } from './certificate-revocation.ts';
import { readCertificateFacts, type CertificateFacts } from './certificate-facts.ts';
import { responderUrls } from './ocsp-request.ts';
import { pathProblem } from './path-validation.ts';
import {
  serverCertificates,
  unrelatedCertificates,
  type ServerCertificate,
  type ServerCertificates,
} from './server-certificates.ts';
import { mustStaple } from './stapling.ts';
import { fileBytes, revocationListsOf, type SecretFiles } from './tls-configuration.ts';

export interface CertificateFinding {
  readonly severity: 'warning' | 'note';
  readonly directive: string;
  readonly text: string;
}

const DAY_MS = 86_400_000;
/** Less than this, or less than a third of its whole life, is worth a warning. */
const EXPIRES_SOON_DAYS = 14;
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';
const MINIMUM_RSA_BITS = 2048;

/** All findings about one virtual host. Throws CertificateFileError for pairs that cannot be used at all. */
export async function certificateFindings(
  settings: Settings,
  files: SecretFiles,
  pkcs12PassPhrases: ReadonlyMap<string, string>,
  now: Date = new Date(),
): Promise<CertificateFinding[]> {
  const all = serverCertificates(settings, files, pkcs12PassPhrases);
  const lists = revocationListsOf(settings, files);
  const findings: CertificateFinding[] = [];
  for (const own of all.certificates) {
    const facts = await readCertificateFacts(own.leaf);
    const texts = [
      summary(own, facts, now),
      ...validityWarnings(own.leaf, 'the certificate', now),
      ...purposeWarnings(own.leaf, facts),
      ...nameWarnings(own.leaf, facts, settings),
      ...strengthWarnings(own.leaf, facts, 'the certificate'),
      ...(await chainFindings(own, now)),
      ...orderNotes(own, all, settings),
      ...(await revocationWarnings(own, lists, now)),
      ...(await staplingWarnings(own, settings)),
    ];
    for (const { severity, text } of texts)
      findings.push({ severity, directive: own.directive, text: `'${own.path}': ${text}` });
  }
  return [
    ...findings,
    ...bundleFindings(settings),
    ...strangers(all, settings),
    ...(await listFindings(settings.tlsCARevocationFile, files, now)),
  ];
}

type Said = Pick<CertificateFinding, 'severity' | 'text'>;

const warning = (text: string): Said => ({ severity: 'warning', text });
const note = (text: string): Said => ({ severity: 'note', text });

function summary({ leaf, chain }: ServerCertificate, facts: CertificateFacts, now: Date): Said {
  const names = facts.names.length === 0 ? 'no names' : facts.names.join(', ');
  const path = chain.path.map(({ certificate }) => oneLineName(certificate.subject)).join(' <- ');
  const ends = {
    root: 'to its root',
    system: "to an authority of the system's store",
    missing: 'without its last issuer',
  };
  return note(
    `key matches; ${facts.keyText}, signed with ${facts.signatureText}; ${names}; ` +
      `key usage ${facts.keyUsageText}; extended key usage ${facts.extendedKeyUsageText}; ` +
      `valid from ${day(leaf.validFromDate)} to ${day(leaf.validToDate)}, ${daysLeft(leaf, now)} days left; ` +
      `chain ${path} (${ends[chain.ending]})`,
  );
}

function validityWarnings(certificate: X509Certificate, what: string, now: Date): Said[] {
  const { validFromDate: from, validToDate: to } = certificate;
  if (from > now) return [warning(`${what} is not valid before ${day(from)}`)];
  if (to < now) return [warning(`${what} has expired on ${day(to)}`)];
  const left = to.getTime() - now.getTime();
  const soon = Math.min(EXPIRES_SOON_DAYS * DAY_MS, (to.getTime() - from.getTime()) / 3);
  return left < soon ? [warning(`${what} expires on ${day(to)}, in ${daysLeft(certificate, now)} days`)] : [];
}

function purposeWarnings(leaf: X509Certificate, facts: CertificateFacts): Said[] {
  const said: Said[] = [];
  if (!facts.allowsDigitalSignature) {
    said.push(warning('key usage lacks digitalSignature: handshakes with ECDHE and TLS 1.3 fail'));
  }
  const usages = leaf.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(SERVER_AUTHENTICATION) && !usages.includes(ANY_PURPOSE)) {
    said.push(warning('extended key usage lacks serverAuth: clients refuse it as a server certificate'));
  }
  if (leaf.ca && leaf.subject !== leaf.issuer)
    said.push(warning('the certificate is that of an authority (CA:TRUE)'));
  return said;
}

function nameWarnings(leaf: X509Certificate, facts: CertificateFacts, settings: Settings): Said[] {
  if (facts.names.length === 0) {
    return [warning('the certificate has no subject alternative name: clients compare no other name')];
  }
  return settings.serverAlias
    .filter((alias) => !/[*?[]/.test(alias) && leaf.checkHost(alias) === undefined)
    .map((alias) => warning(`the certificate does not name ServerAlias '${alias}'`));
}

function strengthWarnings(certificate: X509Certificate, facts: CertificateFacts, what: string): Said[] {
  const said: Said[] = [];
  if (facts.rsaBits !== null && facts.rsaBits < MINIMUM_RSA_BITS)
    said.push(warning(`${what} has an RSA key of ${facts.rsaBits} bits: clients want ${MINIMUM_RSA_BITS}`));
  // Nobody verifies the signature a root puts on itself.
  if (facts.isWeaklySigned && certificate.subject !== certificate.issuer)
    said.push(warning(`${what} is signed with ${facts.signatureText}: clients refuse this signature`));
  return said;
}

async function chainFindings({ chain, directive }: ServerCertificate, now: Date): Promise<Said[]> {
  const said: Said[] = [];
  const path = chain.path.map(({ certificate }) => certificate);
  for (const [depth, authority] of path.entries()) {
    if (depth === 0) continue;
    const what = `its ${authority.subject === authority.issuer ? 'root' : 'intermediate'} '${oneLineName(authority.subject)}'`;
    const facts = await readCertificateFacts(authority);
    said.push(...validityWarnings(authority, what, now), ...strengthWarnings(authority, facts, what));
    if (!authority.ca) said.push(warning(`${what} is not the certificate of an authority`));
    if (facts.pathLength !== null && depth - 1 > facts.pathLength)
      said.push(
        warning(`${what} allows ${facts.pathLength} intermediates below it, the chain has ${depth - 1}`),
      );
  }
  const last = path.at(-1);
  if (chain.ending === 'missing' && last !== undefined)
    said.push(missingIssuer(last, path.length === 1, directive));
  const problem = said.some(({ severity }) => severity === 'warning') ? null : await pathProblem(path, now);
  if (problem !== null) said.push(warning(`the chain does not validate: ${problem}`));
  return said;
}

/** A root need not be sent, so only a leaf without its issuer is certainly incomplete; a self-signed one has no other. */
function missingIssuer(last: X509Certificate, isLeaf: boolean, directive: string): Said {
  if (isLeaf && last.subject === last.issuer && last.verify(last.publicKey))
    return note('it is self-signed: clients must hold it to verify it');
  const place = directive === 'TLSPKCS12File' ? 'the bundle' : 'TLSCertificateChainFile';
  const issuer = `issuer '${oneLineName(last.issuer)}'`;
  return isLeaf
    ? warning(
        `its ${issuer} is in none of the files: clients that do not hold it cannot verify the certificate ` +
          `(add it to ${place})`,
      )
    : note(
        `the chain ends at '${oneLineName(last.subject)}', whose ${issuer} is in none of the files: ` +
          'clients must hold it',
      );
}

/** The order in the files does not matter here; other servers read the same files. */
function orderNotes(own: ServerCertificate, all: ServerCertificates, settings: Settings): Said[] {
  const said: Said[] = [];
  const rank = new Map(own.chain.path.map(({ certificate }, index) => [certificate.fingerprint256, index]));
  const files = [
    ['the certificate file', own.sameFile],
    [`chain file '${settings.tlsCertificateChainFile}'`, all.chainFile],
  ] as const;
  for (const [what, certificates] of files) {
    const ranks = certificates.flatMap(({ fingerprint256 }) => rank.get(fingerprint256) ?? []);
    if (ranks.some((value, index) => index > 0 && value < (ranks[index - 1] ?? 0)))
      said.push(
        note(
          `certificates in ${what} are in the wrong order, not each before its issuer; they are sent in order`,
        ),
      );
  }
  return said;
}

async function revocationWarnings(
  { chain }: ServerCertificate,
  revocationLists: readonly Uint8Array[],
  now: Date,
): Promise<Said[]> {
  if (revocationLists.length === 0) return [];
  const path = chain.path.map(({ certificate }) => certificate);
  const outcome = await checkRevocation(path, { revocationLists, order: ['crl'], now, ocspTimeoutMs: 0 });
  if (outcome.ok || outcome.reason !== 'certificate revoked') return [];
  return [warning(`'${oneLineName(path[outcome.depth]?.subject ?? '')}' is revoked by a configured list`)];
}

async function staplingWarnings({ leaf, chain }: ServerCertificate, settings: Settings): Promise<Said[]> {
  if (!settings.tlsStapling) {
    return (await mustStaple(leaf))
      ? [warning('the certificate demands a stapled OCSP response: clients refuse it without TLSStapling on')]
      : [];
  }
  const said: Said[] = [];
  if (chain.path.length === 1 && chain.systemIssuer === null)
    said.push(warning('no OCSP response can be stapled: the issuer is in none of the files'));
  if (settings.tlsStaplingResponder === null && (await responderUrls(leaf)).length === 0)
    said.push(warning('no OCSP response can be stapled: the certificate names no http responder'));
  return said;
}

function bundleFindings(settings: Settings): CertificateFinding[] {
  const { tlsPKCS12File: bundle, tlsCertificateChainFile: chainFile } = settings;
  if (bundle === null || chainFile === null) return [];
  const text = `'${chainFile}': not sent with the certificate of TLSPKCS12File '${bundle}'; put the chain into that file`;
  return [{ severity: 'warning', directive: 'TLSCertificateChainFile', text }];
}

/** Certificates a file holds that lead nowhere: sent all the same, as the directive says. */
function strangers(all: ServerCertificates, settings: Settings): CertificateFinding[] {
  // Next to a bundle the chain file is not sent at all (bundleFindings).
  if (all.certificates.every(({ directive }) => directive === 'TLSPKCS12File')) return [];
  const chains = all.certificates.map(({ chain }) => chain);
  const places = [
    ...all.certificates.map(({ directive, path, sameFile }) => ({ directive, path, extras: sameFile })),
    {
      directive: 'TLSCertificateChainFile',
      path: settings.tlsCertificateChainFile ?? '',
      extras: all.chainFile,
    },
  ];
  return places.flatMap(({ directive, path, extras }) =>
    unrelatedCertificates(extras, chains).map((certificate): CertificateFinding => ({
      severity: 'warning',
      directive,
      text: `'${path}': certificate '${oneLineName(certificate.subject)}' has nothing to do with the server certificate; strict clients may refuse the chain`,
    })),
  );
}

/** An expired list refuses every client of its issuer, so its end is announced. */
async function listFindings(
  path: string | null,
  files: SecretFiles,
  now: Date,
): Promise<CertificateFinding[]> {
  if (path === null) return [];
  const { pkijs, x509 } = await certificateParsers();
  return parseRevocationLists(fileBytes(files, path)).map((der): CertificateFinding => {
    let list;
    try {
      list = pkijs.CertificateRevocationList.fromBER(Uint8Array.from(der));
    } catch (cause) {
      throw new CertificateFileError('unreadable', 'bad revocation list', { cause });
    }
    const issuer = new x509.Name(list.issuer.toSchema().toBER(false)).toString();
    const end = list.nextUpdate?.value;
    const expired = end !== undefined && end < now;
    const until =
      end === undefined ? 'without an end' : expired ? `expired on ${day(end)}` : `valid to ${day(end)}`;
    const consequence = expired ? ': every certificate of this issuer is refused' : '';
    return {
      severity: expired ? 'warning' : 'note',
      directive: 'TLSCARevocationFile',
      text: `'${path}': list of ${issuer}, ${until}${consequence}`,
    };
  });
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function daysLeft(certificate: X509Certificate, now: Date): number {
  return Math.floor((certificate.validToDate.getTime() - now.getTime()) / DAY_MS);
}
