import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOCKGATE_VERSION } from '../../src/version.ts';
import type { BenchFixture, Peer, ServerVariant } from './peer.ts';
import { proftpdDirectives, writePasswd } from './proftpd-directives.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/lockgate', import.meta.url));

export interface LockgateOptions {
  /** Of the results' column. */
  readonly name: string;
  /** More command line arguments. @throws NotMeasurable where there are none to be had */
  readonly args?: () => readonly string[];
  /** More users with the run's home: name and password hash. */
  readonly accounts?: (fixture: BenchFixture) => Promise<readonly (readonly [name: string, hash: string])[]>;
}

/** Lockgate as it is started here, with what one part wants besides. */
export function lockgateVariant({
  name,
  args = () => [],
  accounts = () => Promise.resolve([]),
}: LockgateOptions): Peer {
  return {
    name,
    protocols: ['ftp', 'ssh'],
    resumesTls: true,
    version: () => LOCKGATE_VERSION,
    async prepare({ fixture, variant, port }) {
      const passwd = writePasswd(fixture, `${name}-${port}`, await accounts(fixture));
      const file = join(fixture.folder, `${name}-${port}`);
      writeFileSync(
        `${file}.conf`,
        `${proftpdDirectives(fixture, variant, port, passwd)}
PidFile ${file}.pid
${workers(variant)}`,
        { mode: 0o600 },
      );
      return {
        command: [LAUNCHER, ...args(), '-n', '-q', '-c', `${file}.conf`],
        environment: process.env,
      };
    },
  };
}

/** Its name in results. */
export const LOCKGATE = 'lockgate';

export const lockgate: Peer = lockgateVariant({ name: LOCKGATE });

function workers(variant: ServerVariant): string {
  return variant.workers === null ? '' : `LockgateWorkers ${variant.workers}\n`;
}
