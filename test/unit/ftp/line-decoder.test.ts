import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineDecoder } from '../../../workers/ftp/wire/line-decoder.ts';

function decode(decoder: LineDecoder, ...chunks: (string | number[])[]): string[] {
  const lines: string[] = [];
  for (const chunk of chunks) {
    decoder.push(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : Buffer.from(chunk));
    for (let line = decoder.next(); line !== null; line = decoder.next()) {
      lines.push(line.kind === 'line' ? line.bytes.toString('latin1') : '<overlong>');
    }
  }
  return lines;
}

const IAC = 255;
const bytes = (text: string): number[] => [...Buffer.from(text, 'latin1')];

test('a line ends with CRLF or LF, wherever the chunks are cut', () => {
  assert.deepEqual(decode(new LineDecoder(512), 'NO', 'OP\r', '\nPWD\n', '\r\n'), ['NOOP', 'PWD', '']);
});

test('several lines of one chunk come out one by one, and nothing is lost between them', () => {
  const decoder = new LineDecoder(512);
  decoder.push(Buffer.from('A\r\nB\r\nC'));
  assert.equal(decoder.next()?.kind, 'line');
  assert.equal(decoder.backlog, 4);
  assert.deepEqual(decode(decoder, '\r\n'), ['B', 'C']);
});

test('CR NUL is a CR of data, and a CR inside a line stays', () => {
  assert.deepEqual(decode(new LineDecoder(512), [...bytes('CWD a\r'), 0, ...bytes('b\rc\r\n')]), [
    'CWD a\rb\rc',
  ]);
});

test('IAC IAC is one byte 0xFF of a name', () => {
  assert.deepEqual(decode(new LineDecoder(512), [...bytes('CWD '), IAC, IAC, ...bytes('x\r\n')]), [
    'CWD \xffx',
  ]);
});

test('a 0xFF that was not doubled stays in the name', () => {
  assert.deepEqual(decode(new LineDecoder(512), [...bytes('CWD '), IAC, ...bytes('x\r\n')]), ['CWD \xffx']);
});

test('the telnet signals of an urgent ABOR are taken out, whichever byte went out of band', () => {
  const interrupt = 244;
  const dataMark = 242;
  for (const prefix of [
    [IAC, interrupt, IAC, dataMark],
    [IAC, interrupt, IAC],
    [IAC, interrupt, dataMark],
    [dataMark],
  ]) {
    const following = prefix.at(-1) === IAC ? [dataMark] : [];
    assert.deepEqual(decode(new LineDecoder(512), [...prefix, ...following, ...bytes('ABOR\r\n')]), ['ABOR']);
  }
});

test('option requests are refused, and only so many of them', () => {
  const decoder = new LineDecoder(512);
  assert.deepEqual(decode(decoder, [IAC, 253, 1, IAC, 251, 3, IAC, 252, 4, ...bytes('NOOP\r\n')]), ['NOOP']);
  assert.deepEqual([...(decoder.takeAnswers() ?? [])], [IAC, 252, 1, IAC, 254, 3]);
  assert.equal(decoder.takeAnswers(), null);
  for (let count = 0; count < 1_000; count += 1) decode(decoder, [IAC, 253, 5]);
  assert.equal(decoder.takeAnswers()?.length, 14 * 3);
});

test('a subnegotiation is dropped; one that never ends does not swallow the next command', () => {
  assert.deepEqual(decode(new LineDecoder(512), [IAC, 250, 1, 2, IAC, 240, ...bytes('NOOP\r\n')]), ['NOOP']);
  assert.deepEqual(decode(new LineDecoder(512), [IAC, 250, ...bytes('zzz\r\nNOOP\r\n')]), ['', 'NOOP']);
});

test('the limit counts CRLF: one byte more and the line is overlong, the next one is not', () => {
  const fits = 'x'.repeat(510);
  assert.deepEqual(decode(new LineDecoder(512), `${fits}\r\n${fits}x\r\nNOOP\r\n`), [
    fits,
    '<overlong>',
    'NOOP',
  ]);
});

test('an endless line is reported again and again, and nothing of it is kept', () => {
  const decoder = new LineDecoder(512);
  const chunk = 'y'.repeat(64 * 1024);
  const lines = [1, 2, 3, 4].flatMap(() => decode(decoder, chunk));
  assert.deepEqual(lines, ['<overlong>', '<overlong>', '<overlong>']);
  assert.equal(decoder.backlog, 0);
});

test('clear forgets a line begun and everything behind it', () => {
  const decoder = new LineDecoder(512);
  decoder.push(Buffer.from('AUTH TLS\r\nUSER mallory\r\nPASS'));
  assert.equal(decoder.next()?.kind, 'line');
  decoder.clear();
  assert.deepEqual(decode(decoder, 'NOOP\r\n'), ['NOOP']);
});

test('a new limit keeps what of the line came in before', () => {
  const decoder = new LineDecoder(16);
  assert.deepEqual(decode(decoder, 'CWD abc'), []);
  decoder.setLimit(64);
  assert.deepEqual(decode(decoder, 'defghijklmnopqrs\r\n'), ['CWD abcdefghijklmnopqrs']);
});
