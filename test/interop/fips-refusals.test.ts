/** FIPS mode asked for and not to be had: nothing starts, and the reason is named. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { copyOfModule, FIPS_REFUSED, lockgate, needsFipsProvider } from '../support/fips-provider.ts';
import { BASE_CONFIG, prepare } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };

const folder = mkdtempSync(join(tmpdir(), 'lockgate-fips-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('a start that asks for FIPS mode ends, with the reason,', LIMIT, () => {
  async function refusal(
    t: TestContext,
    args: readonly string[],
    state: string,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    const { configFile } = await prepare(t, BASE_CONFIG);
    const { code, stderr } = await lockgate(state, [...args, '-n', '-c', configFile], environment);
    assert.equal(code, 1, stderr);
    assert.match(stderr, FIPS_REFUSED);
    assert.doesNotMatch(stderr, /STARTUP|FIPS mode enabled/);
    return stderr;
  }

  /** A state folder with the module installed; null after the test was skipped. */
  async function installed(t: TestContext, name: string): Promise<{ state: string; module: string } | null> {
    const original = needsFipsProvider(t);
    if (original === null) return null;
    const state = join(folder, name, 'state');
    const module = copyOfModule(original, join(folder, name, 'module'));
    const { code, stderr } = await lockgate(state, ['fips', 'install', '--fips-module', module]);
    assert.equal(code, 0, stderr);
    return { state, module };
  }

  test('when the module is missing', LIMIT, async (t) => {
    const state = join(folder, 'missing');
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    assert.match(
      await refusal(t, ['-DTLS_USE_FIPS', '--fips-module', join(empty, 'fips.so')], state),
      /no FIPS module at '.*empty\/fips\.so' \(--fips-module\)/,
    );
    assert.match(
      await refusal(t, ['-DTLS_USE_FIPS'], state, { OPENSSL_MODULES: empty }),
      /no FIPS module at '.*empty\/fips\.so' \(OPENSSL_MODULES\)/,
    );
  });

  test('when what is there is no module', LIMIT, async (t) => {
    const path = join(folder, 'text', 'fips.so');
    mkdirSync(join(folder, 'text'));
    writeFileSync(path, 'not a module\n');
    const stderr = await refusal(t, ['-DTLS_USE_FIPS', '--fips-module', path], join(folder, 'text', 'state'));
    assert.match(stderr, /module '.*' did not start: /);
  });

  test('when one byte of the module changed since its installation', LIMIT, async (t) => {
    const place = await installed(t, 'damaged');
    if (place === null) return;
    const file = openSync(place.module, 'r+');
    const at = statSync(place.module).size - 5_000;
    const before = readFileSync(place.module)[at]!;
    writeSync(file, Buffer.from([before ^ 1]), 0, 1, at);
    closeSync(file);
    const stderr = await refusal(t, ['-DTLS_USE_FIPS'], place.state);
    assert.match(stderr, /module '.*' has changed since its installation .* damaged or replaced/);
  });

  test('when its configuration disables the module, or was changed', LIMIT, async (t) => {
    const place = await installed(t, 'disabled');
    if (place === null) return;
    const path = join(place.state, 'fips', 'fipsmodule.cnf');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('activate = 1', 'activate = 0'));
    assert.match(await refusal(t, ['-DTLS_USE_FIPS'], place.state), /fipsmodule\.cnf' disables the module/);
    writeFileSync(path, text.replace('security-checks = 1', 'security-checks = 0'));
    assert.match(
      await refusal(t, ['-DTLS_USE_FIPS'], place.state),
      /fipsmodule\.cnf' is not what was installed/,
    );
    writeFileSync(path, text);
    const library = join(place.state, 'fips', 'openssl.cnf');
    const libraryText = readFileSync(library, 'utf8');
    writeFileSync(library, libraryText.replace('fips = fips_sect\n', ''));
    assert.match(
      await refusal(t, ['-DTLS_USE_FIPS'], place.state),
      /openssl\.cnf' is not what was installed/,
    );
  });

  test('when others may change the module', LIMIT, async (t) => {
    const place = await installed(t, 'writable');
    if (place === null) return;
    chmodSync(place.module, 0o666);
    assert.match(await refusal(t, ['-DTLS_USE_FIPS'], place.state), /can be changed by others/);
  });

  test(
    'when the mark of the replaced process is forged: the proof is made all the same',
    LIMIT,
    async (t) => {
      const place = await installed(t, 'forged');
      if (place === null) return;
      const stderr = await refusal(t, ['-DTLS_USE_FIPS'], place.state, { LOCKGATE_FIPS_REPLACED: '1' });
      assert.match(stderr, /no FIPS module is active in this process/);
      // setFips without any provider succeeds, getFips() says 1 from then on, and no primitive works.
      const trap = join(folder, 'trap.mjs');
      writeFileSync(trap, "import { setFips } from 'node:crypto';\nsetFips(true);\n");
      const trapped = await refusal(t, ['-DTLS_USE_FIPS'], place.state, {
        LOCKGATE_FIPS_REPLACED: '1',
        NODE_OPTIONS: `--import=${trap}`,
      });
      assert.match(trapped, /no FIPS module is active in this process/);
    },
  );

  test('when another provider computes beside the module', LIMIT, async (t) => {
    const place = await installed(t, 'legacy');
    if (place === null) return;
    const stderr = await refusal(t, ['-DTLS_USE_FIPS'], place.state, {
      NODE_OPTIONS: '--openssl-legacy-provider',
    });
    assert.match(stderr, /no other provider of algorithms active: wrong answer/);
  });

  test('in the name of mod_sftp where SFTP_USE_FIPS asked', LIMIT, async (t) => {
    const { configFile } = await prepare(t, BASE_CONFIG);
    const { code, stderr } = await lockgate(join(folder, 'sftp'), [
      '-D',
      'SFTP_USE_FIPS',
      '--fips-module',
      '/nowhere/fips.so',
      '-n',
      '-c',
      configFile,
    ]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^mod_sftp\/[\d.]+: unable to use FIPS mode: .+\nFatal: unable to load module 'mod_sftp\.c': Operation not permitted\n$/,
    );
  });

  test('when the configuration asks instead of the command line, naming the line', LIMIT, async (t) => {
    for (const name of ['TLS_USE_FIPS', 'SFTP_USE_FIPS']) {
      const { configFile } = await prepare(t, `${BASE_CONFIG}Define ${name}\n`);
      const line = BASE_CONFIG.split('\n').length;
      const { code, stderr } = await lockgate(join(folder, 'define'), ['-n', '-c', configFile]);
      assert.equal(code, 1);
      assert.ok(stderr.includes(`${configFile}`), stderr);
      assert.match(stderr, new RegExp(`\\b${line}\\b`));
      assert.ok(
        stderr.includes(`FIPS mode is asked for on the command line only: start with -D${name}`),
        stderr,
      );
    }
  });
});
