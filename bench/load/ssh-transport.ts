/**
 * The client's half of an SSH transport, blocking: curve25519-sha256, one cipher and MAC, rekeying when the server asks.
 * For load only: the host key is not verified, since both ends belong to the run.
 */
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { deriveKey, type KeyLetter } from '../../crypto/ssh/key-derivation.ts';
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
import { NativeSocket } from './native-socket.ts';

const VERSION = 'SSH-2.0-LockgateLoad_1';
const KEY_EXCHANGE = 'curve25519-sha256';
const INPUT_BYTES = 1 << 20;
const OUTPUT_BYTES = 1 << 18;
/** Flushed before the largest packet could not fit any more. */
const OUTPUT_FLUSH = OUTPUT_BYTES - 40_000;
const MAX_PACKET = 300_000;
const MAX_VERSION_LINES = 4096;
/** DER of an X25519 public key up to its 32 bytes (RFC 8410). */
const X25519_SPKI = Buffer.from('302a300506032b656e032100', 'hex');

export const Message = {
  DISCONNECT: 1,
  IGNORE: 2,
  UNIMPLEMENTED: 3,
  DEBUG: 4,
  SERVICE_REQUEST: 5,
  SERVICE_ACCEPT: 6,
  EXT_INFO: 7,
  KEXINIT: 20,
  NEWKEYS: 21,
  KEX_ECDH_INIT: 30,
  KEX_ECDH_REPLY: 31,
} as const;

const SKIPPED: readonly number[] = [Message.IGNORE, Message.UNIMPLEMENTED, Message.DEBUG, Message.EXT_INFO];

export interface SshSuite {
  readonly cipher: string;
  /** Null with a cipher that authenticates. */
  readonly mac: string | null;
}

export class SshTransport {
  readonly #socket: NativeSocket;
  readonly #suite: SshSuite;
  readonly #input = Buffer.allocUnsafeSlow(INPUT_BYTES);
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #inputStart = 0;
  #inputEnd = 0;
  #outputEnd = 0;
  #sealer: PacketSealer;
  #opener: PacketOpener;
  #sent = 0;
  #received = 0;
  #serverVersion = '';
  #sessionId: Buffer | null = null;

  constructor(port: number, suite: SshSuite) {
    this.#suite = suite;
    const none = cipherSpec('none')!;
    const empty = Buffer.alloc(0);
    this.#sealer = createSealer(none, null, empty, empty, empty);
    this.#opener = createOpener(none, null, empty, empty, empty);
    this.#socket = NativeSocket.connect(port);
    this.#socket.write(Buffer.from(`${VERSION}\r\n`));
    this.#readVersion();
    const ownInit = this.#sendInit();
    const serverInit = Buffer.from(this.#packet());
    if (serverInit[0] !== Message.KEXINIT) throw new Error('the server did not start a key exchange');
    this.#exchange(ownInit, serverInit);
  }

  get sessionId(): Buffer {
    return this.#sessionId!;
  }

  /** Queues one message; it leaves with `flush`, or when much has gathered. `body` continues `head`'s payload. */
  send(head: Buffer, body: Buffer | null = null): void {
    const sealer = this.#sealer;
    const block = Math.max(8, sealer.blockBytes);
    const payload = head.length + (body?.length ?? 0);
    const counted = (sealer.lengthAligned ? 5 : 1) + payload;
    let padding = block - (counted % block);
    if (padding < 4) padding += block;
    const start = Buffer.allocUnsafe(5 + head.length);
    start.writeUInt32BE(1 + payload + padding, 0);
    start[4] = padding;
    start.set(head, 5);
    this.#outputEnd = sealer.sealInto(
      this.#output,
      this.#outputEnd,
      start,
      body,
      Buffer.alloc(padding),
      this.#sent,
    );
    this.#sent = (this.#sent + 1) >>> 0;
    if (this.#outputEnd > OUTPUT_FLUSH) this.flush();
  }

  flush(): void {
    if (this.#outputEnd === 0) return;
    this.#socket.write(this.#output.subarray(0, this.#outputEnd));
    this.#outputEnd = 0;
  }

  /** The next message for the layers above; a view that lasts until the next call. Flushes first where it has to wait. */
  receive(): Buffer {
    for (;;) {
      const payload = this.#packet();
      const type = payload[0]!;
      if (type === Message.DISCONNECT) throw new Error('the server disconnected');
      if (type === Message.KEXINIT) this.#rekey(Buffer.from(payload));
      else if (!SKIPPED.includes(type)) return payload;
    }
  }

  close(): void {
    this.#sealer.close();
    this.#opener.close();
    this.#socket.close();
  }

  #readVersion(): void {
    for (let lines = 0; lines < MAX_VERSION_LINES;) {
      const end = this.#input.subarray(this.#inputStart, this.#inputEnd).indexOf(10);
      if (end === -1) {
        this.#fill();
        continue;
      }
      const line = this.#input.toString('latin1', this.#inputStart, this.#inputStart + end).trimEnd();
      this.#inputStart += end + 1;
      if (line.startsWith('SSH-')) {
        this.#serverVersion = line;
        return;
      }
      lines += 1;
    }
    throw new Error('no SSH version line');
  }

  #fill(): void {
    this.flush();
    if (this.#inputStart === this.#inputEnd) this.#inputStart = this.#inputEnd = 0;
    else if (this.#inputEnd === this.#input.length) {
      this.#input.copy(this.#input, 0, this.#inputStart, this.#inputEnd);
      this.#inputEnd -= this.#inputStart;
      this.#inputStart = 0;
    }
    const count = this.#socket.read(this.#input, this.#inputEnd);
    if (count === 0) throw new Error('the server closed the connection');
    this.#inputEnd += count;
  }

  #need(bytes: number): void {
    while (this.#inputEnd - this.#inputStart < bytes) {
      if (this.#inputStart + bytes > this.#input.length) {
        this.#input.copy(this.#input, 0, this.#inputStart, this.#inputEnd);
        this.#inputEnd -= this.#inputStart;
        this.#inputStart = 0;
      }
      this.#fill();
    }
  }

