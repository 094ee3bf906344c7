/**
 * HOT PATH: binary packets out of received bytes (RFC 4253, section 6). Sequence number and keys of this direction; the
 * keys change between two packets, in the middle of the same bytes if it comes so.
 */
import { cipherSpec, createOpener, type PacketOpener } from '../../../crypto/ssh/packet-protection.ts';
import { DisconnectCode } from '../wire/message-numbers.ts';
import { ProtocolViolation } from './protocol-violation.ts';

const EMPTY = Buffer.alloc(0);
const SEQUENCE_SPAN = 0x1_0000_0000;
/** RFC 4253, section 6.1: what every implementation must take is 35,000 bytes. */
const LIMIT_BEFORE_LOGIN = 64 * 1024;
const LIMIT_AFTER_LOGIN = 256 * 1024;
const SMALLEST_PADDING = 4;

/** Every damaged packet ends alike: which check failed would tell an attacker about the plain text. */
const damaged = (): ProtocolViolation =>
  new ProtocolViolation('Packet corrupt', { code: DisconnectCode.macError });

export class PacketReader {
  /** Of the next packet. */
  sequence = 0;
  /** Padding length, payload and padding of the packet read last; its payload ends at `payloadEnd`. */
  packet: Buffer = EMPTY;
  /** 0: there is no packet; the payload starts at 1. */
  payloadEnd = 0;
  /** Packets ever. */
  total = 0;
  /** Under the keys in force. */
  packets = 0;
  bytes = 0;
  #opener: PacketOpener;
  #limit = LIMIT_BEFORE_LOGIN;
  /** packet_length of the packet that is coming in; -1: not known yet. */
  #length = -1;
  /** Bytes still to be swallowed before a damaged packet may show; -1: none is. */
  #discarding = -1;

  constructor() {
    this.#opener = createOpener(cipherSpec('none')!, null, EMPTY, EMPTY, EMPTY);
  }

  /** Packets of up to 256 KiB from now on. */
  raiseLimit(): void {
    this.#limit = LIMIT_AFTER_LOGIN;
  }

  /** @param resetSequence - strict key exchange */
  useKeys(opener: PacketOpener, resetSequence: boolean): void {
    this.#opener.close();
    this.#opener = opener;
    this.packets = 0;
    this.bytes = 0;
    if (resetSequence) this.sequence = 0;
  }

  /**
   * Tries to read one packet from `bytes[start, end)`; it is decrypted there where the memory is `owned`, else in a copy.
   * @returns the bytes it took, 0 when more are needed. Throws ProtocolViolation for a damaged packet
   */
  read(bytes: Buffer, start: number, end: number, owned: boolean): number {
    this.payloadEnd = 0;
    const available = end - start;
    if (this.#discarding >= 0) return this.#discard(available);
    const opener = this.#opener;
    if (this.#length < 0) {
      if (available < opener.headBytes) return 0;
      const length = opener.length(bytes.subarray(start, start + opener.headBytes), this.sequence);
      if (!this.#isLength(length)) return this.#damaged(available, 0);
      this.#length = length;
    }
    const total = 4 + this.#length + opener.tagBytes;
    if (available < total) return 0;
    const sealed = bytes.subarray(start, start + total);
    const opened = opener.open(owned ? sealed : Buffer.from(sealed), this.sequence);
    if (opened === null) return this.#damaged(available, total);
    const padding = opened[0]!;
    if (padding < SMALLEST_PADDING || padding + 2 > this.#length) return this.#damaged(available, total);
    this.packet = opened;
    this.payloadEnd = this.#length - padding;
    this.#length = -1;
    this.packets += 1;
    this.total += 1;
    this.bytes += total;
    this.sequence = (this.sequence + 1) % SEQUENCE_SPAN;
    return total;
  }

  /** Forgets the packet read last and the keys. */
  close(): void {
    this.packet = EMPTY;
    this.#opener.close();
  }

  #isLength(length: number): boolean {
    const { lengthAligned, blockBytes } = this.#opener;
    const aligned = (lengthAligned ? length + 4 : length) % blockBytes === 0;
    return aligned && length >= 2 + SMALLEST_PADDING && length <= this.#limit;
  }

  #damaged(available: number, taken: number): number {
    if (!this.#opener.lengthIsOracle) throw damaged();
    // CPNI-957037: an attacker may not learn from where the error shows what the length was decrypted to.
    this.#discarding = Math.max(0, 4 + this.#limit + this.#opener.tagBytes - taken);
    return taken + this.#discard(available - taken);
  }

  #discard(available: number): number {
    const swallowed = Math.min(available, this.#discarding);
    this.#discarding -= swallowed;
    if (this.#discarding === 0) throw damaged();
    return swallowed;
  }
}
