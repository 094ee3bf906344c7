/**
 * One SSH connection's way to a login: which user, which links of which chain are passed, how many attempts are left.
 * Lives in main for as long as the connection (sftp-directives, SFTPAuthMethods; RFC 4252).
 */
import type { Account, SshAuthAnswer, SshAuthMethod, SshAuthVerdict } from '../actor/messages.ts';
import type { FoundAccount } from './accounts.ts';
import { loginFailed } from './login-policy.ts';
import { refuseAtGate } from './ssh-gate.ts';
import type { GateRefusal } from './ssh-gate.ts';
import { firstQuestion, judgeAnswers } from './ssh-keyboard.ts';
import type { Proofs, Question } from './ssh-keyboard.ts';
import { checkHostbased, checkUserSignature, judgeUserKey } from './ssh-key-proof.ts';
import { failed, PASSED } from './ssh-login-context.ts';
import type { Failed, MethodOutcome, SshAuthParts, SshTurn } from './ssh-login-context.ts';
import {
  attemptsAllowed,
  carriesPassword,
  challenge,
  disconnect,
  DISCONNECT,
  isInsecure,
  nameOf,
  noteRefusal,
  shortName,
} from './ssh-login-answers.ts';
import { ChainProgress, chainsInForce } from './ssh-method-chains.ts';
import type { OpenLink, Proof, SshMethod } from './ssh-method-chains.ts';
import { checkSshPassword } from './ssh-password.ts';

/** `none` and key queries do not count as attempts; this only keeps them from going on for ever. */
const MAX_FREE_REQUESTS = 100;

type Judgement = SshAuthVerdict | MethodOutcome;
type ProvingMethod = Extract<SshAuthMethod, { kind: 'password' | 'publickey' | 'hostbased' | 'answers' }>;

export class SshLogin {
  readonly #parts: SshAuthParts;
  #loginName: string | null = null;
  #progress: ChainProgress | null = null;
  #failures = 0;
  #freeRequests = 0;
  readonly #usedKeys = new Set<string>();
  /** The key whose link is being passed. */
  #candidateKey: string | null = null;
  #proofs: Proofs = { password: false, code: false };
  /** `#proofs` before the link that is being tried: what it proved does not outlive its failure. */
  #proofsBefore: Proofs = { ...this.#proofs };
  /** What keyboard-interactive has asked and not yet been answered. */
  #question: Question | null = null;
  /** What the exchange that is or was running began with: it passes links that begin so, and no others. */
  #began: Question = 'password';

  constructor(parts: SshAuthParts) {
    this.#parts = parts;
  }

  /** Called one at a time. */
  async answer(turn: SshTurn): Promise<SshAuthAnswer> {
    const verdict = await this.#decide(turn);
    if (verdict.kind === 'refused' || verdict.kind === 'disconnect') noteRefusal(turn, verdict);
    return { ...verdict, sftpLog: turn.lines, environment: turn.environment };
  }

