/** Login and one session channel over the transport, as a stream of bytes in both directions (RFC 4252, RFC 4254). */
import { readFileSync } from 'node:fs';
import { loadHostKey } from '../../crypto/ssh/host-keys.ts';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import type { SshTarget } from './jobs.ts';
import { Message, SshTransport } from './ssh-transport.ts';

const USERAUTH_REQUEST = 50;
const USERAUTH_FAILURE = 51;
const USERAUTH_SUCCESS = 52;
const USERAUTH_BANNER = 53;
const GLOBAL_REQUEST = 80;
const REQUEST_FAILURE = 82;
const CHANNEL_OPEN = 90;
const CHANNEL_OPEN_CONFIRMATION = 91;
const CHANNEL_WINDOW_ADJUST = 93;
const CHANNEL_DATA = 94;
const CHANNEL_EXTENDED_DATA = 95;
const CHANNEL_EOF = 96;
const CHANNEL_CLOSE = 97;
const CHANNEL_REQUEST = 98;
const CHANNEL_SUCCESS = 99;

/** As OpenSSH's client has them. */
const WINDOW_BYTES = 64 * 32_768;
const PACKET_BYTES = 32_768;
const CHANNEL_HEAD_BYTES = 9;

export class SshChannel {
  readonly #transport: SshTransport;
  readonly #staging = Buffer.allocUnsafeSlow(PACKET_BYTES);
  readonly #head = Buffer.alloc(CHANNEL_HEAD_BYTES);
  #staged = 0;
  #peerChannel = 0;
  #peerPacketBytes = 0;
  /** What the server lets us send. */
  #window = 0;
  /** What came in since the window was last raised. */
  #taken = 0;
  readonly #onData: (bytes: Buffer) => void;

  private constructor(transport: SshTransport, onData: (bytes: Buffer) => void) {
    this.#transport = transport;
    this.#onData = onData;
  }

  /** Connects, logs in and starts a subsystem. @param onData - bytes from the server, a view for the time of the call */
  static async open(
    target: SshTarget,
    subsystem: string,
    onData: (bytes: Buffer) => void,
  ): Promise<SshChannel> {
    const transport = new SshTransport(target.port, target);
    try {
      await login(transport, target);
      const channel = new SshChannel(transport, onData);
      channel.#openSession(subsystem);
      return channel;
    } catch (error) {
      transport.close();
      throw error;
    }
  }

  write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) {
      const room = Math.min(this.#staging.length, this.#peerPacketBytes) - this.#staged;
      const piece = Math.min(room, bytes.length - done);
      bytes.copy(this.#staging, this.#staged, done, done + piece);
      this.#staged += piece;
      done += piece;
      if (piece === room) this.#sendStaged();
    }
  }

  /** Sends what is staged, and takes in one message; the data handler may be called. */
  wait(): void {
    this.#sendStaged();
    this.#take(this.#transport.receive());
  }

  close(): void {
    this.#sendStaged();
    this.#transport.send(this.#message(CHANNEL_CLOSE));
    this.#transport.flush();
    this.#transport.close();
  }

  #sendStaged(): void {
    const bytes = this.#staged;
    if (bytes === 0) return;
    this.#staged = 0;
    while (this.#window < bytes) this.#take(this.#transport.receive());
    this.#window -= bytes;
    this.#head[0] = CHANNEL_DATA;
    this.#head.writeUInt32BE(this.#peerChannel, 1);
    this.#head.writeUInt32BE(bytes, 5);
    this.#transport.send(this.#head, this.#staging.subarray(0, bytes));
  }

  #take(payload: Buffer): void {
    switch (payload[0]) {
      case CHANNEL_DATA: {
        const data = payload.subarray(CHANNEL_HEAD_BYTES);
        this.#taken += data.length;
        if (this.#taken >= WINDOW_BYTES / 2) this.#raiseWindow();
        this.#onData(data);
        return;
      }
      case CHANNEL_WINDOW_ADJUST:
        this.#window += payload.readUInt32BE(5);
        return;
      case CHANNEL_EOF:
      case CHANNEL_CLOSE:
        throw new Error('the server closed the channel');
      case CHANNEL_REQUEST:
      case CHANNEL_EXTENDED_DATA:
        return;
      case GLOBAL_REQUEST:
        this.#refuseGlobal(payload);
        return;
      default:
        throw new Error(`unexpected message ${payload[0]}`);
    }
  }

  #raiseWindow(): void {
    this.#transport.send(this.#message(CHANNEL_WINDOW_ADJUST, this.#taken));
    this.#taken = 0;
  }

  #refuseGlobal(payload: Buffer): void {
    const reader = new ByteReader(payload, 1);
    reader.name();
    if (reader.bool()) this.#transport.send(Buffer.from([REQUEST_FAILURE]));
  }

  #message(type: number, value?: number): Buffer {
    const writer = new ByteWriter(16).u8(type).u32(this.#peerChannel);
    return (value === undefined ? writer : writer.u32(value)).finish();
  }

  #openSession(subsystem: string): void {
    const open = new ByteWriter()
      .u8(CHANNEL_OPEN)
      .string('session')
      .u32(0)
      .u32(WINDOW_BYTES)
      .u32(PACKET_BYTES);
    this.#transport.send(open.finish());
    const reader = new ByteReader(this.#answer(CHANNEL_OPEN_CONFIRMATION), 5);
    this.#peerChannel = reader.u32();
    this.#window = reader.u32();
    this.#peerPacketBytes = reader.u32();
    const request = new ByteWriter().u8(CHANNEL_REQUEST).u32(this.#peerChannel);
    this.#transport.send(request.string('subsystem').bool(true).string(subsystem).finish());
    this.#answer(CHANNEL_SUCCESS);
  }

  /** Waits for one kind of answer; window and global messages may come first. */
  #answer(type: number): Buffer {
    for (;;) {
      const payload = this.#transport.receive();
      if (payload[0] === type) return payload;
      if (payload[0] !== GLOBAL_REQUEST && payload[0] !== CHANNEL_WINDOW_ADJUST)
        throw new Error(`message ${payload[0]} instead of ${type}`);
      this.#take(payload);
    }
  }
}

async function login(transport: SshTransport, target: SshTarget): Promise<void> {
  transport.send(new ByteWriter().u8(Message.SERVICE_REQUEST).string('ssh-userauth').finish());
  if (transport.receive()[0] !== Message.SERVICE_ACCEPT) throw new Error('no user authentication');
  const head = new ByteWriter().u8(USERAUTH_REQUEST).string(target.user).string('ssh-connection');
  const { credential } = target;
  if ('password' in credential) {
    transport.send(head.string('password').bool(false).string(credential.password).finish());
  } else {
    const key = await loadHostKey(readFileSync(credential.privateKey));
    const request = head.string('publickey').bool(true).string(key.type).string(key.blob).finish();
    const signed = Buffer.concat([new ByteWriter().string(transport.sessionId).finish(), request]);
    transport.send(
      new ByteWriter()
        .raw(request)
        .string(await key.sign('ssh-ed25519', signed))
        .finish(),
    );
  }
  for (;;) {
    const [type] = transport.receive();
    if (type === USERAUTH_SUCCESS) return;
    if (type === USERAUTH_FAILURE) throw new Error('the server refused the login');
    if (type !== USERAUTH_BANNER) throw new Error(`message ${type} instead of an answer to the login`);
  }
}
