/**
 * Modules of ProFTPD that are not part of this server. What switches something on that protects or shows data is
 * refused; what only tunes it, or only opens a control channel nobody then has, is accepted and reported.
 */
import type { DirectiveRow } from '../directive-row.ts';
import { onOff } from '../values.ts';
import {
  absentEngine,
  companions,
  noEffect,
  refused,
  refusedNames,
  S,
  SVG,
  SVGA,
  SVGAD,
  SVGADf,
} from './contexts.ts';

const later = 'not part of this release yet';

const delay = { module: 'mod_delay', contexts: SVG };
const DELAY: readonly DirectiveRow[] = [
  noEffect({
    ...delay,
    name: 'DelayEngine',
    syntax: 'DelayEngine on|off',
    defaultText: 'on',
    check: onOff,
    because: 'unknown users and wrong passwords always take the same time here',
  }),
  noEffect({
    ...delay,
    name: 'DelayTable',
    contexts: S,
    syntax: 'DelayTable path|none',
    defaultText: 'none',
    because: 'no times are collected',
  }),
  noEffect({
    ...delay,
    name: 'DelayControlsACLs',
    contexts: S,
    syntax: 'DelayControlsACLs actions allow|deny user|group list',
    defaultText: 'nobody',
    because: 'there are no control actions, for anybody',
  }),
  refused({
    ...delay,
    name: 'DelayOnEvent',
    syntax: 'DelayOnEvent event milliseconds',
    defaultText: 'none',
    because: `delays of your own are ${later}; MaxLoginAttempts and MaxConnectionRate slow guessing down`,
  }),
];

const ctrls = { module: 'mod_ctrls', contexts: S };
const admin = { module: 'mod_ctrls_admin', contexts: S };
const noControls = 'there is no control socket, so nobody can give orders through one; use signals';
const CTRLS: readonly DirectiveRow[] = [
  noEffect({
    ...ctrls,
    name: 'ControlsEngine',
    syntax: 'ControlsEngine on|off',
    defaultText: 'off',
    check: onOff,
    because: noControls,
  }),
  ...companions(ctrls, 'ControlsEngine', [
    'ControlsACLs',
    'ControlsAuthFreshness',
    'ControlsInterval',
    'ControlsLog',
    'ControlsMaxClients',
    'ControlsSocket',
    'ControlsSocketACL',
    'ControlsSocketOwner',
  ]),
  noEffect({
    ...admin,
    name: 'AdminControlsEngine',
    syntax: 'AdminControlsEngine on|off|actions',
    defaultText: 'off',
    because: noControls,
  }),
  ...companions(admin, 'AdminControlsEngine', ['AdminControlsACLs']),
];

const ban = { module: 'mod_ban', contexts: SVG };
const BAN: readonly DirectiveRow[] = [
  absentEngine(
    ban,
    'BanEngine',
    'off',
    `bans are ${later}; use MaxLoginAttempts, MaxConnectionsPerHost and a log watcher such as fail2ban`,
  ),
  ...companions(ban, 'BanEngine', [
    'BanCache',
    'BanCacheOptions',
    'BanControlsACLs',
    'BanLog',
    'BanMessage',
    'BanOnEvent',
    'BanOptions',
    'BanTable',
  ]),
];

const quota = { module: 'mod_quotatab', contexts: SVG };
const QUOTA: readonly DirectiveRow[] = [
  absentEngine(
    quota,
    'QuotaEngine',
    'off',
    `quotas are ${later}; use quotas of the file system, or MaxStoreFileSize`,
  ),
  ...companions(quota, 'QuotaEngine', [
    'QuotaDefault',
    'QuotaDirectoryTally',
    'QuotaDisplayUnits',
    'QuotaExcludeFilter',
    'QuotaLimitTable',
    'QuotaLock',
    'QuotaLog',
    'QuotaOptions',
    'QuotaShowQuotas',
    'QuotaTallyTable',
  ]),
];

const ratio = { module: 'mod_ratio', contexts: SVGAD };
const RATIO: readonly DirectiveRow[] = [
  absentEngine(ratio, 'Ratios', 'off', 'upload and download ratios are not implemented; remove the line'),
  ...companions(ratio, 'Ratios', [
    'AnonRatio',
    'ByteRatioErrMsg',
    'CwdRatioMsg',
    'FileRatioErrMsg',
    'GroupRatio',
    'HostRatio',
    'LeechRatioMsg',
    'RatioFile',
    'RatioTempFile',
    'SaveRatios',
    'UserRatio',
  ]),
];

