/**
 * The typed contract between the main actor and the session actors. Types only. Answers are unions, never
 * thrown errors; every call has a deadline and races the death of the other side (rpc.ts).
 */
import type { MessagePort } from 'node:worker_threads';
import type { BoundSocket, Socket } from 'node:net';
import type { ServerConfig } from '../config/server-config.ts';

export type SessionId = number;

/** What main hands to a worker; `socket` and `port` travel in the transfer list, the socket untouched. */
export interface SessionTask {
  readonly sessionId: SessionId;
  readonly socket: Socket;
  readonly port: MessagePort;
  readonly configVersion: number;
  /** The listener that accepted: the worker picks the virtual host by local address among its hosts. */
  readonly listenerId: string;
  /** Milliseconds since the epoch. */
  readonly acceptedAt: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Sessions alive, this one included; for %N. */
  readonly currentClients: number;
  /** One line to say instead of serving: a full server, a ban, MaxConnectionsPerHost. The socket closes after it. */
  readonly refusal: string | null;
  /** Two 64-bit counters shared with main: [0] bytes received, [1] bytes sent on data connections. */
  readonly counters: SharedArrayBuffer;
  /** The embedder listens for transfer events. */
  readonly reportsTransfers: boolean;
}

/** Why a session ended; %E of ExtendedLog prints the ProFTPD text. */
export type EndReason =
  | 'quit'
  | 'peer-closed'
  | 'timeout'
  | 'protocol-error'
  | 'policy'
  | 'refused'
  | 'kicked'
  | 'shutdown'
  | 'error';

/** What the task's promise resolves with when the session is over. */
export interface SessionEnd {
  readonly sessionId: SessionId;
  readonly reason: EndReason;
  readonly detail: string | null;
  readonly user: string | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly filesReceived: number;
  readonly filesSent: number;
}

/** Main -> actor. */
export interface SessionControl {
  /** Finish what runs, then say `421 ...` with this text and close; after `graceMs` close all the same. */
  drain(text: string, graceMs: number): Promise<void>;
  /** Close now, saying this text. */
  disconnect(text: string, reason: EndReason): Promise<void>;
}

/** The identity an account acts with. */
export interface Account {
  /** Real user name (after UserAlias). */
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  /** Name of the primary group, or its number as text. */
  readonly groupName: string;
  /** Supplementary groups, primary included. */
  readonly groupIds: readonly number[];
  readonly groups: readonly string[];
  readonly home: string;
  readonly shell: string;
}

export interface LoginClaim {
  /** As the client sent it in USER. */
  readonly loginName: string;
  /** Null where no password is needed (certificate login). */
  readonly password: string | null;
  /** The virtual host the session is on now (HOST, SNI). */
  readonly virtualHost: number;
  readonly configVersion: number;
  readonly hostName: string;
  readonly className: string | null;
  /** True when a verified client certificate already vouches for the user. */
  readonly verifiedByCertificate: boolean;
  /** ftp | ftps | sftp | scp, for `Protocols`. */
  readonly protocol: string;
}

export type LoginResult =
  | {
      readonly ok: true;
      readonly account: Account;
      /** Index among `allAnonymousSections` of the virtual host, or null for a real login. */
      readonly anonymous: number | null;
    }
  | {
      readonly ok: false;
      /** Log text behind `USER name ` or whole, as ProFTPD words it; main has already logged it. */
      readonly code:
        | 'bad-credentials'
        | 'denied'
        | 'too-many-attempts'
        | 'password-too-long'
        | 'empty-password'
        | 'unavailable';
      /** The session must end after the 530. */
      readonly disconnect: boolean;
    };

/** One request of SSH's user authentication (RFC 4252, RFC 4256), parsed by the actor, judged by main. */
export interface SshAuthRequest {
  /** As the client sent it. */
  readonly loginName: string;
  readonly virtualHost: number;
  readonly configVersion: number;
  readonly hostName: string;
  readonly className: string | null;
  /** H of the first key exchange: what signatures are bound to. */
  readonly sessionIdentifier: Uint8Array;
  /** K_S of the first key exchange, for publickey-hostbound-v00@openssh.com. */
  readonly hostKeyBlob: Uint8Array;
  /** Cipher or MAC is `none`: passwords would travel in clear. */
  readonly insecureTransport: boolean;
  readonly protocol: 'sftp';
  readonly method: SshAuthMethod;
}

export type SshAuthMethod =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly password: string }
  /** The client asks for a password change, which is refused. */
  | { readonly kind: 'password-change' }
  | SshPublicKeyQuery
  | SshPublicKeyProof
  | SshHostbasedProof
  | { readonly kind: 'keyboard-interactive'; readonly submethods: readonly string[] }
  /** Answers to the last `challenge`. */
  | { readonly kind: 'answers'; readonly answers: readonly string[] }
  /** A method this server does not know. */
  | { readonly kind: 'unknown'; readonly name: string }
  /** A request of a known method whose fields do not parse. */
  | { readonly kind: 'malformed'; readonly name: string };

