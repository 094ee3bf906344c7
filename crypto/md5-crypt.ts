/**
 * md5-crypt ($1$), Poul-Henning Kamp's FreeBSD scheme as passlib's documentation describes it. Read only, for old
 * password files on systems without libcrypt; nothing here ever creates such a hash.
 */
import { createHash } from 'node:crypto';
import { encodeDigest } from './crypt-base64.ts';

const SETTING = /^\$1\$([^$:\n]*)/;
const ROUNDS = 1000;
const MAX_SALT = 8;
const ORDER = [0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, -1, -1, 11];

/**
 * @param password in UTF-8
 * @param setting `$1$SALT...`; a whole hash will do
 * @returns the whole hash, or null when the setting is not of this scheme
 */
export function md5Crypt(password: string, setting: string): string | null {
  const match = SETTING.exec(setting);
  if (match === null) return null;
  const salt = (match[1] ?? '').slice(0, MAX_SALT);
  const key = Buffer.from(password, 'utf8');
  const saltBytes = Buffer.from(salt, 'utf8');
  const b = createHash('md5').update(key).update(saltBytes).update(key).digest();
  const a = createHash('md5').update(key).update('$1$').update(saltBytes).update(Buffer.alloc(key.length, b));
  // The scheme's well-known oddity: a zero byte for every set bit of the length, else the first byte of the key.
  const zero = Buffer.alloc(1);
  for (let n = key.length; n > 0; n >>>= 1) a.update((n & 1) === 1 ? zero : key.subarray(0, 1));
  let digest = a.digest();
  for (let round = 0; round < ROUNDS; round++) {
    const odd = (round & 1) === 1;
    const c = createHash('md5').update(odd ? key : digest);
    if (round % 3 !== 0) c.update(saltBytes);
    if (round % 7 !== 0) c.update(key);
    digest = c.update(odd ? digest : key).digest();
  }
  return `$1$${salt}$${encodeDigest(digest, ORDER)}`;
}
