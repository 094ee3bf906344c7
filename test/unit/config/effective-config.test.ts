import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findAnonymousLogin } from '../../../src/config/anonymous-login.ts';
import { createEffectiveConfig, type EffectiveConfig } from '../../../src/config/effective-config.ts';
import { parseFtpAccess } from '../../../src/config/ftp-access.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { DEFAULT_SETTINGS } from '../../../src/config/registry.ts';
import type { Scope } from '../../../src/config/server-config.ts';
import { memorySource, principal } from './config-fixtures.ts';

/** The session a text gives somebody, with the server's own directive tables. */
async function session(text: string, who = principal(), anonymous = -1): Promise<EffectiveConfig> {
  const { config } = await loadConfig({
    file: '/etc/x.conf',
    text,
    version: 1,
    environment: {},
    source: memorySource({}),
  });
  const [main] = config.virtualHosts;
  assert.ok(main);
  const effective = createEffectiveConfig(structuredClone(config), main, who);
  return anonymous < 0 ? effective : effective.withPrincipal(who, main.anonymous[anonymous] ?? null);
}

const none = (): null => null;

function directory(path: string, ...lines: string[]): string {
  return `<Directory ${path}>\n${lines.join('\n')}\n</Directory>\n`;
}

/** Umask of files at a path: a value that is easy to tell apart. */
function umask(config: EffectiveConfig, path: string, home = '/home/bob'): string {
  return config.forPath(path, home, none).settings.umask.file.toString(8).padStart(3, '0');
}

test('without sections the documented defaults are in force, shared by all sessions', async () => {
  const config = await session('');
  assert.deepEqual(config.settings, DEFAULT_SETTINGS);
  assert.equal(config.withPrincipal(principal({ user: 'eve' }), null).settings, config.settings);
  assert.equal(config.forPath('/any/where', '/home/bob', none), config);
});

test('classes count at connect, users and groups only after login; the later and the more personal wins', async () => {
  const text = [
    'TimeoutIdle 1',
    '<IfUser bob>\nTimeoutIdle 5\n</IfUser>',
    '<IfGroup staff>\nTimeoutIdle 4\n</IfGroup>',
    '<IfAuthenticated>\nTimeoutIdle 3\n</IfAuthenticated>',
    '<IfClass lan>\nTimeoutIdle 2\n</IfClass>',
  ].join('\n');
  const config = await session(text, principal({ authenticated: false, user: 'bob', groups: ['staff'] }));
  const idle = (changes: Parameters<typeof principal>[0]): number =>
    config.withPrincipal(principal(changes), null).settings.timeoutIdle;
  assert.equal(config.settings.timeoutIdle, 1);
  assert.equal(idle({ authenticated: false, className: 'lan' }), 2);
  assert.equal(idle({ user: 'eve', className: 'lan' }), 3);
  assert.equal(idle({ user: 'eve', groups: ['staff'] }), 4);
  assert.equal(idle({ user: 'bob', groups: ['staff'] }), 5);
});

test('conditional values replace lists, but TLSOptions are added', async () => {
  const text = [
    'UserAlias a b\nTLSOptions StdEnvVars',
    '<IfUser bob>\nUserAlias c d\nTLSOptions NoSessionReuseRequired\n</IfUser>',
  ].join('\n');
  const { settings } = await session(text);
  assert.deepEqual(settings.userAlias, [{ alias: 'c', user: 'd' }]);
  assert.deepEqual(settings.tlsOptions.toSorted(), ['NoSessionReuseRequired', 'StdEnvVars']);
});

test('Anonymous narrows the server: its values win, its lists and limits come first', async () => {
  const text = [
    'TimeoutIdle 1\nUserAlias a b\n<Limit ALL>\nDenyAll\n</Limit>',
    '<Anonymous /srv/ftp>\nUser ftp\nTimeoutIdle 2\nUserAlias anonymous ftp\n<Limit READ>\nAllowAll\n</Limit>',
    '<IfClass lan>\nTimeoutIdle 3\n</IfClass>\n</Anonymous>',
  ].join('\n');
  const { settings, limitLevels } = await session(text, principal(), 0);
  assert.equal(settings.timeoutIdle, 2);
  assert.deepEqual(
    settings.userAlias.map((one) => one.alias),
    ['anonymous', 'a'],
  );
  assert.deepEqual(
    limitLevels.map((level) => level[0]?.commands),
    [['READ'], ['ALL']],
  );
  assert.equal((await session(text, principal({ className: 'lan' }), 0)).settings.timeoutIdle, 3);
});

