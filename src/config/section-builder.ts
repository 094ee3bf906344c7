/** Nodes to scopes: every directive is judged in its context, every section in its place. */
import { posix } from 'node:path';
import { parseAddressPatterns } from './address-pattern.ts';
import { ConfigError } from './config-error.ts';
import { placed, type Diagnostics } from './diagnostics.ts';
import type { DirectiveRegistry } from './directive-registry.ts';
import type { DirectiveRow } from './directive-row.ts';
import { isLimitDirective, newLimit, readLimitDirective, type LimitDraft } from './limit-section.ts';
import { parseNameExpression } from './name-expression.ts';
import { newScopeDraft, mergeSettings, type ScopeDraft } from './scope-draft.ts';
import { allowsDirective, conditionalPlace, PLACES, type Place } from './section-place.ts';
import type { AddressPattern, ConditionalSection, PartialSettings, Settings } from './server-config.ts';
import type { ConfigNode, DirectiveNode, SectionNode } from './syntax-tree.ts';

export interface BuildOptions {
  readonly registry: DirectiveRegistry;
  readonly diagnostics: Diagnostics;
  /** Home of a user of this system, for `~user`; null when there is no such user. */
  readonly homeOf: (user: string) => string | null;
}

/** Builds scopes out of nodes. */
/** Lists whose first item for a name counts: of a name given twice in one section, the later line stands in front. */
const LATER_FIRST: ReadonlySet<keyof Settings> = new Set(['setEnv', 'trace']);

