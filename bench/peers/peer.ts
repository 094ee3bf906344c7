/** A server under measurement: how it is started, with the same user, certificate, keys and files as its peers. */
import type { Cleanup } from '../harness/cleanup.ts';
import type { BenchFixture } from '../fixture/fixture.ts';
import type { ServerAccount } from './server-account.ts';

export type { BenchFixture };

export type CertificateKind = 'ec' | 'rsa';

/** How a server is started; one process tree serves one protocol, so that its cost belongs to that protocol. */
export interface ServerVariant {
  readonly protocol: 'ftp' | 'ssh';
  /** Of TLS; SSH host keys are Ed25519 always. */
  readonly certificate: CertificateKind;
  /** Worker threads; null: the server's default. Only Lockgate has them. */
  readonly workers: number | null;
}

export const FTP_SERVER: ServerVariant = { protocol: 'ftp', certificate: 'ec', workers: null };
export const FTP_SERVER_RSA: ServerVariant = { ...FTP_SERVER, certificate: 'rsa' };
export const SSH_SERVER: ServerVariant = { ...FTP_SERVER, protocol: 'ssh' };

export interface RunningServer {
  readonly name: string;
  readonly resumesTls: boolean;
  readonly version: string;
  readonly port: number;
  readonly account: ServerAccount;
}

export interface StartRequest {
  readonly fixture: BenchFixture;
  readonly variant: ServerVariant;
  readonly port: number;
  /** For what a server needs outside the fixture's folder. */
  readonly cleanup: Cleanup;
}

/** A server's foreground command, and the environment it wants. */
export interface StartCommand {
  readonly command: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

export interface Peer {
  readonly name: string;
  readonly protocols: readonly ServerVariant['protocol'][];
  /** Data connections resume the session of the control connection; Pure-FTPd's make a full handshake each. */
  readonly resumesTls: boolean;
  /** Null where it is not installed. */
  readonly version: () => string | null;
  /** Writes the configuration; called once the server is known to be installed. */
  readonly prepare: (request: StartRequest) => StartCommand | Promise<StartCommand>;
}
