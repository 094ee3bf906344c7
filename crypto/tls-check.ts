/** Start-up checks of every virtual host's TLS configuration, run by main while it can still read the keys. */
import { ConfigError } from '../src/config/config-error.ts';
import { DEFAULT_SETTINGS } from '../src/config/default-settings.ts';
import type { ServerConfig, Settings, SourceLocation, VirtualHost } from '../src/config/server-config.ts';
import { MOD_TLS_VERSION } from '../src/version.ts';
import { certificateFindings } from './certificate-report.ts';
import {
  CertificateFileError,
  parseCertificates,
  parseDhParameters,
  parseRevocationLists,
} from './certificate-files.ts';
import { KeyUnlock, passPhraseRequest, type UnlockHooks } from './key-unlock.ts';
import { isLibraryError, libraryReason } from './library-errors.ts';
import { bundleContext, isUnapprovedBundle, unapprovedBundle } from './pkcs12-bundle.ts';
import { checkPreSharedKeys } from './pre-shared-keys.ts';
import { activeProfile } from './profile.ts';
import { floorViolations } from './certificate-floors.ts';
import { forbiddenCertificate } from './profile-rules.ts';
import {
  certificateDirectives,
  fileBytes,
  hasCertificate,
  keyPairOf,
  NO_CERTIFICATE_LINE,
  tlsMaterialOf,
  type CertificateDirective,
} from './tls-configuration.ts';
import { TlsContextSet } from './tls-context.ts';
import { optionWarnings, versionWarnings } from './tls-option-warnings.ts';
import { checkVersions } from './openssl-check.ts';

export interface TlsCheckHooks extends UnlockHooks {
  /** Path -> why main could not read it; a path that is missing here and in `secretFiles` does not exist. */
  readonly unreadable?: ReadonlyMap<string, string>;
}

export interface TlsCheckResult {
  readonly errors: readonly ConfigError[];
  /** For the console and the system log; start-up continues. */
  readonly warnings: readonly string[];
  /** For the TLSLog of a virtual host. */
  readonly logLines: readonly { readonly virtualHost: number; readonly text: string }[];
  /** What there is to know about certificates besides warnings; for `lockgate check` and the TLSLog (in `logLines` too). */
  readonly notes: readonly string[];
  /** `config.secretFiles` with encrypted keys replaced by decrypted ones: what workers receive. */
  readonly secretFiles: ReadonlyMap<string, Uint8Array>;
  /** Pass phrases of TLSPKCS12File bundles, which have to stay encrypted: path -> pass phrase. */
  readonly pkcs12PassPhrases: ReadonlyMap<string, string>;
}

/** Checks all virtual hosts with TLSEngine on. Reads no file: everything comes from `config.secretFiles`. */
export async function checkTlsConfiguration(
  config: ServerConfig,
  hooks: TlsCheckHooks = {},
): Promise<TlsCheckResult> {
  const check = new TlsCheck(config, hooks);
  const versions = checkVersions();
  const source = `mod_tls/${MOD_TLS_VERSION}`;
  if (versions.kind === 'warning') check.warnings.push(`${source}: ${versions.text}`);
  if (versions.kind === 'refused') check.errors.push(new ConfigError(`${source}: ${versions.text}`));
  for (const host of config.virtualHosts) await check.host(host);
  return check;
}

class TlsCheck implements TlsCheckResult {
  readonly errors: ConfigError[] = [];
  readonly warnings: string[] = [];
  readonly notes: string[] = [];
  readonly logLines: { virtualHost: number; text: string }[] = [];
  readonly secretFiles: Map<string, Uint8Array>;
  readonly pkcs12PassPhrases = new Map<string, string>();
  readonly #hooks: TlsCheckHooks;
  readonly #unlock: KeyUnlock;

  constructor(config: ServerConfig, hooks: TlsCheckHooks) {
    this.#hooks = hooks;
    this.#unlock = new KeyUnlock(hooks, (text) => this.warnings.push(text));
    this.secretFiles = new Map(config.secretFiles);
  }