/** Would this key do? RFC 4252, section 7, without signature. */
export interface SshPublicKeyQuery {
  readonly kind: 'publickey-query';
  readonly algorithm: string;
  readonly blob: Uint8Array;
  /** The server host key the client saw; null for plain `publickey`. */
  readonly hostKeyBlob: Uint8Array | null;
}

/** The signed data is rebuilt in main from these fields, never taken from the wire. */
export interface SshPublicKeyProof {
  readonly kind: 'publickey';
  readonly algorithm: string;
  readonly blob: Uint8Array;
  readonly signature: Uint8Array;
  readonly hostKeyBlob: Uint8Array | null;
}

/** RFC 4252, section 9. */
export interface SshHostbasedProof {
  readonly kind: 'hostbased';
  readonly algorithm: string;
  /** The client host's key. */
  readonly blob: Uint8Array;
  /** The client host's name as claimed. */
  readonly clientHost: string;
  readonly clientUser: string;
  readonly signature: Uint8Array;
}

export interface SshPrompt {
  readonly text: string;
  readonly echo: boolean;
}

/** Main's judgement. What the server log says has been written by main; `sftpLog` is for the session's SFTPLog. */
export type SshAuthAnswer = SshAuthVerdict & {
  readonly sftpLog: readonly string[];
  /** Session environment and notes learnt here (SFTP_USER_AUTH_METHOD ...). */
  readonly environment: Readonly<Record<string, string>>;
};

export type SshAuthVerdict =
  | { readonly kind: 'accepted'; readonly account: Account; readonly method: string }
  | { readonly kind: 'key-acceptable' }
  | {
      readonly kind: 'challenge';
      readonly name: string;
      readonly instruction: string;
      readonly prompts: readonly SshPrompt[];
    }
  /** USERAUTH_FAILURE: methods that can go on, and whether this one succeeded as a link of a chain. */
  | { readonly kind: 'refused'; readonly methods: readonly string[]; readonly partial: boolean }
  | {
      readonly kind: 'disconnect';
      /** Reason code of SSH_MSG_DISCONNECT (RFC 4253, section 11.1). */
      readonly code: number;
      /** For the peer. */
      readonly text: string;
      readonly endReason: EndReason;
      readonly detail: string | null;
    };

/** How USER is to be answered, before any password; the same answer for unknown users (no enumeration). */
export interface UserInquiry {
  readonly loginName: string;
  readonly virtualHost: number;
  readonly configVersion: number;
  readonly className: string | null;
}
export interface UserAnswer {
  /** Index among `allAnonymousSections` when this name is an anonymous login. */
  readonly anonymous: number | null;
  /** The anonymous section wants the real password. */
  readonly passwordRequired: boolean;
  /** Name after UserAlias; equals loginName when there is no alias. */
  readonly user: string;
  /** Home directory, only for certificate login's `.tlslogin`; null for unknown users. */
  readonly home: string | null;
}

/** Counted once per session, after the file system is ready: MaxClients and its kin. */
export interface AdmitLogin {
  readonly user: string;
  readonly loginName: string;
  readonly anonymous: number | null;
  readonly virtualHost: number;
  readonly configVersion: number;
  readonly className: string | null;
  readonly groups: readonly string[];
}

/** `reason`: detail of the session's end in %E, `Denied by MaxClients`. */
export type Verdict =
  { readonly ok: true } | { readonly ok: false; readonly reply: string; readonly reason: string };

export interface TransferAdmission {
  readonly command: string;
  /** 0: no limit. */
  readonly perHost: number;
  readonly perUser: number;
  /** Commands that count against the limit, as the directive lists them; absent: `command` alone. */
  readonly hostCommands?: readonly string[];
  readonly userCommands?: readonly string[];
}

/** One finished transfer, for embedders that asked for the event. */
export interface TransferReport {
  readonly sessionId: SessionId;
  readonly user: string;
  readonly direction: 'upload' | 'download';
  readonly path: string;
  readonly bytes: number;
  readonly milliseconds: number;
  readonly completed: boolean;
}

/**
 * Actor -> main. Main decides logins, limits and bans, trusts no actor, and refuses a call that does not fit the
 * session's phase (before login, after login) or that may come once only.
 */
export interface MainServices {
  fetchConfig(version: number): Promise<ServerConfig>;
  inquireUser(inquiry: UserInquiry): Promise<UserAnswer>;
  login(claim: LoginClaim): Promise<LoginResult>;
  /** One request of SSH user authentication; one at a time, only before login. */
  authenticateSsh(request: SshAuthRequest): Promise<SshAuthAnswer>;
  admitLogin(claim: AdmitLogin): Promise<Verdict>;
  /** MaxTransfersPerHost / MaxTransfersPerUser; asked only where one of them is configured. */
  beginTransfer(claim: TransferAdmission): Promise<'ok' | 'host-limit' | 'user-limit'>;
  endTransfer(): Promise<void>;
  /** A source port below 1024 for active mode; null when main may not bind it. */
  bindLowPort(localAddress: string, port: number): Promise<BoundSocket | null>;
  reportTransfer(report: TransferReport): Promise<void>;
  /** How many sessions are logged in on this virtual host, for %N; of one class only, for %y. */
  countClients(className?: string): Promise<number>;
}
