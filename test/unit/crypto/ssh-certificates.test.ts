import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import {
  checkUserCertificate,
  isCertificateAlgorithm,
  parseCertificate,
  type CertificateUse,
} from '../../../crypto/ssh/certificates.ts';
import { KeyError } from '../../../crypto/ssh/keys.ts';
import { needsProgram } from '../../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockgate-certificates-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function keygen(...args: string[]): void {
  execFileSync('ssh-keygen', ['-q', ...args], { stdio: 'pipe', timeout: 30_000 });
}

function blobOf(path: string): Buffer {
  return Buffer.from(readFileSync(path, 'utf8').split(' ')[1]!, 'base64');
}

function newKey(type: string, bits = '256'): string {
  const path = join(folder, `key-${(count += 1)}`);
  keygen('-t', type, '-b', bits, '-N', '', '-f', path);
  return path;
}

interface Issued {
  readonly blob: Buffer;
  readonly plain: Buffer;
  readonly authority: Buffer;
}

function issue(keyType: string, options: readonly string[], authorityType = 'ed25519'): Issued {
  const authority = newKey(authorityType, authorityType === 'rsa' ? '2048' : '256');
  const key = newKey(keyType, keyType === 'rsa' ? '2048' : '256');
  keygen('-s', authority, '-I', 'key id', ...options, `${key}.pub`);
  return {
    blob: blobOf(`${key}-cert.pub`),
    plain: blobOf(`${key}.pub`),
    authority: blobOf(`${authority}.pub`),
  };
}

function use(issued: Issued, changes: Partial<CertificateUse> = {}): CertificateUse {
  return { user: 'alice', address: '192.0.2.7', now: Date.now(), trustedCas: [issued.authority], ...changes };
}

function verdict(issued: Issued, changes: Partial<CertificateUse> = {}): string {
  const answer = checkUserCertificate(parseCertificate(issued.blob), use(issued, changes));
  return answer.ok ? 'ok' : answer.reason;
}

function has(t: TestContext): boolean {
  return needsProgram(t, 'ssh-keygen');
}

test('certificates of every key type by every authority are accepted', { timeout: 60_000 }, (t) => {
  if (!has(t)) return;
  for (const [key, authority] of [
    ['ed25519', 'ed25519'],
    ['ecdsa', 'rsa'],
    ['rsa', 'ecdsa'],
  ] as const) {
    const issued = issue(key, ['-n', 'bob,alice', '-z', '42'], authority);
    const certificate = parseCertificate(issued.blob);
    assert.ok(isCertificateAlgorithm(certificate.type));
    assert.deepEqual(certificate.publicKey.blob, issued.plain);
    assert.deepEqual([certificate.serial, certificate.keyId, certificate.kind], [42n, 'key id', 'user']);
    assert.deepEqual(certificate.principals, ['bob', 'alice']);
    assert.deepEqual(checkUserCertificate(certificate, use(issued)), {
      ok: true,
      touchRequired: true,
      verifyRequired: false,
    });
  }
});

test('a certificate is good for its names, time, place and purpose only', { timeout: 60_000 }, (t) => {
  if (!has(t)) return;
  const issued = issue('ed25519', [
    '-n',
    'alice',
    '-V',
    '20300101:20310101',
    '-O',
    'source-address=192.0.2.0/24,2001:db8::/32',
  ]);
  const now = Date.UTC(2030, 5, 1);
  assert.equal(verdict(issued, { now }), 'ok');
  assert.equal(verdict(issued, { now, address: '::ffff:192.0.2.200' }), 'ok');
  assert.equal(verdict(issued, { now, address: '2001:db8::1' }), 'ok');
  assert.match(verdict(issued, { now, address: '198.51.100.1' }), /source addresses/);
  assert.match(verdict(issued, { now, address: 'nonsense' }), /source addresses/);
  assert.match(verdict(issued, { now, user: 'mallory' }), /principals/);
  assert.equal(verdict(issued, { now, user: 'x', principals: ['y', 'alice'] }), 'ok');
  assert.match(verdict(issued, { now, principals: ['other'] }), /principals/);
  assert.equal(verdict(issued), 'it is not yet valid');
  assert.equal(verdict(issued, { now: Date.UTC(2032, 0) }), 'it has expired');
  assert.equal(verdict(issued, { now, trustedCas: [] }), 'its authority is not trusted');
  assert.equal(verdict(issued, { now, trustedCas: [issued.plain] }), 'its authority is not trusted');
});

