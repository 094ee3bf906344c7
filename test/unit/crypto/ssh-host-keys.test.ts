import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { bcryptPbkdf } from '../../../crypto/ssh/bcrypt-pbkdf.ts';
import {
  HostKeyError,
  generateHostKey,
  hostKeyFromPkcs8,
  loadHostKey,
} from '../../../crypto/ssh/host-keys.ts';
import { fingerprint, parsePublicKeyBlob, verifySignature } from '../../../crypto/ssh/keys.ts';
import { encodeOpenSshPrivateKey } from '../../../crypto/ssh/openssh-private-key.ts';
import { needsProgram } from '../../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockgate-host-keys-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** Path of a new key made by ssh-keygen; its public line lies beside it. */
function keygen(...options: string[]): string {
  const path = join(folder, `key-${(files += 1)}`);
  execFileSync('ssh-keygen', ['-q', '-f', path, '-C', 'a comment', ...options], {
    stdio: 'pipe',
    timeout: 30_000,
  });
  return path;
}

function publicBlob(path: string): Buffer {
  return Buffer.from(readFileSync(`${path}.pub`, 'utf8').split(' ')[1]!, 'base64');
}

async function mustSign(path: string, passPhrase?: string): Promise<void> {
  const key = await loadHostKey(readFileSync(path), passPhrase);
  assert.deepEqual(key.blob, publicBlob(path));
  const data = Buffer.from('exchange hash');
  const publicKey = parsePublicKeyBlob(key.blob);
  for (const algorithm of key.algorithms) {
    const signature = await key.sign(algorithm, data);
    assert.equal(verifySignature(publicKey, algorithm, data, signature).valid, true, algorithm);
    assert.equal(verifySignature(publicKey, algorithm, Buffer.from('other'), signature).valid, false);
  }
  const again = hostKeyFromPkcs8(key.pkcs8);
  assert.deepEqual(again.blob, key.blob);
  assert.equal(again.type, key.type);
}

const KINDS: readonly (readonly [name: string, options: readonly string[]])[] = [
  ['ed25519', ['-t', 'ed25519']],
  ['ecdsa 256', ['-t', 'ecdsa', '-b', '256']],
  ['ecdsa 384', ['-t', 'ecdsa', '-b', '384']],
  ['ecdsa 521', ['-t', 'ecdsa', '-b', '521']],
  ['rsa', ['-t', 'rsa', '-b', '2048']],
];

for (const [name, options] of KINDS) {
  test(`an OpenSSH ${name} key is read and signs`, { timeout: 30_000 }, async (t) => {
    if (!needsProgram(t, 'ssh-keygen')) return;
    await mustSign(keygen(...options, '-N', ''));
  });
}

test('a PEM key of ssh-keygen is read, encrypted or not', { timeout: 30_000 }, async (t) => {
  if (!needsProgram(t, 'ssh-keygen')) return;
  await mustSign(keygen('-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', ''));
  await mustSign(keygen('-t', 'ecdsa', '-m', 'PEM', '-N', ''));
  await mustSign(keygen('-t', 'ecdsa', '-m', 'PKCS8', '-N', ''));
  await mustSign(keygen('-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'secret words'), 'secret words');
  await mustSign(keygen('-t', 'ecdsa', '-m', 'PKCS8', '-N', 'secret words'), 'secret words');
});

test('a DSA key is read and signs', { timeout: 30_000 }, async (t) => {
  if (!needsProgram(t, 'openssl')) return;
  const { privateKey } = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 });
  const key = await loadHostKey(Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' })));
  assert.equal(key.type, 'ssh-dss');
  const signature = await key.sign('ssh-dss', Buffer.from('x'));
  assert.equal(
    verifySignature(parsePublicKeyBlob(key.blob), 'ssh-dss', Buffer.from('x'), signature).valid,
    true,
  );
});

test('encrypted OpenSSH keys open with their pass phrase only', { timeout: 60_000 }, async (t) => {
  if (!needsProgram(t, 'ssh-keygen')) return;
  const ciphers = ['aes256-ctr', 'aes256-cbc', 'aes128-gcm@openssh.com', '3des-cbc'];
  for (const cipher of ciphers) {
    const path = keygen('-t', 'ed25519', '-N', 'secret words', '-Z', cipher, '-a', '2');
    await mustSign(path, 'secret words');
    const bytes = readFileSync(path);
    await assert.rejects(loadHostKey(bytes), (error: HostKeyError) => error.needsPassPhrase);
    await assert.rejects(loadHostKey(bytes, 'wrong'), { name: 'HostKeyError', message: 'wrong pass phrase' });
  }
});

test('bcrypt_pbkdf gives the published answer', { timeout: 60_000 }, () => {
  // A vector of OpenBSD's bcrypt_pbkdf: "password", "salt", 4 rounds.
  const expected = '5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9';
  const key = bcryptPbkdf(Buffer.from('password'), Buffer.from('salt'), 4, 32);
  assert.equal(key.toString('hex'), expected);
});

test('an encrypted PEM key says that it needs a pass phrase, and whether it was right', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'right' });
  const bytes = Buffer.from(pem as string);
  await assert.rejects(loadHostKey(bytes), (error: HostKeyError) => error.needsPassPhrase);
  await assert.rejects(loadHostKey(bytes, 'wrong'), { name: 'HostKeyError', message: /wrong pass phrase/ });
  assert.equal((await loadHostKey(bytes, 'right')).type, 'ssh-ed25519');
});

