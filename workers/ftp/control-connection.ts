/**
 * The byte side of the control connection: commands out of whatever stream carries them now, replies into it. It
 * knows no command. Both directions are bounded: reading pauses when the client runs ahead, and a client that does
 * not read its replies loses the connection after WRITE_TIMEOUT_MS.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { encodePathText } from '../../src/util/path-text.ts';
import { CommandQueue, type ControlInput } from './command-queue.ts';
import type { ControlConnection } from './session-types.ts';
import { encodeReply, type Reply } from './wire/reply.ts';

export interface ControlEvents {
  /** Bytes came in, or the peer ended or lost the connection. */
  onActivity(): void;
}

/** How long a reply may wait for a client that does not read. */
const WRITE_TIMEOUT_MS = 60_000;
/** How long the last bytes may take to reach the peer before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 2_000;

const DELIVERED = Promise.resolve(true);
const GONE = Promise.resolve(false);

export class SocketControlConnection implements ControlConnection {
  readonly socket: Socket;
  #stream: Duplex;
  #attached = false;
  #queue: CommandQueue;
  #events: ControlEvents;
  #ended = false;
  #paused = false;
  #waiter: (() => void) | null = null;
  /** Set while the stream is full; resolves false when the peer is gone. */
  #blocked: Promise<boolean> | null = null;

  #onData = (chunk: Buffer): void => {
    this.#queue.push(chunk);
    if (this.#queue.isFull) this.#pause();
    this.#activity();
  };
  #onEnd = (): void => {
    this.#ended = true;
    this.#activity();
  };
  /** 'close' always follows and ends the session; what broke is of no use to anybody but a trace. */
  #onError = (): void => {
    this.#ended = true;
  };

  constructor(socket: Socket, commandBufferSize: number, events: ControlEvents) {
    this.socket = socket;
    this.#stream = socket;
    this.#queue = new CommandQueue(commandBufferSize);
    this.#events = events;
    // A socket that closed before this says so no more.
    this.#ended = socket.destroyed;
    socket.on('error', this.#onError);
    socket.once('close', this.#onEnd);
  }

  get stream(): Duplex {
    return this.#stream;
  }

  get ended(): boolean {
    return this.#ended;
  }

  attach(stream: Duplex): void {
    this.#stream = stream;
    this.#attached = true;
    this.#paused = false;
    // A script may half-close after its last command and still wants the replies.
    stream.allowHalfOpen = true;
    stream.on('data', this.#onData);
    stream.once('end', this.#onEnd);
    if (stream !== this.socket) {
      stream.on('error', this.#onError);
      stream.once('close', this.#onEnd);
    }
    stream.resume();
  }

  detach(): Duplex {
    const stream = this.#stream;
    this.#attached = false;
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    if (stream !== this.socket) stream.off('close', this.#onEnd);
    stream.pause();
    // Whatever came in clear behind AUTH is not the client's word any more (RFC 4217, section 15.1).
    while (stream.readableLength > 0) stream.read();
    this.#queue.clear();
    return stream;
  }

  /** CommandBufferSize of the configuration in force. */
  setCommandLimit(commandBufferSize: number): void {
    this.#queue.setLimit(commandBufferSize);
  }

  /** The next command, null when more bytes are needed (then `activity` tells when to ask again). */
  next(): ControlInput | null {
    const input = this.#queue.next();
    this.#afterRead();
    return input;
  }

  /** Takes a command out of turn, see CommandQueue.takeFirst. */
  takeFirst(isWanted: (input: ControlInput) => boolean): ControlInput | null {
    const input = this.#queue.takeFirst(isWanted);
    this.#afterRead();
    return input;
  }

  /** Resolves at the next bytes, at the end of the connection, or when `wake` is called. */
  activity(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  wake(): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.();
  }

  send(reply: Reply): Promise<boolean> {
    return this.#write(encodeReply(reply));
  }

  /** Ends the stream, throws away what still comes in, and waits until the peer has closed, not for ever. */
  async close(): Promise<void> {
    const stream = this.#stream;
    if (this.#attached) {
      stream.off('data', this.#onData);
      this.#attached = false;
    }
    if (this.socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
    const timer = setTimeout(() => this.socket.destroy(), CLOSE_TIMEOUT_MS);
    if (!stream.destroyed) {
      stream.end();
      stream.resume();
    }
    if (stream !== this.socket) stream.once('close', () => this.socket.destroySoon());
    await closed;
    clearTimeout(timer);
  }

  destroy(): void {
    this.#stream.destroy();
    this.socket.destroy();
  }

  #write(text: string | Buffer): Promise<boolean> {
    if (this.#blocked !== null) return this.#blocked.then((alive) => (alive ? this.#write(text) : false));
    const stream = this.#stream;
    if (stream.destroyed || !stream.writable) return GONE;
    if (stream.write(typeof text === 'string' ? encodePathText(text) : text)) return DELIVERED;
    this.#blocked = this.#drained(stream).finally(() => {
      this.#blocked = null;
    });
    return this.#blocked;
  }

  #drained(stream: Duplex): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (alive: boolean): void => {
        clearTimeout(timer);
        stream.off('drain', onDrain);
        stream.off('close', onClose);
        resolve(alive);
      };
      const onDrain = (): void => settle(true);
      const onClose = (): void => settle(false);
      const timer = setTimeout(() => {
        settle(false);
        this.destroy();
      }, WRITE_TIMEOUT_MS);
      stream.once('drain', onDrain);
      stream.once('close', onClose);
    });
  }

  #activity(): void {
    this.wake();
    this.#events.onActivity();
  }

  #pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  #afterRead(): void {
    const answers = this.#queue.takeAnswers();
    if (answers !== null) void this.#write(answers);
    if (this.#paused && this.#attached && !this.#queue.isFull) {
      this.#paused = false;
      this.#stream.resume();
    }
  }
}
