/**
 * Linux keeps user id, group id and groups per thread. While a synchronous file call runs, this thread takes the
 * credentials of the logged-in user, so that the kernel decides what the session may touch; other threads, and this
 * one afterwards, keep the server's own. Only `fsuid`, `fsgid` and the supplementary groups change: they are what
 * file permission checks and the owner of new files go by (credentials(7)).
 */
import { UNCHANGED_ID, errnoName, native, type NativeSystem } from './native.ts';

export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groupIds: Uint32Array;
}

/** What this thread has when no session's call runs. */
interface BaseState {
  readonly system: NativeSystem;
  readonly euid: number;
  readonly egid: number;
  readonly groupIds: Uint32Array;
}

/** An unprivileged id to try a switch with; whether an account has it does not matter. */
const PROBE_ID = 65_534;

let base: BaseState | null | undefined;
/** Whose call runs now. */
let active: Credentials | null = null;

const rootCredentials: Credentials = { uid: 0, gid: 0, groupIds: new Uint32Array(0) };

/**
 * True where this thread can take other credentials: Linux, and the process is root or kept root as its saved user
 * id. Found out once per thread by doing it, because a container may be root without the capability.
 */
export function canSwitchCredentials(): boolean {
  return baseState() !== null;
}

function baseState(): BaseState | null {
  if (base === undefined) base = probe();
  return base;
}

function probe(): BaseState | null {
  if (native === null) return null;
  const [, euid = PROBE_ID, suid = PROBE_ID] = native.getresuid();
  if (euid !== 0 && suid !== 0) return null;
  // Reads the group id only; the id itself never changes in this thread.
  const egid = process.getegid?.() ?? 0;
  const state: BaseState = { system: native, euid, egid, groupIds: native.getgroups() };
  if (euid !== 0 && native.setresuid(UNCHANGED_ID, 0, UNCHANGED_ID) < 0) return null;
  native.setfsuid(PROBE_ID);
  const switched = native.setfsuid(UNCHANGED_ID) === PROBE_ID;
  const grouped = switched && native.setgroups(state.groupIds) === 0;
  restore(state);
  return switched && grouped ? state : null;
}

/**
 * Runs `action`, which must be synchronous, with these credentials. Nested calls with the same object cost nothing.
 * Throws when the kernel refuses the switch: then nothing ran.
 */
export function withCredentials<T>(credentials: Credentials, action: () => T): T {
  if (active === credentials) return action();
  const state = baseState();
  if (state === null) throw new Error('this process cannot take the credentials of a user');
  const outer = active;
  take(state, credentials, outer !== null);
  active = credentials;
  try {
    return action();
  } finally {
    active = outer;
    if (outer === null) restore(state);
    else take(state, outer, true);
  }
}

/** Runs `action` as root where the server can (CreateHome, UserOwner); otherwise as the server itself. */
export function withRootCredentials<T>(action: () => T): T {
  return baseState() === null ? action() : withCredentials(rootCredentials, action);
}

function take(state: BaseState, credentials: Credentials, nested: boolean): void {
  const { system } = state;
  // Effective root first: it holds the capabilities for the calls below. Only from outside: a second time it would set
  // fsuid to 0 without the file capabilities, which setfsuid(0) then no longer brings back (credentials(7)).
  const raised = state.euid === 0 || nested ? 0 : system.setresuid(UNCHANGED_ID, 0, UNCHANGED_ID);
  const grouped = raised < 0 ? raised : system.setgroups(credentials.groupIds);
  if (grouped < 0) {
    // The outer action would go on with rights that are neither the server's nor its user's.
    if (nested) process.abort();
    restore(state);
    throw new Error(`cannot take the credentials of uid ${credentials.uid}: ${errnoName(grouped)}`);
  }
  system.setfsgid(credentials.gid);
  system.setfsuid(credentials.uid);
}

/** A thread that cannot come back must not serve anybody: it would act for one user with another's rights. */
function restore(state: BaseState): void {
  const { system } = state;
  if (state.euid === 0) system.setfsuid(0);
  const grouped = system.setgroups(state.groupIds);
  system.setfsgid(state.egid);
  const lowered = state.euid === 0 ? 0 : system.setresuid(UNCHANGED_ID, state.euid, UNCHANGED_ID);
  if (grouped < 0 || lowered < 0) process.abort();
}
