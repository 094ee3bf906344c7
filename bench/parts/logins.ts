/** Complete sessions a second: connect, authenticate, leave. */
import { hashSeconds, operationSeconds, type Operation } from '../floors/operation-floor.ts';
import { NotMeasurable, type BenchContext, type Measure, type Part } from '../harness/part.ts';
import type { Target } from '../load/jobs.ts';
import { runLoad } from '../load/run-load.ts';
import {
  FTP_SERVER,
  FTP_SERVER_RSA,
  SSH_SERVER,
  type BenchFixture,
  type RunningServer,
  type ServerVariant,
} from '../peers/peer.ts';
import { rateMetrics, serverCpuPerOperation } from './metrics.ts';
import { FTP_CLEAR, FTPS_1_3, SFTP_GCM } from './targets.ts';

interface LoginWay {
  readonly name: string;
  readonly variant: ServerVariant;
  readonly resume: boolean;
  readonly target: (server: RunningServer, fixture: BenchFixture) => Target;
  /** What cannot be left out besides the password's hash. */
  readonly operations: readonly Operation[];
  readonly hash: boolean;
}

/** Making a key and agreeing on a secret. */
const AGREEMENT = ['x25519', 'x25519'] as const;

const WAYS: readonly LoginWay[] = [
  { name: 'FTP', variant: FTP_SERVER, resume: false, target: FTP_CLEAR.target, operations: [], hash: true },
  tls('FTPS TLS 1.3, full handshake, EC', FTP_SERVER, false, ['ecdsa-sign', ...AGREEMENT]),
  tls('FTPS TLS 1.3, full handshake, RSA', FTP_SERVER_RSA, false, ['rsa-sign', ...AGREEMENT]),
  tls('FTPS TLS 1.3, resumed', FTP_SERVER, true, AGREEMENT),
  {
    name: 'SFTP, password',
    variant: SSH_SERVER,
    resume: false,
    target: (server, fixture) => ({
      ...SFTP_GCM.target(server, fixture),
      ...{ credential: { password: fixture.password } },
    }),
    operations: ['ed25519-sign', ...AGREEMENT],
    hash: true,
  },
  {
    name: 'SFTP, key',
    variant: SSH_SERVER,
    resume: false,
    target: SFTP_GCM.target,
    operations: ['ed25519-sign', 'ed25519-verify', ...AGREEMENT],
    hash: false,
  },
];

function tls(
  name: string,
  variant: ServerVariant,
  resume: boolean,
  operations: readonly Operation[],
): LoginWay {
  return { name, variant, resume, target: FTPS_1_3.target, operations, hash: true };
}

export const logins: Part = {
  name: 'logins',
  summary:
    'Sessions from connect to quit, by several client processes one session after the other; the password is a ' +
    '`$6$` hash for every server. The floor is that hash and the handshake’s signature and key agreement alone.',
  measures: (sizes) => WAYS.map((way) => loginMeasure(way, sizes.streams)),
};

/** @param clients - processes that log in at the same time */
function loginMeasure(way: LoginWay, clients: number): Measure {
  return {
    name: `${way.name}, ${clients} clients`,
    variant: way.variant,
    run: (server, context) => countLogins(server, context, way.target, way.resume, clients),
    floor: async ({ fixture }) => {
      const hash = way.hash ? hashSeconds(fixture.password, fixture.passwordHash) : 0;
      if (hash === null) throw new NotMeasurable('libcrypt cannot be reached');
      const operations = await operationSeconds(way.operations);
      return [serverCpuPerOperation('login', hash + operations, 1)];
    },
  };
}

export async function countLogins(
  server: RunningServer,
  { fixture, sizes, loads }: BenchContext,
  targetOf: LoginWay['target'],
  resume: boolean,
  clients: number,
) {
  const target = targetOf(server, fixture);
  const job = { kind: 'logins' as const, target, seconds: sizes.seconds, resume };
  const result = await runLoad(server, Array<typeof job>(clients).fill(job), loads);
  if (result.count === 0) throw new Error('nobody could log in');
  return rateMetrics('logins', result);
}
