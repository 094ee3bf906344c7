/** One PASS, or one certificate login, on its way through the steps (core reference, section 3). */
import { join } from 'node:path';
import type { Account, LoginClaim } from '../actor/messages.ts';
import type { EffectiveConfig, Principal } from '../config/effective-config.ts';
import type { AnonymousSection } from '../config/server-config.ts';
import { Secret } from '../log/secret.ts';
import type { Accounts, FoundAccount, SourceContext } from './accounts.ts';
import {
  loginFailed,
  refuseAccountState,
  refuseAfterPassword,
  refuseAnonymousPassword,
  refuseByFiles,
  refuseByLimit,
  refuseRoot,
} from './login-policy.ts';
import type { Refusal, Subject } from './login-policy.ts';
import type { OneTimeCodes } from './one-time-codes.ts';
import { checkPassword, spendDecoy } from './password-check.ts';
import type { PasswordQuestion } from './password-check.ts';
import type { HashPool } from './password-pool.ts';
import { resolveUser } from './user-resolution.ts';
import type { Resolution } from './user-resolution.ts';

/** Where a login comes from, as main knows it; `sessionId` is what failed attempts are counted by. */
export interface LoginOrigin {
  readonly sessionId: number;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly localPort: number;
}

export type LoginOutcome =
  { readonly kind: 'accepted'; readonly account: Account; readonly anonymous: number | null } | RefusedLogin;

interface RefusedLogin {
  readonly kind: 'refused';
  readonly code: 'bad-credentials' | 'denied' | 'password-too-long' | 'empty-password' | 'unavailable';
  readonly refusal: Refusal;
}

export interface LoginAttemptParts {
  readonly claim: LoginClaim;
  readonly origin: LoginOrigin;
  /** In force before login. */
  readonly config: EffectiveConfig;
  readonly accounts: Accounts;
  readonly context: SourceContext;
  readonly hashPool: HashPool;
  readonly codes: OneTimeCodes;
}

/** Longer USER names are refused by the protocols already; here it bounds what is looked up and logged. */
export const MAX_LOGIN_NAME = 256;

/** Of a one-time code behind the password. */
const CODE_DIGITS = 6;

/** `USER bob`, or `ANON ftp`, as every log line about a login starts. */
export function labelOf(loginName: string, isAnonymous: boolean): string {
  return `${isAnonymous ? 'ANON' : 'USER'} ${loginName.slice(0, MAX_LOGIN_NAME)}`;
}

export class LoginAttempt {
  readonly #parts: LoginAttemptParts;
  readonly #password: Secret;
  readonly #resolution: Resolution;
  readonly #section: AnonymousSection | null;
  readonly #label: string;
  /** False for certificate logins, and for anonymous ones that need no real password. */
  readonly #checksPassword: boolean;

