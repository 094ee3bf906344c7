import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';
import { proftpdDirectives, writePasswd } from './proftpd-directives.ts';
import { findProgram, peerEnvironment, programVersion, unpackedPath } from './unpacked.ts';

export const proftpd: Peer = {
  name: 'proftpd',
  protocols: ['ftp', 'ssh'],
  resumesTls: true,
  version: () => programVersion(findProgram('proftpd'), ['-v']),
  prepare({ fixture, variant, port }) {
    const config = join(fixture.folder, `proftpd-${port}.conf`);
    const name = join(fixture.folder, `proftpd-${port}`);
    writeFileSync(
      config,
      `ModulePath ${unpackedPath('/usr/lib/proftpd')}
LoadModule ${variant.protocol === 'ftp' ? 'mod_tls.c' : 'mod_sftp.c'}
${proftpdDirectives(fixture, variant, port, writePasswd(fixture, `proftpd-${port}`))}
WtmpLog off
ScoreboardFile ${name}.scoreboard
PidFile ${name}.pid
DelayEngine off
`,
      { mode: 0o600 },
    );
    return { command: [findProgram('proftpd')!, '-n', '-q', '-c', config], environment: peerEnvironment() };
  },
};
