/**
 * What commands, data connections and TLS see of an FTP session. `ftp-session.ts` implements it; everything else in
 * this room depends on these types only, so there is no import cycle.
 */
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { Account } from '../../src/actor/messages.ts';
import type { EffectiveConfig, PathConfig } from '../../src/config/effective-config.ts';
import type { AnonymousSection, Settings } from '../../src/config/server-config.ts';
import type { CommandRecord } from '../../src/log/session-log.ts';
import type { SessionContext } from '../session/session-context.ts';
import type { VirtualFileSystem, VirtualPath } from '../vfs/types.ts';
import type { FtpCommand } from './command.ts';
import type { Reply } from './wire/reply.ts';

export type LoginState =
  | { readonly kind: 'new' }
  | {
      readonly kind: 'user-given';
      readonly loginName: string;
      readonly user: string;
      readonly anonymous: AnonymousSection | null;
      readonly passwordRequired: boolean;
    }
  | {
      readonly kind: 'logged-in';
      readonly loginName: string;
      readonly account: Account;
      readonly anonymous: AnonymousSection | null;
      readonly vfs: VirtualFileSystem;
    };

/** RETR, STOR, LIST ... while it runs. */
export interface ActiveTransfer {
  readonly verb: string;
  readonly direction: 'upload' | 'download' | 'listing';
  readonly clientPath: string;
  /** Size of the file where it is known (RETR). */
  readonly totalBytes: number | null;
  readonly bytes: number;
  /** Ends the transfer; its command then answers 426 (or what fits the cause). Resolves when that reply is sent. */
  abort(cause: 'abor' | 'quit' | 'shutdown' | 'timeout'): Promise<void>;
}

/** What the command log wants to know about the command that runs; reset by the dispatcher before each one. */
export type LoggedDetails = {
  -readonly [K in 'realPath' | 'clientPath' | 'renameFrom' | 'transfer']: CommandRecord[K];
};

/** The control connection's byte side: one writer, one serial reader (control-connection.ts). */
export interface ControlConnection {
  /** The accepted TCP socket, whatever runs over it now. */
  readonly socket: Socket;
  /** What commands are read from and replies written to: the socket, or the TLS stream over it. */
  readonly stream: Duplex;
  /** True when nothing more can come from the peer. */
  readonly ended: boolean;
  /** Resolves when the bytes are handed to the stream (false: peer gone). Never interleaves. */
  send(reply: Reply): Promise<boolean>;
  /**
   * Stops reading, throws away every byte already buffered (RFC 4217 plaintext injection), and detaches from the
   * stream; `attach` continues on another one.
   */
  detach(): Duplex;
  attach(stream: Duplex): void;
}

/** TLS of one session: policy, control upgrade, data handshakes (tls/session-protection.ts). */
export interface SessionProtection {
  /** clear: no AUTH yet; tls; cleared: after CCC. */
  readonly controlState: 'clear' | 'tls' | 'cleared';
  readonly dataLevel: 'clear' | 'private';
  /** TLSEngine on for the virtual host in force (commands AUTH PBSZ PROT CCC SSCN exist). */
  readonly enabled: boolean;
  /** SNI name of the control handshake, lower case, or null. */
  readonly serverName: string | null;
  /** TLS policy gate, asked before login state and `<Limit>`: 550/522/null. Logs why to the TLSLog. */
  refuse(command: FtpCommand | null, verb: string, path: VirtualPath | null): Reply | null;
  /** Implicit FTPS: handshake before the banner. False: failed and logged; the session ends. */
  acceptImplicit(): Promise<boolean>;
  /** Handshake as TLS server (or client with SSCN) on an open data connection; checks session reuse and certificate. Throws DataTlsError. */
  secureData(socket: Socket, verb: string): Promise<Duplex>;
  /** After USER/PASS: AllowPerUser and Anonymous/If sections; false: `530 Login incorrect.` and disconnect (logged). */
  admitsLogin(): boolean;
  /** TLSUserName / AllowDotLogin: true when the client certificate vouches for this user. */
  vouchesFor(user: string, home: string | null): boolean;
  /** A verified client certificate was presented and names or identifies a user somewhere. */
  readonly hasClientCertificate: boolean;
  /** HOST, SNI or login changed the configuration. */
  configChanged(): void;
  /** AUTH (RFC 4217, section 4): refuses, or gives the 234 whose `after` runs the handshake. */
  authenticate(mechanism: string): Reply;
  /** PBSZ (RFC 2228): the argument as received. */
  setBufferSize(argument: string): Reply;
  /** PROT: C or P accepted by policy, S and E never. */
  setDataLevel(argument: string): Reply;
  /** CCC: the 200 travels under TLS, its `after` returns the connection to clear text. */
  clearControl(): Reply;
  /** SSCN: which role this server plays in data handshakes of RETR, STOR, APPE, STOU. */
  setClientMethod(argument: string): Reply;
  close(): void;
}

