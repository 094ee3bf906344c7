import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import {
  createDiffieHellman,
  createECDH,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  getDiffieHellman,
  publicEncrypt,
  type KeyObject,
} from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { der, derInteger, derSequence } from '../../../crypto/ssh/der.ts';
import { bitLength, builtinGroup } from '../../../crypto/ssh/dh-groups.ts';
import { hashedKey } from '../../../crypto/ssh/key-derivation.ts';
import {
  KEY_EXCHANGE_NAMES,
  KeyExchangeError,
  chooseGroup,
  deriveKey,
  exchangeHash,
  isSafeGroup,
  kdfSource,
  keyExchangeMethod,
  keyExchangeUnavailable,
  parseDhParameters,
  prepareTransientRsaKey,
  respond,
  type DhGroup,
  type KeyExchangeMethod,
} from '../../../crypto/ssh/key-exchange.ts';
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';

const { decapsulate } = crypto as unknown as { decapsulate: (key: KeyObject, cipherText: Buffer) => Buffer };

function method(name: string): KeyExchangeMethod {
  const found = keyExchangeMethod(name);
  assert.ok(found, name);
  return found;
}

function rawPublic(key: KeyObject): Buffer {
  return (key.export as unknown as (options: { format: string }) => Buffer).call(key, {
    format: 'raw-public',
  });
}

function importRaw(bytes: Buffer, asymmetricKeyType: string): KeyObject {
  const options = { key: bytes, format: 'raw-public', asymmetricKeyType };
  return createPublicKey(options as unknown as Parameters<typeof createPublicKey>[0]);
}

function mpint(magnitude: Buffer): Buffer {
  return new ByteWriter().mpint(magnitude).finish();
}

interface Client {
  readonly publicValue: Buffer;
  secret(serverPublic: Buffer): Buffer;
}

/** The client's half, by other calls of node:crypto than the server's. */
function curveClient(curve: string): Client {
  if (curve === 'x25519' || curve === 'x448') {
    const { publicKey, privateKey } = generateKeyPairSync(curve as 'x25519');
    const secret = (value: Buffer): Buffer =>
      diffieHellman({ privateKey, publicKey: importRaw(value, curve) });
    return { publicValue: rawPublic(publicKey), secret };
  }
  const ecdh = createECDH(curve);
  return { publicValue: ecdh.generateKeys(), secret: (value) => ecdh.computeSecret(value) };
}

const CURVES: readonly (readonly [name: string, curve: string])[] = [
  ['curve25519-sha256', 'x25519'],
  ['curve25519-sha256@libssh.org', 'x25519'],
  ['curve448-sha512', 'x448'],
  ['ecdh-sha2-nistp256', 'prime256v1'],
  ['ecdh-sha2-nistp384', 'secp384r1'],
  ['ecdh-sha2-nistp521', 'secp521r1'],
];

for (const [name, curve] of CURVES) {
  test(`${name}: both sides get the same secret, as an mpint`, { timeout: 30_000 }, async () => {
    for (let round = 0; round < (curve === 'x25519' ? 100 : 3); round += 1) {
      const client = curveClient(curve);
      const answer = await respond(method(name), client.publicValue);
      assert.deepEqual(answer.encodedSecret, mpint(client.secret(answer.serverPublic)));
    }
  });
}

const HYBRIDS: readonly (readonly [name: string, kem: string, curve: string, hash: string])[] = [
  ['mlkem768x25519-sha256', 'ml-kem-768', 'x25519', 'sha256'],
  ['mlkem768nistp256-sha256', 'ml-kem-768', 'prime256v1', 'sha256'],
  ['mlkem1024nistp384-sha384', 'ml-kem-1024', 'secp384r1', 'sha384'],
];

