/** A blocking SFTP 3 client with the pipeline of OpenSSH's: up to 64 requests of 32 KiB on their way. */
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import type { SshTarget } from './jobs.ts';
import { SshChannel } from './ssh-channel.ts';

const INIT = 1;
const VERSION = 2;
const OPEN = 3;
const CLOSE = 4;
const READ = 5;
const WRITE = 6;
const OPENDIR = 11;
const READDIR = 12;
const REALPATH = 16;
const STATUS = 101;
const HANDLE = 102;
const DATA = 103;
const NAME = 104;

const STATUS_OK = 0;
const STATUS_EOF = 1;
const OPEN_READ = 0x01;
/** Write, create, truncate. */
const OPEN_WRITE = 0x02 | 0x08 | 0x10;
const REQUEST_BYTES = 32_768;
const OUTSTANDING = 64;
/** u32 length, u8 type, u32 id (of VERSION: the version). */
const HEAD_BYTES = 9;
const MAX_ANSWER = 1 << 20;

interface Answer {
  readonly type: number;
  readonly id: number;
  /** Of DATA: bytes of data, which are thrown away. */
  readonly dataBytes: number;
  readonly body: Buffer;
}

const EMPTY = Buffer.alloc(0);

/** Cuts the channel's bytes into answers; the contents of DATA are only counted. */
class AnswerReader {
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headFilled = 0;
  #left = 0;
  #body = EMPTY;
  #bodyFilled = 0;
  readonly #answers: Answer[] = [];

