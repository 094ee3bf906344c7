import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { fipsFeatures } from '../../../crypto/fips-features.ts';
import { activeProfile, defaultProfile, fipsProfile } from '../../../crypto/profile.ts';
import {
  forbiddenCertificate,
  forbiddenCipher,
  forbiddenGroup,
  forbiddenKey,
  forbiddenOption,
  forbiddenProtocol,
  forbiddenSuite,
} from '../../../crypto/profile-rules.ts';
import { SSH_ALGORITHMS, sshAlgorithm, sshRefusal } from '../../../crypto/ssh-algorithms.ts';
import { cipherString, clientContextOptions, usableVersions } from '../../../crypto/tls-context.ts';
import { certificateTrees } from '../../support/certificates.ts';
import { needsProgram } from '../../support/programs.ts';

const FIPS = fipsProfile('3.5.7');
const CERTIFIED = fipsProfile('3.1.2');
const NO_LIST = { cipherList: null, cipherSuites13: null, weakSecurity: false };

test('a process outside FIPS mode has the default profile', () => {
  assert.equal(activeProfile(), defaultProfile());
});

test('what the profile has follows the version of the module, and an unknown version has least', () => {
  assert.deepEqual(fipsFeatures('3.1.2'), { edDsa: false, mlKem: false });
  assert.deepEqual(fipsFeatures('3.4.0'), { edDsa: true, mlKem: false });
  assert.deepEqual(fipsFeatures('3.5.7'), { edDsa: true, mlKem: true });
  assert.deepEqual(fipsFeatures('4.0.0'), { edDsa: true, mlKem: true });
  assert.deepEqual(fipsFeatures('3.0.7-395c1a240fbfffd8'), { edDsa: false, mlKem: false });
  for (const unknown of [null, '', 'unknown']) {
    assert.deepEqual(fipsFeatures(unknown), { edDsa: false, mlKem: false });
  }
});

test('the certified module 3.1.2 serves without EdDSA, ML-KEM and the X25519 it would still compute', () => {
  const { tls, ssh } = CERTIFIED;
  assert.equal(tls.groups, 'P-256:P-384:P-521');
  assert.deepEqual([...new Set(tls.allowedGroups?.values())], ['P-256', 'P-384', 'P-521']);
  assert.ok(!tls.signatureAlgorithms?.includes('ed25519'));
  assert.ok(!ssh.hostKeys.allowed.includes('ssh-ed25519'));
  assert.ok(!ssh.publicKeys.allowed.some((name) => name.includes('ed25519')));
  assert.ok(!ssh.keyExchanges.allowed.some((name) => /25519|448|mlkem/.test(name)));
});