test('limits of a conditional section stand inside those of the server', async () => {
  const text =
    '<Limit WRITE>\nDenyAll\n</Limit>\n<IfGroup staff>\n<Limit ALL>\nAllowAll\n</Limit>\n</IfGroup>';
  const { limitLevels } = await session(text, principal({ groups: ['staff'] }));
  assert.deepEqual(
    limitLevels.map((level) => level[0]?.commands),
    [['ALL'], ['WRITE']],
  );
});

test('the deepest Directory wins and inherits from those above it', async () => {
  const config = await session(
    directory('/a/b', 'Umask 002') +
      directory('/a', 'Umask 001', 'AllowOverwrite on') +
      directory('/', 'Umask 077'),
  );
  assert.deepEqual(
    ['/', '/a', '/a/x', '/a/b', '/a/b/c', '/ab'].map((path) => umask(config, path)),
    ['077', '001', '001', '002', '002', '077'],
  );
  assert.equal(config.forPath('/a/b/c', '', none).settings.allowOverwrite, true);
  assert.equal(config.forPath('/ab', '', none).settings.allowOverwrite, false);
});

test('limit levels of a path: innermost directory first, then the session', async () => {
  const limits = (command: string): string => `<Limit ${command}>\nDenyAll\n</Limit>`;
  const config = await session(
    `${limits('RETR')}\n${directory('/a', limits('DELE'))}${directory('/a/b', limits('STOR'))}`,
  );
  const { limitLevels } = config.forPath('/a/b/f', '', none);
  assert.deepEqual(
    limitLevels.map((level) => level[0]?.commands[0]),
    ['STOR', 'DELE', 'RETR'],
  );
});

test('patterns: /dir/* is the content only, a star crosses slashes, a literal path beats a pattern', async () => {
  const config = await session(
    directory('/d/*', 'Umask 001') + directory('/d/x', 'Umask 002') + directory('/home/*/in', 'Umask 003'),
  );
  assert.deepEqual(
    [
      '/d',
      '/d/y',
      '/d/y/z',
      '/d/x',
      '/d/x/y',
      '/home/bob/in/f',
      '/home/a/b/in',
      '/home/in',
      '/home/bob/inn',
    ].map((path) => umask(config, path)),
    ['022', '001', '001', '002', '002', '003', '003', '022', '022'],
  );
  const everything = await session(directory('/*', 'AllowOverwrite on'));
  assert.equal(everything.forPath('/srv/x', '', none).settings.allowOverwrite, true);
  assert.equal(everything.forPath('/', '', none), everything);
});

test('~ is the home of whoever is logged in; relative paths in Anonymous start at its root', async () => {
  const config = await session(directory('~/in', 'Umask 001') + directory('~', 'Umask 002'));
  assert.equal(umask(config, '/home/bob/in/f'), '001');
  assert.equal(umask(config, '/home/bob/x'), '002');
  assert.equal(umask(config, '/home/bob/x', '/home/eve'), '022');
  const anonymous = `<Anonymous /srv/ftp>\nUser ftp\n${directory('in/*', 'Umask 003')}</Anonymous>`;
  const inside = await session(anonymous, principal(), 0);
  assert.deepEqual(
    ['/srv/ftp/in', '/srv/ftp/in/f', '/in/f'].map((path) => umask(inside, path)),
    ['022', '003', '022'],
  );
});

test('.ftpaccess of every directory above a path is merged over Directory; AllowOverride off ignores them', async () => {
  const scope = parseFtpAccess('Umask 005\n<Limit STOR>\nDenyAll\n</Limit>', '/a/.ftpaccess').scope;
  const asked: string[] = [];
  const lookup = (path: string): Scope | null => {
    asked.push(path);
    return path === '/a' ? scope : null;
  };
  const config = await session(directory('/a', 'Umask 001'));
  const inside = config.forPath('/a/b', '', lookup);
  assert.equal(inside.settings.umask.file, 0o005);
  assert.deepEqual(
    inside.limitLevels.map((level) => level[0]?.commands),
    [['STOR']],
  );
  assert.deepEqual(asked, ['/', '/a', '/a/b']);
  const off = await session(`AllowOverride off\n${directory('/a', 'Umask 001')}`);
  assert.equal(off.forPath('/a/b', '', lookup).settings.umask.file, 0o001);
  assert.equal(asked.length, 3);
});

