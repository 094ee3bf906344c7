/** A configuration file, or text, to a frozen ServerConfig; and the complete check behind `lockgate check`. */
import { buildServers } from './build.ts';
import { SYSTEM_RESOLVER, type AddressResolver } from './address-resolution.ts';
import { ConfigError } from './config-error.ts';
import { fileSystemSource, type ConfigSource } from './config-source.ts';
import { Diagnostics, findingOf, type Finding } from './diagnostics.ts';
import { STANDARD_REGISTRY, type DirectiveRegistry } from './directive-registry.ts';
import { computeListeners, valueOf } from './listeners.ts';
import { MODULES } from './modules.ts';
import { parseConfig } from './parser.ts';
import { resolveServers } from './resolve-servers.ts';
import type { ServerConfig } from './server-config.ts';
import { checkServers } from './startup-checks.ts';
import { COMPATIBLE_VERSION } from './version-match.ts';

export interface LoadOptions {
  /** Path for messages, and of the file when there is no `text`. */
  readonly file: string;
  readonly text?: string;
  /** Labels of `-D`. */
  readonly defines?: readonly string[];
  /** Number of this configuration; grows with each reload. */
  readonly version: number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly source?: ConfigSource;
  readonly resolver?: AddressResolver;
  readonly registry?: DirectiveRegistry;
  /** `-S`: addresses of the main server. */
  readonly serverAddress?: readonly string[];
  /** False with `-N`; true otherwise. */
  readonly checkAddressConflicts?: boolean;
  /** False with `-4`, true with `-6`; else what UseIPv6 says. */
  readonly useIPv6?: boolean;
  /** Home of a system user for `~user`; by default from /etc/passwd. */
  readonly homeOf?: (user: string) => string | null;
}

export interface LoadedConfig {
  readonly config: ServerConfig;
  /** Log lines at level WARN. */
  readonly warnings: readonly string[];
  /** Log lines at level INFO. */
  readonly notices: readonly string[];
  /** Directives without effect, and the warnings with their places. */
  readonly findings: readonly Finding[];
  /** Every file read. */
  readonly files: readonly string[];
}

export interface CheckedResult {
  /** Everything found, errors included, in the order of the files. */
  readonly findings: readonly Finding[];
  /** Null when there was an error. */
  readonly config: ServerConfig | null;
}

/** Loads a configuration. Throws ConfigError at the first error; anything it accepts with a reserve is a finding. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const diagnostics = new Diagnostics('throw');
  const { config, files } = await assemble(options, diagnostics);
  const { warnings, notices, findings } = diagnostics;
  return { config, warnings, notices, findings: inFileOrder(findings, files), files };
}

/** Reads everything and reports everything: never stops at the first error, never throws ConfigError. */
export async function checkConfig(options: LoadOptions): Promise<CheckedResult> {
  const diagnostics = new Diagnostics('collect');
  try {
    const { config, files } = await assemble(options, diagnostics);
    return {
      findings: inFileOrder(diagnostics.findings, files),
      config: diagnostics.failed ? null : config,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: [...diagnostics.findings, findingOf(error)], config: null };
  }
}

async function assemble(
  options: LoadOptions,
  diagnostics: Diagnostics,
): Promise<{ config: ServerConfig; files: readonly string[] }> {
  const registry = options.registry ?? STANDARD_REGISTRY;
  const source = options.source ?? fileSystemSource;
  const { defaults } = registry;
  const parsed = parseConfig({
    file: options.file,
    text: options.text ?? readMainFile(options.file, source),
    source,
    defines: options.defines ?? [],
    environment: options.environment ?? process.env,
    compatibleVersion: COMPATIBLE_VERSION,
    isModuleAvailable: (name) => registry.isModuleAvailable(name),
    diagnostics,
    trusted: true,
  });
  const homeOf = options.homeOf ?? passwdHomes(source);
  const built = buildServers(parsed.nodes, options.file, { registry, diagnostics, homeOf });
  const main = { settings: built.servers[0]?.scope.settings ?? {} };
  const virtualHosts = await resolveServers(built.servers, {
    defaults,
    resolver: options.resolver ?? SYSTEM_RESOLVER,
    diagnostics,
    serverAddress: options.serverAddress ?? [],
    checkAddressConflicts: options.checkAddressConflicts ?? true,
    useIPv6: options.useIPv6 ?? valueOf(main, 'useIPv6', defaults),
  });
  const tlsVersion = MODULES.find((module) => module.name === 'mod_tls')?.version ?? '';
  checkServers({ virtualHosts, logFormats: built.logFormats, defaults, tlsVersion }, diagnostics);
  const config: ServerConfig = {
    version: options.version,
    file: options.file,
    defines: parsed.defines,
    listeners: computeListeners(virtualHosts, valueOf(main, 'socketBindTight', defaults)),
    virtualHosts,
    classes: built.classes,
    logFormats: built.logFormats,
    logDescriptors: new Map(),
    secretFiles: new Map(),
    actsAsUsers: false,
  };
  return { config: freezeDeep(config), files: parsed.files };
}

function readMainFile(file: string, source: ConfigSource): string {
  try {
    return source.readFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unreadable';
    throw new ConfigError(`unable to read configuration file '${file}': ${reason}`, { cause: error });
  }
}

/** Home directories of /etc/passwd, read when first asked for. */
function passwdHomes(source: ConfigSource): (user: string) => string | null {
  let homes: Map<string, string> | null = null;
  return (user) => {
    homes ??= readPasswd(source);
    return homes.get(user) ?? null;
  };
}

function readPasswd(source: ConfigSource): Map<string, string> {
  if (source.kindOf('/etc/passwd') !== 'file') return new Map();
  const records = source
    .readFile('/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'));
  return new Map(
    records.flatMap(([name, , , , , home]): [string, string][] =>
      name === undefined || home === undefined || !home.startsWith('/') ? [] : [[name, home]],
    ),
  );
}

/** Findings by file, in reading order, and line; those without a place last. */
function inFileOrder(findings: readonly Finding[], files: readonly string[]): readonly Finding[] {
  const rank = new Map(files.map((file, index) => [file, index]));
  const fileRank = (finding: Finding): number =>
    finding.file === null ? Infinity : (rank.get(finding.file) ?? 0);
  const compare = (a: Finding, b: Finding): number => {
    const [first, second] = [fileRank(a), fileRank(b)];
    return first === second ? (a.line ?? 0) - (b.line ?? 0) : first - second;
  };
  return findings.toSorted(compare);
}

/** Freezes plain data; expressions, maps and byte arrays are left as they are. */
function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && !Array.isArray(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeDeep(inner);
  return value;
}
