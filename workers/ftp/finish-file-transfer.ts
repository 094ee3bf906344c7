/** What RETR and STOR have in common once the bytes stopped: logs, counters, events, and the final reply. */
import { transferRecord } from '../transfer/transfer-record.ts';
import { displaySessionFile } from './display-file.ts';
import { replyForTransferFailure, transferFailureReason } from './reply-for-transfer-error.ts';
import type { FtpSession, LoggedDetails } from './session-types.ts';
import type { TransferOutcome, TransferRun } from './transfer-run.ts';
import { reply, withLinesBefore, type Reply } from './wire/reply.ts';

export interface FileTransfer {
  readonly direction: 'upload' | 'download';
  /** For log lines; the client's own words are in `run.clientPath`. */
  readonly realPath: string;
  readonly ascii: boolean;
  readonly offset: number;
  /** Size of the file after the transfer, where known. */
  readonly fileSize: number | null;
  /** An upload changed a file that was there before. */
  readonly fileModified: boolean;
}

/** Writes all logs of the transfer and gives its final reply. `success` is the reply of a complete one. */
export async function finishFileTransfer(
  session: FtpSession,
  run: TransferRun,
  outcome: TransferOutcome,
  transfer: FileTransfer,
): Promise<Reply> {
  const milliseconds = run.startedAt === 0 ? 0 : performance.now() - run.startedAt;
  session.logged.transfer = loggedTransfer(run, outcome, transfer, milliseconds);
  if (outcome.kind === 'unopened') return run.finalReply(outcome.reply);
  const completed = outcome.kind === 'completed';
  countTransfer(session, run, transfer.direction, completed);
  const anonymous = session.login.kind === 'logged-in' && session.login.anonymous !== null;
  const record = { ...transfer, bytes: run.bytes, milliseconds, anonymous, completed };
  session.context.log.transfer(transferRecord(record, session.context.facts));
  report(session, run, transfer.direction, milliseconds, completed);
  if (completed) return run.finalReply(await completeReply(session));
  logFailure(session, outcome.failure, transfer);
  return run.finalReply(replyForTransferFailure(outcome.failure, transfer.direction));
}

/** 226, with the lines of DisplayFileTransfer in front where there is such a file. */
async function completeReply(session: FtpSession): Promise<Reply> {
  const complete = reply(226, 'Transfer complete');
  const { displayFileTransfer } = session.settings;
  if (displayFileTransfer === null) return complete;
  const lines = await displaySessionFile(session, displayFileTransfer);
  return lines === null ? complete : withLinesBefore(complete, lines);
}

/** Adds the bytes of any transfer, listings too, to the session's facts. */
export function countBytes(session: FtpSession, run: TransferRun): void {
  const { facts } = session.context;
  if (run.direction === 'upload') {
    facts.bytesIn += run.bytes;
    facts.rawBytesIn += run.bytes;
  } else {
    facts.bytesOut += run.bytes;
    facts.rawBytesOut += run.bytes;
  }
}

function countTransfer(
  session: FtpSession,
  run: TransferRun,
  direction: 'upload' | 'download',
  completed: boolean,
): void {
  countBytes(session, run);
  if (!completed) return;
  if (direction === 'upload') session.context.facts.filesIn += 1;
  else session.context.facts.filesOut += 1;
}

type LoggedTransfer = NonNullable<LoggedDetails['transfer']>;

function loggedTransfer(
  run: TransferRun,
  outcome: TransferOutcome,
  transfer: FileTransfer,
  milliseconds: number,
): LoggedTransfer {
  return {
    bytes: run.bytes,
    milliseconds,
    status: transferStatus(outcome),
    failure: outcome.kind === 'failed' ? transferFailureReason(outcome.failure) : null,
    ascii: transfer.ascii,
    port: run.dataPort,
    offset: transfer.offset,
    fileSize: transfer.fileSize,
    fileModified: transfer.fileModified,
  };
}

function transferStatus(outcome: TransferOutcome): LoggedTransfer['status'] {
  if (outcome.kind === 'completed') return 'success';
  if (outcome.kind === 'unopened') return 'failed';
  if (outcome.failure.kind === 'aborted') return outcome.failure.by === 'timeout' ? 'timeout' : 'cancelled';
  return outcome.failure.kind === 'stalled' ? 'timeout' : 'failed';
}

/** The operator's lines; a stall also ends the session. */
export function logFailure(
  session: FtpSession,
  failure: Extract<TransferOutcome, { kind: 'failed' }>['failure'],
  transfer: { readonly realPath: string; readonly direction: 'upload' | 'download' },
): void {
  const { log, facts } = session.context;
  if (failure.kind === 'stalled') {
    log.system('notice', `Data transfer stall timeout: ${failure.seconds} seconds`);
    session.end('timeout', 'TimeoutStalled');
    return;
  }
  if (failure.kind === 'size-limit') {
    const directive = transfer.direction === 'upload' ? 'MaxStoreFileSize' : 'MaxRetrieveFileSize';
    log.system(
      'notice',
      `${directive} (${failure.limit} bytes) reached: aborting transfer of '${transfer.realPath}'`,
    );
  }
  const user = facts.user ?? facts.loginName ?? '-';
  log.system('notice', `notice: user ${user}: aborting transfer: ${transferFailureReason(failure)}`);
}

function report(
  session: FtpSession,
  run: TransferRun,
  direction: 'upload' | 'download',
  milliseconds: number,
  completed: boolean,
): void {
  const { context } = session;
  if (!context.reportsTransfers) return;
  const event = {
    sessionId: context.sessionId,
    user: context.facts.user ?? '',
    direction,
    path: run.clientPath,
    bytes: run.bytes,
    milliseconds,
    completed,
  };
  // An embedder's event must not delay the reply; a main that is gone ends the session by other means.
  context.services.reportTransfer(event).catch((error: unknown) => {
    const reason = error instanceof Error ? error.name : 'error';
    context.log.system('warn', `unable to report a transfer to the main actor: ${reason}`);
  });
}