test('a path is merged once, and again only when its .ftpaccess changes', async () => {
  const config = await session(directory('/a', 'Umask 001'));
  assert.equal(config.forPath('/a/b', '', none), config.forPath('/a/b', '', none));
  const { scope } = parseFtpAccess('Umask 005', '/a/.ftpaccess');
  assert.equal(config.forPath('/a/b', '', () => scope).settings.umask.file, 0o005);
  assert.equal(umask(config, '/a/b'), '001');
});

test('an anonymous login is the User of a section or its alias; AuthAliasOnly wants the alias', async () => {
  const text = (extra: string): string =>
    `<Anonymous /srv/ftp>\nUser ftp\nUserAlias anonymous ftp\n${extra}\n</Anonymous>\n<IfClass lan>\n<Anonymous /srv/lan>\nUser lan\n</Anonymous>\n</IfClass>`;
  const config = await session(text(''));
  assert.equal(findAnonymousLogin(config, 'ftp')?.user, 'ftp');
  assert.equal(findAnonymousLogin(config, 'anonymous')?.section.root, '/srv/ftp');
  assert.equal(findAnonymousLogin(config, 'bob'), null);
  assert.equal(findAnonymousLogin(config, 'lan'), null);
  const inLan = config.withPrincipal(principal({ className: 'lan' }), null);
  assert.equal(findAnonymousLogin(inLan, 'lan')?.section.root, '/srv/lan');
  const strict = await session(text('AuthAliasOnly on'));
  assert.equal(findAnonymousLogin(strict, 'ftp'), null);
  assert.equal(findAnonymousLogin(strict, 'anonymous')?.user, 'ftp');
});

test('another virtual host of the listener brings its own values', async () => {
  const config = await session('TimeoutIdle 1\n<VirtualHost 192.0.2.5>\nTimeoutIdle 2\n</VirtualHost>');
  const [, second] = config.server.virtualHosts;
  assert.ok(second);
  assert.equal(config.withVirtualHost(second).settings.timeoutIdle, 2);
});

test('a .ftpaccess with an error denies everything; it reads no files, no environment, no foreign directives', () => {
  for (const text of [
    'Nonsense',
    'TimeoutIdle 5',
    'Include /etc/passwd',
    '<Limit STOR>',
    '<Directory /x>\n</Directory>',
  ]) {
    const { scope, findings } = parseFtpAccess(text, '/a/.ftpaccess');
    assert.equal(findings[0]?.kind, 'error', text);
    assert.deepEqual([scope.limits[0]?.commands, scope.limits[0]?.denyAll], [['ALL'], true], text);
  }
  const { scope } = parseFtpAccess('DirFakeUser on "x%{env:PATH}"', '/a/.ftpaccess');
  assert.deepEqual([scope.limits.length, scope.settings.dirFakeUser], [0, 'x']);
  assert.equal(parseFtpAccess('# only a comment', '/a/.ftpaccess').scope.limits.length, 0);
});

test('users cannot bring in expressions that could run away', () => {
  const denies = (line: string): boolean =>
    parseFtpAccess(line, '/a/.ftpaccess').scope.limits[0]?.denyAll === true;
  assert.ok(
    denies('PathDenyFilter ^(a+)+$') && denies('PathDenyFilter (a|aa)+b') && denies('PathDenyFilter (x)\\1*'),
  );
  assert.ok(
    denies('<Limit STOR>\nDenyFilter (.*)*x\n</Limit>') && denies(`PathDenyFilter ${'a*'.repeat(20)}`),
  );
  assert.ok(!denies('PathDenyFilter "\\\\.(exe|com)$"') && !denies('PathDenyFilter ^[a-z]+$'));
});

test('a .ftpaccess cannot make files belong to others, and cannot bring in expressions by the hundred', () => {
  const { scope, findings } = parseFtpAccess('UserOwner root\nGroupOwner staff', '/a/.ftpaccess');
  assert.deepEqual([scope.settings.userOwner, scope.settings.groupOwner], [undefined, 'staff']);
  assert.deepEqual([scope.limits.length, findings[0]?.kind], [0, 'no-effect']);
  const many = Array.from({ length: 20 }, () => '<Limit STOR>\nDenyFilter .*x.*y$\n</Limit>').join('\n');
  assert.equal(parseFtpAccess(many, '/a/.ftpaccess').scope.limits[0]?.denyAll, true);
});
