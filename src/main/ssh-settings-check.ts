/** What SFTP directives name outside the configuration, looked at before the server starts: programs, files, the library. */
import { statSync } from 'node:fs';
import { passPhraseProgramProblem } from '../../crypto/pass-phrase.ts';
import { keyExchangeUnavailable } from '../../crypto/ssh/key-exchange.ts';
import { cipherAvailable, macAvailable } from '../../crypto/ssh/packet-protection.ts';
import { ConfigError } from '../config/config-error.ts';
import type { ServerConfig, Settings } from '../config/server-config.ts';
import { settingsOfHost } from './config-settings.ts';

export interface SshSettingsCheck {
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly string[];
}

const NONE = 'none';

/** SFTPPassPhraseProvider must be a program (sftp-directives). It stands in the main server only. */
export function checkPassPhraseProvider(config: ServerConfig): readonly ConfigError[] {
  const program = settingsOfHost(config, 0).sftpPassPhraseProvider;
  const problem = program === null ? null : passPhraseProgramProblem(program);
  if (problem === null) return [];
  return [new ConfigError(`'${program}' ${problem}`, { directive: 'SFTPPassPhraseProvider' })];
}

/** The dictionary of weak keys has to be there; algorithms this OpenSSL cannot run are named, and left out of the offer. */
export function checkSshSettings(settings: Settings): SshSettingsCheck {
  const { sftpKeyBlacklist, sftpCiphers, sftpDigests, sftpKeyExchanges } = settings;
  const errors: ConfigError[] = [];
  if (sftpKeyBlacklist !== null && statSync(sftpKeyBlacklist, { throwIfNoEntry: false }) === undefined)
    errors.push(new ConfigError(`path '${sftpKeyBlacklist}' not found`, { directive: 'SFTPKeyBlacklist' }));
  const warnings = [
    ...missing('SFTPCiphers', sftpCiphers, (name) => name === NONE || cipherAvailable(name)),
    ...missing('SFTPDigests', sftpDigests, (name) => name === NONE || macAvailable(name)),
    ...missing('SFTPKeyExchanges', sftpKeyExchanges, (name) => keyExchangeUnavailable(name) === null),
  ];
  return { errors, warnings };
}

function missing(
  directive: string,
  named: readonly string[] | null,
  isAvailable: (name: string) => boolean,
): readonly string[] {
  const absent = (named ?? []).filter((name) => !isAvailable(name));
  if (absent.length === 0) return [];
  const library = `OpenSSL ${process.versions.openssl}`;
  return [`mod_sftp: ${directive}: ${absent.join(', ')} not offered, as ${library} cannot run it here`];
}
