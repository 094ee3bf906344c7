/** Servers with names become virtual hosts with numbers: addresses, conflicts, masquerading. */
import type { ServerDraft } from './build.ts';
import { resolveMasquerade, resolveServerAddress, type AddressResolver } from './address-resolution.ts';
import { ConfigError } from './config-error.ts';
import { placed, type Diagnostics } from './diagnostics.ts';
import { endpointText, valueOf } from './listeners.ts';
import type { Origin } from './scope-draft.ts';
import type { ConditionalSection, PartialSettings, Settings, VirtualHost } from './server-config.ts';

export interface ResolveOptions {
  readonly defaults: Settings;
  readonly resolver: AddressResolver;
  readonly diagnostics: Diagnostics;
  /** `-S`: addresses of the main server; empty when not given. */
  readonly serverAddress: readonly string[];
  /** False with `-N`. */
  readonly checkAddressConflicts: boolean;
  /** UseIPv6 and `-4`. */
  readonly useIPv6: boolean;
}

/** Resolves every server; those without an address left to them are dropped, ids are indexes of the result. */
export async function resolveServers(
  servers: readonly ServerDraft[],
  options: ResolveOptions,
): Promise<readonly VirtualHost[]> {
  const hosts: VirtualHost[] = [];
  const owners = new Map<string, VirtualHost>();
  for (const draft of servers) {
    const addresses = await attempt(options.diagnostics, () => addressesOf(draft, options));
    const host = toVirtualHost(draft, hosts.length, addresses ?? [], options.defaults);
    const kept = options.checkAddressConflicts ? freeAddresses(host, owners, options) : host.addresses;
    if (kept.length === 0) continue;
    const numbered = { ...host, addresses: kept };
    const numeric = await attempt(options.diagnostics, () => masqueraded(draft, numbered, options));
    const resolved = { ...numbered, ...numeric };
    for (const address of kept) {
      const key = endpointText(address, host.port);
      if (!owners.has(key)) owners.set(key, resolved);
    }
    hosts.push(resolved);
  }
  return hosts;
}

function toVirtualHost(
  draft: ServerDraft,
  id: number,
  addresses: readonly string[],
  defaults: Settings,
): VirtualHost {
  const { scope, isMain, location } = draft;
  const { settings, limits, directories, anonymous, conditionals } = scope;
  const port = settings.port ?? defaults.port;
  const origins = new Map([...scope.origins].map(([key, origin]) => [key, origin.location]));
  return {
    id,
    isMain,
    addresses,
    port,
    settings,
    limits,
    directories,
    anonymous,
    conditionals,
    location,
    origins,
  };
}

async function addressesOf(draft: ServerDraft, options: ResolveOptions): Promise<readonly string[]> {
  const { useIPv6, resolver, diagnostics } = options;
  const origin: Origin = draft.scope.origins.get('defaultAddress') ?? {
    directive: draft.isMain ? 'DefaultAddress' : '<VirtualHost>',
    location: draft.location,
  };
  const own = draft.scope.settings.defaultAddress ?? [];
  const fromMain = options.serverAddress.length > 0 ? options.serverAddress : own;
  const words = draft.isMain ? fromMain : [...draft.addressWords, ...own];
  if (draft.isMain && words.length === 0) return useIPv6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
  const addresses: string[] = [];
  for (const word of words) {
    try {
      addresses.push(...(await resolveServerAddress(word, useIPv6, resolver)));
    } catch (error) {
      throw error instanceof ConfigError ? placed(error, origin.directive, origin.location) : error;
    }
  }
  const usable = [...new Set(addresses)].filter((address) => useIPv6 || !address.includes(':'));
  if (usable.length < new Set(addresses).size) {
    diagnostics.warn(
      'IPv6 addresses are left out, because UseIPv6 is off',
      origin.directive,
      origin.location,
    );
  }
  if (usable.length === 0)
    throw placed(new ConfigError('no usable address'), origin.directive, origin.location);
  return usable;
}

/** Addresses no earlier server has on the same port; a server with ServerAlias may share. */
function freeAddresses(
  host: VirtualHost,
  owners: ReadonlyMap<string, VirtualHost>,
  options: ResolveOptions,
): readonly string[] {
  if (host.port === 0 || (host.settings.serverAlias ?? []).length > 0) return host.addresses;
  return host.addresses.filter((address) => {
    const owner = owners.get(endpointText(address, host.port));
    if (owner === undefined) return true;
    const [name, other] = [host, owner].map((one) => valueOf(one, 'serverName', options.defaults));
    const endpoint = endpointText(address, host.port);
    options.diagnostics.warn(`"${name}" address/port (${endpoint}) already in use by "${other}"`);
    return false;
  });
}

/** MasqueradeAddress and TLSMasqueradeAddress as numbers, in the server and in its conditional sections. */
async function masqueraded(
  draft: ServerDraft,
  host: VirtualHost,
  options: ResolveOptions,
): Promise<Pick<VirtualHost, 'settings' | 'conditionals'>> {
  const { origins } = draft.scope;
  const settings = await numericMasquerade(host.settings, origins, options);
  if (typeof settings.masqueradeAddress === 'string') {
    const endpoint = endpointText(host.addresses[0] ?? '', host.port);
    options.diagnostics.notice(`${endpoint} masquerading as ${settings.masqueradeAddress}`);
  }
  const conditionals: ConditionalSection[] = [];
  for (const section of host.conditionals) {
    const inner = new Map<keyof Settings, Origin>(
      MASQUERADES.map(([key, directive]) => [key, { directive, location: section.location }]),
    );
    conditionals.push({ ...section, settings: await numericMasquerade(section.settings, inner, options) });
  }
  return { settings, conditionals };
}

const MASQUERADES = [
  ['masqueradeAddress', 'MasqueradeAddress'],
  ['tlsMasqueradeAddress', 'TLSMasqueradeAddress'],
] as const;

async function numericMasquerade(
  settings: PartialSettings,
  origins: ReadonlyMap<keyof Settings, Origin>,
  options: ResolveOptions,
): Promise<PartialSettings> {
  const changed: { masqueradeAddress?: string; tlsMasqueradeAddress?: string } = {};
  for (const [key] of MASQUERADES) {
    const word = settings[key];
    if (word === undefined || word === null) continue;
    const origin = origins.get(key);
    try {
      changed[key] = await resolveMasquerade(word, options.resolver);
    } catch (error) {
      throw error instanceof ConfigError ? placed(error, origin?.directive, origin?.location) : error;
    }
  }
  return { ...settings, ...changed };
}

/** Like Diagnostics.attempt, for a step that waits. */
async function attempt<T>(diagnostics: Diagnostics, step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    diagnostics.fail(error);
    return undefined;
  }
}
