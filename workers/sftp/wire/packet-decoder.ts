/**
 * Channel bytes -> SFTP messages. A message may be split anywhere, and a chunk may hold many. Chunks are kept as the
 * views they came as: the data of a WRITE is handed on in pieces and never copied. Pure.
 *
 *   u32 length | u8 type | u32 id (not in INIT) | body
 */
import { MAX_MESSAGE_BYTES, MessageType } from './message-types.ts';

/** The stream cannot be followed any more: the channel has to be closed. */
export class PacketError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'PacketError';
  }
}

export interface Message {
  readonly type: number;
  /** 0 for INIT, which has none. */
  readonly id: number;
  /** With its length field: what goes back into the window. */
  readonly size: number;
  /** Behind the id; of a WRITE only what stands before its data: handle, offset, length of the data. */
  readonly body: Buffer;
  /** Data of a WRITE, in order; null for other messages, and for a WRITE whose lengths do not fit each other. */
  readonly data: Buffer[] | null;
}

const LENGTH_BYTES = 4;
/** length, type, id. */
const HEAD_BYTES = 9;
/** head of a WRITE up to its data, with the longest handle the protocol allows. */
const WRITE_HEAD_BYTES = HEAD_BYTES + 4 + 256 + 8 + 4;
/** From so many waiting chunks on, small ones are copied together: a peer must not make us keep a view per byte. */
const LOOSE_CHUNKS = 16;
const SMALL_CHUNK = 1024;
const COLLECTOR_BYTES = 16 * 1024;

export class PacketDecoder {
  #chunks: Buffer[] = [];
  /** First chunk in use, and the first byte in use in it. */
  #head = 0;
  #offset = 0;
  #available = 0;
  /** The last chunk, where it is a collector of ours with room left. */
  #collector: { readonly bytes: Buffer; filled: number } | null = null;

  /** Bytes that are no message yet. */
  get buffered(): number {
    return this.#available;
  }

  /** `chunk` must stay unchanged until its messages have been used. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#available += chunk.length;
    if (chunk.length < SMALL_CHUNK && this.#chunks.length - this.#head >= LOOSE_CHUNKS) this.#collect(chunk);
    else {
      this.#collector = null;
      this.#chunks.push(chunk);
    }
  }

  /** The next whole message, or null. Throws PacketError. */
  next(): Message | null {
    if (this.#available < LENGTH_BYTES) return null;
    const length = this.#peekLength();
    if (length === 0) throw new PacketError('received an empty SFTP packet');
    if (length > MAX_MESSAGE_BYTES) throw new PacketError(`received excessive SFTP packet (${length} bytes)`);
    const size = LENGTH_BYTES + length;
    if (this.#available < size) return null;
    const type = this.#byteAt(LENGTH_BYTES);
    if (type === MessageType.INIT)
      return { type, id: 0, size, body: this.#take(size).subarray(5), data: null };
    if (size < HEAD_BYTES) throw new PacketError('received an SFTP packet without a request id');
    if (type === MessageType.WRITE) return this.#takeWrite(size);
    const bytes = this.#take(size);
    return { type, id: bytes.readUInt32BE(5), size, body: bytes.subarray(HEAD_BYTES), data: null };
  }

  #takeWrite(size: number): Message {
    const type = MessageType.WRITE;
    const head = this.#peek(Math.min(size, WRITE_HEAD_BYTES));
    const id = head.readUInt32BE(5);
    const dataStart =
      head.length < HEAD_BYTES + 4 ? Infinity : HEAD_BYTES + 16 + head.readUInt32BE(HEAD_BYTES);
    const dataLength = dataStart <= head.length ? head.readUInt32BE(dataStart - 4) : Infinity;
    if (dataStart + dataLength > size) {
      // Shorter than it says: the whole of it is left to the parser, which will find that out in its own way.
      return { type, id, size, body: this.#take(size).subarray(HEAD_BYTES), data: null };
    }
    this.#skip(dataStart);
    const data = this.#takePieces(dataLength);
    this.#skip(size - dataStart - dataLength);
    return { type, id, size, body: head.subarray(HEAD_BYTES, dataStart), data };
  }

  #collect(chunk: Buffer): void {
    const collector = this.#collector;
    if (collector !== null && chunk.length <= collector.bytes.length - collector.filled) {
      chunk.copy(collector.bytes, collector.filled);
      collector.filled += chunk.length;
      this.#chunks[this.#chunks.length - 1] = collector.bytes.subarray(0, collector.filled);
      return;
    }
    const fresh = { bytes: Buffer.allocUnsafeSlow(COLLECTOR_BYTES), filled: chunk.length };
    chunk.copy(fresh.bytes);
    this.#collector = fresh;
    this.#chunks.push(fresh.bytes.subarray(0, fresh.filled));
  }

  #peekLength(): number {
    const first = this.#chunks[this.#head]!;
    if (first.length - this.#offset >= LENGTH_BYTES) return first.readUInt32BE(this.#offset);
    return this.#peek(LENGTH_BYTES).readUInt32BE(0);
  }

  #byteAt(distance: number): number {
    let index = this.#head;
    let at = this.#offset + distance;
    while (at >= this.#chunks[index]!.length) {
      at -= this.#chunks[index]!.length;
      index += 1;
    }
    return this.#chunks[index]![at]!;
  }

  /** The next `count` bytes, which stay where they are; a view where they are in one chunk. */
  #peek(count: number): Buffer {
    const first = this.#chunks[this.#head]!;
    if (first.length - this.#offset >= count) return first.subarray(this.#offset, this.#offset + count);
    const copy = Buffer.allocUnsafe(count);
    let filled = 0;
    let offset = this.#offset;
    for (let index = this.#head; filled < count; index += 1) {
      const chunk = this.#chunks[index]!;
      filled += chunk.copy(copy, filled, offset, Math.min(chunk.length, offset + count - filled));
      offset = 0;
    }
    return copy;
  }

  #take(count: number): Buffer {
    const bytes = this.#peek(count);
    this.#skip(count);
    return bytes;
  }

  #takePieces(count: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let left = count; left > 0;) {
      const chunk = this.#chunks[this.#head]!;
      const length = Math.min(left, chunk.length - this.#offset);
      pieces.push(chunk.subarray(this.#offset, this.#offset + length));
      this.#skip(length);
      left -= length;
    }
    return pieces;
  }

  #skip(count: number): void {
    this.#available -= count;
    this.#offset += count;
    while (this.#head < this.#chunks.length && this.#offset >= this.#chunks[this.#head]!.length) {
      this.#offset -= this.#chunks[this.#head]!.length;
      this.#head += 1;
    }
    if (this.#head === this.#chunks.length) {
      this.#chunks = [];
      this.#head = 0;
      this.#collector = null;
    } else if (this.#head > 64) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
  }
}
