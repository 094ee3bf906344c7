/** The scp command line and its records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isScpCommand, parseScpCommand } from '../../../workers/scp/wire/command-line.ts';
import {
  encodeError,
  encodeRecord,
  parseRecord,
  ScpRecordError,
} from '../../../workers/scp/wire/control-record.ts';

const PATHS: readonly (readonly [string, string])[] = [
  ['scp -t /srv/in', '/srv/in'],
  ['scp -t', '.'],
  ['scp -f two words', 'two words'],
  [`scp -f 'two words'`, 'two words'],
  [`scp -f "a\\"b"`, 'a"b'],
  ['scp -f a\\ b', 'a b'],
  ['scp -f -- -name', '-name'],
  [`/usr/bin/scp -p -t ~/it\\''s here'`, `~/it's here`],
];

for (const [text, path] of PATHS) {
  test(`the path of <${text}> is <${path}>`, () => {
    const parsed = parseScpCommand(text);
    assert.ok(parsed.ok);
    assert.equal(parsed.command.path, path);
  });
}

test('options come stacked or apart, and unknown ones are told', () => {
  const parsed = parseScpCommand('scp -rp -d -zvt dir');
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.command, {
    role: 'sink',
    recursive: true,
    preservesTimes: true,
    targetIsDirectory: true,
    path: 'dir',
    unknownOptions: 'z',
  });
});

test('a command that is neither sink nor source, or has an open quote, is refused', () => {
  for (const text of ['scp file', 'scp -tf x', `scp -t 'x`, 'scp -t "x', `scp -t ${'x'.repeat(9000)}`])
    assert.equal(parseScpCommand(text).ok, false, text.slice(0, 20));
});

test('scp is known by its first word alone', () => {
  for (const text of ['scp', 'scp -t x', '/usr/bin/scp -f x']) assert.ok(isScpCommand(text), text);
  for (const text of ['scpx -t', 'echo scp', 'date', '']) assert.ok(!isScpCommand(text), text);
});

test('records are read with their numbers', () => {
  assert.deepEqual(parseRecord('C0644 12 a b'), { kind: 'file', mode: 0o644, size: 12, name: 'a b' });
  assert.deepEqual(parseRecord('D0755 0 dir'), { kind: 'directory', mode: 0o755, name: 'dir' });
  assert.deepEqual(parseRecord('E'), { kind: 'end' });
  assert.deepEqual(parseRecord('T1700000000 0 1700000001 0'), {
    kind: 'times',
    modified: 1_700_000_000,
    accessed: 1_700_000_001,
  });
  assert.deepEqual(parseRecord('\u0001scp: no'), { kind: 'warning', text: 'scp: no' });
});

const BROKEN: readonly (readonly [string, string])[] = [
  ['C644 1 a', 'bad mode'],
  ['C0644x1 a', 'mode not delimited'],
  ['C0644 1', 'file size not delimited'],
  ['C0644 -1 a', 'file size not delimited'],
  ['C0644 99999999999999999999 a', 'file size out of range'],
  ['C0644 1 ../a', 'unexpected filename: ../a'],
  ['C0644 1 ..', 'unexpected filename: ..'],
  ['D0755 0 .', 'unexpected filename: .'],
  ['T1 0', 'atime secs not delimited'],
  ['Tx 0 1 0', 'mtime secs not delimited'],
  ['Z', 'expected control message'],
  ['', 'expected control message'],
];

for (const [line, message] of BROKEN) {
  test(`<${line}> is refused: ${message}`, () => {
    assert.throws(() => parseRecord(line), new ScpRecordError(message));
  });
}

test('what is written is read back, and a name cannot make a second record', () => {
  const name = fc
    .string({ minLength: 1, maxLength: 64 })
    .filter((text) => !/[/\0\n]/.test(text) && !/^\.\.?$/.test(text));
  fc.assert(
    fc.property(name, fc.nat(0o7777), fc.maxSafeNat(), (text, mode, size) => {
      const record = { kind: 'file', mode, size, name: text } as const;
      assert.deepEqual(parseRecord(encodeRecord(record).toString().slice(0, -1)), record);
    }),
  );
  assert.equal(encodeError('warning', 'a\nb').toString(), '\u0001scp: a?b\n');
});

test('no line makes the parser fail in any other way', () => {
  fc.assert(
    fc.property(fc.string(), (line) => {
      try {
        parseRecord(line);
      } catch (error) {
        assert.ok(error instanceof ScpRecordError);
      }
      parseScpCommand(`scp ${line}`);
    }),
  );
});
