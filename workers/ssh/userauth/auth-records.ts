/**
 * ExtendedLog lines of user authentication: the SSH request itself, and USER and PASS beside it, so that logs made for FTP
 * show SSH logins too (sftp-directives, section 4).
 */
import type { SessionContext } from '../../session/session-context.ts';

export interface AuthRecord {
  readonly verb: 'USERAUTH_REQUEST' | 'USER' | 'PASS';
  readonly argument: string;
  readonly replyCode: number;
  readonly replyText: string;
  readonly receivedAt: Date;
}

const CLASSES: Readonly<Record<AuthRecord['verb'], readonly string[]>> = {
  USERAUTH_REQUEST: ['AUTH', 'SSH'],
  USER: ['AUTH'],
  PASS: ['AUTH'],
};

export function recordAuth(context: SessionContext, record: AuthRecord): void {
  context.log.command({
    ...record,
    classes: CLASSES[record.verb],
    milliseconds: Date.now() - record.receivedAt.getTime(),
    realPath: null,
    clientPath: null,
    renameFrom: null,
    protocol: 'ssh2',
    transfer: null,
  });
}
