/** What a parsed configuration still needs before sessions may use it: open logs, keys read and checked. */
import { checkTlsConfiguration } from '../../crypto/tls-check.ts';
import type { PassPhraseMemory } from '../../crypto/pass-phrase.ts';
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

export interface PrepareOptions {
  readonly identity: ProcessIdentity;
  /** Descriptor for readable log lines, or null: then syslog stands in where SystemLog is not set. */
  readonly consoleDescriptor: number | null;
  /** Pass phrases given before; lives as long as the server. */
  readonly passPhrases: PassPhraseMemory;
}

export interface PreparedConfig {
  readonly config: ServerConfig;
  /** For the server log once it is in use. */
  readonly warnings: readonly string[];
  readonly notices: readonly string[];
}

/** Throws ConfigError for the first log, certificate or key that does not let the server start; nothing stays open then. */
export async function prepareConfig(loaded: LoadedConfig, options: PrepareOptions): Promise<PreparedConfig> {
  const { config } = loaded;
  const { logs, secretFiles } = asRoot(options.identity, () => ({
    secretFiles: readSecretFiles(config),
    logs: openLogFiles(config),
  }));
  try {
    const descriptors = new Map(logs.descriptors);
    if (options.consoleDescriptor !== null) descriptors.set(CONSOLE_LOG, options.consoleDescriptor);
    else await openSyslog();
    const readable: ServerConfig = { ...config, logDescriptors: descriptors, secretFiles };
    const tls = await checkTlsConfiguration(readable, {
      memory: options.passPhrases,
      providerLog: (line) => process.stderr.write(`${line}\n`),
    });
    const [first] = tls.errors;
    if (first !== undefined) throw first;
    for (const { virtualHost, text } of tls.logLines) writeTlsLine(readable, virtualHost, text);
    return {
      config: { ...readable, secretFiles: tls.secretFiles, pkcs12PassPhrases: tls.pkcs12PassPhrases },
      warnings: [...loaded.warnings, ...logs.warnings, ...tls.warnings],
      notices: loaded.notices,
    };
  } catch (error) {
    closeLogFiles(logs.descriptors);
    throw error;
  }
}

/** A prepared configuration that is not going to be used. */
export function discardConfig(prepared: PreparedConfig): void {
  closeLogFiles(prepared.config.logDescriptors);
}

function writeTlsLine(config: ServerConfig, virtualHost: number, text: string): void {
  const { tlsLog } = settingsOfHost(config, virtualHost);
  const descriptor = tlsLog === null ? undefined : config.logDescriptors.get(tlsLog);
  if (descriptor === undefined) return;
  appendLine(descriptor, `${logStamp(new Date())} mod_tls/${MOD_TLS_VERSION}[${process.pid}]: ${text}\n`);
}
