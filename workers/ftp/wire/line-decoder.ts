/**
 * Control connection bytes -> command lines. Telnet (RFC 854; RFC 959, section 4) is taken out on the way:
 *
 *   IAC IAC                 one byte 0xFF of data
 *   IAC WILL|WONT|DO|DONT x refused (DONT x / WONT x), at most ANSWER_LIMIT times
 *   IAC SB ... IAC SE       dropped; the end of a line ends it too
 *   IAC 0xF0-0xF9           dropped (IP, DM of an urgent ABOR, NOP ...)
 *   IAC other               two bytes of data: some clients do not double 0xFF in a name
 *
 * Without SO_OOBINLINE the urgent byte of `IAC IP IAC DM` is missing from the stream, so a lone 0xF0-0xFF may be left
 * at the start of a line: no command begins with such a byte, they are dropped there.
 *
 * Lines end with LF; a CR before it belongs to the end, CR NUL stands for a CR of data.
 */

export type DecodedLine =
  /** `bytes` is the decoder's own buffer: valid until the next call of `next`. */
  | { readonly kind: 'line'; readonly bytes: Buffer }
  /** Longer than the limit. An endless line counts again every OVERLONG_STRETCH bytes. */
  | { readonly kind: 'overlong' };

const LF = 0x0a;
const CR = 0x0d;
const SE = 0xf0;
const SB = 0xfa;
const WILL = 0xfb;
const WONT = 0xfc;
const DO = 0xfd;
const DONT = 0xfe;
const IAC = 0xff;

const ANSWER_LIMIT = 16;
const OVERLONG_STRETCH = 64 * 1024;

type State =
  | { readonly kind: 'data' | 'after-iac' | 'subnegotiation' | 'subnegotiation-iac' }
  | { readonly kind: 'option'; readonly command: number };

const DATA: State = { kind: 'data' };
const AFTER_IAC: State = { kind: 'after-iac' };
const SUBNEGOTIATION: State = { kind: 'subnegotiation' };
const SUBNEGOTIATION_IAC: State = { kind: 'subnegotiation-iac' };
const OVERLONG: DecodedLine = { kind: 'overlong' };

/** Pull decoder: `push` keeps a chunk, `next` takes one line out of what was pushed. Memory: the chunks plus one line. */
export class LineDecoder {
  #limit: number;
  #line: Buffer;
  #length = 0;
  #afterCr = false;
  /** Bytes of the present line beyond the limit; 0 while it fits. */
  #excess = 0;
  #state: State = DATA;
  #chunks: Buffer[] = [];
  #position = 0;
  #backlog = 0;
  #answers: number[] = [];
  #answered = 0;

  /** `limit`: longest line in bytes, CRLF included (CommandBufferSize). */
  constructor(limit: number) {
    this.#limit = limit;
    this.#line = Buffer.allocUnsafe(limit);
  }

  /** Bytes pushed and not looked at yet. */
  get backlog(): number {
    return this.#backlog;
  }

  /** Another CommandBufferSize; what of the present line was read already stays. */
  setLimit(limit: number): void {
    if (limit === this.#limit) return;
    const larger = Buffer.allocUnsafe(Math.max(limit, this.#length));
    this.#line.copy(larger, 0, 0, this.#length);
    this.#line = larger;
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#backlog += chunk.length;
  }

  /** The next line, or null when a further chunk is needed for one. */
  next(): DecodedLine | null {
    let chunk = this.#chunks[0];
    while (chunk !== undefined) {
      while (this.#position < chunk.length) {
        const byte = chunk[this.#position] as number;
        this.#position += 1;
        this.#backlog -= 1;
        const line = this.#take(byte);
        if (line !== null) return line;
      }
      this.#chunks.shift();
      this.#position = 0;
      chunk = this.#chunks[0];
    }
    return null;
  }

  /** Telnet refusals to send, null when there are none. */
  takeAnswers(): Buffer | null {
    if (this.#answers.length === 0) return null;
    const answers = Buffer.from(this.#answers);
    this.#answers = [];
    return answers;
  }

  /** Forgets everything received, a line begun included. */
  clear(): void {
    this.#chunks = [];
    this.#position = 0;
    this.#backlog = 0;
    this.#answers = [];
    this.#state = DATA;
    this.#startLine();
  }

  #take(byte: number): DecodedLine | null {
    const state = this.#state;
    switch (state.kind) {
      case 'data':
        if (byte !== IAC) return this.#takeData(byte);
        this.#state = AFTER_IAC;
        return null;
      case 'after-iac':
        return this.#takeCommand(byte);
      case 'option':
        this.#state = DATA;
        this.#refuse(state.command, byte);
        return null;
      case 'subnegotiation':
        if (byte === LF) {
          this.#state = DATA;
          return this.#takeData(byte);
        }
        if (byte === IAC) this.#state = SUBNEGOTIATION_IAC;
        return null;
      case 'subnegotiation-iac':
        this.#state = byte === SE ? DATA : SUBNEGOTIATION;
        return null;
    }
  }

  #takeCommand(byte: number): DecodedLine | null {
    this.#state = DATA;
    if (byte === IAC) return this.#takeData(IAC);
    if (byte >= WILL) {
      this.#state = { kind: 'option', command: byte };
      return null;
    }
    if (byte === SB) {
      this.#state = SUBNEGOTIATION;
      return null;
    }
    if (byte >= SE) return null;
    return this.#takeData(IAC) ?? this.#takeData(byte);
  }

  #takeData(byte: number): DecodedLine | null {
    if (byte === LF) return this.#endLine();
    if (this.#afterCr) {
      this.#afterCr = false;
      const overlong = this.#append(CR);
      if (overlong !== null || byte === 0) return overlong;
    }
    if (byte === CR) {
      this.#afterCr = true;
      return null;
    }
    if (this.#length === 0 && this.#excess === 0 && byte >= SE) return null;
    return this.#append(byte);
  }

  #append(byte: number): DecodedLine | null {
    // Two bytes of the limit are the line's CRLF.
    if (this.#excess === 0 && this.#length < this.#limit - 2) {
      this.#line[this.#length] = byte;
      this.#length += 1;
      return null;
    }
    this.#excess += 1;
    if (this.#excess < OVERLONG_STRETCH) return null;
    this.#excess = 1;
    return OVERLONG;
  }

  #endLine(): DecodedLine {
    const line: DecodedLine =
      this.#excess > 0 ? OVERLONG : { kind: 'line', bytes: this.#line.subarray(0, this.#length) };
    this.#startLine();
    return line;
  }

  #startLine(): void {
    this.#length = 0;
    this.#excess = 0;
    this.#afterCr = false;
  }

  #refuse(command: number, option: number): void {
    if (command === WONT || command === DONT || this.#answered >= ANSWER_LIMIT) return;
    this.#answered += 1;
    this.#answers.push(IAC, command === DO ? WONT : DONT, option);
  }
}
