import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  allDirectives,
  DEFAULT_SETTINGS,
  findDirective,
  isModuleAvailable,
  MODULES,
  suggestDirective,
} from '../../../src/config/registry.ts';
import { judgeLine, messageOf, valueOf } from './judge-line.ts';

test('names are found in any case, unknown ones are not', () => {
  assert.equal(findDirective('usesendFILE')?.name, 'UseSendfile');
  assert.equal(findDirective('NoSuchDirective'), undefined);
});

test('a misspelt name gets the nearest known one, a foreign word none', () => {
  assert.equal(suggestDirective('TimeoutIdel'), 'TimeoutIdle');
  assert.equal(suggestDirective('PasivePorts'), 'PassivePorts');
  assert.equal(suggestDirective('TLSRequire'), 'TLSRequired');
  assert.equal(suggestDirective('Frobnicate'), null);
});

test('modules are known with and without .c, in any case; absent ones are not available', () => {
  for (const name of ['mod_tls.c', 'mod_tls', 'MOD_CORE.C', 'mod_lockgate'])
    assert.ok(isModuleAvailable(name), name);
  for (const name of ['mod_sftp_sql.c', 'mod_delay.c', 'mod_sql', ''])
    assert.ok(!isModuleAvailable(name), name);
  assert.equal(MODULES.find((module) => module.name === 'mod_tls')?.version, '2.9.3');
});

test('an engine this server does not have may be off, and is refused when on', () => {
  const engines = ['QuotaEngine', 'BanEngine', 'WrapEngine', 'Ratios', 'CopyEngine', 'DigestEngine'];
  for (const name of [...engines, 'DeflateEngine', 'AuthPAM', 'RewriteHome', 'RadiusEngine']) {
    assert.equal(judgeLine(`${name} off`).kind, 'no-effect', name);
    assert.equal(judgeLine(`${name} on`).kind, 'refused', name);
  }
});

test('a refusal says what to use instead', () => {
  const judgement = judgeLine('BanEngine on');
  assert.ok(judgement.kind === 'refused');
  assert.match(judgement.because, /fail2ban/);
});

test('harmless lines of stock configurations are accepted with a reason', () => {
  const lines = [
    'MultilineRFC2228 on',
    'DelayEngine on',
    'ControlsEngine on',
    'ControlsMaxClients 2',
    'AdminControlsEngine off',
    'UseLastlog on',
    'PersistentPasswd off',
    'AuthPAMConfig proftpd',
    'VRootEngine on',
    'VRootAlias /etc/security/pam_env.conf etc/security/pam_env.conf',
    'DynMasqRefresh 28800',
    'ScoreboardFile /run/proftpd.scoreboard',
    'ModulePath /usr/lib/proftpd',
    'ModuleControlsACLs insmod,rmmod allow user root',
    'TLSRandomSeed /dev/urandom',
    'TLSCryptoDevice none',
    'TLSCryptoDevice ALL',
    'RLimitMemory session max',
  ];
  for (const line of lines) {
    const judgement = judgeLine(line);
    assert.ok(judgement.kind === 'no-effect' && judgement.because !== '', line);
  }
});

test('what would weaken security when ignored is refused', () => {
  const lines = [
    'TLSServerInfoFile /etc/ssl/serverinfo.pem',
    'SFTPPAMServiceName sshd',
    'TCPAccessFiles /a /b',
    'RLimitMemory session 64M',
    'RegexOptions MatchLimit 100',
    'IfSessionOptions PerUnauthenticatedUser',
    'SQLConnectInfo db@host',
    'FTPHomeDir /home',
  ];
  for (const line of lines) assert.equal(judgeLine(line).kind, 'refused', line);
});

test('a directive without effect still refuses parameters that are wrong', () => {
  assert.equal(messageOf('DelayEngine sometimes'), 'expected Boolean parameter');
  assert.equal(messageOf('QuotaEngine on'), null);
  assert.equal(messageOf('ScoreboardFile scoreboard'), 'must be an absolute path: scoreboard');
});

test('what the operator should read comes with the value', () => {
  const warned = (line: string): string | undefined => {
    const judgement = judgeLine(line);
    return judgement.kind === 'value' ? judgement.warning : undefined;
  };
  assert.match(warned('AuthOrder mod_auth_pam.c* mod_auth_unix.c') ?? '', /PAM is not asked/);
  assert.match(warned('TLSProtocol TLSv1') ?? '', /modern clients cannot connect/);
  assert.match(warned('TLSCipherSuite PROFILE=SYSTEM') ?? '', /is used instead/);
  assert.match(warned('TLSOptions NoCertRequest') ?? '', /deprecated/);
  assert.match(warned('LogOptions +RoleBasedProcessLabels') ?? '', /has no effect/);
  assert.equal(warned('TLSProtocol TLSv1.2 TLSv1.3'), undefined);
});

