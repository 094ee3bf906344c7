/** A client that logs in by password over a real connection and speaks all SFTP versions on as many channels as it likes. */
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import type { SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import { SftpRequests } from './sftp-client.ts';
import { SshClient, type SshClientOptions } from './ssh-client.ts';

export interface LoginOptions extends SshClientOptions {
  readonly user?: string;
  readonly password?: string;
}

export interface ChannelOptions {
  readonly window?: number;
  /** What is received is not given back to the server's window. */
  readonly keepsWindow?: boolean;
}

/** Answer to CHANNEL_OPEN. */
export type OpenAnswer =
  | { readonly kind: 'open'; readonly channel: LoginChannel }
  | { readonly kind: 'refused'; readonly code: number; readonly text: string };

const WINDOW = 2 * 1024 * 1024;
const MAX_PACKET = 32 * 1024;
/** Below the maximum packet of any server that keeps to RFC 4253. */
const SEND_BYTES = 32 * 1024;

export class SshLogin {
  readonly client: SshClient;
  readonly #channels = new Map<number, LoginChannel>();
  readonly #opening = new Map<number, (packet: Buffer | null) => void>();
  #nextId = 0;

  private constructor(client: SshClient) {
    this.client = client;
    client.listener = (packet) => this.#take(packet);
  }

  /** Logged in. Throws where the server refuses. */
  static async connect(options: LoginOptions): Promise<SshLogin> {
    const client = await SshClient.open(options);
    const { user = 'alice', password = 'secret' } = options;
    try {
      await client.handshake();
      client.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
      await client.expect(6);
      const head = new ByteWriter(256).u8(50).string(user).string('ssh-connection').string('password');
      client.send(head.bool(false).string(password).finish());
      await client.expect(52);
      return new SshLogin(client);
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  /** Logged in, with one SFTP channel. */
  static async sftp(
    options: LoginOptions,
    version: SftpVersion = 3,
    channel: ChannelOptions = {},
  ): Promise<RemoteSftp> {
    const login = await SshLogin.connect(options);
    try {
      return await login.openSftp(version, channel);
    } catch (error) {
      login.destroy();
      throw error;
    }
  }

  async tryOpen(options: ChannelOptions = {}): Promise<OpenAnswer> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = new Promise<Buffer | null>((resolve) => this.#opening.set(id, resolve));
    const window = options.window ?? WINDOW;
    this.client.send(new ByteWriter().u8(90).string('session').u32(id).u32(window).u32(MAX_PACKET).finish());
    const packet = await answer;
    if (packet === null) throw new Error('the connection closed instead of opening a channel');
    const reader = new ByteReader(packet, 5);
    if (packet[0] === 92) return { kind: 'refused', code: reader.u32(), text: reader.utf8() };
    const channel = new LoginChannel(
      this,
      { id, peerId: reader.u32(), window: reader.u32(), maxPacket: reader.u32() },
      options,
    );
    this.#channels.set(id, channel);
    return { kind: 'open', channel };
  }

  async openChannel(options: ChannelOptions = {}): Promise<LoginChannel> {
    const answer = await this.tryOpen(options);
    if (answer.kind === 'open') return answer.channel;
    throw new Error(`channel refused: ${answer.code} ${answer.text}`);
  }

  async openSftp(version: SftpVersion, options: ChannelOptions = {}): Promise<RemoteSftp> {
    const channel = await this.openChannel(options);
    if (!(await channel.ask('subsystem', new ByteWriter().string('sftp').finish())))
      throw new Error('the sftp subsystem was refused');
    const sftp = new RemoteSftp(this, channel);
    await sftp.init(version);
    return sftp;
  }

  /** The connection is cut, as by a killed client. */
  destroy(): void {
    this.client.destroy();
  }

  #take(packet: Buffer | null): void {
    if (packet === null) {
      for (const answer of this.#opening.values()) answer(null);
      this.#opening.clear();
      for (const channel of this.#channels.values()) channel.take(null);
      return;
    }
    const type = packet[0]!;
    if (type < 91 || type > 100) return;
    const id = packet.readUInt32BE(1);
    if (type <= 92) this.#opening.get(id)?.(packet);
    else this.#channels.get(id)?.take(packet);
  }
}

export class LoginChannel {
  readonly id: number;
  readonly peerId: number;
  /** As the server confirmed them. */
  readonly window: number;
  readonly maxPacket: number;
  onData: (bytes: Buffer) => void = () => undefined;
  onEnd: () => void = () => undefined;
  exitStatus: number | null = null;
  ended = false;
  readonly #login: SshLogin;
  readonly #keepsWindow: boolean;
  #sendWindow: number;
  #unsent: Buffer[] = [];
  #answers: ((granted: boolean) => void)[] = [];

  constructor(
    login: SshLogin,
    peer: {
      readonly id: number;
      readonly peerId: number;
      readonly window: number;
      readonly maxPacket: number;
    },
    options: ChannelOptions,
  ) {
    this.#login = login;
    this.id = peer.id;
    this.peerId = peer.peerId;
    this.window = peer.window;
    this.maxPacket = peer.maxPacket;
    this.#sendWindow = peer.window;
    this.#keepsWindow = options.keepsWindow ?? false;
  }

  /** A CHANNEL_REQUEST with its answer. */
  ask(type: string, data: Buffer): Promise<boolean> {
    const answer = new Promise<boolean>((resolve) => this.#answers.push(resolve));
    this.#login.client.send(
      new ByteWriter().u8(98).u32(this.peerId).string(type).bool(true).raw(data).finish(),
    );
    return answer;
  }

  exec(command: string): Promise<boolean> {
    return this.ask('exec', new ByteWriter().string(command).finish());
  }

  /** An `env` request. */
  setVariable(name: string, value: string): Promise<boolean> {
    return this.ask('env', new ByteWriter().string(name).string(value).finish());
  }

  /** In packets, and only as far as the server's window reaches; the rest when it widens. */
  send(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += SEND_BYTES)
      this.#unsent.push(bytes.subarray(at, at + SEND_BYTES));
    this.#flush();
  }

  /** Gives the server room to send. */
  widen(bytes: number): void {
    this.#login.client.send(new ByteWriter(16).u8(93).u32(this.peerId).u32(bytes).finish());
  }

  eof(): void {
    this.#login.client.send(new ByteWriter(16).u8(96).u32(this.peerId).finish());
  }

  close(): void {
    this.#login.client.send(new ByteWriter(16).u8(97).u32(this.peerId).finish());
  }

  take(packet: Buffer | null): void {
    switch (packet?.[0]) {
      case undefined:
        this.#end();
        break;
      case 93:
        this.#sendWindow += packet!.readUInt32BE(5);
        this.#flush();
        break;
      case 94: {
        const bytes = packet!.subarray(9);
        if (!this.#keepsWindow) this.widen(bytes.length);
        this.onData(bytes);
        break;
      }
      case 97:
        if (!this.ended) this.close();
        this.#end();
        break;
      case 98:
        if (packet!.toString('latin1', 9, 20) === 'exit-status') this.exitStatus = packet!.readUInt32BE(21);
        break;
      case 99:
      case 100:
        this.#answers.shift()?.(packet![0] === 99);
        break;
    }
  }

  #end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const answer of this.#answers.splice(0)) answer(false);
    this.onEnd();
  }

  #flush(): void {
    for (let next = this.#unsent[0]; next !== undefined && !this.ended; next = this.#unsent[0]) {
      if (next.length > this.#sendWindow) return;
      this.#unsent.shift();
      this.#sendWindow -= next.length;
      this.#login.client.send(new ByteWriter(next.length + 16).u8(94).u32(this.peerId).string(next).finish());
    }
  }
}

export class RemoteSftp extends SftpRequests implements Disposable {
  readonly login: SshLogin;
  readonly channel: LoginChannel;

  constructor(login: SshLogin, channel: LoginChannel) {
    super();
    this.login = login;
    this.channel = channel;
    channel.onData = (bytes) => this.receive(bytes);
    channel.onEnd = () => this.ended(new Error('the channel has closed'));
  }

  override sendRaw(bytes: Buffer): void {
    this.channel.send(bytes);
  }

  [Symbol.dispose](): void {
    this.login.destroy();
  }
}
