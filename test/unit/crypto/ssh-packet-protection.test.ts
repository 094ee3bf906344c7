import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { nativePrimitives } from '../../../crypto/ssh/openssl-native.ts';
import {
  CIPHER_NAMES,
  MAC_NAMES,
  cipherAvailable,
  cipherSpec,
  createOpener,
  createSealer,
  macAvailable,
  macSpec,
  type PacketOpener,
  type PacketSealer,
} from '../../../crypto/ssh/packet-protection.ts';
import { nodePrimitives, type Primitives } from '../../../crypto/ssh/primitives.ts';

const LIBRARIES: readonly Primitives[] =
  nativePrimitives === null ? [nodePrimitives] : [nativePrimitives, nodePrimitives];
const usable = CIPHER_NAMES.filter(cipherAvailable);

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

interface Pair {
  readonly sealer: PacketSealer;
  readonly opener: PacketOpener;
}

function pair(cipherName: string, macName: string | null, from: Primitives, to: Primitives): Pair {
  const cipher = cipherSpec(cipherName)!;
  const mac = macName === null ? null : macSpec(macName)!;
  const [key, iv, macKey] = [
    randomBytes(cipher.keyBytes),
    randomBytes(cipher.ivBytes),
    randomBytes(mac?.keyBytes ?? 0),
  ];
  return {
    sealer: createSealer(cipher, mac, key, iv, macKey, from),
    opener: createOpener(cipher, mac, key, iv, macKey, to),
  };
}

/** A payload as transport hands it over: head with the first bytes, body with the rest, padding. */
function parts(sealer: PacketSealer, payload: Buffer, inHead: number) {
  const counted = (sealer.lengthAligned ? 4 : 0) + 1 + payload.length;
  let padding = sealer.blockBytes - (counted % sealer.blockBytes);
  if (padding < 4) padding += sealer.blockBytes;
  const head = Buffer.alloc(5 + inHead);
  head.writeUInt32BE(1 + payload.length + padding, 0);
  head[4] = padding;
  payload.copy(head, 5, 0, inHead);
  const body = inHead < payload.length ? payload.subarray(inHead) : null;
  return { head, body, padding: randomBytes(padding) };
}

function sealed(
  sealer: PacketSealer,
  payload: Buffer,
  sequence: number,
  inHead = Math.min(9, payload.length),
): Buffer {
  const { head, body, padding } = parts(sealer, payload, inHead);
  return Buffer.concat(sealer.seal(head, body, padding, sequence));
}

function opened(opener: PacketOpener, packet: Buffer, sequence: number): Buffer | null {
  const length = opener.length(packet.subarray(0, opener.headBytes), sequence);
  assert.equal(length, packet.length - 4 - opener.tagBytes);
  const clear = opener.open(packet, sequence);
  return clear === null ? null : clear.subarray(1, clear.length - clear[0]!);
}

function suites(): [string, string | null][] {
  return usable.flatMap((cipher): [string, string | null][] => {
    if (cipherSpec(cipher)!.kind === 'aead') return [[cipher, null]];
    const macs =
      cipher.startsWith('aes256') || cipher === 'none'
        ? MAC_NAMES.filter(macAvailable)
        : ['hmac-sha2-256', 'hmac-sha2-256-etm@openssh.com'];
    return [...macs.map((mac): [string, string] => [cipher, mac]), [cipher, null]];
  });
}

test('every cipher of the default list can be used, and its sizes are those of the RFCs', () => {
  for (const name of [
    'aes256-gcm@openssh.com',
    'aes128-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
    'aes256-cbc',
    '3des-cbc',
    'none',
  ]) {
    assert.ok(usable.includes(name), name);
  }
  assert.equal(cipherSpec('chacha20-poly1305@openssh.com')!.keyBytes, 64);
  assert.equal(cipherSpec('3des-ctr'), null);
  assert.equal(cipherAvailable('umac-64@openssh.com'), false);
  assert.deepEqual(macSpec('hmac-sha1-96'), { ...macSpec('hmac-sha1')!, name: 'hmac-sha1-96', tagBytes: 12 });
  assert.equal(macAvailable('hmac-sha2-256'), true);
  assert.equal(macAvailable('umac-64@openssh.com'), false);
});

