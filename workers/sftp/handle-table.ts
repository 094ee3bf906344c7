/** Handles of one channel: eight bytes, a slot and a number that no other handle of the channel ever had. */
import type { DirectoryHandle } from './directory-handle.ts';
import type { FileHandle } from './file-handle.ts';

export type OpenHandle = FileHandle | DirectoryHandle;

const HANDLE_BYTES = 8;

export class HandleTable {
  readonly #slots: ({ readonly number: number; readonly handle: OpenHandle } | null)[] = [];
  readonly #free: number[] = [];
  #issued = 0;
  #open = 0;

  get size(): number {
    return this.#open;
  }

  /** The name the client uses it by. */
  add(handle: OpenHandle): Buffer {
    this.#issued = (this.#issued + 1) >>> 0;
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = { number: this.#issued, handle };
    this.#open += 1;
    const name = Buffer.allocUnsafe(HANDLE_BYTES);
    name.writeUInt32BE(slot, 0);
    name.writeUInt32BE(this.#issued, 4);
    return name;
  }

  /** Null for a handle that was never given out or is closed. */
  find(name: Buffer): OpenHandle | null {
    if (name.length !== HANDLE_BYTES) return null;
    const held = this.#slots[name.readUInt32BE(0)];
    return held?.number === name.readUInt32BE(4) ? held.handle : null;
  }

  remove(name: Buffer): OpenHandle | null {
    const handle = this.find(name);
    if (handle === null) return null;
    const slot = name.readUInt32BE(0);
    this.#slots[slot] = null;
    this.#free.push(slot);
    this.#open -= 1;
    return handle;
  }

  /** Empties the table and gives what was open. */
  removeAll(): OpenHandle[] {
    const open = this.#slots.flatMap((held) => (held === null ? [] : [held.handle]));
    this.#slots.length = 0;
    this.#free.length = 0;
    this.#open = 0;
    return open;
  }
}