const wrap2 = { module: 'mod_wrap2', contexts: SVG };
const WRAP: readonly DirectiveRow[] = [
  absentEngine(
    wrap2,
    'WrapEngine',
    'off',
    `access tables are ${later}; use <Limit LOGIN> with Allow from and Deny from`,
  ),
  ...companions(wrap2, 'WrapEngine', [
    'WrapAllowMsg',
    'WrapDenyMsg',
    'WrapGroupTables',
    'WrapLog',
    'WrapOptions',
    'WrapServiceName',
    'WrapTables',
    'WrapUserTables',
  ]),
  ...refusedNames({ module: 'mod_wrap', contexts: SVGA }, 'use <Limit LOGIN> with Allow from and Deny from', [
    'TCPAccessFiles',
    'TCPGroupAccessFiles',
    'TCPUserAccessFiles',
  ]),
  ...companions({ module: 'mod_wrap', contexts: SVGA }, 'TCPAccessFiles', [
    'TCPAccessSyslogLevels',
    'TCPServiceName',
  ]),
];

const copy = { module: 'mod_copy', contexts: SVGA };
const digest = { module: 'mod_digest', contexts: SVGA };
const deflate = { module: 'mod_deflate', contexts: SVG };
const misc = { module: 'mod_site_misc', contexts: SVGA };
const COMMANDS: readonly DirectiveRow[] = [
  absentEngine(copy, 'CopyEngine', 'off', `SITE COPY is ${later}`),
  ...companions(copy, 'CopyEngine', ['CopyOptions']),
  absentEngine(digest, 'DigestEngine', 'off', `HASH and XCRC, XMD5, XSHA are ${later}`),
  ...companions({ ...digest, contexts: SVGADf }, 'DigestEngine', [
    'DigestAlgorithms',
    'DigestCache',
    'DigestDefaultAlgorithm',
    'DigestEnable',
    'DigestMaxSize',
    'DigestOptions',
  ]),
  absentEngine(deflate, 'DeflateEngine', 'off', `MODE Z is ${later}`),
  ...companions(deflate, 'DeflateEngine', ['DeflateLog']),
  absentEngine(
    misc,
    'SiteMiscEngine',
    'off',
    `SITE MKDIR, RMDIR, SYMLINK and UTIME are ${later}; use MKD, RMD, MFMT`,
  ),
];

const vroot = { module: 'mod_vroot', contexts: SVG };
const VROOT: readonly DirectiveRow[] = [
  noEffect({
    ...vroot,
    name: 'VRootEngine',
    syntax: 'VRootEngine on|off',
    defaultText: 'off',
    check: onOff,
    because: 'DefaultRoot never uses chroot(2) here: every path is kept below the root',
  }),
  noEffect({
    ...vroot,
    name: 'VRootAlias',
    syntax: 'VRootAlias source destination',
    defaultText: 'none',
    because: 'nothing outside its root is shown to a user, so the alias is missing; use a bind mount',
  }),
  ...companions(vroot, 'mod_vroot', ['VRootLog', 'VRootServerRoot']),
  refused({
    ...vroot,
    name: 'VRootOptions',
    syntax: 'VRootOptions AllowSymlinks',
    defaultText: 'none',
    because: 'symbolic links that leave the root are never followed; use a bind mount',
  }),
];

