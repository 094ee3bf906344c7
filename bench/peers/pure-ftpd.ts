import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, type Peer } from './peer.ts';
import { findProgram, peerEnvironment, programVersion } from './unpacked.ts';

export const pureFtpd: Peer = {
  name: 'pure-ftpd',
  version: () =>
    findProgram('pure-pw') === null ? null : programVersion(findProgram('pure-ftpd'), ['--help']),
  start(fixture, port) {
    const passwd = join(fixture.folder, 'pureftpd.passwd');
    const database = join(fixture.folder, 'pureftpd.pdb');
    const pem = join(fixture.folder, 'pureftpd.pem');
    writeFileSync(
      passwd,
      `${fixture.user}:${fixture.passwordHash}:${fixture.uid}:${fixture.gid}::${fixture.home}/./::::::::::::\n`,
      { mode: 0o600 },
    );
    execFileSync(findProgram('pure-pw')!, ['mkdb', database, '-f', passwd], { env: peerEnvironment() });
    writeFileSync(pem, readFileSync(fixture.key, 'utf8') + readFileSync(fixture.certificate, 'utf8'), {
      mode: 0o600,
    });
    const program = findProgram('pure-ftpd')!;
    const flags = ['-S', `127.0.0.1,${port}`, '-l', `puredb:${database}`, '-Y', '1', '-2', pem];
    const limits = [
      '-c',
      '5000',
      '-C',
      '5000',
      '-I',
      '60',
      '-H',
      '-A',
      '-4',
      '-g',
      join(fixture.folder, 'pureftpd.pid'),
    ];
    return startServer(
      { name: this.name, version: this.version()! },
      [program, ...flags, ...limits],
      port,
      peerEnvironment(),
    );
  },
};
