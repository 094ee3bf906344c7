/**
 * Every SSH algorithm name this server knows, with what becomes of it: offered without being asked for, only where a
 * directive names it, or refused with a reason. The lists of the profiles and the checks of the SFTP directives are
 * made from this one table (ssh-transport reference, sections 3, 8, 10 and 15).
 */
import type { FipsFeatures } from './fips-features.ts';

export type SshAlgorithmKind = 'key-exchange' | 'host-key' | 'public-key' | 'cipher' | 'mac' | 'compression';

/** Standing outside FIPS mode. */
export type SshStanding =
  | { readonly status: 'default' }
  | { readonly status: 'only-when-named' }
  /** Never offered; `because` completes "NAME is not offered: ...". */
  | { readonly status: 'refused'; readonly because: string };

export interface SshAlgorithm {
  readonly kind: SshAlgorithmKind;
  readonly name: string;
  readonly standing: SshStanding;
  /** Under FIPS: usable, usable where the module has a feature, or the reason why not. */
  readonly fips: 'approved' | keyof FipsFeatures | { readonly because: string };
}

/** One negotiable list: what is offered where nothing is configured, and everything a directive may name. */
export interface SshAlgorithmList {
  /** In the server's order. */
  readonly default: readonly string[];
  /** The defaults, then what is only offered when named. */
  readonly allowed: readonly string[];
}

export interface SshProfile {
  readonly keyExchanges: SshAlgorithmList;
  /** Signature algorithms of host keys; those without a key are left out when a server starts. */
  readonly hostKeys: SshAlgorithmList;
  /** Signature algorithms accepted of users (server-sig-algs). */
  readonly publicKeys: SshAlgorithmList;
  readonly ciphers: SshAlgorithmList;
  readonly macs: SshAlgorithmList;
  /** What SFTPCompression chooses from; the default offers `none` alone. */
  readonly compression: SshAlgorithmList;
  /** Smallest RSA key, in bits, of hosts and users. */
  readonly minimumRsaBits: number;
}

const NOT_SP800_56A = {
  because: 'Curve25519 and Curve448 are not approved for key agreement (SP 800-56A r3)',
};
const SHA1_KEX = { because: 'SHA-1 is not approved for key exchange hashes (SP 800-131A)' };
const SHA1_SIGNATURE = { because: 'SHA-1 signatures are not approved (SP 800-131A)' };
const RSA_TRANSPORT = { because: 'RSA key transport is not approved (SP 800-131A)' };
const NOT_IN_MODULE = { because: 'the algorithm is not approved' };

type FipsStanding = SshAlgorithm['fips'];

function rows(
  kind: SshAlgorithmKind,
  standing: SshStanding | 'default' | 'only-when-named',
  entries: readonly (readonly [name: string, fips: FipsStanding])[],
): SshAlgorithm[] {
  const full = typeof standing === 'string' ? { status: standing } : standing;
  return entries.map(([name, fips]) => ({ kind, name, standing: full, fips }));
}

const refusedBecause = (because: string): SshStanding => ({ status: 'refused', because });

const KEY_EXCHANGES: readonly SshAlgorithm[] = [
  ...rows('key-exchange', 'default', [
    // The library refuses the X25519 half under FIPS, although RFC 10042 would let ML-KEM carry the approval.
    ['mlkem768x25519-sha256', NOT_SP800_56A],
    ['mlkem768nistp256-sha256', 'mlKem'],
    ['mlkem1024nistp384-sha384', 'mlKem'],
    ['curve25519-sha256', NOT_SP800_56A],
    ['curve25519-sha256@libssh.org', NOT_SP800_56A],
    ['ecdh-sha2-nistp256', 'approved'],
    ['ecdh-sha2-nistp384', 'approved'],
    ['ecdh-sha2-nistp521', 'approved'],
    ['diffie-hellman-group16-sha512', 'approved'],
    ['diffie-hellman-group18-sha512', 'approved'],
    ['diffie-hellman-group14-sha256', 'approved'],
    // Under FIPS answered with primes of RFC 3526 only.
    ['diffie-hellman-group-exchange-sha256', 'approved'],
  ]),
  ...rows('key-exchange', 'only-when-named', [
    ['curve448-sha512', NOT_SP800_56A],
    ['diffie-hellman-group15-sha512', 'approved'],
    ['diffie-hellman-group17-sha512', 'approved'],
    ['diffie-hellman-group14-sha1', SHA1_KEX],
    ['diffie-hellman-group-exchange-sha1', SHA1_KEX],
    ['diffie-hellman-group1-sha1', SHA1_KEX],
    ['rsa2048-sha256', RSA_TRANSPORT],
    ['rsa1024-sha1', RSA_TRANSPORT],
  ]),
  ...rows('key-exchange', refusedBecause('sntrup761 is not in OpenSSL; use mlkem768x25519-sha256'), [
    ['sntrup761x25519-sha512', NOT_IN_MODULE],
    ['sntrup761x25519-sha512@openssh.com', NOT_IN_MODULE],
  ]),
];

