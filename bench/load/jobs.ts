/** What a load process is told to do, and what it answers; plain data for the channel between processes. */
import type { TlsVersion } from './native-tls.ts';

/** Null: in clear. */
export type FtpSecurity = TlsVersion | null;

export interface FtpTarget {
  readonly protocol: 'ftp';
  readonly port: number;
  readonly security: FtpSecurity;
  /** A data connection with a full handshake is an error. */
  readonly mustResume: boolean;
  readonly user: string;
  readonly password: string;
}

export interface SshTarget {
  readonly protocol: 'ssh';
  readonly port: number;
  readonly cipher: string;
  /** Null with a cipher that authenticates. */
  readonly mac: string | null;
  readonly user: string;
  /** Password, or path of an OpenSSH Ed25519 key. */
  readonly credential: { readonly password: string } | { readonly privateKey: string };
}

export type Target = FtpTarget | SshTarget;

export type ListCommand = 'LIST' | 'MLSD' | 'SFTP';

export type Job =
  /** One file after another over one session. */
  | { readonly kind: 'download'; readonly target: Target; readonly files: readonly string[] }
  | {
      readonly kind: 'upload';
      readonly target: Target;
      readonly files: readonly { readonly name: string; readonly bytes: number }[];
    }
  /** Downloads of the same file until the process is ended. */
  | { readonly kind: 'background'; readonly target: Target; readonly file: string }
  /** Sessions from connect to quit for a time. `resume`: the TLS session of the first one. */
  | {
      readonly kind: 'logins';
      readonly target: Target;
      readonly seconds: number;
      readonly resume: boolean;
    }
  /** Time of every NOOP (SFTP: REALPATH), or of every download of a small file, for a time. */
  | {
      readonly kind: 'latency';
      readonly target: Target;
      readonly seconds: number;
      readonly file: string | null;
    }
  | {
      readonly kind: 'list';
      readonly target: Target;
      readonly command: ListCommand;
      readonly folder: string;
    }
  /** Logged-in sessions up to `count`, kept open until the next such job or the process's end. */
  | { readonly kind: 'hold'; readonly target: Target; readonly count: number };

export interface JobResult {
  /** Bytes moved, or sessions made, or entries listed. */
  readonly count: number;
  /** CLOCK_MONOTONIC, seconds: the same clock in all processes. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Of the load process between the two. */
  readonly cpuSeconds: number;
  /** Seconds, of the latency job. */
  readonly latencies: readonly number[];
}

export type FromParent = { readonly type: 'job'; readonly job: Job } | { readonly type: 'go' };

export type FromLoad =
  /** Logged in where the job wants that; waits for go. */
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly result: JobResult }
  | { readonly type: 'failed'; readonly reason: string };
