/** What main does as root, and how it stops being root. */
import { readFileSync } from 'node:fs';
import { BoundSocket } from 'node:net';
import { ConfigError } from '../config/config-error.ts';
import type { Settings } from '../config/server-config.ts';
import { canSwitchCredentials, withRootCredentials } from '../util/thread-credentials.ts';

/** Documented in Node's process API; its type declarations lack it. */
interface GroupCalls {
  initgroups(user: string | number, extraGroup: string | number): void;
}

export type ProcessIdentity =
  /** Started as an ordinary user: everything happens as that user. */
  | { readonly kind: 'ordinary'; readonly uid: number }
  /** Became `user`, root kept as saved user id: session threads can act as the logged-in users. */
  | { readonly kind: 'acts-as-users'; readonly user: string }
  /** Root was given up for good (RootRevoke on), or the container lacks the capabilities. */
  | { readonly kind: 'revoked'; readonly user: string };

/**
 * Becomes `User` and `Group` once ports are bound and logs and keys are open. Changes every thread of the process, so it
 * must run before the first session. Throws ConfigError for an unknown account.
 */
export function becomeServerUser(settings: Settings): ProcessIdentity {
  if (process.getuid?.() !== 0) return { kind: 'ordinary', uid: process.getuid?.() ?? -1 };
  const user = settings.user ?? 'root';
  const group = settings.group ?? primaryGroupOf(user);
  try {
    (process as unknown as GroupCalls).initgroups(user, group);
    if (settings.rootRevoke === 'on') {
      process.setgid!(group);
      process.setuid!(user);
      return { kind: 'revoked', user };
    }
    // seteuid leaves the real and the saved user id at 0: that is what session threads come back through.
    process.setegid!(group);
    process.seteuid!(user);
  } catch (error) {
    throw new ConfigError(`unable to become User '${user}', Group '${group}': ${reasonOf(error)}`, {
      directive: 'User',
      cause: error,
    });
  }
  return canSwitchCredentials() ? { kind: 'acts-as-users', user } : { kind: 'revoked', user };
}

/** The account's own group, for a configuration with `User` and no `Group`. */
function primaryGroupOf(user: string): number {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`));
  const gid = Number(line?.split(':')[3] ?? 'none');
  if (Number.isInteger(gid)) return gid;
  throw new ConfigError(`the account '${user}' is not in /etc/passwd; set Group as well`, {
    directive: 'User',
  });
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_UNKNOWN_CREDENTIAL') return 'no such account on this machine';
  return code ?? 'unknown error';
}

/** Runs a synchronous action as root where the process kept root as its saved user id, else as it is. */
export function asRoot<T>(identity: ProcessIdentity, action: () => T): T {
  return identity.kind === 'acts-as-users' ? withRootCredentials(action) : action();
}

/**
 * Binds a source port below 1024 for active transfers (RFC 959: port L-1). Null when this process may not, or when the
 * port is taken; the transfer then uses an ordinary port.
 */
export function bindLowPort(localAddress: string, port: number): BoundSocket | null {
  try {
    return withRootCredentials(() => new BoundSocket({ host: localAddress, port }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL' || code === 'EPERM')
      return null;
    throw error;
  }
}
