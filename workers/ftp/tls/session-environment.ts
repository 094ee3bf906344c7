/** Session notes and, with StdEnvVars, environment variables of a TLS session (ftps-directives, section 13). */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { oneLineName } from '../../../crypto/certificate-chain.ts';
import type { NegotiatedTls } from '../../../crypto/negotiated-tls.ts';
import { tlsSessionFields } from '../../../crypto/tls-session-fields.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import type { MutableSessionFacts } from '../../session/session-context.ts';
import type { VerifiedCertificate } from './client-certificate.ts';

export interface TlsEnvironment {
  readonly stream: TLSSocket;
  readonly negotiated: NegotiatedTls;
  readonly serverName: string | null;
  readonly client: VerifiedCertificate | null;
  readonly settings: Settings;
}

/** Below this many bits a cipher counts as export grade. */
const EXPORT_BITS = 56;

/** Writes notes and variables; returns lines for the TLSLog. */
export function recordEnvironment(facts: MutableSessionFacts, tls: TlsEnvironment): string[] {
  const { cipher, bits, protocol, group, signature } = tls.negotiated;
  const library = `OpenSSL ${process.versions.openssl ?? 'unknown'}`;
  const notes: readonly (readonly [string, string | null])[] = [
    ['FTPS', '1'],
    ['TLS_PROTOCOL', protocol],
    ['TLS_CIPHER', cipher],
    ['TLS_GROUP', group],
    ['TLS_SIGNATURE', signature],
    ['TLS_LIBRARY_VERSION', library],
    ['TLS_SERVER_NAME', tls.serverName],
    ['TLS_CLIENT_S_DN_CN', tls.client?.names.commonName ?? null],
  ];
  for (const [name, value] of notes) if (value !== null) facts.notes.set(name, value);
  if (!tls.settings.tlsOptions.includes('StdEnvVars')) return [];
  const set = (name: string, value: string | null | undefined): void => {
    if (value !== null && value !== undefined && value !== '') facts.environment.set(name, value);
  };
  set('FTPS', '1');
  set('TLS_PROTOCOL', protocol);
  set('TLS_CIPHER', cipher);
  set('TLS_CIPHER_KEYSIZE_USED', String(bits));
  set('TLS_CIPHER_KEYSIZE_POSSIBLE', String(bits));
  set('TLS_CIPHER_EXPORT', bits < EXPORT_BITS ? 'true' : 'false');
  set('TLS_SESSION_ID', tlsSessionFields(tls.stream)?.sessionId);
  set('TLS_LIBRARY_VERSION', library);
  set('TLS_SERVER_NAME', tls.serverName);
  const exportsData = tls.settings.tlsOptions.includes('ExportCertData');
  const own = tls.stream.getX509Certificate();
  if (own !== undefined) setCertificate(set, 'SERVER', own, exportsData);
  if (tls.client === null)
    return ['unable to set client certificate environ variables: Client certificate unavailable'];
  setCertificate(set, 'CLIENT', tls.client.certificate, exportsData);
  if (exportsData) {
    for (const [index, certificate] of tls.client.path.entries())
      set(`TLS_CLIENT_CERT_CHAIN${index + 1}`, certificate.toString());
  }
  return [];
}

type Setter = (name: string, value: string | null | undefined) => void;

const NAME_PARTS = new Set(['C', 'ST', 'L', 'O', 'OU', 'CN', 'T', 'I', 'G', 'S', 'D', 'UID', 'Email']);
/** OpenSSL's long attribute names -> the short ones of the variables. */
const PART_ALIASES: ReadonlyMap<string, string> = new Map([
  ['emailAddress', 'Email'],
  ['title', 'T'],
  ['initials', 'I'],
  ['givenName', 'G'],
  ['GN', 'G'],
  ['SN', 'S'],
  ['surname', 'S'],
  ['description', 'D'],
]);

function setCertificate(
  set: Setter,
  side: 'SERVER' | 'CLIENT',
  certificate: X509Certificate,
  exportsData: boolean,
): void {
  const prefix = `TLS_${side}_`;
  set(`${prefix}M_VERSION`, '3');
  set(`${prefix}M_SERIAL`, certificate.serialNumber);
  set(`${prefix}S_DN`, oneLineName(certificate.subject));
  set(`${prefix}I_DN`, oneLineName(certificate.issuer));
  setParts(set, `${prefix}S_DN_`, certificate.subject);
  setParts(set, `${prefix}I_DN_`, certificate.issuer);
  set(`${prefix}V_START`, certificate.validFrom);
  set(`${prefix}V_END`, certificate.validTo);
  set(`${prefix}A_SIG`, certificate.signatureAlgorithm);
  set(`${prefix}A_KEY`, keyName(certificate));
  if (exportsData) set(`${prefix}CERT`, certificate.toString());
}

function setParts(set: Setter, prefix: string, name: string): void {
  for (const line of name.split('\n')) {
    const separator = line.indexOf('=');
    const attribute = line.slice(0, separator);
    const part = PART_ALIASES.get(attribute) ?? attribute;
    if (separator > 0 && NAME_PARTS.has(part)) set(`${prefix}${part}`, line.slice(separator + 1));
  }
}

function keyName(certificate: X509Certificate): string {
  switch (certificate.publicKey.asymmetricKeyType) {
    case 'rsa':
      return 'rsaEncryption';
    case 'ec':
      return 'id-ecPublicKey';
    case 'dsa':
      return 'dsaEncryption';
    default:
      return certificate.publicKey.asymmetricKeyType ?? 'unknown';
  }
}
