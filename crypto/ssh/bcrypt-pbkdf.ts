/**
 * bcrypt_pbkdf: the key derivation of encrypted OpenSSH private keys (as in OpenBSD's libutil; PROTOCOL.key names it).
 * Runs when an encrypted host key is loaded, never during a session. OpenSSL has no bcrypt.
 */
import { createHash } from 'node:crypto';

const ROUNDS = 16;
const SUBKEYS = ROUNDS + 2;
const BOX_WORDS = 256;
const TABLE_WORDS = SUBKEYS + 4 * BOX_WORDS;
const MAGIC = Buffer.from('OxychromaticBlowfishSwatDynamite', 'latin1');
const OUTPUT_BYTES = 32;
/** bcrypt's cost 6: 64 repetitions. */
const REPETITIONS = 64;
/** 20 seconds or so; `ssh-keygen -a` takes 16 or 24 by default. */
export const MAX_BCRYPT_ROUNDS = 1000;

/** The words of pi's fraction, which are Blowfish's initial subkeys and boxes. */
let initialTable: Uint32Array | undefined;

/** Machin's formula in integers of enough bits: pi = 16 arctan(1/5) - 4 arctan(1/239). */
function fractionOfPi(): Uint32Array {
  const guard = 64n;
  const bits = BigInt(TABLE_WORDS * 32) + guard;
  const arctanOfInverse = (x: bigint): bigint => {
    const square = x * x;
    let power = (1n << bits) / x;
    let sum = power;
    for (let divisor = 3n, negative = true; power > 0n; divisor += 2n, negative = !negative) {
      power /= square;
      sum += negative ? -(power / divisor) : power / divisor;
    }
    return sum;
  };
  const pi = (16n * arctanOfInverse(5n) - 4n * arctanOfInverse(239n)) >> guard;
  const fraction = pi & ((1n << BigInt(TABLE_WORDS * 32)) - 1n);
  const bytes = Buffer.from(fraction.toString(16).padStart(TABLE_WORDS * 8, '0'), 'hex');
  return Uint32Array.from({ length: TABLE_WORDS }, (_, index) => bytes.readUInt32BE(index * 4));
}

/** Blowfish with the key schedule of bcrypt. Subkeys and the four boxes lie in one table. */
class ExpensiveBlowfish {
  readonly #table: Uint32Array;
  #left = 0;
  #right = 0;

  constructor() {
    initialTable ??= fractionOfPi();
    this.#table = initialTable.slice();
  }

  encrypt(words: Uint32Array, at: number): void {
    this.#left = words[at]!;
    this.#right = words[at + 1]!;
    this.#encryptBlock();
    words[at] = this.#left;
    words[at + 1] = this.#right;
  }

  /** `salt` and `key` as words; a null salt is all zeros. Both have 16 words here. */
  expand(key: Uint32Array, salt: Uint32Array | null): void {
    const table = this.#table;
    for (let index = 0; index < SUBKEYS; index += 1) table[index]! ^= key[index % key.length]!;
    this.#left = 0;
    this.#right = 0;
    let saltAt = 0;
    for (let index = 0; index < TABLE_WORDS; index += 2) {
      if (salt !== null) {
        this.#left = (this.#left ^ salt[saltAt]!) >>> 0;
        this.#right = (this.#right ^ salt[saltAt + 1]!) >>> 0;
        saltAt = (saltAt + 2) % salt.length;
      }
      this.#encryptBlock();
      table[index] = this.#left;
      table[index + 1] = this.#right;
    }
  }

  wipe(): void {
    this.#table.fill(0);
    this.#left = 0;
    this.#right = 0;
  }

  #encryptBlock(): void {
    const table = this.#table;
    let left = this.#left ^ table[0]!;
    let right = this.#right;
    for (let round = 1; round <= ROUNDS; round += 2) {
      right ^= this.#mix(left) ^ table[round]!;
      left ^= this.#mix(right) ^ table[round + 1]!;
    }
    this.#left = (right ^ table[SUBKEYS - 1]!) >>> 0;
    this.#right = left >>> 0;
  }

  #mix(word: number): number {
    const table = this.#table;
    const a = table[SUBKEYS + (word >>> 24)]!;
    const b = table[SUBKEYS + BOX_WORDS + ((word >>> 16) & 0xff)]!;
    const c = table[SUBKEYS + 2 * BOX_WORDS + ((word >>> 8) & 0xff)]!;
    const d = table[SUBKEYS + 3 * BOX_WORDS + (word & 0xff)]!;
    return (((a + b) ^ c) + d) | 0;
  }
}

function bigEndianWords(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32BE(index * 4));
}

function sha512(bytes: Buffer): Buffer {
  return createHash('sha512').update(bytes).digest();
}

function bcryptHash(password: Uint32Array, salt: Uint32Array): Buffer {
  const cipher = new ExpensiveBlowfish();
  cipher.expand(password, salt);
  for (let index = 0; index < REPETITIONS; index += 1) {
    cipher.expand(salt, null);
    cipher.expand(password, null);
  }
  const words = bigEndianWords(MAGIC);
  for (let at = 0; at < words.length; at += 2) {
    for (let index = 0; index < REPETITIONS; index += 1) cipher.encrypt(words, at);
  }
  cipher.wipe();
  const out = Buffer.alloc(OUTPUT_BYTES);
  for (const [index, word] of words.entries()) out.writeUInt32LE(word, index * 4);
  return out;
}

/**
 * Derives a key; 16 rounds and 48 bytes take a third of a second.
 * @param rounds - 1 to MAX_BCRYPT_ROUNDS, else RangeError
 * @param bytes - size of the key, at most 1024
 */
export function bcryptPbkdf(passPhrase: Buffer, salt: Buffer, rounds: number, bytes: number): Buffer {
  if (rounds < 1 || rounds > MAX_BCRYPT_ROUNDS) throw new RangeError('bcrypt rounds out of range');
  if (bytes < 1 || bytes > 1024 || salt.length < 1) throw new RangeError('bad bcrypt parameters');
  const blocks = Math.ceil(bytes / OUTPUT_BYTES);
  const password = bigEndianWords(sha512(passPhrase));
  const key = Buffer.alloc(bytes);
  for (let block = 1; block <= blocks; block += 1) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(block);
    let last = bcryptHash(password, bigEndianWords(sha512(Buffer.concat([salt, counter]))));
    const sum = Buffer.from(last);
    for (let round = 1; round < rounds; round += 1) {
      last = bcryptHash(password, bigEndianWords(sha512(last)));
      for (const [index, byte] of last.entries()) sum[index]! ^= byte;
    }
    // The blocks' bytes are interleaved over the key.
    for (const [index, byte] of sum.entries()) {
      const at = index * blocks + block - 1;
      if (at < bytes) key[at] = byte;
    }
  }
  return key;
}
