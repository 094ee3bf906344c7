/**
 * sha256-crypt ($5$) and sha512-crypt ($6$), after Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512"
 * (SHA-crypt.txt, version 0.6). Step numbers in comments are that paper's. Used where the system has no
 * libcrypt, and under FIPS, where every digest has to be the module's: it costs some five times what libcrypt does.
 */
import { createHash, hash } from 'node:crypto';
import { encodeDigest } from './crypt-base64.ts';

const DEFAULT_ROUNDS = 5000;
const MIN_ROUNDS = 1000;
const MAX_ROUNDS = 999_999_999;
const MAX_SALT = 16;

interface Variant {
  readonly id: '5' | '6';
  readonly algorithm: 'sha256' | 'sha512';
  readonly order: readonly number[];
}

const SHA256: Variant = {
  id: '5',
  algorithm: 'sha256',
  order: [
    0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5, 6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19,
    29, -1, 31, 30,
  ],
};

const SHA512: Variant = {
  id: '6',
  algorithm: 'sha512',
  order: [
    0, 21, 42, 22, 43, 1, 44, 2, 23, 3, 24, 45, 25, 46, 4, 47, 5, 26, 6, 27, 48, 28, 49, 7, 50, 8, 29, 9, 30,
    51, 31, 52, 10, 53, 11, 32, 12, 33, 54, 34, 55, 13, 56, 14, 35, 15, 36, 57, 37, 58, 16, 59, 17, 38, 18,
    39, 60, 40, 61, 19, 62, 20, 41, -1, -1, 63,
  ],
};

const SETTING = /^\$([56])\$(?:rounds=([0-9]{1,9})\$)?([^$:\n]*)/;

/**
 * @param password in UTF-8
 * @param setting `$5$[rounds=N$]SALT...` or `$6$...`; a whole hash will do
 * @returns the whole hash, or null when the setting is not one of these schemes
 */
export function shaCrypt(password: string, setting: string): string | null {
  const match = SETTING.exec(setting);
  if (match === null) return null;
  const variant = match[1] === '5' ? SHA256 : SHA512;
  const salt = (match[3] ?? '').slice(0, MAX_SALT);
  const custom = match[2];
  const rounds =
    custom === undefined ? DEFAULT_ROUNDS : Math.min(Math.max(Number(custom), MIN_ROUNDS), MAX_ROUNDS);
  const digest = deriveDigest(
    variant.algorithm,
    Buffer.from(password, 'utf8'),
    Buffer.from(salt, 'utf8'),
    rounds,
  );
  const roundsText = custom === undefined ? '' : `rounds=${rounds}$`;
  return `$${variant.id}$${roundsText}${salt}$${encodeDigest(digest, variant.order)}`;
}

function deriveDigest(algorithm: Variant['algorithm'], key: Buffer, salt: Buffer, rounds: number): Buffer {
  // Steps 4-8: digest B.
  const b = createHash(algorithm).update(key).update(salt).update(key).digest();
  // Steps 1-3 and 9-12: digest A.
  const a = createHash(algorithm).update(key).update(salt).update(repeatTo(b, key.length));
  for (let n = key.length; n > 0; n >>>= 1) a.update((n & 1) === 1 ? b : key);
  let digest = a.digest();
  // Steps 13-16: sequence P.
  const dp = createHash(algorithm);
  for (let i = 0; i < key.length; i++) dp.update(key);
  const p = repeatTo(dp.digest(), key.length);
  // Steps 17-20: sequence S.
  const ds = createHash(algorithm);
  for (let i = 0; i < 16 + (digest[0] ?? 0); i++) ds.update(salt);
  const s = repeatTo(ds.digest(), salt.length);
  // Step 21. One call per round over joined bytes: a third less time than a Hash object with four updates.
  const joined = Buffer.alloc(2 * p.length + s.length + digest.length);
  for (let round = 0; round < rounds; round++) {
    const odd = (round & 1) === 1;
    let length = append(joined, odd ? p : digest, 0);
    if (round % 3 !== 0) length = append(joined, s, length);
    if (round % 7 !== 0) length = append(joined, p, length);
    length = append(joined, odd ? digest : p, length);
    digest = hash(algorithm, joined.subarray(0, length), 'buffer');
  }
  joined.fill(0);
  return digest;
}

function append(target: Buffer, bytes: Buffer, at: number): number {
  target.set(bytes, at);
  return at + bytes.length;
}

function repeatTo(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block);
}
