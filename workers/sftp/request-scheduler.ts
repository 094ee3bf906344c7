/**
 * The order of one channel. Replies leave in the order of the requests, always: clients may ask for many things at once
 * and some take answers as they come (sftp-protocol, section 1). Work starts in that order too; READs that follow each
 * other overlap, a WRITE batch collects the next one while it is on its way to the disk, and everything else, CLOSE
 * above all, waits until what came before it is done.
 */
import { releaseBuffer } from '../transfer/buffer-pool.ts';
import { FsError } from '../vfs/fs-error.ts';
import { exceedsLimit, gatherReads, gatherWrites, readableFile, writableFile } from './data-requests.ts';
import type { FileHandle } from './file-handle.ts';
import type { HandleTable, OpenHandle } from './handle-table.ts';
import type { QueuedRequest } from './queued-request.ts';
import { ReadBatch } from './read-batch.ts';
import { runRequest } from './run-request.ts';
import type { SftpService } from './sftp-types.ts';
import { statusForError } from './status-for-error.ts';
import { MessageType } from './wire/message-types.ts';
import { StatusCode, encodeStatus } from './wire/status.ts';
import { WriteBatch } from './write-batch.ts';

/** Reads on their way: one goes to the channel while the next is read. */
const MAX_READS = 2;
/** Replies made and not yet taken by the channel; beyond this nothing more is started. */
const MAX_UNSENT_BYTES = 512 * 1024;
/** Handed to the channel in one call; it cuts packets out of it. */
const SEND_BYTES = 256 * 1024;
/** Requests run in one go, before other sessions of this thread get their turn. */
const MAX_IN_A_ROW = 64;

export interface SchedulerHost extends SftpService {
  readonly handles: HandleTable;
  /** The channel takes replies now. */
  readonly writable: boolean;
  /** The channel holds nothing of what was written. */
  readonly drained: boolean;
  write(parts: readonly Buffer[]): void;
  consumed(bytes: number): void;
  /** Something was finished in the background: `advance` is to be called. */
  wake(): void;
}

/** What runs: batches of one kind, or one other request. */
type Running =
  { readonly kind: 'nothing' } | { readonly kind: 'reads' | 'writes' | 'request'; count: number };

const NOTHING: Running = { kind: 'nothing' };

export class RequestScheduler {
  readonly #host: SchedulerHost;
  #queue: QueuedRequest[] = [];
  /** First request without reply sent, and first one not started. */
  #head = 0;
  #next = 0;
  #running: Running = NOTHING;
  #unsent = 0;
  /** Payload of WRITEs and other messages that wait. */
  #queuedBytes = 0;
  /** Memory of replies that the channel still holds. */
  #lent: Buffer[] = [];
  /** TransferRate holds everything until then. */
  #pause: NodeJS.Timeout | null = null;
  #wakeQueued = false;

  constructor(host: SchedulerHost) {
    this.#host = host;
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Nothing uses a handle or descriptor. */
  get idle(): boolean {
    return this.#running.kind === 'nothing';
  }

  push(request: QueuedRequest): void {
    this.#queue.push(request);
    this.#queuedBytes += request.size;
  }

  /** Starts and sends whatever can be; true where it got anywhere. */
  advance(): boolean {
    this.#takeBack();
    const started = this.#startAll();
    const sent = this.#sendAll();
    return started || sent;
  }

  /** The channel is gone: nothing more is started or sent. */
  stop(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
    this.#queue = [];
    this.#head = 0;
    this.#next = 0;
    this.#lent = [];
  }

  #startAll(): boolean {
    let count = 0;
    while (this.#pause === null && this.#next < this.#queue.length && this.#unsent < MAX_UNSENT_BYTES) {
      if (count === MAX_IN_A_ROW) {
        this.#wakeLater();
        break;
      }
      if (!this.#startNext(this.#queue[this.#next]!)) break;
      count += 1;
    }
    return count > 0;
  }

  /** False where it has to wait for what runs. */
  #startNext(request: QueuedRequest): boolean {
    const running = this.#running;
    if (request.type === MessageType.READ) {
      if (running.kind !== 'nothing' && (running.kind !== 'reads' || running.count >= MAX_READS))
        return false;
      this.#read(request);
      return true;
    }
    if (running.kind !== 'nothing') return false;
    if (request.type === MessageType.WRITE) this.#write(request);
    else this.#runOther(request);
    return true;
  }

