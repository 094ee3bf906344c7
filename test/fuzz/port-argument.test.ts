import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeEpsv,
  encodePasv,
  parseExtendedPort,
  parsePortArgument,
} from '../../workers/ftp/wire/port-argument.ts';
import { parseAllocation, parseOffset, parseRange } from '../../workers/ftp/wire/transfer-argument.ts';

const port = fc.integer({ min: 0, max: 65_535 });

test('PORT reads what PASV writes', () => {
  fc.assert(
    fc.property(fc.ipV4(), port, (address, number) => {
      const inner = encodePasv(address, number).slice(1, -1);
      assert.deepEqual(parsePortArgument(inner), { address, port: number });
    }),
  );
});

test('EPRT reads every address and delimiter of RFC 2428', () => {
  fc.assert(
    fc.property(fc.ipV4(), port, fc.constantFrom('|', '!', '~', '#'), (address, number, delimiter) => {
      const argument = ['', '1', address, String(number), ''].join(delimiter);
      const expected = { kind: 'address', family: 4, target: { address, port: number } };
      assert.deepEqual(parseExtendedPort(argument), expected);
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), port, (address, number) => {
      const parsed = parseExtendedPort(`|2|${address}|${number}|`);
      assert.equal(parsed.kind, 'address');
    }),
  );
});

test('no text makes a parser throw or give numbers out of range', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (argument) => {
      const parsed = parsePortArgument(argument);
      assert.ok(parsed === null || (parsed.port >= 0 && parsed.port <= 65_535));
      parseExtendedPort(argument);
      parseRange(argument);
      parseAllocation(argument);
      parseOffset(argument);
    }),
  );
});

test('malformed addresses are refused', () => {
  for (const argument of [
    '',
    '1,2,3,4,5',
    '1,2,3,4,5,6,7',
    '256,0,0,1,1,1',
    '1,2,3,4,5,-1',
    '1,2,3,4,5,1e1',
    '+1,2,3,4,5,6',
  ]) {
    assert.equal(parsePortArgument(argument), null, argument);
  }
  for (const argument of [
    '',
    '|',
    '||||',
    '|1|127.0.0.1|99999|',
    '|1|::1|80|',
    '|2|127.0.0.1|80|',
    '|2|fe80::1%eth0|80|',
    '|1|127.0.0.1|80|x',
  ]) {
    assert.equal(parseExtendedPort(argument).kind, 'malformed', argument);
  }
  assert.equal(parseExtendedPort('|3|x|80|').kind, 'unknown-protocol');
  assert.equal(encodeEpsv(50_000), '(|||50000|)');
});

test('REST and RANG take no negative, fractional or unsafe number', () => {
  assert.equal(parseOffset('0'), 0);
  assert.equal(parseOffset('9007199254740991'), Number.MAX_SAFE_INTEGER);
  for (const text of ['-1', '1.5', '1e3', '', ' 1', '9007199254740992', '0x10'])
    assert.equal(parseOffset(text), null, text);
  assert.deepEqual(parseRange('5 9'), { kind: 'range', start: 5, end: 9 });
  assert.equal(parseRange('1 0').kind, 'reset');
  assert.equal(parseRange('9 5').kind, 'malformed');
  assert.equal(parseRange('-1 5').kind, 'malformed');
  assert.equal(parseRange('0 99999999999999999999').kind, 'too-large');
});
