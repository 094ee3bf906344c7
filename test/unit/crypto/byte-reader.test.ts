import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteError, ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';

function fromHex(hex: string): ByteReader {
  return new ByteReader(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('the mpint examples of RFC 4251, section 5, are read and written', () => {
  const examples = [
    ['', '00000000'],
    ['09a378f9b2e332a7', '0000000809a378f9b2e332a7'],
    ['80', '000000020080'],
  ] as const;
  for (const [magnitude, encoded] of examples) {
    const bytes = Buffer.from(magnitude, 'hex');
    assert.equal(fromHex(encoded).mpint().toString('hex'), magnitude);
    assert.equal(new ByteWriter().mpint(bytes).finish().toString('hex'), encoded);
    const padded = Buffer.concat([Buffer.alloc(3), bytes]);
    assert.equal(new ByteWriter().mpint(padded).finish().toString('hex'), encoded);
  }
});

test('negative and padded mpints are refused', () => {
  for (const hex of [
    '00000002 edcc',
    '00000005 ff21524111',
    '00000001 00',
    '00000002 0001',
    '00000003 000080',
  ]) {
    assert.throws(() => fromHex(hex).mpint(), ByteError, hex);
  }
});

test('a length is never believed beyond the bytes that are there', () => {
  for (const hex of ['ffffffff', 'ffffffff00', '00000002 61', '000000', '']) {
    assert.throws(() => fromHex(hex).string(), { name: 'ByteError', message: 'truncated' });
  }
  assert.throws(() => fromHex('00000002 6162').string(1), { message: 'string too long' });
  assert.throws(() => fromHex('00').raw(-1), ByteError);
});

test('64-bit numbers are exact or refused', () => {
  assert.equal(fromHex('001fffffffffffff').safeU64(), Number.MAX_SAFE_INTEGER);
  assert.throws(() => fromHex('0020000000000000').safeU64(), ByteError);
  assert.equal(fromHex('ffffffffffffffff').u64(), 0xffff_ffff_ffff_ffffn);
  assert.equal(new ByteWriter().u64(Number.MAX_SAFE_INTEGER).finish().toString('hex'), '001fffffffffffff');
  assert.throws(() => new ByteWriter().u64(2 ** 53), RangeError);
  assert.throws(() => new ByteWriter().u64(-1), RangeError);
});

test('names, name lists and UTF-8 are strict', () => {
  assert.deepEqual(fromHex('00000000').nameList(), []);
  assert.deepEqual(new ByteReader(new ByteWriter().nameList(['a', 'b-c']).finish()).nameList(), ['a', 'b-c']);
  for (const text of [',', 'a,', ',a', 'a,,b', 'a b', 'a\u0000', 'ä', 'x'.repeat(65)]) {
    assert.throws(() => new ByteReader(new ByteWriter().string(text).finish()).nameList(), ByteError, text);
  }
  assert.throws(() => new ByteReader(new ByteWriter().string('x'.repeat(65)).finish()).name(), ByteError);
  const many = new ByteWriter().string(Array(1025).fill('a').join(',')).finish();
  assert.throws(() => new ByteReader(many).nameList(), ByteError);
  assert.throws(() => fromHex('00000002 c328').utf8(), { name: 'ByteError', message: 'malformed UTF-8' });
  assert.equal(fromHex('00000003 efbbbf').utf8(), '\uFEFF');
});

test('what was written is read back, and nothing is left over', () => {
  const field = fc.oneof(
    fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
    fc.record({ kind: fc.constant('u32' as const), value: fc.nat(0xffff_ffff) }),
    fc.record({ kind: fc.constant('u64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    fc.record({ kind: fc.constant('text' as const), value: fc.string({ unit: 'binary' }) }),
    fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 400 }) }),
  );
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const writer = new ByteWriter(1);
      for (const { kind, value } of fields) {
        if (kind === 'u8') writer.u8(value);
        else if (kind === 'u32') writer.u32(value);
        else if (kind === 'u64') writer.u64(value);
        else writer.string(value);
      }
      const reader = new ByteReader(writer.finish());
      for (const { kind, value } of fields) {
        if (kind === 'u8') assert.equal(reader.u8(), value);
        else if (kind === 'u32') assert.equal(reader.u32(), value);
        else if (kind === 'u64') assert.equal(reader.u64(), value);
        else if (kind === 'text') assert.equal(reader.utf8(), value);
        else assert.deepEqual(new Uint8Array(reader.string()), value);
      }
      reader.end();
    }),
  );
});

test('no bytes read in any order do more than raise a ByteError', { timeout: 30_000 }, () => {
  const calls = [
    'u8',
    'bool',
    'u32',
    'u64',
    'safeU64',
    'string',
    'utf8',
    'name',
    'nameList',
    'mpint',
    'end',
  ] as const;
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.constantFrom(...calls), { maxLength: 8 }),
      (bytes, order) => {
        const reader = new ByteReader(Buffer.from(bytes));
        try {
          for (const call of order) reader[call]();
        } catch (error) {
          assert.ok(error instanceof ByteError, String(error));
        }
        assert.ok(reader.offset <= bytes.length && reader.remaining >= 0);
      },
    ),
    { numRuns: 2_000 },
  );
});
