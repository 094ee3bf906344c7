/** Bytes of a channel that wait for the peer's window or for the transport, as the buffers they came in. */
export class ByteQueue {
  #parts: Buffer[] = [];
  /** Parts before this one are taken; removed in bulk, so that taking one costs no shifting. */
  #first = 0;
  /** Bytes of the first part that are taken. */
  #offset = 0;
  length = 0;

  push(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.length += part.length;
  }

  /** Bytes of the first part that are left. */
  get firstLength(): number {
    const part = this.#parts[this.#first];
    return part === undefined ? 0 : part.length - this.#offset;
  }

  /** Up to `limit` bytes of the first part, as a view. */
  takeFirst(limit: number): Buffer {
    const part = this.#parts[this.#first]!;
    const end = Math.min(part.length, this.#offset + limit);
    const taken = this.#offset === 0 && end === part.length ? part : part.subarray(this.#offset, end);
    this.length -= taken.length;
    if (end < part.length) this.#offset = end;
    else this.#drop();
    return taken;
  }

  clear(): void {
    this.#parts = [];
    this.#first = 0;
    this.#offset = 0;
    this.length = 0;
  }

  #drop(): void {
    this.#offset = 0;
    this.#first += 1;
    if (this.#first === this.#parts.length) {
      this.#parts = [];
      this.#first = 0;
    } else if (this.#first >= 64) {
      this.#parts.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
