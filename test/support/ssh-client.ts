/**
 * A small SSH client over a plain socket, on the server's own crypto: it does what a client must, and what it must not
 * when a test asks for it (inject packets, split writes, stop reading, skip steps).
 */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { deriveKey, exchangeHash, keyExchangeMethod } from '../../crypto/ssh/key-exchange.ts';
import { parsePublicKeyBlob, verifySignature } from '../../crypto/ssh/keys.ts';
import {
  cipherSpec,
  createOpener,
  createSealer,
  macSpec,
  type PacketOpener,
  type PacketSealer,
} from '../../crypto/ssh/packet-protection.ts';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { encodeKexInit, parseKexInit } from '../../workers/ssh/wire/kexinit.ts';

export interface SshClientOptions {
  readonly port: number;
  readonly version?: string;
  readonly cipher?: string;
  readonly mac?: string;
  readonly compression?: string;
  readonly hostKey?: string;
  /** Names before `ext-info-c` and the strict name. */
  readonly keyExchanges?: readonly string[];
  readonly strict?: boolean;
  /** Bytes per write, each in a turn of its own; 0: whole. */
  readonly split?: number;
  /** A KEXINIT of the server is not answered. */
  readonly ignoresRekey?: boolean;
  /** first_kex_packet_follows with a guess that is wrong. */
  readonly wrongGuess?: boolean;
}

const EMPTY = Buffer.alloc(0);
const WAIT_MS = 10_000;
const METHOD = keyExchangeMethod('curve25519-sha256')!;

export class SshClient {
  readonly socket: Socket;
  serverVersion = '';
  sequenceIn = 0;
  sequenceOut = 0;
  /** Key exchanges that are complete. */
  exchanges = 0;
  sessionId: Buffer | null = null;
  serverKexInit: Buffer | null = null;
  serverHostKey: Buffer | null = null;
  /** Gets every packet that is no part of a key exchange, in place of `next`; null when the connection has closed. */
  listener: ((packet: Buffer | null) => void) | null = null;
  readonly #options: SshClientOptions;
  readonly #version: string;
  #received = EMPTY;
  #opener: PacketOpener = createOpener(cipherSpec('none')!, null, EMPTY, EMPTY, EMPTY);
  #sealer: PacketSealer = createSealer(cipherSpec('none')!, null, EMPTY, EMPTY, EMPTY);
  #packets: Buffer[] = [];
  #waiters: (() => void)[] = [];
  #closed = false;
  #ownKexInit: Buffer | null = null;
  #ephemeral = generateKeyPairSync('x25519');
  #next: { opener: PacketOpener; sealer: PacketSealer } | null = null;
  #frozen = false;
  #held: Buffer[] = [];
  #writing = Promise.resolve();
  #deflate: Deflate | null = null;
  #inflate: Inflate | null = null;
  /** A packet is being inflated; the next one waits, as it may be under other keys. */
  #inflating = false;
  #nextChannel = 0;

