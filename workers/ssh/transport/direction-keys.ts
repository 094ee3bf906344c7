/** Six keys from one shared secret (RFC 4253, section 7.2), made into what seals and opens packets. */
import { deriveKey, type KeyExchangeMethod } from '../../../crypto/ssh/key-exchange.ts';
import {
  cipherSpec,
  createOpener,
  createSealer,
  macSpec,
  type PacketOpener,
  type PacketSealer,
} from '../../../crypto/ssh/packet-protection.ts';
import type { SharedKeys } from './key-exchange-run.ts';
import { IMPLICIT_MAC, type AgreedAlgorithms } from './negotiation.ts';

export interface NewKeys {
  readonly opener: PacketOpener;
  readonly sealer: PacketSealer;
}

export function makeKeys(
  method: KeyExchangeMethod,
  shared: SharedKeys,
  sessionId: Buffer,
  agreed: AgreedAlgorithms,
): NewKeys {
  const derive = (letter: 'A' | 'B' | 'C' | 'D' | 'E' | 'F', bytes: number): Buffer =>
    bytes === 0
      ? Buffer.alloc(0)
      : deriveKey(method.hash, shared.encodedSecret, shared.exchangeHash, letter, sessionId, bytes);
  const cipherIn = cipherSpec(agreed.cipherIn)!;
  const cipherOut = cipherSpec(agreed.cipherOut)!;
  const macIn = macOf(agreed.macIn);
  const macOut = macOf(agreed.macOut);
  const material = {
    ivIn: derive('A', cipherIn.ivBytes),
    ivOut: derive('B', cipherOut.ivBytes),
    keyIn: derive('C', cipherIn.keyBytes),
    keyOut: derive('D', cipherOut.keyBytes),
    macKeyIn: derive('E', macIn?.keyBytes ?? 0),
    macKeyOut: derive('F', macOut?.keyBytes ?? 0),
  };
  try {
    return {
      opener: createOpener(cipherIn, macIn, material.keyIn, material.ivIn, material.macKeyIn),
      sealer: createSealer(cipherOut, macOut, material.keyOut, material.ivOut, material.macKeyOut),
    };
  } finally {
    for (const secret of Object.values(material)) secret.fill(0);
    shared.encodedSecret.fill(0);
  }
}

function macOf(name: string): ReturnType<typeof macSpec> {
  return name === IMPLICIT_MAC || name === 'none' ? null : macSpec(name);
}
