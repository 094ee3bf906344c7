/** What seals and opens packets, whatever the cipher; packet-protection.ts makes them. */

export interface PacketSealer {
  readonly blockBytes: number;
  /** True: the four length bytes count for the alignment of the packet (RFC 4253, section 6). */
  readonly lengthAligned: boolean;
  readonly tagBytes: number;
  /**
   * @param head - u32 packet length, u8 padding length, start of the payload
   * @param body - rest of the payload; not changed, and needed no longer after the call (but see `none`)
   * @param sequence - u32 of this direction
   * @returns what is to be written, in order. Without a cipher these are the buffers given, else new ones.
   */
  seal(head: Buffer, body: Buffer | null, padding: Buffer, sequence: number): Buffer[];
  /**
   * The same into `out` from `at` on, for a writer that collects packets in a buffer it uses again: a third cheaper
   * than a new buffer for each.
   * @returns the offset behind the packet; RangeError where `out` is too small
   */
  sealInto(
    out: Buffer,
    at: number,
    head: Buffer,
    body: Buffer | null,
    padding: Buffer,
    sequence: number,
  ): number;
  /** Frees and wipes the keys. The sealer must not be used afterwards. */
  close(): void;
}

export interface PacketOpener {
  readonly blockBytes: number;
  readonly lengthAligned: boolean;
  readonly tagBytes: number;
  /** Bytes of a packet needed before its length is known. */
  readonly headBytes: number;
  /**
   * True with CBC and encrypt-and-MAC: whether a length is plausible tells about plaintext (CPNI-957037). The caller
   * then answers a bad length like a bad MAC, and either only after the largest packet has arrived in full: it hands
   * what has arrived to `discard` and disconnects.
   */
  readonly lengthIsOracle: boolean;
  /**
   * packet_length, unchecked: the caller checks range and alignment. May be called again for the same packet.
   * @param head - at least `headBytes` bytes as received; not changed
   */
  length(head: Buffer, sequence: number): number;
  /**
   * @param packet - 4 + packet_length + tagBytes bytes as received; decrypted in place, so it must be the caller's
   * @returns padding length, payload and padding in clear (a view of `packet`), or null: authentication failed
   */
  open(packet: Buffer, sequence: number): Buffer | null;
  /** Spends the time `open` would take for these bytes, for a packet that is refused anyhow. */
  discard(packet: Buffer, sequence: number): void;
  /** Frees and wipes the keys. The opener must not be used afterwards. */
  close(): void;
}

/** Puts the packet together in clear, with room for the tag behind it. */
function assemble(packet: Buffer, head: Buffer, body: Buffer | null, padding: Buffer): void {
  packet.set(head, 0);
  let at = head.length;
  if (body !== null) {
    packet.set(body, at);
    at += body.length;
  }
  packet.set(padding, at);
}

/** Puts the packet together where it will be sent from, and has it protected there. */
export abstract class InPlaceSealer implements PacketSealer {
  abstract readonly blockBytes: number;
  abstract readonly lengthAligned: boolean;
  abstract readonly tagBytes: number;

  abstract close(): void;

  /** `packet`: the whole packet in clear and room for the tag. */
  protected abstract protect(packet: Buffer, sequence: number): void;

  seal(head: Buffer, body: Buffer | null, padding: Buffer, sequence: number): Buffer[] {
    const bytes = head.length + (body === null ? 0 : body.length) + padding.length + this.tagBytes;
    const packet = Buffer.allocUnsafe(bytes);
    assemble(packet, head, body, padding);
    this.protect(packet, sequence);
    return [packet];
  }

  sealInto(
    out: Buffer,
    at: number,
    head: Buffer,
    body: Buffer | null,
    padding: Buffer,
    sequence: number,
  ): number {
    const end = at + head.length + (body === null ? 0 : body.length) + padding.length + this.tagBytes;
    if (end > out.length) throw new RangeError('no room for the packet');
    const packet = out.subarray(at, end);
    assemble(packet, head, body, padding);
    this.protect(packet, sequence);
    return end;
  }
}

/** No cipher, no MAC: until the first NEWKEYS, and where `none` is configured. */
export class ClearSealer extends InPlaceSealer {
  readonly blockBytes = 8;
  readonly lengthAligned = true;
  readonly tagBytes = 0;

  override seal(head: Buffer, body: Buffer | null, padding: Buffer): Buffer[] {
    return body === null ? [head, padding] : [head, body, padding];
  }

  protected protect(): void {
    // Stays in clear.
  }

  close(): void {
    // No keys.
  }
}
