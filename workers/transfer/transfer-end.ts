/** What one file moved over SSH leaves behind when it ends: TransferLog, ExtendedLog, counts, events. SFTP and SCP alike. */
import type { SessionContext } from '../session/session-context.ts';
import { transferRecord } from './transfer-record.ts';

export type TransferEnd =
  | { readonly kind: 'completed' }
  /** `reason` is the operator's, in the log. */
  | { readonly kind: 'failed' | 'cancelled' | 'timeout'; readonly reason: string };

export interface FinishedFile {
  readonly direction: 'upload' | 'download';
  readonly service: 'sftp' | 'scp';
  /** As the client sees it. */
  readonly clientPath: string;
  readonly realPath: string;
  /** FTP's name of what happened: ExtendedLog and limits know transfers by it. */
  readonly verb: 'RETR' | 'STOR' | 'APPE';
  /** Payload. */
  readonly bytes: number;
  readonly milliseconds: number;
  /** Null: not known. */
  readonly fileSize: number | null;
  /** An upload changed a file that was there before. */
  readonly fileModified: boolean;
  readonly end: TransferEnd;
}

const DONE = 226;
const FAILED = 451;

/** Called once per file, at its end. */
export function recordTransferEnd(context: SessionContext, file: FinishedFile): void {
  const { facts, log } = context;
  const { direction, service, realPath, bytes, milliseconds, end } = file;
  const completed = end.kind === 'completed';
  if (completed && direction === 'upload') facts.filesIn += 1;
  else if (completed) facts.filesOut += 1;
  const finished = { direction, realPath, bytes, milliseconds, ascii: false, anonymous: false, completed };
  log.transfer({ ...transferRecord(finished, facts), service });
  log.command({
    verb: file.verb,
    argument: file.clientPath,
    classes: [direction === 'upload' ? 'WRITE' : 'READ'],
    replyCode: completed ? DONE : FAILED,
    replyText: completed ? 'Transfer complete' : `Transfer aborted. ${end.reason}`,
    receivedAt: new Date(Date.now() - milliseconds),
    milliseconds,
    realPath,
    clientPath: file.clientPath,
    renameFrom: null,
    ...(service === 'scp' ? { protocol: service } : {}),
    transfer: {
      bytes,
      milliseconds,
      status: completed ? 'success' : end.kind,
      failure: completed ? null : end.reason,
      ascii: false,
      port: 0,
      offset: 0,
      fileSize: file.fileSize,
      fileModified: file.fileModified,
    },
  });
  report(context, file, completed);
}

function report(context: SessionContext, file: FinishedFile, completed: boolean): void {
  if (!context.reportsTransfers) return;
  const { direction, clientPath: path, bytes, milliseconds } = file;
  const who = { sessionId: context.sessionId, user: context.facts.user ?? '' };
  const event = { ...who, direction, path, bytes, milliseconds, completed };
  // An embedder's event must not delay the client; a main that is gone ends the session by other means.
  context.services.reportTransfer(event).catch((error: unknown) => {
    const reason = error instanceof Error ? error.name : 'error';
    context.log.system('warn', `unable to report a transfer to the main actor: ${reason}`);
  });
}
