/** IfModule, IfDefine and IfVersion: blocks that are read or skipped as text, whatever stands in them. */
import { ConfigError } from './config-error.ts';
import type { SourceLocation } from './server-config.ts';
import { versionMatches } from './version-match.ts';

export type FilterName = 'IfModule' | 'IfDefine' | 'IfVersion';

interface OpenFilter {
  readonly name: string;
  readonly holds: boolean;
  readonly location: SourceLocation;
}

/** What the conditions ask. */
export interface FilterFacts {
  readonly isModuleAvailable: (name: string) => boolean;
  readonly defines: ReadonlySet<string>;
  readonly version: string;
}

const NAMES: readonly string[] = ['ifmodule', 'ifdefine', 'ifversion'];

/** More than this is no configuration. */
const MAX_DEPTH = 64;

/** True for the name of a parse-time filter, in any case. */
export function isFilterName(name: string): name is FilterName {
  return NAMES.includes(name.toLowerCase());
}

/** The filters open in one file. They need not nest with sections: a block may hold half of one. */
export class FilterStack {
  readonly #stack: OpenFilter[] = [];

  /** Whether a condition is true. Throws ConfigError (reason only). */
  static holds(name: FilterName, args: readonly [string, ...string[]], facts: FilterFacts): boolean {
    if (name.toLowerCase() === 'ifversion') return versionMatches(args, facts.version);
    if (args.length > 1) throw new ConfigError(`<${name}>: wrong number of parameters`);
    const negated = args[0].startsWith('!');
    const label = negated ? args[0].slice(1) : args[0];
    const present =
      name.toLowerCase() === 'ifmodule' ? facts.isModuleAvailable(label) : facts.defines.has(label);
    return present !== negated;
  }

  /** True inside a block whose condition is false. */
  get skipping(): boolean {
    return this.#stack.some((filter) => !filter.holds);
  }

  push(name: string, holds: boolean, location: SourceLocation): void {
    if (this.#stack.length >= MAX_DEPTH) throw new ConfigError('sections are nested too deeply');
    this.#stack.push({ name, holds, location });
  }

  pop(name: string): void {
    const top = this.#stack.at(-1);
    if (top === undefined) throw new ConfigError(`</${name}> without <${name}>`);
    if (top.name.toLowerCase() !== name.toLowerCase()) {
      throw new ConfigError(
        `</${name}> closes <${top.name}> of line ${top.location.line}: expected </${top.name}>`,
      );
    }
    this.#stack.pop();
  }

  /** A line of a skipped block: only the tags of filters count, because they may nest. */
  skipLine(text: string, location: SourceLocation): void {
    const tag = /^<(\/?)\s*(ifmodule|ifdefine|ifversion)(?=[\s>])/i.exec(text);
    if (tag === null) return;
    const name = tag[2] ?? '';
    if (tag[1] === '') this.push(name, true, location);
    else if (this.#stack.at(-1)?.name.toLowerCase() === name.toLowerCase()) this.#stack.pop();
  }

  /** Filters whose end has not come, innermost first. */
  open(): readonly { readonly name: string; readonly location: SourceLocation }[] {
    return this.#stack.toReversed();
  }
}
