/** One session channel (RFC 4254, sections 5 and 6): its windows, its output, its end. */
import { ByteQueue } from '../transport/byte-queue.ts';
import { PiecesInUse, type InputMemory } from '../transport/input-memory.ts';
import type { ChannelHandler, SshChannel } from '../ssh-channel.ts';
import type { SshSession } from '../ssh-types.ts';
import {
  encodeChannelClose,
  encodeChannelEof,
  encodeExitStatus,
  encodeStderr,
  encodeWindowAdjust,
} from '../wire/connection-messages.ts';
import { ReceiveWindow } from './receive-window.ts';

/** What a channel uses of its connection. */
export interface ChannelLink {
  readonly session: SshSession;
  readonly acceptsData: boolean;
  send(payload: Buffer): void;
  sendData(peerId: number, queue: ByteQueue, limit: number): number;
  /** Bytes of files and directories moved, for TimeoutStalled. */
  moved(bytes: number): void;
  /** So many bytes more (or fewer) wait for a service to use them. */
  waiting(change: number): void;
  /** Both sides have closed. */
  forget(channel: Channel): void;
}

export interface PeerLimits {
  readonly peerId: number;
  readonly window: number;
  readonly maxPacket: number;
}

const LARGEST_WINDOW = 0xffff_ffff;
/** The RFC leaves open whether a packet's head counts; no client gains from more (OpenSSH, PuTTY, libssh2 say 32 KiB or less). */
const MAX_DATA = 32 * 1024;
const MAX_STDERR = 16 * 1024;

/** open: both ways. finishing: `end` was called, output remains. closed: our CLOSE is out. */
type Sending = 'open' | 'finishing' | 'closed';

export class Channel implements SshChannel {
  readonly id: number;
  readonly peerId: number;
  readonly environment = new Map<string, string>();
  /** Null until a service runs on it. */
  handler: ChannelHandler | null = null;
  /** Answers to requests of ours that are still to come. */
  awaited = 0;
  environmentRequests = 0;
  readonly #link: ChannelLink;
  readonly #receive: ReceiveWindow;
  readonly #maxPacket: number;
  readonly #queue = new ByteQueue();
  readonly #pieces = new PiecesInUse();
  #window: number;
  #sending: Sending = 'open';
  #exitStatus = 0;
  /** Given to the service and not used yet. */
  #waiting = 0;
  #peerClosed = false;
  #peerEnded = false;
  /** eow@openssh.com: the peer wants no more data. */
  #unwanted = false;
  #told = false;

  constructor(id: number, limits: PeerLimits, receive: ReceiveWindow, link: ChannelLink) {
    this.id = id;
    this.peerId = limits.peerId;
    this.#window = limits.window;
    this.#maxPacket = Math.min(limits.maxPacket, MAX_DATA);
    this.#receive = receive;
    this.#link = link;
  }

  get session(): SshSession {
    return this.#link.session;
  }

  get writable(): boolean {
    return this.#queue.length === 0 && this.#window > 0 && this.#sending === 'open' && this.#link.acceptsData;
  }

  /** What leaves the queue was sealed into the output's own memory. */
  get drained(): boolean {
    return this.#queue.length === 0;
  }

  write(...parts: readonly Buffer[]): void {
    if (this.#sending !== 'open' || this.#unwanted) return;
    for (const part of parts) this.#queue.push(part);
    this.#flush();
  }

  writeError(text: string): void {
    if (this.#sending !== 'open' || this.#queue.length > 0) return;
    // Extended data counts for the window too.
    const data = Buffer.from(text).subarray(0, Math.min(MAX_STDERR, this.#window, this.#maxPacket));
    if (data.length === 0) return;
    this.#window -= data.length;
    this.#link.send(encodeStderr(this.peerId, data));
  }

  consumed(bytes: number): void {
    this.#pieces.used(bytes);
    this.#countWaiting(-Math.min(bytes, this.#waiting));
    this.#giveBack(bytes);
  }

  #countWaiting(change: number): void {
    this.#waiting += change;
    this.#link.waiting(change);
  }

  #giveBack(bytes: number): void {
    if (this.#peerEnded || this.#sending === 'closed') return;
    const given = this.#receive.used(bytes);
    if (given > 0) this.#link.send(encodeWindowAdjust(this.peerId, given));
  }

  end(exitStatus: number): void {
    if (this.#sending !== 'open') return;
    this.#sending = 'finishing';
    this.#exitStatus = exitStatus;
    this.#flush();
  }

  abort(reason: string): void {
    if (this.#sending === 'closed') return;
    this.session.sftpLog(`closing channel ${this.id}: ${reason}`);
    this.#queue.clear();
    this.#close();
  }

  // --- for the connection ---

  get closing(): boolean {
    return this.#sending !== 'open';
  }

  /** A view of a packet that lies in `memory`. False: more than the window holds. */
  receive(chunk: Buffer, memory: InputMemory | null): boolean {
    if (!this.#receive.received(chunk.length)) return false;
    this.#link.moved(chunk.length);
    if (this.handler !== null && this.#sending === 'open' && !this.#peerEnded) {
      this.#pieces.add(memory, chunk.length);
      this.#countWaiting(chunk.length);
      this.handler.data(chunk);
    } else {
      this.#giveBack(chunk.length);
    }
    return true;
  }

  /** Extended data: nobody wants it, but it counts. */
  receiveUnwanted(bytes: number): boolean {
    if (!this.#receive.received(bytes)) return false;
    this.#giveBack(bytes);
    return true;
  }

  widen(bytes: number): void {
    const before = this.#window;
    this.#window = Math.min(this.#window + bytes, LARGEST_WINDOW);
    if (before === 0 || this.#queue.length > 0) this.proceed();
  }

  /** Something that held output back may have gone. */
  proceed(): void {
    this.#flush();
    if (this.writable) this.handler?.writable();
  }

  stopSending(): void {
    this.#unwanted = true;
    this.#queue.clear();
    this.#flush();
  }

  peerEnded(): void {
    if (this.#peerEnded) return;
    this.#peerEnded = true;
    if (this.#sending === 'open') {
      if (this.handler === null) this.end(0);
      else this.handler.eof();
    }
  }

  peerClosed(): void {
    this.#peerClosed = true;
    this.#queue.clear();
    if (this.#sending !== 'closed') this.#close();
    this.#link.forget(this);
  }

  /** The connection is gone, or this channel is. */
  tellClosed(): void {
    if (this.#told) return;
    this.#told = true;
    this.#sending = 'closed';
    this.#queue.clear();
    this.#pieces.forget();
    this.#countWaiting(-this.#waiting);
    const { handler } = this;
    this.handler = null;
    handler?.closed();
  }

  #flush(): void {
    const queue = this.#queue;
    while (queue.length > 0 && this.#window > 0 && this.#link.acceptsData) {
      const sent = this.#link.sendData(this.peerId, queue, Math.min(this.#window, this.#maxPacket));
      this.#window -= sent;
      this.#link.moved(sent);
    }
    if (this.#sending === 'finishing' && queue.length === 0) {
      this.#link.send(encodeExitStatus(this.peerId, this.#exitStatus));
      this.#link.send(encodeChannelEof(this.peerId));
      this.#close();
    }
  }

  #close(): void {
    this.#sending = 'closed';
    this.#link.send(encodeChannelClose(this.peerId));
    // Not from within a call of the service's own.
    if (this.#peerClosed) this.tellClosed();
    else queueMicrotask(() => this.tellClosed());
  }
}
