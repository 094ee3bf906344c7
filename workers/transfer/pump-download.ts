/**
 * HOT PATH: file -> data connection. Two reused buffers; the next read runs while the last write drains. All steps are
 * callbacks made once per transfer: no promise, closure, Map or log call per chunk.
 */
import { read, readSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { toFsError } from '../vfs/errno-mapping.ts';
import { AsciiEncoder } from './ascii.ts';
import { acquireBuffer, releaseBuffer } from './buffer-pool.ts';
import type { RateLimiter } from './rate-limit.ts';
import { TransferError, type TransferFailure } from './transfer-error.ts';
import type { TransferProgress } from './transfer-progress.ts';

export interface DownloadOptions {
  readonly descriptor: number;
  /** First byte, from the start of the file. */
  readonly start: number;
  /** Bytes to send (before ASCII conversion), or Infinity up to the end of the file. */
  readonly length: number;
  /** Expected size of the rest of the file, to take the short way for small ones. */
  readonly expected: number;
  readonly ascii: boolean;
  readonly bufferSize: number;
  readonly rate: RateLimiter | null;
  readonly progress: TransferProgress;
}

interface Slot {
  readonly buffer: Buffer;
  /** Bytes to send, from 0 on; 0: free. */
  filled: number;
}

/** Smaller files are read at once in this thread: a trip to the thread pool costs more than the copy. */
export const SYNC_READ_LIMIT = 64 * 1024;

export class DownloadPump {
  readonly #options: DownloadOptions;
  readonly #sink: Duplex;
  readonly #encoder: AsciiEncoder | null;
  readonly #slots: Slot[] = [];
  /** Slot the next read fills, slot the next write sends. */
  #readSlot = 0;
  #writeSlot = 0;
  #position: number;
  #remaining: number;
  #reading = false;
  #writing = false;
  #pausing: NodeJS.Timeout | null = null;
  #atEnd = false;
  #failure: TransferFailure | null = null;
  #settle: { resolve: () => void; reject: (error: TransferError) => void } | null = null;
  readonly #onRead = (error: Error | null, bytes: number): void => this.#readDone(error, bytes);
  readonly #onWritten = (error: Error | null | undefined): void => this.#writeDone(error);
  readonly #onPauseEnd = (): void => {
    this.#pausing = null;
    this.#step();
  };
  readonly #onClose = (): void => this.stop({ kind: 'connection-lost' });

  constructor(sink: Duplex, options: DownloadOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#encoder = options.ascii ? new AsciiEncoder() : null;
    this.#position = options.start;
    this.#remaining = options.length;
  }

  /**
   * Sends the file and ends the sink's writable side. Resolves when the last byte was handed to the system; rejects
   * with TransferError when no file operation is running any more. The caller closes descriptor and socket.
   */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#sink.once('close', this.#onClose);
      if (this.#failure !== null || this.#sink.destroyed) {
        this.#failure ??= { kind: 'connection-lost' };
        this.#finish();
        return;
      }
      const { expected, rate, bufferSize } = this.#options;
      const small = rate === null && expected <= Math.min(SYNC_READ_LIMIT, bufferSize / 2);
      this.#slots.push({ buffer: acquireBuffer(bufferSize), filled: 0 });
      if (small) this.#readSync();
      else this.#slots.push({ buffer: acquireBuffer(bufferSize), filled: 0 });
      this.#step();
    });
  }

  /** Ends the transfer early: the sink is destroyed, `run` rejects with this failure. */
  stop(failure: TransferFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    if (this.#pausing !== null) clearTimeout(this.#pausing);
    this.#pausing = null;
    this.#sink.destroy();
    this.#finish();
  }

  /** Starts whatever can be started now. */
  #step(): void {
    if (this.#failure !== null) return this.#finish();
    const next = this.#slots[this.#writeSlot] as Slot;
    if (!this.#writing && this.#pausing === null && next.filled > 0) {
      this.#writing = true;
      this.#sink.write(next.buffer.subarray(0, next.filled), this.#onWritten);
    }
    const target = this.#slots[this.#readSlot] as Slot;
    if (!this.#reading && !this.#atEnd && target.filled === 0) this.#startRead(target.buffer);
    if (this.#atEnd && !this.#writing && next.filled === 0) this.#finish();
  }

  #startRead(buffer: Buffer): void {
    const wanted = this.#chunkLength(buffer.length);
    if (wanted <= 0) {
      this.#atEnd = true;
      return;
    }
    this.#reading = true;
    read(this.#options.descriptor, buffer, this.#readOffset(buffer), wanted, this.#position, this.#onRead);
  }

  /** The whole of a small file in one synchronous read; `step` then has one write and the end. */
  #readSync(): void {
    const { buffer } = this.#slots[0] as Slot;
    const wanted = this.#chunkLength(buffer.length);
    try {
      const offset = this.#readOffset(buffer);
      const bytes =
        wanted <= 0 ? 0 : readSync(this.#options.descriptor, buffer, offset, wanted, this.#position);
      this.#filled(bytes);
      // Shorter than asked for: that was the end. A file that grew meanwhile goes on with asynchronous reads.
      if (bytes < wanted) this.#atEnd = true;
    } catch (error) {
      this.stop({ kind: 'file', error: toFsError(error) });
    }
  }

  #readDone(error: Error | null, bytes: number): void {
    this.#reading = false;
    if (this.#failure !== null) return this.#finish();
    if (error !== null) return this.stop({ kind: 'file', error: toFsError(error) });
    this.#filled(bytes);
    this.#step();
  }

  #filled(bytes: number): void {
    if (bytes === 0) {
      this.#atEnd = true;
      return;
    }
    const slot = this.#slots[this.#readSlot] as Slot;
    const from = this.#readOffset(slot.buffer);
    slot.filled = this.#encoder?.encode(slot.buffer, from, from + bytes, slot.buffer) ?? bytes;
    this.#position += bytes;
    this.#remaining -= bytes;
    this.#readSlot = (this.#readSlot + 1) % this.#slots.length;
  }

  #writeDone(error: Error | null | undefined): void {
    const slot = this.#slots[this.#writeSlot] as Slot;
    const bytes = slot.filled;
    this.#writing = false;
    slot.filled = 0;
    if (error) {
      this.stop({ kind: 'connection-lost' });
      // `stop` was called before: the buffer came back only now.
      return this.#finish();
    }
    this.#writeSlot = (this.#writeSlot + 1) % this.#slots.length;
    const { progress, rate } = this.#options;
    progress.add(bytes);
    if (rate !== null) this.#hold(rate.delay(progress.bytes, bytes, performance.now()));
    this.#step();
  }

  #hold(milliseconds: number): void {
    if (milliseconds > 0 && this.#failure === null)
      this.#pausing = setTimeout(this.#onPauseEnd, milliseconds);
  }

  /** ASCII reads into the upper half of the buffer and encodes downwards (see AsciiEncoder). */
  #readOffset(buffer: Buffer): number {
    return this.#encoder === null ? 0 : buffer.length - (buffer.length >> 1);
  }

  #chunkLength(bufferSize: number): number {
    const room = this.#encoder === null ? bufferSize : bufferSize >> 1;
    return Math.min(room, this.#options.rate?.chunkSize ?? room, this.#remaining);
  }

  /** Settles when nothing uses buffers or descriptor any more. */
  #finish(): void {
    if (this.#settle === null || this.#reading || (this.#writing && !this.#sink.destroyed)) return;
    const { resolve, reject } = this.#settle;
    this.#settle = null;
    this.#sink.off('close', this.#onClose);
    this.#options.progress.flush();
    // A destroyed sink may still hold the buffer of its last write: that one is left to the collector.
    if (!this.#writing) for (const slot of this.#slots) releaseBuffer(slot.buffer);
    if (this.#failure !== null) return reject(new TransferError(this.#failure));
    this.#sink.end();
    resolve();
  }
}
