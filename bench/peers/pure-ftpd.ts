import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';
import { findProgram, peerEnvironment, programVersion } from './unpacked.ts';

export const pureFtpd: Peer = {
  name: 'pure-ftpd',
  protocols: ['ftp'],
  resumesTls: false,
  version: () =>
    findProgram('pure-pw') === null ? null : programVersion(findProgram('pure-ftpd'), ['--help']),
  prepare({ fixture, variant, port }) {
    const name = join(fixture.folder, `pureftpd-${port}`);
    const { user, passwordHash, uid, gid, home } = fixture;
    writeFileSync(`${name}.passwd`, `${user}:${passwordHash}:${uid}:${gid}::${home}/./::::::::::::\n`, {
      mode: 0o600,
    });
    execFileSync(findProgram('pure-pw')!, ['mkdb', `${name}.pdb`, '-f', `${name}.passwd`], {
      env: peerEnvironment(),
      timeout: 10_000,
    });
    const { certificate, key } = fixture.certificates[variant.certificate];
    writeFileSync(`${name}.pem`, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'), {
      mode: 0o600,
    });
    const flags = [`-S 127.0.0.1,${port}`, `-l puredb:${name}.pdb`, '-Y 1', `-2 ${name}.pem`];
    // Limits out of the way, no reverse look-ups, users locked in their home, IPv4 only.
    const limits = ['-c 20000', '-C 20000', '-I 60', '-H', '-A', '-4', `-g ${name}.pid`];
    return {
      command: [findProgram('pure-ftpd')!, ...[...flags, ...limits].flatMap((flag) => flag.split(' '))],
      environment: peerEnvironment(),
    };
  },
};
