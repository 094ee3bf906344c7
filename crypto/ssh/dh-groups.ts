/** Diffie-Hellman groups: the built-in ones, files of them, and the choice among them (RFC 4419, RFC 3526). */
import { checkPrime, getDiffieHellman, randomInt } from 'node:crypto';
import { ByteError, ByteReader } from '../../src/util/byte-reader.ts';

export interface DhGroup {
  /** Magnitude without leading zero bytes. */
  readonly prime: Buffer;
  readonly generator: Buffer;
  readonly bits: number;
  /** Name of a built-in group (`modp16`), null for one from a file. */
  readonly name: string | null;
}

export const MIN_GROUP_BITS = 1024;
export const MAX_GROUP_BITS = 8192;
/** Groups taken from one file; the usual `moduli` has about 400. */
const MAX_GROUPS = 4096;

const builtin = new Map<string, DhGroup>();

/** RFC 2409 and RFC 3526 by OpenSSL's names: modp2 (group 1), modp14 to modp18. */
export function builtinGroup(name: string): DhGroup {
  let group = builtin.get(name);
  if (group === undefined) {
    const dh = getDiffieHellman(name);
    const prime = dh.getPrime();
    group = { prime, generator: Buffer.from([2]), bits: bitLength(prime), name };
    builtin.set(name, group);
  }
  return group;
}

const FALLBACK = ['modp14', 'modp15', 'modp16', 'modp17', 'modp18'];

/** Number of bits of a magnitude. */
export function bitLength(magnitude: Buffer): number {
  let start = 0;
  while (start < magnitude.length && magnitude[start] === 0) start += 1;
  if (start === magnitude.length) return 0;
  return (magnitude.length - start) * 8 - (Math.clz32(magnitude[start]!) - 24);
}

/**
 * The group for a group exchange: of the preferred size (one of several at random), else the smallest above it, else
 * the largest below, all between the two limits; from the file's groups first, then from the built-in ones.
 * @param minimum - bits, as are the others
 * @returns null where no group lies between the limits
 */
export function chooseGroup(
  minimum: number,
  preferred: number,
  maximum: number,
  candidates: readonly DhGroup[],
): DhGroup | null {
  return (
    chooseFrom(minimum, preferred, maximum, candidates) ??
    chooseFrom(minimum, preferred, maximum, FALLBACK.map(builtinGroup))
  );
}

function chooseFrom(
  minimum: number,
  preferred: number,
  maximum: number,
  candidates: readonly DhGroup[],
): DhGroup | null {
  const sizes = candidates.map((group) => group.bits).filter((bits) => bits >= minimum && bits <= maximum);
  if (sizes.length === 0) return null;
  const larger = sizes.filter((bits) => bits >= preferred);
  const size = larger.length > 0 ? Math.min(...larger) : Math.max(...sizes);
  const equals = candidates.filter((group) => group.bits === size);
  return equals[randomInt(equals.length)] ?? null;
}

/**
 * Groups of an SFTPDHParamFile: `DH PARAMETERS` blocks (PKCS#3) or OpenSSH's moduli lines, told apart by content.
 * What is no usable group (size, even modulus, generator other than 2 or 5) is left out; whether a modulus is a safe
 * prime is asked separately (isSafeGroup), for it takes seconds.
 */
export function parseDhParameters(text: string): DhGroup[] {
  return text.includes('-----BEGIN') ? parsePem(text) : parseModuli(text);
}

function parsePem(text: string): DhGroup[] {
  const groups: DhGroup[] = [];
  const blocks = text.matchAll(/-----BEGIN DH PARAMETERS-----([\s\S]{1,4000}?)-----END DH PARAMETERS-----/g);
  for (const [, body] of blocks) {
    if (groups.length >= MAX_GROUPS) break;
    const group = parsePkcs3(Buffer.from(body!, 'base64'));
    if (group !== null) groups.push(group);
  }
  return groups;
}

/** DHParameter ::= SEQUENCE { prime INTEGER, base INTEGER, privateValueLength INTEGER OPTIONAL } */
function parsePkcs3(der: Buffer): DhGroup | null {
  try {
    const body = new ByteReader(derValue(new ByteReader(der), 0x30));
    return usableGroup(derValue(body, 0x02), derValue(body, 0x02));
  } catch (error) {
    if (error instanceof ByteError) return null;
    throw error;
  }
}

/** Contents of the next DER element, which must have this tag. */
function derValue(reader: ByteReader, tag: number): Buffer {
  if (reader.u8() !== tag) throw new ByteError('unexpected DER tag');
  let length = reader.u8();
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 3) throw new ByteError('unexpected DER length');
    length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + reader.u8();
  }
  return reader.raw(length);
}

/** `time type tests tries size generator modulus`, the last two in hexadecimal (moduli(5)). */
function parseModuli(text: string): DhGroup[] {
  const groups: DhGroup[] = [];
  for (const line of text.split('\n')) {
    if (groups.length >= MAX_GROUPS) break;
    if (line.startsWith('#') || line.length > 4000) continue;
    const [, type, tests, , , generator, modulus] = line.trim().split(/\s+/);
    if (generator === undefined || modulus === undefined) continue;
    // Type 2 is a safe prime; test 0x01 says composite, 0x04 that Miller-Rabin was passed.
    const passed = Number(tests);
    if (type !== '2' || (passed & 1) !== 0 || (passed & 4) === 0) continue;
    if (!/^[0-9a-fA-F]{1,2}$/.test(generator) || !/^[0-9a-fA-F]{256,2048}$/.test(modulus)) continue;
    const padded = modulus.length % 2 === 1 ? `0${modulus}` : modulus;
    const group = usableGroup(Buffer.from(padded, 'hex'), Buffer.from([Number.parseInt(generator, 16)]));
    if (group !== null) groups.push(group);
  }
  return groups;
}

function usableGroup(prime: Buffer, generator: Buffer): DhGroup | null {
  const modulus = withoutLeadingZeros(prime);
  const base = withoutLeadingZeros(generator);
  const bits = bitLength(modulus);
  if (bits < MIN_GROUP_BITS || bits > MAX_GROUP_BITS) return null;
  if ((modulus.at(-1)! & 1) === 0) return null;
  if (base.length !== 1 || (base[0] !== 2 && base[0] !== 5)) return null;
  return { prime: modulus, generator: base, bits, name: builtinName(modulus, base) };
}

/** A file may hold the RFC's own groups: these run by name, with short exponents and where FIPS wants the name. */
function builtinName(prime: Buffer, generator: Buffer): string | null {
  if (generator[0] !== 2) return null;
  return FALLBACK.find((name) => builtinGroup(name).prime.equals(prime)) ?? null;
}

function withoutLeadingZeros(magnitude: Buffer): Buffer {
  let start = 0;
  while (start < magnitude.length && magnitude[start] === 0) start += 1;
  return magnitude.subarray(start);
}

/** Whether the modulus and half of it are prime; runs in the thread pool, for large groups for seconds. */
export async function isSafeGroup(group: DhGroup): Promise<boolean> {
  if (group.name !== null) return true;
  const half = (BigInt(`0x${group.prime.toString('hex')}`) - 1n) / 2n;
  return (await isPrime(group.prime)) && isPrime(half);
}

function isPrime(candidate: Buffer | bigint): Promise<boolean> {
  return new Promise((resolve, reject) => {
    // Success comes with undefined, not the null of the type declarations.
    checkPrime(candidate, {}, (error, result) => (error instanceof Error ? reject(error) : resolve(result)));
  });
}
