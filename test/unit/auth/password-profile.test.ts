/** Which stored passwords a server in FIPS mode checks, and what its operator hears about the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAdaptedBase64 } from '../../../crypto/crypt-base64.ts';
import { classifyHash, hashPassword, PBKDF2_ROUNDS } from '../../../crypto/password-hash.ts';
import { defaultProfile, fipsProfile } from '../../../crypto/profile.ts';
import { censusLines, chooseDecoy, mergeCensuses, takeCensus } from '../../../src/auth/hash-census.ts';
import { Secret } from '../../../src/log/secret.ts';

const FIPS = fipsProfile('3.5.7');
const MD5 = `$1$saltsalt$${'a'.repeat(22)}`;
const BCRYPT = `$2b$10$${'a'.repeat(53)}`;
const YESCRYPT = `$y$j9T$saltsalt$${'a'.repeat(43)}`;
const DES = 'a'.repeat(13);
const SHA512 = `$6$saltsalt$${'a'.repeat(86)}`;
const SHA256 = `$5$saltsalt$${'a'.repeat(43)}`;

function pbkdf2(rounds: number, saltBytes: number): string {
  const text = (bytes: number): string => encodeAdaptedBase64(Buffer.alloc(bytes, 7));
  return `$pbkdf2-sha256$${rounds}$${text(saltBytes)}$${text(32)}`;
}

test('schemes the module has nothing for are forbidden under FIPS, and checked elsewhere', () => {
  const cases = [
    [MD5, 'md5-crypt'],
    [BCRYPT, 'bcrypt'],
    [YESCRYPT, 'yescrypt'],
    [DES, 'des'],
  ] as const;
  for (const [hash, scheme] of cases) {
    assert.deepEqual(classifyHash(hash, FIPS), { kind: 'forbidden', scheme });
    assert.equal(classifyHash(hash, defaultProfile()).kind, 'crypt');
  }
  for (const hash of [SHA512, SHA256]) assert.equal(classifyHash(hash, FIPS).kind, 'crypt');
});

test('PBKDF2 with a short salt or few rounds is forbidden under FIPS', () => {
  assert.equal(classifyHash(pbkdf2(1000, 16), FIPS).kind, 'pbkdf2');
  for (const weak of [pbkdf2(999, 16), pbkdf2(1000, 15)]) {
    assert.deepEqual(classifyHash(weak, FIPS), { kind: 'forbidden', scheme: 'pbkdf2' });
    assert.equal(classifyHash(weak, defaultProfile()).kind, 'pbkdf2');
  }
});

test('new passwords are PBKDF2-HMAC-SHA-256 with 600,000 rounds and a salt of 128 bits', async () => {
  const kind = classifyHash(await hashPassword('secret'), FIPS);
  assert.ok(kind.kind === 'pbkdf2');
  assert.deepEqual([kind.digest, kind.rounds, kind.salt.length], ['sha256', PBKDF2_ROUNDS, 16]);
  assert.ok(PBKDF2_ROUNDS >= 600_000);
});

const stored = (...hashes: string[]): Secret[] => hashes.map((hash) => new Secret(hash));

test('the census counts what is forbidden and tells how to store it anew, without a name or a hash', () => {
  const census = mergeCensuses([
    takeCensus(stored(MD5, MD5, BCRYPT, SHA512), FIPS),
    takeCensus(stored(MD5, '!', ''), FIPS),
  ]);
  const [forbidden, tolerated] = censusLines('mod_lockgate', census, FIPS);
  assert.equal(forbidden?.level, 'warn');
  assert.match(
    forbidden?.text ?? '',
    /^mod_lockgate: .*3 md5-crypt, 1 bcrypt; .*'lockgate user passwd NAME'$/,
  );
  assert.match(tolerated?.text ?? '', /1 sha512-crypt/);
  assert.ok(![forbidden, tolerated].some((line) => line?.text.includes('$')));
  assert.deepEqual(censusLines('mod_lockgate', takeCensus(stored(pbkdf2(600_000, 16)), FIPS), FIPS), []);
  assert.deepEqual(censusLines('mod_lockgate', census, defaultProfile()), []);
});

test('logins without a hash of their own never spend a forbidden one, which would cost no time', () => {
  const census = takeCensus(stored(MD5, MD5, MD5, SHA512), FIPS);
  assert.equal(chooseDecoy([census]).reveal(), SHA512);
  assert.match(chooseDecoy([takeCensus(stored(MD5, BCRYPT), FIPS)]).reveal(), /^\$pbkdf2-sha256\$600000\$/);
});
