/**
 * TLS contexts: one set per certificate configuration and thread, shared by its connections.
 *
 * Binding without a context per connection: OpenSSL copies the context's session id context into each connection when
 * it is created (SSL_new), writes it into every session and ticket, and resumes a session only where both are equal
 * (ssl_get_prev_session; in TLS 1.3 per PSK identity). So the id is set right before each connection is made, and a
 * session of another control connection does not resume although the ticket key is the same. Measured against a
 * context of one's own per connection: 250-310 us of set-up and about 32 KB per idle session less, same refusals.
 */
import { constants, randomBytes, randomFillSync, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { activeProfile, defaultProfile, type CryptoProfile, type TlsVersionName } from './profile.ts';

export interface TlsIdentity {
  /** Certificate, then its chain. */
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface TlsContextOptions {
  readonly profile?: CryptoProfile;
  readonly identities: readonly TlsIdentity[];
  readonly pkcs12?: { readonly bytes: Uint8Array; readonly passPhrase: string | null } | null;
  /** Trust anchors whose names are announced to clients (PEM). */
  readonly clientAuthorities: readonly string[];
  readonly versions: readonly TlsVersionName[];
  /** OpenSSL list for TLS 1.2 and below. */
  readonly cipherList: string | null;
  /** TLS 1.3 suites; null: the library's. */
  readonly cipherSuites13: string | null;
  readonly serverPreference: boolean;
  /** Groups separated by colons; null: the profile's. */
  readonly groups: string | null;
  /** PEM of the chosen Diffie-Hellman parameters, or null for built-in groups. */
  readonly dhParameters: string | null;
  readonly lifetimeSeconds: number;
  /** Security level 0: TLS 1.0 and 1.1, SHA-1 signatures, small keys. */
  readonly weakSecurity: boolean;
}

/**
 * tickets:    TLS 1.2 tickets and TLS 1.3.
 * no-tickets: TLS 1.2 and below without tickets (SSL_OP_NO_TICKET would break resumption in TLS 1.3).
 * renewing:   like tickets, and every resumption in TLS 1.3 sends one new ticket, for clients that use each once.
 * resuming:   like renewing, for connections that are dropped, before anything is sent, unless they resume. With
 *             psk_dhe_ke (RFC 8446, section 7.1) the keys depend on the resumed secret and on the exchange, so classic
 *             groups come first; a client that has only the post-quantum one still gets it.
 */
export type ContextKind = 'tickets' | 'no-tickets' | 'renewing' | 'resuming';

/** What Node's native context offers beyond its documentation; each call is checked before use. */
interface NativeContext {
  setSessionIdContext?: (id: string) => void;
  setTicketKeys?: (keys: Buffer) => void;
  /** DER of the certificate loaded last. */
  getCertificate?: () => Buffer | null;
  enableTicketKeyCallback?: () => void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, encrypting: boolean) => readonly unknown[];
}

/** Layout of Node's 48 ticket key bytes. */
const TICKET_NAME = [0, 16] as const;
const TICKET_HMAC_KEY = [16, 32] as const;
const TICKET_AES_KEY = [32, 48] as const;
const TICKET_KEY_BYTES = 48;

const VERSION_ORDER: readonly TlsVersionName[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const VERSION_OFF: Readonly<Record<TlsVersionName, number>> = {
  TLSv1: constants.SSL_OP_NO_TLSv1,
  'TLSv1.1': constants.SSL_OP_NO_TLSv1_1,
  'TLSv1.2': constants.SSL_OP_NO_TLSv1_2,
  'TLSv1.3': constants.SSL_OP_NO_TLSv1_3,
};

/** Contexts of one configuration, made when first asked for. */
export class TlsContextSet {
  readonly createdAt: number = Date.now();
  readonly #options: TlsContextOptions;
  /** Overwritten in place by `retireTicketKey`: the callbacks of `renewTickets` hold views of it. */
  readonly #ticketKeys: Buffer = randomBytes(TICKET_KEY_BYTES);
  readonly #contexts = new Map<ContextKind, SecureContext>();

  /** Throws the library's error when material or cipher list cannot be used. */
  constructor(options: TlsContextOptions) {
    this.#options = options;
    this.#shared('tickets');
  }

  /**
   * The context for the next connection of one control session; make the connection before anything else runs.
   * `sessionBinding` is at most 32 bytes (SSL_MAX_SID_CTX_LENGTH) and unique per control connection.
   */
  bound(kind: ContextKind, sessionBinding: string): SecureContext {
    const context = this.#shared(kind);
    const native = context.context as NativeContext;
    if (native.setSessionIdContext === undefined) return this.#create(kind, sessionBinding);
    native.setSessionIdContext(sessionBinding);
    return context;
  }

  /** The certificate loaded last: of a PKCS#12 bundle the only way to see it. Null: none. */
  certificate(): X509Certificate | null {
    const der = (this.#shared('tickets').context as NativeContext).getCertificate?.() ?? null;
    return der === null ? null : new X509Certificate(der);
  }

  /** From now on no ticket of this set opens any more; connections that run are not touched (TLSSessionTicketKeys). */
  retireTicketKey(): void {
    randomFillSync(this.#ticketKeys);
    for (const { context } of this.#contexts.values())
      (context as NativeContext).setTicketKeys?.(this.#ticketKeys);
  }

  #shared(kind: ContextKind): SecureContext {
    const existing = this.#contexts.get(kind);
    if (existing !== undefined) return existing;
    const context = this.#create(kind, null);
    this.#contexts.set(kind, context);
    return context;
  }

  #create(kind: ContextKind, sessionBinding: string | null): SecureContext {
    const options: SecureContextOptions = {
      ...secureContextOptions(this.#options, kind),
      ticketKeys: this.#ticketKeys,
      ...(sessionBinding === null ? {} : { sessionIdContext: sessionBinding }),
    };
    const context = createSecureContext(options);
    if (kind === 'renewing' || kind === 'resuming')
      renewTickets(context.context as NativeContext, this.#ticketKeys);
    return context;
  }
}

/** Random id of one control connection, as long as OpenSSL takes it. */
export function newSessionBinding(): string {
  return randomBytes(16).toString('hex');
}

/** Versions that will really be offered: listed, known to the profile, and weak ones only with leave. */
export function usableVersions(
  listed: readonly string[],
  weakSecurity: boolean,
  profile: CryptoProfile = activeProfile(),
): TlsVersionName[] {
  const { protocols, weakProtocols } = profile.tls;
  const allowed = new Set<string>([...protocols, ...(weakSecurity ? weakProtocols : [])]);
  return VERSION_ORDER.filter((version) => listed.includes(version) && allowed.has(version));
}

/** Options of `tls.createSecureContext` for one configuration. */
export function secureContextOptions(options: TlsContextOptions, kind: ContextKind): SecureContextOptions {
  const profile = options.profile ?? activeProfile();
  const [lowest] = options.versions;
  const highest = options.versions.at(-1);
  if (lowest === undefined || highest === undefined) throw new RangeError('no usable TLS version');
  // Minimum and maximum cannot express gaps (TLSv1 TLSv1.2), the option bits can.
  const gaps = VERSION_ORDER.filter((version) => !options.versions.includes(version)).reduce(
    (bits, version) => bits | VERSION_OFF[version],
    0,
  );
  const preference = options.serverPreference ? constants.SSL_OP_CIPHER_SERVER_PREFERENCE : 0;
  const tickets = kind === 'no-tickets' ? constants.SSL_OP_NO_TICKET : 0;
  const groups = kind === 'resuming' ? profile.tls.resumptionGroups : profile.tls.groups;
  return {
    minVersion: lowest,
    maxVersion: highest,
    ciphers: cipherString(options, profile),
    ecdhCurve: options.groups ?? groups,
    ...signatureOptions(profile),
    dhparam: options.dhParameters ?? 'auto',
    // Never the runtime's own bundle: an empty list announces nothing and trusts nobody.
    ca: [...options.clientAuthorities],
    cert: options.identities.map((identity) => identity.certificatePem),
    key: options.identities.map((identity) => identity.keyPem),
    sessionTimeout: options.lifetimeSeconds,
    secureOptions:
      (gaps |
        preference |
        tickets |
        constants.SSL_OP_NO_SSLv2 |
        constants.SSL_OP_NO_SSLv3 |
        constants.SSL_OP_NO_COMPRESSION) >>>
      0,
    ...pkcs12Options(options),
  };
}

function pkcs12Options({ pkcs12 }: TlsContextOptions): SecureContextOptions {
  if (pkcs12 === undefined || pkcs12 === null) return {};
  const buf = Buffer.from(pkcs12.bytes);
  return { pfx: [pkcs12.passPhrase === null ? { buf } : { buf, passphrase: pkcs12.passPhrase }] };
}

/** Options of the client role (SSCN): the same protocols, ciphers, groups and signatures, and who is trusted. */
export function clientContextOptions(
  versions: readonly TlsVersionName[],
  anchors: readonly string[],
  profile: CryptoProfile = activeProfile(),
): SecureContextOptions {
  const [lowest] = versions;
  const highest = versions.at(-1);
  return {
    ca: [...anchors],
    ...(lowest === undefined ? {} : { minVersion: lowest }),
    ...(highest === undefined ? {} : { maxVersion: highest }),
    // Outside FIPS the runtime's own lists for clients are the right ones.
    ...(profile.fips
      ? {
          ciphers: cipherString({ cipherList: null, cipherSuites13: null, weakSecurity: false }, profile),
          ecdhCurve: profile.tls.groups,
          ...signatureOptions(profile),
        }
      : {}),
  };
}

function signatureOptions(profile: CryptoProfile): SecureContextOptions {
  const { signatureAlgorithms } = profile.tls;
  return signatureAlgorithms === null ? {} : { sigalgs: signatureAlgorithms };
}

/** A list that is the default's own text means "no list": each profile has its own default. */
export function cipherListInForce(
  configured: string | null,
  profile: CryptoProfile = activeProfile(),
): string {
  const isDefault = configured === null || configured === defaultProfile().tls.ciphers;
  return isDefault ? profile.tls.ciphers : configured;
}

/**
 * TLS 1.3 suites first, the list for older versions, exclusion of export ciphers and of what the profile does not have,
 * and the security level.
 */
export function cipherString(
  options: Pick<TlsContextOptions, 'cipherList' | 'cipherSuites13' | 'weakSecurity'>,
  profile: CryptoProfile = activeProfile(),
): string {
  const { suites, cipherExclusions } = profile.tls;
  const list = cipherListInForce(options.cipherList, profile);
  const suites13 = options.cipherSuites13 ?? suites;
  const parts = suites13 === null ? [] : [suites13];
  parts.push(list.startsWith('PROFILE=') || list.includes('!EXPORT') ? list : `${list}:!EXPORT`);
  if (cipherExclusions !== '') parts.push(cipherExclusions);
  if (options.weakSecurity && !profile.fips && !list.includes('@SECLEVEL')) parts.push('@SECLEVEL=0');
  return parts.join(':');
}

/**
 * OpenSSL renews the ticket of a resumed TLS 1.3 session when the key callback answers 2 for it; Node's built-in
 * callback answers 1. Same keys and format as without, so all contexts of the set read each other's tickets.
 */
function renewTickets(native: NativeContext, keys: Buffer): void {
  if (native.enableTicketKeyCallback === undefined) return;
  const name = keys.subarray(...TICKET_NAME);
  const hmacKey = keys.subarray(...TICKET_HMAC_KEY);
  const aesKey = keys.subarray(...TICKET_AES_KEY);
  native.enableTicketKeyCallback();
  native.onticketkeycallback = (ticketName, _iv, encrypting) => {
    if (encrypting) return [1, hmacKey, aesKey, name, randomBytes(16)];
    // Foreign ticket: no resumption. Node aborts the process when the keys are missing, also where nobody uses them.
    return [ticketName.equals(name) ? 2 : 0, hmacKey, aesKey];
  };
}
