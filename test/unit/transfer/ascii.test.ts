import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AsciiDecoder, AsciiEncoder } from '../../../workers/transfer/ascii.ts';

/** Bytes with many line ends, cut at arbitrary places. */
const bytes = fc.array(fc.constantFrom(0x0d, 0x0a, 0x41, 0x00, 0xff), { maxLength: 40 });
const cuts = fc.array(fc.nat(40), { maxLength: 6 });

function pieces(data: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((cut) => Math.min(cut, data.length)), data.length].toSorted((a, b) => a - b);
  return places.slice(1).map((end, index) => data.subarray(places[index], end));
}

function decodeAll(chunks: readonly Buffer[]): string {
  const decoder = new AsciiDecoder();
  return Buffer.concat([...chunks.map((chunk) => decoder.decode(chunk)), decoder.flush()]).toString('latin1');
}

/** Encodes the way the pump does: read into the upper half, encode downwards in the same buffer. */
function encodeAll(chunks: readonly Buffer[]): string {
  const encoder = new AsciiEncoder();
  let text = '';
  for (const chunk of chunks) {
    const buffer = Buffer.alloc(chunk.length * 2);
    chunk.copy(buffer, chunk.length);
    const length = encoder.encode(buffer, chunk.length, chunk.length * 2, buffer);
    text += buffer.toString('latin1', 0, length);
  }
  return text;
}

test('every bare LF becomes CRLF and CRLF stays, wherever the chunks end', () => {
  fc.assert(
    fc.property(bytes, cuts, (data, at) => {
      const plain = Buffer.from(data);
      const expected = plain.toString('latin1').replace(/(?<!\r)\n/g, '\r\n');
      assert.equal(encodeAll(pieces(plain, at)), expected);
    }),
  );
});

test('CRLF becomes LF and every other CR stays, wherever the chunks end', () => {
  fc.assert(
    fc.property(bytes, cuts, (data, at) => {
      const wire = Buffer.from(data);
      assert.equal(decodeAll(pieces(wire, at)), wire.toString('latin1').replaceAll('\r\n', '\n'));
    }),
  );
});

test('a text file comes back as it was sent', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', '\n', 'é'), { maxLength: 50 }), cuts, (letters, at) => {
      const text = Buffer.from(letters.join(''), 'latin1');
      const wire = Buffer.from(encodeAll(pieces(text, at)), 'latin1');
      assert.equal(decodeAll(pieces(wire, at)), text.toString('latin1'));
    }),
  );
});
