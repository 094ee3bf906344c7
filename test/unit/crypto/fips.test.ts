/** FIPS mode's decisions, module by module; what needs a real module is in test/interop/fips.test.ts. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { publishFipsIndicator } from '../../support/fips-indicator.ts';
import { attest, attestationText, isSound } from '../../../crypto/fips-attestation.ts';
import { fipsFeatures } from '../../../crypto/fips-features.ts';
import { expectProbeIndicator, watchFipsIndicators } from '../../../crypto/fips-indicators.ts';
import {
  digestsOf,
  fipsNodeOptions,
  isPlainPath,
  libraryConfigText,
  moduleConfigText,
  systemModuleFiles,
  withoutOpensslOptions,
} from '../../../crypto/fips-module-config.ts';
import {
  fipsMode,
  hasServiceIndicators,
  loadedFipsModule,
  parseModuleVersion,
  runModuleSelfTest,
} from '../../../crypto/fips-module.ts';
import { probeFailures, PROBES, runFipsProbes, runProbes } from '../../../crypto/fips-probes.ts';
import { VALIDATED_MODULES, validationOf, validationText } from '../../../crypto/fips-validated-modules.ts';
import { checkVersions } from '../../../crypto/openssl-check.ts';
import { fipsProfile } from '../../../crypto/profile.ts';
import { FipsError } from '../../../src/cli/fips-error.ts';
import { findModule } from '../../../src/cli/fips-install.ts';
import { differenceFrom } from '../../../src/cli/fips-launch.ts';
import {
  definesWithFips,
  fipsEnabledLines,
  fipsRefusalText,
  fipsRequest,
} from '../../../src/cli/fips-request.ts';
import type { FipsInstallation } from '../../../src/cli/fips-install.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const OPENSSL = 'OpenSSL FIPS Provider';
const moduleOf = (version: string, name = OPENSSL) => ({ name, version, buildInfo: version });

test('the certified 3.1.2: listed until its last day, provider mode, no EdDSA, no ML-KEM, X25519 left to the profile', () => {
  const module = moduleOf('3.1.2');
  const today = validationOf(module, '', NOW);
  assert.equal(today.kind, 'listed');
  assert.match(validationText(today), /FIPS 140-3 certificate #4985, active to 2030-03-10/);
  assert.equal(validationOf(module, '', new Date('2030-03-10T20:00:00Z')).kind, 'listed');
  assert.equal(validationOf(module, '', new Date('2030-03-12T00:00:00Z')).kind, 'expired');
  assert.equal(hasServiceIndicators('3.1.2'), false);
  assert.deepEqual(fipsNodeOptions('/x', 'provider'), ['--openssl-config=/x', '--force-fips=provider']);
  assert.deepEqual(fipsFeatures('3.1.2'), { edDsa: false, mlKem: false });
  const { tls, ssh } = fipsProfile('3.1.2');
  assert.doesNotMatch(JSON.stringify([tls, ssh]), /x25519|curve25519|ed25519|mlkem/i);

  const expectations = new Map(
    PROBES.map((probe) => [probe.name, probe.expected({ version: '3.1.2', mode: 'provider' })]),
  );
  assert.equal(expectations.get('X25519'), 'recorded');
  assert.equal(expectations.get('HMAC key of 32 bits'), 'recorded');
  for (const name of ['MD5', 'ChaCha20-Poly1305', 'RSA-1024 key generation', 'scrypt'])
    assert.equal(expectations.get(name), 'refused');
});

test('modules of FIPS 140-2 are historical, others are told apart, Debian’s build is named', () => {
  assert.equal(validationOf(moduleOf('3.0.9'), '', NOW).kind, 'expired');
  assert.match(
    validationText(validationOf(moduleOf('3.0.8'), '', NOW)),
    /#4282, historical since 2026-09-22/,
  );
  assert.equal(validationOf(moduleOf('3.5.7'), '', NOW).kind, 'not listed');
  assert.equal(validationOf(moduleOf('3.1.2', 'Another Provider'), '', NOW).kind, 'not listed');
  const debian = validationOf(moduleOf('3.1.2'), 'Debian package openssl-provider-fips', NOW);
  assert.match(validationText(debian), /not validated: this is Debian’s build/);
});

test('every row of the table names its certificate’s page and another source', () => {
  for (const row of VALIDATED_MODULES) {
    assert.ok(row.sources.length >= 2, row.version);
    assert.ok(row.sources[0]!.endsWith(`/certificate/${row.certificate}`), row.version);
    assert.ok(row.expires === null || !Number.isNaN(Date.parse(row.expires)));
    assert.notEqual(parseModuleVersion(row.version), null);
  }
});

test('service indicators came with 3.4', () => {
  for (const version of ['3.4.0', '3.5.7', '3.10.1', '4.0.0'])
    assert.ok(hasServiceIndicators(version), version);
  for (const version of ['3.0.9', '3.3.2', 'unknown', '']) assert.ok(!hasServiceIndicators(version), version);
});

test('outside FIPS mode nothing is called FIPS: no module, no self test, failing probes, no sound report', () => {
  assert.equal(fipsMode(), 'off');
  assert.equal(loadedFipsModule(), null);
  assert.equal(runModuleSelfTest(), null);
  const report = runFipsProbes();
  assert.equal(report.passed, false);
  const failures = probeFailures(report);
  for (const text of ['MD5: works, must be refused', 'provider "fips" active: wrong answer'])
    assert.ok(failures.includes(text), failures);
  const attestation = attest(null, 'passed', NOW);
  assert.equal(isSound(attestation), false);
  assert.match(attestationText(attestation), /Module: +none active[^]*FAILED MD5: works/);
});

test('a probe that throws is refused, one with another answer is wrong, and both fail what must work', () => {
  const probe = (run: () => boolean) => [{ name: 'p', expected: () => 'works' as const, because: 'x', run }];
  const module = { version: '3.5.7', mode: 'strict' as const };
  const refused = runProbes(
    probe(() => {
      throw new Error('no');
    }),
    module,
  );
  assert.deepEqual([refused.passed, probeFailures(refused)], [false, 'p: refused, must work']);
  assert.equal(
    probeFailures(
      runProbes(
        probe(() => false),
        module,
      ),
    ),
    'p: wrong answer',
  );
  assert.ok(
    runProbes(
      probe(() => true),
      module,
    ).passed,
  );
});

test('the loaded module must be the installed one, and its indicators enforced where it has them', () => {
  const installation = { module: { module: moduleOf('3.5.7') } } as unknown as FipsInstallation;
  assert.equal(differenceFrom(installation, moduleOf('3.5.7'), 'strict'), null);
  assert.match(differenceFrom(installation, moduleOf('3.5.7'), 'provider')!, /not enforced/);
  assert.match(differenceFrom(installation, moduleOf('3.1.2'), 'strict')!, /says version '3\.1\.2'/);
  const old = { module: { module: moduleOf('3.1.2') } } as unknown as FipsInstallation;
  assert.equal(differenceFrom(old, moduleOf('3.1.2'), 'provider'), null);
});

test('header, library and provider versions: minor differences warn, major ones refuse, patches of the module mix', () => {
  assert.deepEqual(checkVersions('3.5.8', '3.5.8', null), { kind: 'same' });
  assert.deepEqual(checkVersions('3.5.8', '3.5.8', '3.5.7'), { kind: 'same' });
  assert.deepEqual(checkVersions('3.5.8', '3.6.0', null), {
    kind: 'warning',
    text: "compiled using OpenSSL version 'OpenSSL 3.5.8' headers, but linked to OpenSSL version 'OpenSSL 3.6.0' library",
  });
  assert.deepEqual(checkVersions('3.5.8', '3.5.8', '3.1.2'), {
    kind: 'warning',
    text: "linked to OpenSSL version 'OpenSSL 3.5.8' library, but using OpenSSL version 'OpenSSL 3.1.2' FIPS provider",
  });
  assert.equal(checkVersions('3.5.8', '4.0.0', null).kind, 'refused');
  assert.equal(checkVersions('3.5.8', '3.5.8', '4.0.0').kind, 'refused');
});

test('Node’s options about OpenSSL are replaced, all others stay', () => {
  assert.deepEqual(
    withoutOpensslOptions([
      '--conditions=x',
      '--openssl-config',
      '/a',
      '--openssl-config=/b',
      '--openssl-legacy-provider',
      '--force-fips=provider',
      '--enable-fips',
      '--enable-source-maps',
    ]),
    ['--conditions=x', '--enable-source-maps'],
  );
});

test('the configuration names module, MAC and the strict options, and paths OpenSSL would misread are refused', () => {
  const text = moduleConfigText('/m/fips.so', 'AA:BB');
  for (const line of [
    'module = /m/fips.so',
    'module-mac = AA:BB',
    'security-checks = 1',
    'tls1-prf-ems-check = 1',
  ])
    assert.ok(text.includes(`\n${line}\n`), line);
  assert.match(
    libraryConfigText('/s/fipsmodule.cnf'),
    /default_properties = fips=yes\n[^]*\.include \/s\/fipsmodule\.cnf/,
  );
  // RFC 4231 has no such key; this is what `openssl fipsinstall` writes for an empty file.
  assert.match(digestsOf(new Uint8Array()).mac, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  for (const path of ['/a/b c', '/a$x', '/a\n/b', 'relative', '/a#b', '/a"b', '/a\\b'])
    assert.ok(!isPlainPath(path), path);
  assert.ok(isPlainPath('/usr/lib/x86_64-linux-gnu/ossl-modules/fips.so'));
});

test('the system’s module folders follow platform and architecture', () => {
  assert.ok(systemModuleFiles('linux', 'x64').includes('/usr/lib/x86_64-linux-gnu/ossl-modules/fips.so'));
  assert.ok(systemModuleFiles('linux', 'arm64').includes('/usr/lib/aarch64-linux-gnu/ossl-modules/fips.so'));
  assert.ok(systemModuleFiles('linux', 'x64').includes('/usr/lib64/ossl-modules/fips.so'));
  assert.ok(systemModuleFiles('darwin', 'arm64').every((path) => path.endsWith('fips.dylib')));
});

test('a module that is named must be there; the places are named', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-fips-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.throws(
    () => findModule('/nowhere.so', {}, folder),
    new FipsError("no FIPS module at '/nowhere.so' (--fips-module)"),
  );
  assert.throws(() => findModule(null, { OPENSSL_MODULES: folder }, folder), /fips\.so' \(OPENSSL_MODULES\)/);
});

test('FIPS is asked for by define or environment, and each module speaks for itself', () => {
  assert.equal(fipsRequest(['TLS', 'tls_use_fips'], {}), null);
  for (const value of ['', '0', 'off', 'No', 'false'])
    assert.equal(fipsRequest([], { LOCKGATE_FIPS: value }), null);
  // Who wrote something else than 1 must not get a server without FIPS.
  for (const value of ['1', 'true', 'yes', '2'])
    assert.deepEqual(fipsRequest([], { LOCKGATE_FIPS: value }), { modules: ['mod_tls'] });
  assert.deepEqual(fipsRequest(['TLS_USE_FIPS=1'], {}), { modules: ['mod_tls'] });
  assert.deepEqual(fipsRequest(['SFTP_USE_FIPS'], {}), { modules: ['mod_sftp'] });
  assert.deepEqual(definesWithFips(['A'], { LOCKGATE_FIPS: '1' }), ['A', 'TLS_USE_FIPS']);
  assert.deepEqual(definesWithFips(['SFTP_USE_FIPS'], {}), ['SFTP_USE_FIPS']);
  const both = fipsRequest(['SFTP_USE_FIPS'], { LOCKGATE_FIPS: '1' })!;
  assert.match(
    fipsEnabledLines(both).join('\n'),
    /^mod_tls\/[\d.]+: FIPS mode enabled\nmod_sftp\/[\d.]+: FIPS mode enabled$/,
  );
  assert.match(
    fipsRefusalText(both, 'why'),
    /^mod_tls\/[\d.]+: unable to use FIPS mode: why\nFatal: unable to load module 'mod_tls\.c': Operation not permitted\n$/,
  );
});

test('service indicators are counted and logged by kind, without those of the probes', () => {
  const lines: string[] = [];
  const watch = watchFipsIndicators((text) => lines.push(text));
  expectProbeIndicator();
  const hmac = { operation: 'HMAC', reason: 'keysize', blocked: true, count: 1, dropped: 0 };
  publishFipsIndicator(hmac);
  publishFipsIndicator(hmac);
  publishFipsIndicator({ operation: 'Signature', reason: 'sha1', blocked: false, count: 4, dropped: 2 });
  watch.stop();
  assert.deepEqual(lines, [
    'FIPS service indicator: HMAC (keysize), refused: 1 (1 since the start)',
    'FIPS service indicator: Signature (sha1), not approved, served: 4 (4 since the start)',
    'FIPS service indicators lost: 2',
  ]);
  assert.deepEqual([...watch.counts().values()], [1, 4]);
});