  async host(host: VirtualHost): Promise<void> {
    const settings: Settings = { ...DEFAULT_SETTINGS, ...host.settings };
    if (!settings.tlsEngine) return;
    this.warnings.push(...versionWarnings(settings), ...optionWarnings(settings));
    if (!hasCertificate(settings)) {
      this.warnings.push(`${settings.serverName}: ${NO_CERTIFICATE_LINE}`);
      this.logLines.push({ virtualHost: host.id, text: NO_CERTIFICATE_LINE });
      return;
    }
    if (!this.#floors(settings, host)) return;
    const before = this.errors.length;
    for (const row of certificateDirectives(settings)) await this.#certificate(host, settings, row);
    await this.#bundle(host, settings);
    this.#authorities(settings, host);
    checkPreSharedKeys(settings, this.secretFiles, this.#hooks.unreadable ?? new Map(), (reason) =>
      this.#fail('TLSPreSharedKey', reason, host),
    );
    if (this.errors.length === before) this.#context(host, settings);
    if (this.errors.length === before) await this.#report(host, settings);
  }

  /** Everything the certificates say about themselves: warnings to the operator, all of it to the TLSLog. */
  async #report(host: VirtualHost, settings: Settings): Promise<void> {
    try {
      for (const finding of await certificateFindings(settings, this.secretFiles, this.pkcs12PassPhrases)) {
        const text = `${finding.directive} ${finding.text}`;
        const list = finding.severity === 'warning' ? this.warnings : this.notes;
        list.push(`${settings.serverName}: ${text}`);
        this.logLines.push({ virtualHost: host.id, text });
      }
    } catch (error) {
      if (!(error instanceof CertificateFileError)) throw error;
      const path = settings.tlsCARevocationFile ?? '';
      this.#fail('TLSCARevocationFile', `unable to use '${path}': ${error.message}`, host);
    }
  }

