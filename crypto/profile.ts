/**
 * Named profiles: which protocols, ciphers, groups, signatures, keys and password hashes this server may use at all. A
 * configuration chooses inside a profile, never outside it; a stricter profile removes entries, so they are never
 * offered. The process has one profile for its whole life: FIPS mode is decided before OpenSSL is first used.
 */
import { getFips } from 'node:crypto';
import { fipsFeatures } from './fips-features.ts';
import { loadedFipsModule } from './fips-module.ts';
import { sshProfile, type SshProfile } from './ssh-algorithms.ts';

export type TlsVersionName = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** Families of stored password hashes (password-hash.ts). */
export type PasswordScheme =
  'pbkdf2' | 'sha256-crypt' | 'sha512-crypt' | 'md5-crypt' | 'bcrypt' | 'yescrypt' | 'des';

/** What certificates, keys and their signatures must at least be; null leaves it to the library's security level. */
export interface KeyFloors {
  /** Bits of an RSA modulus. */
  readonly rsaBits: number;
  /** Curves of EC keys as Node names them (`namedCurve`). */
  readonly curves: readonly string[];
  /** Key types as Node names them (`asymmetricKeyType`). */
  readonly keyTypes: readonly string[];
  /** Digests certificates and revocation lists may be signed with. */
  readonly signatureHashes: readonly string[];
}

export interface TlsProfile {
  /** Usable without further ado. */
  readonly protocols: readonly TlsVersionName[];
  /** Usable only where the operator lowered the security level by name (TLSOptions AllowWeakSecurity). */
  readonly weakProtocols: readonly TlsVersionName[];
  /** Ciphers of TLS 1.2 and below where the configuration names none (OpenSSL's syntax). */
  readonly ciphers: string;
  /** Every cipher a configuration may choose for TLS 1.2 and below; null: all of the library's. */
  readonly allowedCiphers: readonly string[] | null;
  /**
   * Put behind any list, takes everything but `allowedCiphers` out of it: OpenSSL removes what stands behind `!` for
   * good, whatever brought it in, and keeps the order of the rest. Empty where everything is allowed.
   */
  readonly cipherExclusions: string;
  /** Suites of TLS 1.3 where the configuration names none; null: the library's own list. */
  readonly suites: string | null;
  readonly allowedSuites: readonly string[] | null;
  /** Groups for (EC)DHE where the configuration names none; `auto` is the library's own list. */
  readonly groups: string;
  /**
   * The same groups in the order for connections that must resume a session made with `groups`: a post-quantum group
   * costs more than the rest of such a handshake, and the resumed secret already protects it.
   */
  readonly resumptionGroups: string;
  /** Every group a configuration may choose, by any name OpenSSL knows it by, lower case; null: all. */
  readonly allowedGroups: ReadonlyMap<string, string> | null;
  /** signature_algorithms offered and accepted (RFC 8446, section 4.2.3), in order; null: the library's. */
  readonly signatureAlgorithms: string | null;
  /** TLS 1.2 sessions without it are refused (RFC 7627; FIPS 140-3 IG D.Q). */
  readonly requiresExtendedMasterSecret: boolean;
  /** Smallest Diffie-Hellman prime, in bits, without AllowWeakDH. */
  readonly minimumDhBits: number;
  readonly floors: KeyFloors | null;
}

export interface CryptoProfile {
  readonly name: 'default' | 'fips';
  readonly fips: boolean;
  readonly tls: TlsProfile;
  readonly ssh: SshProfile;
  /** Stored password hashes that may be checked at login; others are refused with a line for the operator. */
  readonly passwordHashes: readonly PasswordScheme[];
}

const ALL_PASSWORD_SCHEMES: readonly PasswordScheme[] = [
  'pbkdf2',
  'sha256-crypt',
  'sha512-crypt',
  'md5-crypt',
  'bcrypt',
  'yescrypt',
  'des',
];

const DEFAULT_PROFILE: CryptoProfile = Object.freeze({
  name: 'default',
  fips: false,
  tls: {
    protocols: ['TLSv1.2', 'TLSv1.3'] as const,
    weakProtocols: ['TLSv1', 'TLSv1.1'] as const,
    ciphers: 'DEFAULT:!ADH:!EXPORT:!DES',
    allowedCiphers: null,
    cipherExclusions: '',
    suites: null,
    allowedSuites: null,
    groups: 'auto',
    resumptionGroups: 'X25519:P-256:X448:P-384:P-521:ffdhe2048:ffdhe3072:X25519MLKEM768',
    allowedGroups: null,
    signatureAlgorithms: null,
    requiresExtendedMasterSecret: false,
    minimumDhBits: 2048,
    floors: null,
  },
  ssh: sshProfile(null),
  passwordHashes: ALL_PASSWORD_SCHEMES,
});

