/**
 * HOT PATH: data connection -> file. Chunks are collected as they come and written with one writev per batch while
 * receiving goes on; two batches in memory stop the receiving.
 */
import { writev, writevSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FsError } from '../vfs/fs-error.ts';
import { AsciiDecoder } from './ascii.ts';
import type { RateLimiter } from './rate-limit.ts';
import { TransferError, type TransferFailure } from './transfer-error.ts';
import type { TransferProgress } from './transfer-progress.ts';

export interface UploadOptions {
  readonly descriptor: number;
  /** Where the first byte goes. */
  readonly offset: number;
  /** Room left under MaxStoreFileSize, in bytes written; Infinity for no limit. `limit` is for the message. */
  readonly room: number;
  readonly limit: number;
  readonly ascii: boolean;
  readonly bufferSize: number;
  readonly rate: RateLimiter | null;
  readonly progress: TransferProgress;
}

/** A tail up to this size is written at once in this thread: a trip to the thread pool costs more. */
const SYNC_WRITE_LIMIT = 64 * 1024;
/** writev takes at most IOV_MAX (1,024) pieces. */
const MAX_PIECES = 1024;

export class UploadPump {
  readonly #options: UploadOptions;
  readonly #source: Duplex;
  readonly #decoder: AsciiDecoder | null;
  /** Collected, not yet given to writev. */
  #collected: Buffer[] = [];
  #collectedBytes = 0;
  /** Being written. */
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #position: number;
  #accepted = 0;
  #ended = false;
  #paused = false;
  #pausing: NodeJS.Timeout | null = null;
  #failure: TransferFailure | null = null;
  #settle: { resolve: () => void; reject: (error: TransferError) => void } | null = null;
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk);
  readonly #onEnd = (): void => this.#receivedAll();
  readonly #onClose = (): void => {
    if (!this.#ended) this.stop({ kind: 'connection-lost' });
  };
  readonly #onWritten = (error: Error | null, bytes: number): void => this.#writeDone(error, bytes);
  readonly #onPauseEnd = (): void => {
    this.#pausing = null;
    if (this.#ended) this.#receivedAll();
    else this.#resume();
  };

  constructor(source: Duplex, options: UploadOptions) {
    this.#source = source;
    this.#options = options;
    this.#decoder = options.ascii ? new AsciiDecoder() : null;
    this.#position = options.offset;
  }

  /** Bytes written to the file so far. */
  get written(): number {
    return this.#position - this.#options.offset;
  }

  /**
   * Receives to the end of the stream. Resolves when all bytes are written; rejects with TransferError when no write
   * is running any more. The caller commits or aborts the target and closes the socket.
   */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#failure !== null || this.#source.destroyed) {
        this.#failure ??= { kind: 'connection-lost' };
        this.#finish();
        return;
      }
      this.#source.on('data', this.#onData);
      this.#source.once('end', this.#onEnd);
      this.#source.once('close', this.#onClose);
      this.#source.resume();
    });
  }

  /** Ends the transfer early: the source is destroyed, `run` rejects with this failure. */
  stop(failure: TransferFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#source.destroy();
    this.#finish();
  }

  #receive(chunk: Buffer): void {
    if (this.#failure !== null) return;
    const { progress, rate, bufferSize, limit, room } = this.#options;
    progress.add(chunk.length);
    this.#collect(this.#decoder === null ? chunk : this.#decoder.decode(chunk));
    if (this.#accepted > room) return this.stop({ kind: 'size-limit', limit });
    if (this.#collectedBytes >= bufferSize || this.#collected.length >= MAX_PIECES) {
      if (this.#batchBytes === 0) this.#startWrite();
      else if (!this.#paused) this.#pause();
    }
    if (rate !== null) this.#hold(rate.delay(progress.bytes, chunk.length, performance.now()));
  }

  #collect(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#collected.push(chunk);
    this.#collectedBytes += chunk.length;
    this.#accepted += chunk.length;
  }

  #receivedAll(): void {
    this.#ended = true;
    // A socket ends while it is paused; the last bytes keep to the rate like the others.
    if (this.#failure !== null || this.#pausing !== null) return;
    if (this.#decoder !== null) this.#collect(this.#decoder.flush());
    if (this.#accepted > this.#options.room) {
      return this.stop({ kind: 'size-limit', limit: this.#options.limit });
    }
    if (this.#batchBytes > 0) return;
    if (this.#collectedBytes === 0) return this.#finish();
    if (this.#collectedBytes <= SYNC_WRITE_LIMIT) this.#writeTail();
    else this.#startWrite();
  }

  #startWrite(): void {
    this.#batch = this.#collected;
    this.#batchBytes = this.#collectedBytes;
    this.#collected = [];
    this.#collectedBytes = 0;
    writev(this.#options.descriptor, this.#batch, this.#position, this.#onWritten);
  }

  #writeTail(): void {
    let pieces = this.#collected;
    this.#collected = [];
    this.#collectedBytes = 0;
    try {
      while (pieces.length > 0) {
        const bytes = writevSync(this.#options.descriptor, pieces, this.#position);
        if (bytes === 0) throw new FsError('no-space');
        this.#position += bytes;
        pieces = dropBytes(pieces, bytes);
      }
    } catch (error) {
      return this.stop({ kind: 'file', error: toFsError(error) });
    }
    this.#finish();
  }

  #writeDone(error: Error | null, bytes: number): void {
    if (error !== null || bytes === 0) {
      this.#batchBytes = 0;
      const cause = error === null ? new FsError('no-space') : toFsError(error);
      this.stop({ kind: 'file', error: cause });
      return this.#finish();
    }
    this.#position += bytes;
    if (bytes < this.#batchBytes && this.#failure === null) {
      // A short write: a nearly full disk, a signal. The rest is tried once more and then says why.
      this.#batch = dropBytes(this.#batch, bytes);
      this.#batchBytes -= bytes;
      writev(this.#options.descriptor, this.#batch, this.#position, this.#onWritten);
      return;
    }
    this.#batch = [];
    this.#batchBytes = 0;
    if (this.#failure !== null) return this.#finish();
    if (this.#collectedBytes >= this.#options.bufferSize || this.#collected.length >= MAX_PIECES) {
      this.#startWrite();
    } else if (this.#ended && this.#pausing === null) {
      if (this.#collectedBytes > 0) this.#startWrite();
      else this.#finish();
    }
    this.#resume();
  }

  #pause(): void {
    this.#paused = true;
    this.#source.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#pausing !== null || this.#failure !== null) return;
    this.#paused = false;
    this.#source.resume();
  }

  #hold(milliseconds: number): void {
    if (milliseconds <= 0 || this.#failure !== null || this.#pausing !== null) return;
    this.#pausing = setTimeout(this.#onPauseEnd, milliseconds);
    if (!this.#paused) this.#pause();
  }

  /** Settles when no write uses the descriptor any more. */
  #finish(): void {
    if (this.#settle === null || this.#batchBytes > 0) return;
    const { resolve, reject } = this.#settle;
    this.#settle = null;
    if (this.#pausing !== null) clearTimeout(this.#pausing);
    this.#source.off('data', this.#onData);
    this.#source.off('end', this.#onEnd);
    this.#source.off('close', this.#onClose);
    this.#options.progress.flush();
    if (this.#failure !== null) reject(new TransferError(this.#failure));
    else resolve();
  }
}

/** The pieces without their first `bytes` bytes. */
function dropBytes(pieces: Buffer[], bytes: number): Buffer[] {
  let rest = bytes;
  let index = 0;
  while (index < pieces.length && rest >= (pieces[index] as Buffer).length) {
    rest -= (pieces[index] as Buffer).length;
    index += 1;
  }
  const left = pieces.slice(index);
  if (rest > 0 && left[0] !== undefined) left[0] = left[0].subarray(rest);
  return left;
}
