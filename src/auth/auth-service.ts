/**
 * Logins as main decides them. The order at PASS is ProFTPD's (core reference, section 3): Anonymous section,
 * UserAlias, account; root; AnonRejectPasswords; `<Limit LOGIN>`; password; shell; ftpusers; `<Limit LOGIN>` again;
 * Protocols. The log says which step refused; the client cannot tell, not from the answer and not from the time.
 */
import type {
  Account,
  LoginClaim,
  LoginResult,
  SshAuthAnswer,
  SshAuthRequest,
  UserAnswer,
  UserInquiry,
} from '../actor/messages.ts';
import { activeProfile } from '../../crypto/profile.ts';
import { createEffectiveConfig } from '../config/effective-config.ts';
import type { EffectiveConfig, Principal } from '../config/effective-config.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import { withRootCredentials } from '../util/thread-credentials.ts';
import { createAccountFileCache } from './account-file-cache.ts';
import type { AsRoot } from './account-file-cache.ts';
import { Accounts } from './accounts.ts';
import type { SourceContext } from './accounts.ts';
import { FailureDelay } from './failure-delay.ts';
import { SYSTEM_FILES } from './file-sources.ts';
import { censusLines } from './hash-census.ts';
import type { SystemFiles } from './file-sources.ts';
import { KeyBlacklistFile } from './key-blacklist-file.ts';
import { labelOf, LoginAttempt } from './login-attempt.ts';
import type { LoginOrigin } from './login-attempt.ts';
import { LoginCounter } from './login-counter.ts';
import { OneTimeCodes } from './one-time-codes.ts';
import type { HashPool } from './password-pool.ts';
import { SshAuthentication } from './ssh-authentication.ts';
import { KeyStoreFiles } from './ssh-key-stores.ts';
import { StoreConnections } from './store-source.ts';
import { resolveUser } from './user-resolution.ts';

export type { LoginOrigin } from './login-attempt.ts';

export interface AuthServiceOptions {
  /** One line of the server log; `origin` is the session it is about, null for lines about files. */
  readonly log: (level: LogLevel, text: string, origin: LoginOrigin | null) => void;
  readonly hashPool: HashPool;
  /** How account files are read; by default with root's rights where the process kept them. */
  readonly asRoot?: AsRoot;
  readonly systemFiles?: SystemFiles;
}

export interface AuthService {
  /** What USER needs to know; `home` is for main's and the actor's certificate logins only, never for the client. */
  inquireUser(config: ServerConfig, inquiry: UserInquiry): Promise<UserAnswer>;
  /** Logs every refusal itself. The account of an anonymous login has the section's root directory as `home`. */
  login(config: ServerConfig, claim: LoginClaim, origin: LoginOrigin): Promise<LoginResult>;
  /** One request of SSH user authentication; logs refusals itself. */
  authenticateSsh(config: ServerConfig, request: SshAuthRequest, origin: LoginOrigin): Promise<SshAuthAnswer>;
  /** Writes `USER u: Login successful.`; main calls it when admitLogin let the session in. */
  loginCompleted(loginName: string, account: Account, anonymous: number | null, origin: LoginOrigin): void;
  /** A connection ended: its failed attempts are forgotten. */
  forgetSession(sessionId: number): void;
  /** Opens the embedded stores of a configuration; false where one cannot be used (logged). */
  openStores(config: ServerConfig): boolean;
  /** Closes the stores and ends the hash pool. */
  close(): Promise<void>;
}