  private constructor(socket: Socket, options: SshClientOptions) {
    this.socket = socket;
    this.#options = options;
    this.#version = options.version ?? 'SSH-2.0-LockgateTest_1.0';
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#parse();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#release();
      this.listener?.(null);
      this.#wake();
    });
  }

  /** Connected; nothing has been sent. */
  static async open(options: SshClientOptions): Promise<SshClient> {
    const socket = connect(options.port, '127.0.0.1');
    await once(socket, 'connect');
    return new SshClient(socket, options);
  }

  /** Connected, keys agreed on, logged in. */
  static async login(options: SshClientOptions): Promise<SshClient> {
    const client = await SshClient.open(options);
    await client.handshake();
    await client.authenticate();
    return client;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async handshake(): Promise<void> {
    this.sendVersion();
    this.sendKexInit();
    await this.until(() => this.exchanges > 0);
  }

  sendVersion(): void {
    this.writeRaw(Buffer.from(`${this.#version}\r\n`));
  }

  /** Service request and `none`, which the test double lets in. */
  async authenticate(): Promise<void> {
    this.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
    await this.expect(6);
    this.send(new ByteWriter().u8(50).string('alice').string('ssh-connection').string('none').finish());
    await this.expect(52);
  }

  sendKexInit(): void {
    const { cipher, mac, compression, hostKey, keyExchanges, strict, wrongGuess } = this.#options;
    const pseudo =
      this.exchanges > 0 ? [] : ['ext-info-c', ...(strict === false ? [] : ['kex-strict-c-v00@openssh.com'])];
    const ciphers = [cipher ?? 'aes128-gcm@openssh.com'];
    const macs = [mac ?? 'hmac-sha2-256-etm@openssh.com'];
    const compressions = [compression ?? 'none'];
    const names = keyExchanges ?? ['curve25519-sha256'];
    const payload = encodeKexInit(
      {
        keyExchanges: [
          ...(wrongGuess === true ? ['diffie-hellman-group14-sha256'] : []),
          ...names,
          ...pseudo,
        ],
        hostKeys: [hostKey ?? 'ssh-ed25519'],
        ciphersIn: ciphers,
        ciphersOut: ciphers,
        macsIn: macs,
        macsOut: macs,
        compressionsIn: compressions,
        compressionsOut: compressions,
      },
      randomBytes(16),
    );
    if (wrongGuess === true) payload[payload.length - 5] = 1;
    this.#ownKexInit = payload;
    this.inject(payload);
    this.#frozen = true;
    if (wrongGuess === true)
      this.inject(
        new ByteWriter()
          .u8(30)
          .mpint(Buffer.from([2]))
          .finish(),
      );
  }

  /** As a client should: waits for the end of a key exchange. */
  send(payload: Buffer): void {
    if (this.#frozen && this.exchanges > 0) this.#held.push(payload);
    else this.inject(payload);
  }

  /** Right now, whatever the state. */
  inject(payload: Buffer): void {
    if (this.#deflate === null) return this.#sendSealed(payload);
    const parts: Buffer[] = [];
    const deflate = this.#deflate;
    const collect = (part: Buffer): void => void parts.push(part);
    this.#writing = this.#writing.then(
      () =>
        new Promise((resolve) => {
          deflate.on('data', collect);
          deflate.write(payload, () => {
            deflate.off('data', collect);
            this.#sendSealed(Buffer.concat(parts));
            resolve();
          });
        }),
    );
  }

  /** A sealed packet, not sent; its sequence number is used up. */
  seal(payload: Buffer): Buffer {
    const { blockBytes, lengthAligned } = this.#sealer;
    const length = payload.length + 1;
    let padding = blockBytes - ((lengthAligned ? length + 4 : length) % blockBytes);
    if (padding < 4) padding += blockBytes;
    const head = Buffer.alloc(5 + payload.length);
    head.writeUInt32BE(length + padding);
    head[4] = padding;
    payload.copy(head, 5);
    const sealed = this.#sealer.seal(head, null, randomBytes(padding), this.sequenceOut);
    this.sequenceOut = (this.sequenceOut + 1) % 2 ** 32;
    return Buffer.concat(sealed);
  }

  writeRaw(bytes: Buffer): void {
    if (this.#closed) return;
    const { split = 0 } = this.#options;
    if (split === 0) return void this.socket.write(bytes);
    this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < bytes.length && !this.#closed; at += split) {
        this.socket.write(bytes.subarray(at, at + split));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  }

  /** The next packet that is no part of a key exchange; null when the connection has closed. */
  async next(): Promise<Buffer | null> {
    await this.until(() => this.#packets.length > 0);
    return this.#packets.shift() ?? null;
  }

  /** The next packet of this type; others before it are dropped. Throws when the connection closes first. */
  async expect(type: number): Promise<Buffer> {
    const seen: number[] = [];
    for (;;) {
      const packet = await this.next();
      if (packet === null)
        throw new Error(`closed before message ${type}, saw ${seen.join(' ') || 'nothing'}`);
      if (packet[0] === type) return packet;
      if (packet[0] === 1)
        throw new Error(`disconnected: ${packet.readUInt32BE(1)} ${packet.toString('latin1', 9)}`);
      seen.push(packet[0]!);
    }
  }

  /** The DISCONNECT that ends the connection: its code and text; null when it closes without one. */
  async disconnected(): Promise<{ readonly code: number; readonly text: string } | null> {
    for (;;) {
      const packet = await this.next();
      if (packet === null) return null;
      if (packet[0] !== 1) continue;
      const reader = new ByteReader(packet, 1);
      return { code: reader.u32(), text: reader.utf8() };
    }
  }

  /** Resolves when `condition` holds or the connection has closed; rejects after ten seconds. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(WAIT_MS);
    while (!condition() && !this.#closed) {
      await new Promise<void>((resolve, reject) => {
        const tooLong = (): void => reject(new Error('the server does not answer'));
        deadline.addEventListener('abort', tooLong, { once: true });
        this.#waiters.push(() => {
          deadline.removeEventListener('abort', tooLong);
          resolve();
        });
      });
    }
  }

  async openChannel(window = 2 * 1024 * 1024, maxPacket = 32 * 1024): Promise<ClientChannel> {
    const id = this.#nextChannel;
    this.#nextChannel += 1;
    this.send(new ByteWriter().u8(90).string('session').u32(id).u32(window).u32(maxPacket).finish());
    const answer = new ByteReader(await this.expect(91), 1);
    answer.u32();
    return new ClientChannel(this, id, answer.u32(), answer.u32(), answer.u32());
  }

  destroy(): void {
    this.socket.destroy();
  }

  #sendSealed(payload: Buffer): void {
    if (!this.#closed) this.writeRaw(this.seal(payload));
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #parse(): void {
    if (this.serverVersion === '') {
      const end = this.#received.indexOf('\r\n');
      if (end < 0) return;
      this.serverVersion = this.#received.toString('latin1', 0, end);
      this.#received = this.#received.subarray(end + 2);
    }
    while (!this.#closed && !this.#inflating && this.#received.length >= this.#opener.headBytes) {
      const length = this.#opener.length(this.#received.subarray(0, this.#opener.headBytes), this.sequenceIn);
      const total = 4 + length + this.#opener.tagBytes;
      if (this.#received.length < total) break;
      const opened = this.#opener.open(Buffer.from(this.#received.subarray(0, total)), this.sequenceIn);
      if (opened === null) throw new Error('the server sent a packet that does not authenticate');
      this.#received = this.#received.subarray(total);
      this.sequenceIn = (this.sequenceIn + 1) % 2 ** 32;
      const payload = opened.subarray(1, length - opened[0]!);
      if (this.#inflate === null) this.#take(payload);
      else this.#takeInflated(payload);
    }
    this.#wake();
  }

  #take(payload: Buffer): void {
    const type = payload[0]!;
    if (type === 20) this.#serverAsks(Buffer.from(payload));
    else if (type === 31 && this.#frozen) this.#keysAgreed(payload);
    else if (type === 21) this.#useNewKeys();
    else if (type === 52 && this.#options.compression === 'zlib@openssh.com') this.#loggedIn(payload);
    else if (this.listener !== null) this.listener(Buffer.from(payload));
    else this.#packets.push(Buffer.from(payload));
  }

  #takeInflated(payload: Buffer): void {
    const inflate = this.#inflate!;
    const parts: Buffer[] = [];
    const collect = (part: Buffer): void => void parts.push(part);
    this.#inflating = true;
    inflate.on('data', collect);
    inflate.write(payload, () => {
      inflate.off('data', collect);
      this.#inflating = false;
      this.#take(Buffer.concat(parts));
      this.#parse();
    });
  }

  /** Delayed compression starts with the very next packet, which may have come along with this one. */
  #loggedIn(success: Buffer): void {
    this.#deflate = createDeflate({ flush: constants.Z_PARTIAL_FLUSH });
    this.#inflate = createInflate({ flush: constants.Z_SYNC_FLUSH });
    if (this.listener === null) this.#packets.push(Buffer.from(success));
    else this.listener(Buffer.from(success));
  }

  #release(): void {
    this.#sealer.close();
    this.#opener.close();
    this.#next?.opener.close();
    this.#next = null;
    this.#deflate?.destroy();
    this.#inflate?.destroy();
  }

  #serverAsks(payload: Buffer): void {
    this.serverKexInit = payload;
    parseKexInit(payload);
    if (this.#options.ignoresRekey === true && this.exchanges > 0) return;
    if (this.#options.keyExchanges !== undefined && !this.#options.keyExchanges.includes('curve25519-sha256'))
      return;
    if (this.#ownKexInit === null) this.sendKexInit();
    this.#ephemeral = generateKeyPairSync('x25519');
    const own = this.#ephemeral.publicKey.export({ format: 'jwk' }).x!;
    this.inject(new ByteWriter().u8(30).string(Buffer.from(own, 'base64url')).finish());
  }

  #keysAgreed(payload: Buffer): void {
    const reader = new ByteReader(payload, 1);
    const hostKey = reader.string();
    const serverPublic = reader.string();
    const signature = reader.string();
    const x = serverPublic.toString('base64url');
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    const privateKey = createPrivateKey(this.#ephemeral.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const secret = new ByteWriter().mpint(diffieHellman({ privateKey, publicKey })).finish();
    const own = Buffer.from(this.#ephemeral.publicKey.export({ format: 'jwk' }).x!, 'base64url');
    const transcript = new ByteWriter(4096)
      .string(this.#version)
      .string(this.serverVersion)
      .string(this.#ownKexInit!)
      .string(this.serverKexInit!)
      .string(hostKey)
      .string(own)
      .string(serverPublic)
      .raw(secret)
      .finish();
    const hash = exchangeHash(METHOD, [transcript]);
    const { hostKey: algorithm = 'ssh-ed25519' } = this.#options;
    const verdict = verifySignature(parsePublicKeyBlob(hostKey), algorithm, hash, signature);
    if (!verdict.valid) throw new Error('the signature of the host key is wrong');
    this.serverHostKey = Buffer.from(hostKey);
    this.sessionId ??= hash;
    this.#next = this.#derive(secret, hash, this.sessionId);
    const { sealer } = this.#next;
    this.inject(Buffer.of(21));
    const change = (): void => {
      this.#sealer = sealer;
      if (this.#options.strict !== false) this.sequenceOut = 0;
    };
    if (this.#deflate === null) {
      change();
    } else {
      this.#writing = this.#writing.then(change);
      this.#deflate = createDeflate({ flush: constants.Z_PARTIAL_FLUSH });
    }
  }

  #derive(secret: Buffer, hash: Buffer, sessionId: Buffer): { opener: PacketOpener; sealer: PacketSealer } {
    const cipher = cipherSpec(this.#options.cipher ?? 'aes128-gcm@openssh.com')!;
    const macName = this.#options.mac ?? 'hmac-sha2-256-etm@openssh.com';
    const mac = cipher.kind === 'aead' || macName === 'none' ? null : macSpec(macName);
    const key = (letter: 'A' | 'B' | 'C' | 'D' | 'E' | 'F', bytes: number): Buffer =>
      bytes === 0 ? EMPTY : deriveKey(METHOD.hash, secret, hash, letter, sessionId, bytes);
    const macBytes = mac?.keyBytes ?? 0;
    return {
      sealer: createSealer(
        cipher,
        mac,
        key('C', cipher.keyBytes),
        key('A', cipher.ivBytes),
        key('E', macBytes),
      ),
      opener: createOpener(
        cipher,
        mac,
        key('D', cipher.keyBytes),
        key('B', cipher.ivBytes),
        key('F', macBytes),
      ),
    };
  }

  #useNewKeys(): void {
    this.#opener = this.#next!.opener;
    this.#next = null;
    this.#ownKexInit = null;
    if (this.#options.strict !== false) this.sequenceIn = 0;
    if (this.#inflate !== null) this.#inflate = createInflate({ flush: constants.Z_SYNC_FLUSH });
    this.exchanges += 1;
    this.#frozen = false;
    for (const payload of this.#held.splice(0)) this.inject(payload);
  }
}

export class ClientChannel {
  readonly id: number;
  readonly peerId: number;
  readonly window: number;
  readonly maxPacket: number;
  readonly #client: SshClient;

  constructor(client: SshClient, id: number, peerId: number, window: number, maxPacket: number) {
    this.#client = client;
    this.id = id;
    this.peerId = peerId;
    this.window = window;
    this.maxPacket = maxPacket;
  }

  request(type: string, wantReply: boolean, data: Buffer = EMPTY): void {
    this.#client.send(
      new ByteWriter().u8(98).u32(this.peerId).string(type).bool(wantReply).raw(data).finish(),
    );
  }

  async exec(command: string): Promise<void> {
    this.request('exec', true, new ByteWriter().string(command).finish());
    await this.#client.expect(99);
  }

  data(bytes: Buffer): void {
    this.#client.send(new ByteWriter(bytes.length + 16).u8(94).u32(this.peerId).string(bytes).finish());
  }

  adjust(bytes: number): void {
    this.#client.send(new ByteWriter(16).u8(93).u32(this.peerId).u32(bytes).finish());
  }

  eof(): void {
    this.#client.send(new ByteWriter(16).u8(96).u32(this.peerId).finish());
  }

  close(): void {
    this.#client.send(new ByteWriter(16).u8(97).u32(this.peerId).finish());
  }

  /** Data of this channel up to its EOF; gives everything back to the window. */
  async readAll(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const packet = await this.#client.next();
      if (packet === null) throw new Error('closed before the end of the data');
      if (packet.length < 5 || packet.readUInt32BE(1) !== this.id) continue;
      if (packet[0] === 96) return Buffer.concat(parts);
      if (packet[0] !== 94) continue;
      parts.push(packet.subarray(9));
      this.adjust(packet.length - 9);
    }
  }
}
