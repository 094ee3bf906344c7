/** The directive table as the builder sees it: injectable, so that the grammar can be tested without it. */
import type { DirectiveRow, MergeRule, ParseInput } from './directive-row.ts';
import {
  allDirectives,
  DEFAULT_SETTINGS,
  findDirective,
  isModuleAvailable,
  judgeDirective,
  suggestDirective,
  type Judgement,
} from './registry.ts';
import type { Settings } from './server-config.ts';

export interface DirectiveRegistry {
  readonly find: (name: string) => DirectiveRow | undefined;
  /** Throws ConfigError (reason only). */
  readonly judge: (row: DirectiveRow, input: ParseInput) => Judgement;
  readonly suggest: (name: string) => string | null;
  readonly isModuleAvailable: (name: string) => boolean;
  readonly defaults: Settings;
  readonly mergeRule: (key: keyof Settings) => MergeRule;
}

const rules = new Map<keyof Settings, MergeRule>();
for (const row of allDirectives()) if (row.status === 'works') rules.set(row.key, row.merge);

/** The rule by which values of one setting combine; `replace` for those that several rows share. */
export function mergeRule(key: keyof Settings): MergeRule {
  return rules.get(key) ?? 'replace';
}

/** The server's own tables. */
export const STANDARD_REGISTRY: DirectiveRegistry = {
  find: findDirective,
  judge: judgeDirective,
  suggest: suggestDirective,
  isModuleAvailable,
  defaults: DEFAULT_SETTINGS,
  mergeRule,
};
