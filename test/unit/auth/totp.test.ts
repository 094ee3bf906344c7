import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../../../src/log/secret.ts';
import {
  createTotpSecret,
  decodeBase32,
  encodeBase32,
  matchTotp,
  totpCode,
  totpStep,
  totpUri,
} from '../../../src/auth/totp.ts';

/** The secret of RFC 6238, appendix B: ASCII 12345678901234567890. */
const RFC_SECRET = new Secret(encodeBase32(Buffer.from('12345678901234567890', 'latin1')));
const RFC_VECTORS: readonly (readonly [seconds: number, code: string])[] = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
];

describe('codes', () => {
  test('are those of RFC 6238, appendix B', () => {
    for (const [seconds, code] of RFC_VECTORS) {
      assert.equal(totpCode(RFC_SECRET, totpStep(seconds * 1000), 8), code);
      assert.equal(totpCode(RFC_SECRET, totpStep(seconds * 1000)), code.slice(2));
    }
  });

  test('are taken one step early and late, not two', () => {
    const now = 1_111_111_109_000;
    const step = totpStep(now);
    for (const [offset, expected] of [
      [-2, null],
      [-1, step - 1],
      [0, step],
      [1, step + 1],
      [2, null],
    ] as const) {
      assert.equal(matchTotp(RFC_SECRET, totpCode(RFC_SECRET, step + offset), now, 0), expected);
    }
  });

  test('work once: a step that was used, and any before it, is used up', () => {
    const now = 1_111_111_109_000;
    const step = totpStep(now);
    assert.equal(matchTotp(RFC_SECRET, totpCode(RFC_SECRET, step), now, step), null);
    assert.equal(matchTotp(RFC_SECRET, totpCode(RFC_SECRET, step - 1), now, step), null);
    assert.equal(matchTotp(RFC_SECRET, totpCode(RFC_SECRET, step + 1), now, step), step + 1);
  });

  test('may be typed in groups; anything else than six digits is wrong', () => {
    const now = 59_000;
    assert.equal(matchTotp(RFC_SECRET, '287 082', now, 0), 1);
    for (const code of ['', '28708', '2870822', '94287082', 'abcdef', '２８７０８２'])
      assert.equal(matchTotp(RFC_SECRET, code, now, 0), null, code);
  });
});

describe('base32', () => {
  test('is that of RFC 4648, section 10', () => {
    for (const [text, encoded] of [
      ['', ''],
      ['f', 'MY'],
      ['fo', 'MZXQ'],
      ['foo', 'MZXW6'],
      ['foob', 'MZXW6YQ'],
      ['fooba', 'MZXW6YTB'],
      ['foobar', 'MZXW6YTBOI'],
    ] as const) {
      assert.equal(encodeBase32(Buffer.from(text)), encoded);
      assert.equal(decodeBase32(encoded).toString(), text);
    }
  });

  test('comes back as it went', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        assert.deepEqual([...decodeBase32(encodeBase32(Buffer.from(bytes)))], [...bytes]);
      }),
    );
  });

  test('an error does not repeat the secret', () => {
    assert.throws(
      () => decodeBase32('geheim!'),
      (error: Error) => !error.message.includes('geheim'),
    );
  });
});

describe('a new secret', () => {
  test('has 160 bits, and its URI is what authenticator apps take', () => {
    const secret = createTotpSecret();
    assert.equal(decodeBase32(secret.reveal()).length, 20);
    const uri = new URL(totpUri(secret, 'alice@example', 'Lockgate host'));
    assert.equal(uri.protocol, 'otpauth:');
    assert.equal(uri.searchParams.get('secret'), secret.reveal());
    assert.equal(uri.searchParams.get('issuer'), 'Lockgate host');
    assert.equal(uri.searchParams.get('period'), '30');
  });

  test('prints as stars', () => {
    assert.equal(String(createTotpSecret()), '********');
  });
});
