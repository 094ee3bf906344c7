/** Settings while a section is read: values, where each came from, and how a further value combines. */
import type { MergeRule } from './directive-row.ts';
import type {
  AnonymousSection,
  ClassSection,
  ConditionalSection,
  DirectorySection,
  LimitSection,
  PartialSettings,
  Settings,
  SourceLocation,
} from './server-config.ts';

/** Where a value came from. */
export interface Origin {
  readonly directive: string;
  readonly location: SourceLocation;
}

/** Everything one section can hold; which of it may stand where, the section builder decides. */
export interface ScopeDraft {
  settings: PartialSettings;
  readonly origins: Map<keyof Settings, Origin>;
  readonly limits: LimitSection[];
  readonly directories: DirectorySection[];
  readonly anonymous: AnonymousSection[];
  readonly conditionals: ConditionalSection[];
  readonly classes: ClassSection[];
  readonly logFormats: Map<string, string>;
}

export function newScopeDraft(): ScopeDraft {
  return {
    settings: {},
    origins: new Map(),
    limits: [],
    directories: [],
    anonymous: [],
    conditionals: [],
    classes: [],
    logFormats: new Map(),
  };
}

type RuleOf = (key: keyof Settings) => MergeRule;

/**
 * Combines two sets of values: where both have a key, `append` concatenates with the first set's items in front, `replace`
 * takes the first set's.
 */
export function mergeSettings(
  first: PartialSettings,
  second: PartialSettings,
  ruleOf: RuleOf,
): PartialSettings {
  const merged: Record<string, unknown> = { ...second, ...first };
  for (const [name, value] of Object.entries(first)) {
    const other: unknown = second[name as keyof Settings];
    if (other === undefined || ruleOf(name as keyof Settings) !== 'append') continue;
    merged[name] = concatenate(value, other);
  }
  return merged as PartialSettings;
}

/** Lists one behind the other; of maps the first one's entries win. */
function concatenate(first: unknown, second: unknown): unknown {
  if (Array.isArray(first) && Array.isArray(second))
    return [...(first as unknown[]), ...(second as unknown[])];
  if (first instanceof Map && second instanceof Map) return new Map([...second, ...first]);
  return first;
}
