/** The directive tables: complete, each setting from one row, and docs/directives.md made from them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderDirectiveDocs } from '../../src/config/directive-docs.ts';
import { allDirectives, DEFAULT_SETTINGS, findDirective, MODULES } from '../../src/config/registry.ts';

const ROWS = allDirectives();

/** Settings that more than one row sets, or that a row sets together with another. */
const SHARED = new Map([
  ['setEnv', 'SetEnv and UnsetEnv write one list, in file order'],
  ['tlsCipherSuite', 'TLSCipherSuite sets this or its TLS 1.3 list'],
  ['tlsCipherSuite13', 'TLSCipherSuite sets this or the list of earlier versions'],
]);

test('every setting is set by exactly one working row, but for a few with a reason', () => {
  for (const key of Object.keys(DEFAULT_SETTINGS)) {
    const setters = ROWS.filter((row) => row.status === 'works' && row.key === key).map((row) => row.name);
    if (SHARED.has(key)) assert.notEqual(setters.length, 1, `${key} need not be in the list`);
    else assert.equal(setters.length, 1, `${key}: ${setters.join(', ')}`);
  }
});

test('every row names only settings that exist', () => {
  for (const row of ROWS) if (row.status === 'works') assert.ok(row.key in DEFAULT_SETTINGS, row.name);
});

test('every row has syntax, default, contexts, module and a sentence', () => {
  for (const row of ROWS) {
    assert.ok(row.syntax.startsWith(row.name), `syntax of ${row.name}`);
    assert.notEqual(row.defaultText, '', `default of ${row.name}`);
    assert.ok(row.contexts.length > 0, `contexts of ${row.name}`);
    assert.equal(new Set(row.contexts).size, row.contexts.length, `contexts of ${row.name} repeat`);
    assert.match(row.module, /^mod_[a-z0-9_]+$/, row.name);
    const works = row.status === 'works' || row.status === 'builder';
    if (works) assert.match(row.summary, /\S\.$/, `summary of ${row.name}`);
    else assert.ok(row.because.length > 10 && !row.because.endsWith('.'), `reason of ${row.name}`);
  }
});

test('a working row of ProFTPD belongs to a module that -l lists', () => {
  const listed = new Set([...MODULES.map((module) => module.name), 'mod_ftp', 'mod_ssl']);
  for (const row of ROWS)
    if (row.status === 'works') assert.ok(listed.has(row.module), `${row.name}: ${row.module}`);
});

test('docs/directives.md is what the tables say', () => {
  const page = readFileSync(new URL('../../docs/directives.md', import.meta.url), 'utf8');
  assert.equal(page, renderDirectiveDocs(ROWS, MODULES), 'run `npm run docs`');
});

/** Names found in the configurations distributions ship. */
const STOCK = `
Include UseIPv6 IdentLookups ServerName ServerType DeferWelcome MultilineRFC2228 DefaultServer ShowSymlinks
TimeoutNoTransfer TimeoutStalled TimeoutIdle DisplayLogin DisplayChdir ListOptions DenyFilter DefaultRoot
RequireValidShell Port PassivePorts MasqueradeAddress DynMasqRefresh MaxInstances User Group Umask AllowOverwrite
PersistentPasswd AuthPAMConfig AuthOrder UseSendFile TransferLog SystemLog UseLastlog SetEnv QuotaEngine Ratios
DelayEngine ControlsEngine ControlsMaxClients ControlsLog ControlsInterval ControlsSocket ControlsACLs
ControlsSocketACL AdminControlsEngine AdminControlsACLs ServerIdent ServerAdmin VRootEngine VRootAlias AuthPAM
UseReverseDNS LoadModule ModulePath ModuleControlsACLs HideUser HideGroup MaxClients LogFormat ExtendedLog
BanEngine BanControlsACLs BanLog BanMessage BanOnEvent BanTable AllowAll DenyAll AllowUser DenyUser UserAlias
TLSEngine TLSRequired TLSRSACertificateFile TLSRSACertificateKeyFile TLSCipherSuite TLSOptions TLSVerifyClient
TLSRenegotiate TLSSessionCache TLSLog TLSProtocol
`;

test('every directive of stock configurations has a row', () => {
  const names = STOCK.trim().split(/\s+/);
  assert.deepEqual(
    names.filter((name) => findDirective(name) === undefined),
    [],
  );
});
