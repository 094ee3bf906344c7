/** The account of a session, if it has one. */
import type { Account } from '../../src/actor/messages.ts';
import type { FtpSession } from './session-types.ts';

export function accountOf(session: FtpSession): Account | null {
  return session.login.kind === 'logged-in' ? session.login.account : null;
}
