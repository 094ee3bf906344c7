import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveMasquerade, SYSTEM_RESOLVER } from '../../../src/config/address-resolution.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { canRunAway } from '../../../src/config/regex-safety.ts';

test('files, directories, patterns and links are read from disk', async (context) => {
  const root = mkdtempSync(join(tmpdir(), 'lockgate-config-'));
  context.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'conf.d/inner'), { recursive: true });
  writeFileSync(join(root, 'conf.d/a.conf'), 'TimeoutIdle 1');
  writeFileSync(join(root, 'conf.d/b.conf'), 'TimeoutStalled 2');
  writeFileSync(join(root, 'conf.d/inner/c.conf'), 'Nonsense');
  symlinkSync(join(root, 'linked'), join(root, 'conf.d/link.conf'));
  writeFileSync(join(root, 'linked'), 'Nonsense');
  const main = join(root, 'main.conf');
  writeFileSync(
    main,
    `Include ${root}/conf.d/\nInclude ${root}/nothing/*.conf\nInclude ${root}/conf.d/inn*/x*`,
  );
  const { config, files, warnings } = await loadConfig({ file: main, version: 1 });
  assert.equal(config.virtualHosts[0]?.settings.timeoutIdle, 1);
  assert.equal(config.virtualHosts[0]?.settings.timeoutStalled, 2);
  assert.deepEqual(files, [main, join(root, 'conf.d/a.conf'), join(root, 'conf.d/b.conf')]);
  assert.match(warnings.join('\n'), /link\.conf' skipped/);
});

test('a configuration that is missing, or a directory, is refused with the reason of the system', async () => {
  const reason = async (file: string): Promise<string> => {
    try {
      await loadConfig({ file, version: 1 });
    } catch (error) {
      if (error instanceof ConfigError) return error.toString();
      throw error;
    }
    return 'accepted';
  };
  assert.equal(
    await reason('/nonexistent/x.conf'),
    "fatal: unable to read configuration file '/nonexistent/x.conf': No such file or directory",
  );
  assert.match(await reason(tmpdir()), /Not a regular file$/);
});

test('the system resolver knows localhost and the loopback device', { timeout: 20_000 }, async () => {
  assert.equal(await resolveMasquerade('localhost', SYSTEM_RESOLVER), '127.0.0.1');
  assert.equal(await resolveMasquerade('lo', SYSTEM_RESOLVER), '127.0.0.1');
});

test('expressions that could run away are told from those that cannot', () => {
  for (const source of [
    ...['(a+)+', '(a|a)*', '((a)*b)*', '(.*)(.*)*', '(x+){2,}', 'a*b*c*d*e*', '\\1', '(a?)+', '(a{1,2}){9}'],
    // Cubic: seconds on a long path.
    ...['a*a*b', '^a*a*a*b', '^a|b*b*', 'a{1,}a{2,}b'],
    // No repetition at all, and two to the thirtieth ways.
    ...['a?'.repeat(30) + 'a'.repeat(30), '(a|a)'.repeat(30), 'a{0,9}'.repeat(9)],
  ]) {
    assert.ok(canRunAway(source), source);
  }
  for (const source of [
    '^\\.(ftpaccess|htaccess)$',
    '[(+*)]+',
    '^\\(a+\\)+',
    '(^|/)\\..*$',
    '\\.(exe|com|bat|scr|pif|vbs|js|cmd)$',
    '^.*\\.(jpe?g|png|gif)$',
    '(\\.ftpaccess)|(\\.htaccess)$',
    '(abc)+',
    'a{2,3}',
    '.*\\.exe$',
  ]) {
    assert.ok(!canRunAway(source), source);
  }
});
