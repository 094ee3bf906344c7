/**
 * What an account must pass besides its password: root, `<Limit LOGIN>`, shell, ftpusers, Protocols. Every refusal
 * carries the line of the server log, word for word what administrators and fail2ban know (core reference, sections
 * 3 and 13); the client sees none of it.
 */
import { parseNameList } from '../config/account-files.ts';
import type { EffectiveConfig } from '../config/effective-config.ts';
import { loginAllowed } from '../config/limit-evaluation.ts';
import type { Settings } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import type { AccountFileCache, FileKind } from './account-file-cache.ts';
import type { AccountState } from './account-source.ts';
import type { SystemFiles } from './file-sources.ts';

export interface Refusal {
  readonly level: LogLevel;
  readonly text: string;
  /** The session ends even when attempts are left. */
  readonly disconnect: boolean;
}

/** Who logs in, for the texts: `USER bob` or `ANON ftp`, the name as the client sent it. */
export interface Subject {
  readonly label: string;
  /** The account's name, after UserAlias. */
  readonly user: string;
  readonly uid: number;
  readonly shell: string;
}

function refusal(level: LogLevel, text: string, disconnect = false): Refusal {
  return { level, text, disconnect };
}

/** `USER u (Login failed): REASON` */
export function loginFailed(label: string, reason: string): Refusal {
  return refusal('notice', `${label} (Login failed): ${reason}`);
}

/** RootLogin, before everything else. */
export function refuseRoot(subject: Subject, settings: Settings): Refusal | null {
  if (subject.uid !== 0 || settings.rootLogin) return null;
  return refusal('crit', 'SECURITY VIOLATION: Root login attempted');
}

/** `<Limit LOGIN>` before the password: a denied user is logged as such even with a wrong one. */
export function refuseByLimit(subject: Subject, config: EffectiveConfig): Refusal | null {
  if (loginAllowed(config.limitLevels, config.principal)) return null;
  return loginFailed(subject.label, 'Limit access denies login');
}

/** `ANON u: AnonRejectPasswords denies login` */
export function refuseAnonymousPassword(label: string, password: string, settings: Settings): Refusal | null {
  const filter = settings.anonRejectPasswords;
  if (filter === null || filter.pattern.test(password) === filter.negate) return null;
  return refusal('notice', `${label}: AnonRejectPasswords denies login`);
}

/** An account's own state, known to be right only once the password was. */
export function refuseAccountState(label: string, state: AccountState): Refusal | null {
  switch (state) {
    case 'usable':
      return null;
    case 'disabled':
      return loginFailed(label, 'Account disabled');
    case 'password-expired':
      return loginFailed(label, 'Password expired');
  }
}

const NAME_LIST: FileKind<ReadonlySet<string> | null> = {
  empty: null,
  optional: true,
  label: 'file',
  variant: '',
  refuse: () => null,
  parse: parseNameList,
};

/** After the password: RequireValidShell, then UseFtpUsers. */
export function refuseByFiles(
  subject: Subject,
  settings: Settings,
  cache: AccountFileCache,
  files: SystemFiles,
): Refusal | null {
  if (settings.requireValidShell) {
    // Without /etc/shells every shell is valid; an empty shell field is not in the list like any other text.
    const shells = cache.load(files.shells, NAME_LIST);
    if (shells !== null && !shells.has(subject.shell)) {
      return loginFailed(subject.label, `Invalid shell: '${subject.shell}'`);
    }
  }
  if (settings.useFtpUsers) {
    const denied = cache.load(files.ftpUsers, NAME_LIST);
    if (denied?.has(subject.user) === true) return loginFailed(subject.label, 'User in /etc/ftpusers');
  }
  return null;
}

/** Last: `<Limit LOGIN>` once more, with user and group sections merged, and Protocols. */
export function refuseAfterPassword(
  subject: Subject,
  config: EffectiveConfig,
  protocol: string,
): Refusal | null {
  return (
    refuseByLimitAfterLogin(subject, config) ??
    refuseByProtocols(subject, config.settings, protocol, [protocol])
  );
}

/** `<Limit LOGIN>` with user and group sections merged. */
export function refuseByLimitAfterLogin(subject: Subject, config: EffectiveConfig): Refusal | null {
  if (loginAllowed(config.limitLevels, config.principal)) return null;
  return refusal('notice', `${subject.label}: Limit access denies login`);
}

/** @param uses names of Protocols, one of which must be allowed */
export function refuseByProtocols(
  subject: Subject,
  settings: Settings,
  protocol: string,
  uses: readonly string[],
): Refusal | null {
  const { protocols } = settings;
  if (protocols !== null && !protocols.some((allowed) => uses.includes(allowed.toLowerCase()))) {
    return refusal('notice', `${subject.label}: ${protocol} protocol denied by Protocols config`, true);
  }
  return null;
}
