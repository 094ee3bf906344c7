/** The client's certificate after a control handshake: verified by us, matched against names, and turned into logins. */
import { X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { oneLineName } from '../../../crypto/certificate-chain.ts';
import { belowFloor } from '../../../crypto/certificate-floors.ts';
import { CertificateFileError, parseCertificates } from '../../../crypto/certificate-files.ts';
import {
  certificateNames,
  verifyClientCertificate,
  type CertificateNames,
} from '../../../crypto/client-verification.ts';
import { activeProfile } from '../../../crypto/profile.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import type { TlsServerSide } from './context-cache.ts';

/** Who is at the other end of the TCP connection. */
export interface ClientPeer {
  readonly address: string;
  /** Reverse-resolved name, or the address. */
  readonly hostName: string;
}

/** A certificate that passed verification. */
export interface VerifiedCertificate {
  readonly certificate: X509Certificate;
  readonly names: CertificateNames;
  /** Leaf first. */
  readonly path: readonly X509Certificate[];
}

export type ClientCertificateResult =
  | { readonly kind: 'none' }
  | { readonly kind: 'verified'; readonly client: VerifiedCertificate; readonly lines: readonly string[] }
  | { readonly kind: 'refused'; readonly lines: readonly string[] };

/** Most certificates a client may send that are looked at. */
const MAX_PRESENTED = 32;
const MAX_DOT_LOGIN_BYTES = 256 * 1024;

/** Whether the handshake asks for a certificate, and whether it ends without one. */
export function certificateRequest(settings: Settings): {
  readonly request: boolean;
  readonly require: boolean;
} {
  const asks = settings.tlsVerifyClient !== 'off' && !settings.tlsOptions.includes('NoCertRequest');
  return { request: asks, require: asks && settings.tlsVerifyClient === 'on' };
}

/** Everything mod_tls checks of a client certificate, with its log lines. */
export async function checkClientCertificate(
  stream: TLSSocket,
  settings: Settings,
  side: TlsServerSide,
  peer: ClientPeer,
): Promise<ClientCertificateResult> {
  const leaf = settings.tlsVerifyClient === 'off' ? undefined : stream.getPeerX509Certificate();
  if (leaf === undefined) return { kind: 'none' };
  const outcome = await verifyClientCertificate({
    leaf,
    presented: presentedChain(stream),
    anchors: side.clientAnchors(),
    revocationLists: side.revocationLists,
    maximumDepth: settings.tlsVerifyDepth,
    now: new Date(),
    revocationOrder: settings.tlsVerifyOrder,
  });
  if (!outcome.ok) {
    return {
      kind: 'refused',
      lines: [
        ...(outcome.note === null ? [] : [outcome.note]),
        `error: unable to verify certificate at depth ${outcome.depth}: ${outcome.reason}`,
        `error: cert subject: ${outcome.subject}`,
        `error: cert issuer: ${outcome.issuer}`,
        `client certificate failed verification: ${outcome.reason}`,
        'unable to accept TLS connection: protocol error: (1) error:0A000086:SSL routines::certificate verify failed',
      ],
    };
  }
  const floor = outcome.path.map((one) => belowFloor(one, activeProfile())).find((reason) => reason !== null);
  if (floor !== undefined && floor !== null)
    return { kind: 'refused', lines: [`client certificate failed verification: ${floor}`] };
  const names = await certificateNames(leaf.raw);
  const mismatch = nameMismatch(names, settings, peer);
  if (mismatch !== null) return { kind: 'refused', lines: [mismatch] };
  return {
    kind: 'verified',
    client: { certificate: leaf, names, path: outcome.path },
    lines: [...outcome.notes, `Client: ${oneLineName(leaf.subject)}`],
  };
}

/** The chain as the client sent it; Node links it issuer by issuer, and a self-signed one to itself. */
function presentedChain(stream: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let current = stream.getPeerCertificate(true);
  while (current?.issuerCertificate !== undefined && chain.length < MAX_PRESENTED) {
    current = current.issuerCertificate;
    if (current.raw === undefined || seen.has(current.fingerprint256)) break;
    seen.add(current.fingerprint256);
    chain.push(new X509Certificate(current.raw));
  }
  return chain;
}

/** CommonNameRequired, dNSNameRequired, iPAddressRequired; the two that need a host name only with UseReverseDNS. */
function nameMismatch(names: CertificateNames, settings: Settings, peer: ClientPeer): string | null {
  const options = settings.tlsOptions;
  const hostName = peer.hostName.toLowerCase();
  if (
    settings.useReverseDNS &&
    options.includes('CommonNameRequired') &&
    names.commonName?.toLowerCase() !== hostName
  ) {
    return `client cert CommonName does not match client FQDN '${peer.hostName}'`;
  }
  const hasDnsName = names.dnsNames.some((name) => name.toLowerCase() === hostName);
  if (settings.useReverseDNS && options.includes('dNSNameRequired') && !hasDnsName) {
    return `client cert dNSName SANs do not match remote name '${peer.hostName}'`;
  }
  const hasAddress = names.ipAddresses.some(
    (address) => canonicalAddress(address) === canonicalAddress(peer.address),
  );
  if (options.includes('iPAddressRequired') && !hasAddress) {
    return `client cert iPAddress SANs do not match client IP '${peer.address}'`;
  }
  return null;
}

function canonicalAddress(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]/`).hostname : address;
}

export interface CertificateLogin {
  readonly vouches: boolean;
  readonly lines: readonly string[];
}

/** TLSUserName, then AllowDotLogin (section 9). `home` null: the user is unknown. */
export function certificateLogin(
  client: VerifiedCertificate,
  settings: Settings,
  user: string,
  home: string | null,
): CertificateLogin {
  const byName = settings.tlsUserName === null ? null : nameLogin(client.names, settings.tlsUserName, user);
  if (byName?.vouches === true) return byName;
  if (!settings.tlsOptions.includes('AllowDotLogin') || home === null)
    return byName ?? { vouches: false, lines: [] };
  const byFile = dotLogin(client.certificate, user, join(home, '.tlslogin'));
  return { vouches: byFile.vouches, lines: [...(byName?.lines ?? []), ...byFile.lines] };
}

function nameLogin(names: CertificateNames, field: string, user: string): CertificateLogin {
  const values =
    field === 'CommonName'
      ? [names.commonName]
      : field === 'EmailSubjAltName'
        ? names.emailAddresses
        : [names.field(field)];
  if (!values.includes(user)) return { vouches: false, lines: [] };
  return {
    vouches: true,
    lines: [
      `matched client cert ${field} '${user}' to user '${user}'`,
      `TLS/X509 TLSUserName '${field}' check successful for user '${user}'`,
    ],
  };
}

function dotLogin(certificate: X509Certificate, user: string, path: string): CertificateLogin {
  const failed = `TLS/X509 .tlslogin check failed for user '${user}'`;
  const file = readSmallFile(path);
  if (!file.ok) {
    return { vouches: false, lines: [`.tlslogin check: unable to open '${path}': ${file.reason}`, failed] };
  }
  if (pemCertificates(file.bytes).some((local) => local.fingerprint512 === certificate.fingerprint512)) {
    return { vouches: true, lines: [`TLS/X509 .tlslogin check successful for user '${user}'`] };
  }
  return { vouches: false, lines: ['.tlslogin local/remote certificate MISMATCH', failed] };
}

function pemCertificates(bytes: Uint8Array): X509Certificate[] {
  try {
    return parseCertificates(bytes).map((entry) => entry.certificate);
  } catch (error) {
    if (error instanceof CertificateFileError) return [];
    throw error;
  }
}

/** A user controls this path: no symbolic link, no device, no pipe, no more than a certificate file's size. */
function readSmallFile(path: string): { ok: true; bytes: Uint8Array } | { ok: false; reason: string } {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return { ok: false, reason: (error as NodeJS.ErrnoException).code ?? 'unknown error' };
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > MAX_DOT_LOGIN_BYTES)
      return { ok: false, reason: 'not a certificate file' };
    const bytes = Buffer.alloc(stats.size);
    return { ok: true, bytes: bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0)) };
  } finally {
    closeSync(descriptor);
  }
}
