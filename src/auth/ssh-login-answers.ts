/** The answers an SSH login gives, and what they depend on besides its progress. */
import type { SshAuthMethod, SshAuthVerdict } from '../actor/messages.ts';
import type { EffectiveConfig } from '../config/effective-config.ts';
import { MAX_LOGIN_NAME } from './login-attempt.ts';
import { promptsFor } from './ssh-keyboard.ts';
import type { Question } from './ssh-keyboard.ts';
import type { SshTurn } from './ssh-login-context.ts';
import type { SshMethod } from './ssh-method-chains.ts';

/** RFC 4253, section 11.1. */
export const DISCONNECT = { protocolError: 2, byApplication: 11, noMoreMethods: 14 } as const;
/** Without MaxLoginAttempts SSH allows what OpenSSH allows (sftp-directives, "Attempts"). */
const DEFAULT_ATTEMPTS = 6;

/** The line of SFTPLog that goes with a FAILURE. */
export function noteRefusal(
  turn: SshTurn,
  verdict: Extract<SshAuthVerdict, { kind: 'refused' | 'disconnect' }>,
): void {
  if (verdict.kind === 'disconnect') return;
  const methods = verdict.methods.join(',');
  turn.note(
    turn.request.method.kind === 'none'
      ? `sending acceptable userauth methods: ${methods}`
      : `sending userauth failure; remaining userauth methods: ${methods}`,
  );
}

/** MaxLoginAttempts where it is given; 0 is no limit. */
export function attemptsAllowed(config: EffectiveConfig): number {
  const { virtualHost, settings } = config;
  const scopes = [virtualHost, ...virtualHost.conditionals];
  const isGiven = scopes.some((scope) => scope.settings.maxLoginAttempts !== undefined);
  if (!isGiven) return DEFAULT_ATTEMPTS;
  return settings.maxLoginAttempts === 0 ? Number.POSITIVE_INFINITY : settings.maxLoginAttempts;
}

/** Passwords would travel in clear, and nothing allows it. */
export function isInsecure(turn: SshTurn): boolean {
  return turn.request.insecureTransport && !turn.settings.sftpOptions.includes('AllowInsecureLogin');
}

/** The method sends what must not be read on the way. */
export function carriesPassword(method: SshMethod): boolean {
  return method === 'password' || method === 'keyboard-interactive';
}

/** INFO_REQUEST for one question. */
export function challenge(question: Question): SshAuthVerdict {
  return { kind: 'challenge', name: '', instruction: '', prompts: promptsFor(question) };
}

/** @param detail why the policy ends the session; null: the client broke the protocol */
export function disconnect(code: number, text: string, detail: string | null): SshAuthVerdict {
  return { kind: 'disconnect', code, text, endReason: detail === null ? 'protocol-error' : 'policy', detail };
}

/** The name the wire has for it. */
export function nameOf(method: SshAuthMethod): string {
  switch (method.kind) {
    case 'publickey-query':
      return 'publickey';
    case 'password-change':
      return 'password';
    case 'answers':
      return 'keyboard-interactive';
    case 'unknown':
    case 'malformed':
      return method.name;
    default:
      return method.kind;
  }
}

/** A name as logs show it. */
export function shortName(name: string): string {
  return name.slice(0, MAX_LOGIN_NAME);
}
