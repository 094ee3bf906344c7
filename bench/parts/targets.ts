/** The protocols and ciphers that are measured, and how load clients reach them. */
import type { FtpSecurity, Target } from '../load/jobs.ts';
import {
  FTP_SERVER,
  SSH_SERVER,
  type BenchFixture,
  type RunningServer,
  type ServerVariant,
} from '../peers/peer.ts';

export interface Way {
  readonly name: string;
  readonly variant: ServerVariant;
  /** Names of what `openssl speed` measures for it; empty in clear. */
  readonly ciphers: readonly CipherWork[];
  readonly target: (server: RunningServer, fixture: BenchFixture) => Target;
}

/** What has to be done with every byte. */
export type CipherWork = 'aes-256-gcm' | 'aes-256-ctr' | 'hmac-sha256';

export const FTP_CLEAR = ftp('FTP', null, []);
export const FTPS_1_2 = ftp('FTPS TLS 1.2', '1.2', ['aes-256-gcm']);
export const FTPS_1_3 = ftp('FTPS TLS 1.3', '1.3', ['aes-256-gcm']);
export const SFTP_GCM = sftp('SFTP aes256-gcm', 'aes256-gcm@openssh.com', null, ['aes-256-gcm']);
export const SFTP_CTR = sftp(
  'SFTP aes256-ctr hmac-sha2-256-etm',
  'aes256-ctr',
  'hmac-sha2-256-etm@openssh.com',
  ['aes-256-ctr', 'hmac-sha256'],
);

function ftp(name: string, security: FtpSecurity, ciphers: readonly CipherWork[]): Way {
  return {
    name,
    variant: FTP_SERVER,
    ciphers,
    target: ({ port, resumesTls }, { user, password }) => ({
      protocol: 'ftp',
      port,
      security,
      mustResume: resumesTls,
      user,
      password,
    }),
  };
}

function sftp(name: string, cipher: string, mac: string | null, ciphers: readonly CipherWork[]): Way {
  return {
    name,
    variant: SSH_SERVER,
    ciphers,
    target: ({ port }, { user, userKey }) => ({
      protocol: 'ssh',
      port,
      cipher,
      mac,
      user,
      credential: { privateKey: userKey },
    }),
  };
}
