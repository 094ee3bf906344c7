/** Directives of listings and facts: each configuration, and what LIST, NLST, MLSD and MLST then say. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFtpFixture, type FtpFixture, type FtpFixtureOptions } from '../support/ftp-session-fixture.ts';

const limits = { timeout: 20_000 };
const WRITTEN = Date.UTC(2020, 0, 2, 3, 4, 5) / 1000;

/**
 * alice: `.dot`, `a.txt` (1 byte), `b.log` (22 bytes), `link` -> a.txt, `root` -> <home>/sub, `sub` with `c.txt`, `.d` and
 * `deep` with `e.txt`.
 */
async function open(config: string, more: Omit<FtpFixtureOptions, 'config'> = {}): Promise<FtpFixture> {
  const fixture = await openFtpFixture({ config, ...more });
  const at = (name: string): string => join(fixture.home, name);
  mkdirSync(at('sub/deep'), { recursive: true });
  for (const [name, text] of [
    ['.dot', ''],
    ['a.txt', '1'],
    ['b.log', '2'.repeat(22)],
    ['sub/c.txt', 'c'],
    ['sub/.d', ''],
    ['sub/deep/e.txt', ''],
  ] as const) {
    writeFileSync(at(name), text);
    chmodSync(at(name), 0o640);
    utimesSync(at(name), WRITTEN, WRITTEN);
  }
  symlinkSync('a.txt', at('link'));
  symlinkSync(at('sub'), at('root'));
  return fixture;
}

async function lines(fixture: FtpFixture, command: string): Promise<string[]> {
  const client = await fixture.login();
  const { body, final } = await client.download(command);
  assert.equal(final.code, 226, `${command}: ${final.lines.join('|')}`);
  client.destroy();
  return body.toString().split('\r\n').slice(0, -1);
}

/** The names of LIST lines and MLSD lines, dots left out. */
function named(found: readonly string[]): string[] {
  return found
    .map((line) => line.replace(/ -> .*$/, '').replace(/^.* /, ''))
    .filter((name) => name !== '.' && name !== '..')
    .toSorted();
}

const ALL = ['a.txt', 'b.log', 'link', 'root', 'sub'];

const LIST_OPTIONS: readonly (readonly [config: string, command: string, names: readonly string[]])[] = [
  ['', 'LIST', ALL],
  ['ListOptions -a', 'LIST', ['.dot', ...ALL]],
  ['ListOptions -A', 'NLST', ['.dot', ...ALL]],
  ['ListOptions "-a" LISTOnly', 'NLST', ALL],
  ['ListOptions "-a" LISTOnly', 'LIST', ['.dot', ...ALL]],
  ['ListOptions "-a" NLSTOnly', 'LIST', ALL],
  ['ListOptions "-a" NLSTOnly', 'NLST', ['.dot', ...ALL]],
  ['ListOptions +a', 'LIST -a', ALL],
  ['ListOptions "" strict', 'LIST -a', ALL],
  ['ListOptions "" maxfiles 2', 'LIST', ['a.txt', 'b.log']],
  ['ListOptions +R', 'LIST -R', ALL],
  ['ListOptions "-1R" maxdepth 1', 'LIST', ['.:', ...ALL]],
  ['ListOptions "-1R" maxdepth 2', 'LIST', ['', './sub:', '.:', ...ALL, 'c.txt', 'deep']],
  ['ListOptions "-1R" maxdirs 2', 'LIST', ['', './sub:', '.:', ...ALL, 'c.txt', 'deep']],
  ['<Directory BASE/alice>\nListOptions -a\n</Directory>', 'LIST', ['.dot', ...ALL]],
  ['<IfUser alice>\nListOptions -a\n</IfUser>', 'LIST', ['.dot', ...ALL]],
  ['UseGlobbing on', 'NLST *.txt', ['a.txt']],
];

test('ListOptions: flags forced and removed, limits, verbs, places', limits, async () => {
  for (const [config, command, names] of LIST_OPTIONS) {
    await using fixture = await open(config);
    const found = await lines(fixture, command);
    if (config.includes('maxfiles')) assert.equal(found.length, names.length, config);
    else assert.deepEqual(named(found), names.toSorted(), `${config}: ${command}`);
  }
});

