/** Start-up checks of every virtual host's TLS configuration, run by main while it can still read the keys. */
import { ConfigError } from '../src/config/config-error.ts';
import { DEFAULT_SETTINGS } from '../src/config/default-settings.ts';
import type { ServerConfig, Settings, SourceLocation, VirtualHost } from '../src/config/server-config.ts';
import { certificateFindings } from './certificate-report.ts';
import {
  CertificateFileError,
  decryptedKeyPem,
  isEncryptedKey,
  parseCertificates,
  parseDhParameters,
  parseRevocationLists,
} from './certificate-files.ts';
import {
  runPassPhraseProvider,
  PROMPT_ATTEMPTS,
  type PassPhraseMemory,
  type PassPhraseRequest,
} from './pass-phrase.ts';
import { checkPreSharedKeys } from './pre-shared-keys.ts';
import { activeProfile } from './profile.ts';
import { floorViolations } from './certificate-floors.ts';
import { forbiddenCertificate } from './profile-rules.ts';
import {
  certificateDirectives,
  fileBytes,
  hasCertificate,
  keyPairOf,
  offeredVersions,
  tlsMaterialOf,
  type CertificateDirective,
} from './tls-configuration.ts';
import { TlsContextSet, usableVersions } from './tls-context.ts';
import { checkVersions } from './openssl-check.ts';

export interface TlsCheckHooks {
  /** Asks on the terminal; null when there is none or the operator gave up. Absent: encrypted keys need a provider. */
  readonly prompt?: (text: string) => Promise<string | null>;
  /** Pass phrases that worked before, by key path; filled by the check and kept in main for reloads. */
  readonly memory?: PassPhraseMemory;
  /** Path -> why main could not read it; a path that is missing here and in `secretFiles` does not exist. */
  readonly unreadable?: ReadonlyMap<string, string>;
  /** Lines a provider program wrote to standard error. */
  readonly providerLog?: (line: string) => void;
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

/** Texts of mod_tls for what is missing. */
export const NO_CERTIFICATE_LINE =
  'no TLSRSACertificateFile, TLSDSACertificateFile, TLSECCertificateFile or TLSPKCS12File configured; ' +
  'unable to handle SSL/TLS connections';

/** Checks all virtual hosts with TLSEngine on. Reads no file: everything comes from `config.secretFiles`. */
export async function checkTlsConfiguration(
  config: ServerConfig,
  hooks: TlsCheckHooks = {},
): Promise<TlsCheckResult> {
  const check = new TlsCheck(config, hooks);
  const versions = checkVersions();
  if (versions.kind === 'warning') check.warnings.push(versions.text);
  if (versions.kind === 'refused') check.errors.push(new ConfigError(versions.text));
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
  readonly #givenUp = new Set<string>();

  constructor(config: ServerConfig, hooks: TlsCheckHooks) {
    this.#hooks = hooks;
    this.secretFiles = new Map(config.secretFiles);
  }

  async host(host: VirtualHost): Promise<void> {
    const settings: Settings = { ...DEFAULT_SETTINGS, ...host.settings };
    if (!settings.tlsEngine) return;
    this.#warnAboutVersions(settings);
    this.#warnAboutOptions(settings);
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

  /** For a key nobody could unlock: what would have helped. */
  #unlockHint(settings: Settings): string | undefined {
    return settings.tlsPassPhraseProvider !== null || this.#hooks.prompt !== undefined
      ? undefined
      : 'The key is encrypted: start from a terminal, or set TLSPassPhraseProvider';
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
      await this.#unlock(host, settings, row);
      keyPairOf(row, this.secretFiles);
    } catch (error) {
      if (!(error instanceof CertificateFileError)) throw error;
      const { directive, reason } = describe(row, error);
      const hint = error.code === 'encrypted' ? this.#unlockHint(settings) : undefined;
      this.#fail(directive, reason, host, hint);
    }
  }