  async #decide(turn: SshTurn): Promise<SshAuthVerdict> {
    const { request } = turn;
    this.#loginName ??= request.loginName;
    if (request.loginName !== this.#loginName) {
      const [now, before] = [shortName(request.loginName), shortName(this.#loginName)];
      turn.note(
        `client used different user name '${now}' in USERAUTH_REQUEST (was '${before}'), disconnecting`,
      );
      return disconnect(DISCONNECT.protocolError, 'User name changed during authentication', null);
    }
    this.#progress ??= new ChainProgress(chainsInForce(turn.settings));
    if (this.#failures >= attemptsAllowed(turn.config)) return this.#attemptsExceeded(turn);
    if (this.#question !== null && request.method.kind !== 'answers') {
      this.#question = null;
      const name = request.method.kind;
      const outcome = failed(loginFailed(turn.label, 'Verification was abandoned'));
      turn.note(`keyboard-interactive exchange abandoned by a ${name} request`);
      const verdict = await this.#fail(turn, outcome);
      if (verdict.kind === 'disconnect') return verdict;
    }
    const judgement = await this.#judge(turn, request.method, this.#progress);
    switch (judgement.kind) {
      case 'failed':
        return this.#fail(turn, judgement);
      case 'unavailable':
        return this.#free(turn) ?? this.#refused(turn, false);
      case 'passed':
        // `#judge` turns it into a verdict; nothing may pass without the chain's consent.
        throw new Error('an SSH authentication method passed outside of its chain');
      default:
        return judgement;
    }
  }

  async #judge(turn: SshTurn, method: SshAuthMethod, progress: ChainProgress): Promise<Judgement> {
    const name = nameOf(method);
    turn.environment['SFTP_USER_AUTH_METHOD'] = name;
    if (method.kind === 'none') return this.#free(turn) ?? this.#refused(turn, false);
    const known = progress.methods.find((candidate) => candidate === name);
    if (known === undefined || method.kind === 'unknown') {
      turn.note(`unsupported authentication method '${name}' requested`);
      return failed(null);
    }
    const insecure = this.#refuseInsecure(turn, known);
    if (insecure !== null) return insecure;
    switch (method.kind) {
      case 'malformed':
        turn.note(`malformed ${name} request, rejecting request`);
        return failed(loginFailed(turn.label, 'Malformed authentication request'));
      case 'password-change':
        turn.note(`password change requested by user '${turn.loginName}', which is not supported`);
        return failed(loginFailed(turn.label, 'Password change is not supported'));
      case 'publickey-query':
        return this.#query(turn, method);
      case 'keyboard-interactive':
        return this.#begin(turn, progress);
      default:
        return this.#prove(turn, method, known, progress);
    }
  }

  #begin(turn: SshTurn, progress: ChainProgress): Judgement {
    const [open] = progress.openLinks('keyboard-interactive');
    if (open === undefined) throw new Error('keyboard-interactive was let through without a link for it');
    this.#proofsBefore = { ...this.#proofs };
    this.#began = firstQuestion(turn, open, this.#parts);
    this.#question = this.#began;
    return challenge(this.#began);
  }

  async #prove(
    turn: SshTurn,
    method: ProvingMethod,
    name: SshMethod,
    progress: ChainProgress,
  ): Promise<Judgement> {
    if (method.kind !== 'answers') this.#proofsBefore = { ...this.#proofs };
    const outcome = await this.#check(turn, method);
    if (outcome.kind !== 'passed') return outcome;
    turn.note(`user '${turn.loginName}' authenticated via '${name}' method`);
    return this.#pass(turn, name, progress);
  }

  async #check(turn: SshTurn, method: ProvingMethod): Promise<Judgement> {
    const parts = this.#parts;
    switch (method.kind) {
      case 'password': {
        const outcome = await checkSshPassword(turn, method.password, parts);
        if (outcome.kind === 'passed') this.#proofs.password = true;
        return outcome;
      }
      case 'publickey': {
        const judged = judgeUserKey(turn, method, this.#usedKeys, parts);
        if (judged.kind === 'failed') return judged;
        const outcome = checkUserSignature(turn, method, judged);
        if (outcome.kind !== 'passed') return outcome;
        this.#candidateKey = judged.identity;
        return PASSED;
      }
      case 'hostbased':
        return checkHostbased(turn, method, parts);
      case 'answers':
        return this.#hear(turn, method.answers);
    }
  }

  async #hear(turn: SshTurn, answers: readonly string[]): Promise<Judgement> {
    const question = this.#question;
    this.#question = null;
    if (question === null) {
      turn.note('keyboard-interactive response without a question');
      return disconnect(DISCONNECT.protocolError, 'Unexpected authentication response', null);
    }
    const outcome = await judgeAnswers(turn, question, answers, this.#proofs, this.#parts);
    if (outcome.kind !== 'ask') return outcome;
    this.#question = outcome.question;
    return challenge(outcome.question);
  }

  #query(turn: SshTurn, method: Extract<SshAuthMethod, { kind: 'publickey-query' }>): Promise<Judgement> {
    const exhausted = this.#free(turn);
    if (exhausted !== null) return Promise.resolve(exhausted);
    const judged = judgeUserKey(turn, method, this.#usedKeys, this.#parts);
    if (judged.kind === 'granted') return Promise.resolve({ kind: 'key-acceptable' });
    // A question is no attempt; a key that everybody has is worth a line all the same.
    if (judged.refusal?.text.endsWith('blacklisted') === true) this.#logRefusal(turn, judged);
    return this.#settle(turn, this.#refused(turn, false));
  }

