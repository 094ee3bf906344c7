/** Names of addresses in a configuration to numbers, once, at start. */
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { normaliseAddress } from './address-pattern.ts';
import { ConfigError } from './config-error.ts';

/** How names become addresses; injectable for tests. */
export interface AddressResolver {
  /** Numeric addresses of a host name, in the resolver's order; empty when it has none. Must not take for ever. */
  lookup(name: string): Promise<readonly string[]>;
  /** Addresses of a network device such as `eth0`; empty when there is none of that name. */
  device(name: string): readonly string[];
}

/** Milliseconds one look-up may take before the start fails with a clear reason. */
const LOOKUP_TIMEOUT_MS = 15_000;

/** The resolver of the operating system. */
export const SYSTEM_RESOLVER: AddressResolver = {
  async lookup(name) {
    const deadline = AbortSignal.timeout(LOOKUP_TIMEOUT_MS);
    const expired = new Promise<never>((_, reject) => {
      deadline.addEventListener('abort', () => reject(new Error('timed out')), { once: true });
    });
    const answers = await Promise.race([lookup(name, { all: true }), expired]);
    return answers.map((answer) => answer.address);
  },
  device(name) {
    return (networkInterfaces()[name] ?? [])
      .filter((item) => !item.address.startsWith('fe80'))
      .map((item) => item.address);
  },
};

/** Addresses for one parameter of <VirtualHost> or DefaultAddress. Throws ConfigError (reason only). */
export async function resolveServerAddress(
  word: string,
  useIPv6: boolean,
  resolver: AddressResolver,
): Promise<readonly string[]> {
  if (word === '*') return useIPv6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
  const bare = word.startsWith('[') && word.endsWith(']') ? word.slice(1, -1) : word;
  const numeric = normaliseAddress(bare);
  if (numeric !== null) return [numeric];
  const found = await resolveName(word, resolver);
  const usable = found.filter((address) => useIPv6 || isIPv4(address));
  if (usable.length === 0) throw new ConfigError(`unable to resolve '${word}'`);
  return usable;
}

/** The one address for MasqueradeAddress: a number, a device or a name, IPv4 preferred. Throws ConfigError (reason only). */
export async function resolveMasquerade(word: string, resolver: AddressResolver): Promise<string> {
  const numeric = normaliseAddress(word);
  if (numeric !== null) return numeric;
  const device = resolver.device(word);
  const found = device.length > 0 ? device : await resolveName(word, resolver);
  const address = found.find((candidate) => isIPv4(candidate)) ?? found[0];
  if (address === undefined) throw new ConfigError(`unable to resolve '${word}'`);
  return address;
}

async function resolveName(word: string, resolver: AddressResolver): Promise<readonly string[]> {
  try {
    const found = await resolver.lookup(word);
    return [...new Set(found.flatMap((address) => normaliseAddress(address) ?? []))];
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'no answer';
    throw new ConfigError(`unable to resolve '${word}': ${reason}`, { cause: error });
  }
}
