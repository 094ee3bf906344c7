import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';
import { findProgram, peerEnvironment, programVersion } from './unpacked.ts';

/** vsftpd only knows system accounts by PAM: the run's temporary account (see fixture/) and a PAM service of its own. */
const PAM_SERVICE = 'lockgate-bench';

export const vsftpd: Peer = {
  name: 'vsftpd',
  protocols: ['ftp'],
  resumesTls: true,
  version: () => programVersion(findProgram('vsftpd'), ['-v']),
  prepare({ fixture, variant, port, cleanup }) {
    const service = `/etc/pam.d/${PAM_SERVICE}`;
    cleanup.add(service, () => rmSync(service, { force: true }));
    writeFileSync(service, 'auth required pam_unix.so\naccount required pam_permit.so\n');
    const empty = join(fixture.folder, 'vsftpd-empty');
    mkdirSync(empty, { recursive: true });
    const { certificate, key } = fixture.certificates[variant.certificate];
    const config = join(fixture.folder, `vsftpd-${port}.conf`);
    writeFileSync(
      config,
      `listen=YES
listen_address=127.0.0.1
listen_port=${port}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
chroot_local_user=YES
allow_writeable_chroot=YES
pam_service_name=${PAM_SERVICE}
secure_chroot_dir=${empty}
xferlog_enable=NO
max_per_ip=0
max_clients=0
idle_session_timeout=3600
ssl_enable=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
rsa_cert_file=${certificate}
rsa_private_key_file=${key}
require_ssl_reuse=YES
ssl_ciphers=HIGH
`,
      { mode: 0o600 },
    );
    return { command: [findProgram('vsftpd')!, config], environment: peerEnvironment() };
  },
};
