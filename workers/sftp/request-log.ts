/** What SFTP requests leave in ExtendedLog, TransferLog, SFTPLog, counters and events (sftp-directives, section 4). */
import type { Settings } from '../../src/config/server-config.ts';
import { logsCommand } from '../../src/log/extended-log.ts';
import type { SshSession } from '../ssh/ssh-types.ts';
import { recordTransferEnd, type TransferEnd } from '../transfer/transfer-end.ts';
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
};
const FTP_DONE = 250;
const FTP_FAILED = 550;
/** Single READs and WRITEs in the TraceLog. */
const DATA_TRACE_LEVEL = 18;

const INIT_CLASSES: readonly string[] = ['MISC', 'SFTP'];
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
    const traced = tracesData(session.settings);
    this.wantsReads = traced || wants('READ', READ_CLASSES);
    this.wantsWrites = traced || wants('WRITE', WRITE_CLASSES);
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
    log.trace(
      'sftp',
      7,
      () => `request ${request.id}: ${row.name} '${request.argument}': ${statusText(code)}`,
    );
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

  /** INIT; `version` is what the client asked for. */
  greeting(version: number): void {
    const { log } = this.#session.context;
    log.trace('sftp', 7, () => `INIT: client asks for version ${version}`);
    log.command({
      verb: 'INIT',
      argument: String(version),
      classes: INIT_CLASSES,
      replyCode: StatusCode.OK,
      replyText: statusText(StatusCode.OK),
      receivedAt: new Date(),
      milliseconds: 0,
      realPath: null,
      clientPath: null,
      renameFrom: null,
      transfer: null,
    });
  }

  /** A READ or WRITE, where an ExtendedLog asks for each of them. */
  data(verb: 'READ' | 'WRITE', handle: FileHandle | null, code: StatusCode): void {
    const { log } = this.#session.context;
    log.trace('sftp', DATA_TRACE_LEVEL, () => `${verb} '${handle?.path ?? ''}': ${statusText(code)}`);
    log.command({
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
    handle.bytesIn.flush();
    handle.bytesOut.flush();
    context.facts.bytesIn += received;
    context.facts.bytesOut += sent;
    recordTransferEnd(context, {
      direction,
      service: 'sftp',
      clientPath: handle.path,
      realPath: handle.realPath,
      verb: handle.command,
      bytes,
      milliseconds,
      fileSize: handle.size,
      fileModified: handle.previousSize !== null && received > 0,
      end: endOf(failure, closedByClient),
    });
  }
}

function endOf(failure: string | null, closedByClient: boolean): TransferEnd {
  if (failure !== null) return { kind: 'failed', reason: failure };
  return closedByClient ? { kind: 'completed' } : { kind: 'cancelled', reason: 'Data connection closed' };
}

function tracesData({ trace, traceLog }: Settings): boolean {
  const range = trace.get('sftp') ?? trace.get('DEFAULT');
  return traceLog !== null && range !== undefined && range.max >= DATA_TRACE_LEVEL;
}
