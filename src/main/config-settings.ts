/** Settings in force at the two moments main decides something: when a client connects and when it has logged in. */
import type { AdmitLogin } from '../actor/messages.ts';
import { allAnonymousSections } from '../config/anonymous-login.ts';
import { createEffectiveConfig, type Principal } from '../config/effective-config.ts';
import type { ServerConfig, Settings } from '../config/server-config.ts';
import type { SessionEntry } from './session-registry.ts';

/** Nobody in particular: settings of a virtual host as they stand, defaults filled in. Cached per configuration. */
export function settingsOfHost(config: ServerConfig, virtualHost: number): Settings {
  let hosts = cache.get(config);
  if (hosts === undefined) cache.set(config, (hosts = new Map()));
  let settings = hosts.get(virtualHost);
  if (settings === undefined) {
    settings = createEffectiveConfig(config, hostOf(config, virtualHost), NOBODY).settings;
    hosts.set(virtualHost, settings);
  }
  return settings;
}

const cache = new WeakMap<ServerConfig, Map<number, Settings>>();

const NOBODY: Principal = {
  address: '0.0.0.0',
  hostName: '0.0.0.0',
  className: null,
  user: null,
  groups: [],
  authenticated: false,
};

/** Settings for a session whose user is known: user, group and class sections and `<Anonymous>` merged in. */
export function settingsAtLogin(config: ServerConfig, session: SessionEntry, claim: AdmitLogin): Settings {
  const host = hostOf(config, claim.virtualHost);
  const principal: Principal = {
    address: session.remoteAddress,
    hostName: session.remoteAddress,
    className: claim.className,
    user: claim.user,
    groups: claim.groups,
    authenticated: true,
  };
  const anonymous = claim.anonymous === null ? null : (allAnonymousSections(host)[claim.anonymous] ?? null);
  return createEffectiveConfig(config, host, principal).withPrincipal(principal, anonymous).settings;
}

function hostOf(config: ServerConfig, virtualHost: number) {
  const host = config.virtualHosts[virtualHost];
  if (host === undefined) throw new Error(`there is no virtual host ${virtualHost}`);
  return host;
}
