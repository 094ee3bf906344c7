import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressMatches,
  addressListMatches,
  parseAddressPattern,
  parseAddressPatterns,
} from '../../../src/config/address-pattern.ts';
import { classOf } from '../../../src/config/class-match.ts';
import { evaluateLimits, loginAllowed, type LimitDecision } from '../../../src/config/limit-evaluation.ts';
import { inLimitAll, LIMIT_GROUPS, limitGroupsOf } from '../../../src/config/limit-groups.ts';
import { newLimit, readLimitDirective } from '../../../src/config/limit-section.ts';
import { matchesNames, parseNameExpression } from '../../../src/config/name-expression.ts';
import type { LimitSection } from '../../../src/config/server-config.ts';
import { globMatches, globPathPrefix } from '../../../src/config/glob-match.ts';
import { principal } from './config-fixtures.ts';

/** `limit('STOR', 'Order deny,allow', 'AllowUser bob')` */
function limit(commands: string, ...lines: string[]): LimitSection {
  const draft = newLimit(commands.split(' '), { file: 'x', line: 1 });
  for (const line of lines) {
    const [name = '', ...args] = line.split(' ');
    assert.ok(readLimitDirective(draft, name, args), line);
  }
  return draft;
}

function decide(levels: LimitSection[][], verb: string, who = principal(), argument?: string): LimitDecision {
  const command = { verb, groups: limitGroupsOf(verb), inAll: inLimitAll(verb) };
  return evaluateLimits(levels, argument === undefined ? command : { ...command, argument }, who);
}

function matches(word: string, address: string, hostName = address): boolean {
  return addressMatches(parseAddressPattern(word), { address, hostName });
}

test('address words: all, none, IP, CIDR, netmask, prefix, name, domain, glob, negation', () => {
  assert.ok(matches('all', '1.2.3.4') && !matches('none', '1.2.3.4'));
  assert.ok(matches('10.1.2.3', '10.1.2.3') && !matches('10.1.2.3', '10.1.2.30'));
  assert.ok(matches('10.0.0.0/8', '10.255.0.1') && !matches('10.0.0.0/8', '11.0.0.1'));
  assert.ok(matches('0.0.0.0/0', '203.0.113.9') && !matches('0.0.0.0/0', '2001:db8::1'));
  assert.ok(matches('192.0.2.128/255.255.255.128', '192.0.2.200') && !matches('192.0.2.128/25', '192.0.2.1'));
  assert.ok(matches('10.1.', '10.1.9.9') && !matches('10.1.', '10.10.9.9'));
  assert.ok(
    matches('host.example.org', '1.2.3.4', 'HOST.example.org') &&
      !matches('example.org', '1.2.3.4', 'host.example.org'),
  );
  assert.ok(
    matches('.example.org', '1.2.3.4', 'host.example.org') &&
      !matches('.example.org', '1.2.3.4', 'badexample.org'),
  );
  assert.ok(matches('*.example.*', '1.2.3.4', 'a.example.net') && matches('192.0.2.?', '192.0.2.7'));
  assert.ok(matches('!10.0.0.0/8', '11.0.0.1') && !matches('!10.0.0.0/8', '10.0.0.1'));
});

test('IPv6 words: networks, brackets, short forms; IPv4-mapped peers and words are IPv4', () => {
  assert.ok(matches('2001:db8::/32', '2001:db8:1::5') && !matches('2001:db8::/32', '2001:db9::5'));
  assert.ok(matches('[2001:DB8::1]', '2001:db8:0:0:0:0:0:1') && matches('::1/128', '::1'));
  assert.ok(matches('fe80::/10', 'fe80::1%eth0'));
  assert.ok(matches('10.0.0.0/8', '::ffff:10.1.2.3') && matches('::ffff:10.0.0.0/104', '10.1.2.3'));
  assert.ok(matches('10.1.', '::ffff:10.1.2.3'));
});

test('wrong address words are refused', () => {
  for (const word of [
    '',
    '!',
    '10.0.0.0/33',
    '10.0.0.0/255.0.255.0',
    '10.0.0.0/x',
    '300.1.1.1',
    '2001:db8::/129',
    'a b',
    '10.0.0/8',
  ]) {
    assert.throws(() => parseAddressPattern(word), { name: 'ConfigError' }, word);
  }
});

test('address lists: from is optional, commas and blanks separate, a negated word takes its peers out', () => {
  const list = parseAddressPatterns(['from', '10.0.0.0/8,!10.0.0.5', 'a.example.org']);
  const has = (address: string): boolean => addressListMatches(list, { address, hostName: address });
  assert.deepEqual([has('10.0.0.4'), has('10.0.0.5'), has('11.0.0.1')], [true, false, false]);
  const others = parseAddressPatterns(['!10.0.0.5']);
  assert.ok(addressListMatches(others, { address: '10.0.0.6', hostName: '' }));
  assert.ok(!addressListMatches(others, { address: '10.0.0.5', hostName: '' }));
  assert.ok(!addressListMatches([], { address: '10.0.0.5', hostName: '' }));
  assert.throws(() => parseAddressPatterns(['from']), /missing parameters/);
});

