/**
 * Commands received and not served yet. A client may send many at once (pipelining); the queue keeps what it has
 * read as bytes, parses one line when one is asked for, and says when reading should pause, so it never grows.
 */
import { parseCommandLine, type CommandLine } from './wire/command-line.ts';
import { LineDecoder } from './wire/line-decoder.ts';

export type ControlInput = CommandLine | { readonly kind: 'overlong' };

/** Unread bytes above which the client has to wait. */
const BACKLOG_LIMIT = 16 * 1024;
/** Commands parsed ahead while a transfer runs, in search of ABOR, QUIT or STAT. */
const AHEAD_LIMIT = 64;

const OVERLONG: ControlInput = { kind: 'overlong' };

export class CommandQueue {
  #decoder: LineDecoder;
  #ahead: ControlInput[] = [];

  constructor(commandBufferSize: number) {
    this.#decoder = new LineDecoder(commandBufferSize);
  }

  /** True when no more should be read before something was taken. */
  get isFull(): boolean {
    return this.#decoder.backlog > BACKLOG_LIMIT;
  }

  setLimit(commandBufferSize: number): void {
    this.#decoder.setLimit(commandBufferSize);
  }

  push(chunk: Buffer): void {
    this.#decoder.push(chunk);
  }

  /** The next command in order, null when there is none. */
  next(): ControlInput | null {
    return this.#ahead.shift() ?? this.#decode();
  }

  /** Takes the first command that `isWanted` out of the order; the ones before it stay queued. */
  takeFirst(isWanted: (input: ControlInput) => boolean): ControlInput | null {
    const known = this.#ahead.findIndex(isWanted);
    if (known !== -1) return this.#ahead.splice(known, 1)[0] ?? null;
    while (this.#ahead.length < AHEAD_LIMIT) {
      const input = this.#decode();
      if (input === null || isWanted(input)) return input;
      this.#ahead.push(input);
    }
    return null;
  }

  /** Telnet refusals to send back. */
  takeAnswers(): Buffer | null {
    return this.#decoder.takeAnswers();
  }

  clear(): void {
    this.#ahead = [];
    this.#decoder.clear();
  }

  #decode(): ControlInput | null {
    const line = this.#decoder.next();
    if (line === null) return null;
    return line.kind === 'overlong' ? OVERLONG : parseCommandLine(line.bytes);
  }
}
