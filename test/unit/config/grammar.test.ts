import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logicalLines, splitWords } from '../../../src/config/lexer.ts';
import { versionMatches } from '../../../src/config/version-match.ts';
import { check, load, memorySource, refusal } from './config-fixtures.ts';

function words(line: string): readonly string[] {
  return splitWords(line).words.map((word) => word.text);
}

async function settings(
  text: string,
  extra: Parameters<typeof load>[1] = {},
): Promise<Record<string, unknown>> {
  const { config } = await load(text, extra);
  return { ...config.virtualHosts[0]?.settings };
}

test('words are separated by blanks, quotes group, backslashes escape inside quotes only', () => {
  assert.deepEqual(words('A  b\t"c d" "e \\"f\\" \\\\" \\x'), ['A', 'b', 'c d', 'e "f" \\', '\\x']);
  assert.deepEqual(words('DenyFilter \\*.*/'), ['DenyFilter', '\\*.*/']);
  assert.deepEqual(words('A ""'), ['A', '']);
});

test('a # begins a comment at the start of a word only, and its quotes do no harm', () => {
  assert.deepEqual(words('TLSRequired on   # or "TLSRequired auth", or'), ['TLSRequired', 'on']);
  assert.deepEqual(words('A b#c "# d"'), ['A', 'b#c', '# d']);
});

test('a backslash at the end of a line joins the next; the number is that of the first line', () => {
  assert.deepEqual(
    [...logicalLines('\n# c\nA \\\n  b\\\nc\r\nD')],
    [
      { line: 3, text: 'A   bc' },
      { line: 6, text: 'D' },
    ],
  );
});

test('a comment line that ends in a backslash does not swallow the line below it', () => {
  assert.deepEqual([...logicalLines('# x \\\nDenyAll')], [{ line: 2, text: 'DenyAll' }]);
});

test('a byte order mark and all three kinds of line end are read', () => {
  assert.deepEqual(
    [...logicalLines('\uFEFFA\rB\r\nC')].map((line) => line.text),
    ['A', 'B', 'C'],
  );
});

test('directive and section names are matched without regard to case', async () => {
  const { config } = await load('serverNAME x\n<DIRECTORY /a/>\nallowOVERWRITE on\n</directory>');
  assert.equal(config.virtualHosts[0]?.settings.serverName, 'x');
  assert.equal(config.virtualHosts[0]?.directories[0]?.path, '/a');
});

test('an unclosed quote is a warning, not an error', async () => {
  const { warnings, config } = await load('ServerName "FTP ready');
  assert.equal(config.virtualHosts[0]?.settings.serverName, 'FTP ready');
  assert.deepEqual(warnings, ["warning: quote is not closed on line 1 of '/etc/proftpd.conf'"]);
});

test('an unknown directive stops the start in ProFTPD words, with a hint', async () => {
  assert.equal(
    await refusal('\nTimeoutIdel 5'),
    "fatal: unknown configuration directive 'TimeoutIdel' on line 2 of '/etc/proftpd.conf'\nDid you mean: TimeoutIdle",
  );
  assert.equal(
    await refusal('Nonsense'),
    "fatal: unknown configuration directive 'Nonsense' on line 1 of '/etc/proftpd.conf'",
  );
  assert.equal(
    await refusal('<Nonsense x>\n</Nonsense>'),
    "fatal: unknown configuration directive '<Nonsense>' on line 1 of '/etc/proftpd.conf'",
  );
});

test('wrong places and wrong parameters name directive, reason, line and file', async () => {
  const end = (line: number): string => ` on line ${line} of '/etc/proftpd.conf'`;
  assert.equal(
    await refusal('<VirtualHost 192.0.2.5>\nMaxInstances 3\n</VirtualHost>'),
    `fatal: MaxInstances: directive not allowed in <VirtualHost> context${end(2)}`,
  );
  assert.equal(
    await refusal('Order allow,deny'),
    `fatal: Order: directive not allowed in server config context${end(1)}`,
  );
  assert.equal(await refusal('TimeoutIdle'), `fatal: TimeoutIdle: missing parameters${end(1)}`);
  assert.equal(await refusal('TLSEngine maybe'), `fatal: TLSEngine: expected Boolean parameter${end(1)}`);
  assert.equal(await refusal('<Directory>\n</Directory>'), `fatal: <Directory>: missing parameters${end(1)}`);
  assert.equal(
    await refusal('<Directory a b>\n</Directory>'),
    `fatal: <Directory>: wrong number of parameters${end(1)}`,
  );
  assert.equal(
    await refusal('<Limit ALL>\n<Directory /x>\n</Directory>\n</Limit>'),
    `fatal: <Directory>: directive not allowed in <Limit> context${end(2)}`,
  );
});

