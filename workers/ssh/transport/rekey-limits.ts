/** When keys are worn out (RFC 4253 section 9, RFC 4344 section 3) and when SFTPRekey wants new ones. */
import type { SftpRekey } from '../../../src/config/server-config.ts';

export interface DirectionUse {
  readonly packets: number;
  readonly bytes: number;
}

/** Half of the sequence numbers: time enough to agree on new keys before one comes twice. */
const MAX_PACKETS = 2 ** 31;
/** At this many packets under one key nothing is sent or taken any more. */
export const LAST_PACKET = 2 ** 32 - 1;
/** 2^(L/4) blocks of L bits: 64 GiB of AES; 64-bit ciphers get OpenSSH's 1 GB. */
const MAX_BYTES_WIDE = 2 ** 36;
const MAX_BYTES_NARROW = 1e9;
const NARROW_BLOCK = 8;

/** Bytes that one key of the cipher may protect. */
export function byteLimit(rekey: SftpRekey, blockBytes: number, isBlockCipher: boolean): number {
  const safe = isBlockCipher && blockBytes <= NARROW_BLOCK ? MAX_BYTES_NARROW : MAX_BYTES_WIDE;
  return rekey.kind === 'required' ? Math.min(rekey.bytes, safe) : safe;
}

export function isWornOut(use: DirectionUse, maxBytes: number): boolean {
  return use.bytes >= maxBytes || use.packets >= MAX_PACKETS;
}
