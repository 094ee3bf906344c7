/** One session of either protocol, as load processes use it. */
import { FtpClient } from './ftp-client.ts';
import type { FtpTarget, ListCommand, SshTarget, Target } from './jobs.ts';
import type { TlsSession } from './native-tls.ts';

export interface LoadSession {
  prepareTransfers(): void;
  /** @returns bytes */
  download(file: string): number;
  /** Sends noise of this size. */
  upload(file: string, bytes: number): void;
  /** @returns bytes of the listing, or its entries where there are no lines */
  list(command: ListCommand, folder: string): number;
  /** The cheapest question with an answer: NOOP, REALPATH. */
  noop(): void;
  tlsSession(): TlsSession;
  quit(): void;
}

/** Connects and logs in. @param resume - TLS session to resume; FTP only */
export async function openSession(target: Target, resume: TlsSession | null): Promise<LoadSession> {
  return target.protocol === 'ftp' ? openFtp(target, resume) : await openSftp(target);
}

function openFtp(target: FtpTarget, resume: TlsSession | null): LoadSession {
  const client = new FtpClient(target, resume);
  client.login(target.user, target.password);
  return {
    prepareTransfers: () => client.prepareTransfers(),
    download: (file) => client.receive(`RETR ${file}`),
    upload: (file, bytes) => client.send(`STOR ${file}`, bytes),
    list: (command, folder) => client.receive(`${command} ${folder}`),
    noop: () => void client.command('NOOP', 200),
    tlsSession: () => client.controlSession(),
    quit: () => client.quit(),
  };
}

async function openSftp(target: SshTarget): Promise<LoadSession> {
  // Loaded where it is wanted: it brings all of the server's SSH cryptography.
  const { SftpClient } = await import('./sftp-client.ts');
  const client = await SftpClient.open(target);
  return {
    prepareTransfers: () => undefined,
    download: (file) => client.download(file),
    upload: (file, bytes) => client.upload(file, bytes),
    list: (_command, folder) => client.list(folder),
    noop: () => client.realPath('.'),
    tlsSession: () => {
      throw new Error('SSH has no sessions to resume');
    },
    quit: () => client.close(),
  };
}
