/** Writes the data types of SSH (RFC 4251, section 5) into one growing buffer. */

const TWO_POW_32 = 0x1_0000_0000;

export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  /** @param sizeHint - bytes expected; a good guess saves the copies of growing */
  constructor(sizeHint = 256) {
    this.#bytes = Buffer.allocUnsafe(Math.max(sizeHint, 16));
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    // Reserved first: growing replaces the buffer.
    const at = this.#reserve(1);
    this.#bytes[at] = value;
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  /** RangeError for a number that is no integer from 0 to 2^53-1. */
  u64(value: number | bigint): this {
    const at = this.#reserve(8);
    if (typeof value === 'bigint') {
      this.#bytes.writeBigUInt64BE(value, at);
      return this;
    }
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('not an unsigned 53-bit integer');
    this.#bytes.writeUInt32BE(Math.floor(value / TWO_POW_32), at);
    this.#bytes.writeUInt32BE(value % TWO_POW_32, at + 4);
    return this;
  }

  /** u32 length and the bytes; text as UTF-8. */
  string(value: Uint8Array | string): this {
    if (typeof value !== 'string') return this.u32(value.length).raw(value);
    const length = Buffer.byteLength(value);
    this.u32(length);
    const at = this.#reserve(length);
    this.#bytes.write(value, at, length, 'utf8');
    return this;
  }

  /** The bytes alone. */
  raw(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** A number >= 0 given by its big-endian magnitude; leading zero bytes are removed, one is put before a top bit. */
  mpint(magnitude: Uint8Array): this {
    let start = 0;
    while (start < magnitude.length && magnitude[start] === 0) start += 1;
    const digits = magnitude.subarray(start);
    const signByte = digits.length > 0 && digits[0]! >= 0x80 ? 1 : 0;
    this.u32(digits.length + signByte);
    if (signByte === 1) this.u8(0);
    return this.raw(digits);
  }

  nameList(names: readonly string[]): this {
    return this.string(names.join(','));
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }
}
