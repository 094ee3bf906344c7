/**
 * HOT PATH: file -> data connection in clear, without conversion: the kernel moves the bytes (send-file.ts), a slice
 * per turn of the event loop. When the socket is full, a small piece goes through the stream, whose completion says that
 * there is room again: Node has no other way to wait for that. What is not in memory is left to DownloadPump, which
 * reads in the thread pool.
 */
import { readSync } from 'node:fs';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { toFsError } from '../vfs/errno-mapping.ts';
import { acquireBuffer, releaseBuffer } from './buffer-pool.ts';
import { DownloadPump, type DownloadOptions } from './pump-download.ts';
import type { FileSender } from './send-file.ts';
import { TransferError, type TransferFailure } from './transfer-error.ts';

const { EAGAIN, ECONNRESET, EPIPE } = constants.errno;
/** Goes through the stream when the socket is full. Room is reported when a third of the socket's buffer is free. */
const PIECE_BYTES = 16 * 1024;

export class DirectDownloadPump {
  readonly #sink: Duplex;
  readonly #sender: FileSender;
  readonly #options: DownloadOptions;
  #position: number;
  #remaining: number;
  #piece: Buffer | null = null;
  #pieceBytes = 0;
  #writing = false;
  #pausing: NodeJS.Timeout | null = null;
  /** Has the rest of the transfer. */
  #reader: DownloadPump | null = null;
  #failure: TransferFailure | null = null;
  #settle: { resolve: () => void; reject: (error: TransferError) => void } | null = null;
  readonly #onTurn = (): void => this.#sendSlice();
  readonly #onWritten = (error: Error | null | undefined): void => this.#pieceDone(error);
  readonly #onPauseEnd = (): void => {
    this.#pausing = null;
    this.#sendSlice();
  };
  readonly #onClose = (): void => this.stop({ kind: 'connection-lost' });

  /** `options.ascii` must be false. */
  constructor(sink: Duplex, sender: FileSender, options: DownloadOptions) {
    this.#sink = sink;
    this.#sender = sender;
    this.#options = options;
    this.#position = options.start;
    this.#remaining = options.length;
  }

  /** As DownloadPump.run. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#sink.once('close', this.#onClose);
      if (this.#sink.destroyed) this.#failure ??= { kind: 'connection-lost' };
      this.#sendSlice();
    });
  }

  /** As DownloadPump.stop. */
  stop(failure: TransferFailure): void {
    if (this.#reader !== null) return this.#reader.stop(failure);
    if (this.#failure !== null) return;
    this.#failure = failure;
    if (this.#pausing !== null) clearTimeout(this.#pausing);
    this.#sink.destroy();
    this.#finish();
  }

  /** Sends what fits, at most a buffer's length, and sees to it that the next slice comes. */
  #sendSlice(): void {
    let room = this.#options.bufferSize;
    while (room > 0 && this.#pausing === null) {
      const wanted = Math.min(room, this.#remaining, this.#options.rate?.chunkSize ?? room);
      if (this.#failure !== null || wanted <= 0) return this.#finish();
      if (!this.#isAtHand(wanted)) return this.#leaveToReader();
      const sent = this.#sender.send(this.#position, wanted);
      if (sent <= 0) return this.#stopped(-sent);
      room -= sent;
      this.#sent(sent);
    }
    if (this.#pausing === null) setImmediate(this.#onTurn);
  }

  /** Whether the disk is not needed: the last byte tells, because the system reads ahead in order. */
  #isAtHand(wanted: number): boolean {
    const { expected, start } = this.#options;
    const last = Math.min(this.#position + wanted, start + expected) - 1;
    return this.#sender.isInMemory(Math.max(last, this.#position));
  }

  /** The kernel sent nothing: the end of the file (0), no room, no connection, or a file it cannot send. */
  #stopped(errno: number): void {
    switch (errno) {
      case 0:
        return this.#finish();
      case EAGAIN:
        return this.#sendPiece();
      case EPIPE:
      case ECONNRESET:
        return this.stop({ kind: 'connection-lost' });
      default:
        return this.#leaveToReader();
    }
  }

  #sendPiece(): void {
    const piece = (this.#piece ??= acquireBuffer(PIECE_BYTES));
    const wanted = Math.min(PIECE_BYTES, this.#remaining, this.#options.rate?.chunkSize ?? PIECE_BYTES);
    try {
      this.#pieceBytes = readSync(this.#options.descriptor, piece, 0, wanted, this.#position);
    } catch (error) {
      return this.stop({ kind: 'file', error: toFsError(error) });
    }
    if (this.#pieceBytes === 0) return this.#finish();
    this.#writing = true;
    this.#sink.write(piece.subarray(0, this.#pieceBytes), this.#onWritten);
  }

  #pieceDone(error: Error | null | undefined): void {
    this.#writing = false;
    // Stopped before: only now does nothing use the buffer any more.
    if (error && this.#failure === null) return this.stop({ kind: 'connection-lost' });
    if (this.#failure !== null) return this.#finish();
    this.#sent(this.#pieceBytes);
    if (this.#pausing === null) this.#sendSlice();
  }

  #sent(bytes: number): void {
    const { progress, rate } = this.#options;
    this.#position += bytes;
    this.#remaining -= bytes;
    progress.add(bytes);
    const pause = rate?.delay(progress.bytes, bytes, performance.now()) ?? 0;
    if (pause > 0) this.#pausing = setTimeout(this.#onPauseEnd, pause);
  }

  #leaveToReader(): void {
    const settle = this.#settle;
    if (settle === null) return;
    this.#release();
    const { expected, start } = this.#options;
    const rest = {
      start: this.#position,
      length: this.#remaining,
      expected: start + expected - this.#position,
    };
    this.#reader = new DownloadPump(this.#sink, { ...this.#options, ...rest });
    this.#reader.run().then(settle.resolve, settle.reject);
  }

  /** Settles when nothing uses the buffer or the descriptor any more. */
  #finish(): void {
    const settle = this.#settle;
    if (settle === null || (this.#writing && !this.#sink.destroyed)) return;
    this.#release();
    this.#options.progress.flush();
    if (this.#failure !== null) return settle.reject(new TransferError(this.#failure));
    this.#sink.end();
    settle.resolve();
  }

  #release(): void {
    this.#settle = null;
    this.#sink.off('close', this.#onClose);
    // A destroyed sink may still hold the buffer of its last write: that one is left to the collector.
    if (this.#piece !== null && !this.#writing) releaseBuffer(this.#piece);
    this.#piece = null;
  }
}
