import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SETTINGS } from '../../../src/config/default-settings.ts';
import { FactLineFormatter, permLetters, type FactEntry } from '../../../workers/ftp/wire/fact-line.ts';
import {
  humanSize,
  ListLineFormatter,
  modeText,
  printableName,
  type ListedEntry,
} from '../../../workers/vfs/list-line.ts';
import { parseListArgument } from '../../../workers/ftp/wire/list-options.ts';

const now = Date.UTC(2026, 5, 30, 12, 0, 0);
const DAY = 86_400_000;

const file: ListedEntry = {
  name: 'report.txt',
  mode: 0o100644,
  links: 1,
  user: 'bob',
  group: 'users',
  size: 4096,
  time: Date.UTC(2026, 4, 3, 9, 7),
  linkTarget: null,
};

function line(entry: Partial<ListedEntry>, style: 'Unix' | 'Windows' = 'Unix', humanSizes = false): string {
  return new ListLineFormatter({ style, gmt: true, humanSizes, now }).format({ ...file, ...entry });
}

test('a LIST line has the columns of ls -l', () => {
  assert.equal(line({}), '-rw-r--r--   1 bob      users        4096 May  3 09:07 report.txt');
  assert.equal(
    line({ mode: 0o120777, linkTarget: '/srv/x', name: 'link' }),
    'lrwxrwxrwx   1 bob      users        4096 May  3 09:07 link -> /srv/x',
  );
  assert.equal(
    line({ user: 'averylongname', size: 12_345_678_901, links: 1234 }),
    '-rw-r--r-- 1234 averylongname users    12345678901 May  3 09:07 report.txt',
  );
});

test('only what is older than 180 days shows its year', () => {
  assert.match(line({ time: now - 180 * DAY }), / Jan  1 12:00 report/);
  assert.match(line({ time: now - 181 * DAY }), / Dec 31  2025 report/);
  assert.match(line({ time: now + 400 * DAY }), / Aug  4 12:00 report/);
});

test('neighbours with other times get their own dates', () => {
  const lines = new ListLineFormatter({ style: 'Unix', gmt: true, humanSizes: false, now });
  assert.match(lines.format(file), /May {2}3 09:07/);
  assert.match(lines.format({ ...file, time: file.time + 60_000 }), /May {2}3 09:08/);
  assert.match(lines.format(file), /May {2}3 09:07/);
});

test('the Windows style shows directories and sizes as IIS does', () => {
  assert.equal(
    line({ mode: 0o040755, name: 'pub' }, 'Windows'),
    '05-03-26  09:07AM       <DIR>          pub',
  );
  assert.equal(line({}, 'Windows'), '05-03-26  09:07AM                 4096 report.txt');
  assert.match(line({ time: Date.UTC(2026, 4, 3, 0, 5) }, 'Windows'), /12:05AM/);
  assert.match(line({ time: Date.UTC(2026, 4, 3, 12, 5) }, 'Windows'), /12:05PM/);
});

test('mode texts know types and special bits', () => {
  assert.equal(modeText(0o041777), 'drwxrwxrwt');
  assert.equal(modeText(0o106755), '-rwsr-sr-x');
  assert.equal(modeText(0o107644), '-rwSr-Sr-T');
  assert.equal(modeText(0o010600), 'prw-------');
});

test('human sizes have one digit below ten', () => {
  assert.deepEqual([1023, 1024, 1536, 20_480, 5 * 2 ** 30].map(humanSize), [
    '1023',
    '1.0K',
    '1.5K',
    '20K',
    '5.0G',
  ]);
});

test('control characters in a name cannot make a second line', () => {
  assert.equal(printableName('a\r\n226 x', false), 'a??226 x');
  assert.equal(printableName('a\nb', true), 'a\\012b');
});

const names = { layout: 'long', sort: 'name' } as const;
const directive = DEFAULT_SETTINGS.listOptions;

test('options stand only at the start of the argument', () => {
  const request = parseListArgument('-la -R my -dir', names, directive);
  assert.equal(request.path, 'my -dir');
  assert.equal(request.flags.dotFiles, 'all');
  assert.equal(request.flags.recursive, true);
  assert.equal(parseListArgument('-- -odd', names, directive).path, '-odd');
  assert.equal(parseListArgument('dir -l', names, directive).path, 'dir -l');
});

test('ListOptions forces, removes and shuts options out', () => {
  const forced = parseListArgument('-R', names, { ...directive, forced: 'a', removed: 'R' });
  assert.equal(forced.flags.dotFiles, 'all');
  assert.equal(forced.flags.recursive, false);
  const strict = parseListArgument('-aR pub', names, { ...directive, strict: true, forced: 't' });
  assert.deepEqual(
    [strict.flags.dotFiles, strict.flags.recursive, strict.flags.sort],
    ['hidden', false, 'time'],
  );
  assert.equal(strict.path, 'pub');
});

test('the last of several layouts and orders counts', () => {
  const { flags } = parseListArgument('-1l -tS', names, directive);
  assert.deepEqual([flags.layout, flags.sort], ['long', 'size']);
});

const entry: FactEntry = {
  type: 'file',
  slinkTarget: null,
  modify: Date.UTC(2026, 0, 2, 3, 4, 5),
  size: 42,
  device: 0x801,
  inode: 0x2a4,
  mode: 0o100644,
  owner: 1000,
  group: 100,
  ownerName: 'bob',
  groupName: 'users',
  rights: { read: true, write: true, execute: false },
};
const ALL_FACTS = [
  ...['modify', 'perm', 'size', 'type', 'unique', 'UNIX.group'],
  ...['UNIX.groupname', 'UNIX.mode', 'UNIX.owner', 'UNIX.ownername'],
];

test('an MLSD line has every fact in order', () => {
  assert.equal(
    new FactLineFormatter(ALL_FACTS).format(entry, 'a b.txt'),
    'modify=20260102030405;perm=adfrw;size=42;type=file;unique=801U2a4;UNIX.group=100;UNIX.groupname=users;' +
      'UNIX.mode=0644;UNIX.owner=1000;UNIX.ownername=bob; a b.txt',
  );
});

test('OPTS MLST selects facts without regard to case, and none at all', () => {
  assert.equal(
    new FactLineFormatter(['SIZE', 'Type', 'nonsense']).format(entry, 'x'),
    'size=42;type=file; x',
  );
  assert.equal(new FactLineFormatter([]).format(entry, 'x'), ' x');
});

test('directories have no size, links say where they point only under UseSlink', () => {
  const facts = new FactLineFormatter(['size', 'type']);
  assert.equal(facts.format({ ...entry, type: 'cdir' }, '.'), 'type=cdir; .');
  assert.equal(facts.format({ ...entry, type: 'link' }, 'l'), 'size=42;type=OS.unix=symlink; l');
  assert.equal(
    facts.format({ ...entry, type: 'link', slinkTarget: '/a;b c' }, 'l'),
    'size=42;type=OS.unix=slink:/a_b_c; l',
  );
});

test('perm follows access rights', () => {
  const rights = (read: boolean, write: boolean, execute: boolean) => ({ read, write, execute });
  assert.equal(permLetters({ type: 'file', rights: rights(true, false, false) }), 'adfr');
  assert.equal(permLetters({ type: 'file', rights: rights(false, true, false) }), 'dfrw');
  assert.equal(permLetters({ type: 'dir', rights: rights(true, true, true) }), 'flcdmpe');
  assert.equal(permLetters({ type: 'dir', rights: rights(false, false, true) }), 'e');
});
