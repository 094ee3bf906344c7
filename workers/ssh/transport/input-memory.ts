/**
 * HOT PATH: memory of one session that packets are received and decrypted in. Pieces of it are handed on as they are; it
 * is used again when all of them have been. New memory for every half megabyte would cost an upload as much time in the
 * garbage collector as everything else together.
 */

/** One read of a logged-in session that is sent much, and what is left of the one before. */
export const MEMORY_BYTES = 512 * 1024;
/** Kept for the next round; a service that uses nothing for long has its window to stop the client. */
const MAX_KEPT = 12;
/**
 * Memories of one session that something is still held of. The window bounds the bytes a client may make us hold, but a
 * few bytes hold all the memory they lie in; above this, packets are copied out (32 MiB: two full windows).
 */
export const MAX_HELD = 64;

export class InputMemory {
  readonly bytes: Buffer;
  /** Whether pieces of it may be handed on as they are. */
  lends = true;
  #forgotten = false;
  /** Handed on and not used yet. */
  #inUse = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isFree(): boolean {
    return this.#inUse === 0;
  }

  handedOn(bytes: number): void {
    this.#inUse += bytes;
  }

  used(bytes: number): void {
    this.#inUse -= bytes;
  }

  /** Nobody will say any more when what was handed on has been used: it is never free, and not counted either. */
  forget(): void {
    this.#forgotten = true;
  }

  get isHeld(): boolean {
    return !this.isFree && !this.#forgotten;
  }
}

export class MemoryPool {
  #kept: InputMemory[] = [];
  readonly #held = new Set<InputMemory>();

  /** At least `bytes` long. Where the session holds too much already, it does not lend. */
  take(bytes: number): InputMemory {
    const memory = this.#free(bytes);
    memory.lends = !this.#holdsTooMuch();
    return memory;
  }

  #free(bytes: number): InputMemory {
    if (bytes <= MEMORY_BYTES) {
      const index = this.#kept.findIndex((memory) => memory.isFree);
      if (index >= 0) return this.#kept.splice(index, 1)[0]!;
    }
    return new InputMemory(Buffer.allocUnsafeSlow(Math.max(bytes, MEMORY_BYTES)));
  }

  #holdsTooMuch(): boolean {
    if (this.#held.size < MAX_HELD) return false;
    for (const memory of this.#held) if (!memory.isHeld) this.#held.delete(memory);
    return this.#held.size >= MAX_HELD;
  }

  /** Nothing more is received in it; pieces of it may be in use. */
  giveBack(memory: InputMemory): void {
    if (memory.isHeld) this.#held.add(memory);
    if (memory.bytes.length !== MEMORY_BYTES) return;
    // The oldest is in use for the longest: what becomes of it is left to the garbage collector.
    if (this.#kept.length === MAX_KEPT) this.#kept.shift();
    this.#kept.push(memory);
  }

  clear(): void {
    this.#kept = [];
  }
}

interface Piece {
  /** Null: memory that is not used again. */
  readonly memory: InputMemory | null;
  bytes: number;
}

/** Pieces that one channel's service has been given; it uses them in the order in which they came. */
export class PiecesInUse {
  #pieces: Piece[] = [];

  add(memory: InputMemory | null, bytes: number): void {
    memory?.handedOn(bytes);
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.memory === memory) last.bytes += bytes;
    else this.#pieces.push({ memory, bytes });
  }

  used(bytes: number): void {
    let left = bytes;
    while (left > 0) {
      const first = this.#pieces[0];
      if (first === undefined) return;
      const part = Math.min(left, first.bytes);
      first.memory?.used(part);
      first.bytes -= part;
      left -= part;
      if (first.bytes === 0) this.#pieces.shift();
    }
  }

  /** What is still in use stays so for ever: a write may be under way. */
  forget(): void {
    for (const { memory } of this.#pieces) memory?.forget();
    this.#pieces = [];
  }
}
