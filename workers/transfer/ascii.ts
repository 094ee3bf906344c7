/**
 * TYPE A conversions between the network's CRLF and this system's LF (RFC 959, section 3.1.1.1). Both remember what a
 * chunk ended with, so a CRLF may be split anywhere.
 */

const CR = 0x0d;
const LF = 0x0a;

/** File -> network: every LF that no CR precedes becomes CRLF. */
export class AsciiEncoder {
  #afterCr = false;

  /**
   * Encodes `source[from, to)` into `target` from 0 on; gives the encoded length, at most twice the input.
   * `source` and `target` may be one buffer when `from` is at least half of it: after k bytes read, at most 2k are
   * written, and 2k <= from + k while k <= from.
   */
  encode(source: Uint8Array, from: number, to: number, target: Uint8Array): number {
    let written = 0;
    let previousIsCr = this.#afterCr;
    for (let index = from; index < to; index += 1) {
      const byte = source[index] as number;
      if (byte === LF && !previousIsCr) {
        target[written] = CR;
        written += 1;
      }
      target[written] = byte;
      written += 1;
      previousIsCr = byte === CR;
    }
    this.#afterCr = previousIsCr;
    return written;
  }
}

const HELD_CR = Buffer.from([CR]);

/** Network -> file: every CRLF becomes LF; a CR before anything else stays. */
export class AsciiDecoder {
  #heldCr = false;

  /** Decoded bytes: the chunk itself when there is nothing to change. A CR at its end waits for the next chunk. */
  decode(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    if (!this.#heldCr && !chunk.includes(CR)) return chunk;
    const target = Buffer.allocUnsafe(chunk.length + 1);
    let written = 0;
    let held = this.#heldCr;
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index] as number;
      if (held && byte !== LF) {
        target[written] = CR;
        written += 1;
      }
      held = byte === CR;
      if (!held) {
        target[written] = byte;
        written += 1;
      }
    }
    this.#heldCr = held;
    return target.subarray(0, written);
  }

  /** What is left at the end of the file: a CR that nothing followed. */
  flush(): Buffer {
    const rest = this.#heldCr ? HELD_CR : HELD_CR.subarray(0, 0);
    this.#heldCr = false;
    return rest;
  }
}
