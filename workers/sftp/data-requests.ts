/** Which waiting READs and WRITEs go to the disk together, and what forbids them. */
import { FsError } from '../vfs/fs-error.ts';
import type { FileHandle } from './file-handle.ts';
import type { OpenHandle } from './handle-table.ts';
import type { QueuedRequest } from './queued-request.ts';
import { READ_BATCH_BYTES, READ_BATCH_REQUESTS } from './read-batch.ts';
import { StatusError, unknownHandle } from './status-error.ts';
import { MAX_DATA_BYTES } from './wire/message-types.ts';
import { StatusCode } from './wire/status.ts';
import { WRITE_BATCH_BYTES, WRITE_BATCH_PIECES } from './write-batch.ts';

/** Throws StatusError where the handle cannot be read. */
export function readableFile(handle: OpenHandle | null, request: QueuedRequest): FileHandle {
  const file = openFile(handle, request);
  if (!file.readable) throw new StatusError(StatusCode.PERMISSION_DENIED);
  return file;
}

/** Throws StatusError or FsError where this write may not be done. */
export function writableFile(handle: OpenHandle | null, request: QueuedRequest): FileHandle {
  const file = openFile(handle, request);
  if (!file.writable) throw new StatusError(StatusCode.PERMISSION_DENIED);
  if (isRestart(file, request) && !file.settings.allowStoreRestart) throw new FsError('restart-denied');
  return file;
}

function openFile(handle: OpenHandle | null, request: QueuedRequest): FileHandle {
  if (request.malformed) throw new StatusError(StatusCode.BAD_MESSAGE);
  if (handle === null || handle.kind !== 'file') throw unknownHandle();
  return handle;
}

/** What REST and STOR are in FTP: the first bytes of an upload go behind some that were there before. */
function isRestart(file: FileHandle, request: QueuedRequest): boolean {
  return !file.wrote && !file.append && (file.previousSize ?? 0) > 0 && file.inPlace && request.offset > 0;
}

/** `first` and the READs behind it that continue it. */
export function gatherReads(
  queue: readonly QueuedRequest[],
  from: number,
  file: FileHandle,
): QueuedRequest[] {
  const first = queue[from]!;
  const batch = [first];
  // Under a TransferRate every request waits for its turn.
  if (file.downloadRate !== null || first.length === 0 || first.length > MAX_DATA_BYTES) return batch;
  let end = first.offset + first.length;
  let total = first.length;
  for (let index = from + 1; index < queue.length && batch.length < READ_BATCH_REQUESTS; index += 1) {
    const next = queue[index]!;
    const follows = next.type === first.type && !next.malformed && next.offset === end && next.length > 0;
    if (!follows || total + next.length > READ_BATCH_BYTES || !next.sharesHandle(first)) break;
    batch.push(next);
    end += next.length;
    total += next.length;
  }
  return batch;
}

/** `first` and the WRITEs behind it that continue it. */
export function gatherWrites(
  queue: readonly QueuedRequest[],
  from: number,
  file: FileHandle,
): QueuedRequest[] {
  const first = queue[from]!;
  const batch = [first];
  let end = first.offset + first.length;
  let total = first.length;
  let pieces = first.data!.length;
  for (let index = from + 1; index < queue.length; index += 1) {
    const next = queue[index]!;
    if (next.type !== first.type || next.malformed || (!file.append && next.offset !== end)) break;
    pieces += next.data!.length;
    if (total + next.length > WRITE_BATCH_BYTES || pieces > WRITE_BATCH_PIECES) break;
    if (!next.sharesHandle(first) || exceedsLimit(file, next)) break;
    batch.push(next);
    end += next.length;
    total += next.length;
  }
  return batch;
}

/** MaxStoreFileSize. */
export function exceedsLimit(file: FileHandle, request: QueuedRequest): boolean {
  if (file.sizeLimit === null) return false;
  const end = file.append ? file.size + request.length : request.offset + request.length;
  return end > file.sizeLimit;
}
