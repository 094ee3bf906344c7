/** mod_auth, mod_auth_file, mod_auth_unix, mod_auth_pam: accounts and login (reference, section 3). */
import { ConfigError } from '../config-error.ts';
import { works, type Context, type DirectiveRow, type ParseInput } from '../directive-row.ts';
import type { Settings } from '../server-config.ts';
import { displayPath, expectCount, integer, onOff, oneName, options, someWords } from '../values.ts';
import { createHome, passwordFile, rootedDirectory } from '../values-limits.ts';
import { filterParameter } from '../values-regex.ts';
import { isOff, noEffect, refused, S, SVG, SVGA } from './contexts.ts';

const module = 'mod_auth';
const A: readonly Context[] = ['A'];
const AUTH_MODULES: readonly string[] = ['mod_lockgate', 'mod_auth_file', 'mod_auth_unix'];
const PAM = 'mod_auth_pam';

interface OrderEntry {
  readonly module: string;
  readonly authoritative: boolean;
}

function orderEntry(word: string): OrderEntry {
  const authoritative = word.endsWith('*');
  const name = (authoritative ? word.slice(0, -1) : word).toLowerCase().replace(/\.c$/, '');
  return { module: name, authoritative };
}

/**
 * PAM itself is never asked. Where PAM would decide alone, that could let somebody in whom it refuses, so it is
 * accepted only in front of mod_auth_unix, which reads the same /etc/shadow with its expiry fields: the order
 * that distributions ship.
 */
function authOrder(input: ParseInput): Settings['authOrder'] {
  const entries = someWords(input).map(orderEntry);
  const seen = new Set<string>();
  for (const entry of entries) {
    if (entry.module !== PAM && !AUTH_MODULES.includes(entry.module)) {
      throw new ConfigError(
        `'${entry.module}.c' is not available; use ${AUTH_MODULES.map((name) => `${name}.c`).join(', ')}`,
      );
    }
    if (seen.has(entry.module)) throw new ConfigError(`'${entry.module}.c' is named twice`);
    seen.add(entry.module);
  }
  const pam = entries.findIndex((entry) => entry.module === PAM);
  const behindPam = entries.slice(pam + 1);
  if (
    pam >= 0 &&
    entries[pam]!.authoritative &&
    !behindPam.some((entry) => entry.module === 'mod_auth_unix')
  ) {
    throw new ConfigError("'mod_auth_pam.c*' is not available; use mod_auth_unix.c or mod_auth_file.c");
  }
  const order = entries.filter((entry) => entry.module !== PAM);
  if (order.length === 0) {
    throw new ConfigError(
      "'mod_auth_pam.c' is not available; name mod_auth_unix.c or mod_auth_file.c behind it",
    );
  }
  return order;
}

function warnAuthOrder(input: ParseInput): string | null {
  const modules = input.args.map((word) => orderEntry(word).module);
  if (!modules.includes(PAM)) return null;
  return modules.includes('mod_auth_unix')
    ? 'mod_auth_pam.c is skipped: PAM is not asked, passwords and expiry of /etc/shadow decide (mod_auth_unix.c)'
    : 'mod_auth_pam.c is skipped: PAM is not asked, the other modules decide';
}

function userAlias(input: ParseInput): Settings['userAlias'] {
  const [alias, user] = expectCount(input, 2);
  if (alias === user) throw new ConfigError(`alias and real user names are identical: '${alias!}'`);
  return [{ alias: alias!, user: user! }];
}

function namedHash(input: ParseInput): readonly { readonly name: string; readonly hash: string }[] {
  const [name, hash] = expectCount(input, 2);
  return [{ name: name!, hash: hash! }];
}

