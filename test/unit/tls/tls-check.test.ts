import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatVersionNumber, versionMismatchLine } from '../../../crypto/openssl-check.ts';
import type { TlsCheckHooks, TlsCheckResult } from '../../../crypto/tls-check.ts';
import { certificateTrees } from '../../support/certificates.ts';
import { loadTlsConfig } from '../../support/tls-server.ts';

const trees = certificateTrees();
const rsa = `TLSRSACertificateFile ${trees.certA.certificate}\nTLSRSACertificateKeyFile ${trees.certA.key}`;
const chain = `TLSCertificateChainFile ${trees.chainFile}`;

async function check(text: string, hooks?: TlsCheckHooks): Promise<TlsCheckResult> {
  return (await loadTlsConfig(`Port 2121\nServerName tests\nTLSEngine on\n${text}\n`, hooks)).check;
}

function errors(result: TlsCheckResult): string {
  return result.errors.map(String).join('\n');
}

function program(name: string, script: string): string {
  const path = join(trees.directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('a matching pair, separate or in one file, is accepted without a word', async () => {
  for (const text of [rsa, `TLSECCertificateFile ${trees.certAEc.combined}`]) {
    const result = await check(`${text}\n${chain}`);
    assert.equal(errors(result), '');
    assert.deepEqual(result.warnings, []);
  }
});

test('an EC certificate in the RSA directive names both algorithms', async () => {
  const result = await check(`TLSRSACertificateFile ${trees.certAEc.combined}`);
  assert.match(
    errors(result),
    new RegExp(
      `TLSRSACertificateFile: certificate '${trees.certAEc.combined}': expected RSA certificate, found EC`,
    ),
  );
});

test('a key of another certificate is refused by the name of its directive and file', async () => {
  const result = await check(
    `TLSECCertificateFile ${trees.certB.certificate}\nTLSECCertificateKeyFile ${trees.certC.key}`,
  );
  assert.match(
    errors(result),
    new RegExp(`error checking key from TLSECCertificateKeyFile '${trees.certC.key}'`),
  );
});

test('a missing file and a file of another format are refused at start', async () => {
  assert.match(
    errors(await check('TLSRSACertificateFile /nonexistent/cert.pem')),
    /unable to use '\/nonexistent\/cert.pem'/,
  );
  assert.match(
    errors(await check(`TLSRSACertificateFile ${trees.bundle}`)),
    /file contained no certificate data/,
  );
  assert.match(
    errors(await check(`${rsa}\nTLSCACertificateFile ${trees.certA.key}`)),
    /file contained no certificate data/,
  );
  assert.match(
    errors(await check(`${rsa}\nTLSCARevocationFile ${trees.certA.certificate}`)),
    /file contained no CRL data/,
  );
});

test('no certificate directive lets the server start and says what is missing', async () => {
  const result = await check('');
  assert.equal(errors(result), '');
  assert.match(result.logLines[0]?.text ?? '', /^no TLSRSACertificateFile, TLSDSACertificateFile/);
});

test('an unusable cipher list is refused with its text', async () => {
  await assert.rejects(
    check(`${rsa}\nTLSCipherSuite NOSUCHCIPHER`),
    /unable to use ciphersuite 'NOSUCHCIPHER'/,
  );
});

test('old protocol versions are warned about unless weak security is allowed', async () => {
  const listed = `${rsa}\n${chain}\nTLSProtocol TLSv1 TLSv1.1 TLSv1.2`;
  const warned = await check(listed);
  assert.equal(errors(warned), '');
  assert.equal(
    warned.warnings.filter((line) => /TLSProtocol TLSv1(\.1)? is not offered/.test(line)).length,
    2,
  );
  assert.deepEqual((await check(`${listed}\nTLSOptions AllowWeakSecurity`)).warnings, []);
  assert.ok(
    (await check(`${rsa}\nTLSProtocol TLSv1`)).warnings.some((line) =>
      /no usable protocol version/.test(line),
    ),
  );
});

test('an unreadable chain file is logged and the server starts', async () => {
  const result = await check(`${rsa}\nTLSCertificateChainFile /nonexistent/chain.pem`);
  assert.equal(errors(result), '');
  assert.match(
    result.logLines.map((line) => line.text).join('\n'),
    /unable to read certificate chain '\/nonexistent\/chain.pem'/,
  );
});

test('what the certificates say goes to the TLSLog, and only what breaks clients is a warning', async () => {
  const complete = await check(`${rsa}\n${chain}`);
  const told = complete.logLines.map((line) => line.text).join('\n');
  assert.match(told, /TLSRSACertificateFile '.*': key matches; RSA 2048 bits/);
  assert.equal(complete.notes.length, 1);
  const alone = await check(rsa);
  assert.match(
    alone.warnings.join('\n'),
    /^tests: TLSRSACertificateFile '.*': its issuer '.*MyServerCA' is in none/,
  );
  assert.match(alone.logLines.map((line) => line.text).join('\n'), /its issuer '.*MyServerCA' is in none/);
});

const encrypted = `TLSRSACertificateFile ${trees.certA.certificate}\nTLSRSACertificateKeyFile ${trees.encryptedKey}`;

test(
  'a pass phrase provider gets server and key type, and unlocks the key',
  { timeout: 20_000 },
  async () => {
    const arguments_ = join(trees.directory, 'provider-arguments');
    const path = program('provider', `echo "$1 $2" > ${arguments_}\necho '${trees.passPhrase}'`);
    const result = await check(`${encrypted}\nTLSPassPhraseProvider ${path}`);
    assert.equal(errors(result), '');
    const { readFileSync } = await import('node:fs');
    assert.equal(readFileSync(arguments_, 'utf8').trim(), 'tests:2121 RSA');
    const key = Buffer.from(result.secretFiles.get(trees.encryptedKey) ?? []).toString();
    assert.match(key, /BEGIN PRIVATE KEY/);
  },
);

test('a wrong pass phrase ends the start without repeating it anywhere', { timeout: 20_000 }, async () => {
  const path = program('wrong-provider', 'echo wrong-secret-phrase');
  const result = await check(`${encrypted}\nTLSPassPhraseProvider ${path}`);
  assert.match(
    errors(result),
    new RegExp(`unable to use RSA certificate key in '${trees.encryptedKey}', exiting`),
  );
  assert.doesNotMatch(errors(result) + result.warnings.join(), /wrong-secret-phrase/);
});

test('a prompt is repeated up to three times, and remembered for a reload', { timeout: 20_000 }, async () => {
  const asked: string[] = [];
  const answers = ['no', 'no', trees.passPhrase];
  const memory = new Map<string, string>();
  const prompt = (text: string): Promise<string | null> => {
    asked.push(text);
    return Promise.resolve(answers.shift() ?? null);
  };
  assert.equal(errors(await check(encrypted, { prompt, memory })), '');
  assert.equal(asked.length, 3);
  assert.match(asked[0] ?? '', /^RSA key for the .*#2121 \(tests\) server: $/);
  assert.equal(errors(await check(encrypted, { prompt: () => Promise.resolve(null), memory })), '');
});

test('PKCS#12 bundles load with and without pass phrase', { timeout: 20_000 }, async () => {
  assert.equal(errors(await check(`TLSPKCS12File ${trees.bundle}`)), '');
  const prompt = (): Promise<string> => Promise.resolve(trees.passPhrase);
  const result = await check(`TLSPKCS12File ${trees.encryptedBundle}`, { prompt });
  assert.equal(errors(result), '');
  assert.equal(result.pkcs12PassPhrases.get(trees.encryptedBundle), trees.passPhrase);
  assert.match(
    errors(await check(`TLSPKCS12File ${trees.encryptedBundle}`)),
    /unable to use PKCS12 certificate key/,
  );
});

test('different header and library versions give one line, equal ones none', () => {
  assert.equal(formatVersionNumber(0x30500080), '3.5.8');
  assert.equal(versionMismatchLine('3.5.8', '3.5.8'), null);
  assert.equal(
    versionMismatchLine('3.5.7', '3.5.8'),
    "compiled using OpenSSL version 'OpenSSL 3.5.7' headers, but linked to OpenSSL version 'OpenSSL 3.5.8' library",
  );
});
