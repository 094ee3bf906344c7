/** Handles of one session, over all its channels: each costs descriptors of the whole server. */
import type { SshSession } from '../ssh/ssh-types.ts';
import { StatusError } from './status-error.ts';
import { StatusCode } from './wire/status.ts';

/** Announced by limits@openssh.com. */
export const MAX_HANDLES = 1024;

const open = new WeakMap<SshSession, number>();

/** Throws a StatusError where the session holds as many as it may. */
export function requireFreeHandle(session: SshSession): void {
  if ((open.get(session) ?? 0) >= MAX_HANDLES)
    throw new StatusError(StatusCode.FAILURE, 'Too many open handles');
}

export function countHandles(session: SshSession, change: number): void {
  open.set(session, (open.get(session) ?? 0) + change);
}
