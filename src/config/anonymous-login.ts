/** Which <Anonymous> section a user name logs in to (core reference, section 3). */
import type { EffectiveConfig } from './effective-config.ts';
import { conditionalsInForce } from './session-layer.ts';
import type { AnonymousSection, VirtualHost } from './server-config.ts';

export interface AnonymousLogin {
  readonly section: AnonymousSection;
  /** The system user of the section's `User`. */
  readonly user: string;
}

/**
 * Every <Anonymous> of a server: its own, then those inside conditional sections, in file order. Main and the session
 * actors name a section by its index here.
 */
export function allAnonymousSections(host: VirtualHost): readonly AnonymousSection[] {
  return [...host.anonymous, ...host.conditionals.flatMap((section) => section.anonymous)];
}

/** The <Anonymous> sections a session can reach: those of the server and of conditional sections in force. */
export function anonymousSections(config: EffectiveConfig): readonly AnonymousSection[] {
  const conditionals = conditionalsInForce(config.virtualHost.conditionals, config.principal);
  return [
    ...conditionals.toReversed().flatMap((section) => section.anonymous),
    ...config.virtualHost.anonymous,
  ];
}

/**
 * The section whose `User`, or an alias of it, is the name given to USER; null when it is an ordinary login. With
 * AuthAliasOnly the user's own name does not open the section.
 */
export function findAnonymousLogin(config: EffectiveConfig, name: string): AnonymousLogin | null {
  for (const section of anonymousSections(config)) {
    const { user, userAlias = [], authAliasOnly = config.settings.authAliasOnly } = section.settings;
    if (user === undefined || user === null) continue;
    const aliases = [...userAlias, ...config.settings.userAlias];
    const aliased = aliases.find(({ alias }) => alias === name || alias === '*')?.user === user;
    if (aliased || (name === user && !authAliasOnly)) return { section, user };
  }
  return null;
}
