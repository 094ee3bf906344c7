import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { parseAuthorizedKeys } from '../../../crypto/ssh/key-files.ts';
import { publicBlobOf } from '../../../crypto/ssh/public-blob.ts';
import { needsProgram } from '../../support/programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockgate-key-files-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const blob = publicBlobOf(generateKeyPairSync('ed25519').publicKey);
const base64 = blob.toString('base64');
const line = `ssh-ed25519 ${base64}`;

function block(headers = '', body = base64.replace(/.{70}/g, '$&\n')): string {
  return `---- BEGIN SSH2 PUBLIC KEY ----\n${headers}${body}\n---- END SSH2 PUBLIC KEY ----\n`;
}

function only(text: string) {
  const { keys, problems } = parseAuthorizedKeys(text);
  assert.deepEqual(problems, []);
  assert.equal(keys.length, 1);
  assert.deepEqual(keys[0]!.blob, blob);
  return keys[0]!;
}

function refused(text: string): string {
  const { keys, problems } = parseAuthorizedKeys(text);
  assert.equal(keys.length, 0);
  return problems.map((problem) => `${problem.line}: ${problem.reason}`).join('; ');
}

test('what ssh-keygen -e writes is read', { timeout: 30_000 }, (t) => {
  if (!needsProgram(t, 'ssh-keygen')) return;
  const path = join(folder, 'key.pub');
  writeFileSync(path, `${line} somebody@host\n`);
  const text = execFileSync('ssh-keygen', ['-e', '-m', 'RFC4716', '-f', path], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  const key = only(text);
  assert.equal(key.format, 'rfc4716');
  assert.match(key.comment ?? '', /ED25519/);
});

test('both formats may be mixed, with every kind of line end', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const text = `# comment\n\n${line} one\n${block()}${base64}\n${line}`.replaceAll('\n', end);
    const { keys, problems } = parseAuthorizedKeys(text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      keys.map((key) => [key.format, key.line]),
      [
        ['openssh', 3],
        ['rfc4716', 4],
        ['openssh', keys[2]!.line],
        ['openssh', keys[3]!.line],
      ],
    );
  }
});

test('headers of RFC 4716: case, quotes, continuation, subject, FIDO', () => {
  const key = only(
    block(
      'COMMENT: "a\\\n b"\nsubject: me\nX-FIDO-Touch-Required: true\nx-fido-verify-required: yes\nx-other: 1\n',
    ),
  );
  assert.equal(key.comment, 'a b');
  assert.equal(key.subject, 'me');
  assert.equal(key.options.touchRequired, true);
  assert.equal(key.options.verifyRequired, true);
  assert.equal(only(block()).options.touchRequired, false);
});

test('a line too long is noted with its length, and costs the key only its comment', () => {
  const { keys, problems } = parseAuthorizedKeys(block(`Comment: ${'x'.repeat(80)}\n`));
  assert.equal(keys.length, 1);
  assert.deepEqual(problems, [{ line: 2, reason: 'line too long (89)' }]);
});

test('OpenSSH options that can be honoured are', () => {
  const key = only(
    `restrict,from="192.0.2.0/24,!192.0.2.9,*.example.org",expiry-time="20300102Z",no-touch-required,verify-required,no-pty ${line}`,
  );
  assert.deepEqual(key.options, {
    from: ['192.0.2.0/24', '!192.0.2.9', '*.example.org'],
    expires: Date.UTC(2030, 0, 2),
    certAuthority: false,
    principals: null,
    touchRequired: false,
    verifyRequired: true,
  });
  assert.equal(only(line).options.touchRequired, true);
  const authority = only(`cert-authority,principals="a,b" ${line} the CA`);
  assert.equal(authority.options.certAuthority, true);
  assert.deepEqual(authority.options.principals, ['a', 'b']);
  assert.equal(authority.comment, 'the CA');
  assert.equal(
    only(`expiry-time="203001021530" ${line}`).options.expires,
    new Date(2030, 0, 2, 15, 30).getTime(),
  );
});

test('a key whose options cannot be honoured is refused by their name', () => {
  assert.equal(refused(`command="rsync" ${line}`), "1: option 'command' cannot be honoured");
  assert.equal(refused(`from="10.0.0.1",new-option ${line}`), '1: unknown option');
  assert.equal(refused(`environment="A=b" ${line}`), "1: option 'environment' cannot be honoured");
  assert.equal(refused(`from="" ${line}`), "1: option 'from' is empty");
  assert.equal(refused(`principals="a" ${line}`), "1: option 'principals' without 'cert-authority'");
  for (const time of ['', '2030', '20301301', '20300230', '203001022460', 'never']) {
    assert.equal(refused(`expiry-time="${time}" ${line}`), "1: option 'expiry-time' is malformed");
  }
  assert.equal(refused(`from="10.0.0.1 ${line}`), '1: unknown option');
  assert.equal(refused(`from="10.0.0.1"x ${line}`), '1: malformed options');
});

test('a bad entry names its line and leaves the others alone', () => {
  const certificate = Buffer.concat([
    Buffer.from([0, 0, 0, 32]),
    Buffer.from('ssh-ed25519-cert-v01@openssh.com'),
  ]);
  const bad = [
    'ssh-ed25519',
    'ssh-ed25519 %%%',
    `ssh-rsa ${base64}`,
    'ssh-ed25519 AAAAB3NzaC1yc2E=',
    `ssh-ed25519-cert-v01@openssh.com ${certificate.toString('base64')}`,
    'hello world',
    'x'.repeat(40_000),
  ];
  for (const text of bad) {
    const { keys, problems } = parseAuthorizedKeys(`${text}\n${line}\n`);
    assert.deepEqual([keys.length, problems.length, problems[0]?.line], [1, 1, 1], text.slice(0, 50));
    assert.ok(!problems[0]!.reason.includes('AAAA'));
  }
  const unfinished = parseAuthorizedKeys(`---- BEGIN SSH2 PUBLIC KEY ----\n${base64}\n${block()}`);
  assert.equal(unfinished.keys.length, 1);
  assert.match(unfinished.problems[0]!.reason, /no '---- END/);
});

test('no text makes the reader throw, hang or find a key that is not there', { timeout: 60_000 }, () => {
  const texts = [`${block('Comment: "x\\\ny"\n')}from="a\\"b",restrict ${line} z\n`, `${line}\n`];
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.nat(400),
      fc.nat(60),
      fc.string(),
      (text, at, drop, inserted) => {
        const { keys } = parseAuthorizedKeys(text.slice(0, at) + inserted + text.slice(at + drop));
        for (const key of keys) assert.ok(key.blob.length > 8);
      },
    ),
    { numRuns: 2_000 },
  );
  const long = `${'a'.repeat(30_000)}="${'\\"'.repeat(1_000)}`;
  assert.equal(parseAuthorizedKeys(`${long}\n`).keys.length, 0);
});
