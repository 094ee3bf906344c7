/** Any bytes a disk or a peer may call a name: one text each, and the way back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalPathText,
  decodePathBytes,
  decodePathLatin1,
  encodePathText,
  nativePathText,
  pathTextBytes,
} from '../../src/util/path-text.ts';

const RUNS = { numRuns: 2_000 };
/** Bytes where UTF-8 goes wrong: leads, continuations, the edges of surrogates and of U+10FFFF. */
const piece = fc.constantFrom(
  ...[
    '61',
    '2f',
    '80',
    '9f',
    'a0',
    'a9',
    'b2',
    'bf',
    'c0',
    'c1',
    'c2',
    'c3',
    'e0',
    'ed',
    'ef',
    'f0',
    'f4',
    'f5',
  ],
  ...['ff', 'c3a9', 'edb280', 'eda080', 'e282ac', 'f09f9280', 'f4908080', 'efbfbd', 'efbbbf', 'c0af'],
);
const tricky = fc.array(piece, { maxLength: 24 }).map((pieces) => Buffer.from(pieces.join(''), 'hex'));
const anyBytes = fc.oneof(
  tricky,
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);

test('any bytes come back from their text, and the text is the only one of these bytes', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const text = decodePathBytes(bytes);
      assert.deepEqual(pathTextBytes(text), bytes);
      assert.deepEqual(Buffer.from(encodePathText(text)), bytes);
      assert.equal(canonicalPathText(text), text);
      assert.equal(decodePathLatin1(bytes.toString('latin1')), text);
    }),
    RUNS,
  );
});

test('what is escaped is exactly what a strict decoder refuses', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const text = decodePathBytes(bytes);
      const replaced = text.toWellFormed().replaceAll(/\ufffd+/g, '\ufffd');
      assert.equal(replaced, bytes.toString('utf8').replaceAll(/\ufffd+/g, '\ufffd'));
      assert.ok(text.replaceAll(/[\udc80-\udcff]/gu, '').isWellFormed());
    }),
    RUNS,
  );
});

test('names put together from pieces have the text of their bytes', () => {
  fc.assert(
    fc.property(fc.array(anyBytes, { maxLength: 4 }), (parts) => {
      const joined = canonicalPathText(parts.map(decodePathBytes).join(''));
      assert.equal(joined, decodePathBytes(Buffer.concat(parts)));
    }),
    RUNS,
  );
});

test('text without escaped bytes is passed on as it is, a pair whose half looks like one too', () => {
  for (const text of ['', 'plain.txt', 'café', '\u{1f480}', '\ufffd', '\ufeffa']) {
    assert.equal(encodePathText(text), text);
    assert.equal(nativePathText(text), text);
    assert.equal(canonicalPathText(text), text);
    assert.equal(decodePathBytes(Buffer.from(text)), text);
  }
});

test('a lone surrogate written as UTF-8 is three bytes and no second spelling of a byte', () => {
  assert.equal(decodePathBytes(Buffer.from('edb280', 'hex')), '\udced\udcb2\udc80');
  assert.equal(decodePathBytes(Buffer.from('c0af', 'hex')), '\udcc0\udcaf');
  assert.deepEqual(pathTextBytes('\udced\udcb2\udc80'), Buffer.from('edb280', 'hex'));
  assert.equal(canonicalPathText('\udcc3\udca9'), 'é');
});

test('a C function gets a name of any bytes with a NUL behind it', () => {
  assert.deepEqual(nativePathText('caf\udce9'), Buffer.from('636166e900', 'hex'));
});
