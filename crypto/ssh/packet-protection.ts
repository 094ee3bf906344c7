/**
 * Encryption and authentication of SSH packets (RFC 4253, section 6; RFC 5647; PROTOCOL and PROTOCOL.chacha20poly1305
 * of OpenSSH). One sealer or opener per direction and key; bytes in, bytes out, no protocol state.
 *
 * Hot path. Packets are sealed in one buffer of their own and opened where they stand; bench/micro/ssh-packet.ts
 * compares the ways to do it.
 */
import { ChaChaOpener, ChaChaSealer } from './chacha-packets.ts';
import { GcmOpener, GcmSealer } from './gcm-packets.ts';
import { MacOpener, MacSealer } from './mac-packets.ts';
import { nativePrimitives } from './openssl-native.ts';
import type { CipherSpec, MacSpec } from './packet-algorithms.ts';
import { ClearSealer, type PacketOpener, type PacketSealer } from './packet-sealer.ts';
import { nodePrimitives, type Primitives } from './primitives.ts';

export {
  CIPHER_NAMES,
  MAC_NAMES,
  UNSUPPORTED_PACKET_ALGORITHMS,
  cipherAvailable,
  cipherSpec,
  macAvailable,
  macSpec,
  type CipherSpec,
  type MacSpec,
} from './packet-algorithms.ts';

export type { PacketOpener, PacketSealer } from './packet-sealer.ts';

const defaultPrimitives = nativePrimitives ?? nodePrimitives;

/**
 * Protects outgoing packets with one set of keys.
 * @param mac - ignored with an AEAD cipher; null: none
 * @param primitives - tests and benchmarks choose
 */
export function createSealer(
  cipher: CipherSpec,
  mac: MacSpec | null,
  key: Buffer,
  iv: Buffer,
  macKey: Buffer,
  primitives: Primitives = defaultPrimitives,
): PacketSealer {
  if (cipher.kind === 'aead') {
    return cipher.ivBytes === 0
      ? new ChaChaSealer(key, primitives)
      : new GcmSealer(cipher, key, iv, primitives);
  }
  if (cipher.kind === 'none' && mac === null) return new ClearSealer();
  return new MacSealer(cipher, mac, key, iv, macKey, primitives);
}

/** The counterpart of createSealer. */
export function createOpener(
  cipher: CipherSpec,
  mac: MacSpec | null,
  key: Buffer,
  iv: Buffer,
  macKey: Buffer,
  primitives: Primitives = defaultPrimitives,
): PacketOpener {
  if (cipher.kind === 'aead') {
    return cipher.ivBytes === 0
      ? new ChaChaOpener(key, primitives)
      : new GcmOpener(cipher, key, iv, primitives);
  }
  return new MacOpener(cipher, mac, key, iv, macKey, primitives);
}
