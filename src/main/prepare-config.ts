/** What a parsed configuration still needs before sessions may use it: open logs, keys read and checked. */
import { checkTlsConfiguration, type TlsCheckHooks, type TlsCheckResult } from '../../crypto/tls-check.ts';
import type { PassPhraseMemory } from '../../crypto/pass-phrase.ts';
import { checkAccountFiles } from '../auth/account-file-check.ts';
import { ConfigError } from '../config/config-error.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { appendLine } from '../log/log-sink.ts';
import { CONSOLE_LOG } from '../log/operation-log.ts';
import { logStamp } from '../log/strftime.ts';
import { openSyslog } from '../log/syslog.ts';
import { MOD_TLS_VERSION } from '../version.ts';
import { settingsOfHost } from './config-settings.ts';
import { closeLogFiles, openLogFiles } from './log-files.ts';
import { asRoot, type ProcessIdentity } from './privileged.ts';
import { readSecretFiles } from './secret-files.ts';
import { checkSshHostKeys, type SshHostKeyCheck } from './ssh-host-keys.ts';

export interface PrepareOptions {
  readonly identity: ProcessIdentity;
  /** Descriptor for readable log lines, or null: then syslog stands in where SystemLog is not set. */
  readonly consoleDescriptor: number | null;
  /** Pass phrases given before; lives as long as the server. */
  readonly passPhrases: PassPhraseMemory;
  /** Asks for the pass phrase of a key; null where nobody is there to answer. */
  readonly askPassPhrase: AskPassPhrase | null;
}

/** Shows the text and reads a line; null when the operator gave up. */
export type AskPassPhrase = (text: string) => Promise<string | null>;

export interface PreparedConfig {
  readonly config: ServerConfig;
  /** TLS files as they were read, encrypted keys still encrypted: what a later change is compared with. */
  readonly tlsFiles: ReadonlyMap<string, Uint8Array>;
  /** For the server log once it is in use. */
  readonly warnings: readonly string[];
  readonly notices: readonly string[];
}

/** Throws ConfigError for the first log, certificate or key that does not let the server start; nothing stays open then. */
export async function prepareConfig(loaded: LoadedConfig, options: PrepareOptions): Promise<PreparedConfig> {
  const { config } = loaded;
  const checked = await checkConfigFiles(config, options);
  const [first] = checked.errors;
  if (first !== undefined) throw first;
  const { tls } = checked;
  const logs = asRoot(options.identity, () => openLogFiles(config));
  try {
    const descriptors = new Map(logs.descriptors);
    if (options.consoleDescriptor !== null) descriptors.set(CONSOLE_LOG, options.consoleDescriptor);
    else await openSyslog();
    const readable: ServerConfig = {
      ...config,
      logDescriptors: descriptors,
      secretFiles: tls.secretFiles,
      sshHostKeys: checked.sshHostKeys.keys,
    };
    for (const { virtualHost, text } of tls.logLines) writeTlsLine(readable, virtualHost, text);
    return {
      config: { ...readable, pkcs12PassPhrases: tls.pkcs12PassPhrases },
      tlsFiles: checked.tlsFiles,
      // Virtual hosts that share a certificate or key share what is to be said of it.
      warnings: [...new Set([...loaded.warnings, ...logs.warnings, ...checked.warnings])],
      notices: loaded.notices,
    };
  } catch (error) {
    closeLogFiles(logs.descriptors);
    throw error;
  }
}

export interface CheckedFiles {
  /** Any of these keeps the server from starting. */
  readonly errors: readonly ConfigError[];
  /** Of certificates, keys and SFTP directives. */
  readonly warnings: readonly string[];
  readonly tls: TlsCheckResult;
  /** As they were read. */
  readonly tlsFiles: ReadonlyMap<string, Uint8Array>;
  readonly sshHostKeys: SshHostKeyCheck;
}

/** Reads the account files, certificates and keys a configuration names: the checks of a start, without starting. */
export async function checkConfigFiles(
  config: ServerConfig,
  options: Pick<PrepareOptions, 'identity' | 'passPhrases' | 'askPassPhrase'>,
): Promise<CheckedFiles> {
  const accounts = checkAccountFiles(config, (work) => asRoot(options.identity, work));
  const { files, failures } = asRoot(options.identity, () => readSecretFiles(config));
  const hooks: TlsCheckHooks = {
    memory: options.passPhrases,
    unreadable: failures,
    providerLog,
    ...(options.askPassPhrase === null ? {} : { prompt: options.askPassPhrase }),
  };
  const tls = await checkTlsConfiguration({ ...config, secretFiles: files }, hooks);
  const sshHostKeys = await checkSshHostKeys(config, {
    asRoot: (work) => asRoot(options.identity, work),
    memory: options.passPhrases,
    prompt: options.askPassPhrase,
    providerLog,
  });
  const errors = accounts.map(({ directive, message }) => new ConfigError(message, { directive }));
  return {
    errors: [...errors, ...tls.errors, ...sshHostKeys.errors],
    warnings: [...tls.warnings, ...sshHostKeys.warnings],
    tls,
    tlsFiles: files,
    sshHostKeys,
  };
}

/** What a TLSPassPhraseProvider writes to standard error. */
export function providerLog(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A prepared configuration that is not going to be used. */
export function discardConfig(prepared: PreparedConfig): void {
  closeLogFiles(prepared.config.logDescriptors);
}

/** A line of a virtual host's TLSLog, written by main. */
export function writeTlsLine(config: ServerConfig, virtualHost: number, text: string): void {
  const { tlsLog } = settingsOfHost(config, virtualHost);
  const descriptor = tlsLog === null ? undefined : config.logDescriptors.get(tlsLog);
  if (descriptor === undefined) return;
  appendLine(descriptor, `${logStamp(new Date())} mod_tls/${MOD_TLS_VERSION}[${process.pid}]: ${text}\n`);
}
