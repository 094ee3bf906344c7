/**
 * HOT PATH: sendfile(2) from a file to a plain TCP socket of Node's, by its descriptor: no byte passes through this
 * process. The call reads what is missing from the disk in this thread, where all sessions of the worker would wait
 * for it; so there is a question to ask first.
 */
import { statfsSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { bindFunctions, type NativeFunctions } from '../../src/util/native-functions.ts';

const { EOPNOTSUPP, EPIPE } = constants.errno;
/** preadv2(2): fail with EAGAIN instead of waiting for a disk. */
const RWF_NOWAIT = 8;
/** statfs(2): a file system in memory, which does not know RWF_NOWAIT. */
const TMPFS_MAGIC = 0x01021994;

interface SystemCalls {
  readonly functions: NativeFunctions;
  /** struct iovec: one byte of memory for the answer nobody looks at. */
  readonly oneByte: BigUint64Array;
}

const scratch = Buffer.allocUnsafeSlow(8);

let loaded: SystemCalls | null | undefined;

function load(): SystemCalls | null {
  if (process.platform !== 'linux') return null;
  const functions = bindFunctions({
    sendfile: { arguments: ['i32', 'i32', 'buffer', 'u64'], return: 'i64' },
    preadv2: { arguments: ['i32', 'buffer', 'i32', 'i64', 'i32'], return: 'i64' },
  });
  if (functions === null) return null;
  const { getRawPointer } = process.getBuiltinModule('node:ffi');
  return { functions, oneByte: BigUint64Array.of(getRawPointer(scratch), 1n) };
}

/** A sender from the file to the stream, or null: this is no plain TCP socket, or the system lacks the calls. */
export function createFileSender(stream: Duplex, descriptor: number): FileSender | null {
  if (!(stream instanceof Socket) || stream instanceof TLSSocket) return null;
  if (loaded === undefined) loaded = load();
  return loaded === null ? null : new FileSender(loaded, stream, descriptor);
}

export class FileSender {
  readonly #system: SystemCalls;
  readonly #socket: Socket & { readonly _handle?: { readonly fd?: number } | null };
  readonly #descriptor: number;
  readonly #offset = new BigInt64Array(1);
  /** True once the file is known to lie in memory always. */
  #neverOnDisk = false;

  constructor(system: SystemCalls, socket: Socket, descriptor: number) {
    this.#system = system;
    this.#socket = socket;
    this.#descriptor = descriptor;
  }

  /** Whether the byte at `position` can be sent without waiting for a disk. A position behind the end can. */
  isInMemory(position: number): boolean {
    if (this.#neverOnDisk) return true;
    const { functions, oneByte } = this.#system;
    const result = functions.call('preadv2', this.#descriptor, oneByte, 1, BigInt(position), RWF_NOWAIT);
    if (result !== -EOPNOTSUPP) return result >= 0;
    this.#neverOnDisk = statfsSync(`/proc/self/fd/${this.#descriptor}`).type === TMPFS_MAGIC;
    return this.#neverOnDisk;
  }

  /**
   * Sends without waiting, past the stream: nothing may be queued in it. Gives the bytes sent (0: end of file), or
   * minus the errno, EAGAIN when the socket is full.
   */
  send(position: number, length: number): number {
    // Looked up each time: the descriptor of a destroyed socket may belong to another connection by now.
    const socket = this.#socket._handle?.fd ?? -1;
    if (socket < 0) return -EPIPE;
    this.#offset[0] = BigInt(position);
    return this.#system.functions.call('sendfile', socket, this.#descriptor, this.#offset, BigInt(length));
  }
}
