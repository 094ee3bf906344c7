/** What the methods of SSH authentication work with: the request's user, configuration and log lines. */
import type { Account, SshAuthRequest } from '../actor/messages.ts';
import type { EffectiveConfig } from '../config/effective-config.ts';
import type { Settings } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import type { Accounts, FoundAccount, SourceContext } from './accounts.ts';
import type { FailureDelay } from './failure-delay.ts';
import type { KeyBlacklistFile } from './key-blacklist-file.ts';
import { labelOf, MAX_LOGIN_NAME } from './login-attempt.ts';
import type { LoginOrigin } from './login-attempt.ts';
import type { Refusal } from './login-policy.ts';
import type { OneTimeCodes } from './one-time-codes.ts';
import type { HashPool } from './password-pool.ts';
import type { KeyStoreFiles } from './ssh-key-stores.ts';
import { resolveRealUser } from './user-resolution.ts';

/** Shared by all sessions of a server. */
export interface SshAuthParts {
  readonly context: SourceContext;
  readonly hashPool: HashPool;
  readonly keyFiles: KeyStoreFiles;
  readonly blacklist: KeyBlacklistFile;
  readonly codes: OneTimeCodes;
  readonly delay: FailureDelay;
  readonly log: (level: LogLevel, text: string, origin: LoginOrigin) => void;
}

export interface Failed {
  readonly kind: 'failed';
  /** For the server log; null: not worth a line there. */
  readonly refusal: Refusal | null;
}

/** The outcome of one method. */
export type MethodOutcome =
  | { readonly kind: 'passed' }
  | Failed
  /** Nobody's fault; does not count. */
  | { readonly kind: 'unavailable' };

export const PASSED: MethodOutcome = { kind: 'passed' };
export const UNAVAILABLE: MethodOutcome = { kind: 'unavailable' };

/** One request on its way through the checks. */
export class SshTurn {
  readonly request: SshAuthRequest;
  readonly origin: LoginOrigin;
  /** In force before login. */
  readonly config: EffectiveConfig;
  readonly accounts: Accounts;
  /** Null: no such user. */
  readonly found: FoundAccount | null;
  readonly account: Account | null;
  /** `USER bob`. */
  readonly label: string;
  readonly now = Date.now();
  readonly startedAt = performance.now();
  readonly lines: string[] = [];
  readonly environment: Record<string, string> = {};

  constructor(request: SshAuthRequest, origin: LoginOrigin, config: EffectiveConfig, accounts: Accounts) {
    this.request = request;
    this.origin = origin;
    this.config = config;
    this.accounts = accounts;
    this.label = labelOf(request.loginName, false);
    const resolution = resolveRealUser(config, request.loginName);
    const isKnown = resolution.kind === 'real' && request.loginName.length <= MAX_LOGIN_NAME;
    this.found = isKnown ? accounts.find(resolution.user) : null;
    this.account = this.found === null ? null : accounts.toAccount(this.found);
  }

  get settings(): Settings {
    return this.config.settings;
  }

  get loginName(): string {
    return this.request.loginName;
  }

  /** A line of the session's SFTPLog. */
  readonly note = (text: string): void => {
    this.lines.push(text);
  };

  /** `USER bob: no such user found from host [address] to address:port`, as FTP logs it. */
  noSuchUser(): Refusal {
    const { remoteAddress, localAddress, localPort } = this.origin;
    const route = `from ${this.request.hostName} [${remoteAddress}] to ${localAddress}:${localPort}`;
    return { level: 'notice', text: `${this.label}: no such user found ${route}`, disconnect: false };
  }
}

export function failed(refusal: Refusal | null): Failed {
  return { kind: 'failed', refusal };
}
