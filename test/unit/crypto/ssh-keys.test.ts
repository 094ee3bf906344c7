import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostKeyOf } from '../../../crypto/ssh/host-keys.ts';
import {
  KeyError,
  keyTypeOfAlgorithm,
  parsePublicKeyBlob,
  plainAlgorithm,
  verifySignature,
  type SshPublicKey,
} from '../../../crypto/ssh/keys.ts';
import { publicBlobOf } from '../../../crypto/ssh/public-blob.ts';
import { ByteReader } from '../../../src/util/byte-reader.ts';
import { ByteWriter } from '../../../src/util/byte-writer.ts';

const data = Buffer.from('what is signed');
const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PAIRS: readonly KeyObject[] = [
  ed25519.privateKey,
  generateKeyPairSync('ed448').privateKey,
  p256.privateKey,
  generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  rsa.privateKey,
  generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey,
];

function fieldsOf(blob: Buffer): Buffer {
  const reader = new ByteReader(blob);
  reader.name();
  return reader.rest();
}

function rsaBlob(e: Buffer, n: Buffer): Buffer {
  return new ByteWriter().string('ssh-rsa').mpint(e).mpint(n).finish();
}

test(
  'signatures of every key type verify, and only with their own data, name and key',
  { timeout: 30_000 },
  async () => {
    for (const pair of PAIRS) {
      const key = hostKeyOf(pair);
      const publicKey = parsePublicKeyBlob(key.blob);
      for (const algorithm of key.algorithms) {
        for (let round = 0; round < 5; round += 1) {
          const signature = await key.sign(algorithm, data);
          assert.deepEqual(verifySignature(publicKey, algorithm, data, signature), {
            valid: true,
            securityKey: null,
          });
          assert.equal(verifySignature(publicKey, algorithm, data.subarray(1), signature).valid, false);
          const other = algorithm === 'rsa-sha2-256' ? 'rsa-sha2-512' : 'rsa-sha2-256';
          assert.equal(verifySignature(publicKey, other, data, signature).valid, false);
          const trailing = Buffer.concat([signature, Buffer.alloc(1)]);
          assert.equal(verifySignature(publicKey, algorithm, data, trailing).valid, false);
          for (let cut = 0; cut < signature.length; cut += 11) {
            assert.equal(
              verifySignature(publicKey, algorithm, data, signature.subarray(0, cut)).valid,
              false,
            );
          }
        }
      }
    }
  },
);

test(
  'an RSA signature without its leading zero bytes is accepted, one with more bytes is not',
  { timeout: 60_000 },
  async () => {
    const key = hostKeyOf(rsa.privateKey);
    const publicKey = parsePublicKeyBlob(key.blob);
    let text = 0;
    for (;;) {
      const message = Buffer.from(String((text += 1)));
      const bytes = sign('sha256', message, rsa.privateKey);
      if (bytes[0] !== 0) continue;
      const short = new ByteWriter().string('rsa-sha2-256').string(bytes.subarray(1)).finish();
      assert.equal(verifySignature(publicKey, 'rsa-sha2-256', message, short).valid, true);
      const long = new ByteWriter()
        .string('rsa-sha2-256')
        .string(Buffer.concat([Buffer.alloc(1), bytes]))
        .finish();
      assert.equal(verifySignature(publicKey, 'rsa-sha2-256', message, long).valid, false);
      return;
    }
  },
);

function securityKey(plain: KeyObject, type: string): SshPublicKey {
  const fields = fieldsOf(publicBlobOf(plain));
  return parsePublicKeyBlob(new ByteWriter().string(type).raw(fields).string('ssh:').finish());
}

