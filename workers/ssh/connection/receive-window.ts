/**
 * How much a channel's client may send (RFC 4254, section 5.2). What the service has used is given back; where the client
 * waits for its window although the service keeps up, as on a long line, the window grows.
 */

/** Measured with OpenSSH's client on loopback: more than this gains nothing there. */
export const INITIAL_WINDOW = 2 * 1024 * 1024;
/** 100 ms of 1.3 Gbit/s, and the most that a service that stops reading makes a session hold. */
const LARGEST_WINDOW = 16 * 1024 * 1024;

export class ReceiveWindow {
  #size: number;
  readonly #largest: number;
  /** What the client may still send. */
  #left: number;
  /** Received and not used yet. */
  #unused = 0;
  /** Used and not given back yet. */
  #owed = 0;

  /** @param fixed - size by SFTPClientMatch, which then never changes; null: this server's own */
  constructor(fixed: number | null) {
    this.#size = fixed ?? INITIAL_WINDOW;
    this.#largest = fixed ?? LARGEST_WINDOW;
    this.#left = this.#size;
  }

  get size(): number {
    return this.#size;
  }

  /** False: the client sent more than it may. */
  received(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    this.#unused += bytes;
    return true;
  }

  /** @returns what is to be given back now; 0: nothing yet */
  used(bytes: number): number {
    const used = Math.min(bytes, this.#unused);
    this.#unused -= used;
    this.#owed += used;
    if (this.#owed < Math.min(this.#size / 2, 1024 * 1024)) return 0;
    let given = this.#owed;
    const starves = this.#left < this.#size / 4 && this.#unused <= this.#size / 4;
    if (starves && this.#size < this.#largest) {
      const grown = Math.min(this.#size * 2, this.#largest);
      given += grown - this.#size;
      this.#size = grown;
    }
    this.#owed = 0;
    this.#left += given;
    return given;
  }
}