  #packet(): Buffer {
    const opener = this.#opener;
    this.#need(opener.headBytes);
    const start = this.#inputStart;
    const length = opener.length(this.#input.subarray(start, start + opener.headBytes), this.#received);
    if (length > MAX_PACKET) throw new Error('packet too long');
    const total = 4 + length + opener.tagBytes;
    this.#need(total);
    const packet = this.#input.subarray(this.#inputStart, this.#inputStart + total);
    this.#inputStart += total;
    const text = opener.open(packet, this.#received);
    if (text === null) throw new Error('packet with a wrong MAC');
    this.#received = (this.#received + 1) >>> 0;
    return text.subarray(1, text.length - text[0]!);
  }

  #sendInit(): Buffer {
    const writer = new ByteWriter().u8(Message.KEXINIT).raw(randomBytes(16));
    const { cipher, mac } = this.#suite;
    const macs = mac ?? 'hmac-sha2-256';
    const lists = [KEY_EXCHANGE, 'ssh-ed25519', cipher, cipher, macs, macs, 'none', 'none', '', ''];
    for (const list of lists) writer.string(list);
    const init = Buffer.from(writer.bool(false).u32(0).finish());
    this.send(init);
    return init;
  }

  #rekey(serverInit: Buffer): void {
    this.#exchange(this.#sendInit(), serverInit);
  }

  /** RFC 8731 and RFC 4253, section 7: the server sends nothing else until its NEWKEYS. */
  #exchange(ownInit: Buffer, serverInit: Buffer): void {
    const { publicKey, privateKey } = generateKeyPairSync('x25519');
    const ownPublic = publicKey.export({ format: 'der', type: 'spki' }).subarray(X25519_SPKI.length);
    this.send(new ByteWriter().u8(Message.KEX_ECDH_INIT).string(ownPublic).finish());
    let reply = this.#packet();
    while (SKIPPED.includes(reply[0]!)) reply = this.#packet();
    if (reply[0] !== Message.KEX_ECDH_REPLY)
      throw new Error(`message ${reply[0]} in the key exchange (no common algorithm?)`);
    const reader = new ByteReader(reply, 1);
    const hostKey = Buffer.from(reader.string());
    const serverPublic = Buffer.from(reader.string());
    const peer = createPublicKey({
      key: Buffer.concat([X25519_SPKI, serverPublic]),
      format: 'der',
      type: 'spki',
    });
    const secret = new ByteWriter().mpint(diffieHellman({ privateKey, publicKey: peer })).finish();
    const hashed = new ByteWriter();
    for (const part of [VERSION, this.#serverVersion, ownInit, serverInit, hostKey, ownPublic, serverPublic])
      hashed.string(part);
    const hash = createHash('sha256').update(hashed.finish()).update(secret).digest();
    this.#sessionId ??= hash;
    this.send(Buffer.from([Message.NEWKEYS]));
    this.flush();
    let newKeys = this.#packet();
    while (SKIPPED.includes(newKeys[0]!)) newKeys = this.#packet();
    if (newKeys[0] !== Message.NEWKEYS) throw new Error('no NEWKEYS');
    this.#useKeys(secret, hash);
  }

  #useKeys(secret: Buffer, hash: Buffer): void {
    const cipher = cipherSpec(this.#suite.cipher);
    const mac = this.#suite.mac === null ? null : macSpec(this.#suite.mac);
    if (cipher === undefined || cipher === null) throw new Error(`no cipher ${this.#suite.cipher}`);
    if (mac === undefined) throw new Error(`no MAC ${this.#suite.mac}`);
    const key = (letter: KeyLetter, bytes: number): Buffer =>
      deriveKey('sha256', secret, hash, letter, this.#sessionId!, bytes);
    const macBytes = mac?.keyBytes ?? 0;
    this.#sealer.close();
    this.#opener.close();
    this.#sealer = createSealer(
      cipher,
      mac,
      key('C', cipher.keyBytes),
      key('A', cipher.ivBytes),
      key('E', macBytes),
    );
    this.#opener = createOpener(
      cipher,
      mac,
      key('D', cipher.keyBytes),
      key('B', cipher.ivBytes),
      key('F', macBytes),
    );
  }
}
