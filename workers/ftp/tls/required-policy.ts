/** TLSRequired as a table (ftps-directives, section 2): who is refused with what. Pure. */
import type { TlsRequired } from '../../../src/config/server-config.ts';

export type PolicyVerdict =
  'allowed' | 'needs-tls-for-login' | 'needs-tls' | 'needs-private-data' | 'needs-private-data-here';

/** What of a command the policy looks at. */
export interface PolicyCommand {
  readonly allowedInClear: boolean;
  readonly isLoginCommand: boolean;
  readonly usesDataConnection: boolean;
}

export interface PolicyState {
  /** Flags in force for the session. */
  readonly required: TlsRequired;
  /** Data flag of the directory the command works in. */
  readonly directoryData: TlsRequired['data'];
  readonly controlProtected: boolean;
  readonly dataPrivate: boolean;
  /** AllowPerUser and not logged in yet: the control and login flags wait for the user. */
  readonly postponed: boolean;
}

/**
 * Order of checks: always-allowed list, login flag, control flag, data flag, directory. `command` is null for a verb
 * nobody knows, which the control flag covers too.
 */
export function judgeCommand(command: PolicyCommand | null, state: PolicyState): PolicyVerdict {
  const { required, controlProtected, postponed } = state;
  if (command?.allowedInClear === true) return 'allowed';
  if (!controlProtected && !postponed) {
    if (command?.isLoginCommand === true && required.auth) return 'needs-tls-for-login';
    if (required.control) return 'needs-tls';
  }
  if (command?.usesDataConnection !== true || state.dataPrivate) return 'allowed';
  if (required.data === 'required') return 'needs-private-data';
  return state.directoryData === 'required' ? 'needs-private-data-here' : 'allowed';
}

/** PROT C: not where the data connection must be protected. */
export function allowsClearData(required: TlsRequired): boolean {
  return required.data !== 'required';
}

/** PROT P: not where protection is forbidden (`!data`). */
export function allowsPrivateData(required: TlsRequired): boolean {
  return required.data !== 'forbidden';
}

/** CCC: not where the control connection must stay protected. */
export function allowsClearControl(required: TlsRequired): boolean {
  return !required.control;
}