test('what is no private key is named for what it is', async () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const rejected = async (text: string, reason: RegExp): Promise<void> => {
    await assert.rejects(loadHostKey(Buffer.from(text)), { name: 'HostKeyError', message: reason });
  };
  await rejected('---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nx\n', /Tectia.*ssh-keygen -i/);
  await rejected('---- BEGIN SSH2 PUBLIC KEY ----\nx\n', /public key/);
  await rejected('ssh-ed25519 AAAAC3Nza comment\n', /public key.*\.pub/);
  await rejected(publicKey.export({ format: 'pem', type: 'spki' }) as string, /public key/);
  await rejected('PuTTY-User-Key-File-3: ssh-ed25519\n', /PuTTY.*puttygen/);
  await rejected('ssh-ed25519-cert-v01@openssh.com AAAA x\n', /certificate/);
  await rejected('', /no private key/);
  const x25519 = generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
  await rejected(x25519 as string, /no keys of the kind x25519/);
  const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
  await rejected(koblitz.export({ format: 'pem', type: 'pkcs8' }) as string, /no keys on the curve/);
});

test('new host keys can be read by us and by ssh-keygen', { timeout: 30_000 }, async (t) => {
  if (!needsProgram(t, 'ssh-keygen')) return;
  for (const kind of ['ed25519', 'ecdsa', 'rsa'] as const) {
    const pem = await generateHostKey(kind);
    const key = await loadHostKey(Buffer.from(pem));
    const path = join(folder, `written-${kind}`);
    writeFileSync(path, encodeOpenSshPrivateKey(createPrivateKey(pem), 'made here'), { mode: 0o600 });
    const line = spawnSync('ssh-keygen', ['-y', '-f', path], { encoding: 'utf8', timeout: 20_000 });
    assert.equal(line.status, 0, line.stderr);
    assert.equal(line.stdout.trim(), `${key.type} ${key.blob.toString('base64')} made here`);
    assert.deepEqual((await loadHostKey(readFileSync(path))).blob, key.blob);
  }
});

test('fingerprints are those of ssh-keygen', { timeout: 30_000 }, (t: TestContext) => {
  if (!needsProgram(t, 'ssh-keygen')) return;
  const path = keygen('-t', 'ed25519', '-N', '');
  const listed = (hash: string): string =>
    execFileSync('ssh-keygen', ['-l', '-E', hash, '-f', path], { encoding: 'utf8', timeout: 20_000 }).split(
      ' ',
    )[1]!;
  assert.equal(fingerprint(publicBlob(path)), listed('sha256'));
  assert.equal(`MD5:${fingerprint(publicBlob(path), 'md5', 'hex+colons')}`, listed('md5'));
  assert.equal(fingerprint(publicBlob(path), 'sha1', 'base64'), listed('sha1'));
  assert.match(fingerprint(publicBlob(path), 'sha256', 'hex'), /^[0-9a-f]{64}$/);
});

test('an RSA host key is verified by OpenSSL as RFC 8332 says', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = await loadHostKey(Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' })));
  const signature = await key.sign('rsa-sha2-256', Buffer.from('data'));
  const bytes = signature.subarray(4 + 12 + 4);
  assert.ok(verify('sha256', Buffer.from('data'), createPublicKey(privateKey), bytes));
  await assert.rejects(key.sign('ssh-ed25519', Buffer.from('data')), RangeError);
});

test('no damage to a key file does more than raise a HostKeyError', { timeout: 60_000 }, async () => {
  const pem = await generateHostKey('ecdsa');
  const original = encodeOpenSshPrivateKey(createPrivateKey(pem));
  const body = Buffer.from(original.split('\n').slice(1, -2).join(''), 'base64');
  const change = fc.record({ at: fc.nat(body.length - 1), value: fc.nat(255) });
  const property = fc.asyncProperty(
    fc.array(change, { minLength: 1, maxLength: 6 }),
    fc.nat(body.length),
    async (changes, cut) => {
      const bytes = Buffer.from(body.subarray(0, cut));
      for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
      const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
      try {
        const key = await loadHostKey(Buffer.from(text));
        assert.equal(key.type, 'ecdsa-sha2-nistp256');
      } catch (error) {
        assert.ok(error instanceof HostKeyError, String(error));
      }
    },
  );
  await fc.assert(property, { numRuns: 500 });
});