  #read(first: QueuedRequest): void {
    const host = this.#host;
    const file = this.#fileFor(first, readableFile);
    if (file === null) return;
    const batch = new ReadBatch(gatherReads(this.#queue, this.#next, file), file, host.version);
    this.#next += batch.requests.length;
    for (const request of batch.requests) request.state = 'running';
    this.#logReadBehindEnd(first, file);
    if (batch.start(() => this.#backgroundDone(() => this.#readDone(batch)))) this.#readDone(batch);
    else this.#began('reads');
  }

  #readDone(batch: ReadBatch): void {
    const { handle, requests, failure } = batch;
    if (failure !== null) for (const request of requests) this.#refuse(request, failure);
    handle.bytesOut.add(batch.bytes);
    for (const request of requests) this.#unsent += request.reply?.length ?? 0;
    if (this.#host.log.wantsReads) this.#logData('READ', requests, handle);
    const { downloadRate } = handle;
    if (downloadRate !== null) {
      this.#hold(downloadRate.delay(handle.bytesOut.bytes, batch.bytes, performance.now()));
    }
  }

  #write(first: QueuedRequest): void {
    const host = this.#host;
    const file = this.#fileFor(first, writableFile);
    if (file === null) return;
    if (exceedsLimit(file, first)) {
      this.#next += 1;
      this.#refuseTooLarge(first, file);
      return;
    }
    const batch = new WriteBatch(gatherWrites(this.#queue, this.#next, file), file, host.version);
    this.#next += batch.requests.length;
    for (const request of batch.requests) request.state = 'running';
    if (batch.start(() => this.#backgroundDone(() => this.#writeDone(batch)))) this.#writeDone(batch);
    else this.#began('writes');
  }

  #writeDone(batch: WriteBatch): void {
    const { handle, requests, failure } = batch;
    if (failure !== null) {
      handle.failure ??= failure;
      for (const request of requests) if (request.state === 'running') this.#refuse(request, failure);
    }
    handle.bytesIn.add(batch.bytes);
    for (const request of requests) this.#unsent += request.reply?.length ?? 0;
    if (this.#host.log.wantsWrites) this.#logData('WRITE', requests, handle);
    const { uploadRate } = handle;
    if (uploadRate !== null) {
      this.#hold(uploadRate.delay(handle.bytesIn.bytes, batch.bytes, performance.now()));
    }
  }

  #runOther(request: QueuedRequest): void {
    this.#next += 1;
    request.state = 'running';
    const reply = runRequest(this.#host, request);
    if (!(reply instanceof Promise)) {
      this.#answered(request, reply);
      return;
    }
    this.#began('request');
    // What rejects here is a bug of ours, and reaches the session as an unhandled rejection.
    void reply.then((bytes) => this.#backgroundDone(() => this.#answered(request, bytes)));
  }

  #answered(request: QueuedRequest, reply: Buffer): void {
    request.answer(reply);
    this.#unsent += reply.length;
  }

  /** The file a READ or WRITE is about, or null where the request was answered with a refusal. */
  #fileFor(
    request: QueuedRequest,
    check: (handle: OpenHandle | null, request: QueuedRequest) => FileHandle,
  ): FileHandle | null {
    try {
      return check(this.#host.handles.find(request.handle), request);
    } catch (error) {
      this.#next += 1;
      this.#refuse(request, error);
      this.#unsent += request.reply?.length ?? 0;
      const handle = this.#host.handles.find(request.handle);
      this.#logRefused(request, handle?.kind === 'file' ? handle : null);
      return null;
    }
  }

  #refuse(request: QueuedRequest, error: unknown): void {
    const status = statusForError(error);
    if (status === null) throw error;
    request.answer(encodeStatus(this.#host.version, request.id, status.code, status.text));
  }

  #refuseTooLarge(request: QueuedRequest, file: FileHandle): void {
    const failure = new FsError('file-too-large', { errno: 'EFBIG' });
    if (file.failure === null) {
      this.#host.session.sftpLog(
        `error writing ${request.length} bytes to '${file.realPath}': File too large ` +
          `(MaxStoreFileSize ${file.sizeLimit} exceeded)`,
      );
    }
    file.failure ??= failure;
    this.#refuse(request, failure);
    this.#unsent += request.reply?.length ?? 0;
    this.#logRefused(request, file);
  }

  #began(kind: 'reads' | 'writes' | 'request'): void {
    if (this.#running.kind === kind) this.#running.count += 1;
    else this.#running = { kind, count: 1 };
  }

  #backgroundDone(finish: () => void): void {
    if (this.#running.kind !== 'nothing') {
      this.#running.count -= 1;
      if (this.#running.count === 0) this.#running = NOTHING;
    }
    finish();
    this.#host.wake();
  }

  /** Sends answered requests from the front, as long as the channel takes them. */
  #sendAll(): boolean {
    let sent = 0;
    while (this.#pause === null && this.#head < this.#next && this.#host.writable) {
      const size = this.#sendSome();
      if (size === 0) break;
      sent += size;
    }
    if (sent === 0) return false;
    this.#queuedBytes -= sent;
    this.#host.consumed(sent);
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      this.#next = 0;
    } else if (this.#head >= 256) {
      this.#queue = this.#queue.slice(this.#head);
      this.#next -= this.#head;
      this.#head = 0;
    }
    return true;
  }

  /** Hands the channel one buffer's worth of replies; gives the size of the requests they answer. */
  #sendSome(): number {
    const parts: Buffer[] = [];
    let bytes = 0;
    let size = 0;
    while (this.#head < this.#next && bytes < SEND_BYTES) {
      const request = this.#queue[this.#head]!;
      if (request.state !== 'answered') break;
      this.#head += 1;
      size += request.size;
      const { reply } = request;
      if (reply === null) continue;
      parts.push(reply);
      bytes += reply.length;
      request.reply = null;
      if (request.pooled !== null) this.#lent.push(request.pooled);
    }
    this.#unsent -= bytes;
    if (parts.length > 0) this.#host.write(parts);
    this.#takeBack();
    return size;
  }

  #takeBack(): void {
    if (this.#lent.length === 0 || !this.#host.drained) return;
    for (const buffer of this.#lent) releaseBuffer(buffer);
    this.#lent = [];
  }

  #hold(milliseconds: number): void {
    if (milliseconds <= 0 || this.#host.closed) return;
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#host.wake();
    }, milliseconds);
  }

  #wakeLater(): void {
    if (this.#wakeQueued) return;
    this.#wakeQueued = true;
    setImmediate(() => {
      this.#wakeQueued = false;
      this.#host.wake();
    });
  }

  #logReadBehindEnd(first: QueuedRequest, file: FileHandle): void {
    if (file.loggedReadBehindEnd || first.offset <= file.size) return;
    file.refreshSize();
    if (first.offset <= file.size) return;
    file.loggedReadBehindEnd = true;
    this.#host.session.sftpLog(
      `requested read offset (${first.offset} bytes) greater than size of '${file.realPath}' (${file.size} bytes)`,
    );
  }

  #logRefused(request: QueuedRequest, handle: FileHandle | null): void {
    const { log } = this.#host;
    if (request.type === MessageType.WRITE ? log.wantsWrites : log.wantsReads)
      this.#logData(request.type === MessageType.WRITE ? 'WRITE' : 'READ', [request], handle);
  }

  #logData(verb: 'READ' | 'WRITE', requests: readonly QueuedRequest[], handle: FileHandle | null): void {
    for (const { reply } of requests) {
      const isStatus = reply !== null && reply[4] === MessageType.STATUS;
      const code = (isStatus ? reply.readUInt32BE(9) : StatusCode.OK) as StatusCode;
      this.#host.log.data(verb, handle, code);
    }
  }
}
