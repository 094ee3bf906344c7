/**
 * HOT PATH: bytes from the socket to a parser. Small reads of all sessions of a worker go into the same memory: libuv
 * reads and calls back in one go, so it is free again when the call returns, and an idle session holds none. A session
 * that is sent much reads into memory of its own, which packets are decrypted in and handed on from without a copy.
 */
import { AsyncResource } from 'node:async_hooks';
import type { Socket } from 'node:net';
import { canReceiveInto, receiveInto } from '../../transfer/receive-into.ts';
import { InputMemory, MemoryPool } from './input-memory.ts';

export interface InputConsumer {
  /**
   * Takes whole units out of `bytes` from `start` to `end`, until one is incomplete or the input was paused; the offset
   * of what is left. Never throws.
   * @param memory - where `bytes` are, which says how long what was taken stays as it is; null: not beyond the call
   */
  consume(bytes: Buffer, start: number, end: number, memory: InputMemory | null): number;
  /** The peer ended its side, or the connection is gone. */
  ended(): void;
}

/** Before login nobody makes this server hold more than this and one packet. */
const FIRST_READ = 64 * 1024;
/** A logged-in session whose reads bring this much gets memory of its own, */
const BULK_FROM = 24 * 1024;
/** and gives it up after a read as small as this. */
const BULK_UNTIL = 4 * 1024;
/** Where less room than this is left, the rest moves to new memory. */
const MIN_ROOM = 64 * 1024;

let shared: Buffer | null = null;

export class SocketInput {
  readonly #socket: Socket;
  readonly #consumer: InputConsumer;
  #bulk = false;
  #paused = false;
  /** Memory of this session's own. What lies before `#start` has been handed on and is never written again. */
  #own: InputMemory | null = null;
  readonly #pool = new MemoryPool();
  #start = 0;
  #end = 0;
  /** Where the socket reads now: behind `#end` of `#own`, or into the shared memory. */
  #readsOwn = false;
  #lastRead = 0;
  #ended = false;
  #closed = false;

  constructor(socket: Socket, consumer: InputConsumer) {
    this.#socket = socket;
    this.#consumer = consumer;
  }

  /** Begins to read. */
  start(): void {
    const socket = this.#socket;
    socket.on('end', () => this.#over());
    socket.once('close', () => this.#over());
    if (socket.destroyed) return this.#over();
    if (canReceiveInto(socket)) {
      // This callback comes from the handle, which was made outside of the session.
      const received = AsyncResource.bind((bytes: number) => this.#received(bytes));
      receiveInto(socket, { nextBuffer: () => this.#nextBuffer(), received });
    } else {
      socket.on('data', (chunk: Buffer) => this.#chunk(chunk));
    }
    socket.resume();
  }

  /** From now on reads may be large: the peer has logged in. */
  useBulkReads(): void {
    this.#bulk = true;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The consumer takes nothing more until `resume`; what comes in meanwhile stays in the socket. */
  pause(): void {
    this.#paused = true;
  }

  /** Never called from within `consume`. */
  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    if (this.#start < this.#end) this.#consumeOwn();
    if (this.#paused) return;
    if (this.#ended) this.#consumer.ended();
    else if (!this.#socket.destroyed) this.#socket.resume();
  }

  /** The session is over: nothing is consumed any more; what comes in is thrown away. */
  close(): void {
    this.#paused = true;
    this.#closed = true;
    this.#start = 0;
    this.#end = 0;
    // Bytes that stay unread would turn the close into a reset, and the peer would lose the last words.
    if (!this.#socket.destroyed) this.#socket.resume();
  }

  #over(): void {
    if (this.#ended) return;
    this.#ended = true;
    // What came before the end is consumed first; `resume` then tells.
    if (!this.#paused || this.#socket.destroyed) this.#consumer.ended();
  }

  #received(bytes: number): boolean {
    if (this.#closed) return true;
    this.#lastRead = bytes;
    if (this.#readsOwn) {
      this.#end += bytes;
      if (!this.#paused) this.#consumeOwn();
    } else {
      const from = shared!;
      const left = this.#paused ? 0 : this.#consumer.consume(from, 0, bytes, null);
      if (left < bytes) this.#keep(from, left, bytes);
    }
    // Closed meanwhile: what else comes, and the peer's end above all, is still to be read.
    return this.#closed || !this.#paused;
  }

  /** Without reads into our own memory: a stream that is no plain socket of this Node. */
  #chunk(chunk: Buffer): void {
    if (this.#closed) return;
    if (this.#start < this.#end || this.#paused) {
      this.#keep(chunk, 0, chunk.length);
      if (!this.#paused) this.#consumeOwn();
    } else {
      const left = this.#consumer.consume(chunk, 0, chunk.length, new InputMemory(chunk));
      if (left < chunk.length) this.#keep(chunk, left, chunk.length);
    }
    if (this.#paused && !this.#closed) this.#socket.pause();
  }

  #consumeOwn(): void {
    const own = this.#own!;
    this.#start = this.#consumer.consume(own.bytes, this.#start, this.#end, own.lends ? own : null);
  }

  #keep(from: Buffer, start: number, end: number): void {
    this.#makeRoom(end - start);
    from.copy(this.#own!.bytes, this.#end, start, end);
    this.#end += end - start;
  }

  #nextBuffer(): Buffer {
    const wantsBulk = this.#bulk && this.#lastRead >= (this.#readsOwn ? BULK_UNTIL : BULK_FROM);
    if (this.#closed || (this.#start === this.#end && !wantsBulk)) {
      this.#own = null;
      this.#pool.clear();
      this.#start = 0;
      this.#end = 0;
      this.#readsOwn = false;
      shared ??= Buffer.allocUnsafeSlow(FIRST_READ);
      return shared;
    }
    this.#makeRoom(MIN_ROOM);
    this.#readsOwn = true;
    return this.#own!.bytes.subarray(this.#end);
  }

  /** Room for `bytes` behind what is held, in new memory if need be: views of the old may be in use. */
  #makeRoom(bytes: number): void {
    const own = this.#own;
    if (own !== null && own.bytes.length - this.#end >= bytes) return;
    const held = this.#end - this.#start;
    const next = this.#bulk
      ? this.#pool.take(held + bytes)
      : new InputMemory(Buffer.allocUnsafeSlow(Math.max(FIRST_READ + MIN_ROOM, held + bytes)));
    if (own !== null) {
      own.bytes.copy(next.bytes, 0, this.#start, this.#end);
      this.#pool.giveBack(own);
    }
    this.#own = next;
    this.#start = 0;
    this.#end = held;
  }
}
