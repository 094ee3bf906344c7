/**
 * What a profile forbids, asked by name: each function returns null for what may be used, else the sentence an operator
 * reads, with the rule that forbids it. Configurations are asked here when they are read, keys and certificates when
 * they are loaded; what is merely a default is filtered instead, and never reported.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { CryptoProfile } from './profile.ts';

const PROTOCOL_RULE = 'TLS 1.2 and 1.3 only (SP 800-52 r2, section 3.1)';
const CIPHER_RULE = 'ECDHE with AES-GCM, or AES-CBC with SHA-2 (SP 800-52 r2, section 3.3.1)';
const SUITE_RULE = 'TLS_AES_256_GCM_SHA384 and TLS_AES_128_GCM_SHA256 (SP 800-52 r2, section 3.3.1)';
const OPTION_RULE = 'security levels and key sizes are not lowered (SP 800-131A r2)';

function forbidden(what: string, profile: CryptoProfile, rule: string): string {
  return `${what} is forbidden by the ${profile.fips ? 'FIPS' : profile.name} profile: ${rule}`;
}

/** @param name as TLSProtocol takes it */
export function forbiddenProtocol(name: string, profile: CryptoProfile): string | null {
  const known: readonly string[] = [...profile.tls.protocols, ...profile.tls.weakProtocols];
  // Outside FIPS the security level decides, and the start warns.
  if (!profile.fips || known.includes(name)) return null;
  return forbidden(`protocol ${name}`, profile, PROTOCOL_RULE);
}

/** The suites of TLS 1.3 in `list` (names with colons). */
export function forbiddenSuite(list: string, profile: CryptoProfile): string | null {
  const allowed = profile.tls.allowedSuites;
  if (allowed === null) return null;
  const other = list.split(':').find((name) => name !== '' && !allowed.includes(name));
  return other === undefined ? null : forbidden(`cipher suite '${other}'`, profile, SUITE_RULE);
}

/**
 * An OpenSSL cipher list for TLS 1.2: refused are lowered security levels, and every item that stands for forbidden
 * ciphers only. An item that stands for both kinds (HIGH, DEFAULT) is accepted; what is forbidden in it is left out.
 */
export function forbiddenCipher(list: string, profile: CryptoProfile): string | null {
  if (profile.tls.allowedCiphers === null) return null;
  const items = list.split(/[:, ]+/).filter((item) => item !== '');
  for (const item of items) {
    if (/^@SECLEVEL=[01]$/i.test(item)) return forbidden(`'${item}'`, profile, OPTION_RULE);
    // Exclusions and reorderings add nothing.
    if (/^[!@+-]/.test(item)) continue;
    if (!selectsAny(item, profile)) return forbidden(`cipher '${item}'`, profile, CIPHER_RULE);
  }
  if (selectsAny(list, profile)) return null;
  return `'${list}' leaves no cipher of the ${profile.fips ? 'FIPS' : profile.name} profile: ${CIPHER_RULE}`;
}

/** Whether the library finds a cipher of the profile in the list. */
function selectsAny(list: string, profile: CryptoProfile): boolean {
  try {
    createSecureContext({ ciphers: `${list}:${profile.tls.cipherExclusions}` });
    return true;
  } catch (error) {
    if (error instanceof Error && /no cipher match|ERR_INVALID_ARG_VALUE/.test(error.message)) return false;
    throw error;
  }
}

/** Groups as TLSECDHCurve takes them (names with colons; OpenSSL 3.5 also knows `/`, `?`, `*` and `-`). */
export function forbiddenGroup(list: string, profile: CryptoProfile): string | null {
  const allowed = profile.tls.allowedGroups;
  if (allowed === null) return null;
  const names = list
    .split(/[:/]/)
    .map((name) => name.replace(/^[?*-]+/, ''))
    .filter((name) => name !== '');
  const other = names.find((name) => !allowed.has(name.toLowerCase()));
  if (other === undefined) return null;
  return forbidden(
    `curve '${other}'`,
    profile,
    `use ${[...new Set(allowed.values())].join(', ')} (SP 800-56A r3)`,
  );
}

/** TLSOptions that lower what the profile requires. */
export function forbiddenOption(option: string, profile: CryptoProfile): string | null {
  if (!profile.fips || (option !== 'AllowWeakSecurity' && option !== 'AllowWeakDH')) return null;
  return forbidden(`option ${option}`, profile, OPTION_RULE);
}

