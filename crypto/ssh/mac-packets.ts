/** Ciphers with a MAC of their own: encrypt-and-MAC (RFC 4253, section 6.4) and encrypt-then-MAC (OpenSSH's PROTOCOL). */
import { timingSafeEqual } from 'node:crypto';
import { cipherRow, macRow, type CipherSpec, type MacSpec } from './packet-algorithms.ts';
import { InPlaceSealer, type PacketOpener } from './packet-sealer.ts';
import { nodePrimitives, type CipherPrimitive, type MacPrimitive, type Primitives } from './primitives.ts';

const LENGTH_BYTES = 4;

/** A cipher with its discarded start behind it, or null for `none`. */
function startCipher(
  spec: CipherSpec,
  key: Buffer,
  iv: Buffer,
  encrypt: boolean,
  primitives: Primitives,
): CipherPrimitive | null {
  const row = cipherRow(spec);
  if (row.openssl === null) return null;
  // RC4 takes keys of any length from a context that has to be told; node:crypto does that.
  const source = row.openssl === 'rc4' ? nodePrimitives : primitives;
  const cipher = source.cipher(row.openssl, key, iv, encrypt);
  if (row.discard > 0) cipher.apply(Buffer.alloc(row.discard));
  return cipher;
}

/** HMAC(key, u32 sequence ‖ bytes), cut to the tag's size (RFC 4253, section 6.4). */
class PacketMac {
  readonly #mac: MacPrimitive;
  readonly #sequence = Buffer.alloc(4);
  readonly #full: Buffer;
  readonly #tag: Buffer;

  constructor(spec: MacSpec, key: Buffer, primitives: Primitives) {
    const row = macRow(spec);
    this.#mac = primitives.hmac(row.hash, key);
    this.#full = Buffer.alloc(row.hashBytes);
    this.#tag = this.#full.subarray(0, row.tagBytes);
  }

  /** Valid until the next call. */
  tag(bytes: Buffer, sequence: number): Buffer {
    this.#sequence.writeUInt32BE(sequence, 0);
    this.#mac.compute(this.#sequence, bytes, this.#full);
    return this.#tag;
  }

  close(): void {
    this.#mac.close();
    this.#full.fill(0);
  }
}

/** A CTR, CBC or RC4 cipher (or none) with an HMAC (or none), encrypt-and-MAC or encrypt-then-MAC. */
export class MacSealer extends InPlaceSealer {
  readonly blockBytes: number;
  readonly lengthAligned: boolean;
  readonly tagBytes: number;
  readonly #cipher: CipherPrimitive | null;
  readonly #mac: PacketMac | null;
  readonly #etm: boolean;

  constructor(
    cipher: CipherSpec,
    mac: MacSpec | null,
    key: Buffer,
    iv: Buffer,
    macKey: Buffer,
    primitives: Primitives,
  ) {
    super();
    this.blockBytes = cipher.blockBytes;
    this.#etm = mac?.etm ?? false;
    this.lengthAligned = !this.#etm;
    this.tagBytes = mac?.tagBytes ?? 0;
    this.#cipher = startCipher(cipher, key, iv, true, primitives);
    this.#mac = mac === null ? null : new PacketMac(mac, macKey, primitives);
  }

  protected protect(packet: Buffer, sequence: number): void {
    const end = packet.length - this.tagBytes;
    if (this.#etm) this.#cipher?.apply(packet.subarray(LENGTH_BYTES, end));
    if (this.#mac !== null) packet.set(this.#mac.tag(packet.subarray(0, end), sequence), end);
    if (!this.#etm) this.#cipher?.apply(packet.subarray(0, end));
  }

  close(): void {
    this.#cipher?.close();
    this.#mac?.close();
  }
}

export class MacOpener implements PacketOpener {
  readonly blockBytes: number;
  readonly lengthAligned: boolean;
  readonly tagBytes: number;
  readonly headBytes: number;
  readonly lengthIsOracle: boolean;
  readonly #cipher: CipherPrimitive | null;
  readonly #mac: PacketMac | null;
  readonly #etm: boolean;
  /** Encrypt-and-MAC: the start of the current packet in clear, once it is decrypted. */
  readonly #first: Buffer;
  #firstIsClear = false;

  constructor(
    cipher: CipherSpec,
    mac: MacSpec | null,
    key: Buffer,
    iv: Buffer,
    macKey: Buffer,
    primitives: Primitives,
  ) {
    this.blockBytes = cipher.blockBytes;
    this.#etm = mac?.etm ?? false;
    this.lengthAligned = !this.#etm;
    this.tagBytes = mac?.tagBytes ?? 0;
    this.headBytes = cipher.kind === 'cbc' && !this.#etm ? cipher.blockBytes : LENGTH_BYTES;
    this.lengthIsOracle = cipher.kind === 'cbc' && !this.#etm;
    this.#first = Buffer.alloc(this.headBytes);
    this.#cipher = startCipher(cipher, key, iv, false, primitives);
    this.#mac = mac === null ? null : new PacketMac(mac, macKey, primitives);
  }

  length(head: Buffer): number {
    if (this.#etm || this.#cipher === null) return head.readUInt32BE(0);
    this.#decryptFirst(head);
    return this.#first.readUInt32BE(0);
  }

  open(packet: Buffer, sequence: number): Buffer | null {
    const end = packet.length - this.tagBytes;
    const encrypted = this.#etm ? end - LENGTH_BYTES : end;
    if (end < this.headBytes || encrypted % this.blockBytes !== 0) return null;
    if (this.#etm) {
      if (!this.#verify(packet, end, sequence)) return null;
      this.#cipher?.apply(packet.subarray(LENGTH_BYTES, end));
    } else {
      if (this.#cipher !== null) {
        this.#decryptFirst(packet);
        packet.set(this.#first, 0);
        this.#cipher.apply(packet.subarray(this.headBytes, end));
        this.#firstIsClear = false;
      }
      if (!this.#verify(packet, end, sequence)) return null;
    }
    return packet.subarray(LENGTH_BYTES, end);
  }

  discard(packet: Buffer, sequence: number): void {
    this.#mac?.tag(packet, sequence);
  }

  close(): void {
    this.#cipher?.close();
    this.#mac?.close();
    this.#first.fill(0);
  }

  #decryptFirst(packet: Buffer): void {
    if (this.#firstIsClear) return;
    packet.copy(this.#first, 0, 0, this.headBytes);
    this.#cipher?.apply(this.#first);
    this.#firstIsClear = true;
  }

  #verify(packet: Buffer, end: number, sequence: number): boolean {
    if (this.#mac === null) return true;
    return timingSafeEqual(this.#mac.tag(packet.subarray(0, end), sequence), packet.subarray(end));
  }
}
