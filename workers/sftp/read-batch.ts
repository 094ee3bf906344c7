/**
 * HOT PATH: consecutive READs of one handle become one preadv into one buffer that is the replies: each request's bytes
 * land behind the room for its head, so nothing is copied, and the channel gets one buffer for all of them.
 */
import { read, readSync, readv, readvSync } from 'node:fs';
import { acquireBuffer } from '../transfer/buffer-pool.ts';
import { toFsError } from '../vfs/errno-mapping.ts';
import type { FsError } from '../vfs/fs-error.ts';
import type { FileHandle } from './file-handle.ts';
import type { QueuedRequest } from './queued-request.ts';
import { MAX_DATA_BYTES, type SftpVersion } from './wire/message-types.ts';
import { DATA_HEAD_BYTES, writeDataHead } from './wire/replies.ts';
import { StatusCode, encodeStatus } from './wire/status.ts';

/** One preadv: eight requests of 32 KiB, or one of the largest. */
export const READ_BATCH_BYTES = 256 * 1024;
export const READ_BATCH_REQUESTS = 64;

/** Room for a batch and its heads, and for a single request of 32 KiB: the two sizes that are used over and over. */
const LARGE_REPLY = READ_BATCH_BYTES + 1024;
const SMALL_REPLY = 33 * 1024;
/** Below this Node's own pool is as good. */
const SMALLEST_POOLED = 4096;

function takeReplyBuffer(bytes: number): Buffer {
  if (bytes < SMALLEST_POOLED) return Buffer.allocUnsafe(bytes);
  return acquireBuffer(bytes <= SMALL_REPLY ? SMALL_REPLY : LARGE_REPLY);
}

/** Whether the buffer is to be given back with `releaseBuffer`. */
function isPooled(buffer: Buffer): boolean {
  return buffer.length >= SMALL_REPLY;
}

export class ReadBatch {
  readonly requests: readonly QueuedRequest[];
  readonly handle: FileHandle;
  readonly #version: SftpVersion;
  /** Bytes wanted for each request. */
  readonly #wanted: number[] = [];
  /** Version 6 has a bool behind the data. */
  readonly #tail: number;
  #buffer: Buffer | null = null;
  #total = 0;

  /** `requests` are consecutive in the file; only a single one may be longer than MAX_DATA_BYTES. */
  constructor(requests: readonly QueuedRequest[], handle: FileHandle, version: SftpVersion) {
    this.requests = requests;
    this.handle = handle;
    this.#version = version;
    this.#tail = version >= 6 ? 1 : 0;
  }

  /** Bytes moved; 0 before the end. */
  get bytes(): number {
    return this.#total;
  }

  /** True: done already, as small files are, and `done` is not called. */
  start(done: (error: FsError | null) => void): boolean {
    const { handle } = this;
    const first = this.requests[0]!;
    const views = this.#layOut(first.offset);
    if (views.length === 0) {
      this.#answer(0);
      return true;
    }
    const { descriptor } = handle;
    if (handle.small) {
      try {
        const got =
          views.length === 1
            ? readSync(descriptor, views[0]!, 0, views[0]!.length, first.offset)
            : readvSync(descriptor, views, first.offset);
        this.#answer(got);
      } catch (error) {
        this.#fail(toFsError(error));
      }
      return true;
    }
    const finished = (error: Error | null, got: number): void => {
      if (error === null) this.#answer(got);
      else this.#fail(toFsError(error));
      done(error === null ? null : toFsError(error));
    };
    if (views.length === 1) read(descriptor, views[0]!, 0, views[0]!.length, first.offset, finished);
    else readv(descriptor, views, first.offset, finished);
    return false;
  }

  /** Room for every reply in one buffer; gives where the bytes go. Files are not read behind their known end. */
  #layOut(offset: number): Buffer[] {
    const { handle, requests } = this;
    let room = 0;
    for (const { length } of requests) room += Math.min(length, MAX_DATA_BYTES);
    if (offset + room > handle.size) handle.refreshSize();
    let available = Math.max(0, handle.size - offset);
    let bytes = 0;
    for (const { length } of requests) {
      const wanted = Math.min(length, MAX_DATA_BYTES, available);
      available -= wanted;
      this.#wanted.push(wanted);
      if (wanted > 0) bytes += DATA_HEAD_BYTES + wanted + this.#tail;
    }
    if (bytes === 0) return [];
    const buffer = takeReplyBuffer(bytes);
    this.#buffer = buffer;
    const views: Buffer[] = [];
    let at = 0;
    for (const wanted of this.#wanted) {
      if (wanted === 0) break;
      at += DATA_HEAD_BYTES;
      views.push(buffer.subarray(at, at + wanted));
      at += wanted + this.#tail;
    }
    return views;
  }

  /** `got` bytes came; a file that shrank meanwhile gives fewer than planned. */
  #answer(got: number): void {
    const { requests, handle } = this;
    const buffer = this.#buffer;
    let left = got;
    let at = 0;
    /** Start of a stretch of whole replies, and who carries it. */
    let stretch = 0;
    let carrier: QueuedRequest | null = null;
    for (const [index, request] of requests.entries()) {
      const wanted = this.#wanted[index]!;
      const count = Math.min(wanted, left);
      left -= count;
      if (count === 0 || buffer === null) {
        request.answer(this.#emptyReply(request));
        continue;
      }
      writeDataHead(buffer, at, request.id, count, this.#tail);
      const end = at + DATA_HEAD_BYTES + count + this.#tail;
      if (this.#tail === 1) buffer[end - 1] = request.offset + count >= handle.size ? 1 : 0;
      request.answer(null);
      if (carrier === null) {
        carrier = request;
        stretch = at;
        if (isPooled(buffer)) request.pooled = buffer;
      }
      carrier.reply = buffer.subarray(stretch, end);
      at += DATA_HEAD_BYTES + wanted + this.#tail;
    }
    this.#total = got;
  }

  /** At the end of the file EOF, never a DATA without bytes (OpenSSH takes a second one for a broken server). */
  #emptyReply(request: QueuedRequest): Buffer {
    if (request.length > 0) return encodeStatus(this.#version, request.id, StatusCode.EOF);
    const reply = Buffer.alloc(DATA_HEAD_BYTES + this.#tail);
    writeDataHead(reply, 0, request.id, 0, this.#tail);
    return reply;
  }

  #fail(error: FsError): void {
    this.#buffer = null;
    this.failure = error;
  }

  /** Set where the read failed: the caller answers the requests. */
  failure: FsError | null = null;
}
