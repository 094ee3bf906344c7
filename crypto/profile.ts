/**
 * Named profiles: which TLS versions, key sizes and cipher lists this server may use at all. A configuration chooses
 * inside a profile, never outside it; a stricter profile removes entries, so they are never offered.
 */

export type TlsVersionName = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

export interface CryptoProfile {
  readonly name: string;
  /** Usable without further ado. */
  readonly tlsVersions: readonly TlsVersionName[];
  /** Usable only where the operator lowered the security level by name (TLSOptions AllowWeakSecurity). */
  readonly weakTlsVersions: readonly TlsVersionName[];
  /** Smallest Diffie-Hellman prime, in bits, without AllowWeakDH. */
  readonly minimumDhBits: number;
  /** Groups for (EC)DHE where the configuration names none; `auto` is the library's own list. */
  readonly defaultGroups: string;
  /**
   * The same groups in the order for connections that must resume a session made with `defaultGroups`: a post-quantum
   * group costs more than the rest of such a handshake, and the resumed secret already protects it.
   */
  readonly resumptionGroups: string;
  /** Ciphers of TLS 1.2 and below where the configuration names none. */
  readonly defaultCiphers: string;
}

const DEFAULT_PROFILE: CryptoProfile = Object.freeze({
  name: 'default',
  tlsVersions: ['TLSv1.2', 'TLSv1.3'] as const,
  weakTlsVersions: ['TLSv1', 'TLSv1.1'] as const,
  minimumDhBits: 2048,
  defaultGroups: 'auto',
  resumptionGroups: 'X25519:P-256:X448:P-384:P-521:ffdhe2048:ffdhe3072:X25519MLKEM768',
  defaultCiphers: 'DEFAULT:!ADH:!EXPORT:!DES',
});

const PROFILES: ReadonlyMap<string, CryptoProfile> = new Map([[DEFAULT_PROFILE.name, DEFAULT_PROFILE]]);

/** The profile of that name; throws RangeError for a name that does not exist. */
export function cryptoProfile(name = 'default'): CryptoProfile {
  const profile = PROFILES.get(name);
  if (profile === undefined) throw new RangeError(`unknown crypto profile '${name}'`);
  return profile;
}
