/** What REST, RANG and TYPE say about the next transfer. */
import type { FtpSession } from '../session-types.ts';

export interface TransferStart {
  /** First byte of the file. */
  readonly offset: number;
  /** Bytes at most (RANG), or null up to the end. */
  readonly length: number | null;
}

/** Reads and clears REST and RANG: they hold for one transfer command, whatever becomes of it. */
export function takeTransferStart(session: FtpSession): TransferStart {
  const { range, restartOffset } = session;
  session.range = null;
  session.restartOffset = 0;
  if (range === null) return { offset: restartOffset, length: null };
  return { offset: range.start, length: range.end - range.start + 1 };
}

/** The word of the 150 reply; it follows TYPE. */
export function typeWord(session: FtpSession): 'ASCII' | 'BINARY' {
  return session.transferType === 'ascii' ? 'ASCII' : 'BINARY';
}
