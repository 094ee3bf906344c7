/**
 * DisplayConnect, DisplayLogin, DisplayChdir, DisplayFileTransfer, DisplayQuit (core reference, section 8): small text
 * files whose lines go in front of a reply, variables filled in. A missing file is no error.
 */
import * as displayText from '../login/display-text.ts';
import type { DisplayingSession } from '../login/display-text.ts';
import type { FtpSession } from './session-types.ts';

/** DisplayConnect: a file of the machine, read with the server's own rights. Null when there is none. */
export function displayHostFile(session: FtpSession, path: string): Promise<string[] | null> {
  return displayText.displayHostFile(displaying(session), path);
}

/** DisplayChdir: a file the user could see. */
export function displayUserFile(session: FtpSession, path: string): Promise<string[] | null> {
  return displayText.displayUserFile(displaying(session), path);
}

/** DisplayLogin, DisplayFileTransfer and DisplayQuit. */
export function displaySessionFile(session: FtpSession, path: string): Promise<string[] | null> {
  const home = session.login.kind === 'logged-in' ? session.login.account.home : null;
  return displayText.displaySessionFile(displaying(session), home, path);
}

function displaying(session: FtpSession): DisplayingSession {
  const { context, settings, login } = session;
  return { context, settings, vfs: login.kind === 'logged-in' ? login.vfs : null };
}
