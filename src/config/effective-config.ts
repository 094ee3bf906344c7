/**
 * What is in force for one session: a virtual host's scope, narrowed step by step (class at connect, virtual
 * host by HOST or SNI, user and groups after login, `<Anonymous>`), and for one path (`<Directory>`, .ftpaccess).
 * Both sides use it: main for login decisions, the session actor for everything else.
 */
import type {
  AnonymousSection,
  LimitSection,
  Scope,
  ServerConfig,
  Settings,
  VirtualHost,
} from './server-config.ts';
import { mergeRule } from './directive-registry.ts';
import { directoriesInForce, overlayPath, type PathOverlay } from './path-overlays.ts';
import { layerFor, type SessionLayer } from './session-layer.ts';

/** Who the session is, as far as it is known. */
export interface Principal {
  /** Numeric peer address, IPv4-mapped IPv6 addresses written as IPv4. */
  readonly address: string;
  /** Reverse-resolved name, or the address. */
  readonly hostName: string;
  readonly className: string | null;
  /** Login name (after UserAlias); null before login. */
  readonly user: string | null;
  readonly groups: readonly string[];
  readonly authenticated: boolean;
}

/** Settings and `<Limit>` sections in force for one path. */
export interface PathConfig {
  readonly settings: Settings;
  /** Innermost level first; within a level the sections of one scope, in file order. */
  readonly limitLevels: readonly (readonly LimitSection[])[];
}

/** Returns the parsed .ftpaccess of one real directory, or null when there is none. Cached by the caller. */
export type FtpAccessLookup = (realDirectory: string) => Scope | null;

export interface EffectiveConfig {
  readonly server: ServerConfig;
  readonly virtualHost: VirtualHost;
  readonly anonymous: AnonymousSection | null;
  readonly principal: Principal;
  /** Session-level values, defaults filled in. */
  readonly settings: Settings;
  /** Server-level and `<Anonymous>` `<Limit>` sections, innermost first. */
  readonly limitLevels: readonly (readonly LimitSection[])[];
  /** The same virtual host for another principal (after connect, USER, PASS). */
  withPrincipal(principal: Principal, anonymous: AnonymousSection | null): EffectiveConfig;
  /** Another virtual host of the same listener (HOST, SNI). */
  withVirtualHost(virtualHost: VirtualHost): EffectiveConfig;
  /**
   * Settings for one absolute real path; `home` resolves `~` in `<Directory ~/...>`. Cheap when there is neither a
   * `<Directory>` nor a .ftpaccess: then the session-level object itself comes back.
   */
  forPath(realPath: string, home: string, ftpAccess: FtpAccessLookup): PathConfig;
}

/** Most paths one session keeps merged settings for; the oldest goes first. */
const PATH_CACHE_SIZE = 256;

interface CachedPath {
  readonly overlays: readonly PathOverlay[];
  readonly config: PathConfig;
}

/** What is in force for `principal` on `virtualHost`. `<Anonymous>` comes in with `withPrincipal`. */
export function createEffectiveConfig(
  config: ServerConfig,
  virtualHost: VirtualHost,
  principal: Principal,
): EffectiveConfig {
  return new SessionConfig(config, virtualHost, principal, null);
}

class SessionConfig implements EffectiveConfig {
  readonly server: ServerConfig;
  readonly virtualHost: VirtualHost;
  readonly anonymous: AnonymousSection | null;
  readonly principal: Principal;
  readonly settings: Settings;
  readonly limitLevels: readonly (readonly LimitSection[])[];
  readonly #layer: SessionLayer;
  /** Merged settings by real path, for one home; made when the first path needs it. */
  #paths: Map<string, CachedPath> | null = null;
  #pathsHome = '';

  constructor(
    server: ServerConfig,
    virtualHost: VirtualHost,
    principal: Principal,
    anonymous: AnonymousSection | null,
  ) {
    this.server = server;
    this.virtualHost = virtualHost;
    this.principal = principal;
    this.anonymous = anonymous;
    this.#layer = layerFor(virtualHost, principal, anonymous);
    this.settings = this.#layer.settings;
    this.limitLevels = this.#layer.limitLevels;
  }

  withPrincipal(principal: Principal, anonymous: AnonymousSection | null): EffectiveConfig {
    return new SessionConfig(this.server, this.virtualHost, principal, anonymous);
  }

  withVirtualHost(virtualHost: VirtualHost): EffectiveConfig {
    return new SessionConfig(this.server, virtualHost, this.principal, null);
  }

  forPath(realPath: string, home: string, ftpAccess: FtpAccessLookup): PathConfig {
    const lookup = this.settings.allowOverride ? ftpAccess : null;
    const { directories } = this.#layer;
    if (directories.length === 0 && lookup === null) return this;
    const overlays = directoriesInForce(directories, realPath, home, lookup);
    if (overlays.length === 0) return this;
    const paths = this.#pathCache(home);
    const cached = paths.get(realPath);
    if (cached !== undefined && sameOverlays(cached.overlays, overlays)) return cached.config;
    const config = overlayPath(this.#layer, overlays, mergeRule);
    paths.delete(realPath);
    paths.set(realPath, { overlays, config });
    if (paths.size > PATH_CACHE_SIZE) paths.delete(paths.keys().next().value ?? '');
    return config;
  }

  #pathCache(home: string): Map<string, CachedPath> {
    if (this.#paths === null || this.#pathsHome !== home) {
      this.#paths = new Map();
      this.#pathsHome = home;
    }
    return this.#paths;
  }
}

function sameOverlays(a: readonly PathOverlay[], b: readonly PathOverlay[]): boolean {
  return a.length === b.length && a.every((overlay, index) => overlay.scope === b[index]?.scope);
}
