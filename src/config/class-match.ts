/** `<Class>`: which class a connection belongs to (core reference, section 4.2). */
import { addressMatches, type PeerAddress } from './address-pattern.ts';
import type { ClassSection } from './server-config.ts';

/** True when the peer satisfies one (`Satisfy any`) or every (`Satisfy all`) rule of the class. */
export function classMatches(section: ClassSection, peer: PeerAddress): boolean {
  if (section.from.length === 0) return false;
  return section.satisfy === 'all'
    ? section.from.every((pattern) => addressMatches(pattern, peer))
    : section.from.some((pattern) => addressMatches(pattern, peer));
}

/** Name of the first class, in file order, that the peer belongs to; null when there is none. */
export function classOf(classes: readonly ClassSection[], peer: PeerAddress): string | null {
  return classes.find((section) => classMatches(section, peer))?.name ?? null;
}
