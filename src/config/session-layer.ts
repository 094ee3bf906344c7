/** A virtual host's values for one principal: conditional sections (mod_ifsession) and <Anonymous> merged in. */
import { mergeRule } from './directive-registry.ts';
import type { Principal } from './effective-config.ts';
import { matchesClass, matchesGroups, matchesUser } from './name-expression.ts';
import { DEFAULT_SETTINGS } from './registry.ts';
import { mergeSettings } from './scope-draft.ts';
import type {
  AnonymousSection,
  ConditionalSection,
  DirectorySection,
  LimitSection,
  PartialSettings,
  Settings,
  VirtualHost,
} from './server-config.ts';

/** A <Directory> with the place it was written in: a higher rank is more specific at the same depth. */
export interface RankedDirectory {
  readonly section: DirectorySection;
  readonly rank: number;
  /** For a relative path: the root of its <Anonymous>. */
  readonly root: string;
}

/** Session-level values. Shared by all sessions for which the same sections apply. */
export interface SessionLayer {
  /** Without defaults, so that lists can still be added in front. */
  readonly own: PartialSettings;
  readonly settings: Settings;
  /** Innermost first; levels without a section left out. */
  readonly limitLevels: readonly (readonly LimitSection[])[];
  readonly directories: readonly RankedDirectory[];
}

/** Combinations of sections kept per virtual host; beyond it they are merged anew. */
const MAX_LAYERS = 256;
const layers = new WeakMap<VirtualHost, Map<string, SessionLayer>>();

/** Settings without defaults, under defaults. */
export function withDefaults(own: PartialSettings): Settings {
  return { ...DEFAULT_SETTINGS, ...own };
}

/**
 * Conditional sections in force, the strongest last: classes (known at connect), then authenticated, groups, users
 * (after login), file order within a kind (core reference, section 4.4).
 */
export function conditionalsInForce(
  sections: readonly ConditionalSection[],
  principal: Principal,
): readonly ConditionalSection[] {
  if (sections.length === 0) return sections;
  const order = ['class', 'authenticated', 'group', 'user'] as const;
  return order.flatMap((kind) =>
    sections.filter((section) => section.kind === kind && conditionHolds(section, principal)),
  );
}

function conditionHolds(section: ConditionalSection, principal: Principal): boolean {
  if (section.kind === 'authenticated') return principal.authenticated;
  const { expression } = section;
  if (expression === undefined) return false;
  if (section.kind === 'class') return matchesClass(expression, principal);
  if (!principal.authenticated) return false;
  return section.kind === 'user' ? matchesUser(expression, principal) : matchesGroups(expression, principal);
}

/** The layer for a principal; the same object for everybody to whom the same sections apply. */
export function layerFor(
  host: VirtualHost,
  principal: Principal,
  anonymous: AnonymousSection | null,
): SessionLayer {
  const outer = conditionalsInForce(host.conditionals, principal);
  const inner = anonymous === null ? [] : conditionalsInForce(anonymous.conditionals, principal);
  const key = [
    outer.map((section) => host.conditionals.indexOf(section)).join(','),
    anonymous === null ? '' : anonymousKey(host, anonymous),
    anonymous === null ? '' : inner.map((section) => anonymous.conditionals.indexOf(section)).join(','),
  ].join('/');
  let known = layers.get(host);
  if (known === undefined || known.size >= MAX_LAYERS) {
    known = new Map();
    layers.set(host, known);
  }
  let layer = known.get(key);
  if (layer === undefined) {
    layer = buildLayer(host, outer, anonymous, inner);
    known.set(key, layer);
  }
  return layer;
}

/** <Anonymous> sections are told apart by where they stand. */
function anonymousKey(host: VirtualHost, section: AnonymousSection): string {
  return `${host.anonymous.indexOf(section)}:${section.location.file}:${section.location.line}`;
}

function buildLayer(
  host: VirtualHost,
  outer: readonly ConditionalSection[],
  anonymous: AnonymousSection | null,
  inner: readonly ConditionalSection[],
): SessionLayer {
  let own = withConditionals(host.settings, outer);
  if (anonymous !== null) own = mergeSettings(withConditionals(anonymous.settings, inner), own, mergeRule);
  const levels = [
    ...inner.toReversed().map((section) => section.limits),
    anonymous?.limits ?? [],
    ...outer.toReversed().map((section) => section.limits),
    host.limits,
  ];
  const ranked = (sections: readonly DirectorySection[], rank: number): RankedDirectory[] =>
    sections.map((section) => ({ section, rank, root: anonymous?.root ?? '/' }));
  return {
    own,
    settings: withDefaults(own),
    limitLevels: levels.filter((level) => level.length > 0),
    directories: [
      ...ranked(host.directories, 0),
      ...outer.flatMap((section) => ranked(section.directories, 1)),
      ...ranked(anonymous?.directories ?? [], 2),
      ...inner.flatMap((section) => ranked(section.directories, 3)),
    ],
  };
}

/**
 * Values of conditional sections replace those of the same name; TLSOptions alone are added to those in force (ftps
 * reference, section 18).
 */
function withConditionals(base: PartialSettings, sections: readonly ConditionalSection[]): PartialSettings {
  let own = base;
  for (const { settings } of sections) {
    const tlsOptions = settings.tlsOptions;
    const joined = [...new Set([...(tlsOptions ?? []), ...(own.tlsOptions ?? [])])];
    own = { ...own, ...settings, ...(tlsOptions === undefined ? {} : { tlsOptions: joined }) };
  }
  return own;
}