  readonly feed = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length;) {
      if (this.#headFilled < HEAD_BYTES) {
        const piece = Math.min(HEAD_BYTES - this.#headFilled, bytes.length - at);
        bytes.copy(this.#head, this.#headFilled, at, at + piece);
        this.#headFilled += piece;
        at += piece;
        if (this.#headFilled < HEAD_BYTES) return;
        this.#start();
      } else {
        const piece = Math.min(this.#left, bytes.length - at);
        if (this.#head[4] !== DATA) bytes.copy(this.#body, this.#bodyFilled, at, at + piece);
        this.#bodyFilled += piece;
        this.#left -= piece;
        at += piece;
      }
      if (this.#headFilled === HEAD_BYTES && this.#left === 0) this.#finish();
    }
  };

  take(): Answer | undefined {
    return this.#answers.shift();
  }

  #start(): void {
    this.#left = this.#head.readUInt32BE(0) - (HEAD_BYTES - 4);
    if (this.#left < 0 || this.#left > MAX_ANSWER) throw new Error('SFTP packet of an impossible length');
    this.#body = this.#head[4] === DATA ? EMPTY : Buffer.allocUnsafe(this.#left);
    this.#bodyFilled = 0;
  }

  #finish(): void {
    const type = this.#head[4]!;
    const id = this.#head.readUInt32BE(5);
    this.#answers.push({ type, id, dataBytes: type === DATA ? this.#bodyFilled - 4 : 0, body: this.#body });
    this.#headFilled = 0;
  }
}

export class SftpClient {
  readonly #channel: SshChannel;
  readonly #reader: AnswerReader;
  readonly #noise = Buffer.allocUnsafeSlow(REQUEST_BYTES);
  #nextId = 1;

  private constructor(channel: SshChannel, reader: AnswerReader) {
    this.#channel = channel;
    this.#reader = reader;
  }

  static async open(target: SshTarget): Promise<SftpClient> {
    const reader = new AnswerReader();
    const channel = await SshChannel.open(target, 'sftp', reader.feed);
    const client = new SftpClient(channel, reader);
    channel.write(new ByteWriter().u32(5).u8(INIT).u32(3).finish());
    if (client.#answer().type !== VERSION) throw new Error('no SFTP version');
    return client;
  }

  /** @returns bytes of the file; what arrives is thrown away */
  download(path: string): number {
    const handle = this.#open(path, OPEN_READ);
    const asked = new Map<number, { readonly offset: number; readonly bytes: number }>();
    const ask = (offset: number, bytes: number): void => {
      const id = this.#send(READ, (writer) => writer.string(handle).u64(offset).u32(bytes));
      asked.set(id, { offset, bytes });
    };
    let received = 0;
    let next = 0;
    // One request first: a small file costs no more of them than it needs.
    let allowed = 1;
    for (let atEnd = false; !atEnd || asked.size > 0;) {
      for (; !atEnd && asked.size < allowed; next += REQUEST_BYTES) ask(next, REQUEST_BYTES);
      const answer = this.#answer();
      const request = asked.get(answer.id);
      if (request === undefined) throw new Error('answer to no request');
      asked.delete(answer.id);
      if (answer.type === DATA) {
        received += answer.dataBytes;
        allowed = Math.min(OUTSTANDING, allowed + 1);
        if (answer.dataBytes < request.bytes && !atEnd)
          ask(request.offset + answer.dataBytes, request.bytes - answer.dataBytes);
      } else {
        requireStatus(answer, STATUS_EOF);
        atEnd = true;
      }
    }
    this.#close(handle);
    return received;
  }

  /** Writes a file of noise. */
  upload(path: string, bytes: number): void {
    const handle = this.#open(path, OPEN_WRITE);
    let outstanding = 0;
    for (let offset = 0; offset < bytes || outstanding > 0;) {
      if (offset < bytes && outstanding < OUTSTANDING) {
        const piece = Math.min(REQUEST_BYTES, bytes - offset);
        this.#sendWrite(handle, offset, this.#noise.subarray(0, piece));
        offset += piece;
        outstanding += 1;
      } else {
        requireStatus(this.#answer(), STATUS_OK);
        outstanding -= 1;
      }
    }
    this.#close(handle);
  }

  /** @returns entries of the folder */
  list(path: string): number {
    const handle = this.#handle(this.#send(OPENDIR, (writer) => writer.string(path)));
    let entries = 0;
    for (;;) {
      this.#send(READDIR, (writer) => writer.string(handle));
      const answer = this.#answer();
      if (answer.type !== NAME) {
        requireStatus(answer, STATUS_EOF);
        break;
      }
      entries += answer.body.readUInt32BE(0);
    }
    this.#close(handle);
    return entries;
  }

  realPath(path: string): void {
    this.#send(REALPATH, (writer) => writer.string(path));
    const { type } = this.#answer();
    if (type !== NAME) throw new Error(`answer ${type} to REALPATH`);
  }

  close(): void {
    this.#channel.close();
  }

  #open(path: string, flags: number): Buffer {
    // Attributes: none.
    return this.#handle(this.#send(OPEN, (writer) => writer.string(path).u32(flags).u32(0)));
  }

  #handle(id: number): Buffer {
    const answer = this.#answer();
    if (answer.id !== id || answer.type !== HANDLE) {
      const code = answer.type === STATUS ? `status ${answer.body.readUInt32BE(0)}` : `type ${answer.type}`;
      throw new Error(`the server answered ${code} instead of a handle`);
    }
    return Buffer.from(new ByteReader(answer.body).string());
  }

  #close(handle: Buffer): void {
    this.#send(CLOSE, (writer) => writer.string(handle));
    requireStatus(this.#answer(), STATUS_OK);
  }

  #send(type: number, fill: (writer: ByteWriter) => ByteWriter): number {
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const body = fill(new ByteWriter(64).u8(type).u32(id)).finish();
    this.#channel.write(new ByteWriter(4).u32(body.length).finish());
    this.#channel.write(body);
    return id;
  }

  #sendWrite(handle: Buffer, offset: number, data: Buffer): void {
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    const length = 1 + 4 + 4 + handle.length + 8 + 4 + data.length;
    const head = new ByteWriter(64).u32(length).u8(WRITE).u32(id).string(handle).u64(offset).u32(data.length);
    this.#channel.write(head.finish());
    this.#channel.write(data);
  }

  #answer(): Answer {
    for (;;) {
      const answer = this.#reader.take();
      if (answer !== undefined) return answer;
      this.#channel.wait();
    }
  }
}

function requireStatus(answer: Answer, code: number): void {
  if (answer.type !== STATUS) throw new Error(`SFTP answer ${answer.type} instead of a status`);
  const got = answer.body.readUInt32BE(0);
  if (got !== code) throw new Error(`SFTP status ${got} instead of ${code}`);
}