for (const [cipher, mac] of suites()) {
  test(
    `${cipher} with ${mac ?? 'no MAC'}: packets of all sizes pass in both implementations`,
    { timeout: 30_000 },
    () => {
      for (const from of LIBRARIES) {
        for (const to of LIBRARIES) {
          const { sealer, opener } = pair(cipher, mac, from, to);
          let sequence = 0xffff_fffe;
          for (const size of [1, 2, 7, 8, 15, 16, 17, 255, 1000, 32_768 + 9]) {
            const payload = randomBytes(size);
            assert.deepEqual(opened(opener, sealed(sealer, payload, sequence), sequence), payload);
            sequence = (sequence + 1) >>> 0;
          }
          sealer.close();
          opener.close();
          opener.close();
        }
      }
    },
  );
}

const protectedSuites = suites().filter(
  ([cipher, mac]) => mac !== null || cipherSpec(cipher)!.kind === 'aead',
);

test('no changed byte passes, wherever it stands', { timeout: 60_000 }, () => {
  for (const [cipher, mac] of protectedSuites) {
    for (const library of LIBRARIES) {
      const payload = randomBytes(20);
      for (let at = 0; at < 56; at += 5) {
        const { sealer, opener } = pair(cipher, mac, library, library);
        const packet = sealed(sealer, payload, 3);
        if (at < packet.length) {
          packet[at]! ^= 0x40;
          assert.equal(opener.open(packet, 3), null, `${cipher} ${mac} ${at}`);
        }
        sealer.close();
        opener.close();
      }
    }
  }
});

test('a packet under another sequence number is refused', () => {
  for (const [cipher, mac] of protectedSuites) {
    // GCM counts for itself.
    if (cipher.includes('gcm')) continue;
    const { sealer, opener } = pair(cipher, mac, LIBRARIES[0]!, LIBRARIES[0]!);
    const packet = sealed(sealer, randomBytes(20), 3);
    opener.length(packet.subarray(0, opener.headBytes), 3);
    assert.equal(opener.open(packet, 4), null, `${cipher} ${mac}`);
  }
});

test('sealInto writes the same bytes and refuses a buffer that is too small', () => {
  for (const [cipher, mac] of suites()) {
    const spec = cipherSpec(cipher)!;
    const macOf = mac === null ? null : macSpec(mac)!;
    const keys = [
      randomBytes(spec.keyBytes),
      randomBytes(spec.ivBytes),
      randomBytes(macOf?.keyBytes ?? 0),
    ] as const;
    const one = createSealer(spec, macOf, ...keys);
    const two = createSealer(spec, macOf, ...keys);
    const { head, body, padding } = parts(one, randomBytes(100), 10);
    const expected = Buffer.concat(one.seal(head, body, padding, 9));
    const out = Buffer.alloc(400);
    assert.equal(two.sealInto(out, 50, head, body, padding, 9), 50 + expected.length);
    assert.deepEqual(out.subarray(50, 50 + expected.length), expected);
    assert.throws(() => two.sealInto(Buffer.alloc(expected.length), 1, head, body, padding, 10), RangeError);
  }
});

test('the body and the head given to a sealer stay as they are', () => {
  for (const [cipher, mac] of suites()) {
    const { sealer } = pair(cipher, mac, LIBRARIES[0]!, LIBRARIES[0]!);
    const { head, body, padding } = parts(sealer, randomBytes(100), 10);
    const before = [Buffer.from(head), Buffer.from(body!)];
    sealer.seal(head, body, padding, 0);
    assert.deepEqual([head, body], before);
  }
});

test('only CBC with encrypt-and-MAC makes the length an oracle, and asking for it twice changes nothing', () => {
  for (const [cipher, mac] of protectedSuites) {
    const { sealer, opener } = pair(cipher, mac, LIBRARIES[0]!, LIBRARIES[0]!);
    const isCbc = cipherSpec(cipher)!.kind === 'cbc';
    assert.equal(opener.lengthIsOracle, isCbc && !macSpec(mac!)!.etm, `${cipher} ${mac}`);
    const payload = randomBytes(30);
    const packet = sealed(sealer, payload, 7);
    opener.length(packet, 7);
    opener.discard(packet.subarray(0, 3), 7);
    assert.deepEqual(opened(opener, packet, 7), payload);
  }
});

test('AES-GCM counts its nonce in the last 8 bytes only', () => {
  const spec = cipherSpec('aes128-gcm@openssh.com')!;
  const key = randomBytes(16);
  const next = Buffer.from('aabbccdd0000000100000000', 'hex');
  for (const [start, expected] of [
    ['aabbccdd00000000ffffffff', next],
    ['aabbccddffffffffffffffff', Buffer.from('aabbccdd0000000000000000', 'hex')],
  ] as const) {
    const sealer = createSealer(spec, null, key, Buffer.from(start, 'hex'), Buffer.alloc(0));
    sealed(sealer, Buffer.from('one'), 0);
    const opener = createOpener(spec, null, key, expected, Buffer.alloc(0));
    assert.equal(opened(opener, sealed(sealer, Buffer.from('two'), 1), 1)?.toString(), 'two');
  }
});

