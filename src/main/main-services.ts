/**
 * MainServices for one session: what its actor may ask of main. Main decides logins and limits, trusts no actor, and
 * refuses a call that does not fit the session's phase.
 */
import { isIP } from 'node:net';
import type { AdmitLogin, MainServices, TransferReport } from '../actor/messages.ts';
import type { AuthService, LoginOrigin } from '../auth/auth-service.ts';
import type { ServerConfig, Settings } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import { admitLogin, admitTransfer } from './admission.ts';
import { bindLowPort } from './privileged.ts';
import type { SessionEntry, SessionRegistry } from './session-registry.ts';

/** The part of src/auth that main uses. */
export type Authenticator = Pick<
  AuthService,
  'inquireUser' | 'login' | 'authenticateSsh' | 'loginCompleted' | 'forgetSession' | 'openStores' | 'close'
> & {
  /** In FIPS mode the start waits for it; rejects with FipsProbeError. */
  readonly ready?: Promise<void>;
};

export interface MainServicesOptions {
  readonly session: SessionEntry;
  readonly registry: SessionRegistry;
  readonly auth: Authenticator;
  /** The configuration of a version that a live session uses. */
  readonly configOf: (version: number) => ServerConfig | undefined;
  /** Settings in force for a login: user, groups and `<Anonymous>` merged. */
  readonly settingsFor: (config: ServerConfig, session: SessionEntry, claim: AdmitLogin) => Settings;
  /** One line of the server log about this session. */
  readonly log: (level: LogLevel, text: string) => void;
  readonly onLogin: (session: SessionEntry) => void;
  readonly onTransfer: (session: SessionEntry, report: TransferReport) => void;
}

/** An actor asked for something its session may not have now: a bug or a hostile actor; the call fails. */
export class PhaseError extends Error {
  constructor(call: string, phase: string) {
    super(`${call} is not allowed for a session that is ${phase}`);
    this.name = 'PhaseError';
  }
}

export function createMainServices(options: MainServicesOptions): MainServices {
  const { session, registry } = options;
  let loginRunning = false;

  function configFor(version: number): ServerConfig {
    const config = version === session.configVersion ? options.configOf(version) : undefined;
    if (config === undefined)
      throw new Error(`session ${session.id} asked for configuration version ${version}`);
    return config;
  }

  /** The virtual host named in a claim must share the session's listener; HOST and SNI cannot reach others. */
  function requireReachable(config: ServerConfig, virtualHost: number): void {
    if (config.virtualHosts[virtualHost] === undefined) {
      throw new Error(`session ${session.id} named virtual host ${virtualHost}`);
    }
  }

  return {
    fetchConfig: async (version) => configFor(version),

    async inquireUser(inquiry) {
      if (session.phase.kind === 'logged-in') throw new PhaseError('inquireUser', session.phase.kind);
      const config = configFor(inquiry.configVersion);
      requireReachable(config, inquiry.virtualHost);
      return options.auth.inquireUser(config, inquiry);
    },

    async login(claim) {
      if (session.phase.kind !== 'connected') throw new PhaseError('login', session.phase.kind);
      // One at a time: parallel guesses would get round the limits on attempts.
      if (loginRunning) throw new PhaseError('login', 'logging in');
      const config = configFor(claim.configVersion);
      requireReachable(config, claim.virtualHost);
      loginRunning = true;
      try {
        const result = await options.auth.login(config, claim, originOf(session));
        if (result.ok) {
          session.phase = {
            kind: 'authenticated',
            account: result.account,
            loginName: claim.loginName,
            virtualHost: claim.virtualHost,
            anonymous: result.anonymous,
          };
        }
        return result;
      } finally {
        loginRunning = false;
      }
    },

    async authenticateSsh(request) {
      if (session.phase.kind !== 'connected') throw new PhaseError('authenticateSsh', session.phase.kind);
      if (loginRunning) throw new PhaseError('authenticateSsh', 'logging in');
      const config = configFor(request.configVersion);
      requireReachable(config, request.virtualHost);
      loginRunning = true;
      try {
        const answer = await options.auth.authenticateSsh(config, request, originOf(session));
        if (answer.kind === 'accepted') {
          session.phase = {
            kind: 'authenticated',
            account: answer.account,
            loginName: request.loginName,
            virtualHost: request.virtualHost,
            anonymous: null,
          };
        }
        return answer;
      } finally {
        loginRunning = false;
      }
    },

    async admitLogin(claim) {
      if (session.phase.kind !== 'authenticated') throw new PhaseError('admitLogin', session.phase.kind);
      const { account, loginName, virtualHost, anonymous } = session.phase;
      const config = configFor(claim.configVersion);
      // What was proved at login counts, whatever the actor says now.
      const proved: AdmitLogin = {
        ...claim,
        user: account.user,
        loginName,
        virtualHost,
        anonymous,
        groups: account.groups,
      };
      const verdict = admitLogin(
        proved,
        session,
        options.settingsFor(config, session, proved),
        config,
        registry,
      );
      if (!verdict.ok) {
        options.log('notice', verdict.log);
        return { ok: false, reply: verdict.reply, reason: verdict.reason };
      }
      session.phase = {
        kind: 'logged-in',
        account,
        loginName,
        virtualHost,
        anonymous,
        className: claim.className,
      };
      options.auth.loginCompleted(loginName, account, anonymous, originOf(session));
      options.onLogin(session);
      return { ok: true };
    },

    async beginTransfer(claim) {
      requireLoggedIn(session, 'beginTransfer');
      const verdict = admitTransfer(claim, session, registry);
      if (verdict === 'ok') session.transfer = claim.command;
      return verdict;
    },

    async endTransfer() {
      session.transfer = null;
    },

    async bindLowPort(localAddress, port) {
      requireLoggedIn(session, 'bindLowPort');
      // Only the address the client reached, and only the port below its control port (RFC 959, section 5.2).
      if (isIP(localAddress) === 0 || localAddress !== session.localAddress || port !== session.localPort - 1)
        return null;
      return bindLowPort(localAddress, port);
    },

    async reportTransfer(report) {
      requireLoggedIn(session, 'reportTransfer');
      options.onTransfer(session, { ...report, sessionId: session.id });
    },

    async countClients(className) {
      const host = session.phase.kind === 'connected' ? session.virtualHost : session.phase.virtualHost;
      return registry.countLoggedIn(
        (_entry, login) =>
          login.virtualHost === host && (className === undefined || login.className === className),
      );
    },
  };
}

function requireLoggedIn(session: SessionEntry, call: string): void {
  if (session.phase.kind !== 'logged-in') throw new PhaseError(call, session.phase.kind);
}

function originOf(session: SessionEntry): LoginOrigin {
  return {
    sessionId: session.id,
    remoteAddress: session.remoteAddress,
    localAddress: session.localAddress,
    localPort: session.localPort,
  };
}