/** Thrown by secureData; the log line is written already. Answer: 425 Unable to build data connection: Operation not permitted. */
export class DataTlsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataTlsError';
  }
}

/** Passive and active data connections of one session (data-connection.ts). */
export interface DataConnections {
  /** What was prepared last: PASV/EPSV listener, PORT/EPRT address, or nothing (active to the default port). */
  readonly prepared: 'none' | 'passive' | 'active';
  /** What STAT says about the data connection: prepared or open; null when there is none. */
  readonly endpoint: {
    readonly mode: 'passive' | 'active';
    readonly address: string;
    readonly port: number;
  } | null;
  /** PASV, EPSV: listens on the control connection's local address; the port, or null when none is to be had (425). */
  listen(): Promise<number | null>;
  /** PORT, EPRT: the address the next transfer connects to; checks were made. */
  connectTo(address: string, port: number): void;
  /** Waits for the prepared connection; the TCP socket, paused. Throws DataConnectionError. */
  open(): Promise<Socket>;
  /** Gives up what is prepared or being opened; a pending `open` rejects. The next PASV or PORT starts afresh. */
  cancel(): void;
  /** The transfer is over: its socket closes by itself (TimeoutLinger) and is no concern of `close` any more. */
  release(): void;
  /** Session's end: closes listener and any open data socket; a pending `open` rejects. */
  close(): void;
}

export interface FtpSession {
  readonly context: SessionContext;
  /** In force now: narrows with HOST/SNI, USER and PASS. */
  readonly config: EffectiveConfig;
  readonly settings: Settings;
  /** Settings and limits of the current directory (`<Directory>`, .ftpaccess); the session's before login. Cached. */
  readonly directoryConfig: PathConfig;
  readonly login: LoginState;
  /** Only after login (the gate guarantees it for commands of phase `login`). */
  readonly vfs: VirtualFileSystem;
  readonly control: ControlConnection;
  readonly protection: SessionProtection;
  readonly data: DataConnections;
  readonly commands: ReadonlyMap<string, FtpCommand>;
  /** TYPE; listings are CRLF in either. */
  transferType: 'ascii' | 'binary';
  /** REST: persists until the next transfer command. */
  restartOffset: number;
  /** RANG, inclusive; null when none is set. */
  range: { readonly start: number; readonly end: number } | null;
  renameFrom: VirtualPath | null;
  /** Name of an accepted HOST command, as given; the SNI of a later AUTH must equal it (RFC 7151, section 3.2.1). */
  requestedHost: string | null;
  epsvAll: boolean;
  /** Facts chosen by OPTS MLST, in FEAT order. */
  mlstFacts: readonly string[];
  utf8: boolean;
  activeTransfer: ActiveTransfer | null;
  logged: LoggedDetails;
  /** Sends a preliminary reply (150) before the command's final one. */
  reply(reply: Reply): Promise<boolean>;
  /** TimeoutNoTransfer restarts. */
  noteTransfer(): void;
  /** Narrows or switches the configuration and tells protection and vfs. */
  useConfig(config: EffectiveConfig): void;
  setLogin(state: LoginState): void;
  /** Ends the session after the current reply. */
  end(reason: 'quit' | 'protocol-error' | 'policy' | 'timeout', detail?: string): void;
}
