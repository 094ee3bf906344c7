/** What -v, -vv, -V, -l and --help print. Scripts ask these often, so nothing of the server is loaded for them. */
import { arch, platform, release, type } from 'node:os';
import { MODULES } from '../config/modules.ts';
import { LOCKGATE_VERSION, MOD_TLS_VERSION, PROFTPD_VERSION } from '../version.ts';
import { FLAGS } from './command-line.ts';

/** -v */
export function versionText(): string {
  return `ProFTPD Version ${PROFTPD_VERSION} (Lockgate ${LOCKGATE_VERSION})\n`;
}

/** -vv */
export function versionStatusText(): string {
  const modules = MODULES.map(({ name, version }) => `  ${name}/${version}\n`).join('');
  return `${versionText()}  Scoreboard Version: none\n  Node.js Version: ${process.versions.node}\n  OpenSSL Version: ${process.versions.openssl}\n\nLoaded modules:\n${modules}`;
}

/** -l */
export function modulesText(): string {
  return `Compiled-in modules:\n${MODULES.map(({ name }) => `  ${name}.c\n`).join('')}`;
}

/** -V */
export function settingsText(): string {
  const features: readonly (readonly [present: boolean, text: string])[] = [
    [true, 'Autoshadow support'],
    [false, 'Controls support'],
    [true, 'IPv6 support'],
    [true, 'Largefile support'],
    [false, 'Lastlog support'],
    [false, 'Memcache support'],
    [true, 'NLS support'],
    [true, `OpenSSL support (OpenSSL ${process.versions.openssl})`],
    [false, 'PCRE support'],
    [false, 'POSIX ACL support'],
    [false, 'Redis support'],
    [process.platform === 'linux', 'Sendfile support'],
    [true, 'Shadow file support'],
    [true, 'Sqlite support (user store)'],
    [true, 'Trace support'],
    [false, 'xattr support'],
  ];
  const lines = features.map(([present, text]) => `    ${present ? '+' : '-'} ${text}`).join('\n');
  const modules = MODULES.map(({ name }) => name).join(':');
  return `Compile-time Settings:
  Version: ${PROFTPD_VERSION} (stable)
  Lockgate Version: ${LOCKGATE_VERSION}
  Platform: ${platform().toUpperCase()} [${type()} ${release()} ${arch()}]
  Built With:
    configure  '--with-modules=${modules}'

  Files:
    Configuration File:
      given with -c, else lockgate.conf in the state folder
    Pid File:
      PidFile, else /run/lockgate.pid (root) or lockgate.pid in the state folder

  Features:
${lines}

  Tunable Options:
    PR_TUNABLE_TLS_MODULE_VERSION = ${MOD_TLS_VERSION}
    PR_TUNABLE_BUFFER_SIZE = 524288
    PR_TUNABLE_DEFAULT_RCVBUFSZ = system
    PR_TUNABLE_LOGIN_MAX = 256
`;
}

/** --help */
export function helpText(): string {
  const rows = FLAGS.map(({ short, long, value, help }) => {
    const names = `${short === null ? '    ' : `-${short}, `}--${long}${value === null ? '' : ` ${value}`}`;
    return `  ${names.padEnd(26)} ${help}\n`;
  });
  return `usage: lockgate [options]
       lockgate user add|passwd|list|remove|key|totp [NAME] [options]
       lockgate check -c FILE
       lockgate fips status|install|self-test|report [--json]

Without -c a safe server for this machine is set up in the state folder and started.

${rows.join('')}  ${'-vv'.padEnd(26)} as --version-status
`;
}