test('ListOptions SortedNLST, NoErrorIfAbsent and AdjustedSymlinks', limits, async () => {
  await using sorted = await open('ListOptions "" SortedNLST\n');
  assert.deepEqual(await lines(sorted, 'NLST'), ALL);
  await using lenient = await open('ListOptions "" NoErrorIfAbsent\n');
  assert.deepEqual(await lines(lenient, 'LIST none'), []);
  await using adjusted = await open('ListOptions "" AdjustedSymlinks\n');
  assert.ok((await lines(adjusted, 'LIST')).some((line) => line.endsWith(' root -> /sub')));
  await using plain = await open('');
  assert.ok((await lines(plain, 'LIST')).some((line) => line.endsWith(` root -> ${plain.home}/sub`)));
});

test('UseGlobbing off takes a pattern for a name', limits, async () => {
  await using fixture = await open('UseGlobbing off\n');
  const client = await fixture.login();
  assert.equal((await client.download('NLST *.txt')).final.text, '*.txt: No such file or directory');
});

const LINES: readonly (readonly [config: string, command: string, line: RegExp])[] = [
  ['ListStyle Windows', 'LIST', /^01-02-20 {2}03:04AM +1 a\.txt$/m],
  ['ListStyle Windows', 'LIST', /^\d\d-\d\d-\d\d {2}\d\d:\d\d[AP]M {7}<DIR> {10}sub$/m],
  ['ListStyle Unix', 'LIST', /^-rw-r----- {3}1 .* 1 Jan {2}2 {2}2020 a\.txt$/m],
  ['DirFakeUser on', 'LIST', /^-rw-r----- {3}1 ftp {6}\S+ .* a\.txt$/m],
  ['DirFakeUser on nobody', 'LIST', /^-rw-r----- {3}1 nobody {3}\S+ .* a\.txt$/m],
  ['DirFakeUser on ~', 'LIST', /^-rw-r----- {3}1 alice {4}\S+ .* a\.txt$/m],
  ['DirFakeGroup on', 'LIST', /^-rw-r----- {3}1 \S+ +ftp {6}/m],
  ['DirFakeGroup on ~', 'LIST', /^-rw-r----- {3}1 \S+ +users {4}/m],
  ['DirFakeMode 0444', 'LIST', /^-r--r--r-- .* a\.txt$/m],
  ['DirFakeMode 0444', 'LIST', /^dr-xr-xr-x .* sub$/m],
  [
    'DirFakeUser on bob\nDirFakeGroup on them',
    'MLSD',
    /UNIX\.groupname=them;.*UNIX\.ownername=bob; a\.txt$/m,
  ],
  ['DirFakeMode 0604', 'MLSD', /UNIX\.mode=0604;.* a\.txt$/m],
  ['<Directory BASE/alice>\nDirFakeUser on bob\n</Directory>', 'LIST', /^-rw-r----- {3}1 bob /m],
  ['ShowSymlinks on', 'LIST', /^lrwxrwxrwx .* link -> a\.txt$/m],
  ['ShowSymlinks off', 'LIST', /^-rw-r----- .* 1 Jan {2}2 {2}2020 link$/m],
  ['ShowSymlinks on', 'MLSD', /type=OS\.unix=symlink;.* link$/m],
  ['ShowSymlinks off', 'MLSD', /type=file;.* link$/m],
  ['FactsOptions UseSlink', 'MLSD', /type=OS\.unix=slink:a\.txt;.* link$/m],
  ['FactsOptions UseSlink AdjustedSymlinks', 'MLSD', /type=OS\.unix=slink:\/sub;.* root$/m],
  ['FactsOptions UseSlink', 'MLSD', /type=OS\.unix=slink:\/\S+\/alice\/sub;.* root$/m],
  ['FactsDefault size type', 'MLSD', /^size=1;type=file; a\.txt$/m],
  ['<IfUser alice>\nFactsDefault size\n</IfUser>', 'MLSD', /^size=1; a\.txt$/m],
];

test(
  'ListStyle, DirFake*, ShowSymlinks, FactsOptions, FactsDefault: the line of an entry',
  limits,
  async () => {
    for (const [config, command, line] of LINES) {
      await using fixture = await open(config);
      assert.match((await lines(fixture, command)).join('\n'), line, `${config}: ${command}`);
    }
  },
);

test('FactsOptions NoNames leaves the names of owners out', limits, async () => {
  await using fixture = await open('FactsOptions NoNames\n');
  const found = (await lines(fixture, 'MLSD')).join('\n');
  assert.match(found, /UNIX\.owner=\d+;/);
  assert.doesNotMatch(found, /ownername|groupname/);
});

