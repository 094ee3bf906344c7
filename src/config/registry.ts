/** All directive tables as one: look-up by name, the judgement of one directive, and the hint for a misspelt one. */
import type { DirectiveRow, ParseInput } from './directive-row.ts';
import type { PartialSettings } from './server-config.ts';
import { DIRECTIVE_TABLES } from './directives/index.ts';

export { DEFAULT_SETTINGS } from './default-settings.ts';
export { MODULES, isModuleAvailable, type ModuleInfo } from './modules.ts';

/** What one directive with its parameters comes to. */
export type Judgement =
  | {
      readonly kind: 'value';
      /** For a `works` row with merge `append`, the list holds this directive's own items only. */
      readonly settings: PartialSettings;
      /** Accepted, but the operator should read this (AuthOrder naming PAM). */
      readonly warning?: string;
    }
  | { readonly kind: 'no-effect'; readonly because: string }
  | { readonly kind: 'refused'; readonly because: string };

const rowsByName = new Map<string, DirectiveRow>();
for (const row of DIRECTIVE_TABLES.flat()) {
  for (const name of [row.name, ...(row.aliases ?? [])]) {
    const key = name.toLowerCase();
    if (rowsByName.has(key)) throw new Error(`two directive rows claim the name '${name}'`);
    rowsByName.set(key, row);
  }
}
const rows: readonly DirectiveRow[] = Object.freeze(DIRECTIVE_TABLES.flat());

/** The row of a directive by name or alias, without regard to case. */
export function findDirective(name: string): DirectiveRow | undefined {
  return rowsByName.get(name.toLowerCase());
}

/** Every row, grouped by module in the order of the tables. */
export function allDirectives(): readonly DirectiveRow[] {
  return rows;
}

/**
 * Decides what a directive with these parameters means. Contexts are the caller's business.
 * Throws ConfigError with the reason alone when the parameters are wrong.
 */
export function judgeDirective(row: DirectiveRow, input: ParseInput): Judgement {
  switch (row.status) {
    case 'works':
      return accepted({ [row.key]: row.parse(input) }, row.warn?.(input));
    case 'builder':
      return accepted(row.parse(input), row.warn?.(input));
    case 'no-effect':
      row.check?.(input);
      return { kind: 'no-effect', because: row.because };
    case 'refused': {
      const harmless = row.acceptsWhen?.(input) ?? null;
      return harmless === null
        ? { kind: 'refused', because: row.because }
        : { kind: 'no-effect', because: harmless };
    }
  }
}

function accepted(settings: PartialSettings, warning: string | null | undefined): Judgement {
  return typeof warning === 'string' ? { kind: 'value', settings, warning } : { kind: 'value', settings };
}

/** The known name nearest to a misspelt one, or null when nothing is near enough to be meant. */
export function suggestDirective(name: string): string | null {
  const wanted = name.toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 4));
  let best: { name: string; distance: number } | null = null;
  for (const [key, row] of rowsByName) {
    if (Math.abs(key.length - wanted.length) > limit) continue;
    const distance = editDistance(wanted, key);
    if (distance <= limit && (best === null || distance < best.distance)) best = { name: row.name, distance };
  }
  return best?.name ?? null;
}

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours count one each. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min(last[j]! + 1, current[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, beforeLast[j - 2]! + 1);
      }
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
