/** Values that must not be printed. */
import { inspect } from 'node:util';

const STARS = '********';

/**
 * Holds a password, hash or key. Every way of turning it into text prints stars: template strings, `String()`,
 * JSON, `console.log`/`util.inspect`, string concatenation. Only `reveal()` gives the value, so a search for that
 * word finds every place that uses it. A Secret does not survive a structured clone: reveal at the message.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. */
  reveal(): string {
    return this.#value;
  }

  /** Length in UTF-8 bytes, for limits. */
  get byteLength(): number {
    return Buffer.byteLength(this.#value, 'utf8');
  }

  toString(): string {
    return STARS;
  }

  toJSON(): string {
    return STARS;
  }

  [Symbol.toPrimitive](): string {
    return STARS;
  }

  [inspect.custom](): string {
    return STARS;
  }
}
