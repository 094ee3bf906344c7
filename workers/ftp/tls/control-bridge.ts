/**
 * TLS over a small Duplex instead of the socket itself, so that CCC can return the connection to clear text
 * (RFC 4217, section 6). The bridge follows TLS record boundaries all the time: after CCC it must know where the last
 * record of the client ends and the first clear byte begins. Clients send close_notify before, after or never.
 *
 *   TLSPlaintext/TLSCiphertext { type(1) in 20..23, version(2) with major 3, length(2), fragment }
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const RECORD_HEADER = 5;
const FIRST_RECORD_TYPE = 0x14;
const LAST_RECORD_TYPE = 0x17;

/** How much may still arrive as TLS records after CCC: a close_notify and a few tickets or key updates. */
const MAX_LATE_RECORD_BYTES = 64 * 1024;

/** Where in the record stream the next byte of the peer stands. */
export class RecordTracker {
  #header: number[] = [];
  #fragmentLeft = 0;

  /** True between two records. */
  get atBoundary(): boolean {
    return this.#fragmentLeft === 0 && this.#header.length === 0;
  }

  /** Consumes bytes while `accepts` lets a record begin; returns how many. */
  consume(bytes: Buffer, accepts: (firstByte: number) => boolean): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#fragmentLeft > 0) {
        const taken = Math.min(this.#fragmentLeft, bytes.length - at);
        this.#fragmentLeft -= taken;
        at += taken;
        continue;
      }
      const byte = bytes[at] ?? 0;
      if (this.#header.length === 0 && !accepts(byte)) return at;
      this.#header.push(byte);
      at += 1;
      if (this.#header.length === RECORD_HEADER) {
        this.#fragmentLeft = ((this.#header[3] ?? 0) << 8) | (this.#header[4] ?? 0);
        this.#header = [];
      }
    }
    return at;
  }
}

export function isRecordType(byte: number): boolean {
  return byte >= FIRST_RECORD_TYPE && byte <= LAST_RECORD_TYPE;
}

type BridgeState =
  | { readonly kind: 'tls' }
  /** TLS has ended here; records of the client are dropped until its first clear byte. */
  | { readonly kind: 'ending'; readonly clear: ClearChannel }
  | { readonly kind: 'closed' };

/** What the TLS stream reads and writes; the socket lives longer than it. */
export class ControlBridge extends Duplex {
  readonly socket: Socket;
  readonly #records = new RecordTracker();
  #state: BridgeState = { kind: 'tls' };

  readonly #onData = (chunk: Buffer): void => {
    this.#records.consume(chunk, () => true);
    if (!this.push(chunk)) this.socket.pause();
  };
  readonly #onEnd = (): void => {
    this.push(null);
  };
  readonly #onClose = (): void => {
    this.destroy();
  };
  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.socket = socket;
    socket.on('data', this.#onData);
    socket.once('end', this.#onEnd);
    socket.once('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  override _read(): void {
    if (this.#state.kind === 'tls') this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.socket.destroyed || !this.socket.writable) {
      callback(new Error('the connection is closed'));
      return;
    }
    // The socket's own errors arrive through its 'error' event; a failed write must not be reported twice.
    this.socket.write(chunk, () => callback());
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#state.kind === 'tls') this.socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const leavesSocket = this.#state.kind === 'ending';
    this.#release();
    if (!leavesSocket) {
      this.#state = { kind: 'closed' };
      this.socket.destroySoon();
    }
    callback(error);
  }

  /**
   * Ends TLS from here on: what TLS still writes (close_notify) goes out, nothing more is read for it. Everything
   * already buffered for TLS is gone, so no command can run twice. The returned stream carries clear text.
   */
  clear(): Duplex {
    const channel = new ClearChannel(this.socket, this.#records);
    this.#state = { kind: 'ending', clear: channel };
    this.#release();
    return channel;
  }

  #release(): void {
    this.socket.off('data', this.#onData);
    this.socket.off('end', this.#onEnd);
    this.socket.off('close', this.#onClose);
    this.socket.off('error', this.#onError);
  }
}

/** The connection after CCC: clear text, the client's last TLS records left out. */
class ClearChannel extends Duplex {
  readonly #socket: Socket;
  readonly #records: RecordTracker;
  /** Null once the first clear byte was seen: from then on nothing is looked at any more. */
  #lateBytesLeft: number | null = MAX_LATE_RECORD_BYTES;

  constructor(socket: Socket, records: RecordTracker) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#records = records;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.once('end', () => this.push(null));
    socket.once('close', () => this.destroy());
    socket.on('error', () => this.destroy());
  }

  #receive(chunk: Buffer): void {
    const text = this.#clearPart(chunk);
    if (text.length > 0 && !this.push(text)) this.#socket.pause();
  }

  #clearPart(chunk: Buffer): Buffer {
    if (this.#lateBytesLeft === null) return chunk;
    const records = this.#records.consume(chunk, isRecordType);
    this.#lateBytesLeft -= records;
    if (this.#lateBytesLeft < 0) {
      // Without an error: nobody listens yet while close_notify leaves, and the end of the stream says enough.
      this.destroy();
      return Buffer.alloc(0);
    }
    if (records < chunk.length) this.#lateBytesLeft = null;
    return chunk.subarray(records);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#socket.destroyed || !this.#socket.writable) {
      callback(new Error('the connection is closed'));
      return;
    }
    this.#socket.write(chunk, () => callback());
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroySoon();
    callback(error);
  }
}
