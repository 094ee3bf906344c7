/** `lockgate fips`: the module installed, tested and reported on, with a real provider. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Attestation } from '../../crypto/fips-attestation.ts';
import { lockgate, needsFipsProvider } from '../support/fips-provider.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram } from '../support/seed-server.ts';

const LIMIT = { timeout: 60_000 };

const folder = mkdtempSync(join(tmpdir(), 'lockgate-fips-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('lockgate fips', LIMIT, () => {
  test('install, status, self-test and report tell one story', LIMIT, async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const state = join(folder, 'commands');
    const before = await lockgate(state, ['fips', 'status', '--fips-module', module]);
    assert.equal(before.code, 1);
    assert.match(before.stdout, /Installed: +no/);
    const install = await lockgate(state, ['fips', 'install', '--fips-module', module]);
    assert.equal(install.code, 0, install.stderr);
    assert.match(install.stdout, /Self-tests of '.*' passed: OpenSSL FIPS Provider 3\./);
    assert.equal(statSync(join(state, 'fips', 'fipsmodule.cnf')).mode & 0o077, 0);
    const status = await lockgate(state, ['fips', 'status']);
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stdout, /unchanged since/);
    const selfTest = await lockgate(state, ['fips', 'self-test']);
    assert.match(selfTest.stdout, /^Known-answer tests of '.*' passed\.\n$/);
    const report = await lockgate(state, ['fips', 'report', '--json']);
    assert.equal(report.code, 0, report.stderr);
    const attestation = JSON.parse(report.stdout) as Attestation;
    assert.equal(attestation.mode, 'strict');
    assert.equal(attestation.selfTest, 'passed');
    assert.equal(attestation.module!.path, module);
    assert.ok(attestation.probes.passed);
    assert.equal(attestation.probes.results.find(({ name }) => name === 'X25519')!.outcome, 'refused');
    assert.equal(attestation.tls.extendedMasterSecret, true);
    const offered = JSON.stringify([attestation.tls, attestation.ssh]);
    assert.doesNotMatch(offered, /x25519|curve25519|chacha20|md5|sha1|TLSv1"|TLSv1\.1/i);
    assert.equal(attestation.sshKeyDerivation, 'module');
    assert.ok(attestation.outsideTheModule.some((text) => text.startsWith('Nonces of AES-GCM in SSH')));
    const text = await lockgate(state, ['fips', 'report']);
    assert.match(text.stdout, new RegExp(attestation.module!.sha256));
  });

  test('install with --sha256 takes no other module', LIMIT, async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const sha256 = createHash('sha256').update(readFileSync(module)).digest('hex');
    const state = join(folder, 'pinned');
    const install = (digest: string) =>
      lockgate(state, ['fips', 'install', '--fips-module', module, '--sha256', digest]);
    const refused = await install('0'.repeat(64));
    assert.equal(refused.code, 1);
    assert.ok(refused.stderr.includes(`is another one: SHA-256 ${sha256}, not 000`), refused.stderr);
    assert.equal((await lockgate(state, ['fips', 'status', '--fips-module', module])).code, 1);
    assert.equal((await install(sha256.toUpperCase())).code, 0);
  });

  test('names Debian’s build as not validated', LIMIT, async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    if (!module.includes('/.cache/')) return t.skip('this is the system’s own module');
    const install = await lockgate(join(folder, 'debian'), ['fips', 'install', '--fips-module', module]);
    assert.match(install.stdout, /not validated: this is Debian’s build/);
  });

  test('openssl fipsinstall finds the same MAC', LIMIT, async (t) => {
    const module = needsFipsProvider(t);
    if (module === null || !needsProgram(t, 'openssl')) return;
    const state = join(folder, 'mac');
    await lockgate(state, ['fips', 'install', '--fips-module', module]);
    const theirs = join(folder, 'theirs.cnf');
    const args = ['fipsinstall', '-module', module, '-out', theirs, '-provider_name', 'fips'];
    const result = await runProgram('openssl', args);
    assert.equal(result.code, 0, result.stderr);
    const macOf = (path: string): string => /^module-mac = (.+)$/m.exec(readFileSync(path, 'utf8'))![1]!;
    assert.equal(macOf(join(state, 'fips', 'fipsmodule.cnf')), macOf(theirs));
  });

  test('a wrong command line is told apart', LIMIT, async () => {
    const wrong = await lockgate(join(folder, 'usage'), ['fips', 'nonsense']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /unknown command 'nonsense'\nUsage: lockgate fips status/);
    assert.equal((await lockgate(join(folder, 'usage'), ['fips', '--help'])).code, 0);
  });
});