const SIGNATURES: readonly (readonly [string, FipsStanding])[] = [
  ['ssh-ed25519', 'edDsa'],
  ['ssh-ed448', 'edDsa'],
  ['ecdsa-sha2-nistp256', 'approved'],
  ['ecdsa-sha2-nistp384', 'approved'],
  ['ecdsa-sha2-nistp521', 'approved'],
  ['rsa-sha2-512', 'approved'],
  ['rsa-sha2-256', 'approved'],
];
const OLD_SIGNATURES: readonly (readonly [string, FipsStanding])[] = [
  ['ssh-rsa', SHA1_SIGNATURE],
  ['ssh-dss', { because: 'DSA signatures are no longer approved (FIPS 186-5)' }],
];
/**
 * OpenSSH certificates: of users only, and of those only where LockgateTrustedUserCAKeys or a cert-authority line names
 * who may issue them.
 */
const CERTIFICATES: readonly (readonly [string, FipsStanding])[] = [
  ['ssh-ed25519-cert-v01@openssh.com', 'edDsa'],
  ['ecdsa-sha2-nistp256-cert-v01@openssh.com', 'approved'],
  ['ecdsa-sha2-nistp384-cert-v01@openssh.com', 'approved'],
  ['ecdsa-sha2-nistp521-cert-v01@openssh.com', 'approved'],
  ['rsa-sha2-512-cert-v01@openssh.com', 'approved'],
  ['rsa-sha2-256-cert-v01@openssh.com', 'approved'],
];
const OLD_CERTIFICATES: readonly (readonly [string, FipsStanding])[] = [
  ['ssh-rsa-cert-v01@openssh.com', SHA1_SIGNATURE],
  ['ssh-dss-cert-v01@openssh.com', NOT_IN_MODULE],
];

const HOST_KEYS: readonly SshAlgorithm[] = [
  ...rows('host-key', 'default', SIGNATURES),
  ...rows('host-key', 'only-when-named', OLD_SIGNATURES),
  ...rows('host-key', refusedBecause('host certificates are not implemented'), [
    ...CERTIFICATES,
    ...OLD_CERTIFICATES,
  ]),
];

const PUBLIC_KEYS: readonly SshAlgorithm[] = [
  ...rows('public-key', 'default', [
    ...SIGNATURES,
    ['sk-ssh-ed25519@openssh.com', 'edDsa'],
    ['sk-ecdsa-sha2-nistp256@openssh.com', 'approved'],
    ...CERTIFICATES,
    ['sk-ssh-ed25519-cert-v01@openssh.com', 'edDsa'],
    ['sk-ecdsa-sha2-nistp256-cert-v01@openssh.com', 'approved'],
  ]),
  ...rows('public-key', 'only-when-named', OLD_SIGNATURES),
  ...rows('public-key', refusedBecause('its signatures rest on SHA-1'), OLD_CERTIFICATES),
];

const CIPHERS: readonly SshAlgorithm[] = [
  ...rows('cipher', 'default', [
    // The fastest here (2.3 to 2.6 GB/s against 1.06 of CTR with HMAC), and not open to prefix truncation (Terrapin).
    ['aes256-gcm@openssh.com', 'approved'],
    ['aes128-gcm@openssh.com', 'approved'],
    ['chacha20-poly1305@openssh.com', NOT_IN_MODULE],
    ['aes256-ctr', 'approved'],
    ['aes192-ctr', 'approved'],
    ['aes128-ctr', 'approved'],
  ]),
  ...rows('cipher', 'only-when-named', [
    ['aes256-cbc', 'approved'],
    ['aes192-cbc', 'approved'],
    ['aes128-cbc', 'approved'],
    ['3des-cbc', { because: 'three-key TDEA encryption is disallowed (SP 800-131A r2)' }],
    ['none', { because: 'it does not encrypt' }],
    // OpenSSL's legacy provider has them; where it is not loaded, a server drops them with a warning (cipherAvailable).
    ['blowfish-cbc', NOT_IN_MODULE],
    ['cast128-cbc', NOT_IN_MODULE],
    ['arcfour', NOT_IN_MODULE],
    ['arcfour128', NOT_IN_MODULE],
    ['arcfour256', NOT_IN_MODULE],
  ]),
  ...rows('cipher', refusedBecause('OpenSSL 3 has no counter mode of this cipher'), [
    ['3des-ctr', NOT_IN_MODULE],
    ['blowfish-ctr', NOT_IN_MODULE],
  ]),
];