export const AUTH: readonly DirectiveRow[] = [
  works({
    name: 'AuthOrder',
    key: 'authOrder',
    merge: 'replace',
    module: 'mod_core',
    contexts: SVG,
    syntax: 'AuthOrder module.c[*] ...',
    defaultText: 'mod_lockgate.c mod_auth_file.c mod_auth_unix.c',
    parse: authOrder,
    warn: warnAuthOrder,
    summary: 'Where accounts are looked for, in order; a module with `*` decides alone.',
  }),
  works({
    name: 'AuthUserFile',
    key: 'authUserFile',
    merge: 'append',
    module: 'mod_auth_file',
    contexts: SVG,
    syntax: 'AuthUserFile path [id min-max] [home regex] [name regex]',
    defaultText: 'none',
    parse: passwordFile,
    summary: 'Accounts in passwd(5) format; entries the filters do not match are not seen.',
  }),
  works({
    name: 'AuthGroupFile',
    key: 'authGroupFile',
    merge: 'append',
    module: 'mod_auth_file',
    contexts: SVG,
    syntax: 'AuthGroupFile path [id min-max] [name regex]',
    defaultText: 'none',
    parse: passwordFile,
    summary: 'Groups in group(5) format.',
  }),
  works({
    name: 'AuthFileOptions',
    key: 'authFileOptions',
    merge: 'append',
    module: 'mod_auth_file',
    contexts: SVG,
    syntax: 'AuthFileOptions InsecurePerms|SyntaxCheck ...',
    defaultText: 'none',
    parse: options(['InsecurePerms', 'SyntaxCheck'], 'unknown AuthFileOption'),
    summary: 'Accepts readable account files, or checks them at start.',
  }),
  works({
    name: 'UserAlias',
    key: 'userAlias',
    merge: 'append',
    module,
    contexts: SVGA,
    syntax: 'UserAlias alias user',
    defaultText: 'none',
    parse: userAlias,
    summary: 'Another login name for a user.',
  }),
  works({
    name: 'AuthAliasOnly',
    key: 'authAliasOnly',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'AuthAliasOnly on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Only aliases may log in.',
  }),
  works({
    name: 'AuthUsingAlias',
    key: 'authUsingAlias',
    merge: 'replace',
    module,
    contexts: A,
    syntax: 'AuthUsingAlias on|off',
    defaultText: 'off',
    parse: onOff,
    summary: "Checks the alias's password instead of the user's.",
  }),
  works({
    name: 'UserPassword',
    key: 'userPassword',
    merge: 'append',
    module,
    contexts: SVGA,
    syntax: 'UserPassword user hash',
    defaultText: 'none',
    parse: namedHash,
    summary: "Overrides a user's password hash.",
  }),
  works({
    name: 'GroupPassword',
    key: 'groupPassword',
    merge: 'append',
    module,
    contexts: SVGA,
    syntax: 'GroupPassword group hash',
    defaultText: 'none',
    parse: namedHash,
    summary: 'One password for all members of a group.',
  }),
  works({
    name: 'AllowEmptyPasswords',
    key: 'allowEmptyPasswords',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'AllowEmptyPasswords on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'off refuses an empty PASS before it is checked; an empty hash never logs in.',
  }),
  works({
    name: 'MaxPasswordSize',
    key: 'maxPasswordSize',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'MaxPasswordSize bytes',
    defaultText: '1024',
    parse: integer(1, 65_536),
    summary: 'Longer passwords are refused unchecked.',
  }),
  works({
    name: 'MaxLoginAttempts',
    key: 'maxLoginAttempts',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'MaxLoginAttempts number|none',
    defaultText: '3',
    parse: (input) => (isOff(input) ? 0 : integer(0, 1_000_000)(input)),
    summary: 'Failed logins after which the client is disconnected; 0 for no limit.',
  }),
  works({
    name: 'RequireValidShell',
    key: 'requireValidShell',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'RequireValidShell on|off',
    defaultText: 'on',
    parse: onOff,
    summary: "The user's shell must stand in /etc/shells.",
  }),
  works({
    name: 'UseFtpUsers',
    key: 'useFtpUsers',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'UseFtpUsers on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'Users in /etc/ftpusers may not log in.',
  }),
  works({
    name: 'RootLogin',
    key: 'rootLogin',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'RootLogin on|off',
    defaultText: 'off',
    parse: onOff,
    summary: 'Whether uid 0 may log in.',
  }),
  works({
    name: 'AnonRequirePassword',
    key: 'anonRequirePassword',
    merge: 'replace',
    module,
    contexts: A,
    syntax: 'AnonRequirePassword on|off',
    defaultText: 'off',
    parse: onOff,
    summary: "An anonymous login needs the section's user's password.",
  }),
  works({
    name: 'AnonRejectPasswords',
    key: 'anonRejectPasswords',
    merge: 'replace',
    module,
    contexts: A,
    syntax: 'AnonRejectPasswords [!]regex [NC]',
    defaultText: 'none',
    parse: filterParameter,
    summary: 'Passwords (addresses) with which an anonymous login is refused.',
  }),
  works({
    name: 'DefaultRoot',
    key: 'defaultRoot',
    merge: 'append',
    module,
    contexts: SVG,
    syntax: 'DefaultRoot path|~ [group-expression]',
    defaultText: 'none',
    parse: rootedDirectory,
    summary: 'Root directory of users; the first line whose groups match counts.',
  }),
  works({
    name: 'AllowChrootSymlinks',
    key: 'allowChrootSymlinks',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax: 'AllowChrootSymlinks on|off',
    defaultText: 'on',
    parse: onOff,
    summary: 'off refuses a DefaultRoot that is a symbolic link.',
  }),
  works({
    name: 'DefaultChdir',
    key: 'defaultChdir',
    merge: 'append',
    module,
    contexts: SVGA,
    syntax: 'DefaultChdir path [group-expression]',
    defaultText: '~',
    parse: (input) => {
      const [path, ...groups] = someWords(input);
      if (path!.startsWith('/') || path!.startsWith('~')) return rootedDirectory(input);
      // Relative to the login directory, as in <Anonymous>.
      return rootedDirectory({ ...input, args: [`~/${path!}`, ...groups] });
    },
    summary: 'Directory in which a session starts.',
  }),
  works({
    name: 'CreateHome',
    key: 'createHome',
    merge: 'replace',
    module,
    contexts: SVG,
    syntax:
      'CreateHome off|on [mode] [skel path] [dirmode mode] [uid id|~] [gid id|~] [homegid id] [NoRootPrivs]',
    defaultText: 'off',
    parse: createHome,
    summary: 'Creates a missing home directory at login; modes 700 and 711.',
  }),
  works({
    name: 'AccessGrantMsg',
    key: 'accessGrantMsg',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'AccessGrantMsg "text"',
    defaultText: 'User %u logged in',
    parse: oneName,
    summary: 'Text of the answer to a successful login; %u is the user.',
  }),
  works({
    name: 'AccessDenyMsg',
    key: 'accessDenyMsg',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'AccessDenyMsg "text"',
    defaultText: 'Login incorrect.',
    parse: oneName,
    summary: 'Text of the answer to a failed login; %u is the user.',
  }),
  works({
    name: 'DisplayLogin',
    key: 'displayLogin',
    merge: 'replace',
    module,
    contexts: SVGA,
    syntax: 'DisplayLogin path|none',
    defaultText: 'none',
    parse: displayPath,
    summary: 'File shown with the answer to a successful login.',
  }),
  refused({
    name: 'AnonAllowRobots',
    module,
    contexts: A,
    syntax: 'AnonAllowRobots on|off',
    defaultText: 'on',
    acceptsWhen: (input) => (onOff(input) ? 'no robots.txt is made up for anonymous users' : null),
    because: 'no robots.txt is made up here; put one that denies crawlers into the anonymous directory',
  }),
  refused({
    name: 'LoginPasswordPrompt',
    module,
    contexts: SVGA,
    syntax: 'LoginPasswordPrompt on|off',
    defaultText: 'on',
    acceptsWhen: (input) => (onOff(input) ? 'USER is always answered with the prompt' : null),
    because: 'refusing at USER tells who may log in; USER is always answered alike here',
  }),
  refused({
    name: 'RewriteHome',
    module,
    contexts: SVG,
    syntax: 'RewriteHome on|off',
    defaultText: 'off',
    acceptsWhen: (input) => (onOff(input) ? null : 'home directories are never rewritten'),
    because: 'there is no mod_rewrite; write the right home into the account file',
  }),
  refused({
    name: 'UserDirRoot',
    module,
    contexts: A,
    syntax: 'UserDirRoot on|off',
    defaultText: 'off',
    acceptsWhen: (input) => (onOff(input) ? null : 'anonymous roots never have a directory per user'),
    because: 'not implemented; use DefaultRoot ~ for real users',
  }),
  noEffect({
    name: 'UseLastlog',
    module,
    contexts: SVG,
    syntax: 'UseLastlog on|off',
    defaultText: 'off',
    check: onOff,
    because: 'lastlog is not written; logins are in SystemLog and in ExtendedLog class AUTH',
  }),
  noEffect({
    name: 'WtmpLog',
    module: 'mod_core',
    contexts: SVGA,
    syntax: 'WtmpLog on|off|none',
    defaultText: 'on',
    because: 'wtmp is not written; logins are in SystemLog and in ExtendedLog class AUTH',
  }),
  noEffect({
    name: 'PersistentPasswd',
    module: 'mod_auth_unix',
    contexts: S,
    syntax: 'PersistentPasswd on|off',
    defaultText: 'off',
    check: onOff,
    because: '/etc/passwd and /etc/group are read again whenever they change',
  }),
  noEffect({
    name: 'AuthUnixOptions',
    module: 'mod_auth_unix',
    contexts: S,
    syntax: 'AuthUnixOptions option ...',
    defaultText: 'none',
    because: 'groups are read from /etc/group in one way only',
  }),
  refused({
    name: 'AuthPAM',
    module: PAM,
    contexts: SVG,
    syntax: 'AuthPAM on|off',
    defaultText: 'off',
    acceptsWhen: (input) => (onOff(input) ? null : 'PAM is never asked'),
    because: 'PAM is not asked here; remove the line and use AuthOrder mod_auth_unix.c for system accounts',
  }),
  noEffect({
    name: 'AuthPAMConfig',
    module: PAM,
    contexts: SVG,
    syntax: 'AuthPAMConfig service',
    defaultText: 'ftp',
    check: oneName,
    because: 'PAM is not asked, so its service name is not needed',
  }),
  noEffect({
    name: 'AuthPAMOptions',
    module: PAM,
    contexts: SVG,
    syntax: 'AuthPAMOptions NoTTY|NoInfoMsgs|NoRadioMsgs ...',
    defaultText: 'none',
    because: 'PAM is not asked',
  }),
];
