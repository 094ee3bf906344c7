/** One row per FTP command: policy and behaviour together, all fields mandatory. */
import type { FtpSession } from './session-types.ts';
import type { Reply } from './wire/reply.ts';

/** `<Limit>` group a command belongs to besides its own name and ALL. */
export type LimitGroup = 'DIRS' | 'READ' | 'WRITE' | 'LOGIN';

/** Classes of ExtendedLog. */
export type LogClass = 'AUTH' | 'INFO' | 'DIRS' | 'READ' | 'WRITE' | 'MISC' | 'SEC';

export interface FtpCommand {
  /** First is the canonical name; the others behave the same (XCWD). */
  readonly verbs: readonly string[];
  /** As HELP prints it, for example `RETR <sp> pathname`. */
  readonly syntax: string;
  /** False: HELP marks the name with `*` and the command answers 502. */
  readonly implemented: boolean;
  /** FEAT line for this session, or null for none. */
  readonly feature: (session: FtpSession) => string | null;
  /** `login`: only after login, 530 before. `before-login`: refused after it by the command itself. */
  readonly phase: 'any' | 'login';
  readonly limitGroup: LimitGroup | null;
  /** False: `<Limit ALL>` does not cover it (EPRT EPSV PASV PORT PROT OPTS). */
  readonly inLimitAll: boolean;
  readonly logClasses: readonly LogClass[];
  /** May run while a transfer runs (ABOR, STAT, QUIT). */
  readonly duringTransfer: boolean;
  /** Covered by the 522 rule of TLSRequired data. */
  readonly usesDataConnection: boolean;
  /** Allowed in clear under TLSRequired on/ctrl (SYST FEAT HOST CLNT AUTH QUIT). */
  readonly allowedInClear: boolean;
  /** Login command for the TLSRequired auth flag (USER PASS ACCT). */
  readonly isLoginCommand: boolean;
  /** Allowed between RNFR and RNTO. */
  readonly keepsRename: boolean;
  /** Number of words, checked before run: [min, max]; null: the whole rest of the line is one argument. */
  readonly argumentCount: readonly [min: number, max: number] | null;
  /** The final reply; earlier ones (150) go through session.reply. */
  readonly run: (session: FtpSession, argument: string) => Reply | Promise<Reply>;
}
