/**
 * HOT PATH: data connection -> file without conversion or rate: the socket reads straight into reused buffers, each
 * written with one call when it is full while the next one fills. Where the socket cannot do that, or bytes must be
 * changed or held back, UploadPump (pump-upload.ts) does the work from 'data' events.
 */
import { write, writeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FsError } from '../vfs/fs-error.ts';
import { acquireBuffer, releaseBuffer } from './buffer-pool.ts';
import type { UploadOptions } from './pump-upload.ts';
import { receiveInto } from './receive-into.ts';
import { TransferError, type TransferFailure } from './transfer-error.ts';

/** One fills, one is written, one takes what still arrives after reading was stopped (at most a TLS read of 64 KiB). */
const SLOTS = 3;
/** A buffer with less room than a TLS record is full: reads of a few bytes cost as much as long ones. */
const FULL_MARGIN = 16 * 1024;
/** A tail up to this size is written at once in this thread: a trip to the thread pool costs more. */
const SYNC_WRITE_LIMIT = 64 * 1024;

export class DirectUploadPump {
  readonly #options: UploadOptions;
  readonly #source: Duplex;
  readonly #free: Buffer[] = [];
  readonly #full: { readonly buffer: Buffer; readonly bytes: number }[] = [];
  /** Where the socket reads into, and how much of it is filled. */
  #filling: Buffer;
  #filled = 0;
  /** Being written: the first of `#full`. */
  #writing = false;
  #writeOffset = 0;
  #position: number;
  #accepted = 0;
  #paused = false;
  #ended = false;
  #failure: TransferFailure | null = null;
  #settle: { resolve: () => void; reject: (error: TransferError) => void } | null = null;
  readonly #onEnd = (): void => this.#receivedAll();
  readonly #onClose = (): void => {
    if (!this.#ended) this.stop({ kind: 'connection-lost' });
  };
  readonly #onWritten = (error: Error | null, bytes: number): void => this.#writeDone(error, bytes);

  /** Ask `canReceiveInto` first. */
  constructor(source: Duplex, options: UploadOptions) {
    this.#source = source;
    this.#options = options;
    this.#position = options.offset;
    this.#filling = this.#takeFree();
  }

  /** Bytes written to the file so far. */
  get written(): number {
    return this.#position - this.#options.offset;
  }

  /** As UploadPump.run. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#failure !== null || this.#source.destroyed) {
        this.#failure ??= { kind: 'connection-lost' };
        this.#finish();
        return;
      }
      this.#source.once('end', this.#onEnd);
      this.#source.once('close', this.#onClose);
      this.#takeBuffered();
      if (this.#failure !== null) return;
      receiveInto(this.#source, {
        nextBuffer: () => this.#filling.subarray(this.#filled),
        received: (bytes) => this.#received(bytes),
      });
      if (!this.#paused) this.#source.resume();
    });
  }

  /** As UploadPump.stop. */
  stop(failure: TransferFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#source.destroy();
    this.#finish();
  }

  /** `bytes` came into the buffer. False stops reading. */
  #received(bytes: number): boolean {
    if (this.#failure !== null) return false;
    this.#filled += bytes;
    this.#accepted += bytes;
    const { progress, room, limit } = this.#options;
    progress.add(bytes);
    if (this.#accepted > room) {
      this.stop({ kind: 'size-limit', limit });
      return false;
    }
    if (this.#filling.length - this.#filled < FULL_MARGIN) this.#nextSlot();
    return !this.#paused;
  }

  /** What the stream had read before it was told where to. */
  #takeBuffered(): void {
    const chunk = this.#source.readableLength > 0 ? (this.#source.read() as Buffer | null) : null;
    if (chunk === null) return;
    for (let taken = 0; taken < chunk.length && this.#failure === null;) {
      const bytes = chunk.copy(this.#filling, this.#filled, taken);
      taken += bytes;
      this.#received(bytes);
    }
  }

  #nextSlot(): void {
    this.#full.push({ buffer: this.#filling, bytes: this.#filled });
    this.#filling = this.#takeFree();
    this.#filled = 0;
    if (!this.#writing) this.#startWrite();
    // The last slot is for what arrives although reading stops now.
    this.#paused = this.#full.length >= SLOTS - 1;
  }

  /** Beyond the three slots only where a stream delivers more than a slot after it was stopped. */
  #takeFree(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return acquireBuffer(Math.max(this.#options.bufferSize, 4 * FULL_MARGIN));
  }

  #startWrite(): void {
    const next = this.#full[0];
    if (next === undefined) return;
    this.#writing = true;
    const { descriptor } = this.#options;
    const rest = next.bytes - this.#writeOffset;
    write(descriptor, next.buffer, this.#writeOffset, rest, this.#position, this.#onWritten);
  }

  #writeDone(error: Error | null, bytes: number): void {
    this.#writing = false;
    if (error !== null || bytes === 0) {
      this.stop({ kind: 'file', error: error === null ? new FsError('no-space') : toFsError(error) });
      return this.#finish();
    }
    this.#position += bytes;
    this.#writeOffset += bytes;
    if (this.#failure !== null) return this.#finish();
    const written = this.#full[0];
    // A short write (a nearly full disk, a signal): the rest is tried again and then says why.
    if (written !== undefined && this.#writeOffset === written.bytes) {
      this.#writeOffset = 0;
      this.#full.shift();
      this.#free.push(written.buffer);
    }
    this.#startWrite();
    if (this.#ended) return this.#writeTail();
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  #receivedAll(): void {
    this.#ended = true;
    if (this.#failure === null) this.#writeTail();
  }

  /** After the end: what is left in the last buffer, once everything before it is written. */
  #writeTail(): void {
    if (this.#writing) return;
    if (this.#filled > SYNC_WRITE_LIMIT) return this.#nextSlot();
    try {
      for (let from = 0; from < this.#filled;) {
        const rest = this.#filled - from;
        const bytes = writeSync(this.#options.descriptor, this.#filling, from, rest, this.#position);
        if (bytes === 0) throw new FsError('no-space');
        from += bytes;
        this.#position += bytes;
      }
      this.#filled = 0;
    } catch (error) {
      return this.stop({ kind: 'file', error: toFsError(error) });
    }
    this.#finish();
  }

  /** Settles when no write uses a buffer or the descriptor any more. */
  #finish(): void {
    if (this.#settle === null || this.#writing) return;
    const { resolve, reject } = this.#settle;
    this.#settle = null;
    this.#source.off('end', this.#onEnd);
    this.#source.off('close', this.#onClose);
    this.#options.progress.flush();
    this.#releaseBuffers();
    if (this.#failure !== null) reject(new TransferError(this.#failure));
    else resolve();
  }

  /**
   * A socket that has ended reads no more. A TLS socket destroyed from inside a read still delivers the records that
   * came with it, so its last buffer is left to the collector: in the pool another session would find it.
   */
  #releaseBuffers(): void {
    const buffers = [...this.#full.map(({ buffer }) => buffer), ...this.#free];
    if (this.#ended) buffers.push(this.#filling);
    this.#full.length = 0;
    this.#free.length = 0;
    for (const buffer of buffers) releaseBuffer(buffer);
  }
}
