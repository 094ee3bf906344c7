import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allDirectives, findDirective } from '../../../src/config/registry.ts';
import { AUTH_INVALID, AUTH_VALID } from './auth-cases.ts';
import { CORE_INVALID, CORE_VALID } from './core-cases.ts';
import { inputOf, messageOf, valueOf } from './judge-line.ts';
import { SFTP_INVALID, SFTP_VALID } from './sftp-cases.ts';
import { TLS_INVALID, TLS_VALID } from './tls-cases.ts';

const VALID = [...CORE_VALID, ...AUTH_VALID, ...TLS_VALID, ...SFTP_VALID];
const INVALID = [...CORE_INVALID, ...AUTH_INVALID, ...TLS_INVALID, ...SFTP_INVALID];

test('each line comes to its documented value', () => {
  for (const [line, value] of VALID) assert.deepEqual(valueOf(line), value, line);
});

test('each wrong line is refused with the reason an operator reads', () => {
  for (const [line, message] of INVALID) assert.equal(messageOf(line), message, line);
});

test('every working directive has a right and a wrong line in these tables', () => {
  const named = (lines: readonly (readonly [string, unknown])[]): Set<string | undefined> =>
    new Set(lines.map(([line]) => findDirective(inputOf(line).name)?.name));
  const [valid, invalid] = [named(VALID), named(INVALID)];
  const working = allDirectives().filter((row) => row.status === 'works');
  assert.deepEqual(
    working.filter((row) => !valid.has(row.name)).map((row) => row.name),
    [],
  );
  assert.deepEqual(
    working.filter((row) => !invalid.has(row.name)).map((row) => row.name),
    [],
  );
});

test('a working directive without parameters is refused, not taken for a default', () => {
  for (const row of allDirectives()) {
    if (row.status === 'works') assert.equal(messageOf(row.name), 'missing parameters', row.name);
  }
});