test('SSH under FIPS offers the approved algorithms in order, and nothing else', () => {
  const { ssh } = FIPS;
  assert.deepEqual(ssh.keyExchanges.default, [
    'mlkem768nistp256-sha256',
    'mlkem1024nistp384-sha384',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group-exchange-sha256',
  ]);
  assert.deepEqual(ssh.ciphers.default, [
    'aes256-gcm@openssh.com',
    'aes128-gcm@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ]);
  assert.deepEqual(ssh.macs.default, [
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
    'hmac-sha2-256',
    'hmac-sha2-512',
  ]);
  assert.deepEqual(ssh.compression.default, ['none']);
  const everything = Object.values(ssh).flatMap((list) => (typeof list === 'number' ? [] : list.allowed));
  const bad = everything.filter((name) =>
    /25519-sha|448-sha512|chacha|md5|ripemd|umac|dss|group1-|3des/.test(name),
  );
  assert.deepEqual(bad, []);
});

test('SSH outside FIPS offers neither SHA-1, CBC, DSA, small groups nor "none" unless named', () => {
  const { ssh } = defaultProfile();
  for (const list of [ssh.keyExchanges, ssh.hostKeys, ssh.publicKeys, ssh.ciphers, ssh.macs]) {
    assert.ok(!list.default.some((name) => /sha1|cbc|dss|^ssh-rsa$|^none$|md5|arcfour|group1-/.test(name)));
    assert.deepEqual(list.allowed.slice(0, list.default.length), list.default);
    assert.equal(new Set(list.allowed).size, list.allowed.length);
  }
  assert.ok(ssh.keyExchanges.allowed.includes('diffie-hellman-group14-sha1'));
  assert.ok(ssh.ciphers.allowed.includes('aes128-cbc') && ssh.ciphers.allowed.includes('none'));
});

test('every SSH name is known once per kind, and a refusal says why', () => {
  const names = SSH_ALGORITHMS.map(({ kind, name }) => `${kind} ${name}`);
  assert.equal(new Set(names).size, names.length);
  const refusal = (
    kind: 'cipher' | 'mac' | 'key-exchange',
    name: string,
    version: string | null,
  ): string | null => {
    const row = sshAlgorithm(kind, name);
    assert.ok(row !== null, name);
    return sshRefusal(row, version === null ? null : fipsFeatures(version));
  };
  assert.equal(sshAlgorithm('cipher', 'aes999'), null);
  assert.equal(refusal('cipher', 'chacha20-poly1305@openssh.com', null), null);
  assert.match(
    refusal('cipher', 'chacha20-poly1305@openssh.com', '3.5.7') ?? '',
    /forbidden by the FIPS profile/,
  );
  assert.match(refusal('key-exchange', 'sntrup761x25519-sha512', null) ?? '', /not in OpenSSL/);
  assert.match(refusal('key-exchange', 'mlkem768nistp256-sha256', '3.1.2') ?? '', /module does not have it/);
  assert.equal(refusal('mac', 'hmac-sha1', '3.5.7'), null);
});

test('the exclusions leave exactly the allowed ciphers of all that OpenSSL has', (t) => {
  if (!needsProgram(t, 'openssl')) return;
  const list = `ALL:COMPLEMENTOFALL:${FIPS.tls.cipherExclusions}`;
  const left = execFileSync('openssl', ['ciphers', '-s', '-tls1_2', list], { encoding: 'utf8' }).trim();
  assert.deepEqual(left.split(':').sort(), [...(FIPS.tls.allowedCiphers ?? [])].sort());
});

test('the default cipher list means AES-GCM under FIPS, CBC is there for who names it', () => {
  const configured = (cipherList: string | null): string =>
    cipherString({ ...NO_LIST, cipherList }, FIPS).replace(FIPS.tls.cipherExclusions, '');
  assert.ok(!/CBC|SHA384:ECDHE-RSA-AES256-SHA384/.test(configured('DEFAULT:!ADH:!EXPORT:!DES')));
  assert.equal(configured('DEFAULT:!ADH:!EXPORT:!DES'), configured(null));
  assert.match(
    configured(null),
    /^TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384/,
  );
  assert.match(configured('ECDHE-RSA-AES128-SHA256'), /:ECDHE-RSA-AES128-SHA256:/);
  // The security level is not lowered, whatever a caller asks for.
  assert.ok(!cipherString({ ...NO_LIST, weakSecurity: true }, FIPS).includes('SECLEVEL'));
});

test('old protocol versions stay out under FIPS even where weak security is asked for', () => {
  assert.deepEqual(usableVersions(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'], true, FIPS), [
    'TLSv1.2',
    'TLSv1.3',
  ]);
  assert.deepEqual(usableVersions(['TLSv1.1'], true, FIPS), []);
});

test('the client role has the limits of the profile, too', () => {
  const context = clientContextOptions(['TLSv1.2', 'TLSv1.3'], [], FIPS);
  assert.equal(context.ecdhCurve, 'P-256:P-384:P-521');
  assert.match(context.ciphers ?? '', /!CHACHA20/);
  assert.ok(context.sigalgs?.startsWith('ecdsa_secp256r1_sha256'));
  assert.equal(clientContextOptions(['TLSv1.3'], []).ciphers, undefined);
});

test('names that FIPS forbids are refused with the rule, the default profile forbids none', () => {
  const cases: readonly (readonly [string, string | null, string | null])[] = [
    ['TLSv1.1', forbiddenProtocol('TLSv1.1', FIPS), forbiddenProtocol('TLSv1.1', defaultProfile())],
    [
      'chacha suite',
      forbiddenSuite('TLS_CHACHA20_POLY1305_SHA256', FIPS),
      forbiddenSuite('TLS_CHACHA20_POLY1305_SHA256', defaultProfile()),
    ],
    [
      'chacha',
      forbiddenCipher('ECDHE-RSA-CHACHA20-POLY1305', FIPS),
      forbiddenCipher('ECDHE-RSA-CHACHA20-POLY1305', defaultProfile()),
    ],
    [
      'one of two',
      forbiddenCipher('HIGH:AES256-SHA', FIPS),
      forbiddenCipher('HIGH:AES256-SHA', defaultProfile()),
    ],
    ['nothing left', forbiddenCipher('HIGH:!AES', FIPS), forbiddenCipher('HIGH:!AES', defaultProfile())],
    [
      'level',
      forbiddenCipher('HIGH:@SECLEVEL=1', FIPS),
      forbiddenCipher('HIGH:@SECLEVEL=1', defaultProfile()),
    ],
    ['X25519', forbiddenGroup('P-256:X25519', FIPS), forbiddenGroup('P-256:X25519', defaultProfile())],
    ['hybrid', forbiddenGroup('X25519MLKEM768', FIPS), forbiddenGroup('X25519MLKEM768', defaultProfile())],
    [
      'hybrid of an old module',
      forbiddenGroup('SecP256r1MLKEM768', CERTIFIED),
      forbiddenGroup('SecP256r1MLKEM768', defaultProfile()),
    ],
    [
      'AllowWeakSecurity',
      forbiddenOption('AllowWeakSecurity', FIPS),
      forbiddenOption('AllowWeakSecurity', defaultProfile()),
    ],
  ];
  for (const [name, fips, standard] of cases) {
    assert.match(fips ?? 'allowed', /FIPS profile.*(SP 800-|leaves)/s, name);
    assert.equal(standard, null, name);
  }
});

test('names that stand for allowed and forbidden ones pass, what is forbidden in them is left out', () => {
  for (const list of [
    'HIGH',
    'DEFAULT',
    'HIGH:!aNULL:!MD5',
    'ECDHE+AESGCM',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE:-RC4:+AES',
  ])
    assert.equal(forbiddenCipher(list, FIPS), null, list);
  for (const groups of ['prime256v1', 'P-256:secp384r1', 'SecP256r1MLKEM768:P-256', '*P-256/P-384'])
    assert.equal(forbiddenGroup(groups, FIPS), null, groups);
});

test('keys below the floor are refused, the others pass', () => {
  const key = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits }).publicKey;
  assert.match(forbiddenKey(key(1024), FIPS) ?? '', /RSA key of 1024 bits .* at least 2048 bits/);
  assert.equal(forbiddenKey(key(2048), FIPS), null);
  const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;
  assert.match(forbiddenKey(curve('secp256k1'), FIPS) ?? '', /secp256k1/);
  assert.equal(forbiddenKey(curve('P-384'), FIPS), null);
  const edwards = generateKeyPairSync('ed25519').publicKey;
  assert.equal(forbiddenKey(edwards, FIPS), null);
  assert.match(forbiddenKey(edwards, CERTIFIED) ?? '', /ED25519/);
  assert.match(forbiddenKey(generateKeyPairSync('x25519').publicKey, FIPS) ?? '', /X25519/);
  assert.equal(forbiddenKey(key(1024), defaultProfile()), null);
});

