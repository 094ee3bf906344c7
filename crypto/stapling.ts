/** What there is to staple (TLSStapling): which certificates, which responder, and which one a ClientHello will be shown. */
import type { X509Certificate } from 'node:crypto';
import { DEFAULT_SETTINGS } from '../src/config/default-settings.ts';
import type { ServerConfig, Settings } from '../src/config/server-config.ts';
import { oneLineName } from './certificate-chain.ts';
import { certificateParsers } from './certificate-parsers.ts';
import type { OrderedCipher } from './cipher-order.ts';
import { serverCertificates } from './server-certificates.ts';

/** One server certificate whose status is to be fetched. */
export interface StaplingTarget {
  /** SHA-256 fingerprint: the key of `ServerConfig.staples`. */
  readonly fingerprint: string;
  /** Subject, for log lines. */
  readonly name: string;
  readonly certificate: X509Certificate;
  /** Null: in none of the files; no request can be made. */
  readonly issuer: X509Certificate | null;
  /** TLSStaplingResponder; null: the certificate's own. */
  readonly responder: string | null;
  readonly timeoutMs: number;
  readonly withNonce: boolean;
  readonly verifySignature: boolean;
  /** A tryLater response is stapled while the responder fails. */
  readonly fakesTryLater: boolean;
}

/** Every certificate of the virtual hosts with TLSStapling on, once each; the first host's options count. */
export async function staplingTargets(config: ServerConfig): Promise<StaplingTarget[]> {
  const targets = new Map<string, StaplingTarget>();
  for (const host of config.virtualHosts) {
    const settings: Settings = { ...DEFAULT_SETTINGS, ...host.settings };
    if (!settings.tlsEngine || !settings.tlsStapling) continue;
    const { certificates } = serverCertificates(
      settings,
      config.secretFiles,
      config.pkcs12PassPhrases ?? new Map(),
    );
    for (const { leaf, chain } of certificates) {
      if (targets.has(leaf.fingerprint256)) continue;
      const options = settings.tlsStaplingOptions;
      targets.set(leaf.fingerprint256, {
        fingerprint: leaf.fingerprint256,
        name: oneLineName(leaf.subject),
        certificate: leaf,
        issuer: chain.path[1]?.certificate ?? chain.systemIssuer,
        responder: settings.tlsStaplingResponder,
        timeoutMs: settings.tlsStaplingTimeout * 1000,
        withNonce: !options.includes('NoNonce'),
        verifySignature: !options.includes('NoVerify'),
        fakesTryLater: !options.includes('NoFakeTryLater') || (await mustStaple(leaf)),
      });
    }
  }
  return [...targets.values()];
}

/** TLS feature extension (RFC 7633). */
const TLS_FEATURE = '1.3.6.1.5.5.7.1.24';
/** INTEGER 5: status_request. */
const STATUS_REQUEST_FEATURE = Buffer.from([0x02, 0x01, 0x05]);

/** True when clients refuse this certificate without a staple. */
export async function mustStaple(certificate: X509Certificate): Promise<boolean> {
  const { x509 } = await certificateParsers();
  const extension = new x509.X509Certificate(new Uint8Array(certificate.raw)).getExtension(TLS_FEATURE);
  return extension !== null && Buffer.from(extension.value).includes(STATUS_REQUEST_FEATURE);
}

/** What a ClientHello says about the certificates it takes. */
export interface HelloPreferences {
  /** The version this handshake will have. */
  readonly version: 'TLSv1.3' | 'TLSv1.2' | 'older';
  /** signature_algorithms (RFC 8446, section 4.2.3), in the client's order. */
  readonly signatureSchemes: readonly number[];
  /** In the client's order. */
  readonly cipherSuites: readonly number[];
  /** supported_groups. */
  readonly groups: readonly number[];
}

/** What the server's context will choose with. */
export interface ServerPreferences {
  readonly serverPreference: boolean;
  /** Ciphers of TLS 1.2 in the order of the context's list; null: not known. */
  readonly ciphers: readonly OrderedCipher[] | null;
  /** The context's list of groups; `auto`: the library's. */
  readonly groups: string;
}

