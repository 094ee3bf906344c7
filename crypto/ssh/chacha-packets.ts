/** chacha20-poly1305@openssh.com (PROTOCOL.chacha20poly1305). */
import { timingSafeEqual } from 'node:crypto';
import { InPlaceSealer, type PacketOpener } from './packet-sealer.ts';
import type { NoncePrimitive, OneTimeMacPrimitive, Primitives } from './primitives.ts';

const LENGTH_BYTES = 4;
const TAG_BYTES = 16;

/**
 * chacha20-poly1305@openssh.com. The first half of the key (K_2) serves the payload and the Poly1305 key, the second
 * (K_1) the length; the nonce of both is the sequence number as u64.
 */
class ChaChaKeys {
  readonly #payload: NoncePrimitive;
  readonly #length: NoncePrimitive;
  readonly #mac: OneTimeMacPrimitive;
  readonly #iv = Buffer.alloc(16);
  readonly #macKey = Buffer.alloc(32);
  readonly #tag = Buffer.alloc(TAG_BYTES);

  constructor(key: Buffer, primitives: Primitives) {
    this.#payload = primitives.chacha20(key.subarray(0, 32));
    this.#length = primitives.chacha20(key.subarray(32, 64));
    this.#mac = primitives.poly1305();
  }

  applyToLength(bytes: Buffer, sequence: number): void {
    this.#length.apply(bytes, this.#nonce(sequence, 0));
  }

  applyToPayload(bytes: Buffer, sequence: number): void {
    this.#payload.apply(bytes, this.#nonce(sequence, 1));
  }

  /** Valid until the next call. */
  tag(sealed: Buffer, sequence: number): Buffer {
    this.#macKey.fill(0);
    this.#payload.apply(this.#macKey, this.#nonce(sequence, 0));
    this.#mac.compute(this.#macKey, sealed, this.#tag);
    return this.#tag;
  }

  close(): void {
    this.#payload.close();
    this.#length.close();
    this.#mac.close();
    this.#macKey.fill(0);
  }

  #nonce(sequence: number, block: number): Buffer {
    this.#iv[0] = block;
    this.#iv.writeUInt32BE(sequence, 12);
    return this.#iv;
  }
}

export class ChaChaSealer extends InPlaceSealer {
  readonly blockBytes = 8;
  readonly lengthAligned = false;
  readonly tagBytes = TAG_BYTES;
  readonly #keys: ChaChaKeys;

  constructor(key: Buffer, primitives: Primitives) {
    super();
    this.#keys = new ChaChaKeys(key, primitives);
  }

  protected protect(packet: Buffer, sequence: number): void {
    const end = packet.length - TAG_BYTES;
    this.#keys.applyToLength(packet.subarray(0, LENGTH_BYTES), sequence);
    this.#keys.applyToPayload(packet.subarray(LENGTH_BYTES, end), sequence);
    packet.set(this.#keys.tag(packet.subarray(0, end), sequence), end);
  }

  close(): void {
    this.#keys.close();
  }
}

export class ChaChaOpener implements PacketOpener {
  readonly blockBytes = 8;
  readonly lengthAligned = false;
  readonly tagBytes = TAG_BYTES;
  readonly headBytes = LENGTH_BYTES;
  readonly lengthIsOracle = false;
  readonly #keys: ChaChaKeys;
  readonly #head = Buffer.alloc(LENGTH_BYTES);

  constructor(key: Buffer, primitives: Primitives) {
    this.#keys = new ChaChaKeys(key, primitives);
  }

  length(head: Buffer, sequence: number): number {
    head.copy(this.#head, 0, 0, LENGTH_BYTES);
    this.#keys.applyToLength(this.#head, sequence);
    return this.#head.readUInt32BE(0);
  }

  open(packet: Buffer, sequence: number): Buffer | null {
    const end = packet.length - TAG_BYTES;
    if (end < LENGTH_BYTES) return null;
    const tag = this.#keys.tag(packet.subarray(0, end), sequence);
    if (!timingSafeEqual(tag, packet.subarray(end))) return null;
    const text = packet.subarray(LENGTH_BYTES, end);
    this.#keys.applyToPayload(text, sequence);
    return text;
  }

  discard(): void {
    // A length changed on the way decrypts to noise that says nothing about the payload, which has its own key.
  }

  close(): void {
    this.#keys.close();
  }
}
