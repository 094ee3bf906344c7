import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { loadNativeCrypt } from '../../../crypto/crypt-native.ts';
import { md5Crypt } from '../../../crypto/md5-crypt.ts';
import { classifyHash, hashPassword, verifyPasswordSync } from '../../../crypto/password-hash.ts';
import { shaCrypt } from '../../../crypto/sha-crypt.ts';

const NATIVE = loadNativeCrypt() === null ? 'no libcrypt on this system' : false;
const OPENSSL = spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl program';

/** All for the password `secret`, made with crypt(3) or `openssl passwd`. */
const PORTABLE = {
  $1$: '$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1',
  $5$: '$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.',
  $6$: '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.',
  '$6$ with rounds':
    '$6$rounds=1000$saltstring$2BkAo106CG84raQcWpAlhyy6TSSkAsL1nfvBCoezLYyerUzY2l8axTvq6NynEt7SQAx3/cdop9ds0po8uaeHq0',
};
const NATIVE_ONLY = {
  $2a$: '$2a$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
  $2b$: '$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u',
  $2y$: '$2y$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u',
  yescrypt: '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0',
  'gost-yescrypt': '$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$uE5FcoxTz78xZpMZkpTmj/0MogyeNUSLIjdCxpQjz.8',
  DES: 'abNANd1rDfiNc',
};

function expectOnlySecretMatches(hash: string): void {
  assert.equal(verifyPasswordSync('secret', hash), 'match');
  for (const wrong of ['Secret', 'secre', 'secret ', '', 'secret\0', 'secret\0x']) {
    assert.equal(verifyPasswordSync(wrong, hash), 'mismatch', JSON.stringify(wrong));
  }
}

describe('a password is checked against', () => {
  for (const [scheme, hash] of Object.entries(PORTABLE)) {
    test(scheme, () => expectOnlySecretMatches(hash));
  }
  for (const [scheme, hash] of Object.entries(NATIVE_ONLY)) {
    test(scheme, { skip: NATIVE }, () => expectOnlySecretMatches(hash));
  }
  test('PBKDF2 as passlib writes it', () => {
    const hash = '$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44';
    assert.equal(verifyPasswordSync('password', hash), 'match');
    assert.equal(verifyPasswordSync('passwore', hash), 'mismatch');
  });
});

describe('the TypeScript schemes', () => {
  test('agree with the published test vectors of SHA-crypt', () => {
    const vectors = [
      ['$5$saltstring', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
      [
        '$5$rounds=10000$saltstringsaltstring',
        '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA',
      ],
      [
        '$6$saltstring',
        '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
      ],
      [
        '$6$rounds=10000$saltstringsaltstring',
        '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
      ],
    ] as const;
    for (const [setting, expected] of vectors) assert.equal(shaCrypt('Hello world!', setting), expected);
  });

  test('agree with `openssl passwd` for many passwords and salts', { skip: OPENSSL }, () => {
    const schemes = [
      ['-1', md5Crypt],
      ['-5', shaCrypt],
      ['-6', shaCrypt],
    ] as const;
    for (const password of ['a', 'secret', 'pässwörd', 'x'.repeat(63), 'y'.repeat(64), 'z'.repeat(130)]) {
      for (const [flag, crypt] of schemes) {
        const run = spawnSync('openssl', ['passwd', flag, '-salt', 'Salt.of8', '-stdin'], {
          input: `${password}\n`,
          encoding: 'utf8',
          timeout: 10_000,
        });
        const expected = run.stdout.trim();
        assert.equal(crypt(password, expected), expected);
      }
    }
  });

  test('agree with libcrypt', { skip: NATIVE }, () => {
    const native = loadNativeCrypt()!;
    for (const setting of ['$1$ab$', '$5$ab$', '$6$rounds=1234$ab$', '$6$0123456789abcdefXYZ$']) {
      for (const password of ['', 'k', 'secret', 'ü'.repeat(40)]) {
        assert.equal(shaCrypt(password, setting) ?? md5Crypt(password, setting), native(password, setting));
      }
    }
  });
});

describe('a hash field that must never let anybody in', () => {
  const passwords = ['', 'secret', 'x', '*', '!'];

  test('an empty one matches nothing, not even the empty password', () => {
    for (const password of passwords) assert.equal(verifyPasswordSync(password, ''), 'mismatch');
  });

  test('a locked one matches nothing, nor does a good hash behind `!`', () => {
    for (const hash of ['!', '*', '!!', '*LK*', 'x', `!${PORTABLE['$6$']}`, `*${PORTABLE['$6$']}`]) {
      for (const password of passwords) assert.equal(verifyPasswordSync(password, hash), 'mismatch', hash);
    }
  });

  test('an unknown, clear-text or broken one is unsupported', () => {
    const broken = [
      'secret',
      '*0',
      '$6$abcdefgh$',
      '$6$abcdefgh$short',
      '$9$abc$def',
      '$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZ',
      '$pbkdf2-sha256$0$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44',
      '$2b$05$short',
      `${PORTABLE['$6$']}x`,
      `${PORTABLE['$6$']}\n`,
    ];
    for (const hash of broken) assert.notEqual(verifyPasswordSync('secret', hash), 'match', hash);
  });

  test('one that would take minutes is refused before it is computed', () => {
    const costly = [
      PORTABLE['$6$'].replace('$6$', '$6$rounds=999999999$'),
      '$2b$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
      '$pbkdf2-sha256$999999999$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44',
    ];
    for (const hash of costly) {
      assert.deepEqual(classifyHash(hash), { kind: 'unsupported', reason: 'too-costly' });
      assert.equal(verifyPasswordSync('secret', hash), 'unsupported');
    }
    assert.equal(classifyHash(NATIVE_ONLY.yescrypt.replace('j9T', 'jZT')).kind, 'unsupported');
  });
});

describe('a new hash', () => {
  test('is PBKDF2-HMAC-SHA-256 with 600000 rounds, a salt of its own, and matches its password only', async () => {
    const [first, second] = await Promise.all([hashPassword('secret'), hashPassword('secret')]);
    assert.match(first, /^\$pbkdf2-sha256\$600000\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{43}$/);
    assert.notEqual(first, second);
    expectOnlySecretMatches(await hashPassword('secret', 1000));
  });
});

test('hashes of one scheme and cost share a cost name, others do not', () => {
  const cost = (hash: string): string => {
    const kind = classifyHash(hash);
    return 'cost' in kind ? kind.cost : kind.kind;
  };
  assert.equal(cost(PORTABLE['$6$']), cost(PORTABLE['$6$'].replace('abcdefgh', 'other')));
  assert.equal(cost(PORTABLE['$6$']), cost(PORTABLE['$6$'].replace('$6$', '$6$rounds=5000$')));
  assert.notEqual(cost(PORTABLE['$6$']), cost(PORTABLE['$6$ with rounds']));
  assert.notEqual(cost(NATIVE_ONLY['$2a$']), cost(NATIVE_ONLY['$2b$']));
});
