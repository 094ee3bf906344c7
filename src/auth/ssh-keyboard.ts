/**
 * keyboard-interactive (RFC 4256): asks for the password and, where the account has one-time codes, for a code; or, behind
 * a link that was passed already, for the code alone. Whether an account has codes shows only to who knows its password
 * or has its key.
 */
import type { SshPrompt } from '../actor/messages.ts';
import { loginFailed } from './login-policy.ts';
import { failed, PASSED, UNAVAILABLE } from './ssh-login-context.ts';
import type { MethodOutcome, SshAuthParts, SshTurn } from './ssh-login-context.ts';
import type { OpenLink } from './ssh-method-chains.ts';
import { checkSshPassword } from './ssh-password.ts';

/** What the client is being asked for. */
export type Question = 'password' | 'code';

/** What the session has proved so far. */
export interface Proofs {
  password: boolean;
  code: boolean;
}

const PROMPTS: Readonly<Record<Question, SshPrompt>> = {
  password: { text: 'Password: ', echo: false },
  code: { text: 'Verification code: ', echo: false },
};

export function promptsFor(question: Question): readonly SshPrompt[] {
  return [PROMPTS[question]];
}

/**
 * What a link begins by asking: the code alone where its driver is `otp`, and behind a link of the same chain that has
 * shown the password, or the key of an account with codes. What other chains' links have shown does not shorten it.
 */
export function firstQuestion(turn: SshTurn, { link, behind }: OpenLink, parts: SshAuthParts): Question {
  if (link.driver === 'otp' || behind.has('password')) return 'code';
  return behind.has('key') && turn.found !== null && parts.codes.isRequired(turn.found) ? 'code' : 'password';
}

export type DialogueOutcome = MethodOutcome | { readonly kind: 'ask'; readonly question: Question };

/** Judges the answers to `question`; notes in `proofs` what they prove. */
export async function judgeAnswers(
  turn: SshTurn,
  question: Question,
  answers: readonly string[],
  proofs: Proofs,
  parts: SshAuthParts,
): Promise<DialogueOutcome> {
  const asked = PROMPTS[question];
  const [answer] = answers;
  if (answer === undefined || answers.length !== 1) {
    turn.note(`sent 1 challenges, but received ${answers.length} responses`);
    return failed(loginFailed(turn.label, `${asked.text.replace(': ', '')} not given`));
  }
  if (question === 'code') return judgeCode(turn, answer, proofs, parts);
  const outcome = await checkSshPassword(turn, answer, parts);
  if (outcome.kind !== 'passed') return outcome;
  proofs.password = true;
  const needsCode = turn.found !== null && !proofs.code && parts.codes.isRequired(turn.found);
  return needsCode ? { kind: 'ask', question: 'code' } : PASSED;
}

function judgeCode(turn: SshTurn, answer: string, proofs: Proofs, parts: SshAuthParts): MethodOutcome {
  const refuse = (reason: string): MethodOutcome => {
    turn.note(`keyboard-interactive authentication for user '${turn.loginName}' failed: ${reason}`);
    return failed(loginFailed(turn.label, reason));
  };
  const outcome = parts.codes.check(turn.found, answer, turn.now);
  switch (outcome) {
    case 'right':
      proofs.code = true;
      return PASSED;
    case 'wrong':
      if (turn.found === null) {
        turn.note(`no account for user '${turn.loginName}' found`);
        return failed(turn.noSuchUser());
      }
      return refuse(
        parts.codes.isRequired(turn.found)
          ? 'Incorrect verification code'
          : 'No verification codes for this account',
      );
    case 'replayed':
      return refuse('Verification code was used before');
    case 'throttled':
      return refuse('Too many incorrect verification codes');
    case 'unavailable':
      turn.note(`the verification code of user '${turn.loginName}' could not be marked as used`);
      return UNAVAILABLE;
  }
}
