import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from '../harness/cleanup.ts';
import type { Peer } from './peer.ts';
import { findProgram, peerEnvironment, programVersion } from './unpacked.ts';

/** What sshd wants of the system: the account it separates privileges with, and its empty folder. */
const ACCOUNT = 'sshd';
const EMPTY_FOLDER = '/run/sshd';

/**
 * sshd with its sftp-server, as Debian sets it up but for the users' jail: sshd locks users only into folders that
 * belong to root, where nobody could upload. That is in its favour.
 */
export const openssh: Peer = {
  name: 'openssh',
  protocols: ['ssh'],
  resumesTls: false,
  version: () =>
    findProgram('sftp-server') === null
      ? null
      : programVersion(findProgram('sshd'), ['-?'], /(?<=OpenSSH_)\d+\.\d+p\d+/),
  prepare({ fixture, port, cleanup }) {
    provideSystemParts(cleanup);
    const config = join(fixture.folder, `sshd-${port}.conf`);
    writeFileSync(
      config,
      `ListenAddress 127.0.0.1:${port}
HostKey ${fixture.hostKey}
PidFile ${join(fixture.folder, `sshd-${port}.pid`)}
AuthorizedKeysFile ${fixture.userKeyPublic}
StrictModes no
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitEmptyPasswords no
AllowUsers ${fixture.user}
MaxStartups 1000
MaxSessions 100
LoginGraceTime 60
ClientAliveInterval 0
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
AllowTcpForwarding no
Compression no
LogLevel QUIET
Subsystem sftp ${findProgram('sftp-server')}
`,
      { mode: 0o600 },
    );
    return { command: [findProgram('sshd')!, '-D', '-e', '-f', config], environment: peerEnvironment() };
  },
};

function provideSystemParts(cleanup: Cleanup): void {
  if (spawnSync('id', ['-u', ACCOUNT], { timeout: 10_000 }).status !== 0) {
    cleanup.add(`account ${ACCOUNT}`, () => void execFileSync('userdel', [ACCOUNT], { timeout: 10_000 }));
    execFileSync(
      'useradd',
      ['--system', '--no-create-home', '--home-dir', EMPTY_FOLDER, '--shell', '/usr/sbin/nologin', ACCOUNT],
      { timeout: 10_000 },
    );
  }
  if (!existsSync(EMPTY_FOLDER)) {
    cleanup.add(EMPTY_FOLDER, () => rmdirSync(EMPTY_FOLDER));
    mkdirSync(EMPTY_FOLDER, { mode: 0o755 });
  }
}
