/** Bytes of one transfer: local numbers on the hot path, handed to the shared counters now and then. */

/** Index into the session's shared counters. */
export const BYTES_IN = 0;
export const BYTES_OUT = 1;

/** Shared counters are for people who look at the server: every few megabytes is often enough. */
const FLUSH_BYTES = 4 * 1024 * 1024;

export class TransferProgress {
  /** Bytes of the data connection so far (after conversion on a download, before it on an upload). */
  bytes = 0;
  readonly #counters: BigInt64Array;
  readonly #index: number;
  #flushed = 0;

  constructor(counters: BigInt64Array, index: typeof BYTES_IN | typeof BYTES_OUT) {
    this.#counters = counters;
    this.#index = index;
  }

  add(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes - this.#flushed >= FLUSH_BYTES) this.flush();
  }

  flush(): void {
    const fresh = this.bytes - this.#flushed;
    if (fresh === 0) return;
    this.#flushed = this.bytes;
    Atomics.add(this.#counters, this.#index, BigInt(fresh));
  }
}
