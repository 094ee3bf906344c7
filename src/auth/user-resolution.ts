/**
 * Whom a USER name stands for, before any password: Anonymous section, then UserAlias, then the name itself (core
 * reference, section 3). Pure; the same answer whether the account exists or not.
 */
import { allAnonymousSections, findAnonymousLogin } from '../config/anonymous-login.ts';
import type { EffectiveConfig } from '../config/effective-config.ts';
import type { AnonymousSection } from '../config/server-config.ts';

export type RealResolution =
  | { readonly kind: 'real'; readonly user: string }
  /** AuthAliasOnly is on and the name is no alias. */
  | { readonly kind: 'not-an-alias'; readonly user: string };

export type Resolution =
  | {
      readonly kind: 'anonymous';
      /** Among `allAnonymousSections`. */
      readonly index: number;
      readonly section: AnonymousSection;
      readonly user: string;
    }
  | RealResolution;

/** @param config in force before login: class merged, no user yet */
export function resolveUser(config: EffectiveConfig, loginName: string): Resolution {
  const anonymous = findAnonymousLogin(config, loginName);
  if (anonymous !== null) {
    const index = allAnonymousSections(config.virtualHost).indexOf(anonymous.section);
    return { kind: 'anonymous', index, ...anonymous };
  }
  return resolveRealUser(config, loginName);
}

/** The same without `<Anonymous>`, which SFTP does not have (sftp-directives, section 1). */
export function resolveRealUser(config: EffectiveConfig, loginName: string): RealResolution {
  const { authAliasOnly, userAlias } = config.settings;
  // `UserAlias * real` maps every name; an exact alias goes before it.
  const exact = userAlias.find((entry) => entry.alias === loginName);
  const alias = exact ?? userAlias.find((entry) => entry.alias === '*');
  if (alias !== undefined) return { kind: 'real', user: alias.user };
  return { kind: authAliasOnly ? 'not-an-alias' : 'real', user: loginName };
}