test('signatures of security keys carry what the token says of its user', () => {
  const flags = 0x05;
  const tail = new ByteWriter().u8(flags).u32(77).finish();
  const digest = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
  const signed = Buffer.concat([digest(Buffer.from('ssh:')), tail, digest(data)]);
  const expected = { valid: true, securityKey: { touched: true, verified: true, counter: 77 } };

  const edKey = securityKey(ed25519.privateKey, 'sk-ssh-ed25519@openssh.com');
  assert.equal(edKey.application, 'ssh:');
  const edName = 'sk-ssh-ed25519@openssh.com';
  const edBytes = sign(null, signed, ed25519.privateKey);
  const edSignature = new ByteWriter().string(edName).string(edBytes).raw(tail).finish();
  assert.deepEqual(verifySignature(edKey, edName, data, edSignature), expected);
  edSignature[edSignature.length - 1]! ^= 1;
  assert.deepEqual(verifySignature(edKey, edName, data, edSignature), { valid: false });

  const ecKey = securityKey(p256.privateKey, 'sk-ecdsa-sha2-nistp256@openssh.com');
  const ecName = 'sk-ecdsa-sha2-nistp256@openssh.com';
  const pair = sign('sha256', signed, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' });
  const ecBytes = new ByteWriter().mpint(pair.subarray(0, 32)).mpint(pair.subarray(32)).finish();
  const ecSignature = new ByteWriter().string(ecName).string(ecBytes).raw(tail).finish();
  assert.deepEqual(verifySignature(ecKey, ecName, data, ecSignature), expected);
});

test('malformed and unsuitable keys are refused', () => {
  const { n, e } = rsa.publicKey.export({ format: 'jwk' });
  const modulus = Buffer.from(n!, 'base64url');
  const exponent = Buffer.from(e!, 'base64url');
  const even = Buffer.from(modulus);
  even[even.length - 1]! &= 0xfe;
  const point = new ByteReader(fieldsOf(publicBlobOf(p256.publicKey)));
  point.name();
  const q = point.string();
  const ecdsa = (curve: string, bytes: Buffer): Buffer =>
    new ByteWriter().string('ecdsa-sha2-nistp256').string(curve).string(bytes).finish();
  const offCurve = Buffer.from(q);
  offCurve[33]! ^= 1;
  const compressed = Buffer.concat([Buffer.from([2 | (q.at(-1)! & 1)]), q.subarray(1, 33)]);
  const bad = [
    Buffer.alloc(0),
    new ByteWriter().string('ssh-ed25519').string(Buffer.alloc(31)).finish(),
    Buffer.concat([publicBlobOf(ed25519.publicKey), Buffer.alloc(1)]),
    new ByteWriter().string('x509v3-ssh-rsa').finish(),
    new ByteWriter().string('ssh-ed25519-cert-v01@openssh.com').string('').finish(),
    rsaBlob(exponent, even),
    rsaBlob(Buffer.from([1]), modulus),
    rsaBlob(Buffer.from([4]), modulus),
    rsaBlob(Buffer.alloc(9, 0xff), modulus),
    rsaBlob(exponent, modulus.subarray(0, 32)),
    rsaBlob(exponent, Buffer.alloc(2049, 0xff)),
    new ByteWriter()
      .string('ssh-rsa')
      .string(exponent)
      .string(Buffer.concat([Buffer.alloc(2), modulus]))
      .finish(),
    ecdsa('nistp384', q),
    ecdsa('nistp256', offCurve),
    ecdsa('nistp256', compressed),
    ecdsa('nistp256', Buffer.concat([Buffer.from([6]), q.subarray(1)])),
    Buffer.alloc(20_000),
  ];
  for (const [index, blob] of bad.entries())
    assert.throws(() => parsePublicKeyBlob(blob), KeyError, String(index));
  assert.equal(parsePublicKeyBlob(ecdsa('nistp256', q)).bits, 256);
  assert.equal(parsePublicKeyBlob(rsaBlob(exponent, modulus)).bits, 2048);
});

test('algorithm names lead to key types, certificates to their plain names', () => {
  assert.equal(keyTypeOfAlgorithm('rsa-sha2-512'), 'ssh-rsa');
  assert.equal(keyTypeOfAlgorithm('rsa-sha2-256-cert-v01@openssh.com'), 'ssh-rsa');
  assert.equal(keyTypeOfAlgorithm('sk-ssh-ed25519-cert-v01@openssh.com'), 'sk-ssh-ed25519@openssh.com');
  assert.equal(plainAlgorithm('ecdsa-sha2-nistp256-cert-v01@openssh.com'), 'ecdsa-sha2-nistp256');
  assert.equal(keyTypeOfAlgorithm('toString'), null);
  assert.equal(keyTypeOfAlgorithm('rsa-md5'), null);
});

test('no bytes do more than make a key or a signature invalid', { timeout: 60_000 }, () => {
  const blobs = PAIRS.map(publicBlobOf);
  const change = fc.record({ at: fc.nat(600), value: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.constantFrom(...blobs),
      fc.array(change, { maxLength: 4 }),
      fc.nat(600),
      (blob, changes, cut) => {
        const bytes = Buffer.from(blob.subarray(0, cut));
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const key = parsePublicKeyBlob(bytes);
          assert.equal(verifySignature(key, key.type, data, bytes).valid, false);
        } catch (error) {
          assert.ok(error instanceof KeyError, String(error));
        }
      },
    ),
    { numRuns: 1_000 },
  );
  const keys = blobs.map(parsePublicKeyBlob);
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.uint8Array({ maxLength: 300 }), (key, bytes) => {
      const named = new ByteWriter().string(key.type).string(bytes).finish();
      assert.equal(verifySignature(key, key.type, data, Buffer.from(bytes)).valid, false);
      assert.equal(verifySignature(key, key.type, data, named).valid, false);
    }),
    { numRuns: 500 },
  );
});