test("lines of Apache's mod_ftp set what their counterparts set", () => {
  const lines: readonly (readonly [string, string])[] = [
    ['FTPPASVrange 50000 50100', 'PassivePorts 50000 50100'],
    ['FTPPASVaddr 192.0.2.1', 'MasqueradeAddress 192.0.2.1'],
    ['FTPUmask 027', 'Umask 027'],
    ['FTPTimeoutLogin 60', 'TimeoutLogin 60'],
    ['FTPTimeoutIdle 60', 'TimeoutIdle 60'],
    ['FTPTimeoutData 60', 'TimeoutStalled 60'],
    ['FTPMaxLoginAttempts 4', 'MaxLoginAttempts 4'],
    ['FTPLimitLoginIP 4', 'MaxClientsPerHost 4'],
    ['FTPJailUser on', 'DefaultRoot ~'],
    ['FTPImplicitSSL On', 'TLSOptions UseImplicitSSL'],
    ['FTPOptions RequireSSL', 'TLSRequired on'],
    ['FTPBannerMessage "Hello"', 'ServerIdent on "Hello"'],
    ['DocumentRoot /srv/ftp', 'DefaultRoot /srv/ftp'],
    ['SSLEngine on', 'TLSEngine on'],
    ['SSLProtocol all -TLSv1 -TLSv1.1', 'TLSProtocol ALL -TLSv1 -TLSv1.1'],
    ['SSLCipherSuite SSL HIGH', 'TLSCipherSuite HIGH'],
    ['SSLVerifyClient require', 'TLSVerifyClient on'],
    ['SSLVerifyDepth 2', 'TLSVerifyDepth 2'],
    ['SSLSessionCacheTimeout 300', 'TLSSessionCache internal:300'],
    ['SSLOptions +StdEnvVars', 'TLSOptions StdEnvVars'],
    ['SSLPassPhraseDialog exec:/usr/bin/pass', 'TLSPassPhraseProvider /usr/bin/pass'],
    ['SSLCertificateChainFile /c.pem', 'TLSCertificateChainFile /c.pem'],
  ];
  for (const [line, counterpart] of lines) {
    const [own, other] = [judgeLine(line), judgeLine(counterpart)];
    assert.ok(own.kind === 'value' && other.kind === 'value', line);
    assert.deepEqual(own.settings, other.settings, line);
  }
});

test('what mod_ftp alone can do is refused, and says what to use', () => {
  for (const line of [
    'FTPActiveRange 20',
    'FTPDirUmask 077',
    'Listen 990 ftps',
    'CustomLog logs/x common',
    'FTP off',
  ]) {
    assert.equal(judgeLine(line).kind, 'refused', line);
  }
  assert.equal(judgeLine('FTP On').kind, 'no-effect');
  assert.equal(judgeLine('Listen 21 ftp').kind, 'no-effect');
  assert.equal(
    messageOf('FTPOptions VirtualHostByUser'),
    'FTPOptions VirtualHostByUser is not supported; only RequireSSL is',
  );
  assert.equal(messageOf('SSLCertificateFile conf/server.crt'), 'must be an absolute path: conf/server.crt');
});

test('SSLCertificateKeyFile goes by the kind of key in the file, RSA where it cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-directives-'));
  const pem = (pair: { privateKey: { export(options: object): string | Buffer } }): string =>
    pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  writeFileSync(join(folder, 'ec.key'), pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' })));
  writeFileSync(join(folder, 'rsa.key'), pem(generateKeyPairSync('rsa', { modulusLength: 2048 })));
  const key = (name: string): unknown => valueOf(`SSLCertificateKeyFile ${join(folder, name)}`);
  assert.deepEqual(key('ec.key'), { tlsECCertificateKeyFile: join(folder, 'ec.key') });
  assert.deepEqual(key('rsa.key'), { tlsRSACertificateKeyFile: join(folder, 'rsa.key') });
  assert.deepEqual(key('none.key'), { tlsRSACertificateKeyFile: join(folder, 'none.key') });
});

test('defaults are frozen at every depth and are the documented ones', () => {
  assert.ok(Object.isFrozen(DEFAULT_SETTINGS) && Object.isFrozen(DEFAULT_SETTINGS.authOrder[0]));
  assert.equal(DEFAULT_SETTINGS.timeoutIdle, 600);
  assert.equal(DEFAULT_SETTINGS.allowOverwrite, false);
  assert.equal(DEFAULT_SETTINGS.allowRetrieveRestart, true);
  assert.equal(DEFAULT_SETTINGS.rootLogin, false);
  assert.equal(DEFAULT_SETTINGS.tlsVerifyDepth, 9);
});

test('Boolean words are those of ProFTPD in any case', () => {
  for (const word of ['on', 'YES', 'True', '1']) assert.equal(valueOf(`AllowOverwrite ${word}`), true);
  for (const word of ['off', 'NO', 'False', '0']) assert.equal(valueOf(`AllowOverwrite ${word}`), false);
});

test('a default that the parser can read comes to the value that is in force', () => {
  const words = new Set(['on', 'off']);
  for (const row of allDirectives()) {
    if (row.status !== 'works' || (!words.has(row.defaultText) && !/^\d+$/.test(row.defaultText))) continue;
    assert.deepEqual(valueOf(`${row.name} ${row.defaultText}`), DEFAULT_SETTINGS[row.key], row.name);
  }
});
