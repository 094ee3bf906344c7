/** A client for the requests of all SFTP versions over a channel in memory; every reply is awaited by its turn. */
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { createSftp } from '../../workers/sftp/sftp-channel.ts';
import {
  NO_ATTRIBUTES,
  parseAttributes,
  writeAttributes,
  type FileAttributes,
} from '../../workers/sftp/wire/attributes.ts';
import { MessageType, type SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import type { ChannelHandler } from '../../workers/ssh/ssh-channel.ts';
import { FakeSshChannel, type FakeSession } from './fake-ssh-channel.ts';

export interface Reply {
  readonly type: number;
  readonly id: number;
  readonly body: Buffer;
}

/** How a file is opened, in the words of version 3. */
export interface OpenFlags {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly append?: boolean;
  readonly create?: boolean;
  readonly truncate?: boolean;
  readonly exclusive?: boolean;
}

/** Requests and replies of one SFTP channel; who extends it moves the bytes. */
export abstract class SftpRequests {
  version: SftpVersion = 3;
  /** Replies in the order they came, those awaited too. */
  readonly replies: Reply[] = [];
  #id = 0;
  #pending: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  #unclaimed: Reply[] = [];
  #lost: Error | null = null;

  async init(version: number): Promise<Reply> {
    this.sendRaw(packet(new ByteWriter().u8(MessageType.INIT).u32(version).finish()));
    const reply = await this.reply();
    this.version = reply.id as SftpVersion;
    return reply;
  }

  abstract sendRaw(bytes: Buffer): void;

  /** A whole request, length included, and its id. */
  encode(type: number, fill: (writer: ByteWriter) => void): { id: number; bytes: Buffer } {
    this.#id += 1;
    const writer = new ByteWriter().u8(type).u32(this.#id);
    fill(writer);
    return { id: this.#id, bytes: packet(writer.finish()) };
  }

  send(type: number, fill: (writer: ByteWriter) => void): number {
    const { id, bytes } = this.encode(type, fill);
    this.sendRaw(bytes);
    return id;
  }

  /** The next reply in order. */
  reply(): Promise<Reply> {
    const early = this.#unclaimed.shift();
    if (early !== undefined) return Promise.resolve(early);
    if (this.#lost !== null) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async ask(type: number, fill: (writer: ByteWriter) => void): Promise<Reply> {
    const id = this.send(type, fill);
    const reply = await this.reply();
    if (reply.id !== id) throw new Error(`reply ${reply.id} to request ${id}`);
    return reply;
  }

  extended(name: string, fill: (writer: ByteWriter) => void = () => undefined): Promise<Reply> {
    return this.ask(MessageType.EXTENDED, (writer) => {
      writer.string(name);
      fill(writer);
    });
  }

  writeOpen(
    writer: ByteWriter,
    path: string | Buffer,
    flags: OpenFlags,
    attributes: Partial<FileAttributes> = {},
  ): void {
    writer.string(path);
    const { read = false, write = false, append = false, create = false } = flags;
    const { truncate = false, exclusive = false } = flags;
    if (this.version <= 4) {
      const bits = [read, write, append, create, truncate, exclusive];
      writer.u32(bits.reduce((sum, on, index) => sum | (on ? 1 << index : 0), 0));
    } else {
      const access = (read ? 0x81 : 0) | (write ? 0x2 : 0) | (append ? 0x4 : 0);
      const disposition = exclusive ? 0 : create && truncate ? 1 : create ? 3 : truncate ? 4 : 2;
      writer.u32(access).u32(disposition | (append ? 0x8 : 0));
    }
    this.writeAttributes(writer, attributes);
  }

  writeAttributes(writer: ByteWriter, attributes: Partial<FileAttributes>): void {
    writeAttributes(writer, { ...NO_ATTRIBUTES, type: 1, ...attributes }, this.version);
  }

  async open(path: string, flags: OpenFlags, attributes: Partial<FileAttributes> = {}): Promise<Buffer> {
    return handleOf(await this.tryOpen(path, flags, attributes));
  }

  tryOpen(path: string | Buffer, flags: OpenFlags, attributes: Partial<FileAttributes> = {}): Promise<Reply> {
    return this.ask(MessageType.OPEN, (writer) => this.writeOpen(writer, path, flags, attributes));
  }

  read(handle: Buffer, offset: number, length: number): Promise<Reply> {
    return this.ask(MessageType.READ, (writer) => writer.string(handle).u64(offset).u32(length));
  }

  write(handle: Buffer, offset: number, data: Buffer): Promise<Reply> {
    return this.ask(MessageType.WRITE, (writer) => writer.string(handle).u64(offset).string(data));
  }

  close(handle: Buffer): Promise<Reply> {
    return this.ask(MessageType.CLOSE, (writer) => writer.string(handle));
  }

  /** Everything in the file, or the status that ended the reading. */
  async readAll(handle: Buffer, block = 32_768): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let offset = 0; ;) {
      const reply = await this.read(handle, offset, block);
      if (reply.type !== MessageType.DATA) {
        if (statusOf(reply) !== 1) throw new Error(`status ${statusOf(reply)}`);
        return Buffer.concat(parts);
      }
      const data = dataOf(reply);
      parts.push(data);
      offset += data.length;
    }
  }

  async attributes(type: number, target: string | Buffer, wanted = 0xfffd): Promise<FileAttributes> {
    const reply = await this.ask(type, (writer) => {
      writer.string(target);
      if (this.version >= 4) writer.u32(wanted);
    });
    if (reply.type !== MessageType.ATTRS) throw new Error(`status ${statusOf(reply)}`);
    return parseAttributes(new ByteReader(reply.body), this.version);
  }

  setAttributes(type: number, target: string | Buffer, attributes: Partial<FileAttributes>): Promise<Reply> {
    return this.ask(type, (writer) => {
      writer.string(target);
      this.writeAttributes(writer, attributes);
    });
  }

  path(type: number, ...paths: (string | Buffer)[]): Promise<Reply> {
    return this.ask(type, (writer) => {
      for (const path of paths) writer.string(path);
    });
  }

  /** Every name of a directory. */
  async list(path: string): Promise<{ name: string; longName: string; attributes: FileAttributes }[]> {
    const handle = handleOf(await this.path(MessageType.OPENDIR, path));
    const entries: { name: string; longName: string; attributes: FileAttributes }[] = [];
    for (;;) {
      const reply = await this.path(MessageType.READDIR, handle);
      if (reply.type === MessageType.STATUS) break;
      entries.push(...namesOf(reply, this.version));
    }
    await this.close(handle);
    return entries;
  }

  /** No more replies will come. */
  protected ended(error: Error): void {
    this.#lost = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  protected receive(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 4) {
      const length = this.#pending.readUInt32BE(0);
      if (this.#pending.length < 4 + length) return;
      const message = this.#pending.subarray(4, 4 + length);
      this.#pending = this.#pending.subarray(4 + length);
      const reply = { type: message[0]!, id: message.readUInt32BE(1), body: message.subarray(5) };
      this.replies.push(reply);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#unclaimed.push(reply);
      else waiting.resolve(reply);
    }
  }
}

/** On the service itself, over a channel in memory. */
export class SftpClient extends SftpRequests {
  readonly channel: FakeSshChannel;
  readonly handler: ChannelHandler;
  readonly session: FakeSession;

  constructor(session: FakeSession, id = 0) {
    super();
    this.session = session;
    this.channel = new FakeSshChannel(session, id);
    this.handler = createSftp(this.channel);
    this.channel.connect(this.handler);
    this.channel.onOutput = (bytes) => this.receive(bytes);
  }

  static async connect(session: FakeSession, version: SftpVersion, id = 0): Promise<SftpClient> {
    const client = new SftpClient(session, id);
    await client.init(version);
    return client;
  }

  override sendRaw(bytes: Buffer): void {
    this.handler.data(bytes);
  }

  /** The connection breaks. */
  disconnect(): void {
    this.handler.closed();
  }
}

export function packet(message: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + message.length);
  bytes.writeUInt32BE(message.length);
  message.copy(bytes, 4);
  return bytes;
}

/** Code of a STATUS; -1 for another reply. */
export function statusOf(reply: Reply): number {
  return reply.type === MessageType.STATUS ? reply.body.readUInt32BE(0) : -1;
}

export function statusTextOf(reply: Reply): string {
  const reader = new ByteReader(reply.body, 4);
  return reader.string().toString();
}

export function handleOf(reply: Reply): Buffer {
  if (reply.type !== MessageType.HANDLE)
    throw new Error(`no handle but status ${statusOf(reply)} ${statusTextOf(reply)}`);
  return Buffer.from(new ByteReader(reply.body).string());
}

export function dataOf(reply: Reply): Buffer {
  if (reply.type !== MessageType.DATA) throw new Error(`no data but status ${statusOf(reply)}`);
  return Buffer.from(new ByteReader(reply.body).string());
}

export function namesOf(
  reply: Reply,
  version: SftpVersion,
): { name: string; longName: string; attributes: FileAttributes }[] {
  if (reply.type !== MessageType.NAME) throw new Error(`no names but status ${statusOf(reply)}`);
  const reader = new ByteReader(reply.body);
  const count = reader.u32();
  return Array.from({ length: count }, () => ({
    name: reader.string().toString(),
    longName: version <= 3 ? reader.string().toString() : '',
    attributes: parseAttributes(reader, version),
  }));
}
