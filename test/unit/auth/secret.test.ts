import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { Secret } from '../../../src/log/secret.ts';

test('a Secret prints stars everywhere and gives its value to reveal() alone', () => {
  const secret = new Secret('hunter2');
  const texts = [
    String(secret),
    'x'.concat(String(secret)),
    [secret, secret].join(),
    secret[Symbol.toPrimitive](),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ nested: [secret] }, { depth: null, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
    Object.entries(secret).join(),
  ];
  for (const text of texts) assert.ok(!text.includes('hunter2'), text);
  assert.equal(String(secret), '********');
  assert.equal(secret.reveal(), 'hunter2');
  assert.equal(new Secret('ß').byteLength, 2);
});