const ifsession = { module: 'mod_ifsession', contexts: SVG };
const dynmasq = { module: 'mod_dynmasq', contexts: S };
const exec = { module: 'mod_exec', contexts: SVGAD };
const rewrite = { module: 'mod_rewrite', contexts: SVGAD };
const SINGLE: readonly DirectiveRow[] = [
  refused({
    ...ifsession,
    name: 'IfSessionOptions',
    syntax: 'IfSessionOptions PerUnauthenticatedUser',
    defaultText: 'none',
    because: 'sections for users take effect after login only; put what must hold before it at server level',
  }),
  noEffect({
    ...dynmasq,
    name: 'DynMasqRefresh',
    syntax: 'DynMasqRefresh seconds',
    defaultText: 'none',
    because: 'the name in MasqueradeAddress is looked up at start and on SIGHUP',
  }),
  ...companions(dynmasq, 'mod_dynmasq', ['DynMasqControlsACLs']),
  absentEngine(exec, 'ExecEngine', 'off', 'programs are never started for a session'),
  ...companions(exec, 'ExecEngine', [
    'ExecBeforeCommand',
    'ExecEnviron',
    'ExecLog',
    'ExecOnCommand',
    'ExecOnConnect',
    'ExecOnError',
    'ExecOnEvent',
    'ExecOnExit',
    'ExecOnRestart',
    'ExecOptions',
    'ExecTimeout',
  ]),
  absentEngine(rewrite, 'RewriteEngine', 'off', 'command arguments are never rewritten'),
  ...companions(rewrite, 'RewriteEngine', [
    'RewriteCondition',
    'RewriteLock',
    'RewriteLog',
    'RewriteMap',
    'RewriteRule',
  ]),
  absentEngine(
    { module: 'mod_shaper', contexts: S },
    'ShaperEngine',
    'off',
    'use TransferRate, which limits a session',
  ),
  ...companions({ module: 'mod_shaper', contexts: SVG }, 'ShaperEngine', [
    'ShaperAll',
    'ShaperControlsACLs',
    'ShaperLog',
    'ShaperSession',
    'ShaperTable',
  ]),
  ...refusedNames(
    { module: 'mod_load', contexts: SVG },
    'the load of the machine is not watched; use MaxInstances',
    ['MaxLoad'],
  ),
  ...['QoSOptions'].map((name) =>
    noEffect({
      module: 'mod_qos',
      contexts: SVG,
      name,
      syntax: `${name} ...`,
      defaultText: 'none',
      because: 'packets are not marked; mark them in the firewall',
    }),
  ),
  noEffect({
    module: 'mod_facl',
    contexts: SVG,
    name: 'FACLEngine',
    syntax: 'FACLEngine on|off',
    defaultText: 'on',
    check: onOff,
    because: 'the kernel itself applies POSIX ACLs',
  }),
  noEffect({
    module: 'mod_statcache',
    contexts: S,
    name: 'StatCacheEngine',
    syntax: 'StatCacheEngine on|off',
    defaultText: 'off',
    because: 'file attributes are not cached',
  }),
  ...companions({ module: 'mod_statcache', contexts: S }, 'StatCacheEngine', [
    'StatCacheCapacity',
    'StatCacheControlsACLs',
    'StatCacheMaxAge',
    'StatCacheTable',
  ]),
  noEffect({
    module: 'mod_unique_id',
    contexts: SVG,
    name: 'UniqueIDEngine',
    syntax: 'UniqueIDEngine on|off',
    defaultText: 'on',
    because: 'UNIQUE_ID is not made; the structured log numbers sessions',
  }),
  noEffect({
    module: 'mod_cap',
    contexts: S,
    name: 'CapabilitiesEngine',
    syntax: 'CapabilitiesEngine on|off',
    defaultText: 'on',
    because: 'which privileges are kept follows from RootRevoke and the system the server runs on',
  }),
  ...companions({ module: 'mod_cap', contexts: S }, 'CapabilitiesEngine', [
    'CapabilitiesRootRevoke',
    'CapabilitiesSet',
  ]),
  absentEngine(
    { module: 'mod_dnsbl', contexts: SVG },
    'DNSBLEngine',
    'off',
    'look-ups in block lists are not implemented',
  ),
  ...companions({ module: 'mod_dnsbl', contexts: SVG }, 'DNSBLEngine', [
    'DNSBLDomain',
    'DNSBLLog',
    'DNSBLPolicy',
  ]),
  absentEngine(
    { module: 'mod_geoip', contexts: SVG },
    'GeoIPEngine',
    'off',
    'countries of addresses are not known; use <Class>',
  ),
  ...companions({ module: 'mod_geoip', contexts: SVG }, 'GeoIPEngine', [
    'GeoIPAllowFilter',
    'GeoIPDenyFilter',
    'GeoIPLog',
    'GeoIPPolicy',
    'GeoIPTable',
  ]),
  absentEngine({ module: 'mod_snmp', contexts: S }, 'SNMPEngine', 'off', 'there is no SNMP agent'),
  ...companions({ module: 'mod_snmp', contexts: S }, 'SNMPEngine', [
    'SNMPAgent',
    'SNMPCommunity',
    'SNMPLog',
    'SNMPTables',
  ]),
  noEffect({
    module: 'mod_memcache',
    contexts: SVG,
    name: 'MemcacheEngine',
    syntax: 'MemcacheEngine on|off',
    defaultText: 'off',
    check: onOff,
    because: 'nothing is kept in memcached',
  }),
  ...companions({ module: 'mod_memcache', contexts: SVG }, 'MemcacheEngine', [
    'MemcacheLog',
    'MemcacheServers',
  ]),
  noEffect({
    module: 'mod_redis',
    contexts: SVG,
    name: 'RedisEngine',
    syntax: 'RedisEngine on|off',
    defaultText: 'off',
    check: onOff,
    because: 'nothing is kept in Redis',
  }),
  ...companions({ module: 'mod_redis', contexts: SVG }, 'RedisEngine', [
    'RedisLog',
    'RedisServer',
    'RedisTimeouts',
  ]),
];