test(
  'host certificates, nameless ones, forced commands and unknown critical options are refused',
  { timeout: 60_000 },
  (t) => {
    if (!has(t)) return;
    assert.equal(verdict(issue('ed25519', ['-h', '-n', 'alice'])), 'it is a host certificate');
    assert.equal(verdict(issue('ed25519', [])), 'it names no principals');
    assert.equal(
      verdict(issue('ed25519', ['-n', 'alice', '-O', 'force-command=/bin/sh'])),
      'it forces a command',
    );
    assert.equal(verdict(issue('ed25519', ['-n', 'alice', '-O', 'force-command=internal-sftp'])), 'ok');
    assert.match(
      verdict(issue('ed25519', ['-n', 'alice', '-O', 'critical:new@example.org=1'])),
      /new@example\.org/,
    );
    assert.equal(verdict(issue('ed25519', ['-n', 'alice', '-O', 'extension:new@example.org=1'])), 'ok');
    assert.equal(
      verdict(issue('ed25519', ['-n', 'alice', '-t', 'ssh-rsa'], 'rsa')),
      'its signature is of an unacceptable kind',
    );
    const answer = checkUserCertificate(
      parseCertificate(
        issue('ed25519', ['-n', 'alice', '-O', 'verify-required', '-O', 'no-touch-required']).blob,
      ),
      { user: 'alice', address: '192.0.2.1', now: Date.now(), trustedCas: [] },
    );
    assert.equal(answer.ok, false);
    const issued = issue('ed25519', ['-n', 'alice', '-O', 'verify-required', '-O', 'no-touch-required']);
    assert.deepEqual(checkUserCertificate(parseCertificate(issued.blob), use(issued)), {
      ok: true,
      touchRequired: false,
      verifyRequired: true,
    });
  },
);

test('one changed byte anywhere makes a certificate malformed or refused', { timeout: 60_000 }, (t) => {
  if (!has(t)) return;
  const issued = issue('ed25519', ['-n', 'alice', '-O', 'source-address=192.0.2.0/24']);
  for (let at = 0; at < issued.blob.length; at += 1) {
    const blob = Buffer.from(issued.blob);
    blob[at]! ^= 0x11;
    try {
      assert.notEqual(verdict({ ...issued, blob }), 'ok', `byte ${at}`);
    } catch (error) {
      assert.ok(error instanceof KeyError, String(error));
    }
  }
  for (let cut = 0; cut < issued.blob.length; cut += 1) {
    assert.throws(() => parseCertificate(issued.blob.subarray(0, cut)), KeyError);
  }
  assert.throws(() => parseCertificate(Buffer.concat([issued.blob, Buffer.alloc(1)])), KeyError);
  assert.throws(() => parseCertificate(issued.plain), KeyError);
  assert.throws(() => parseCertificate(Buffer.alloc(20_000)), KeyError);
});

test('no bytes behind a certificate name do more than raise a KeyError', { timeout: 60_000 }, (t) => {
  if (!has(t)) return;
  const { blob } = issue('ecdsa', ['-n', 'alice']);
  const change = fc.record({
    at: fc.nat(blob.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = Buffer.from(blob);
      for (const { at, bytes: value } of changes) bytes.set(value.subarray(0, bytes.length - at), at);
      try {
        parseCertificate(bytes);
      } catch (error) {
        assert.ok(error instanceof KeyError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});
