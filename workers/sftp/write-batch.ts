/**
 * HOT PATH: consecutive WRITEs of one handle become one pwritev of the pieces as they came off the wire. Each is
 * acknowledged when its bytes are written, all of them in one buffer.
 */
import { writev, writevSync } from 'node:fs';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { FileHandle } from './file-handle.ts';
import type { QueuedRequest } from './queued-request.ts';
import type { SftpVersion } from './wire/message-types.ts';
import { encodeOkStatuses } from './wire/status.ts';

export const WRITE_BATCH_BYTES = 1024 * 1024;
/** writev takes at most IOV_MAX (1,024) pieces. */
export const WRITE_BATCH_PIECES = 1000;
/** A file that is no larger so far is written at once in this thread. */
const SMALL_WRITE = 64 * 1024;

export class WriteBatch {
  readonly requests: readonly QueuedRequest[];
  readonly handle: FileHandle;
  readonly #version: SftpVersion;
  #pieces: Buffer[] = [];
  /** Where the next piece goes; null: to the end (append). */
  #position: number | null;
  #left = 0;
  #written = 0;
  #done: ((error: FsError | null) => void) | null = null;
  /** Why the rest was not written; the requests behind `written` are the caller's to answer. */
  failure: FsError | null = null;
  readonly #onWritten = (error: Error | null, bytes: number): void => this.#writeDone(error, bytes);

  constructor(requests: readonly QueuedRequest[], handle: FileHandle, version: SftpVersion) {
    this.requests = requests;
    this.handle = handle;
    this.#version = version;
    this.#position = handle.append ? null : requests[0]!.offset;
    for (const request of requests) {
      this.#left += request.length;
      for (const piece of request.data!) this.#pieces.push(piece);
    }
  }

  get bytes(): number {
    return this.#written;
  }

  /** True: done already, `done` is not called. */
  start(done: (error: FsError | null) => void): boolean {
    if (this.#left === 0) {
      this.#answer();
      return true;
    }
    const end = this.handle.append ? this.#left : this.#position! + this.#left;
    if (Math.max(end, this.handle.size) <= SMALL_WRITE) {
      this.#writeSync();
      return true;
    }
    this.#done = done;
    writev(this.handle.descriptor, this.#pieces, this.#position, this.#onWritten);
    return false;
  }

  #writeSync(): void {
    try {
      while (this.#left > 0)
        this.#advance(writevSync(this.handle.descriptor, this.#pieces, this.#position ?? undefined));
    } catch (error) {
      this.failure = toFsError(error);
    }
    this.#answer();
  }

  #writeDone(error: Error | null, bytes: number): void {
    try {
      if (error !== null) throw error;
      this.#advance(bytes);
    } catch (cause) {
      this.failure = toFsError(cause);
    }
    if (this.failure === null && this.#left > 0) {
      // A short write: a nearly full disk, a signal. The rest is tried once more and then says why.
      writev(this.handle.descriptor, this.#pieces, this.#position, this.#onWritten);
      return;
    }
    this.#answer();
    this.#done?.(this.failure);
  }

  #advance(bytes: number): void {
    if (bytes === 0) throw new FsError('no-space');
    this.#written += bytes;
    this.#left -= bytes;
    if (this.#position !== null) this.#position += bytes;
    if (this.#left > 0) this.#pieces = withoutFirst(this.#pieces, bytes);
  }

  /** Acknowledges what is written whole. */
  #answer(): void {
    this.#pieces = [];
    const { handle, requests } = this;
    handle.wrote = true;
    if (this.#position !== null) handle.size = Math.max(handle.size, this.#position);
    else handle.size += this.#written;
    const ids: number[] = [];
    let covered = 0;
    for (const request of requests) {
      covered += request.length;
      if (covered > this.#written) break;
      ids.push(request.id);
    }
    if (ids.length === 0) return;
    const acknowledged = encodeOkStatuses(this.#version, ids);
    for (let index = 0; index < ids.length; index += 1)
      requests[index]!.answer(index === 0 ? acknowledged : null);
  }
}

/** The pieces without their first `bytes` bytes. */
function withoutFirst(pieces: readonly Buffer[], bytes: number): Buffer[] {
  let rest = bytes;
  let index = 0;
  while (index < pieces.length && rest >= pieces[index]!.length) {
    rest -= pieces[index]!.length;
    index += 1;
  }
  const left = pieces.slice(index);
  if (rest > 0 && left[0] !== undefined) left[0] = left[0].subarray(rest);
  return left;
}