/** A self-signed certificate. */
function certificate(name: string, ...options: string[]): X509Certificate {
  const { directory } = certificateTrees();
  const path = join(directory, `profile-${name}.pem`);
  const args = [
    'req',
    '-x509',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-out',
    path,
    '-keyout',
    `${path}.key`,
  ];
  execFileSync('openssl', [...args, ...options], { stdio: 'pipe' });
  return new X509Certificate(readFileSync(path));
}

test('certificates signed with SHA-1 or SHA-224 are refused, RSASSA-PSS by the digest in its parameters', (t) => {
  if (!needsProgram(t, 'openssl')) return;
  const rsa = ['-newkey', 'rsa:2048'];
  const pss = [...rsa, '-sigopt', 'rsa_padding_mode:pss'];
  const verdict = (name: string, ...options: string[]): string | null =>
    forbiddenCertificate(certificate(name, ...options), FIPS);
  assert.match(verdict('sha1', ...rsa, '-sha1') ?? '', /sha1WithRSAEncryption is forbidden/);
  assert.match(verdict('sha224', ...rsa, '-sha224') ?? '', /sha224WithRSAEncryption is forbidden/);
  assert.match(verdict('pss-sha1', ...pss, '-sha1') ?? '', /rsassaPss is forbidden/i);
  assert.equal(verdict('pss-sha384', ...pss, '-sha384'), null);
  assert.equal(verdict('sha256', ...rsa, '-sha256'), null);
  assert.equal(verdict('ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512'), null);
  assert.equal(verdict('ed', '-newkey', 'ed25519'), null);
});