test('open, stray and crossed sections are errors with their lines', async () => {
  assert.match(await refusal('<Global>\n'), /<Global> section is not closed on line 1 /);
  assert.match(await refusal('</Global>'), /<\/Global> without <Global> on line 1 /);
  assert.match(await refusal('<Global>\n<Limit ALL>\n</Global>\n</Limit>'), /expected <\/Limit> on line 3 /);
  assert.match(await refusal('<IfModule mod_tls.c>\n'), /<IfModule> section is not closed on line 1 /);
  assert.match(await refusal('</IfModule>'), /<\/IfModule> without <IfModule> on line 1 /);
  assert.match(await refusal('<Global'), /missing '>'/);
  assert.match(await refusal('<Global></Global>'), /a section tag stands on a line of its own/);
});

test('false IfModule, IfDefine and IfVersion blocks are skipped whatever stands in them', async () => {
  const text = [
    '<IfModule mod_nothing.c>',
    '  Garbage "unclosed',
    '  <IfDefine X>',
    '  </IfDefine>',
    '</IfModule>',
    '<IfModule !mod_tls.c>',
    '  </Global> <<',
    '</IfModule>',
    '<IfModule mod_tls.c>',
    '  ServerName tls # yes',
    '</IfModule> # end',
    '<IfDefine LABEL>',
    '  TimeoutIdle 5',
    '</IfDefine>',
    '<IfVersion >= 2.0.0>',
    '  Garbage',
    '</IfVersion>',
  ].join('\n');
  assert.deepEqual(await settings(text), { serverName: 'tls' });
  assert.deepEqual(await settings(text, { defines: ['LABEL'] }), { serverName: 'tls', timeoutIdle: 5 });
});

test('Define makes a label for the lines after it', async () => {
  const text = '<IfDefine A>\nGarbage\n</IfDefine>\nDefine A\n<IfDefine A>\nServerName a\n</IfDefine>';
  const { config } = await load(text);
  assert.equal(config.virtualHosts[0]?.settings.serverName, 'a');
  assert.deepEqual(config.defines, ['A']);
});

test('a filter block may hold half of a section', async () => {
  const open =
    '<IfDefine A>\n<VirtualHost 192.0.2.5>\n</IfDefine>\n<IfDefine !A>\n<VirtualHost 192.0.2.6>\n</IfDefine>';
  const { config } = await load(`${open}\nServerName x\n</VirtualHost>`);
  assert.deepEqual(config.virtualHosts[1]?.addresses, ['192.0.2.6']);
});

test('IfVersion compares releases, candidates and maintenance letters', () => {
  const holds = (...args: string[]): boolean => versionMatches(args, '1.3.9');
  assert.ok(holds('1.3.9') && holds('=', '1.3.9') && holds('>=', '1.3') && holds('<', '1.3.10'));
  assert.ok(
    holds('>', '1.3.9rc4') && holds('<', '1.3.9a') && holds('~', '^1\\.3') && holds('=', '/^1\\.[34]/'),
  );
  assert.ok(holds('!', '<', '1.3.9') && holds('!<', '1.3.9') && !holds('>', '1.3.9'));
  assert.throws(() => holds('=>', '1.3.9'), /unknown operator/);
});

test('%{env:NAME} is replaced, and an unset variable is empty', async () => {
  const text = 'ServerName "%{env:SITE} on %{env:NOTHING}."\nSetEnv LATER now\nUser %{env:LATER}';
  assert.deepEqual(await settings(text, { environment: { SITE: 'A B' } }), {
    serverName: 'A B on .',
    user: 'now',
  });
});

test('modules that are here load silently, ProFTPD modules that are not are reported, others are fatal', async () => {
  const text =
    '<IfModule mod_dso.c>\nModulePath /usr/lib\nLoadModule mod_tls.c\nLoadModule mod_sql.c\n</IfModule>';
  const { findings } = await load(text);
  assert.deepEqual(
    findings.map((finding) => [finding.kind, finding.directive, finding.line]),
    [
      ['no-effect', 'ModulePath', 2],
      ['no-effect', 'LoadModule', 4],
    ],
  );
  assert.match(
    await refusal('LoadModule mod_mine.c'),
    /^fatal: LoadModule: unable to load 'mod_mine.c': .* line 1 /,
  );
});

test('a skipped IfModule block of a ProFTPD module is reported', async () => {
  const { findings } = await load('<IfModule mod_wrap2.c>\nWrapEngine on\n</IfModule>');
  assert.match(findings[0]?.because ?? '', /mod_wrap2.c is not part of this server: the block is skipped/);
});

const TREE = {
  '/etc/conf.d/b.conf': 'TimeoutIdle 2',
  '/etc/conf.d/a.conf': 'TimeoutIdle 1\nServerName a',
  '/etc/conf.d/c.conf~': 'Garbage',
  '/etc/conf.d/link.conf': '-> /etc/linked',
  '/etc/linked': 'User linked',
  '/etc/plain/one': 'ServerName one',
  '/etc/plain/two': 'User two',
  '/etc/plain/sub/three': 'Garbage',
  '/etc/self': 'Include /etc/self',
  '/etc/open': '<Global>',
  '/etc/close': '</Global>',
};