  constructor(parts: LoginAttemptParts) {
    const { claim, config } = parts;
    this.#parts = parts;
    this.#password = new Secret(claim.password ?? '');
    this.#resolution = resolveUser(config, claim.loginName);
    this.#section = this.#resolution.kind === 'anonymous' ? this.#resolution.section : null;
    this.#label = labelOf(claim.loginName, this.#section !== null);
    const byCertificate = claim.verifiedByCertificate && claim.password === null;
    const { anonRequirePassword } = config.withPrincipal(config.principal, this.#section).settings;
    this.#checksPassword = !byCertificate && (this.#section === null || anonRequirePassword);
  }

  async decide(): Promise<LoginOutcome> {
    const { claim, config } = this.#parts;
    const { settings } = config.withPrincipal(config.principal, this.#section);
    // These two look at the password alone, so refusing them at once tells nothing about the account.
    if (this.#password.byteLength > settings.maxPasswordSize) {
      const reason = `Password exceeds MaxPasswordSize (${settings.maxPasswordSize})`;
      return refused('password-too-long', loginFailed(this.#label, reason));
    }
    if (claim.password === '' && !settings.allowEmptyPasswords) {
      const text = `Refusing empty password from user '${claim.loginName.slice(0, MAX_LOGIN_NAME)}'`;
      return refused('empty-password', { level: 'notice', text, disconnect: false });
    }
    if (claim.password === null && !claim.verifiedByCertificate) {
      return this.#deny('bad-credentials', loginFailed(this.#label, 'Incorrect password'));
    }
    const found = this.#findAccount();
    if (found.kind === 'none') return this.#deny('bad-credentials', found.refusal);
    const account = this.#accountOf(found.found);
    if (account === null) {
      const reason = `no such group '${this.#section?.settings.group ?? ''}'`;
      return this.#deny('denied', loginFailed(this.#label, reason));
    }
    return this.#decideFor(found.found, account);
  }

  async #decideFor(found: FoundAccount, account: Account): Promise<LoginOutcome> {
    const { claim, config, context } = this.#parts;
    const subject: Subject = {
      label: this.#label,
      user: account.user,
      uid: account.uid,
      shell: account.shell,
    };
    const named: Principal = { ...config.principal, user: account.user, groups: account.groups };
    const before = config.withPrincipal(named, this.#section);

    const early =
      refuseRoot(subject, before.settings) ??
      (this.#section === null
        ? null
        : refuseAnonymousPassword(this.#label, this.#password.reveal(), before.settings)) ??
      refuseByLimit(subject, before);
    if (early !== null) return this.#deny('denied', early);

    const wrong = await this.#refusePassword(found, account, before);
    if (wrong !== null) return wrong;

    const after = config.withPrincipal({ ...named, authenticated: true }, this.#section);
    const late =
      refuseByFiles(subject, before.settings, context.cache, context.systemFiles) ??
      refuseAfterPassword(subject, after, claim.protocol);
    if (late !== null) return refused('denied', late);
    const anonymous = this.#resolution.kind === 'anonymous' ? this.#resolution.index : null;
    return { kind: 'accepted', account, anonymous };
  }

  /** Null: the password is right, or none is needed. */
  async #refusePassword(
    found: FoundAccount,
    account: Account,
    config: EffectiveConfig,
  ): Promise<RefusedLogin | null> {
    if (!this.#checksPassword) {
      const state = refuseAccountState(this.#label, found.account.state);
      return state === null ? null : refused('denied', state);
    }
    const { accounts, claim, hashPool } = this.#parts;
    const usesAlias = this.#section !== null && config.settings.authUsingAlias;
    const { password, code } = this.#splitPassword(found);
    const question: PasswordQuestion = {
      name: usesAlias ? claim.loginName : account.user,
      groups: account.groups,
      password,
    };
    const outcome = await checkPassword(question, config.settings, accounts, hashPool);
    switch (outcome.kind) {
      case 'accepted': {
        const badCode = code === null ? null : this.#refuseCode(found, code);
        if (badCode !== null) return badCode;
        // The account's own module tells its state, even when another one, or UserPassword, vouched for the password.
        const state =
          refuseAccountState(this.#label, found.account.state) ??
          refuseAccountState(this.#label, outcome.state);
        return state === null ? null : refused('denied', state);
      }
      case 'wrong':
        return refused('bad-credentials', loginFailed(this.#label, 'Incorrect password'));
      case 'no-password':
        return refused('bad-credentials', loginFailed(this.#label, 'No such user found'));
      case 'unsupported':
        return refused('bad-credentials', loginFailed(this.#label, outcome.reason));
      case 'unavailable': {
        const text = `${this.#label} (Login failed): Password check ${outcome.reason}`;
        return refused('unavailable', { level: 'error', text, disconnect: false });
      }
    }
  }

  /**
   * An account with one-time codes: FTP has no way to ask for one, so the six digits follow the password directly. The
   * code of `code` null is not asked for.
   */
  #splitPassword(found: FoundAccount): { readonly password: Secret; readonly code: string | null } {
    if (this.#section !== null || !this.#parts.codes.isRequired(found)) {
      return { password: this.#password, code: null };
    }
    const text = this.#password.reveal();
    return { password: new Secret(text.slice(0, -CODE_DIGITS)), code: text.slice(-CODE_DIGITS) };
  }

  #refuseCode(found: FoundAccount, code: string): RefusedLogin | null {
    const outcome = this.#parts.codes.check(found, code, Date.now());
    switch (outcome) {
      case 'right':
        return null;
      case 'wrong':
        return refused('bad-credentials', loginFailed(this.#label, 'Incorrect verification code'));
      case 'replayed':
        return refused('bad-credentials', loginFailed(this.#label, 'Verification code was used before'));
      case 'throttled':
        return refused('bad-credentials', loginFailed(this.#label, 'Too many incorrect verification codes'));
      case 'unavailable': {
        const text = `${this.#label} (Login failed): Verification code could not be marked as used`;
        return refused('unavailable', { level: 'error', text, disconnect: false });
      }
    }
  }

  #findAccount():
    | { readonly kind: 'found'; readonly found: FoundAccount }
    | { readonly kind: 'none'; readonly refusal: Refusal } {
    const { accounts, claim, origin } = this.#parts;
    const route = `from ${claim.hostName} [${origin.remoteAddress}] to ${origin.localAddress}:${origin.localPort}`;
    const none = (reason: string) =>
      ({
        kind: 'none',
        refusal: { level: 'notice', text: `${this.#label}: ${reason} ${route}`, disconnect: false },
      }) as const;
    if (this.#resolution.kind === 'not-an-alias') return none('user is not a UserAlias');
    const found = claim.loginName.length > MAX_LOGIN_NAME ? null : accounts.find(this.#resolution.user);
    return found === null ? none('no such user found') : { kind: 'found', found };
  }

  /**
   * An anonymous session has the uid of the section's User, the gid of its Group, and the section's directory as home.
   * Null: the Group does not exist.
   */
  #accountOf(found: FoundAccount): Account | null {
    const { accounts } = this.#parts;
    const account = accounts.toAccount(found);
    if (this.#section === null) return account;
    const anonymous = { ...account, home: this.#anonymousRoot(this.#section.root, account) };
    const groupName = this.#section.settings.group;
    if (groupName === undefined || groupName === null) return anonymous;
    const group = accounts.groupNamed(groupName);
    if (group === null) return null;
    return {
      ...anonymous,
      gid: group.gid,
      groupName: group.name,
      groupIds: [group.gid],
      groups: [group.name],
    };
  }

  /** `~` is the section's User's home, `~name` another's; an unknown name stays as it is and fails at chroot. */
  #anonymousRoot(root: string, account: Account): string {
    const match = /^~([^/]*)(.*)$/.exec(root);
    if (match === null) return root;
    const [, name = '', rest = ''] = match;
    const home =
      name === '' || name === account.user ? account.home : this.#parts.accounts.find(name)?.account.home;
    return home === undefined ? root : join(home, rest);
  }

  /** A refusal before the password was checked: it takes as long as a wrong password all the same. */
  async #deny(code: RefusedLogin['code'], refusal: Refusal): Promise<RefusedLogin> {
    if (this.#checksPassword) await spendDecoy(this.#password, this.#parts.accounts, this.#parts.hashPool);
    return refused(code, refusal);
  }
}

function refused(code: RefusedLogin['code'], refusal: Refusal): RefusedLogin {
  return { kind: 'refused', code, refusal };
}