const accounts =
  'accounts are read from AuthUserFile, LockgateUserStore or the system; export them to one of these';
const sql = { module: 'mod_sql', contexts: SVG };
const ldap = { module: 'mod_ldap', contexts: SVG };
const radius = { module: 'mod_radius', contexts: SVG };
const DATABASES: readonly DirectiveRow[] = [
  absentEngine(sql, 'SQLEngine', 'on', accounts),
  absentEngine(sql, 'SQLAuthenticate', 'on', accounts),
  ...refusedNames(sql, accounts, ['SQLConnectInfo', 'SQLNamedConnectInfo']),
  ...companions(sql, 'SQLConnectInfo', [
    'SQLAuthTypes',
    'SQLBackend',
    'SQLDefaultGID',
    'SQLDefaultHomedir',
    'SQLDefaultUID',
    'SQLGroupInfo',
    'SQLGroupWhereClause',
    'SQLLog',
    'SQLLogFile',
    'SQLLogOnEvent',
    'SQLMinID',
    'SQLMinUserGID',
    'SQLMinUserUID',
    'SQLNamedQuery',
    'SQLNegativeCache',
    'SQLOptions',
    'SQLPasswordEncoding',
    'SQLPasswordEngine',
    'SQLPasswordSaltFile',
    'SQLPasswordUserSalt',
    'SQLShowInfo',
    'SQLUserInfo',
    'SQLUserPrimaryKey',
    'SQLUserWhereClause',
  ]),
  ...refusedNames(ldap, accounts, ['LDAPServer', 'LDAPUsers', 'LDAPGroups']),
  ...companions(ldap, 'LDAPServer', [
    'LDAPAliasDereference',
    'LDAPAttr',
    'LDAPAuthBinds',
    'LDAPBindDN',
    'LDAPConnectTimeout',
    'LDAPDefaultAuthScheme',
    'LDAPDefaultGID',
    'LDAPDefaultQuota',
    'LDAPDefaultUID',
    'LDAPForceDefaultGID',
    'LDAPForceDefaultUID',
    'LDAPForceGeneratedHomedir',
    'LDAPGenerateHomedir',
    'LDAPGenerateHomedirPrefix',
    'LDAPLog',
    'LDAPProtocolVersion',
    'LDAPQueryTimeout',
    'LDAPSearchScope',
    'LDAPUseTLS',
  ]),
  absentEngine(radius, 'RadiusEngine', 'off', accounts),
  ...companions(radius, 'RadiusEngine', [
    'RadiusAcctServer',
    'RadiusAuthServer',
    'RadiusGroupInfo',
    'RadiusLog',
    'RadiusNASIdentifier',
    'RadiusOptions',
    'RadiusQuotaInfo',
    'RadiusRealm',
    'RadiusUserInfo',
    'RadiusVendor',
  ]),
];

export const CONTRIB: readonly (readonly DirectiveRow[])[] = [
  DELAY,
  CTRLS,
  BAN,
  QUOTA,
  RATIO,
  WRAP,
  COMMANDS,
  VROOT,
  SINGLE,
  DATABASES,
];
