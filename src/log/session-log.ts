/**
 * What a session writes. The types are the contract; `createSessionLog` (session-log-writer.ts) formats lines and
 * appends each with one write to a descriptor main opened. Control characters in any value are escaped there.
 */

/** syslog levels as SyslogLevel names them. */
export type LogLevel = 'emerg' | 'alert' | 'crit' | 'error' | 'warn' | 'notice' | 'info' | 'debug';

/** One xferlog line. */
export interface TransferRecord {
  readonly finishedAt: Date;
  readonly seconds: number;
  readonly bytes: number;
  /** Absolute real path, chroot included. */
  readonly realPath: string;
  readonly ascii: boolean;
  readonly direction: 'i' | 'o' | 'd';
  readonly anonymous: boolean;
  /** Login name; for anonymous logins the password (e-mail) given. */
  readonly user: string;
  readonly service: 'ftp' | 'ftps' | 'sftp' | 'scp';
  readonly identUser: string | null;
  readonly completed: boolean;
}

/** One answered command, everything ExtendedLog's variables can ask for. */
export interface CommandRecord {
  readonly verb: string;
  /** Argument as received; the writer prints `(hidden)` for PASS and its kin. */
  readonly argument: string;
  /** Log classes of the command's row: AUTH INFO DIRS READ WRITE MISC SEC CONNECT EXIT. */
  readonly classes: readonly string[];
  readonly replyCode: number;
  readonly replyText: string;
  readonly receivedAt: Date;
  readonly milliseconds: number;
  /** File or directory the command worked on; real and as the client sees it. */
  readonly realPath: string | null;
  readonly clientPath: string | null;
  readonly renameFrom: string | null;
  /** Where one connection carries several: what this one belongs to. Absent: the session's. */
  readonly protocol?: 'ssh2' | 'scp';
  readonly transfer: {
    readonly bytes: number;
    readonly milliseconds: number;
    readonly status: 'success' | 'failed' | 'cancelled' | 'timeout';
    readonly failure: string | null;
    readonly ascii: boolean;
    readonly port: number;
    readonly offset: number;
    readonly fileSize: number | null;
    readonly fileModified: boolean;
  } | null;
}

/** The parts of a session that change while it lives; the log reads them when it writes. */
export interface SessionFacts {
  readonly sessionId: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteName: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connectedAt: Date;
  readonly protocol: 'ftp' | 'ftps' | 'sftp' | 'scp';
  readonly loginName: string | null;
  readonly user: string | null;
  readonly group: string | null;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly className: string | null;
  readonly identUser: string | null;
  readonly anonymousPassword: string | null;
  readonly endReason: string | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Raw bytes of control and data connections together. */
  readonly rawBytesIn: number;
  readonly rawBytesOut: number;
  readonly filesIn: number;
  readonly filesOut: number;
  /** Session notes: `%{note:KEY}`. */
  readonly notes: ReadonlyMap<string, string>;
  /** Environment of the session: SetEnv, TLS StdEnvVars. `%{NAME}e`. */
  readonly environment: ReadonlyMap<string, string>;
}

export interface SessionLog {
  /** SystemLog / ServerLog line, when SyslogLevel lets it through. */
  system(level: LogLevel, text: string): void;
  /** TLSLog line `... mod_tls/VERSION[PID]: text`. */
  tls(text: string): void;
  /** SFTPLog line `... mod_sftp/VERSION[PID]: text`. */
  sftp(text: string): void;
  /** TraceLog line; `text` is only called where the channel's level asks for it. */
  trace(channel: string, level: number, text: () => string): void;
  /** TransferLog line. */
  transfer(record: TransferRecord): void;
  /** All ExtendedLogs whose classes and commands match. */
  command(record: CommandRecord): void;
}