for (const [name, kem, curve, hash] of HYBRIDS) {
  test(`${name}: the secret is the hash of both secrets, as a string`, { timeout: 30_000 }, async () => {
    const client = curveClient(curve);
    const { publicKey, privateKey } = generateKeyPairSync(kem as 'ml-kem-768');
    const value = Buffer.concat([rawPublic(publicKey), client.publicValue]);
    const { serverPublic, encodedSecret } = await respond(method(name), value);
    const cipherBytes = serverPublic.length - client.publicValue.length;
    assert.equal(cipherBytes, kem === 'ml-kem-768' ? 1088 : 1568);
    const quantum = decapsulate(privateKey, serverPublic.subarray(0, cipherBytes));
    const classical = client.secret(serverPublic.subarray(cipherBytes));
    const secret = createHash(hash).update(quantum).update(classical).digest();
    assert.deepEqual(encodedSecret, new ByteWriter().string(secret).finish());

    for (const bad of [value.subarray(1), Buffer.concat([value, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      await assert.rejects(respond(method(name), bad), KeyExchangeError);
    }
    // All coefficients above the modulus.
    const outside = Buffer.from(value).fill(0xff, 0, 1000);
    await assert.rejects(respond(method(name), outside), KeyExchangeError);
  });
}

const GROUPS: readonly (readonly [name: string, group: string])[] = [
  ['diffie-hellman-group1-sha1', 'modp2'],
  ['diffie-hellman-group14-sha1', 'modp14'],
  ['diffie-hellman-group14-sha256', 'modp14'],
  ['diffie-hellman-group15-sha512', 'modp15'],
  ['diffie-hellman-group16-sha512', 'modp16'],
  ['diffie-hellman-group17-sha512', 'modp17'],
  ['diffie-hellman-group18-sha512', 'modp18'],
];

for (const [name, groupName] of GROUPS) {
  test(`${name}: both sides get the same secret`, { timeout: 30_000 }, async () => {
    const client = getDiffieHellman(groupName);
    client.generateKeys();
    const answer = await respond(method(name), client.getPublicKey());
    assert.deepEqual(answer.encodedSecret, mpint(client.computeSecret(answer.serverPublic)));
    assert.notEqual(answer.serverPublic[0], 0);
  });
}

/** A group no built-in one equals: generator 5. */
const foreignGroup: DhGroup = { ...builtinGroup('modp14'), generator: Buffer.from([5]), name: null };

test('a group from a file gives the same secret on both sides', { timeout: 30_000 }, async () => {
  const client = createDiffieHellman(foreignGroup.prime, foreignGroup.generator);
  const exchange = method('diffie-hellman-group-exchange-sha256');
  const answer = await respond(exchange, client.generateKeys(), foreignGroup);
  assert.deepEqual(answer.encodedSecret, mpint(client.computeSecret(answer.serverPublic)));
  await assert.rejects(respond(exchange, client.getPublicKey()), RangeError);
});

test('public values outside a DH group are refused', async () => {
  const { prime } = builtinGroup('modp14');
  const minusOne = Buffer.from(prime);
  minusOne[minusOne.length - 1]! -= 1;
  const bad = [
    Buffer.alloc(0),
    Buffer.from([0]),
    Buffer.from([1]),
    Buffer.from([7]),
    minusOne,
    prime,
    Buffer.concat([Buffer.from([1]), prime]),
    Buffer.alloc(4000, 0xff),
  ];
  for (const group of [undefined, foreignGroup]) {
    const name =
      group === undefined ? 'diffie-hellman-group14-sha256' : 'diffie-hellman-group-exchange-sha256';
    for (const value of bad) await assert.rejects(respond(method(name), value, group), KeyExchangeError);
  }
});

test('points off the curve, compressed, of low order or of a wrong length are refused', async () => {
  const ecdh = createECDH('prime256v1');
  const point = ecdh.generateKeys();
  const off = Buffer.from(point);
  off[40]! ^= 1;
  const hybridForm = Buffer.from(point);
  hybridForm[0] = 0x06 | (point.at(-1)! & 1);
  for (const value of [
    off,
    hybridForm,
    ecdh.getPublicKey(null, 'compressed'),
    point.subarray(0, 64),
    Buffer.from([0]),
  ]) {
    await assert.rejects(respond(method('ecdh-sha2-nistp256'), value), KeyExchangeError);
  }
  for (const value of [
    Buffer.alloc(32),
    Buffer.alloc(31, 9),
    Buffer.alloc(33, 9),
    Buffer.from(`01${'00'.repeat(31)}`, 'hex'),
  ]) {
    await assert.rejects(respond(method('curve25519-sha256'), value), KeyExchangeError);
  }
  await assert.rejects(respond(method('curve448-sha512'), Buffer.alloc(56)), KeyExchangeError);
});

test('no public value does more than raise a KeyExchangeError', { timeout: 60_000 }, async () => {
  const names = [
    'curve25519-sha256',
    'ecdh-sha2-nistp256',
    'mlkem768x25519-sha256',
    'diffie-hellman-group14-sha256',
  ];
  const property = fc.asyncProperty(
    fc.constantFrom(...names),
    fc.uint8Array({ maxLength: 300 }),
    async (name, bytes) => {
      try {
        await respond(method(name), Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof KeyExchangeError, String(error));
      }
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

for (const [name, hash, bits] of [
  ['rsa2048-sha256', 'sha256', 2048 - 2 * 256 - 49],
  ['rsa1024-sha1', 'sha1', 1024 - 2 * 160 - 49],
] as const) {
  test(
    `${name}: the client's secret is decrypted, anything else is one and the same error`,
    { timeout: 60_000 },
    async () => {
      assert.equal(method(name).shape, 'rsa');
      const transient = await prepareTransientRsaKey();
      const reader = new ByteReader(transient.blob);
      assert.equal(reader.name(), 'ssh-rsa');
      const [e, n] = [reader.mpint(), reader.mpint()];
      assert.equal(bitLength(n), 2048);
      const jwk = { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') };
      const key = createPublicKey({ key: jwk, format: 'jwk' });
      const encrypt = (text: Buffer): Buffer => publicEncrypt({ key, oaepHash: hash }, text);
      const secret = mpint(Buffer.alloc(Math.floor(bits / 8), 0x5a));
      assert.deepEqual(transient.decrypt(encrypt(secret), hash), secret);
      const failure = { name: 'KeyExchangeError', message: 'the RSA key exchange failed' };
      const trailing = Buffer.concat([secret, Buffer.alloc(1)]);
      for (const bad of [
        Buffer.alloc(256),
        Buffer.alloc(3),
        encrypt(trailing),
        encrypt(Buffer.from('00000001ff', 'hex')),
      ]) {
        assert.throws(() => transient.decrypt(bad, hash), failure);
      }
      assert.notDeepEqual((await prepareTransientRsaKey()).blob, transient.blob);
    },
  );
}

test('keys are derived as the CAVP example of SSHKDF has them', () => {
  const secret = Buffer.from(
    '0000008055bae931c07fd824bf10add1902b6fbc7c665347383498a686929ff5a25f8e40cb6645ea814fb1a5e0a11f852f86255641e5ed986e83a78bc8269480eac0b0dfd770cab92e7a28dd87ff452466d6ae867cead63b366b1c286e6c4811a9f14c27aea14c5171d49b78c06e3735d36e6a3be321dd5fc82308f34ee1cb17fba94a59',
    'hex',
  );
  const hash = Buffer.from('a4ebd45934f56792b5112dcd75a1075fdc889245', 'hex');
  assert.equal(hashedKey('sha1', secret, hash, 'A', hash, 8).toString('hex'), 'e2f627c0b43f1ac1');
  assert.equal(deriveKey('sha1', secret, hash, 'A', hash, 8).toString('hex'), 'e2f627c0b43f1ac1');
});

test("OpenSSL's SSHKDF and ours agree for every hash, letter and length", { timeout: 30_000 }, (t) => {
  if (kdfSource() !== 'module') t.diagnostic('SSHKDF cannot be reached here; both are ours');
  const bytes = fc.uint8Array({ minLength: 4, maxLength: 80 }).map((value) => Buffer.from(value));
  const hashes = fc.constantFrom('sha1', 'sha256', 'sha384', 'sha512');
  const letters = fc.constantFrom('A', 'B', 'C', 'D', 'E', 'F');
  fc.assert(
    fc.property(hashes, bytes, bytes, letters, bytes, fc.nat(200), (hash, secret, h, letter, id, size) => {
      const key = deriveKey(hash, secret, h, letter, id, size);
      assert.equal(key.length, size);
      assert.deepEqual(key, Buffer.from(hashedKey(hash, secret, h, letter, id, size)));
    }),
    { numRuns: 200 },
  );
  assert.throws(
    () => deriveKey('sha256', Buffer.alloc(4), Buffer.alloc(4), 'A', Buffer.alloc(4), 2000),
    RangeError,
  );
});

test('the exchange hash runs over the parts in their order', () => {
  const parts = [Buffer.from('a'), Buffer.from('bc')];
  const expected = createHash('sha512').update('abc').digest();
  assert.deepEqual(exchangeHash(method('curve448-sha512'), parts), expected);
});

test('every method is available here, and an unknown or unsupported one has a reason', () => {
  for (const name of KEY_EXCHANGE_NAMES) assert.equal(keyExchangeUnavailable(name), null, name);
  assert.match(keyExchangeUnavailable('nonsense') ?? '', /no such key exchange/);
  assert.equal(keyExchangeMethod('nonsense'), null);
});

function pem(group: DhGroup): string {
  const body = derSequence(derInteger(group.prime), derInteger(group.generator)).toString('base64');
  return `-----BEGIN DH PARAMETERS-----\n${body.replace(/.{64}/g, '$&\n')}\n-----END DH PARAMETERS-----\n`;
}

test('groups are read from PKCS#3 blocks and from moduli lines; what is unusable is left out', () => {
  const modp16 = builtinGroup('modp16');
  const text = `comment\n${pem(foreignGroup)}${pem({ ...foreignGroup, generator: Buffer.from([7]) })}${pem(modp16)}`;
  assert.deepEqual(parseDhParameters(text), [foreignGroup, modp16]);
  const line = (tests: number, generator: string): string =>
    `20260101000000 2 ${tests} 100 2047 ${generator} ${foreignGroup.prime.toString('hex').toUpperCase()}\n`;
  assert.deepEqual(parseDhParameters(`# Time Type\n${line(6, '5')}`), [foreignGroup]);
  assert.deepEqual(parseDhParameters(line(6, '2'))[0]?.name, 'modp14');
  assert.deepEqual(parseDhParameters(line(7, '5') + line(2, '5')), []);
  for (const broken of ['', 'x', '-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----']) {
    assert.deepEqual(parseDhParameters(broken), []);
  }
  const long = der(0x30, Buffer.from([0x02, 0x83, 0xff, 0xff, 0xff])).toString('base64');
  assert.deepEqual(parseDhParameters(`-----BEGIN DH PARAMETERS-----${long}-----END DH PARAMETERS-----`), []);
});

test('no text makes the reader of groups throw', { timeout: 30_000 }, () => {
  const good = pem(foreignGroup);
  fc.assert(
    fc.property(fc.nat(good.length), fc.string(), fc.nat(300), (at, inserted, drop) => {
      const text = good.slice(0, at) + inserted + good.slice(at + drop);
      for (const group of parseDhParameters(text)) assert.ok(group.bits >= 1024 && group.bits <= 8192);
      parseDhParameters(inserted);
    }),
    { numRuns: 500 },
  );
});

test('the group chosen is of the preferred size, else the next larger, else the next smaller, within the limits', () => {
  const group = (bits: number, generator: number): DhGroup => ({
    prime: Buffer.alloc(bits / 8, 0xff),
    generator: Buffer.from([generator]),
    bits,
    name: null,
  });
  const candidates = [group(2048, 2), group(3072, 2), group(3072, 5), group(6144, 2)];
  assert.equal(chooseGroup(2048, 2048, 8192, candidates)?.bits, 2048);
  assert.equal(chooseGroup(2048, 4096, 8192, candidates)?.bits, 6144);
  assert.equal(chooseGroup(2048, 8192, 8192, candidates)?.bits, 6144);
  assert.equal(chooseGroup(2048, 4096, 4096, candidates)?.bits, 3072);
  const generators = new Set(
    Array.from({ length: 200 }, () => chooseGroup(3072, 3072, 3072, candidates)!.generator[0]),
  );
  assert.deepEqual(generators, new Set([2, 5]));
  assert.equal(chooseGroup(4096, 4096, 4096, candidates)?.name, 'modp16');
  assert.equal(chooseGroup(2048, 7000, 8192, [])?.name, 'modp18');
  assert.equal(chooseGroup(1024, 1024, 1024, candidates), null);
});

test('a group with a composite modulus is not safe', { timeout: 60_000 }, async () => {
  assert.equal(await isSafeGroup(builtinGroup('modp14')), true);
  const composite = { ...foreignGroup, prime: Buffer.alloc(256, 0xff) };
  assert.equal(await isSafeGroup(composite), false);
});
