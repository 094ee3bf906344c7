/** Name of a peer for UseReverseDNS. The peer's own name server writes it, so it is checked before anybody prints it. */
import { Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';

/** Whole look-up, forward confirmation included: the greeting waits for it. */
export const REVERSE_DNS_TIMEOUT_MS = 3_000;
const CACHE_ENTRIES = 1_000;
const CACHE_MS = 60_000;

export interface ReverseResolver {
  reverse(address: string): Promise<string[]>;
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
}

// Letters, digits, hyphen and underscore in labels of at most 63 (RFC 1035, section 2.3.1; RFC 2181, section 11).
const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*$/;
/** `4.3.2.1` as a name would pass for an address in access rules. */
const LOOKS_NUMERIC = /^[0-9.]+$/;

export class PeerNames {
  readonly #resolver: ReverseResolver;
  readonly #timeoutMs: number;
  readonly #cache = new Map<string, { readonly name: Promise<string>; readonly until: number }>();

  constructor(
    resolver: ReverseResolver = new Resolver({ timeout: 1_000, tries: 2 }),
    timeoutMs: number = REVERSE_DNS_TIMEOUT_MS,
  ) {
    this.#resolver = resolver;
    this.#timeoutMs = timeoutMs;
  }

  /** The name that maps back to `address`, else the address itself. Never rejects and never takes longer than the limit. */
  nameOf(address: string): Promise<string> {
    if (isLoopback(address)) return Promise.resolve('localhost');
    const now = Date.now();
    const cached = this.#cache.get(address);
    if (cached !== undefined && cached.until > now) return cached.name;
    const name = this.#lookUpInTime(address);
    this.#cache.delete(address);
    this.#cache.set(address, { name, until: now + CACHE_MS });
    // Oldest first: a Map keeps insertion order.
    if (this.#cache.size > CACHE_ENTRIES) this.#cache.delete(this.#cache.keys().next().value!);
    return name;
  }

  #lookUpInTime(address: string): Promise<string> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#timeoutMs, address);
      this.#lookUp(address)
        .then(
          (name) => resolve(name ?? address),
          // No PTR record, no server, a refusal: the address serves as the name.
          () => resolve(address),
        )
        .finally(() => clearTimeout(timer));
    });
  }

  async #lookUp(address: string): Promise<string | null> {
    const [name] = await this.#resolver.reverse(address);
    if (name === undefined || !HOST_NAME.test(name) || LOOKS_NUMERIC.test(name)) return null;
    const forward = isIPv6(address)
      ? await this.#resolver.resolve6(name)
      : await this.#resolver.resolve4(name);
    return forward.some((candidate) => sameAddress(candidate, address)) ? name.toLowerCase() : null;
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function sameAddress(left: string, right: string): boolean {
  return canonical(left) === canonical(right);
}

/** One spelling per IPv6 address. */
function canonical(address: string): string {
  return isIPv6(address) ? new URL(`ftp://[${address}]/`).hostname : address;
}
