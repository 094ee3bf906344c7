/**
 * New certificate files taken without a restart: read again, checked as at start, virtual host by virtual host, and put
 * into a new version of the configuration. What does not pass leaves the old files in force.
 */
import { createHash } from 'node:crypto';
import type { PassPhraseMemory } from '../../crypto/pass-phrase.ts';
import { checkTlsConfiguration, type TlsCheckResult } from '../../crypto/tls-check.ts';
import { configFiles } from '../config/config-files.ts';
import type { ServerConfig, VirtualHost } from '../config/server-config.ts';
import { providerLog, writeTlsLine, type PreparedConfig } from './prepare-config.ts';
import { asRoot, type ProcessIdentity } from './privileged.ts';
import { readSecretFiles } from './secret-files.ts';

type Files = ReadonlyMap<string, Uint8Array>;

export interface RefreshOptions {
  readonly identity: ProcessIdentity;
  readonly passPhrases: PassPhraseMemory;
  /** The number of the new version, should there be one. */
  readonly nextVersion: () => number;
}

export type RefreshResult =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'changed';
      /** Null: nothing of what changed can be used. */
      readonly prepared: PreparedConfig | null;
      /** Paths now in use. */
      readonly taken: readonly string[];
      /** Why others are not. */
      readonly refusals: readonly string[];
    };

/** Refused contents remembered, so that they are reported once. */
const MAX_REMEMBERED = 256;

/** Remembers what was read last, so that an unchanged or already refused file says nothing again. */
export class CertificateRefresh {
  #files: Files = new Map();
  readonly #refused = new Set<string>();

  /** A configuration came into use with these files (as read). */
  adopted(files: Files): void {
    this.#files = files;
  }

  /** Reads the files of `config` again. Its logs stay open and are shared by the new version. */
  async refresh(config: ServerConfig, options: RefreshOptions): Promise<RefreshResult> {
    const { files, failures } = asRoot(options.identity, () => readSecretFiles(config));
    const read = withoutUnreadableDirectories(config, files, failures, this.#files);
    const changed = changedPaths(this.#files, read);
    let accepted = this.#files;
    let check: TlsCheckResult | null = null;
    const hosts: VirtualHost[] = [];
    const refusals: string[] = [];
    let isNews = false;
    for (const host of config.virtualHosts) {
      const own = changed.filter((path) => isNamedBy(config, host, path));
      const fresh = own.filter((path) => !sameBytes(accepted.get(path), read.get(path)));
      if (fresh.length === 0 || this.#refused.has(signature(host, fresh, read))) continue;
      isNews = true;
      const candidate = replaced(accepted, fresh, read);
      const verdict = await checkTlsConfiguration(
        { ...config, secretFiles: candidate },
        { memory: options.passPhrases, unreadable: failures, providerLog },
      );
      if (verdict.errors.length > 0) {
        if (this.#refused.size >= MAX_REMEMBERED) this.#refused.clear();
        this.#refused.add(signature(host, fresh, read));
        refusals.push(...verdict.errors.map(String));
        continue;
      }
      accepted = candidate;
      check = verdict;
      hosts.push(host);
    }
    if (!isNews) return { kind: 'unchanged' };
    if (check === null) return { kind: 'changed', prepared: null, taken: [], refusals };
    const taken = changedPaths(this.#files, accepted);
    const prepared = preparedFrom(config, options.nextVersion(), accepted, check);
    logTo(prepared.config, hosts, check);
    return { kind: 'changed', prepared, taken, refusals };
  }
}

function preparedFrom(
  config: ServerConfig,
  version: number,
  tlsFiles: Files,
  check: TlsCheckResult,
): PreparedConfig {
  return {
    config: {
      ...config,
      version,
      secretFiles: check.secretFiles,
      pkcs12PassPhrases: check.pkcs12PassPhrases,
    },
    tlsFiles,
    warnings: check.warnings,
    notices: [],
  };
}

/** Only hosts with new files tell about them again. */
function logTo(config: ServerConfig, hosts: readonly VirtualHost[], check: TlsCheckResult): void {
  const ids = new Set(hosts.map(({ id }) => id));
  for (const { virtualHost, text } of check.logLines)
    if (ids.has(virtualHost)) writeTlsLine(config, virtualHost, text);
}

/** A directory that cannot be listed now is not one that has lost its certificates. */
function withoutUnreadableDirectories(
  config: ServerConfig,
  files: Files,
  failures: ReadonlyMap<string, string>,
  known: Files,
): Files {
  const lost = configFiles(config).tlsDirectories.filter((directory) => failures.has(directory));
  if (lost.length === 0) return files;
  const kept = [...known].filter(([path]) => lost.some((directory) => isUnder(directory, path)));
  return new Map([...kept, ...files]);
}

function isNamedBy(config: ServerConfig, host: VirtualHost, path: string): boolean {
  const { tls, tlsDirectories } = configFiles({ ...config, virtualHosts: [host] });
  return tls.includes(path) || tlsDirectories.some((directory) => isUnder(directory, path));
}

function isUnder(directory: string, path: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

function changedPaths(before: Files, after: Files): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => !sameBytes(before.get(path), after.get(path)));
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(b);
}

function replaced(files: Files, paths: readonly string[], from: Files): Files {
  const next = new Map(files);
  for (const path of paths) {
    const bytes = from.get(path);
    if (bytes === undefined) next.delete(path);
    else next.set(path, bytes);
  }
  return next;
}

/** Names contents without keeping them. */
function signature(host: VirtualHost, paths: readonly string[], files: Files): string {
  const digest = createHash('sha256').update(String(host.id));
  for (const path of paths) digest.update(`\0${path}\0`).update(files.get(path) ?? 'missing');
  return digest.digest('hex');
}