  #fail(directive: string, reason: string, host: VirtualHost, hint?: string): void {
    const location = locationOf(directive, host);
    this.errors.push(
      new ConfigError(reason, { directive, location, ...(hint === undefined ? {} : { hint }) }),
    );
  }

  /** Reports a file main could not read; true when it is missing. */
  #isMissing(directive: string, path: string, host: VirtualHost): boolean {
    if (this.secretFiles.has(path)) return false;
    const reason = this.#hooks.unreadable?.get(path) ?? 'No such file or directory';
    this.#fail(directive, `unable to use '${path}': ${reason}`, host);
    return true;
  }

  async #certificate(host: VirtualHost, settings: Settings, row: CertificateDirective): Promise<void> {
    if (this.#isMissing(row.directive, row.certificatePath, host)) return;
    if (this.#isMissing(keyDirectiveOf(row), row.keyPath, host)) return;
    try {
      const key = fileBytes(this.secretFiles, row.keyPath);
      this.secretFiles.set(row.keyPath, await this.#unlock.unlocked(host, settings, row, key));
      keyPairOf(row, this.secretFiles);
    } catch (error) {
      if (!(error instanceof CertificateFileError)) throw error;
      const { directive, reason } = describe(row, error);
      const hint = error.code === 'encrypted' ? this.#unlock.hint(settings) : undefined;
      this.#fail(directive, reason, host, hint);
    }
  }

  async #bundle(host: VirtualHost, settings: Settings): Promise<void> {
    const path = settings.tlsPKCS12File;
    if (path === null) return;
    const bytes = this.secretFiles.get(path);
    if (bytes === undefined) return void this.#isMissing('TLSPKCS12File', path, host);
    const open = (passPhrase: string): string => {
      this.#bundleFloor(bundleContext(settings, bytes, passPhrase), path, host);
      return passPhrase;
    };
    try {
      open('');
      return;
    } catch (error) {
      const { fips } = activeProfile();
      if (fips && isUnapprovedBundle(error)) return this.#fail('TLSPKCS12File', unapprovedBundle(path), host);
      if (!isLibraryError(error)) throw error;
    }
    const phrase = await this.#unlock.withPassPhrase(
      path,
      settings,
      passPhraseRequest(host, settings, 'PKCS12'),
      open,
    );
    if (phrase === null)
      this.#fail(
        'TLSPKCS12File',
        `unable to use PKCS12 certificate key in '${path}', exiting`,
        host,
        this.#unlock.hint(settings),
      );
    else this.pkcs12PassPhrases.set(path, phrase);
  }

  #bundleFloor(contexts: TlsContextSet, path: string, host: VirtualHost): void {
    const leaf = contexts.certificate();
    const reason = leaf === null ? null : forbiddenCertificate(leaf, activeProfile());
    if (reason !== null) this.#fail('TLSPKCS12File', `'${path}': ${reason}`, host);
  }

  #authorities(settings: Settings, host: VirtualHost): void {
    const parse = (directive: string, path: string | null, parser: (bytes: Uint8Array) => unknown): void => {
      if (path === null || this.#isMissing(directive, path, host)) return;
      try {
        parser(fileBytes(this.secretFiles, path));
      } catch (error) {
        if (!(error instanceof CertificateFileError)) throw error;
        this.#fail(directive, `unable to use '${path}': ${error.message}`, host);
      }
    };
    parse('TLSCACertificateFile', settings.tlsCACertificateFile, parseCertificates);
    parse('TLSCARevocationFile', settings.tlsCARevocationFile, parseRevocationLists);
    for (const path of settings.tlsDHParamFile) {
      parse('TLSDHParamFile', path, (bytes) => {
        const minimum = settings.tlsOptions.includes('AllowWeakDH') ? 0 : activeProfile().tls.minimumDhBits;
        const short = parseDhParameters(bytes).filter((parameters) => parameters.bits < minimum);
        for (const { bits } of short) {
          this.warnings.push(
            `TLSDHParamFile: ignoring ${bits}-bit parameters of '${path}' (see the AllowWeakDH TLSOptions parameter)`,
          );
        }
      });
    }
  }

  /** True when nothing is below the profile's floors. What is, the library may not even be able to read. */
  #floors(settings: Settings, host: VirtualHost): boolean {
    const violations = floorViolations(settings, this.secretFiles, activeProfile());
    for (const { directive, reason } of violations) this.#fail(directive, reason, host);
    return violations.length === 0;
  }

  /** The last word is the library's: a context from exactly what sessions will use. */
  #context(host: VirtualHost, settings: Settings): void {
    try {
      const material = tlsMaterialOf(settings, this.secretFiles, this.pkcs12PassPhrases);
      for (const text of material.notes) this.logLines.push({ virtualHost: host.id, text });
      new TlsContextSet(material.contextOptions);
    } catch (error) {
      if (error instanceof RangeError) return this.#fail('TLSProtocol', error.message, host);
      if (!isLibraryError(error)) throw error;
      const reason = libraryReason(error);
      const list = [settings.tlsCipherSuite13, settings.tlsCipherSuite]
        .filter((text) => text !== null)
        .join(':');
      if (/cipher/i.test(reason)) {
        this.#fail('TLSCipherSuite', `unable to use ciphersuite '${list}': ${reason}`, host);
      } else {
        this.#fail('TLSEngine', `unable to use the TLS configuration: ${reason}`, host);
      }
    }
  }
}

/** The line of the directive where the host's settings remember it, else where the host itself begins. */
function locationOf(directive: string, host: VirtualHost): SourceLocation {
  const key = `tls${directive.slice('TLS'.length)}` as keyof Settings;
  return host.origins?.get(key) ?? host.location;
}

function keyDirectiveOf(row: CertificateDirective): string {
  return row.directive.replace('CertificateFile', 'CertificateKeyFile');
}

/** mod_tls's sentence for each way a certificate directive can fail, and the directive it belongs to. */
function describe(
  row: CertificateDirective,
  error: CertificateFileError,
): { directive: string; reason: string } {
  const keyDirective = keyDirectiveOf(row);
  switch (error.code) {
    case 'wrong-algorithm':
      return { directive: row.directive, reason: `certificate '${row.certificatePath}': ${error.message}` };
    case 'key-mismatch':
      return {
        directive: keyDirective,
        reason: `error checking key from ${keyDirective} '${row.keyPath}': ${error.message}`,
      };
    case 'encrypted':
      return { directive: keyDirective, reason: error.message };
    case 'unreadable':
    case 'no-data':
      return error.message.includes('key') || error.message === 'no start line'
        ? { directive: keyDirective, reason: `unable to use '${row.keyPath}': ${error.message}` }
        : { directive: row.directive, reason: `unable to use '${row.certificatePath}': ${error.message}` };
  }
}
