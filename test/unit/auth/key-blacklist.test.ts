import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KeyBlacklistFile } from '../../../src/auth/key-blacklist-file.ts';
import { parseKeyBlacklist } from '../../../src/auth/key-blacklist.ts';
import { keyDictionary as dictionary } from '../../support/key-dictionary.ts';
import { createFixture } from './auth-fixture.ts';

function md5(text: string): Buffer {
  return createHash('md5').update(text).digest();
}

describe('the dictionary SSH-FP00', () => {
  const listed = Array.from({ length: 2_000 }, (_, number) => md5(`weak ${number}`));
  const bytes = dictionary(listed);

  test('has the keys it was made of and no others', () => {
    const blacklist = parseKeyBlacklist(bytes)!;
    for (const one of listed) assert.equal(blacklist.has(one), true);
    for (let number = 0; number < 2_000; number += 1)
      assert.equal(blacklist.has(md5(`strong ${number}`)), false);
  });

  test('finds the first and the last prefix', () => {
    const ends = [Buffer.alloc(16, 0), Buffer.alloc(16, 0xff)];
    const blacklist = parseKeyBlacklist(dictionary(ends))!;
    for (const one of ends) assert.equal(blacklist.has(one), true);
    assert.equal(blacklist.has(md5('other')), false);
  });

  test('is refused when it is cut, longer than it says, or its index is out of order', () => {
    for (const broken of [
      bytes.subarray(0, 12),
      bytes.subarray(0, bytes.length - 1),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      Buffer.from(bytes).fill(0xff, 16 + 500, 16 + 502),
      Buffer.from(bytes).fill(0, 8, 11),
    ]) {
      assert.equal(parseKeyBlacklist(broken), null);
    }
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        (tail, head) => {
          const hostile = Buffer.concat([Buffer.from('SSH-FP00'), head, Buffer.alloc(65_536 * 2), tail]);
          const blacklist = parseKeyBlacklist(hostile);
          if (blacklist !== null) blacklist.has(md5('x'));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("Debian's lists", () => {
  test('hold the last 20 digits of a fingerprint on each line', () => {
    const text = `# weak keys\n${md5('weak').toString('hex').slice(12)}\n\n`;
    const blacklist = parseKeyBlacklist(Buffer.from(text))!;
    assert.equal(blacklist.has(md5('weak')), true);
    assert.equal(blacklist.has(md5('strong')), false);
  });

  test('text that is no list is refused', () => {
    assert.equal(parseKeyBlacklist(Buffer.from('ssh-rsa AAAA\n')), null);
    assert.equal(parseKeyBlacklist(Buffer.alloc(0)), null);
  });
});

describe('the file of SFTPKeyBlacklist', () => {
  test('is read again when it changes, and what cannot be used is noted while keys go on', (t) => {
    const fixture = createFixture(t);
    const path = (name: string): string => fixture.path(name);
    const file = new KeyBlacklistFile((work) => work());
    const lines: string[] = [];
    const has = (name: string): boolean => file.has(path(name), md5('weak'), (text) => lines.push(text));

    assert.equal(has('missing'), false);
    assert.deepEqual(lines, [`unable to open SFTPKeyBlacklist '${path('missing')}': ENOENT`]);

    writeFileSync(join(path('list')), 'no list');
    assert.equal(has('list'), false);
    assert.equal(lines[1], `unable to open SFTPKeyBlacklist '${path('list')}': not a key blacklist`);

    writeFileSync(path('list'), dictionary([md5('weak')]));
    assert.equal(has('list'), true);
    writeFileSync(path('list'), dictionary([md5('other'), md5('third')]));
    assert.equal(has('list'), false);
    assert.equal(lines.length, 2);
  });
});