/** A private or public key: type, size, curve. */
export function forbiddenKey(key: KeyObject, profile: CryptoProfile): string | null {
  const { floors } = profile.tls;
  if (floors === null) return null;
  const type = key.asymmetricKeyType ?? 'unknown';
  if (!floors.keyTypes.includes(type)) {
    return forbidden(
      `a key of type ${type.toUpperCase()}`,
      profile,
      `${floors.keyTypes.join(', ')} (FIPS 186-5)`,
    );
  }
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (type.startsWith('rsa') && (modulusLength ?? 0) < floors.rsaBits) {
    const rule = `at least ${floors.rsaBits} bits (SP 800-131A r2)`;
    return forbidden(`an RSA key of ${modulusLength ?? 0} bits`, profile, rule);
  }
  if (type === 'ec' && !floors.curves.includes(namedCurve ?? '')) {
    return forbidden(`curve '${namedCurve ?? 'unnamed'}'`, profile, 'P-256, P-384 and P-521 (SP 800-186)');
  }
  return null;
}

/** The key of a certificate. A module need not even be able to read what it does not approve (secp256k1). */
export function forbiddenPublicKey(certificate: X509Certificate, profile: CryptoProfile): string | null {
  let key: KeyObject;
  try {
    key = certificate.publicKey;
  } catch {
    // The library's reason says no more than that.
    return forbidden(
      'a key of a type or curve the library cannot read',
      profile,
      'RSA, P-256, P-384 and P-521',
    );
  }
  return forbiddenKey(key, profile);
}

/**
 * A certificate's key, and the digest of the signature it carries. Of a trust anchor ask for the key alone: its own
 * signature proves nothing.
 */
export function forbiddenCertificate(certificate: X509Certificate, profile: CryptoProfile): string | null {
  const { floors } = profile.tls;
  if (floors === null) return null;
  const byKey = forbiddenPublicKey(certificate, profile);
  if (byKey !== null) return byKey;
  const name = certificate.signatureAlgorithm ?? 'unknown';
  const digest = signatureDigest(certificate);
  // Ed25519 and Ed448 are digest and signature in one.
  if (floors.signatureHashes.includes(digest) || floors.keyTypes.includes(digest)) return null;
  const rule = `${floors.signatureHashes.slice(0, 3).join(', ')} (SP 800-131A r2)`;
  return forbidden(`a certificate signed with ${name}`, profile, rule);
}

/** Signature algorithms of certificates (RFC 5758, RFC 8017, RFC 8410, NIST's sigAlgs arc) and their digests. */
const SIGNATURE_DIGESTS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['2.16.840.1.101.3.4.3.10', 'sha3-256'],
  ['2.16.840.1.101.3.4.3.11', 'sha3-384'],
  ['2.16.840.1.101.3.4.3.12', 'sha3-512'],
  ['2.16.840.1.101.3.4.3.14', 'sha3-256'],
  ['2.16.840.1.101.3.4.3.15', 'sha3-384'],
  ['2.16.840.1.101.3.4.3.16', 'sha3-512'],
  ['1.3.101.112', 'ed25519'],
  ['1.3.101.113', 'ed448'],
]);
const RSASSA_PSS = '1.2.840.113549.1.1.10';

/** `unknown` for an algorithm that is not in the table, SHA-1 and SHA-224 among them. */
function signatureDigest(certificate: X509Certificate): string {
  const oid = certificate.signatureAlgorithmOid ?? '';
  return oid === RSASSA_PSS ? pssDigest(certificate.raw) : (SIGNATURE_DIGESTS.get(oid) ?? 'unknown');
}

/** OBJECT IDENTIFIER id-RSASSA-PSS, and 2.16.840.1.101.3.4.2.N without its last byte. */
const PSS_DER = Buffer.from('06092a864886f70d01010a', 'hex');
const NIST_HASH_DER = Buffer.from('06096086480165030402', 'hex');
const HASH_BYTES: ReadonlyMap<number, string> = new Map([
  [0x01, 'sha256'],
  [0x02, 'sha384'],
  [0x03, 'sha512'],
  [0x08, 'sha3-256'],
  [0x09, 'sha3-384'],
  [0x0a, 'sha3-512'],
]);
/** SEQUENCE, [0] and SEQUENCE headers between the two identifiers. */
const MAX_PSS_GAP = 12;

/**
 * Node does not show the parameters of RSASSA-PSS. The tbsCertificate begins with the same AlgorithmIdentifier as stands
 * before the signature (RFC 5280, section 4.1.1.2), and nothing but version and serial number comes before it:
 *   RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, maskGenAlgorithm [1], saltLength [2], ... }
 */
function pssDigest(der: Buffer): string {
  const identifier = der.indexOf(PSS_DER);
  const hash = der.indexOf(NIST_HASH_DER, identifier);
  const gap = hash - (identifier + PSS_DER.length);
  if (identifier < 0 || hash < 0 || gap > MAX_PSS_GAP) return 'unknown';
  return HASH_BYTES.get(der[hash + NIST_HASH_DER.length] ?? 0) ?? 'unknown';
}
