/** What SFTP requests leave in ExtendedLog, TransferLog, SFTPLog, counters and events (sftp-directives, section 4). */
import { logsCommand } from '../../src/log/extended-log.ts';
import type { CommandRecord } from '../../src/log/session-log.ts';
import type { SshSession } from '../ssh/ssh-types.ts';
import { transferRecord } from '../transfer/transfer-record.ts';
import type { FileHandle } from './file-handle.ts';
import type { RequestRow, RunningRequest } from './sftp-types.ts';
import { MessageType } from './wire/message-types.ts';
import { StatusCode, statusText } from './wire/status.ts';

/** FTP's own classes of the commands that stand beside requests. */
const ftpClasses: Readonly<Record<string, readonly string[]>> = {
  DELE: ['WRITE'],
  MKD: ['WRITE'],
  RMD: ['WRITE'],
  RNTO: ['WRITE'],
  MLSD: ['DIRS'],
  RETR: ['READ'],
  STOR: ['WRITE'],
  APPE: ['WRITE'],
};
const FTP_DONE = 250;
const FTP_FAILED = 550;
const TRANSFER_DONE = 226;
const TRANSFER_FAILED = 451;

export const READ_CLASSES: readonly string[] = ['READ', 'SFTP'];
export const WRITE_CLASSES: readonly string[] = ['WRITE', 'SFTP'];

export class RequestLog {
  /** Whether any ExtendedLog wants single READs and WRITEs; mostly none does. */
  readonly wantsReads: boolean;
  readonly wantsWrites: boolean;
  readonly #session: SshSession;

  constructor(session: SshSession) {
    this.#session = session;
    const { extendedLog } = session.settings;
    const wants = (verb: string, classes: readonly string[]): boolean =>
      extendedLog.some((target) => logsCommand(target, { verb, classes }));
    this.wantsReads = wants('READ', READ_CLASSES);
    this.wantsWrites = wants('WRITE', WRITE_CLASSES);
  }

  /** One answered request; `reply` is what the client is told. */
  request(row: RequestRow, request: RunningRequest, reply: Buffer, startedAt: number): void {
    const isStatus = reply[4] === MessageType.STATUS;
    const code = (isStatus ? reply.readUInt32BE(9) : StatusCode.OK) as StatusCode;
    const { log } = this.#session.context;
    const realPath =
      request.realPath ?? (request.path === null ? null : this.#session.vfs.realPath(request.path));
    const common = {
      argument: request.argument,
      receivedAt: new Date(),
      milliseconds: performance.now() - startedAt,
      realPath,
      clientPath: request.path,
      renameFrom: request.renameFrom,
      transfer: null,
    };
    const classes = request.classes ?? row.classes;
    log.command({ ...common, verb: row.name, classes, replyCode: code, replyText: statusText(code) });
    if (row.ftpEquivalent === null) return;
    const failed = code !== StatusCode.OK;
    log.command({
      ...common,
      verb: row.ftpEquivalent,
      classes: ftpClasses[row.ftpEquivalent] ?? [],
      replyCode: failed ? FTP_FAILED : FTP_DONE,
      replyText: failed ? statusText(code) : `${row.ftpEquivalent} command successful`,
    });
  }

  /** A READ or WRITE, where an ExtendedLog asks for each of them. */
  data(verb: 'READ' | 'WRITE', handle: FileHandle | null, code: StatusCode): void {
    this.#session.context.log.command({
      verb,
      argument: handle?.path ?? '',
      classes: verb === 'READ' ? READ_CLASSES : WRITE_CLASSES,
      replyCode: code,
      replyText: statusText(code),
      receivedAt: new Date(),
      milliseconds: 0,
      realPath: handle?.realPath ?? null,
      clientPath: handle?.path ?? null,
      renameFrom: null,
      transfer: null,
    });
  }

  /** REMOVE: the deletion's line in the TransferLog. */
  deleted(realPath: string): void {
    const { context } = this.#session;
    const transfer = { direction: 'upload', realPath, bytes: 0, milliseconds: 0 } as const;
    const record = transferRecord(
      { ...transfer, ascii: false, anonymous: false, completed: true },
      context.facts,
    );
    context.log.transfer({ ...record, direction: 'd' });
  }

  /**
   * The end of a file's handle.
   * @param failure why the file is not what it was meant to be; null: closed by the client, all well
   */
  transferEnded(handle: FileHandle, failure: string | null, closedByClient: boolean): void {
    const { context } = this.#session;
    const milliseconds = performance.now() - handle.openedAt;
    const received = handle.bytesIn.bytes;
    const sent = handle.bytesOut.bytes;
    const direction = handle.writable && (received > 0 || sent === 0) ? 'upload' : 'download';
    const bytes = direction === 'upload' ? received : sent;
    const completed = failure === null && closedByClient;
    handle.bytesIn.flush();
    handle.bytesOut.flush();
    context.facts.bytesIn += received;
    context.facts.bytesOut += sent;
    if (completed && direction === 'upload') context.facts.filesIn += 1;
    if (completed && direction === 'download') context.facts.filesOut += 1;
    const finished = { direction, realPath: handle.realPath, bytes, milliseconds, completed } as const;
    context.log.transfer(transferRecord({ ...finished, ascii: false, anonymous: false }, context.facts));
    context.log.command(this.#transferCommand(handle, finished, failure));
    this.#report(handle, finished);
  }

  #transferCommand(
    handle: FileHandle,
    ended: { bytes: number; milliseconds: number; completed: boolean },
    failure: string | null,
  ): CommandRecord {
    const { completed } = ended;
    const reason = completed ? null : (failure ?? 'Data connection closed');
    return {
      verb: handle.command,
      argument: handle.path,
      classes: ftpClasses[handle.command] ?? [],
      replyCode: completed ? TRANSFER_DONE : TRANSFER_FAILED,
      replyText: completed ? 'Transfer complete' : `Transfer aborted. ${reason}`,
      receivedAt: new Date(),
      milliseconds: ended.milliseconds,
      realPath: handle.realPath,
      clientPath: handle.path,
      renameFrom: null,
      transfer: {
        bytes: ended.bytes,
        milliseconds: ended.milliseconds,
        status: completed ? 'success' : failure === null ? 'cancelled' : 'failed',
        failure: reason,
        ascii: false,
        port: 0,
        offset: 0,
        fileSize: handle.size,
        fileModified: handle.previousSize !== null && handle.bytesIn.bytes > 0,
      },
    };
  }

  #report(
    handle: FileHandle,
    ended: { direction: 'upload' | 'download'; bytes: number; milliseconds: number; completed: boolean },
  ): void {
    const { context } = this.#session;
    if (!context.reportsTransfers) return;
    const { direction, bytes, milliseconds, completed } = ended;
    const who = { sessionId: context.sessionId, user: context.facts.user ?? '' };
    const event = { ...who, direction, path: handle.path, bytes, milliseconds, completed };
    // An embedder's event must not delay the reply; a main that is gone ends the session by other means.
    context.services.reportTransfer(event).catch((error: unknown) => {
      const reason = error instanceof Error ? error.name : 'error';
      context.log.system('warn', `unable to report a transfer to the main actor: ${reason}`);
    });
  }
}