test('the first class that matches is the class; Satisfy all wants every rule', () => {
  const from = (...words: string[]) => words.map(parseAddressPattern);
  const classes = [
    { name: 'inner', from: from('10.0.0.0/8', '!10.0.0.1'), satisfy: 'all' as const },
    { name: 'any', from: from('10.0.0.1', '192.0.2.0/24'), satisfy: 'any' as const },
    { name: 'late', from: from('all'), satisfy: 'any' as const },
    { name: 'empty', from: [], satisfy: 'all' as const },
  ];
  const name = (address: string): string | null => classOf(classes, { address, hostName: address });
  assert.deepEqual(
    [name('10.2.3.4'), name('10.0.0.1'), name('192.0.2.9'), name('8.8.8.8')],
    ['inner', 'any', 'any', 'late'],
  );
  assert.equal(classOf([], { address: '1.1.1.1', hostName: '' }), null);
});

test('name expressions: or, and, regex, negation, default operator', () => {
  const holds = (text: string, names: string[], mode: 'and' | 'or' = 'or'): boolean =>
    matchesNames(parseNameExpression(text.split(' '), mode), names);
  assert.ok(holds('a,b', ['b']) && holds('a b', ['b']) && !holds('a,b', ['c']));
  assert.ok(!holds('a,b', ['a'], 'and') && holds('a,b', ['a', 'b'], 'and') && holds('OR a,b', ['a'], 'and'));
  assert.ok(
    holds('AND a,!c', ['a']) && !holds('AND a,!c', ['a', 'c']) && holds('!c', ['a']) && !holds('!a', ['a']),
  );
  assert.ok(holds('regex ^ad[[:lower:]]+$', ['admin']) && !holds('regex ^ad', ['bad']));
  assert.ok(holds('regex', ['regex']), 'a name that looks like an operator');
  assert.throws(() => parseNameExpression([], 'or'), /missing parameters/);
  assert.throws(() => parseNameExpression(['regex', '('], 'or'), { name: 'ConfigError' });
});

test('Order allow,deny: allow rules first, deny rules next, nothing is no objection', () => {
  const section = (...lines: string[]): LimitSection[][] => [[limit('STOR', 'Order allow,deny', ...lines)]];
  assert.equal(decide(section('AllowUser bob', 'DenyAll'), 'STOR').decision, 'allow');
  assert.equal(decide(section('AllowUser eve', 'DenyAll'), 'STOR').decision, 'deny');
  assert.equal(decide(section('AllowUser eve'), 'STOR').decision, 'none');
  assert.equal(decide(section('Allow from 192.0.2.', 'Deny from all'), 'STOR').decision, 'allow');
  assert.equal(decide(section('Allow from 10.', 'Deny from all'), 'STOR').decision, 'deny');
  assert.equal(decide(section('AllowAll', 'DenyAll'), 'STOR').decision, 'allow');
});

test('Order deny,allow: deny rules first, allow rules next, nothing is a denial', () => {
  const section = (...lines: string[]): LimitSection[][] => [[limit('STOR', 'Order deny,allow', ...lines)]];
  assert.equal(decide(section('DenyUser bob', 'AllowAll'), 'STOR').decision, 'deny');
  assert.equal(decide(section('DenyUser eve', 'AllowUser bob'), 'STOR').decision, 'allow');
  assert.equal(decide(section('DenyUser eve'), 'STOR').decision, 'deny');
  assert.equal(decide(section(), 'STOR').decision, 'deny');
});

test('users are OR, groups AND, classes OR; several lines are alternatives; negation works', () => {
  const who = principal({ groups: ['users', 'staff'], className: 'lan' });
  const allows = (line: string): boolean =>
    decide([[limit('STOR', line, 'DenyAll')]], 'STOR', who).decision === 'allow';
  assert.ok(allows('AllowUser eve,bob') && !allows('AllowUser AND eve,bob') && allows('AllowUser !eve'));
  assert.ok(
    allows('AllowGroup staff,users') &&
      !allows('AllowGroup staff,admin') &&
      allows('AllowGroup OR staff,admin'),
  );
  assert.ok(allows('AllowClass wan,lan') && !allows('AllowClass wan') && allows('AllowClass !wan'));
  const lines = [[limit('STOR', 'AllowGroup admin', 'AllowGroup staff', 'DenyAll')]];
  assert.equal(decide(lines, 'STOR', who).decision, 'allow');
});

test('before login no user or group rule matches, not even a negated one', () => {
  const nobody = principal({ user: null, groups: [], authenticated: false });
  assert.equal(decide([[limit('FEAT', 'AllowUser !eve', 'DenyAll')]], 'FEAT', nobody).decision, 'deny');
  assert.equal(decide([[limit('FEAT', 'DenyUser !eve')]], 'FEAT', nobody).decision, 'none');
});

