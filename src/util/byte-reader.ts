/**
 * Reads the data types of SSH (RFC 4251, section 5) from bytes a peer or a file claims to be well-formed. Every length
 * is checked against what is there before anything is done with it; strings are views, so a claimed length costs no
 * memory.
 */

/** The bytes do not have the shape they claim; the text is fixed and holds nothing of them. */
export class ByteError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ByteError';
  }
}

const SAFE_HIGH_HALF = 0x1f_ffff;
const TWO_POW_32 = 0x1_0000_0000;
/** RFC 4251, section 6: algorithm names. Lists are bounded by the packet; this bounds the work on one of them. */
const MAX_NAMES = 1024;
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class ByteReader {
  /** Position of the next byte. */
  offset: number;
  readonly #bytes: Buffer;

  /** @param offset - first byte to read */
  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** Any byte but 0 is true (RFC 4251, section 5). */
  bool(): boolean {
    return this.u8() !== 0;
  }

  u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  /** A u64 as a number; a ByteError above 2^53-1 instead of a rounded value. */
  safeU64(): number {
    const high = this.u32();
    const low = this.u32();
    if (high > SAFE_HIGH_HALF) throw new ByteError('number above 2^53-1');
    return high * TWO_POW_32 + low;
  }

  /** `length` bytes without a length field, as a view. */
  raw(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /**
   * u32 length and that many bytes, as a view of the input.
   * @param maxBytes - a longer string is a ByteError
   */
  string(maxBytes: number = Number.POSITIVE_INFINITY): Buffer {
    const length = this.u32();
    if (length > maxBytes) throw new ByteError('string too long');
    return this.raw(length);
  }

  /** A string as UTF-8 text; malformed UTF-8 is a ByteError, never a replacement character. */
  utf8(maxBytes: number = Number.POSITIVE_INFINITY): string {
    const bytes = this.string(maxBytes);
    try {
      return utf8Decoder.decode(bytes);
    } catch {
      throw new ByteError('malformed UTF-8');
    }
  }

  /** A string of printable ASCII without spaces: algorithm, method and request names (RFC 4251, section 6). */
  name(maxBytes = 64): string {
    const bytes = this.string(maxBytes);
    for (const byte of bytes) if (byte <= 0x20 || byte >= 0x7f) throw new ByteError('malformed name');
    return bytes.toString('latin1');
  }

  /** Comma-separated names; the empty string is the empty list, an empty name a ByteError. */
  nameList(maxBytes: number = 65_536): string[] {
    const text = this.name(maxBytes);
    if (text === '') return [];
    const names = text.split(',', MAX_NAMES + 1);
    if (names.length > MAX_NAMES) throw new ByteError('too many names');
    for (const name of names) {
      if (name === '' || name.length > 64) throw new ByteError('malformed name list');
    }
    return names;
  }

  /** Magnitude of a number >= 0, as a view without leading zero bytes; negative or not minimal is a ByteError. */
  mpint(maxBytes = 2_049): Buffer {
    const bytes = this.string(maxBytes);
    if (bytes.length === 0) return bytes;
    const first = bytes[0]!;
    if (first >= 0x80) throw new ByteError('negative number');
    if (first !== 0) return bytes;
    if (bytes.length === 1 || bytes[1]! < 0x80) throw new ByteError('number not minimal');
    return bytes.subarray(1);
  }

  /** All that is left, as a view. */
  rest(): Buffer {
    return this.raw(this.remaining);
  }

  /** Throws where bytes are left over. */
  end(): void {
    if (this.offset !== this.#bytes.length) throw new ByteError('trailing bytes');
  }

  #take(length: number): number {
    const at = this.offset;
    if (length < 0 || length > this.#bytes.length - at) throw new ByteError('truncated');
    this.offset = at + length;
    return at;
  }
}