  /** Replaces an encrypted key by its decrypted form, asking memory, provider program and terminal in this order. */
  async #unlock(host: VirtualHost, settings: Settings, row: CertificateDirective): Promise<void> {
    const bytes = fileBytes(this.secretFiles, row.keyPath);
    if (!isEncryptedKey(bytes)) return;
    const decrypted = await this.#withPassPhrase(
      row.keyPath,
      settings,
      request(host, settings, row.algorithm),
      (phrase) => decryptedKeyPem(bytes, phrase),
    );
    if (decrypted === null) {
      throw new CertificateFileError(
        'encrypted',
        `unable to use ${row.algorithm} certificate key in '${row.keyPath}', exiting`,
      );
    }
    this.secretFiles.set(row.keyPath, withKey(bytes, decrypted));
  }

  async #withPassPhrase<T>(
    path: string,
    settings: Settings,
    asked: PassPhraseRequest,
    attempt: (passPhrase: string) => T,
  ): Promise<T | null> {
    const tried = (passPhrase: string): T | null => {
      try {
        const result = attempt(passPhrase);
        this.#hooks.memory?.set(path, passPhrase);
        return result;
      } catch (error) {
        // A wrong pass phrase is an answer, not a fault: null asks again.
        if (error instanceof CertificateFileError || isLibraryError(error)) return null;
        throw error;
      }
    };
    const remembered = this.#hooks.memory?.get(path);
    const known = remembered === undefined ? null : tried(remembered);
    if (known !== null) return known;
    if (settings.tlsPassPhraseProvider !== null) {
      const options = this.#hooks.providerLog === undefined ? {} : { log: this.#hooks.providerLog };
      const answer = await runPassPhraseProvider(settings.tlsPassPhraseProvider, asked, options);
      if (!answer.ok) this.warnings.push(`TLSPassPhraseProvider: ${answer.reason}`);
      return answer.ok ? tried(answer.passPhrase) : null;
    }
    // A key several servers share is asked for once.
    if (this.#hooks.prompt === undefined || this.#givenUp.has(path)) return null;
    for (let attempts = 0; attempts < PROMPT_ATTEMPTS; attempts += 1) {
      const passPhrase = await this.#hooks.prompt(asked.prompt);
      if (passPhrase === null) break;
      const result = tried(passPhrase);
      if (result !== null) return result;
    }
    this.#givenUp.add(path);
    return null;
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
    const phrase = await this.#withPassPhrase(path, settings, request(host, settings, 'PKCS12'), open);
    if (phrase === null)
      this.#fail(
        'TLSPKCS12File',
        `unable to use PKCS12 certificate key in '${path}', exiting`,
        host,
        this.#unlockHint(settings),
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

  #warnAboutVersions(settings: Settings): void {
    const weakAllowed = settings.tlsOptions.includes('AllowWeakSecurity');
    const usable = usableVersions(settings.tlsProtocol, weakAllowed);
    const refused = settings.tlsProtocol.filter(
      (version) => !(usable as readonly string[]).includes(version),
    );
    const name = settings.serverName;
    for (const version of refused) {
      const way = version === 'SSLv3' ? '' : ' (see the AllowWeakSecurity TLSOptions parameter)';
      this.warnings.push(
        `${name}: TLSProtocol ${version} is not offered: the security level does not allow it${way}`,
      );
    }
    if (usable.length === 0) {
      this.warnings.push(
        `${name}: TLSProtocol leaves no usable protocol version, every TLS handshake will fail`,
      );
    } else if (!usable.includes('TLSv1.2') && !usable.includes('TLSv1.3')) {
      this.warnings.push(
        `${name}: TLSProtocol allows ${offeredVersions(settings).join(' ')} only, modern clients cannot connect`,
      );
    }
  }

  #warnAboutOptions(settings: Settings): void {
    const options = settings.tlsOptions;
    if (options.includes('NoCertRequest')) {
      this.warnings.push(
        "TLSOptions NoCertRequest is deprecated: 'TLSVerifyClient off' sends no certificate request",
      );
    }
    if (settings.useReverseDNS) return;
    for (const option of ['dNSNameRequired', 'CommonNameRequired'] as const) {
      if (options.includes(option)) this.warnings.push(`reverse DNS off, disabling TLSOption ${option}`);
    }
  }
}

/** The line of the directive where the host's settings remember it, else where the host itself begins. */
function locationOf(directive: string, host: VirtualHost): SourceLocation {
  const key = `tls${directive.slice('TLS'.length)}` as keyof Settings;
  return host.origins?.get(key) ?? host.location;
}

function request(
  host: VirtualHost,
  settings: Settings,
  keyType: PassPhraseRequest['keyType'],
): PassPhraseRequest {
  const address = host.addresses[0] ?? '0.0.0.0';
  return {
    server: `${settings.serverName}:${host.port}`,
    keyType,
    prompt: `${keyType} key for the ${address}#${host.port} (${settings.serverName}) server: `,
  };
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

/** The file's certificates stay (a combined PEM), its key is replaced. */
function withKey(bytes: Uint8Array, keyPem: string): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const withoutKeys = text.replace(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----\s*/g, '');
  return Buffer.from(`${keyPem}\n${withoutKeys}`, 'latin1');
}

function bundleContext(settings: Settings, bytes: Uint8Array, passPhrase: string): TlsContextSet {
  const buf = { bytes, passPhrase };
  return new TlsContextSet({
    identities: [],
    pkcs12: buf,
    clientAuthorities: [],
    versions: offeredVersions(settings),
    cipherList: null,
    cipherSuites13: null,
    serverPreference: true,
    groups: null,
    dhParameters: null,
    lifetimeSeconds: 1,
    weakSecurity: settings.tlsOptions.includes('AllowWeakSecurity'),
  });
}

/**
 * PKCS#12 protects itself with a key derivation of its own (RFC 7292, appendix B), which no FIPS module has, and often
 * with salts shorter than SP 800-132 asks for. No pass phrase would help.
 */
function isUnapprovedBundle(error: unknown): boolean {
  return error instanceof Error && /Unsupported PKCS12|invalid salt length/.test(error.message);
}

function unapprovedBundle(path: string): string {
  const rule = "PKCS#12's own key derivation is not approved (SP 800-132)";
  return `'${path}' is forbidden by the FIPS profile: ${rule}; use TLSRSACertificateFile or TLSECCertificateFile`;
}

/** An error raised by OpenSSL or by Node's checks of TLS options. */
function isLibraryError(error: unknown): error is Error & { code?: string; reason?: string } {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  const isCoded = typeof code === 'string' && /^ERR_(SSL|OSSL|TLS|CRYPTO|INVALID)/.test(code);
  return isCoded || /PKCS12|mac verify failure|not enough data|wrong tag|^error:/i.test(error.message);
}

function libraryReason(error: Error & { reason?: string }): string {
  return error.reason ?? error.message.split('\n', 1)[0] ?? 'unknown error';
}