/** SP 800-52 r2, section 3.3.1.1: ECDHE with AES-GCM. */
const FIPS_GCM_CIPHERS = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
] as const;

/** Only for who names them (TLSCipherSuite). */
const FIPS_CBC_CIPHERS = [
  'ECDHE-ECDSA-AES256-SHA384',
  'ECDHE-RSA-AES256-SHA384',
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-RSA-AES128-SHA256',
] as const;

/** Leaves the eight above of everything OpenSSL has (a test asks `openssl ciphers`). */
const FIPS_CIPHER_EXCLUSIONS =
  '!aNULL:!eNULL:!kRSA:!kDHE:!kPSK:!kECDHEPSK:!kDHEPSK:!kRSAPSK:!SRP:!CHACHA20:!CAMELLIA:!ARIA:!AESCCM:!3DES:!SEED:' +
  '!IDEA:!RC4:!SHA1:!MD5';

const FIPS_SUITES = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256'] as const;

/** SP 800-186 curves usable for key establishment (SP 800-56A r3); X25519 and X448 are not among them. */
const FIPS_CURVES: readonly (readonly [string, string])[] = [
  ['p-256', 'P-256'],
  ['prime256v1', 'P-256'],
  ['secp256r1', 'P-256'],
  ['p-384', 'P-384'],
  ['secp384r1', 'P-384'],
  ['p-521', 'P-521'],
  ['secp521r1', 'P-521'],
];
const FIPS_HYBRID = ['secp256r1mlkem768', 'SecP256r1MLKEM768'] as const;
const FIPS_GROUPS = 'P-256:P-384:P-521';

const FIPS_SIGNATURES = [
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
  'rsa_pss_pss_sha256',
  'rsa_pss_pss_sha384',
  'rsa_pss_pss_sha512',
  'rsa_pkcs1_sha256',
  'rsa_pkcs1_sha384',
  'rsa_pkcs1_sha512',
];

/** The FIPS profile over a provider of that version; null for one whose version is not known. */
export function fipsProfile(moduleVersion: string | null): CryptoProfile {
  const features = fipsFeatures(moduleVersion);
  const edwards = features.edDsa ? ['ed25519', 'ed448'] : [];
  return Object.freeze({
    name: 'fips',
    fips: true,
    tls: {
      protocols: ['TLSv1.2', 'TLSv1.3'] as const,
      weakProtocols: [],
      ciphers: FIPS_GCM_CIPHERS.join(':'),
      allowedCiphers: [...FIPS_GCM_CIPHERS, ...FIPS_CBC_CIPHERS],
      cipherExclusions: FIPS_CIPHER_EXCLUSIONS,
      suites: FIPS_SUITES.join(':'),
      allowedSuites: FIPS_SUITES,
      groups: FIPS_GROUPS,
      resumptionGroups: FIPS_GROUPS,
      allowedGroups: new Map([...FIPS_CURVES, ...(features.mlKem ? [FIPS_HYBRID] : [])]),
      signatureAlgorithms: [...FIPS_SIGNATURES, ...edwards].join(':'),
      requiresExtendedMasterSecret: true,
      minimumDhBits: 2048,
      floors: {
        rsaBits: 2048,
        curves: ['prime256v1', 'secp384r1', 'secp521r1'],
        keyTypes: ['rsa', 'rsa-pss', 'ec', ...edwards],
        signatureHashes: ['sha256', 'sha384', 'sha512', 'sha3-256', 'sha3-384', 'sha3-512'],
      },
    },
    ssh: sshProfile(features),
    // PBKDF2 is approved (SP 800-132). sha-crypt is not, but its SHA-2 comes from the module (password-hash.ts).
    passwordHashes: ['pbkdf2', 'sha256-crypt', 'sha512-crypt'] as const,
  });
}

let active: CryptoProfile | null = null;

/** The profile of this process: `fips` where OpenSSL runs in FIPS mode, with what its module can do. Same in workers. */
export function activeProfile(): CryptoProfile {
  // FIPS mode can be switched on by the process only before it serves anybody; never off again.
  if (active === null || active.fips !== (getFips() === 1)) {
    active = getFips() === 1 ? fipsProfile(loadedFipsModule()?.version ?? null) : DEFAULT_PROFILE;
  }
  return active;
}

/** The profile of a process that is not in FIPS mode. */
export function defaultProfile(): CryptoProfile {
  return DEFAULT_PROFILE;
}
