/** Tree to servers: the main server, every <VirtualHost>, and <Global> merged into each of them. */
import { ConfigError } from './config-error.ts';
import { mergeSettings, newScopeDraft, type ScopeDraft } from './scope-draft.ts';
import { SectionBuilder, type BuildOptions } from './section-builder.ts';
import { PLACES } from './section-place.ts';
import type { ClassSection, DirectorySection, SourceLocation } from './server-config.ts';
import type { ConfigNode, SectionNode } from './syntax-tree.ts';

/** The format of ExtendedLog lines that name no other (core reference, section 9). */
export const DEFAULT_LOG_FORMAT = '%h %l %u %t "%r" %s %b';

/** One server before its names are resolved. */
export interface ServerDraft {
  readonly isMain: boolean;
  readonly scope: ScopeDraft;
  /** Parameters of <VirtualHost>; empty for the main server, which has DefaultAddress. */
  readonly addressWords: readonly string[];
  readonly location: SourceLocation;
}

export interface BuiltServers {
  /** The main server first, then the virtual hosts in file order. */
  readonly servers: readonly ServerDraft[];
  readonly classes: readonly ClassSection[];
  readonly logFormats: ReadonlyMap<string, string>;
}

/** Builds all servers of a parsed configuration. Throws ConfigError unless diagnostics collects. */
export function buildServers(
  nodes: readonly ConfigNode[],
  file: string,
  options: BuildOptions,
): BuiltServers {
  const builder = new SectionBuilder(options);
  const isServer = (node: ConfigNode): boolean =>
    node.kind === 'section' && (node.name === 'VirtualHost' || node.name === 'Global');
  const hosts = nodes.filter(
    (node) => node.kind === 'section' && node.name === 'VirtualHost',
  ) as SectionNode[];
  const globals = nodes.filter((node) => node.kind === 'section' && node.name === 'Global') as SectionNode[];
  const top = nodes.filter((node) => !isServer(node));

  const main = builder.build(top, PLACES.server);
  for (const section of globals) requireArguments(section, false, options);
  // Several <Global> sections are one.
  const global = builder.build(
    globals.flatMap((section) => section.children),
    PLACES.Global,
  );
  const servers: ServerDraft[] = [
    { isMain: true, scope: withGlobal(main, global, options), addressWords: [], location: { file, line: 1 } },
  ];
  for (const section of hosts) {
    requireArguments(section, true, options);
    const scope = withGlobal(builder.build(section.children, PLACES.VirtualHost), global, options);
    takeServerWide(scope, main);
    servers.push({
      isMain: false,
      scope,
      addressWords: section.args,
      location: section.location,
    });
  }
  const logFormats = new Map([['default', DEFAULT_LOG_FORMAT], ...global.logFormats, ...main.logFormats]);
  return { servers, classes: mergeClasses(main.classes, global.classes, options), logFormats };
}

function requireArguments(section: SectionNode, wanted: boolean, options: BuildOptions): void {
  if (section.args.length > 0 === wanted) return;
  const message = wanted ? 'missing parameters' : 'wrong number of parameters';
  const { location, name } = section;
  options.diagnostics.fail(new ConfigError(message, { directive: `<${name}>`, location }));
}

/** May stand in the main server only, and hold for the sessions and keys of every virtual host. */
const SERVER_WIDE = ['tlsSessionCache', 'tlsPassPhraseProvider', 'syslogFacility'] as const;

function takeServerWide(host: ScopeDraft, main: ScopeDraft): void {
  for (const key of SERVER_WIDE) {
    const value = main.settings[key];
    if (value !== undefined) host.settings = { ...host.settings, [key]: value };
    const origin = main.origins.get(key);
    if (origin !== undefined) host.origins.set(key, origin);
  }
}

/** <Global> values stand behind the server's own: those win, and lists go on with the global items. */
function withGlobal(own: ScopeDraft, global: ScopeDraft, options: BuildOptions): ScopeDraft {
  const ruleOf = options.registry.mergeRule;
  const merged = newScopeDraft();
  merged.settings = mergeSettings(own.settings, global.settings, ruleOf);
  for (const [key, origin] of [...global.origins, ...own.origins]) merged.origins.set(key, origin);
  merged.limits.push(...own.limits, ...global.limits);
  merged.directories.push(...mergeDirectories(own.directories, global.directories, options));
  merged.anonymous.push(...own.anonymous, ...global.anonymous);
  // Of conditional sections that match, the later one wins: the server's own come last.
  merged.conditionals.push(...global.conditionals, ...own.conditionals);
  return merged;
}

function mergeDirectories(
  own: readonly DirectorySection[],
  global: readonly DirectorySection[],
  options: BuildOptions,
): readonly DirectorySection[] {
  const ruleOf = options.registry.mergeRule;
  const merged = own.map((section) => {
    const other = global.find((candidate) => candidate.path === section.path);
    if (other === undefined) return section;
    const settings = mergeSettings(section.settings, other.settings, ruleOf);
    return { ...section, settings, limits: [...section.limits, ...other.limits] };
  });
  return [...merged, ...global.filter((section) => !own.some((other) => other.path === section.path))];
}

function mergeClasses(
  main: readonly ClassSection[],
  global: readonly ClassSection[],
  options: BuildOptions,
): readonly ClassSection[] {
  const twice = global.find((section) => main.some((other) => other.name === section.name));
  if (twice !== undefined) {
    options.diagnostics.fail(
      new ConfigError(`class '${twice.name}' already defined`, { directive: '<Class>' }),
    );
  }
  return [...main, ...global];
}
