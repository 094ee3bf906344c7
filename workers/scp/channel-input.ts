/** What the client sent on an scp channel, read in order: lines, single bytes, and file contents. */
import { decodePathBytes } from '../../src/util/path-text.ts';
import type { SshChannel } from '../ssh/ssh-channel.ts';

/** Path and numbers of one record (sftp-protocol reference, section 15). */
const MAX_LINE_BYTES = 4096 + 256;
const NEWLINE = 0x0a;

/** The peer sent a record no scp sends. */
export class ScpInputError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScpInputError';
  }
}

/** An answer of the other side. */
export type PeerStatus =
  | { readonly kind: 'ok' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'warning' | 'fatal'; readonly text: string };

/** One reader at a time. What is taken goes back into the client's window, so memory holds one window at most. */
export class ChannelInput {
  readonly #channel: SshChannel;
  #chunks: Buffer[] = [];
  #ended = false;
  #wake: (() => void) | null = null;

  constructor(channel: SshChannel) {
    this.#channel = channel;
  }

  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#awaken();
  }

  /** Nothing more comes: the client's EOF, or the end of the channel. */
  end(): void {
    this.#ended = true;
    this.#awaken();
  }

  /** The next line without its end; null when the input has ended. Throws ScpInputError for an endless one. */
  async line(): Promise<string | null> {
    const parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      const chunk = await this.#next();
      if (chunk === null) return null;
      const end = chunk.indexOf(NEWLINE);
      const taken = end === -1 ? chunk : chunk.subarray(0, end);
      length += taken.length;
      if (length > MAX_LINE_BYTES) throw new ScpInputError('control message too long');
      parts.push(taken);
      this.#take(end === -1 ? chunk.length : end + 1);
      if (end !== -1) return decodePathBytes(Buffer.concat(parts));
    }
  }

  /**
   * The other side's answer: 0 alone, or 1 and 2 with a line of text. `lost` when the input has ended.
   * Any other byte is a broken protocol: ScpInputError.
   */
  async status(): Promise<PeerStatus> {
    const chunk = await this.#next();
    if (chunk === null) return { kind: 'lost' };
    const byte = chunk[0]!;
    if (byte > 2) throw new ScpInputError('expected a status byte');
    this.#take(1);
    if (byte === 0) return { kind: 'ok' };
    const text = (await this.line()) ?? '';
    return { kind: byte === 1 ? 'warning' : 'fatal', text };
  }

  /** At least one and at most `limit` bytes in the pieces they came in; null when the input has ended. */
  async pieces(limit: number): Promise<readonly Buffer[] | null> {
    if ((await this.#next()) === null) return null;
    const pieces: Buffer[] = [];
    let room = limit;
    while (room > 0 && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const piece = chunk.length <= room ? chunk : chunk.subarray(0, room);
      pieces.push(piece);
      room -= piece.length;
      this.#drop(piece.length);
    }
    return pieces;
  }

  /** The first chunk with something in it, without taking it. */
  async #next(): Promise<Buffer | null> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#chunks[0]!;
  }

  #take(bytes: number): void {
    this.#drop(bytes);
    this.#channel.consumed(bytes);
  }

  /** Leaves the window alone: contents count as used when they are written. */
  #drop(bytes: number): void {
    const chunk = this.#chunks[0]!;
    if (bytes === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(bytes);
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