export class SectionBuilder {
  readonly #options: BuildOptions;
  readonly #diagnostics: Diagnostics;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#diagnostics = options.diagnostics;
  }

  /** The content of one section. <VirtualHost> and <Global> are the caller's: it must have taken them out. */
  build(nodes: readonly ConfigNode[], place: Place): ScopeDraft {
    const draft = newScopeDraft();
    const implicitLimits: LimitDraft[] = [];
    for (const node of nodes) {
      const subject = node.kind === 'section' ? `<${node.name}>` : node.name;
      const step = (): void =>
        node.kind === 'section'
          ? this.#section(node, place, draft)
          : this.#directive(node, place, draft, implicitLimits);
      this.#diagnostics.attempt(step, subject, node.location);
    }
    draft.limits.push(...implicitLimits);
    return draft;
  }

  #section(node: SectionNode, place: Place, draft: ScopeDraft): void {
    if (!place.sections.includes(node.name)) {
      throw new ConfigError(`directive not allowed in ${place.label} context`);
    }
    switch (node.name) {
      case 'Limit':
        draft.limits.push(this.#limit(node));
        return;
      case 'Directory':
        this.#directory(node, place, draft);
        return;
      case 'Anonymous':
        this.#anonymous(node, draft);
        return;
      case 'Class':
        this.#class(node, draft);
        return;
      case 'IfClass':
      case 'IfUser':
      case 'IfGroup':
      case 'IfAuthenticated':
        draft.conditionals.push(this.#conditional(node, place));
        return;
      case 'VirtualHost':
      case 'Global':
        throw new ConfigError(`directive not allowed in ${place.label} context`);
    }
  }

  #limit(node: SectionNode): LimitDraft {
    const draft = newLimit(node.args, node.location);
    for (const child of node.children) {
      const subject = child.kind === 'section' ? `<${child.name}>` : child.name;
      const step = (): void => {
        if (child.kind === 'directive' && readLimitDirective(draft, child.name, child.args)) return;
        if (child.kind === 'directive') this.#judge(child, PLACES.Limit);
        else throw new ConfigError('directive not allowed in <Limit> context');
      };
      this.#diagnostics.attempt(step, subject, child.location);
    }
    return draft;
  }

  #directory(node: SectionNode, place: Place, draft: ScopeDraft): void {
    const path = this.#path(oneArgument(node), node, place.context === 'A');
    if (draft.directories.some((other) => other.path === path)) {
      this.#diagnostics.fail(
        new ConfigError(`<Directory> section already configured for '${path}'`, { location: node.location }),
      );
      return;
    }
    const { settings, limits, directories } = this.build(node.children, PLACES.Directory);
    draft.directories.push({ path, settings, limits, directories, location: node.location });
  }

  #anonymous(node: SectionNode, draft: ScopeDraft): void {
    const root = this.#path(oneArgument(node), node, false);
    const { settings, limits, directories, conditionals } = this.build(node.children, PLACES.Anonymous);
    if (settings.user === undefined || settings.user === null) {
      const because = 'section has no User: nobody can log in through it';
      this.#diagnostics.warn(because, '<Anonymous>', node.location);
    }
    draft.anonymous.push({ root, settings, limits, directories, conditionals, location: node.location });
  }

  #class(node: SectionNode, draft: ScopeDraft): void {
    const name = oneArgument(node);
    if (draft.classes.some((other) => other.name === name)) {
      throw new ConfigError(`class '${name}' already defined`);
    }
    const from: AddressPattern[] = [];
    let satisfy: 'any' | 'all' = 'any';
    for (const child of node.children) {
      const subject = child.kind === 'section' ? `<${child.name}>` : child.name;
      const word = child.kind === 'directive' ? child.name.toLowerCase() : '';
      const step = (): void => {
        if (word === 'from') from.push(...parseAddressPatterns(child.args));
        else if (word === 'satisfy') satisfy = readSatisfy(child.args);
        else if (child.kind === 'directive') this.#judge(child, PLACES.Class);
        else throw new ConfigError('directive not allowed in <Class> context');
      };
      this.#diagnostics.attempt(step, subject, child.location);
    }
    if (from.length === 0) this.#diagnostics.warn(`class '${name}' has no From`, '<Class>', node.location);
    draft.classes.push({ name, from, satisfy });
  }

  #conditional(node: SectionNode, place: Place): ConditionalSection {
    const { location, name } = node;
    const inside = conditionalPlace(place, name);
    const condition = readCondition(node);
    const { settings, limits, directories, anonymous } = this.build(node.children, inside);
    return { ...condition, settings, limits, directories, anonymous, location };
  }

  #directive(node: DirectiveNode, place: Place, draft: ScopeDraft, implicitLimits: LimitDraft[]): void {
    const lower = node.name.toLowerCase();
    const row = this.#rowFor(node, place);
    if (lower === 'logformat') {
      const [nick, format] = node.args;
      if (nick === undefined || format === undefined) throw new ConfigError('missing parameters');
      if (node.args.length > 2) throw new ConfigError('wrong number of parameters');
      draft.logFormats.set(nick, format);
      return;
    }
    if (lower === 'allowall' || lower === 'denyall') {
      // Outside <Limit> they stand for the whole section.
      const limit = newLimit(['ALL'], node.location);
      readLimitDirective(limit, lower, node.args);
      implicitLimits.push(limit);
      return;
    }
    const values = this.#judgeRow(row, node, place);
    if (values === null) return;
    this.#remember(values, row, node, draft);
  }

  /** Adds values to a section; of a single value given twice the later one counts, and the operator is told. */
  #remember(values: PartialSettings, row: DirectiveRow, node: DirectiveNode, draft: ScopeDraft): void {
    const { registry } = this.#options;
    for (const key of Object.keys(values) as (keyof Settings)[]) {
      const earlier = draft.origins.get(key);
      if (row.status === 'works' && row.merge === 'replace' && earlier !== undefined) {
        const because = `replaces the value of line ${earlier.location.line} of '${earlier.location.file}'`;
        this.#diagnostics.warn(because, row.name, node.location);
      }
      draft.origins.set(key, { directive: row.name, location: node.location });
      const one = { [key]: values[key] } as PartialSettings;
      const [front, behind] = LATER_FIRST.has(key) ? [one, draft.settings] : [draft.settings, one];
      draft.settings =
        registry.mergeRule(key) === 'append'
          ? mergeSettings(front, behind, registry.mergeRule)
          : { ...draft.settings, ...one };
    }
  }

  /** Judges a directive for its effect on diagnostics alone: where its value has no place. */
  #judge(node: DirectiveNode, place: Place): void {
    this.#judgeRow(this.#rowFor(node, place), node, place);
  }

  #rowFor(node: DirectiveNode, place: Place): DirectiveRow {
    const row = this.#options.registry.find(node.name);
    if (row === undefined) {
      const meant = this.#options.registry.suggest(node.name);
      throw new ConfigError(`unknown configuration directive '${node.name}'`, {
        location: node.location,
        ...(meant === null ? {} : { hint: `Did you mean: ${meant}` }),
      });
    }
    if (!allowsDirective(place, row) || (isLimitDirective(row.name) && place.context === 'C')) {
      throw new ConfigError(`directive not allowed in ${place.label} context`);
    }
    return row;
  }

  #judgeRow(row: DirectiveRow, node: DirectiveNode, place: Place): PartialSettings | null {
    const { name, args, location } = node;
    const judgement = this.#options.registry.judge(row, { name, args, location, context: place.context });
    switch (judgement.kind) {
      case 'value':
        if (judgement.warning !== undefined) this.#diagnostics.warn(judgement.warning, row.name, location);
        return judgement.settings;
      case 'no-effect':
        this.#diagnostics.noEffect(row.name, location, judgement.because);
        return null;
      case 'refused':
        this.#diagnostics.fail(placed(new ConfigError(judgement.because), row.name, location), 'refused');
        return null;
    }
  }

  /** A path in canonical form. `~user` is resolved where this system knows the user; `~` alone is for the login. */
  #path(text: string, node: SectionNode, relativeAllowed: boolean): string {
    const match = /^~([^/]+)(\/.*)?$/.exec(text);
    if (match !== null) {
      const home = this.#options.homeOf(match[1] ?? '');
      if (home !== null) return canonicalPath(home + (match[2] ?? ''));
      const because = `no home directory known for '~${match[1]}'`;
      this.#diagnostics.warn(because, `<${node.name}>`, node.location);
      return canonicalPath(text);
    }
    if (!relativeAllowed && !text.startsWith('/') && !text.startsWith('~')) {
      throw new ConfigError(`'${text}' is not an absolute path`);
    }
    return canonicalPath(text);
  }
}

function canonicalPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function oneArgument(node: SectionNode): string {
  const [argument] = node.args;
  if (argument === undefined || argument === '') throw new ConfigError('missing parameters');
  if (node.args.length > 1) throw new ConfigError('wrong number of parameters');
  return argument;
}

function readSatisfy(args: readonly string[]): 'any' | 'all' {
  const word = args[0]?.toLowerCase();
  if (args.length === 1 && (word === 'any' || word === 'all')) return word;
  throw new ConfigError(args.length === 0 ? 'missing parameters' : `invalid parameter '${args.join(' ')}'`);
}

function readCondition(node: SectionNode): Pick<ConditionalSection, 'kind' | 'expression'> {
  switch (node.name) {
    case 'IfClass':
      return { kind: 'class', expression: parseNameExpression(node.args, 'or') };
    case 'IfUser':
      return { kind: 'user', expression: parseNameExpression(node.args, 'or') };
    case 'IfGroup':
      return { kind: 'group', expression: parseNameExpression(node.args, 'and') };
    default:
      if (node.args.length > 0) throw new ConfigError('wrong number of parameters');
      return { kind: 'authenticated' };
  }
}
