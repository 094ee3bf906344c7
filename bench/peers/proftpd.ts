import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, type Peer } from './peer.ts';
import { findProgram, peerEnvironment, programVersion, unpackedPath } from './unpacked.ts';

export const proftpd: Peer = {
  name: 'proftpd',
  version: () => programVersion(findProgram('proftpd'), ['-v']),
  start(fixture, port) {
    const passwd = join(fixture.folder, 'proftpd.passwd');
    writeFileSync(
      passwd,
      `${fixture.user}:${fixture.passwordHash}:${fixture.uid}:${fixture.gid}::${fixture.home}:/bin/sh\n`,
      { mode: 0o600 },
    );
    const config = join(fixture.folder, 'proftpd.conf');
    writeFileSync(
      config,
      `ServerType standalone
ServerName bench
DefaultAddress 127.0.0.1
Port ${port}
UseIPv6 off
ModulePath ${unpackedPath('/usr/lib/proftpd')}
LoadModule mod_tls.c
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
WtmpLog off
SystemLog none
ScoreboardFile ${join(fixture.folder, 'proftpd.scoreboard')}
PidFile ${join(fixture.folder, 'proftpd.pid')}
DelayEngine off
TimeoutIdle 3600
TLSEngine on
TLSECCertificateFile ${fixture.certificate}
TLSECCertificateKeyFile ${fixture.key}
TLSRequired off
`,
    );
    const program = findProgram('proftpd')!;
    return startServer(
      { name: this.name, version: this.version()! },
      [program, '-n', '-q', '-c', config],
      port,
      peerEnvironment(),
    );
  },
};
