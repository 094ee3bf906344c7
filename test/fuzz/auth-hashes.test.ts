import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { md5Crypt } from '../../crypto/md5-crypt.ts';
import { classifyHash, verifyPasswordSync } from '../../crypto/password-hash.ts';
import { shaCrypt } from '../../crypto/sha-crypt.ts';

const password = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 20 }));
const salt = fc.stringMatching(/^[./A-Za-z0-9]{0,16}$/);
const good = fc.tuple(fc.constantFrom('$1$', '$5$rounds=1000$', '$6$rounds=1000$'), salt);

/** Well-formed hashes with something changed, and pieces of hashes put together at random. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '$',
          '1',
          '5',
          '6',
          '2b',
          '2y',
          'y',
          'gy',
          'j9T',
          'rounds=',
          '10',
          '04',
          '!',
          '*',
          '*0',
          'x',
          ':',
          '\n',
          '\0',
        ),
        fc.constantFrom('pbkdf2-sha256', 'pbkdf2-sha512', '1000', '999999999', '-1', '0'),
        fc.stringMatching(/^[./A-Za-z0-9]{0,86}$/),
      ),
      { maxLength: 10 },
    )
    .map((parts) => parts.join('')),
);

test('a hostile hash never throws and never matches', () => {
  fc.assert(
    fc.property(password, hostile, (candidate, hash) => {
      classifyHash(hash);
      assert.notEqual(verifyPasswordSync(candidate, hash), 'match');
    }),
    { numRuns: 2000 },
  );
});

test('a hash matches its own password and no other; one changed character of it matches nothing', () => {
  fc.assert(
    fc.property(good, password, password, fc.nat(), ([prefix, saltText], own, other, at) => {
      fc.pre(
        !own.includes('\0') && Buffer.from(own).toString() === own && Buffer.from(other).toString() === other,
      );
      const hash = shaCrypt(own, prefix + saltText) ?? md5Crypt(own, prefix + saltText);
      assert.ok(hash !== null);
      assert.equal(verifyPasswordSync(own, hash), 'match');
      if (other !== own) assert.notEqual(verifyPasswordSync(other, hash), 'match');
      const digest = hash.lastIndexOf('$') + 1;
      const position = digest + (at % (hash.length - digest));
      const changed = hash[position] === 'A' ? 'B' : 'A';
      const broken = hash.slice(0, position) + changed + hash.slice(position + 1);
      assert.notEqual(verifyPasswordSync(own, broken), 'match');
    }),
    { numRuns: 150 },
  );
});
