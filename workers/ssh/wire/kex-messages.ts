/** Messages 30 to 34 of the key exchange methods (RFC 4253 section 8, RFC 4419, RFC 5656, RFC 4432). Parsers throw ByteError. */
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import { KEX_30, KEX_31, KEX_32, KEX_33, KEX_34 } from './message-numbers.ts';

/** An 8192-bit number, or the longest hybrid public value. */
const MAX_PUBLIC_BYTES = 2_048;

/** KEXDH_INIT, GEX_INIT: mpint e; its magnitude. */
export function parseDhInit(payload: Buffer): Buffer {
  const reader = new ByteReader(payload, 1);
  const value = reader.mpint();
  reader.end();
  return value;
}

/** KEX_ECDH_INIT and its hybrids: string Q_C. KEXRSA_SECRET: string, the encrypted secret. */
export function parseStringInit(payload: Buffer): Buffer {
  const reader = new ByteReader(payload, 1);
  const value = reader.string(MAX_PUBLIC_BYTES);
  reader.end();
  return value;
}

export interface GroupRequest {
  readonly min: number;
  readonly preferred: number;
  readonly max: number;
  /** What stands for the request in the exchange hash. */
  readonly hashed: Buffer;
}

/** Range of group sizes a server must handle (RFC 8270 raises the floor by policy, not by format). */
const SMALLEST_GROUP = 1_024;
const OLD_REQUEST_MIN = 2_048;
const LARGEST_GROUP = 8_192;

/**
 * KEX_DH_GEX_REQUEST (34): uint32 min, n, max; KEX_DH_GEX_REQUEST_OLD (30): uint32 n.
 * Null with the reason where the sizes make no sense.
 */
export function parseGroupRequest(payload: Buffer): GroupRequest | { readonly problem: string } {
  const reader = new ByteReader(payload, 1);
  if (payload[0] === KEX_30) {
    const preferred = reader.u32();
    reader.end();
    const clamped = Math.min(Math.max(preferred, OLD_REQUEST_MIN), LARGEST_GROUP);
    return { min: OLD_REQUEST_MIN, preferred: clamped, max: LARGEST_GROUP, hashed: payload.subarray(1) };
  }
  const min = reader.u32();
  const preferred = reader.u32();
  const max = reader.u32();
  reader.end();
  if (min > preferred || preferred > max)
    return { problem: `bad DH_GEX_REQUEST parameters: min = ${min}, pref = ${preferred}, max = ${max}` };
  if (max < SMALLEST_GROUP)
    return { problem: `DH_GEX_REQUEST max value (${max}) too small (< ${SMALLEST_GROUP})` };
  if (min > LARGEST_GROUP)
    return { problem: `DH_GEX_REQUEST min value (${min}) too large (> ${LARGEST_GROUP})` };
  return {
    min: Math.max(min, SMALLEST_GROUP),
    preferred: Math.min(preferred, LARGEST_GROUP),
    max: Math.min(max, LARGEST_GROUP),
    hashed: payload.subarray(1),
  };
}

/** KEX_DH_GEX_GROUP (31): mpint p, mpint g. */
export function encodeGroup(prime: Buffer, generator: Buffer): Buffer {
  return new ByteWriter(1100).u8(KEX_31).mpint(prime).mpint(generator).finish();
}

/** KEXDH_REPLY (31) or GEX_REPLY (33): string K_S, mpint f, string signature. */
export function encodeDhReply(type: number, hostKey: Buffer, value: Buffer, signature: Buffer): Buffer {
  return new ByteWriter(2048).u8(type).string(hostKey).mpint(value).string(signature).finish();
}

/** KEX_ECDH_REPLY (31): string K_S, string Q_S, string signature. */
export function encodeEcdhReply(hostKey: Buffer, value: Buffer, signature: Buffer): Buffer {
  return new ByteWriter(2048).u8(KEX_31).string(hostKey).string(value).string(signature).finish();
}

/** KEXRSA_PUBKEY (30): string K_S, string K_T. */
export function encodeRsaPublicKey(hostKey: Buffer, transient: Buffer): Buffer {
  return new ByteWriter(1024).u8(KEX_30).string(hostKey).string(transient).finish();
}

/** KEXRSA_DONE (32): string signature. */
export function encodeRsaDone(signature: Buffer): Buffer {
  return new ByteWriter(600).u8(KEX_32).string(signature).finish();
}

export { KEX_30, KEX_31, KEX_32, KEX_33, KEX_34 };
