/**
 * What a TLS handshake settled on: for the logs, and for the proof that it lies inside the profile. The library was
 * told the same limits before; this looks at the result, so a limit that did not reach it does not go unnoticed.
 */
import type { TLSSocket } from 'node:tls';
import type { CryptoProfile } from './profile.ts';
import { tlsSessionFields } from './tls-session-fields.ts';

export interface NegotiatedTls {
  readonly protocol: string;
  /** OpenSSL's name. */
  readonly cipher: string;
  /** Effective key bits. */
  readonly bits: number;
  /** Of a ticket or session id; a pre-shared key of TLS 1.3 looks alike to OpenSSL, and is none. */
  readonly resumed: boolean;
  /** The handshake was authenticated by a key of TLSPreSharedKey. */
  readonly preSharedKey: boolean;
  /** Group of the key exchange, of the original handshake where TLS 1.2 resumed; null: none, or not known. */
  readonly group: string | null;
  /** Our own signature as OpenSSL names it; null: none was made (resumption, RSA key transport), or not known. */
  readonly signature: string | null;
  /** Always true in TLS 1.3. */
  readonly extendedMasterSecret: boolean;
}

/** TLS Supported Groups (IANA), as far as OpenSSL 3.5 can negotiate them. */
const GROUP_NAMES: ReadonlyMap<number, string> = new Map([
  [23, 'P-256'],
  [24, 'P-384'],
  [25, 'P-521'],
  [26, 'brainpoolP256r1'],
  [27, 'brainpoolP384r1'],
  [28, 'brainpoolP512r1'],
  [29, 'X25519'],
  [30, 'X448'],
  [256, 'ffdhe2048'],
  [257, 'ffdhe3072'],
  [258, 'ffdhe4096'],
  [259, 'ffdhe6144'],
  [260, 'ffdhe8192'],
  [512, 'MLKEM512'],
  [513, 'MLKEM768'],
  [514, 'MLKEM1024'],
  [4587, 'SecP256r1MLKEM768'],
  [4588, 'X25519MLKEM768'],
  [4589, 'SecP384r1MLKEM1024'],
]);

/**
 * Reads an established connection; right after its handshake, before data flows.
 * @param preSharedKey the caller knows that a key of TLSPreSharedKey was used
 */
export function negotiatedTls(stream: TLSSocket, preSharedKey: boolean = false): NegotiatedTls {
  const cipher = stream.getCipher().name;
  const protocol = stream.getProtocol() ?? 'unknown';
  const resumed = stream.isSessionReused() && !preSharedKey;
  const fields = tlsSessionFields(stream);
  const group = fields?.group ?? null;
  return {
    protocol,
    cipher,
    bits: cipherBits(cipher),
    resumed,
    preSharedKey,
    group: group === null ? groupOfClient(stream) : (GROUP_NAMES.get(group) ?? `group ${group}`),
    signature: resumed || preSharedKey ? null : ownSignature(stream, protocol, cipher),
    extendedMasterSecret: protocol === 'TLSv1.3' || fields?.extendedMasterSecret === true,
  };
}

/** OpenSSL's names of curves, where they are not those of the groups. */
const CURVE_GROUPS: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'P-256'],
  ['secp256r1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

/** The client's role (SSCN): its session has no group before the first ticket, but Node tells the peer's key. */
function groupOfClient(stream: TLSSocket): string | null {
  const info = stream.getEphemeralKeyInfo() as { readonly name?: string } | null;
  const name = info?.name ?? null;
  return name === null ? null : (CURVE_GROUPS.get(name) ?? name);
}

/** Key length of an OpenSSL cipher name; Node does not tell it. */
export function cipherBits(cipher: string): number {
  if (/CHACHA20|AES_?256|CAMELLIA_?256|ARIA_?256/.test(cipher)) return 256;
  if (/3DES|DES-CBC3/.test(cipher)) return 112;
  if (/AES_?128|CAMELLIA_?128|ARIA_?128|SEED|IDEA|RC4/.test(cipher)) return 128;
  return 0;
}

const CURVE_HASHES: ReadonlyMap<string, string> = new Map([
  ['prime256v1', 'SHA256'],
  ['secp384r1', 'SHA384'],
  ['secp521r1', 'SHA512'],
]);

/**
 * The server's signature. Node does not tell which one it was, but OpenSSL's choice follows from what it does tell: the
 * first algorithm both sides have that the certificate in use can make (tls_choose_sigalg); TLS 1.3 ties ECDSA to the
 * curve and has no PKCS#1 v1.5 (RFC 8446, section 4.2.3).
 */
function ownSignature(stream: TLSSocket, protocol: string, cipher: string): string | null {
  const isTls13 = protocol === 'TLSv1.3';
  if (!isTls13 && !/^(EC)?DHE-(RSA|ECDSA)-/.test(cipher)) return null;
  const key = stream.getX509Certificate()?.publicKey;
  if (key === undefined) return null;
  const curveHash = CURVE_HASHES.get(key.asymmetricKeyDetails?.namedCurve ?? '');
  const fits = (name: string): boolean => {
    switch (key.asymmetricKeyType) {
      case 'rsa':
        return name.startsWith('RSA-PSS+') || (!isTls13 && name.startsWith('RSA+'));
      case 'rsa-pss':
        return name.startsWith('RSA-PSS+');
      case 'ec':
        return isTls13 ? name === `ECDSA+${curveHash ?? ''}` : name.startsWith('ECDSA+');
      case 'ed25519':
      case 'ed448':
        return name.toLowerCase().startsWith(key.asymmetricKeyType);
      default:
        return false;
    }
  };
  // `Ed25519+UNDEF`: no separate digest.
  return stream.getSharedSigalgs().find(fits)?.replace('+UNDEF', '') ?? null;
}

/** One line for logs: what was negotiated beyond protocol and cipher. */
export function negotiationLine(tls: NegotiatedTls, channel: 'control' | 'data'): string {
  const group = tls.group ?? 'none';
  const instead = tls.resumed ? 'none, resumed session' : tls.preSharedKey ? 'none, pre-shared key' : 'none';
  const signature = tls.signature ?? instead;
  return `${channel} connection negotiated ${tls.protocol}, cipher ${tls.cipher}, group ${group}, signature ${signature}`;
}

const WEAK_SIGNATURE = /\+(SHA1|SHA224|MD5|UNDEF)$/;

/** What of a negotiation the profile does not allow, as the end of a sentence; null: it lies inside. */
export function outsideProfile(tls: NegotiatedTls, profile: CryptoProfile): string | null {
  const { tls: allowed } = profile;
  if (!profile.fips) return null;
  if (!(allowed.protocols as readonly string[]).includes(tls.protocol)) return `protocol ${tls.protocol}`;
  const ciphers = tls.protocol === 'TLSv1.3' ? allowed.allowedSuites : allowed.allowedCiphers;
  if (ciphers !== null && !ciphers.includes(tls.cipher)) return `cipher ${tls.cipher}`;
  const groups = new Set(allowed.allowedGroups?.values());
  if (tls.group === null || !groups.has(tls.group)) return `group ${tls.group ?? 'none'}`;
  if (allowed.requiresExtendedMasterSecret && !tls.extendedMasterSecret)
    return 'no extended master secret (RFC 7627)';
  if (tls.signature !== null && WEAK_SIGNATURE.test(tls.signature)) return `signature ${tls.signature}`;
  return null;
}