const TRUNCATED = { because: 'its tag is cut to 96 bits, which the profile leaves out' };

const MACS: readonly SshAlgorithm[] = [
  ...rows('mac', 'default', [
    ['hmac-sha2-256-etm@openssh.com', 'approved'],
    ['hmac-sha2-512-etm@openssh.com', 'approved'],
    ['hmac-sha2-256', 'approved'],
    ['hmac-sha2-512', 'approved'],
  ]),
  ...rows('mac', 'only-when-named', [
    // HMAC does not rest on collision resistance: still approved until 2030 (SP 800-131A r2, table 9).
    ['hmac-sha1-etm@openssh.com', 'approved'],
    ['hmac-sha1', 'approved'],
    ['hmac-sha1-96-etm@openssh.com', TRUNCATED],
    ['hmac-sha1-96', TRUNCATED],
    ['hmac-md5-etm@openssh.com', NOT_IN_MODULE],
    ['hmac-md5', NOT_IN_MODULE],
    ['hmac-md5-96-etm@openssh.com', NOT_IN_MODULE],
    ['hmac-md5-96', NOT_IN_MODULE],
    ['hmac-ripemd160', NOT_IN_MODULE],
    ['none', { because: 'it authenticates nothing' }],
  ]),
  ...rows('mac', refusedBecause('OpenSSL has no UMAC; use hmac-sha2-256-etm@openssh.com'), [
    ['umac-64@openssh.com', NOT_IN_MODULE],
    ['umac-64-etm@openssh.com', NOT_IN_MODULE],
    ['umac-128@openssh.com', NOT_IN_MODULE],
    ['umac-128-etm@openssh.com', NOT_IN_MODULE],
  ]),
];

const COMPRESSIONS: readonly SshAlgorithm[] = [
  ...rows('compression', 'default', [['none', 'approved']]),
  ...rows('compression', 'only-when-named', [
    ['zlib@openssh.com', 'approved'],
    ['zlib', 'approved'],
  ]),
];

/** All names known, defaults of each kind first and in the server's order. */
export const SSH_ALGORITHMS: readonly SshAlgorithm[] = Object.freeze([
  ...KEY_EXCHANGES,
  ...HOST_KEYS,
  ...PUBLIC_KEYS,
  ...CIPHERS,
  ...MACS,
  ...COMPRESSIONS,
]);

const BY_NAME: ReadonlyMap<string, SshAlgorithm> = new Map(
  SSH_ALGORITHMS.map((algorithm) => [`${algorithm.kind} ${algorithm.name}`, algorithm]),
);

/** The row of a name (exact, as SSH compares names); null: unknown to this server. */
export function sshAlgorithm(kind: SshAlgorithmKind, name: string): SshAlgorithm | null {
  return BY_NAME.get(`${kind} ${name}`) ?? null;
}

/**
 * What a directive that names the algorithm gets.
 * @param features of the FIPS module; null outside FIPS mode
 * @returns null: it may be named. Else why not, to be put behind the name
 */
export function sshRefusal(algorithm: SshAlgorithm, features: FipsFeatures | null): string | null {
  if (algorithm.standing.status === 'refused') return algorithm.standing.because;
  if (features === null || algorithm.fips === 'approved') return null;
  if (typeof algorithm.fips === 'object') return `forbidden by the FIPS profile: ${algorithm.fips.because}`;
  return features[algorithm.fips]
    ? null
    : 'forbidden by the FIPS profile: the loaded module does not have it';
}

/** The lists of a profile. @param features of the FIPS module; null outside FIPS mode */
export function sshProfile(features: FipsFeatures | null): SshProfile {
  const list = (kind: SshAlgorithmKind): SshAlgorithmList => {
    const usable = SSH_ALGORITHMS.filter((one) => one.kind === kind && sshRefusal(one, features) === null);
    const named = (status: SshStanding['status']): string[] =>
      usable.filter((one) => one.standing.status === status).map((one) => one.name);
    return { default: named('default'), allowed: [...named('default'), ...named('only-when-named')] };
  };
  return {
    keyExchanges: list('key-exchange'),
    hostKeys: list('host-key'),
    publicKeys: list('public-key'),
    ciphers: list('cipher'),
    macs: list('mac'),
    compression: list('compression'),
    minimumRsaBits: 2048,
  };
}
