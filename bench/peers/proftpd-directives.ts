/** The directives Lockgate and ProFTPD are given word for word the same. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchFixture, ServerVariant } from './peer.ts';

type Account = readonly [name: string, passwordHash: string];

/** passwd(5) lines of the run's user, and of more with the same ids and home. @returns the file's path */
export function writePasswd(fixture: BenchFixture, name: string, more: readonly Account[] = []): string {
  const path = join(fixture.folder, `${name}.passwd`);
  const { uid, gid, home } = fixture;
  const accounts: readonly Account[] = [[fixture.user, fixture.passwordHash], ...more];
  const lines = accounts.map(([user, hash]) => `${user}:${hash}:${uid}:${gid}::${home}:/bin/sh\n`);
  writeFileSync(path, lines.join(''), { mode: 0o600 });
  return path;
}

export function proftpdDirectives(
  fixture: BenchFixture,
  variant: ServerVariant,
  port: number,
  passwd: string,
): string {
  return `ServerType standalone
ServerName bench
DefaultAddress 127.0.0.1
Port ${port}
UseIPv6 off
MaxInstances none
User nobody
Group nogroup
AuthOrder mod_auth_file.c
AuthUserFile ${passwd}
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
UseReverseDNS off
TransferLog none
SystemLog none
TimeoutIdle 3600
TimeoutNoTransfer 0
${variant.protocol === 'ftp' ? tls(fixture, variant) : sftp(fixture)}`;
}

function tls(fixture: BenchFixture, variant: ServerVariant): string {
  const { certificate, key } = fixture.certificates[variant.certificate];
  const kind = variant.certificate === 'ec' ? 'EC' : 'RSA';
  return `TLSEngine on
TLS${kind}CertificateFile ${certificate}
TLS${kind}CertificateKeyFile ${key}
TLSRequired off
`;
}

function sftp(fixture: BenchFixture): string {
  return `SFTPEngine on
SFTPHostKey ${fixture.hostKey}
SFTPAuthMethods publickey password
SFTPAuthorizedUserKeys file:${fixture.userKeyRfc4716}
SFTPCompression off
`;
}
