/** Which protocol a session speaks, by the virtual host it came to. */
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import { createFtpSession } from '../ftp/ftp-session.ts';
import { createSshSession } from '../ssh/ssh-session.ts';
import type { ProtocolSession, SessionContext } from './session-context.ts';
import { sshServices } from './ssh-services.ts';

/** SFTPEngine decides. */
export function createProtocol(context: SessionContext): ProtocolSession {
  return speaksSsh(context.config) ? createSshSession(context, sshServices()) : createFtpSession(context);
}

export function speaksSsh(config: EffectiveConfig): boolean {
  return config.settings.sftpEngine;
}