test('a closed sealer or opener throws instead of touching freed memory', () => {
  for (const [cipher, mac] of protectedSuites) {
    const { sealer, opener } = pair(cipher, mac, LIBRARIES[0]!, LIBRARIES[0]!);
    const packet = sealed(sealer, randomBytes(20), 0);
    sealer.close();
    opener.close();
    if (LIBRARIES[0]!.source !== 'module' || cipher === 'none' || cipher.startsWith('arcfour')) continue;
    assert.throws(() => sealed(sealer, randomBytes(20), 1));
    assert.throws(() => opener.open(packet, 0));
  }
});

for (const library of LIBRARIES) {
  test(`known answers of the primitives (${library.source})`, () => {
    // RFC 8439, section 2.4.2.
    const text = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
    const key = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
    const chacha = library.chacha20(key);
    chacha.apply(text, hex('01000000 00000000 0000004a 00000000'));
    assert.equal(text.subarray(0, 16).toString('hex'), '6e2e359a2568f98041ba0728dd0d6981');
    assert.equal(text.subarray(-10).toString('hex'), '0bbf74a35be6b40b8eedf2785e42874d'.slice(12));
    // RFC 8439, section 2.5.2.
    const tag = Buffer.alloc(16);
    library
      .poly1305()
      .compute(
        hex('85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b'),
        Buffer.from('Cryptographic Forum Research Group'),
        tag,
      );
    assert.equal(tag.toString('hex'), 'a8061dc1305136c6c22b8baf0c0127a9');
    // RFC 4231, test case 2.
    const mac = Buffer.alloc(32);
    const hmac = library.hmac('sha256', Buffer.from('Jefe'));
    for (let round = 0; round < 2; round += 1) {
      hmac.compute(Buffer.from('what do ya '), Buffer.from('want for nothing?'), mac);
      assert.equal(mac.toString('hex'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
    }
    // NIST SP 800-38A, F.5.5 (CTR-AES256) and F.2.5 (CBC-AES256), first blocks.
    const aes = hex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4');
    const ctr = hex('6bc1bee22e409f96e93d7e117393172a');
    library.cipher('aes-256-ctr', aes, hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'), true).apply(ctr);
    assert.equal(ctr.toString('hex'), '601ec313775789a5b7a7f504bbf3d228');
    const cbc = hex('6bc1bee22e409f96e93d7e117393172a');
    library.cipher('aes-256-cbc', aes, hex('000102030405060708090a0b0c0d0e0f'), true).apply(cbc);
    assert.equal(cbc.toString('hex'), 'f58c4c04d6e5f1ba779eabfb5f7bfbd6');
    // NIST GCM, AES-256, key and text zero: without associated data its tag is known; the four bytes are ours.
    const gcm = Buffer.alloc(4 + 16 + 16);
    library.gcm('aes-256-gcm', Buffer.alloc(32), true).seal(gcm, Buffer.alloc(12));
    assert.equal(gcm.subarray(4, 20).toString('hex'), 'cea7403d4d606b6e074ec5d3baf39d18');
    assert.equal(library.gcm('aes-256-gcm', Buffer.alloc(32), false).open(gcm, Buffer.alloc(12)), true);
    assert.deepEqual(gcm.subarray(4, 20), Buffer.alloc(16));
  });
}

test('no bytes make an opener throw or accept', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...protectedSuites),
      fc.uint8Array({ maxLength: 200 }),
      ([cipher, mac], bytes) => {
        const { opener, sealer } = pair(cipher, mac, LIBRARIES[0]!, LIBRARIES[0]!);
        const packet = Buffer.from(bytes);
        if (packet.length >= opener.headBytes) opener.length(packet, 0);
        assert.equal(opener.open(packet, 0), null);
        opener.close();
        sealer.close();
      },
    ),
    { numRuns: 1_000 },
  );
});

test('the garbage collector takes nothing OpenSSL still points to', { timeout: 60_000 }, () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 40; round += 1) {
    for (const [cipher, mac] of protectedSuites) {
      // Left without close() every other time.
      const { sealer, opener } = pair(cipher, mac, LIBRARIES[0]!, LIBRARIES[0]!);
      const payload = randomBytes(40 + round * 100);
      assert.deepEqual(opened(opener, sealed(sealer, payload, round), round), payload);
      if (round % 2 === 0) sealer.close();
    }
    collect();
  }
});
