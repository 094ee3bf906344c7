/** Which sockets are bound, and which virtual host a connection belongs to (core reference, sections 2 and 15). */
import { isIPv4 } from 'node:net';
import { normaliseAddress } from './address-pattern.ts';
import { globMatches } from './glob-match.ts';
import type { ListenerConfig, ServerConfig, Settings, VirtualHost } from './server-config.ts';

/** What a host needs to have for listeners to be computed. */
export interface ListeningHost {
  readonly id: number;
  readonly addresses: readonly string[];
  readonly port: number;
}

/**
 * The sockets to bind. Without SocketBindTight one wildcard socket per port; with it one per address, but a
 * wildcard address takes in the others of its port (they could not be bound beside it). `::` also accepts IPv4.
 */
export function computeListeners(
  hosts: readonly ListeningHost[],
  bindTight: boolean,
): readonly ListenerConfig[] {
  const ports = [...new Set(hosts.filter((host) => host.port !== 0).map((host) => host.port))];
  return ports.flatMap((port) => {
    const sharing = hosts.filter((host) => host.port === port);
    const addresses = [...new Set(sharing.flatMap((host) => host.addresses))];
    return bindAddresses(addresses, bindTight).map((address) => ({
      id: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
      address,
      port,
      virtualHosts: sharing
        .filter((host) => host.addresses.some((own) => covers(address, own)))
        .map((host) => host.id),
    }));
  });
}

function bindAddresses(addresses: readonly string[], bindTight: boolean): readonly string[] {
  const anyV6 = addresses.some((address) => !isIPv4(address));
  if (!bindTight) return [anyV6 ? '::' : '0.0.0.0'];
  if (addresses.includes('::')) return ['::'];
  if (!addresses.includes('0.0.0.0')) return addresses;
  return ['0.0.0.0', ...addresses.filter((address) => !isIPv4(address))];
}

/** Whether a socket bound to `bound` receives connections to `address`. */
function covers(bound: string, address: string): boolean {
  return bound === '::' || bound === address || (bound === '0.0.0.0' && isIPv4(address));
}

/**
 * The server for a connection: the one with exactly this local address, else one for every address, else the DefaultServer.
 * Null when none wants it: `500 Sorry, no server available to handle request on IP`.
 */
export function selectVirtualHost(
  config: ServerConfig,
  listenerId: string,
  localAddress: string,
): VirtualHost | null {
  const hosts = hostsOf(config, listenerId);
  const local = normaliseAddress(localAddress) ?? localAddress;
  return (
    hosts.find((host) => host.addresses.includes(local)) ??
    hosts.find((host) => host.addresses.some((address) => isWildcardFor(address, local))) ??
    hosts.find((host) => host.settings.defaultServer === true) ??
    null
  );
}

/**
 * The listener that stands for a connection somebody else accepted (ServerType inetd): of its address and port, else of
 * its address on another port, else the first, whose DefaultServer answers. Null when no server has a port.
 */
export function listenerOfConnection(
  config: ServerConfig,
  localAddress: string,
  localPort: number,
): ListenerConfig | null {
  const local = normaliseAddress(localAddress) ?? localAddress;
  const reachable = config.listeners.filter((listener) => covers(listener.address, local));
  const exact = reachable.find((listener) => listener.port === localPort);
  return exact ?? reachable[0] ?? config.listeners[0] ?? null;
}

/** Hosts of the same address and port as `own`, itself first: those HOST and SNI can choose from. */
export function hostsSharing(
  config: ServerConfig,
  listenerId: string,
  own: VirtualHost,
  localAddress: string,
): readonly VirtualHost[] {
  const local = normaliseAddress(localAddress) ?? localAddress;
  const others = hostsOf(config, listenerId).filter(
    (host) =>
      host.id !== own.id &&
      host.addresses.some((address) => address === local || isWildcardFor(address, local)),
  );
  return [own, ...others];
}

/** The first host with a ServerAlias for this name, wildcards and case as ServerAlias has them; null when there is none. */
export function hostByAlias(hosts: readonly VirtualHost[], name: string): VirtualHost | null {
  const wanted = name.toLowerCase().replace(/\.$/, '');
  const matches = (host: VirtualHost): boolean =>
    (host.settings.serverAlias ?? []).some((alias) => globMatches(alias.toLowerCase(), wanted));
  return hosts.find(matches) ?? null;
}

function hostsOf(config: ServerConfig, listenerId: string): readonly VirtualHost[] {
  const listener = config.listeners.find((candidate) => candidate.id === listenerId);
  return (listener?.virtualHosts ?? []).flatMap((id) => config.virtualHosts[id] ?? []);
}

function isWildcardFor(address: string, local: string): boolean {
  return address === (isIPv4(local) ? '0.0.0.0' : '::');
}

/** `IP:PORT` as log lines write it. */
export function endpointText(address: string, port: number): string {
  return `${address}:${port}`;
}

/** A server's value of one setting, its default where it has none. */
export function valueOf<K extends keyof Settings>(
  host: { readonly settings: Partial<Settings> },
  key: K,
  defaults: Settings,
): Settings[K] {
  return host.settings[key] ?? defaults[key];
}