test('Include takes files, sorted patterns and whole directories; no match is nothing', async () => {
  const extra = { source: memorySource(TREE) };
  assert.deepEqual(await settings('Include /etc/conf.d/*.conf', extra), { serverName: 'a', timeoutIdle: 2 });
  assert.deepEqual(await settings('Include /etc/plain', extra), { serverName: 'one', user: 'two' });
  assert.deepEqual(await settings('Include /etc/plain/', extra), { serverName: 'one', user: 'two' });
  assert.deepEqual(await settings('Include /etc/nothing/*.conf', extra), {});
  assert.deepEqual(await settings('Include /etc/co?f.[a-d]/a.conf', extra), {
    serverName: 'a',
    timeoutIdle: 1,
  });
});

test('IncludeOptions: links only when allowed and otherwise reported, temp files, no wildcards', async () => {
  const extra = { source: memorySource(TREE) };
  const all = 'IncludeOptions AllowSymlinks IgnoreTempFiles\nInclude /etc/conf.d';
  assert.deepEqual(await settings(all, extra), { serverName: 'a', timeoutIdle: 2, user: 'linked' });
  const { warnings } = await load('Include /etc/conf.d/*.conf', extra);
  assert.match(warnings.join('\n'), /symbolic link '\/etc\/conf.d\/link.conf' skipped/);
  assert.match(
    await refusal('IncludeOptions IgnoreWildcards\nInclude /etc/conf.d/*.conf', extra),
    /unable to read configuration file '\/etc\/conf.d\/\*.conf': No such file/,
  );
});

test('Include of a missing file, a relative path, itself or half a section is an error with its place', async () => {
  const extra = { source: memorySource(TREE) };
  assert.equal(
    await refusal('Include /etc/missing', extra),
    "fatal: Include: unable to read configuration file '/etc/missing': No such file or directory on line 1 of '/etc/proftpd.conf'",
  );
  assert.match(
    await refusal('Include conf.d/x', extra),
    /unable to use relative path for configuration file/,
  );
  assert.match(
    await refusal('Include /etc/self', extra),
    /include each other too deeply on line 1 of '\/etc\/self'/,
  );
  assert.match(await refusal('Include /etc/open', extra), /not closed on line 1 of '\/etc\/open'/);
  assert.match(
    await refusal('<Global>\nInclude /etc/close', extra),
    /without <Global> on line 1 of '\/etc\/close'/,
  );
});

test('errors in included files name that file and its line', async () => {
  const source = memorySource({ '/etc/x': '\n\nNonsense' });
  assert.match(await refusal('Include /etc/x', { source }), /'Nonsense' on line 3 of '\/etc\/x'/);
});

test('overlong lines and files are refused', async () => {
  assert.match(await refusal(`ServerName ${'x'.repeat(70_000)}`), /line is too long on line 1/);
  assert.match(await refusal('#'.repeat(9 * 1024 * 1024)), /is too large/);
});

test('a complete check collects every error, refusal and directive without effect, in file order', async () => {
  const text = [
    'Nonsense',
    'UseLastlog on',
    'SQLConnectInfo x',
    'TLSEngine maybe',
    '<Limit ALL>',
    'Order sideways',
    '</Limit>',
    '<Nothing>',
    'Anything at all',
    '</Nothing>',
    'TimeoutIdle 5',
  ].join('\n');
  const { findings, config } = await check(text);
  assert.equal(config, null);
  assert.deepEqual(
    findings.map((finding) => [finding.line, finding.kind, finding.directive]),
    [
      [1, 'error', null],
      [2, 'no-effect', 'UseLastlog'],
      [3, 'refused', 'SQLConnectInfo'],
      [4, 'error', 'TLSEngine'],
      [6, 'error', 'Order'],
      [8, 'error', null],
    ],
  );
  assert.match(await refusal('SQLConnectInfo x'), /^fatal: SQLConnectInfo: there is no SQL here on line 1 /);
});

test('a configuration of 5,000 lines is read well under a second', { timeout: 10_000 }, async () => {
  const blocks = Array.from({ length: 625 }, (_, index) =>
    [
      `<Directory /srv/site-${index}>`,
      '  AllowOverwrite on # comment',
      '  <Limit STOR APPE>',
      '    AllowUser "a, b", c',
      '    Deny from 10.0.0.0/8, .example.org',
      '    DenyAll',
      '  </Limit>',
      '</Directory>',
    ].join('\n'),
  );
  const begun = performance.now();
  const { config } = await load(blocks.join('\n'));
  const took = performance.now() - begun;
  assert.equal(config.virtualHosts[0]?.directories.length, 625);
  assert.ok(took < 1000, `took ${took} ms`);
});
