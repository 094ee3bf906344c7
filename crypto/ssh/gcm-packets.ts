/** aes128-gcm@openssh.com and aes256-gcm@openssh.com (RFC 5647 as OpenSSH's PROTOCOL has it). */
import { cipherRow, type CipherSpec } from './packet-algorithms.ts';
import { InPlaceSealer, type PacketOpener } from './packet-sealer.ts';
import type { GcmPrimitive, Primitives } from './primitives.ts';

const LENGTH_BYTES = 4;
const TAG_BYTES = 16;

/**
 * RFC 5647, section 7.1: 4 fixed bytes and a counter of 8 that goes up by one with every packet and wraps within its 8
 * bytes. It has nothing to do with the sequence number.
 */
class GcmNonce {
  readonly bytes: Buffer;

  constructor(iv: Buffer) {
    this.bytes = Buffer.from(iv);
  }

  next(): void {
    const low = this.bytes.readUInt32BE(8);
    if (low !== 0xffff_ffff) {
      this.bytes.writeUInt32BE(low + 1, 8);
      return;
    }
    this.bytes.writeUInt32BE(0, 8);
    this.bytes.writeUInt32BE((this.bytes.readUInt32BE(4) + 1) >>> 0, 4);
  }
}

export class GcmSealer extends InPlaceSealer {
  readonly blockBytes = 16;
  readonly lengthAligned = false;
  readonly tagBytes = TAG_BYTES;
  readonly #cipher: GcmPrimitive;
  readonly #nonce: GcmNonce;

  constructor(spec: CipherSpec, key: Buffer, iv: Buffer, primitives: Primitives) {
    super();
    this.#cipher = primitives.gcm(cipherRow(spec).openssl!, key, true);
    this.#nonce = new GcmNonce(iv);
  }

  protected protect(packet: Buffer): void {
    this.#cipher.seal(packet, this.#nonce.bytes);
    this.#nonce.next();
  }

  close(): void {
    this.#cipher.close();
  }
}

export class GcmOpener implements PacketOpener {
  readonly blockBytes = 16;
  readonly lengthAligned = false;
  readonly tagBytes = TAG_BYTES;
  readonly headBytes = LENGTH_BYTES;
  readonly lengthIsOracle = false;
  readonly #cipher: GcmPrimitive;
  readonly #nonce: GcmNonce;

  constructor(spec: CipherSpec, key: Buffer, iv: Buffer, primitives: Primitives) {
    this.#cipher = primitives.gcm(cipherRow(spec).openssl!, key, false);
    this.#nonce = new GcmNonce(iv);
  }

  length(head: Buffer): number {
    return head.readUInt32BE(0);
  }

  open(packet: Buffer): Buffer | null {
    if (packet.length < LENGTH_BYTES + TAG_BYTES) return null;
    if (!this.#cipher.open(packet, this.#nonce.bytes)) return null;
    this.#nonce.next();
    return packet.subarray(LENGTH_BYTES, packet.length - TAG_BYTES);
  }

  discard(): void {
    // The length is in clear: nothing to hide.
  }

  close(): void {
    this.#cipher.close();
  }
}