export function createAuthService(options: AuthServiceOptions): AuthService {
  const { hashPool, asRoot = withRootCredentials, systemFiles = SYSTEM_FILES } = options;
  const logFile = (level: LogLevel, text: string): void => options.log(level, text, null);
  const context: SourceContext = {
    cache: createAccountFileCache(asRoot, logFile),
    stores: new StoreConnections(asRoot, logFile),
    systemFiles,
    log: logFile,
  };
  const attempts = new LoginCounter();
  const codes = new OneTimeCodes();
  const ssh = new SshAuthentication({
    context,
    hashPool,
    keyFiles: new KeyStoreFiles(asRoot),
    blacklist: new KeyBlacklistFile(asRoot),
    codes,
    delay: new FailureDelay(),
    log: options.log,
  });
  const missingModules = new Set<string>();

  function accountsOf(config: EffectiveConfig): Accounts {
    return new Accounts(config.virtualHost, config.settings, context, (module) => {
      if (missingModules.has(module)) return;
      missingModules.add(module);
      logFile('warn', `AuthOrder: no such module '${module}' in this server, skipping it`);
    });
  }

  /** In FIPS mode: whose stored passwords cannot be checked. Each line once, however many servers share the files. */
  function logCensus(config: ServerConfig): void {
    if (!activeProfile().fips) return;
    const lines = new Map<string, LogLevel>();
    for (const { id } of config.virtualHosts) {
      const effective = configBeforeLogin(config, id, { ...ANY_PEER, className: null });
      for (const { source } of accountsOf(effective).order) {
        for (const { level, text } of censusLines(source.module, source.census())) lines.set(text, level);
      }
    }
    for (const [text, level] of lines) logFile(level, text);
  }

  return {
    async inquireUser(config, inquiry) {
      const effective = configBeforeLogin(config, inquiry.virtualHost, {
        ...ANY_PEER,
        className: inquiry.className,
      });
      const resolution = resolveUser(effective, inquiry.loginName);
      if (resolution.kind === 'anonymous') {
        const { settings } = effective.withPrincipal(effective.principal, resolution.section);
        return {
          anonymous: resolution.index,
          passwordRequired: settings.anonRequirePassword,
          user: resolution.user,
          home: null,
        };
      }
      const home = accountsOf(effective).find(resolution.user)?.account.home ?? null;
      return { anonymous: null, passwordRequired: true, user: resolution.user, home };
    },

    async login(config, claim, origin) {
      const effective = configBeforeLogin(config, claim.virtualHost, {
        address: origin.remoteAddress,
        hostName: claim.hostName,
        className: claim.className,
      });
      const { maxLoginAttempts } = effective.settings;
      if (attempts.exhausted(origin.sessionId, maxLoginAttempts)) {
        return { ok: false, code: 'too-many-attempts', disconnect: true };
      }
      const accounts = accountsOf(effective);
      const parts = { claim, origin, config: effective, accounts, context, hashPool, codes };
      const attempt = new LoginAttempt(parts);
      const outcome = await attempt.decide();
      if (outcome.kind === 'accepted') {
        return { ok: true, account: outcome.account, anonymous: outcome.anonymous };
      }
      options.log(outcome.refusal.level, outcome.refusal.text, origin);
      if (outcome.code === 'unavailable') return { ok: false, code: outcome.code, disconnect: false };
      const isLast = attempts.fail(origin.sessionId, maxLoginAttempts);
      if (isLast) {
        const text = `Maximum login attempts (${maxLoginAttempts}) exceeded, connection refused`;
        options.log('notice', text, origin);
      }
      const code = isLast && outcome.code === 'bad-credentials' ? 'too-many-attempts' : outcome.code;
      return { ok: false, code, disconnect: isLast || outcome.refusal.disconnect };
    },

    authenticateSsh(config, request, origin) {
      const effective = configBeforeLogin(config, request.virtualHost, {
        address: origin.remoteAddress,
        hostName: request.hostName,
        className: request.className,
      });
      return ssh.authenticate(request, origin, effective, accountsOf(effective));
    },

    loginCompleted(loginName, account, anonymous, origin) {
      attempts.forget(origin.sessionId);
      const isAnonymous = anonymous !== null;
      if (!isAnonymous && account.uid === 0) options.log('notice', 'ROOT FTP login successful', origin);
      options.log('info', `${labelOf(loginName, isAnonymous)}: Login successful.`, origin);
    },

    forgetSession(sessionId) {
      attempts.forget(sessionId);
      ssh.forget(sessionId);
    },

    openStores(config) {
      const paths = new Set(config.virtualHosts.map((virtualHost) => virtualHost.settings.userStore ?? null));
      const results = [...paths].map((path) => path === null || context.stores.open(path));
      logCensus(config);
      return results.every((opened) => opened);
    },

    async close() {
      context.stores.close();
      await hashPool.close();
    },
  };
}

interface Peer {
  readonly address: string;
  readonly hostName: string;
  readonly className: string | null;
}

/** USER is answered without looking at addresses; the class was decided at connect. */
const ANY_PEER = { address: '0.0.0.0', hostName: '0.0.0.0' };

/** What is in force before login: class sections merged, no user yet. */
function configBeforeLogin(config: ServerConfig, hostId: number, peer: Peer): EffectiveConfig {
  const virtualHost = config.virtualHosts[hostId];
  if (virtualHost === undefined) throw new Error(`login on unknown virtual host ${hostId}`);
  const principal: Principal = { ...peer, user: null, groups: [], authenticated: false };
  return createEffectiveConfig(config, virtualHost, principal);
}
