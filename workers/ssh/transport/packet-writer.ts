/**
 * HOT PATH: payloads to packets, packets to the socket. A packet is sealed when it is given, so that its place in the
 * sequence and its keys are certain; what is sealed in answer to one read, or else during one turn of the event loop, goes
 * out in one write.
 */
import { randomFillSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { cipherSpec, createSealer, type PacketSealer } from '../../../crypto/ssh/packet-protection.ts';
import { CHANNEL_DATA } from '../wire/message-numbers.ts';
import type { ByteQueue } from './byte-queue.ts';
import { giveOutputBuffer, OUTPUT_BUFFER_BYTES, takeOutputBuffer } from './output-buffers.ts';
import { PayloadDeflater } from './payload-compression.ts';

/** Sealed bytes that wait for the socket: above this producers stop, below the other they go on. */
export const OUTPUT_HIGH = 1024 * 1024;
const OUTPUT_LOW = 512 * 1024;
/** Less than this is copied out of the output buffer, so that a slow peer holds no more than it is sent. */
const SMALL_BATCH = 16 * 1024;
/** Parts up to this size are copied behind the packet's head; larger ones are encrypted where they are. */
const COPY_BYTES = 2_048;
/** Packet length and padding length. */
const PREFIX = 5;
/** Type, channel, length of data. */
const DATA_PREFIX = 9;
const SEQUENCE_SPAN = 0x1_0000_0000;
const MAX_PADDING = 255;
const EMPTY = Buffer.alloc(0);

/** Random bytes for paddings, used once each; shared by the sessions of a worker. */
const paddings = Buffer.alloc(16 * 1024);
let paddingOffset = paddings.length;

function takePadding(bytes: number): Buffer {
  if (paddingOffset + MAX_PADDING > paddings.length) {
    randomFillSync(paddings);
    paddingOffset = 0;
  }
  const start = paddingOffset;
  paddingOffset += bytes;
  return paddings.subarray(start, paddingOffset);
}

export interface WriterHooks {
  /** Producers may go on. */
  drained(): void;
  /** Some of what was queued is with the socket. */
  lowered(): void;
  /** Compression failed: a bug or out of memory, not the peer. */
  failed(error: unknown): void;
}

type Deferred =
  | { readonly kind: 'payload'; readonly payload: Buffer }
  | { readonly kind: 'keys'; readonly sealer: PacketSealer; readonly reset: boolean }
  | { readonly kind: 'compression'; readonly on: boolean };

export class PacketWriter {
  /** Of the next packet. */
  sequence = 0;
  packets = 0;
  bytes = 0;
  /** Bytes the socket took, ever; tells a slow peer from a dead one. */
  written = 0;
  readonly #socket: Socket;
  readonly #hooks: WriterHooks;
  #sealer: PacketSealer;
  /** Filled up to `#filled`; null between two turns. */
  #buffer: Buffer | null = null;
  #filled = 0;
  /** In the buffer, in the socket's queue, or waiting for compression. */
  #queued = 0;
  #full = false;
  #scheduled = false;
  /** Somebody will flush: no need for a turn of its own. */
  #corked = false;
  #deflater: PayloadDeflater | null = null;
  /** While compression is on, everything passes through here, in order. */
  #deferred: Deferred[] = [];
  #deferring = false;
  #idle: (() => void)[] = [];
  readonly #flushLater = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  constructor(socket: Socket, hooks: WriterHooks) {
    this.#socket = socket;
    this.#hooks = hooks;
    this.#sealer = createSealer(cipherSpec('none')!, null, EMPTY, EMPTY, EMPTY);
  }

  get queued(): number {
    return this.#queued;
  }

  /** False: producers wait for `drained`. */
  get accepts(): boolean {
    if (this.#queued < OUTPUT_HIGH) return true;
    this.#full = true;
    return false;
  }

  /** Bytes that are no packet: the version line. */
  sendLine(line: string): void {
    const bytes = Buffer.from(`${line}\r\n`, 'latin1');
    bytes.copy(this.#reserve(bytes.length), this.#filled);
    this.#sealedUpTo(this.#filled + bytes.length);
  }

  /** One payload. It is copied. */
  send(payload: Buffer): void {
    if (this.#defers) return this.#defer({ kind: 'payload', payload: Buffer.from(payload) });
    const head = Buffer.allocUnsafe(PREFIX + payload.length);
    head.set(payload, PREFIX);
    this.#seal(head, null);
  }

  /** CHANNEL_DATA with up to `limit` bytes from the queue; returns how many it took. */
  sendData(peerId: number, queue: ByteQueue, limit: number): number {
    const room = Math.min(limit, queue.length);
    const copied: Buffer[] = [];
    let copiedBytes = 0;
    while (copiedBytes < room && copiedBytes < COPY_BYTES && queue.firstLength <= COPY_BYTES) {
      const part = queue.takeFirst(room - copiedBytes);
      copied.push(part);
      copiedBytes += part.length;
    }
    const body = copiedBytes < room ? queue.takeFirst(room - copiedBytes) : null;
    const bytes = copiedBytes + (body?.length ?? 0);
    const head = Buffer.allocUnsafe(PREFIX + DATA_PREFIX + copiedBytes);
    head[PREFIX] = CHANNEL_DATA;
    head.writeUInt32BE(peerId, PREFIX + 1);
    head.writeUInt32BE(bytes, PREFIX + 5);
    let offset = PREFIX + DATA_PREFIX;
    for (const part of copied) {
      head.set(part, offset);
      offset += part.length;
    }
    if (this.#defers) {
      const payload = body === null ? head.subarray(PREFIX) : Buffer.concat([head.subarray(PREFIX), body]);
      this.#defer({ kind: 'payload', payload });
    } else {
      this.#seal(head, body);
    }
    return bytes;
  }

  /** From the next packet on; `reset` for strict key exchange. */
  useKeys(sealer: PacketSealer, reset: boolean): void {
    if (this.#defers) this.#defer({ kind: 'keys', sealer, reset });
    else this.#applyKeys(sealer, reset);
  }

  /** From the next packet on, with a fresh context. */
  useCompression(on: boolean): void {
    if (this.#defers) this.#defer({ kind: 'compression', on });
    else this.#applyCompression(on);
  }

  /** Until `uncork` all that is sealed is collected: the answers to what one read brought leave in one write. */
  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    this.flush();
  }

  /** Hands what is sealed to the socket now. */
  flush(): void {
    const buffer = this.#buffer;
    const bytes = this.#filled;
    if (buffer === null) return;
    this.#buffer = null;
    this.#filled = 0;
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable) {
      giveOutputBuffer(buffer);
      this.#queued -= bytes;
    } else if (bytes < SMALL_BATCH) {
      socket.write(Buffer.from(buffer.subarray(0, bytes)), () => this.#wrote(bytes));
      giveOutputBuffer(buffer);
    } else {
      socket.write(buffer.subarray(0, bytes), () => {
        giveOutputBuffer(buffer);
        this.#wrote(bytes);
      });
    }
  }

  /** Resolves when all that was given is with the socket. */
  async settled(): Promise<void> {
    if (this.#defers) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.flush();
  }

  close(): void {
    if (this.#buffer !== null) giveOutputBuffer(this.#buffer);
    this.#buffer = null;
    this.#filled = 0;
    this.#deferred = [];
    this.#deflater?.close();
    this.#deflater = null;
    this.#sealer.close();
  }

  get #defers(): boolean {
    return this.#deflater !== null || this.#deferring;
  }

  #seal(head: Buffer, body: Buffer | null): void {
    const sealer = this.#sealer;
    const length = head.length - 4 + (body === null ? 0 : body.length);
    const { blockBytes } = sealer;
    let padding = blockBytes - ((sealer.lengthAligned ? length + 4 : length) % blockBytes);
    if (padding < 4) padding += blockBytes;
    head.writeUInt32BE(length + padding, 0);
    head[4] = padding;
    const out = this.#reserve(4 + length + padding + sealer.tagBytes);
    const end = sealer.sealInto(out, this.#filled, head, body, takePadding(padding), this.sequence);
    this.sequence = (this.sequence + 1) % SEQUENCE_SPAN;
    this.packets += 1;
    this.#sealedUpTo(end);
  }

  /** The buffer, with room for `bytes` behind what is in it. */
  #reserve(bytes: number): Buffer {
    if (this.#buffer !== null && this.#filled + bytes > this.#buffer.length) this.flush();
    // A control message may be larger than the buffers of the pool.
    this.#buffer ??= bytes > OUTPUT_BUFFER_BYTES ? Buffer.allocUnsafeSlow(bytes) : takeOutputBuffer();
    return this.#buffer;
  }

  #sealedUpTo(end: number): void {
    const bytes = end - this.#filled;
    this.#filled = end;
    this.#queued += bytes;
    this.bytes += bytes;
    if (!this.#scheduled && !this.#corked) {
      this.#scheduled = true;
      setImmediate(this.#flushLater);
    }
  }

  #wrote(bytes: number): void {
    this.written += bytes;
    this.#lower(bytes);
  }

  #lower(bytes: number): void {
    this.#queued -= bytes;
    if (this.#full && this.#queued <= OUTPUT_LOW) {
      this.#full = false;
      this.#hooks.drained();
    }
    this.#hooks.lowered();
  }

  #applyKeys(sealer: PacketSealer, reset: boolean): void {
    this.#sealer.close();
    this.#sealer = sealer;
    this.packets = 0;
    this.bytes = 0;
    if (reset) this.sequence = 0;
  }

  #applyCompression(on: boolean): void {
    this.#deflater?.close();
    this.#deflater = on ? new PayloadDeflater() : null;
  }

  #defer(item: Deferred): void {
    this.#deferred.push(item);
    if (item.kind === 'payload') this.#queued += item.payload.length;
    if (this.#deferring) return;
    this.#deferring = true;
    this.#runDeferred().catch((error: unknown) => this.#hooks.failed(error));
  }

  async #runDeferred(): Promise<void> {
    for (let item = this.#deferred.shift(); item !== undefined; item = this.#deferred.shift()) {
      if (item.kind === 'keys') this.#applyKeys(item.sealer, item.reset);
      else if (item.kind === 'compression') this.#applyCompression(item.on);
      else await this.#sealDeferred(item.payload);
    }
    this.#deferring = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #sealDeferred(payload: Buffer): Promise<void> {
    const content = this.#deflater === null ? payload : await this.#deflater.convert(payload);
    const head = Buffer.allocUnsafe(PREFIX + content.length);
    head.set(content, PREFIX);
    this.#seal(head, null);
    this.#lower(payload.length);
  }
}
