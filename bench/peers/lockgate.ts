import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOCKGATE_VERSION } from '../../src/version.ts';
import { startServer, type Peer } from './peer.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/lockgate', import.meta.url));

export const lockgate: Peer = {
  name: 'lockgate',
  version: () => LOCKGATE_VERSION,
  start(fixture, port) {
    const passwd = join(fixture.folder, 'lockgate.passwd');
    writeFileSync(
      passwd,
      `${fixture.user}:${fixture.passwordHash}:${fixture.uid}:${fixture.gid}::${fixture.home}:/bin/sh\n`,
      { mode: 0o600 },
    );
    const config = join(fixture.folder, 'lockgate.conf');
    writeFileSync(
      config,
      `ServerType standalone
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
PidFile ${join(fixture.folder, 'lockgate.pid')}
TimeoutIdle 3600
TLSEngine on
TLSECCertificateFile ${fixture.certificate}
TLSECCertificateKeyFile ${fixture.key}
TLSRequired off
`,
    );
    return startServer(
      { name: this.name, version: LOCKGATE_VERSION },
      [LAUNCHER, '-n', '-q', '-c', config],
      port,
    );
  },
};
