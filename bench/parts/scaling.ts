/** How throughput and logins grow with Lockgate's worker threads, and with ten times as many sessions. */
import type { Measure, Part } from '../harness/part.ts';
import type { Sizes } from '../harness/sizes.ts';
import { LOCKGATE } from '../peers/lockgate.ts';
import type { ServerVariant } from '../peers/peer.ts';
import { countLogins } from './logins.ts';
import { FTPS_1_3, SFTP_GCM, type Way } from './targets.ts';
import { transferMeasure } from './transfer.ts';

const WORKERS = [1, 2];
const TIMES_SESSIONS = 10;

export const scaling: Part = {
  name: 'scaling',
  summary:
    'The same work with one and with two worker threads (Lockgate only: the others have a process for each session), ' +
    'and with ten times as many sessions.',
  measures: (sizes) =>
    [FTPS_1_3, SFTP_GCM].flatMap((way) => [
      ...WORKERS.flatMap((workers) => withWorkers(way, sizes, workers)),
      transferMeasure(way, 'download', sizes.streams * TIMES_SESSIONS, sizes),
      loginMeasure(way, way.variant, sizes.streams * TIMES_SESSIONS, ''),
    ]),
};

function withWorkers(way: Way, sizes: Sizes, workers: number): Measure[] {
  const variant = { ...way.variant, workers };
  const label = `, ${workers} ${workers === 1 ? 'worker' : 'workers'}`;
  const measures = [
    transferMeasure(way, 'download', sizes.streams, sizes),
    transferMeasure(way, 'upload', sizes.streams, sizes),
  ].map((measure) => ({ ...measure, name: `${measure.name}${label}`, variant }));
  return [...measures, loginMeasure(way, variant, sizes.streams, label)].map((measure) => ({
    ...measure,
    only: [LOCKGATE],
  }));
}

function loginMeasure(way: Way, variant: ServerVariant, clients: number, label: string): Measure {
  return {
    name: `${way.name} logins, ${clients} clients${label}`,
    variant,
    run: (server, context) => countLogins(server, context, way.target, false, clients),
  };
}
