/** The server's half of a Diffie-Hellman exchange over a prime field (RFC 4253, section 8; RFC 4419). */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPair,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { KeyExchangeError } from './key-exchange-error.ts';
import { derBitString, derInteger, derOctetString, derSequence } from './der.ts';
import { bitLength, type DhGroup } from './dh-groups.ts';

/** dhKeyAgreement of PKCS#3: 1.2.840.113549.1.3.1. */
const DH_OID = Buffer.from('06092a864886f70d010301', 'hex');
/**
 * Bits of the private exponent in a group from a file: twice the largest key any cipher here takes (RFC 4419, section
 * 6.2). OpenSSL would take one as long as the prime, which at 8192 bits costs sixteen times as much.
 */
const EXPONENT_BYTES = 64;
/** A public value of fewer bits set has a logarithm one can guess; OpenSSH refuses it too. */
const MIN_BITS_SET = 4;

export interface DhResult {
  /** Magnitude of f. */
  readonly serverPublic: Buffer;
  /** Magnitude of K. */
  readonly secret: Buffer;
}

/**
 * Answers the client's e. Both exponentiations run in the thread pool.
 * @param clientPublic - magnitude of e
 * @throws KeyExchangeError for an e outside 1 < e < p-1
 */
export async function respondDh(clientPublic: Buffer, group: DhGroup): Promise<DhResult> {
  checkPublicValue(clientPublic, group);
  const privateKey = group.name === null ? privateKeyOf(group) : await generatedKey(group.name);
  const serverPublic =
    group.name === null
      ? // g^x, without a call of its own for it: the agreement with the public value g.
        await agree(privateKey, publicKeyOf(group, group.generator))
      : publicValue(privateKey);
  const secret = await agree(privateKey, publicKeyOf(group, clientPublic));
  return { serverPublic, secret };
}

function checkPublicValue(value: Buffer, group: DhGroup): void {
  const bits = bitLength(value);
  let bitsSet = 0;
  for (const byte of value) for (let rest = byte; rest !== 0; rest &= rest - 1) bitsSet += 1;
  if (bits < 2 || bits > group.bits || bitsSet < MIN_BITS_SET)
    throw new KeyExchangeError('bad DH public value');
  const padded = Buffer.concat([Buffer.alloc(Math.max(0, group.prime.length - value.length)), value]);
  const below = Buffer.from(group.prime);
  // p is odd: p-1 differs in its last bit alone.
  below[below.length - 1]! &= 0xfe;
  if (Buffer.compare(padded.subarray(-below.length), below) >= 0) {
    throw new KeyExchangeError('bad DH public value');
  }
}

function generatedKey(name: string): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    // The type declarations demand a prime even beside a group's name.
    const options = { group: name } as unknown as { primeLength: number };
    generateKeyPair('dh', options, (error, _publicKey, privateKey) => {
      if (error === null) resolve(privateKey);
      else reject(new KeyExchangeError('no key could be made for the group'));
    });
  });
}

function privateKeyOf(group: DhGroup): KeyObject {
  const exponent = randomBytes(EXPONENT_BYTES);
  // The top bit set keeps the length, and a 1 at the end the value above 1.
  exponent[0]! |= 0x80;
  exponent[EXPONENT_BYTES - 1]! |= 0x01;
  const version = derInteger(Buffer.from([0]));
  const key = derSequence(version, algorithmOf(group), derOctetString(derInteger(exponent)));
  exponent.fill(0);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

function publicKeyOf(group: DhGroup, value: Buffer): KeyObject {
  const key = derSequence(algorithmOf(group), derBitString(derInteger(value)));
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

function algorithmOf(group: DhGroup): Buffer {
  return derSequence(DH_OID, derSequence(derInteger(group.prime), derInteger(group.generator)));
}

/** The INTEGER at the end of the SubjectPublicKeyInfo, as a magnitude. */
function publicValue(privateKey: KeyObject): Buffer {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  // SEQUENCE { AlgorithmIdentifier, BIT STRING { INTEGER } }
  const outer = derParts(spki);
  const bitString = derParts(outer.contents, derParts(outer.contents).end);
  const integer = derParts(bitString.contents, 1).contents;
  return integer[0] === 0 ? integer.subarray(1) : integer;
}

interface DerElement {
  readonly contents: Buffer;
  /** Offset behind it. */
  readonly end: number;
}

/** Reads the element at `at` of DER that OpenSSL wrote. */
function derParts(bytes: Buffer, at = 0): DerElement {
  const first = bytes.readUInt8(at + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  return { contents: bytes.subarray(start, start + length), end: start + length };
}

function agree(privateKey: KeyObject, publicKey: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    diffieHellman({ privateKey, publicKey }, (error, secret) => {
      if (error === null) resolve(secret!);
      else reject(new KeyExchangeError('the DH agreement failed'));
    });
  });
}
