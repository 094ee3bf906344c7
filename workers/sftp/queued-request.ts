/** A request from its arrival to its reply. READ and WRITE are read here, because batches look ahead in the queue. */
import { MessageType } from './wire/message-types.ts';
import type { Message } from './wire/packet-decoder.ts';

const HANDLE_BYTES = 8;
const TWO_POW_32 = 0x1_0000_0000;

export class QueuedRequest {
  readonly type: number;
  readonly id: number;
  /** Of the message: given back to the peer's window with the reply. */
  readonly size: number;
  state: 'waiting' | 'running' | 'answered' = 'waiting';
  /** Null in an answered request: its reply is part of an earlier one's buffer. */
  reply: Buffer | null = null;
  /** Memory of the reply that goes back to the pool when the channel is done with it. */
  pooled: Buffer | null = null;
  body: Buffer | null;
  /** Data of a WRITE. */
  data: Buffer[] | null;
  /** READ and WRITE only. `malformed`: shorter than it says. */
  readonly malformed: boolean;
  readonly handle: Buffer;
  readonly offset: number;
  readonly length: number;

  constructor(message: Message) {
    const { type, id, size, body, data } = message;
    this.type = type;
    this.id = id;
    this.size = size;
    this.body = body;
    this.data = data;
    this.malformed = false;
    this.handle = body;
    this.offset = 0;
    this.length = 0;
    if (type !== MessageType.READ && type !== MessageType.WRITE) return;
    // string handle, u64 offset, u32 length (READ: to read; WRITE: of the data behind it)
    const handleBytes = body.length < 4 ? Infinity : body.readUInt32BE(0);
    const at = 4 + handleBytes;
    if (at + 12 > body.length || (type === MessageType.WRITE && data === null)) {
      this.malformed = true;
      return;
    }
    this.handle = body.subarray(4, at);
    this.offset = body.readUInt32BE(at) * TWO_POW_32 + body.readUInt32BE(at + 4);
    this.length = body.readUInt32BE(at + 8);
    this.malformed = !Number.isSafeInteger(this.offset + this.length);
  }

  /** Whether both name the same handle. */
  sharesHandle(other: QueuedRequest): boolean {
    const { handle: a } = this;
    const { handle: b } = other;
    if (a.length !== HANDLE_BYTES || b.length !== HANDLE_BYTES) return false;
    return a.readUInt32BE(0) === b.readUInt32BE(0) && a.readUInt32BE(4) === b.readUInt32BE(4);
  }

  answer(reply: Buffer | null): void {
    this.state = 'answered';
    this.reply = reply;
    // The bytes of the request are done with; only its size is still wanted.
    this.body = null;
    this.data = null;
  }
}
