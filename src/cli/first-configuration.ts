/** The configuration a start without -c writes and then runs; the user may edit it. */
import { join } from 'node:path';
import { STATE_FILES } from './state-folder.ts';

export const DEFAULT_PORT = 2121;
/** Implicit FTPS listens this far above the FTP port: 2990, as 990 stands to 21. */
export const IMPLICIT_PORT_OFFSET = 869;
/** SFTP: 2222, as many servers have it beside their own sshd. */
export const SFTP_PORT_OFFSET = 101;

export interface FirstConfiguration {
  readonly folder: string;
  readonly port: number;
  /** The server runs as root and the user's home lies where only root can reach it. */
  readonly loginAsRoot: boolean;
}

export function firstConfiguration({ folder, port, loginAsRoot }: FirstConfiguration): string {
  const file = (name: keyof typeof STATE_FILES): string => quote(join(folder, STATE_FILES[name]));
  return `# Written by the first start of lockgate; yours to edit. The directives are ProFTPD's.
# Check changes with: lockgate check -c ${join(folder, STATE_FILES.config)}

ServerName "Lockgate"
ServerType standalone
DefaultServer on

# Reachable from this machine only. For others: their address here, and a certificate with your server's name.
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off

# FTP with AUTH TLS
Port ${port}

<Global>
  # Users: lockgate user add|passwd|list|remove
  LockgateUserStore ${file('users')}
  AuthOrder mod_lockgate.c
  RequireValidShell off
${loginAsRoot ? '  # The server runs as root and this folder is open to root only, so the user is root inside its home.\n  RootLogin on\n' : ''}
  # Everybody stays in their home; an upload that broke off can be resumed.
  DefaultRoot ~
  AllowOverwrite on
  AllowStoreRestart on
  Umask 022
  UseReverseDNS off
  PassivePorts 50000 50999
  MaxLoginAttempts 3

  TLSEngine on
  TLSRequired on
  TLSProtocol TLSv1.2 TLSv1.3
  TLSECCertificateFile ${file('ecCertificate')}
  TLSECCertificateKeyFile ${file('ecKey')}
  TLSRSACertificateFile ${file('rsaCertificate')}
  TLSRSACertificateKeyFile ${file('rsaKey')}
  TLSVerifyClient off

  SystemLog ${file('log')}
  SyslogLevel info
</Global>

MaxInstances 100
PidFile ${file('pid')}

# Implicit FTPS
<VirtualHost 127.0.0.1>
  ServerName "Lockgate"
  Port ${port + IMPLICIT_PORT_OFFSET}
  TLSOptions UseImplicitSSL
</VirtualHost>

# SFTP and SCP
<VirtualHost 127.0.0.1>
  ServerName "Lockgate"
  Port ${port + SFTP_PORT_OFFSET}
  TLSEngine off
  TLSRequired off
  SFTPEngine on
  SFTPHostKey ${file('ed25519HostKey')}
  SFTPHostKey ${file('ecdsaHostKey')}
  SFTPHostKey ${file('rsaHostKey')}
  MaxLoginAttempts 6
</VirtualHost>
`;
}

/** Backslash escapes inside quotes (core reference, section 1). */
function quote(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`;
}
