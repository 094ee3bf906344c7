/**
 * Sealing and opening SSH packets: every cipher with direct OpenSSL calls and with node:crypto, for a packet of 32 KiB
 * of data and for a small one; `into` seals into a buffer used again.
 */
import { createSealer, createOpener, cipherSpec, macSpec } from '../../crypto/ssh/packet-protection.ts';
import { nativePrimitives } from '../../crypto/ssh/openssl-native.ts';
import { nodePrimitives, type Primitives } from '../../crypto/ssh/primitives.ts';
import { operation, suite } from './operation.ts';

const OUTPUT_BYTES = 512 * 1024;
const SUITES: readonly (readonly [cipher: string, mac: string | null])[] = [
  ['aes256-gcm@openssh.com', null],
  ['aes128-gcm@openssh.com', null],
  ['chacha20-poly1305@openssh.com', null],
  ['aes256-ctr', 'hmac-sha2-256-etm@openssh.com'],
  ['aes256-ctr', 'hmac-sha2-512-etm@openssh.com'],
  ['aes256-ctr', 'hmac-sha2-256'],
  ['aes128-ctr', 'hmac-sha1'],
];

function packetParts(dataBytes: number, block: number, lengthAligned: boolean) {
  const head = Buffer.alloc(5 + 9 + 13);
  const body = Buffer.alloc(dataBytes, 7);
  const counted = (lengthAligned ? 4 : 0) + head.length - 4 + dataBytes;
  let padding = block - (counted % block);
  if (padding < 4) padding += block;
  head.writeUInt32BE(head.length - 4 + dataBytes + padding, 0);
  head[4] = padding;
  return { head, body, padding: Buffer.alloc(padding) };
}

function rows(cipherName: string, macName: string | null, dataBytes: number, primitives: Primitives): void {
  const cipher = cipherSpec(cipherName)!;
  const mac = macName === null ? null : macSpec(macName)!;
  const key = Buffer.alloc(cipher.keyBytes, 1);
  const iv = Buffer.alloc(cipher.ivBytes, 2);
  const macKey = Buffer.alloc(mac?.keyBytes ?? 0, 3);
  const count = dataBytes > 1000 ? 200 : 2000;
  const sealer = createSealer(cipher, mac, key, iv, macKey, primitives);
  const { head, body, padding } = packetParts(dataBytes, sealer.blockBytes, sealer.lengthAligned);
  let sequence = 0;
  operation('seal', count, () => sealer.seal(head, body, padding, sequence++));
  const out = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let at = 0;
  operation('seal into', count, () => {
    if (at + dataBytes + 512 > out.length) at = 0;
    at = sealer.sealInto(out, at, head, body, padding, sequence++);
    return at;
  });

  // What is opened has to be sealed in step; the pair is measured, and opening is what is more than `seal`.
  const again = createSealer(cipher, mac, key, iv, macKey, primitives);
  const opener = createOpener(cipher, mac, key, iv, macKey, primitives);
  let opened = 0;
  operation('seal and open', count, () => {
    const packet = again.seal(head, body, padding, opened)[0]!;
    opener.length(packet, opened);
    if (opener.open(packet, opened) === null) throw new Error('a packet was refused');
    return (opened += 1);
  });
}

for (const [cipher, mac] of SUITES) {
  for (const dataBytes of [32_768, 64]) {
    for (const primitives of nativePrimitives === null
      ? [nodePrimitives]
      : [nativePrimitives, nodePrimitives]) {
      const name = `${cipher}${mac === null ? '' : ` ${mac}`}`;
      suite(`${name}, ${dataBytes} B, ${primitives.source}`, () => rows(cipher, mac, dataBytes, primitives));
    }
  }
}
