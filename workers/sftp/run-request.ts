/** One request that is no READ or WRITE: its row is found, runs, and its outcome becomes a reply and log lines. */
import { ByteReader } from '../../src/util/byte-reader.ts';
import { FsError } from '../vfs/fs-error.ts';
import { logLimitRefusal } from './limit-explanation.ts';
import type { QueuedRequest } from './queued-request.ts';
import { findExtendedRow, findRow } from './request-table.ts';
import type { RequestRow, RunningRequest, SftpService } from './sftp-types.ts';
import { unsupported } from './status-error.ts';
import { statusForError } from './status-for-error.ts';
import { MessageType } from './wire/message-types.ts';
import { encodeStatus } from './wire/status.ts';

/** Name of an EXTENDED request. */
const MAX_NAME_BYTES = 256;

/** Never throws for what a peer or a disk did; a promise where the request takes its time. */
export function runRequest(service: SftpService, queued: QueuedRequest): Buffer | Promise<Buffer> {
  const startedAt = performance.now();
  const request: RunningRequest = {
    id: queued.id,
    argument: '',
    path: null,
    realPath: null,
    renameFrom: null,
    classes: null,
  };
  let row: RequestRow | null = null;
  const answered = (reply: Buffer): Buffer => {
    if (row !== null) service.log.request(row, request, reply, startedAt);
    return reply;
  };
  const refused = (error: unknown): Buffer => answered(replyForError(service, error, row, request));
  try {
    const reader = new ByteReader(queued.body!);
    row = rowFor(service, queued.type, reader);
    const reply = row.run(service, row.parse(reader, service.version), request);
    return reply instanceof Promise ? reply.then(answered, refused) : answered(reply);
  } catch (error) {
    return refused(error);
  }
}

/** Throws a StatusError for what is unknown, of another version, or switched off. */
function rowFor(service: SftpService, type: number, reader: ByteReader): RequestRow {
  if (type !== MessageType.EXTENDED) return findRow(type, service.version) ?? refuse();
  if (service.version < 3) return refuse();
  const row = findExtendedRow(reader.string(MAX_NAME_BYTES).toString('latin1'));
  if (row === null || (row.extension !== null && !service.extensions.has(row.extension))) return refuse();
  return row;
}

function refuse(): never {
  throw unsupported();
}

/** Rethrows what is a bug of ours: the session ends with it in the log. */
export function replyForError(
  service: SftpService,
  error: unknown,
  row: RequestRow | null,
  request: RunningRequest,
): Buffer {
  const status = statusForError(error);
  if (status === null) throw error;
  const refused = error instanceof FsError && error.code === 'permission-denied';
  if (refused && row !== null) logLimitRefusal(service, row, request);
  return encodeStatus(service.version, request.id, status.code, status.text, status.errorData);
}
