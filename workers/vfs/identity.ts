/** Whose rights a session's file calls have, and how they are asked about without touching the file system. */
import type { Stats } from 'node:fs';
import {
  canSwitchCredentials,
  withCredentials,
  withRootCredentials,
  type Credentials,
} from '../../src/util/thread-credentials.ts';
import type { Identity } from './types.ts';

export interface Rights {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

export interface SessionIdentity {
  readonly uid: number;
  readonly gid: number;
  /** Runs a synchronous action with the session's credentials, in this thread only. */
  run<T>(action: () => T): T;
  /** Runs an action with the server's root rights where it has them (UserOwner); otherwise like `run`. */
  runPrivileged<T>(action: () => T): T;
  /** access(2) by arithmetic: permission bits against uid, gid and groups. Uid 0 may do all. */
  rights(stats: Stats): Rights;
}

const everything: Rights = { read: true, write: true, execute: true };

/**
 * `identity` null: the session acts with the server's own rights. Throws when the server cannot take the identity
 * it was told to take: a session must never run with more rights than its user has.
 */
export function createSessionIdentity(identity: Identity | null): SessionIdentity {
  if (identity === null) return new ServerIdentity();
  if (!canSwitchCredentials())
    throw new Error('this server cannot act as its users: it was not started as root');
  return new UserIdentity(identity);
}

class UserIdentity implements SessionIdentity {
  readonly uid: number;
  readonly gid: number;
  readonly #credentials: Credentials;
  readonly #groups: ReadonlySet<number>;

  constructor(identity: Identity) {
    this.uid = identity.uid;
    this.gid = identity.gid;
    this.#credentials = {
      uid: identity.uid,
      gid: identity.gid,
      groupIds: Uint32Array.from(identity.groupIds),
    };
    this.#groups = new Set([identity.gid, ...identity.groupIds]);
  }

  run<T>(action: () => T): T {
    return withCredentials(this.#credentials, action);
  }

  runPrivileged<T>(action: () => T): T {
    return withRootCredentials(action);
  }

  rights(stats: Stats): Rights {
    return rightsOf(stats, this.uid, this.#groups);
  }
}

class ServerIdentity implements SessionIdentity {
  readonly uid = process.geteuid?.() ?? 0;
  readonly gid = process.getegid?.() ?? 0;
  readonly #groups = new Set([this.gid, ...(process.getgroups?.() ?? [])]);

  run<T>(action: () => T): T {
    return action();
  }

  runPrivileged<T>(action: () => T): T {
    return action();
  }

  rights(stats: Stats): Rights {
    return rightsOf(stats, this.uid, this.#groups);
  }
}

/** The kernel's rule (path_resolution(7)): the first class that fits decides, owner before group before others. */
function rightsOf(stats: Stats, uid: number, groups: ReadonlySet<number>): Rights {
  if (uid === 0) return everything;
  const shift = stats.uid === uid ? 6 : groups.has(stats.gid) ? 3 : 0;
  const bits = stats.mode >> shift;
  return { read: (bits & 4) !== 0, write: (bits & 2) !== 0, execute: (bits & 1) !== 0 };
}
