/** The password of an SSH login, given at once or as an answer of keyboard-interactive. */
import { Secret } from '../log/secret.ts';
import { loginFailed, refuseAccountState } from './login-policy.ts';
import { checkPassword, spendDecoy } from './password-check.ts';
import { failed, PASSED, UNAVAILABLE } from './ssh-login-context.ts';
import type { MethodOutcome, SshAuthParts, SshTurn } from './ssh-login-context.ts';

/** Costs one hash whoever the user is. */
export async function checkSshPassword(
  turn: SshTurn,
  text: string,
  parts: SshAuthParts,
): Promise<MethodOutcome> {
  const { settings, label, loginName } = turn;
  const password = new Secret(text);
  // These two look at the password alone, so refusing them at once tells nothing about the account.
  if (password.byteLength > settings.maxPasswordSize) {
    const reason = `Password exceeds MaxPasswordSize (${settings.maxPasswordSize})`;
    turn.note(`password authentication for user '${loginName}' failed: ${reason}`);
    return failed(loginFailed(label, reason));
  }
  if (text === '' && !settings.allowEmptyPasswords) {
    turn.note(`password authentication for user '${loginName}' failed: Empty password`);
    return failed({
      level: 'notice',
      text: `Refusing empty password from user '${loginName}'`,
      disconnect: false,
    });
  }
  if (turn.found === null || turn.account === null) {
    await spendDecoy(password, turn.accounts, parts.hashPool);
    turn.note(`no account for user '${loginName}' found`);
    return failed(turn.noSuchUser());
  }
  const { user, groups } = turn.account;
  const named = turn.config.withPrincipal({ ...turn.config.principal, user, groups }, null);
  const question = { name: user, groups, password };
  const outcome = await checkPassword(question, named.settings, turn.accounts, parts.hashPool);
  return outcomeFor(turn, outcome);
}

function outcomeFor(turn: SshTurn, outcome: Awaited<ReturnType<typeof checkPassword>>): MethodOutcome {
  const { label, loginName } = turn;
  const wrong = (reason: string): MethodOutcome => {
    turn.note(`password authentication for user '${loginName}' failed: ${reason}`);
    return failed(loginFailed(label, reason));
  };
  switch (outcome.kind) {
    case 'accepted': {
      const refusal = refuseAccountState(label, outcome.state);
      if (refusal === null) return PASSED;
      return wrong(outcome.state === 'disabled' ? 'Account disabled' : 'Password expired');
    }
    case 'wrong':
      return wrong('Incorrect password');
    case 'no-password':
      return wrong('No such user found');
    case 'unsupported':
      return wrong(outcome.reason);
    case 'unavailable':
      turn.note(`password authentication for user '${loginName}' is not possible: ${outcome.reason}`);
      return UNAVAILABLE;
  }
}
