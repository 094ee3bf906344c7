/** The xferlog record of one finished or broken transfer. */
import type { SessionFacts, TransferRecord } from '../../src/log/session-log.ts';

export interface FinishedTransfer {
  readonly direction: 'upload' | 'download';
  /** Absolute real path, root directory included. */
  readonly realPath: string;
  readonly bytes: number;
  readonly milliseconds: number;
  readonly ascii: boolean;
  readonly anonymous: boolean;
  readonly completed: boolean;
}

/** Names come from the session's facts: the login name, or the e-mail address an anonymous user gave. */
export function transferRecord(transfer: FinishedTransfer, facts: SessionFacts): TransferRecord {
  const name = transfer.anonymous ? facts.anonymousPassword : null;
  return {
    finishedAt: new Date(),
    seconds: transfer.milliseconds / 1000,
    bytes: transfer.bytes,
    realPath: transfer.realPath,
    ascii: transfer.ascii,
    direction: transfer.direction === 'upload' ? 'i' : 'o',
    anonymous: transfer.anonymous,
    user: name ?? facts.user ?? facts.loginName ?? '-',
    service: facts.protocol,
    identUser: facts.identUser,
    completed: transfer.completed,
  };
}
