/** The configurations in use: the current one, and older ones that running sessions keep after a reload. */
import type { ServerConfig } from '../config/server-config.ts';
import { closeLogFiles } from './log-files.ts';
import type { SessionRegistry } from './session-registry.ts';

/**
 * A worker may still write a last line when its session has ended for main. A descriptor number that is closed can be
 * given to another file at once, so old logs stay open this long.
 */
const LATE_LINES_MS = 5_000;

export class ConfigVersions {
  readonly #registry: SessionRegistry;
  readonly #versions = new Map<number, ServerConfig>();
  #current: ServerConfig | null = null;
  #lastVersion = 0;

  constructor(registry: SessionRegistry) {
    this.#registry = registry;
  }

  get current(): ServerConfig {
    if (this.#current === null) throw new Error('no configuration is loaded');
    return this.#current;
  }

  /** A number no configuration had before: one that failed to load may be known to nobody, but costs nothing. */
  nextVersion(): number {
    this.#lastVersion += 1;
    return this.#lastVersion;
  }

  get(version: number): ServerConfig | undefined {
    return this.#versions.get(version);
  }

  /** New sessions get this configuration from now on. */
  adopt(config: ServerConfig): void {
    this.#current = config;
    this.#versions.set(config.version, config);
    this.releaseUnused();
  }

  /** Forgets versions that no session uses. */
  releaseUnused(): void {
    for (const [version, config] of this.#versions) {
      if (config === this.#current || this.#registry.usesConfig(version)) continue;
      this.#versions.delete(version);
      // New certificates make a new version with the same open logs.
      if (this.#isLogged(config)) continue;
      setTimeout(() => closeLogFiles(config.logDescriptors), LATE_LINES_MS).unref();
    }
  }

  /** The server has stopped: no worker is left to write. */
  closeAll(): void {
    const logs = new Set([...this.#versions.values()].map((config) => config.logDescriptors));
    for (const descriptors of logs) closeLogFiles(descriptors);
    this.#versions.clear();
    this.#current = null;
  }

  /** True when a version still in use writes to the same descriptors. */
  #isLogged({ logDescriptors }: ServerConfig): boolean {
    return [...this.#versions.values()].some((other) => other.logDescriptors === logDescriptors);
  }
}