test('filters inside a section look at the argument', () => {
  const levels = [[limit('STOR', 'AllowFilter \\.txt$', 'DenyAll')]];
  assert.equal(decide(levels, 'STOR', principal(), 'a.txt').decision, 'allow');
  assert.equal(decide(levels, 'STOR', principal(), 'a.exe').decision, 'deny');
  assert.equal(decide(levels, 'STOR').decision, 'deny');
  const denying = [[limit('STOR', 'DenyFilter \\.EXE$ NC')]];
  assert.equal(decide(denying, 'STOR', principal(), 'a.exe').decision, 'deny');
  assert.equal(decide(denying, 'STOR', principal(), 'a.txt').decision, 'none');
});

test('within a level the command comes before its group, and the group before ALL', () => {
  const level = [
    limit('ALL', 'DenyAll'),
    limit('WRITE', 'AllowUser eve', 'DenyAll'),
    limit('STOR', 'AllowAll'),
  ];
  assert.equal(decide([level], 'STOR').decision, 'allow');
  assert.equal(decide([level], 'APPE').decision, 'deny');
  assert.equal(decide([level], 'APPE', principal({ user: 'eve' })).decision, 'allow');
  assert.equal(decide([level], 'NOOP').decision, 'deny');
});

test('the innermost level with an explicit result decides; one without an objection does not', () => {
  const outer = [limit('WRITE', 'DenyAll')];
  assert.equal(decide([[limit('STOR', 'AllowAll')], outer], 'STOR').decision, 'allow');
  assert.equal(decide([[limit('STOR', 'AllowUser eve')], outer], 'STOR').decision, 'deny');
  assert.equal(decide([[limit('RETR', 'AllowAll')], outer], 'STOR').decision, 'deny');
  assert.equal(decide([[limit('ALL', 'AllowAll')], outer], 'STOR').decision, 'allow');
  assert.equal(decide([], 'STOR').decision, 'none');
});

test('ALL covers neither LOGIN nor the data connection commands, PROT and OPTS', () => {
  const level = [[limit('ALL', 'DenyAll')]];
  for (const verb of ['EPRT', 'EPSV', 'PASV', 'PORT', 'PROT', 'OPTS'])
    assert.equal(decide(level, verb).decision, 'none');
  assert.equal(decide([[limit('PASV', 'DenyAll')]], 'PASV').decision, 'deny');
  assert.ok(loginAllowed(level, principal()));
});

test('LOGIN: every section at every level must allow', () => {
  const bobs = limit('LOGIN', 'AllowUser bob', 'DenyAll');
  const lan = limit('LOGIN', 'Order deny,allow', 'Allow from 10.');
  const inLan = principal({ address: '10.0.0.1' });
  assert.ok(loginAllowed([], principal()) && loginAllowed([[bobs]], principal()));
  assert.ok(!loginAllowed([[bobs], [lan]], principal()) && !loginAllowed([[bobs, lan]], principal()));
  assert.ok(loginAllowed([[bobs], [lan]], inLan));
  assert.ok(!loginAllowed([[bobs], [lan]], principal({ address: '10.0.0.1', user: 'eve' })));
});

test('IgnoreHidden is reported from a section about the command', () => {
  const level = [limit('RETR', 'IgnoreHidden on'), limit('STOR', 'DenyAll')];
  assert.deepEqual(decide([level], 'RETR'), { decision: 'none', ignoreHidden: true });
  assert.deepEqual(decide([level], 'STOR'), { decision: 'deny', ignoreHidden: false });
});

test('the group table is the documented one, RNFR under WRITE', () => {
  assert.deepEqual(LIMIT_GROUPS.READ, ['RETR', 'SIZE']);
  assert.deepEqual(limitGroupsOf('RNFR'), ['WRITE']);
  assert.deepEqual(limitGroupsOf('MLSD'), ['DIRS']);
  assert.deepEqual(limitGroupsOf('NOOP'), []);
});

test(
  'shell patterns: stars cross slashes, brackets, escapes; hostile names take linear time',
  { timeout: 5000 },
  () => {
    assert.ok(
      globMatches('/a/*/b', '/a/x/y/b') && globMatches('[!a-c]?\\*', 'dx*') && !globMatches('[a-c]', 'd'),
    );
    assert.ok(globMatches('', '') && globMatches('*', '') && !globMatches('?', '') && globMatches('[', '['));
    assert.equal(globPathPrefix('/a/*', '/a/b/c'), '/a/b'.length);
    assert.equal(globPathPrefix('/a/*/b', '/a/x/b/c/b'), '/a/x/b'.length);
    assert.equal(globPathPrefix('/a/*/b', '/a/x/bc'), -1);
    assert.ok(!globMatches('a*'.repeat(50) + 'b', 'a'.repeat(4000)));
  },
);
