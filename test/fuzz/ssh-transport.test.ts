/** Hostile bytes to the SSH parsers: a ByteError or a value, never anything else, and never a difference by how they are split. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { cipherSpec, createOpener, createSealer, macSpec } from '../../crypto/ssh/packet-protection.ts';
import { ByteError } from '../../src/util/byte-reader.ts';
import { ByteQueue } from '../../workers/ssh/transport/byte-queue.ts';
import { PacketReader } from '../../workers/ssh/transport/packet-reader.ts';
import { ProtocolViolation } from '../../workers/ssh/transport/protocol-violation.ts';
import {
  parseChannelOpen,
  parseChannelRequest,
  parseCommand,
  parseEnvironment,
  parseExtendedData,
  parseGlobalRequest,
  parseWindowAdjust,
} from '../../workers/ssh/wire/connection-messages.ts';
import { encodeKexInit, parseKexInit } from '../../workers/ssh/wire/kexinit.ts';
import { parseDhInit, parseGroupRequest, parseStringInit } from '../../workers/ssh/wire/kex-messages.ts';
import {
  encodeDisconnect,
  encodeExtInfo,
  parseDisconnect,
  parseExtInfo,
  parsePing,
  parseServiceRequest,
} from '../../workers/ssh/wire/transport-messages.ts';
import { parseClientVersion, scanVersionLine } from '../../workers/ssh/wire/version-line.ts';

const LIMIT = { timeout: 30_000 };
const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array));

suite('parsers of ssh messages', LIMIT, () => {
  const parsers: [string, (payload: Buffer) => unknown][] = [
    ['KEXINIT', parseKexInit],
    ['KEXDH_INIT', parseDhInit],
    ['KEX_ECDH_INIT', parseStringInit],
    ['DH_GEX_REQUEST', parseGroupRequest],
    ['SERVICE_REQUEST', parseServiceRequest],
    ['EXT_INFO', parseExtInfo],
    ['PING', (payload) => parsePing(payload, 256)],
    ['GLOBAL_REQUEST', parseGlobalRequest],
    ['CHANNEL_OPEN', parseChannelOpen],
    ['CHANNEL_REQUEST', parseChannelRequest],
    ['CHANNEL_WINDOW_ADJUST', parseWindowAdjust],
    ['CHANNEL_EXTENDED_DATA', parseExtendedData],
    ['env', parseEnvironment],
    ['exec', parseCommand],
  ];
  for (const [name, parse] of parsers) {
    test(`${name}: any bytes give a value or a ByteError`, () => {
      fc.assert(
        fc.property(bytes, (payload) => {
          try {
            parse(payload);
          } catch (error) {
            assert.ok(error instanceof ByteError, String(error));
          }
        }),
        { numRuns: 300 },
      );
    });
  }

  test('DISCONNECT never throws, and comes back as it was encoded', () => {
    fc.assert(fc.property(bytes, (payload) => void parseDisconnect(payload)));
    assert.deepEqual(parseDisconnect(encodeDisconnect(11, 'bye')), { code: 11, text: 'bye' });
  });

  test('KEXINIT comes back as it was encoded, and every truncation is a ByteError', () => {
    const names = ['a', 'b@example.org'];
    const lists = {
      keyExchanges: names,
      hostKeys: names,
      ciphersIn: names,
      ciphersOut: names,
      macsIn: [],
      macsOut: names,
      compressionsIn: names,
      compressionsOut: names,
    };
    const payload = encodeKexInit(lists, randomBytes(16));
    assert.deepEqual(parseKexInit(payload), { ...lists, guessFollows: false });
    for (let length = 1; length < payload.length; length += 1)
      assert.throws(() => parseKexInit(payload.subarray(0, length)), ByteError);
  });

  test('EXT_INFO comes back as it was encoded', () => {
    assert.deepEqual(
      parseExtInfo(
        encodeExtInfo([
          ['a', '1'],
          ['b', ''],
        ]),
      ),
      ['a', 'b'],
    );
  });

  test('group requests: sizes in the wrong order or out of all bounds are told apart from usable ones', () => {
    const request = (...sizes: number[]): Buffer => {
      const payload = Buffer.alloc(1 + 4 * sizes.length);
      payload[0] = sizes.length === 1 ? 30 : 34;
      sizes.forEach((size, index) => payload.writeUInt32BE(size, 1 + 4 * index));
      return payload;
    };
    const shape = (...sizes: number[]): unknown => {
      const parsed = parseGroupRequest(request(...sizes));
      return 'problem' in parsed ? 'problem' : [parsed.min, parsed.preferred, parsed.max];
    };
    assert.deepEqual(shape(2048, 3072, 8192), [2048, 3072, 8192]);
    assert.deepEqual(shape(1, 2048, 100_000), [1024, 2048, 8192]);
    assert.deepEqual(shape(1024), [2048, 2048, 8192]);
    for (const sizes of [
      [4096, 2048, 8192],
      [2048, 8192, 4096],
      [1, 2, 3],
      [9000, 9001, 9002],
    ])
      assert.equal(shape(...sizes), 'problem');
  });
});

suite('version lines', LIMIT, () => {
  test('any bytes: incomplete, invalid or a line, the same however they come', () => {
    fc.assert(
      fc.property(bytes, (input) => {
        const whole = scanVersionLine(input);
        if (whole.kind !== 'line') return;
        for (let length = 0; length < whole.bytes; length += 1)
          assert.equal(scanVersionLine(input.subarray(0, length)).kind, 'incomplete');
        assert.equal(parseClientVersion(whole.line, true)?.line ?? whole.line, whole.line);
      }),
    );
  });

  test('what is after the line is left alone', () => {
    const scan = scanVersionLine(Buffer.from('SSH-2.0-x y\r\n\0\0'));
    assert.deepEqual(scan, { kind: 'line', line: 'SSH-2.0-x y', bytes: 13 });
    assert.equal(parseClientVersion('SSH-2.0-x y', false)?.software, 'x');
  });
});

suite('packets', LIMIT, () => {
  const protections: [string, string | null][] = [
    ['aes256-gcm@openssh.com', null],
    ['chacha20-poly1305@openssh.com', null],
    ['aes128-ctr', 'hmac-sha2-256-etm@openssh.com'],
    ['aes128-cbc', 'hmac-sha2-256'],
  ];
  const EMPTY = Buffer.alloc(0);

  function stream(cipherName: string, macName: string | null, payloads: readonly Buffer[]) {
    const cipher = cipherSpec(cipherName)!;
    const mac = macName === null ? null : macSpec(macName)!;
    const key = randomBytes(cipher.keyBytes);
    const iv = randomBytes(cipher.ivBytes);
    const macKey = mac === null ? EMPTY : randomBytes(mac.keyBytes);
    const sealer = createSealer(cipher, mac, key, iv, macKey);
    const sealed = payloads.flatMap((payload, sequence) => {
      const length = 1 + payload.length;
      let padding = sealer.blockBytes - ((sealer.lengthAligned ? length + 4 : length) % sealer.blockBytes);
      if (padding < 4) padding += sealer.blockBytes;
      const head = Buffer.alloc(5);
      head.writeUInt32BE(length + padding);
      head[4] = padding;
      return sealer.seal(head, payload, randomBytes(padding), sequence);
    });
    const reader = new PacketReader();
    reader.useKeys(createOpener(cipher, mac, key, iv, macKey), true);
    return { wire: Buffer.concat(sealed), reader };
  }

  for (const [cipher, mac] of protections) {
    test(`${cipher}: split anywhere, the same payloads come out`, () => {
      const payload = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((array) => Buffer.from(array));
      fc.assert(
        fc.property(
          fc.array(payload, { minLength: 1, maxLength: 6 }),
          fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }),
          fc.boolean(),
          (payloads, steps, owned) => {
            const { wire, reader } = stream(cipher, mac, payloads);
            const found: Buffer[] = [];
            let start = 0;
            let end = 0;
            for (let step = 0; end < wire.length; step += 1) {
              end = Math.min(wire.length, end + steps[step % steps.length]!);
              for (let taken = -1; taken !== 0; start += taken) {
                taken = reader.read(wire, start, end, owned);
                if (taken > 0) found.push(Buffer.from(reader.packet.subarray(1, reader.payloadEnd)));
              }
            }
            assert.deepEqual(found, payloads);
          },
        ),
        { numRuns: 60 },
      );
    });

    test(`${cipher}: a changed bit anywhere gives nothing but a violation`, () => {
      const payload = Buffer.from('payload of some length');
      const { wire } = stream(cipher, mac, [payload]);
      for (let bit = 0; bit < wire.length * 8; bit += 1) {
        const { wire: fresh, reader } = stream(cipher, mac, [payload]);
        fresh[bit >> 3]! ^= 1 << (bit & 7);
        const padded = Buffer.concat([fresh, Buffer.alloc(70 * 1024)]);
        assert.throws(() => {
          for (let start = 0, taken = -1; taken !== 0; start += taken) {
            taken = reader.read(padded, start, padded.length, false);
            assert.equal(reader.payloadEnd, 0);
            if (taken === 0) throw new ProtocolViolation('a longer packet is waited for');
          }
        }, ProtocolViolation);
      }
    });
  }
});

test('a byte queue gives what it was given, in whatever pieces', LIMIT, () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 200 }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
      (parts, sizes) => {
        const queue = new ByteQueue();
        for (const part of parts) queue.push(Buffer.from(part));
        const all = Buffer.concat(parts);
        assert.equal(queue.length, all.length);
        const taken: Buffer[] = [];
        for (let step = 0; queue.length > 0; step += 1)
          taken.push(queue.takeFirst(sizes[step % sizes.length]!));
        assert.ok(Buffer.concat(taken).equals(all));
        assert.equal(queue.firstLength, 0);
      },
    ),
  );
});
