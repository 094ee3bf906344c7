/**
 * zlib of payloads (RFC 4253, section 6.2): one stream per direction and key, flushed after each payload. Only zlib's
 * public stream is used: its synchronous inner call ends the process on corrupt input.
 */
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { DisconnectCode } from '../wire/message-numbers.ts';
import { ProtocolViolation } from './protocol-violation.ts';

/** A payload may grow to the size a packet may have, no further: a few bytes must not fill the memory. */
const MAX_INFLATED = 256 * 1024;

const { Z_PARTIAL_FLUSH } = constants;

const violation = (): ProtocolViolation =>
  new ProtocolViolation('Compression error', { code: DisconnectCode.compressionError });

abstract class PayloadStream {
  readonly #stream: Deflate | Inflate;
  readonly #limit: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #settle: { resolve: (payload: Buffer) => void; reject: (error: Error) => void } | null = null;

  constructor(stream: Deflate | Inflate, limit: number) {
    this.#stream = stream;
    this.#limit = limit;
    stream.on('data', (part: Buffer) => this.#add(part));
    stream.on('error', () => this.#fail());
    // zlib's own end mark inside a payload: nothing more will come out.
    stream.on('end', () => this.#fail());
  }

  /** One payload after another; rejects with ProtocolViolation. */
  convert(payload: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      if (this.#stream.destroyed) return this.#fail();
      this.#stream.write(payload, (error) => {
        if (error === null || error === undefined) this.#done();
        else this.#fail();
      });
    });
  }

  close(): void {
    this.#stream.destroy();
    this.#parts = [];
    this.#fail();
  }

  #add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#limit) this.#fail();
    else this.#parts.push(part);
  }

  #done(): void {
    const settle = this.#settle;
    if (settle === null) return;
    this.#settle = null;
    const payload = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    settle.resolve(payload);
  }

  #fail(): void {
    const settle = this.#settle;
    this.#settle = null;
    this.#stream.destroy();
    settle?.reject(violation());
  }
}

export class PayloadDeflater extends PayloadStream {
  constructor() {
    super(createDeflate({ flush: Z_PARTIAL_FLUSH, chunkSize: 16 * 1024 }), Number.POSITIVE_INFINITY);
  }
}

export class PayloadInflater extends PayloadStream {
  constructor() {
    super(createInflate({ flush: constants.Z_SYNC_FLUSH, chunkSize: 64 * 1024 }), MAX_INFLATED);
  }
}