/** Curves: the group by its IANA number, its names in lists of groups, and the scheme of ECDSA in TLS 1.3. */
const CURVES: Readonly<Record<string, { group: number; names: RegExp; scheme: number }>> = {
  prime256v1: { group: 23, names: /^(P-256|prime256v1|secp256r1)$/i, scheme: 0x0403 },
  secp384r1: { group: 24, names: /^(P-384|secp384r1)$/i, scheme: 0x0503 },
  secp521r1: { group: 25, names: /^(P-521|secp521r1)$/i, scheme: 0x0603 },
};
const RSA_PSS_SCHEMES = [0x0804, 0x0805, 0x0806];
/** Low byte of ECDSA and RSA PKCS#1 schemes of TLS 1.2 (SignatureAlgorithm, RFC 5246, section 7.4.1.4.1). */
const RSA_SIGNATURE = 1;
const ECDSA_SIGNATURE = 3;

/**
 * Which of the server's certificates OpenSSL will show, known before it decides: null where that cannot be told for
 * certain, so that nobody gets the other one's response.
 */
export function certificateForHello(
  leaves: readonly X509Certificate[],
  hello: HelloPreferences,
  server: ServerPreferences,
): X509Certificate | null {
  const [only] = leaves;
  if (leaves.length === 1) return only ?? null;
  const usable = leaves.filter((leaf) => schemesOf(leaf, hello).length > 0);
  if (usable.length <= 1) return usable[0] ?? null;
  if (hello.version !== 'TLSv1.3') return certificateByCipher(usable, hello, server);
  // The library's own list has ECDSA before RSA; without server preference the client's order counts.
  if (server.serverPreference) return ofType(usable, 'ec');
  const rank = (leaf: X509Certificate): number =>
    Math.min(...schemesOf(leaf, hello).map((scheme) => hello.signatureSchemes.indexOf(scheme)));
  return usable.reduce((best, leaf) => (rank(leaf) < rank(best) ? leaf : best));
}

/**
 * In TLS 1.2 the cipher decides: the first of the server's list (or of the client's) that both have. Only where the curve
 * of the EC certificate is a group of both sides, so that no cipher drops out for want of one.
 */
function certificateByCipher(
  usable: readonly X509Certificate[],
  hello: HelloPreferences,
  server: ServerPreferences,
): X509Certificate | null {
  if (hello.version === 'older' || server.ciphers === null) return null;
  const curve = CURVES[ofType(usable, 'ec')?.publicKey.asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined || !hello.groups.includes(curve.group)) return null;
  const isOffered =
    server.groups === 'auto' || server.groups.split(':').some((name) => curve.names.test(name));
  if (!isOffered) return null;
  const kinds = new Map(server.ciphers.map(({ id, certificate }) => [id, certificate]));
  const order = server.serverPreference ? [...kinds.keys()] : hello.cipherSuites;
  const other = new Set(server.serverPreference ? hello.cipherSuites : kinds.keys());
  const kind = order.filter((id) => other.has(id)).flatMap((id) => kinds.get(id) ?? [])[0];
  return kind === undefined ? null : ofType(usable, kind);
}

function ofType(leaves: readonly X509Certificate[], type: 'rsa' | 'ec'): X509Certificate | null {
  return leaves.find((leaf) => leaf.publicKey.asymmetricKeyType === type) ?? null;
}

/** Schemes of the client this certificate's key can sign with. */
function schemesOf(leaf: X509Certificate, { version, signatureSchemes }: HelloPreferences): number[] {
  const isTls13 = version === 'TLSv1.3';
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = leaf.publicKey;
  return signatureSchemes.filter((scheme) => {
    if (type === 'ec') {
      return isTls13
        ? scheme === CURVES[details?.namedCurve ?? '']?.scheme
        : (scheme & 0xff) === ECDSA_SIGNATURE;
    }
    if (type !== 'rsa') return false;
    return RSA_PSS_SCHEMES.includes(scheme) || (!isTls13 && (scheme & 0xff) === RSA_SIGNATURE);
  });
}
