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
