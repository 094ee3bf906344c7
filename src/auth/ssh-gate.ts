/** What a user who has proved an identity over SSH must still pass (sftp-directives, "Post-authentication gate"). */
import type { EffectiveConfig } from '../config/effective-config.ts';
import type { AccountFileCache } from './account-file-cache.ts';
import type { FoundAccount } from './accounts.ts';
import type { SystemFiles } from './file-sources.ts';
import {
  refuseAccountState,
  refuseByFiles,
  refuseByLimit,
  refuseByProtocols,
  refuseRoot,
} from './login-policy.ts';
import type { Refusal, Subject } from './login-policy.ts';

export interface GateRefusal {
  /** For the server log. */
  readonly refusal: Refusal;
  /** For SFTPLog. */
  readonly note: string;
}

/** What an SSH session may be for; the channels check their own again (`'sftp' subsystem denied by Protocols config`). */
const SSH_USES = ['sftp', 'scp', 'ssh2', 'date'];

export interface GateParts {
  readonly subject: Subject;
  readonly loginName: string;
  readonly found: FoundAccount;
  /** Narrowed to the user, authenticated. */
  readonly config: EffectiveConfig;
  readonly cache: AccountFileCache;
  readonly systemFiles: SystemFiles;
}

/** Null: let in. In the documented order. */
export function refuseAtGate(parts: GateParts): GateRefusal | null {
  const { subject, loginName, found, config, cache, systemFiles } = parts;
  const { settings } = config;
  const root = refuseRoot(subject, settings);
  if (root !== null) {
    return { refusal: root, note: 'root login attempted, denied by RootLogin configuration' };
  }
  const refusal =
    refuseAccountState(subject.label, found.account.state) ??
    refuseByFiles(subject, settings, cache, systemFiles) ??
    refuseByLimit(subject, config) ??
    refuseByProtocols(subject, settings, 'sftp', SSH_USES);
  if (refusal === null) return null;
  const reason = refusal.text.slice(subject.label.length).replace(/^(?: \(Login failed\))?: /, '');
  return { refusal, note: `authentication for user '${loginName}' failed: ${reason}` };
}