  /** A link is passed: is that the login, or is more to come? */
  #pass(turn: SshTurn, name: SshMethod, progress: ChainProgress): Judgement {
    const { found, account } = turn;
    if (found === null || account === null)
      throw new Error('a user without an account passed authentication');
    const needsCode = this.#proofs.password && !this.#proofs.code && this.#parts.codes.isRequired(found);
    const fits = (open: OpenLink): boolean =>
      name !== 'keyboard-interactive' || firstQuestion(turn, open, this.#parts) === this.#began;
    const completes = progress.wouldComplete(name, fits);
    if (completes && !needsCode) {
      const refusal = this.#refuseAtGate(turn, found, account);
      if (refusal !== null) {
        // The link counts as not passed: nobody learns from the answer that the proof was good.
        turn.note(refusal.note);
        return failed(refusal.refusal);
      }
      return { kind: 'accepted', account, method: name };
    }
    if (this.#candidateKey !== null) this.#usedKeys.add(this.#candidateKey);
    this.#candidateKey = null;
    progress.pass(name, fits, [this.#shownBy(name)]);
    // The password alone is half of what an account with one-time codes asks for.
    if (completes) progress.require({ method: 'keyboard-interactive', driver: 'otp' });
    return this.#refused(turn, true);
  }

  #shownBy(name: SshMethod): Proof {
    if (name === 'keyboard-interactive') return this.#began;
    return name === 'password' ? 'password' : 'key';
  }

  #refuseAtGate(turn: SshTurn, found: FoundAccount, account: Account): GateRefusal | null {
    const { user, uid, shell, groups } = account;
    const principal = { ...turn.config.principal, user, groups, authenticated: true };
    return refuseAtGate({
      subject: { label: turn.label, user, uid, shell },
      loginName: turn.loginName,
      found,
      config: turn.config.withPrincipal(principal, null),
      cache: this.#parts.context.cache,
      systemFiles: this.#parts.context.systemFiles,
    });
  }

  /** Passwords do not travel in clear unless AllowInsecureLogin says so. */
  #refuseInsecure(turn: SshTurn, name: SshMethod): MethodOutcome | null {
    if (!isInsecure(turn) || !carriesPassword(name)) return null;
    turn.note(
      `cipher algorithm or MAC algorithm 'none' unacceptable for ${name} authentication, denying ${name} authentication request`,
    );
    return failed(null);
  }

  #free(turn: SshTurn): SshAuthVerdict | null {
    this.#freeRequests += 1;
    if (this.#freeRequests <= MAX_FREE_REQUESTS) return null;
    turn.note(`more than ${MAX_FREE_REQUESTS} authentication requests, disconnecting`);
    return disconnect(
      DISCONNECT.byApplication,
      'Too many authentication requests',
      'Denied by MaxLoginAttempts',
    );
  }

  async #fail(turn: SshTurn, outcome: Failed): Promise<SshAuthVerdict> {
    this.#logRefusal(turn, outcome);
    this.#proofs = { ...this.#proofsBefore };
    this.#candidateKey = null;
    this.#failures += 1;
    const isLast = this.#failures >= attemptsAllowed(turn.config);
    return this.#settle(turn, isLast ? this.#attemptsExceeded(turn) : this.#refused(turn, false));
  }

  #logRefusal(turn: SshTurn, { refusal }: Failed): void {
    if (refusal !== null) this.#parts.log(refusal.level, refusal.text, turn.origin);
  }

  /** An answer that may depend on whether the user exists waits for the floor under all of them. */
  async #settle<T>(turn: SshTurn, verdict: T): Promise<T> {
    await this.#parts.delay.settle(turn.startedAt, turn.loginName);
    return verdict;
  }

  #attemptsExceeded(turn: SshTurn): SshAuthVerdict {
    const allowed = attemptsAllowed(turn.config);
    const text = `Maximum login attempts (${allowed}) exceeded, refusing connection for user '${shortName(turn.loginName)}'`;
    turn.note(text);
    this.#parts.log('notice', text, turn.origin);
    return disconnect(
      DISCONNECT.byApplication,
      'Too many authentication failures',
      'Denied by MaxLoginAttempts',
    );
  }

  #refused(turn: SshTurn, partial: boolean): SshAuthVerdict {
    const all = this.#progress?.methods ?? [];
    const methods = isInsecure(turn) ? all.filter((method) => !carriesPassword(method)) : all;
    if (methods.length > 0) return { kind: 'refused', methods, partial };
    turn.note('no more auth methods available, disconnecting');
    return disconnect(DISCONNECT.noMoreMethods, 'No more authentication methods available', null);
  }
}