test('FactsAdvertise off hides MLST from FEAT and OPTS', limits, async () => {
  await using fixture = await open('FactsAdvertise off\n');
  const client = await fixture.login();
  assert.doesNotMatch((await client.command('FEAT')).lines.join(), /MLST/);
  assert.equal((await client.command('OPTS MLST size;')).code, 500);
  await using other = await open('FactsDefault size type\n');
  const second = await other.login();
  assert.match(
    (await second.command('FEAT')).lines.join(),
    / MLST modify;perm;size\*;type\*;unique;UNIX\.group;/,
  );
});

test('TimesGMT off shows the time of the server, MDTM and MLST never do', limits, async (t) => {
  const before = process.env['TZ'];
  t.after(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });
  process.env['TZ'] = 'Pacific/Honolulu';
  const recent = Date.now() / 1000 - 40 * 86_400;
  const clock = (zone: string): string =>
    new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(
      recent * 1000,
    );
  for (const [config, zone] of [
    ['TimesGMT on', 'UTC'],
    ['TimesGMT off', 'Pacific/Honolulu'],
    ['TimesGMT off\nListStyle Unix', 'Pacific/Honolulu'],
  ] as const) {
    await using fixture = await open(config);
    utimesSync(join(fixture.home, 'a.txt'), recent, recent);
    assert.match(
      (await lines(fixture, 'LIST')).join('\n'),
      new RegExp(` ${clock(zone)} a\\.txt$`, 'm'),
      config,
    );
    const client = await fixture.login();
    const utc = new Date(recent * 1000).toISOString().replace(/\D/g, '').slice(0, 14);
    assert.equal((await client.command('MDTM a.txt')).text, utc);
    assert.ok((await client.command('MLST a.txt')).lines[1]!.includes(`modify=${utc};`));
  }
});

const HIDING: readonly (readonly [config: string, names: readonly string[]])[] = [
  ['HideFiles \\.txt$', ['b.log', 'link', 'root', 'sub']],
  ['HideFiles \\.TXT$', ALL],
  ['HideFiles \\.TXT$ [NC]', ['b.log', 'link', 'root', 'sub']],
  ['HideFiles !\\.txt$', ['a.txt']],
  ['HideFiles \\.txt$ user alice', ['b.log', 'link', 'root', 'sub']],
  ['HideFiles \\.txt$ user bob', ALL],
  ['HideFiles \\.txt$ group users', ['b.log', 'link', 'root', 'sub']],
  ['HideFiles \\.txt$ class !inside', ALL],
  ['HideFiles \\.txt$\nHideFiles \\.log$ user alice', ['a.txt', 'link', 'root', 'sub']],
  ['HideFiles \\.txt$\nHideFiles none group users', ALL],
  ['HideUser ~', []],
  ['HideGroup ~', []],
  ['HideUser !~', ALL],
];

test('HideFiles, HideUser and HideGroup in LIST, NLST and MLSD', limits, async () => {
  for (const [rule, names] of HIDING) {
    await using fixture = await open(`<Directory BASE/alice>\n${rule}\n</Directory>`, {
      className: 'inside',
    });
    for (const command of ['LIST', 'NLST', 'MLSD']) {
      const found = named(await lines(fixture, command)).filter((name) => !name.startsWith('.'));
      assert.deepEqual(found, names, `${rule}: ${command}`);
    }
  }
});

test('hidden is not forbidden, unless a <Limit> says IgnoreHidden on', limits, async () => {
  const hide = 'HideFiles \\.txt$';
  for (const [limit, code] of [
    ['', 213],
    ['<Limit SIZE>\nIgnoreHidden on\n</Limit>', 550],
    ['<Limit RETR>\nIgnoreHidden on\n</Limit>', 213],
    ['<Limit READ>\nIgnoreHidden on\n</Limit>', 550],
  ] as const) {
    await using fixture = await open(`<Directory BASE/alice>\n${hide}\n${limit}\n</Directory>`);
    const client = await fixture.login();
    await client.command('TYPE I');
    const answer = await client.command('SIZE a.txt');
    assert.equal(answer.code, code, limit);
    if (code === 550) assert.equal(answer.text, 'a.txt: No such file or directory');
    assert.equal((await client.command('SIZE b.log')).code, 213, limit);
  }
});

test('HideFiles by .ftpaccess holds in its directory', limits, async () => {
  await using fixture = await open('');
  writeFileSync(join(fixture.home, 'sub', '.ftpaccess'), 'HideFiles ^c\n');
  assert.deepEqual(named(await lines(fixture, 'LIST sub')), ['deep']);
  assert.deepEqual(named(await lines(fixture, 'LIST')), ALL);
});
