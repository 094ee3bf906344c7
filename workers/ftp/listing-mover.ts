/** Streams a listing: text in large writes, no faster than the client reads, and with turns for other sessions. */
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathTextBytes } from '../../src/util/path-text.ts';
import { TransferError, type TransferFailure } from '../transfer/transfer-error.ts';
import type { TransferProgress } from '../transfer/transfer-progress.ts';
import type { Mover } from './transfer-run.ts';

const WRITE_SIZE = 64 * 1024;
/** Work on one listing between two turns of the event loop, in milliseconds. */
const SLICE_MS = 5;

/** Pulls pieces of text (empty ones are points where it may stop for a while) and writes them to `stream`. */
export class ListingMover<Result> implements Mover {
  /** What the generator returned; null while it runs. */
  result: Result | null = null;
  readonly #stream: Duplex;
  readonly #progress: TransferProgress;
  readonly #pieces: Generator<string, Result>;
  #failure: TransferFailure | null = null;
  readonly #onClose = (): void => this.stop({ kind: 'connection-lost' });

  constructor(stream: Duplex, progress: TransferProgress, pieces: Generator<string, Result>) {
    this.#stream = stream;
    this.#progress = progress;
    this.#pieces = pieces;
  }

  async run(): Promise<void> {
    this.#stream.once('close', this.#onClose);
    if (this.#stream.destroyed) this.#onClose();
    let pending = '';
    let sliceStart = performance.now();
    try {
      for (;;) {
        if (this.#failure !== null) throw new TransferError(this.#failure);
        const step = this.#pieces.next();
        if (step.done === true) {
          this.result = step.value;
          break;
        }
        pending += step.value;
        if (pending.length >= WRITE_SIZE) {
          await this.#write(pending);
          pending = '';
        }
        if (performance.now() - sliceStart > SLICE_MS) {
          await nextTurn();
          sliceStart = performance.now();
        }
      }
      if (pending !== '') await this.#write(pending);
      this.#stream.off('close', this.#onClose);
      this.#stream.end();
    } finally {
      this.#stream.off('close', this.#onClose);
      this.#progress.flush();
      // Runs the generator's own clean-up (open directories) when it did not come to its end.
      if (this.result === null) this.#pieces.return(undefined as Result);
    }
  }

  stop(failure: TransferFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#stream.destroy();
  }

  /** Resolves when the bytes were handed to the system: that is the backpressure. */
  #write(text: string): Promise<void> {
    const bytes = pathTextBytes(text);
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error) {
          reject(new TransferError(this.#failure ?? { kind: 'connection-lost' }));
          return;
        }
        this.#progress.add(bytes.length);
        resolve();
      });
    });
  }
}
