/** Large files by one stream and by many, up and down, over every protocol. */
import { transferFloor } from '../floors/transfer-floor.ts';
import type { BenchContext, Measure, Part } from '../harness/part.ts';
import type { Sizes } from '../harness/sizes.ts';
import type { Job, Target } from '../load/jobs.ts';
import { runLoad } from '../load/run-load.ts';
import type { RunningServer } from '../peers/peer.ts';
import { throughputMetrics } from './metrics.ts';
import { opensshMeasures } from './openssh-client.ts';
import { FTP_CLEAR, FTPS_1_2, FTPS_1_3, SFTP_CTR, SFTP_GCM, type Way } from './targets.ts';

export type Direction = 'download' | 'upload';

const DIRECTIONS: readonly Direction[] = ['download', 'upload'];
const WAYS: readonly Way[] = [FTP_CLEAR, FTPS_1_2, FTPS_1_3, SFTP_GCM, SFTP_CTR];

export const transfer: Part = {
  name: 'transfer',
  summary:
    'One large file by one stream, and as many bytes by several streams; files in memory, AES-256 everywhere. ' +
    'Login is not counted. The floor is the CPU of `openssl speed` for the cipher plus that of reading a file and ' +
    'sending it (or receiving and writing) without protocol.',
  measures: (sizes) => [
    ...WAYS.flatMap((way) =>
      DIRECTIONS.flatMap((direction) =>
        [1, sizes.streams].map((streams) => transferMeasure(way, direction, streams, sizes)),
      ),
    ),
    ...opensshMeasures(sizes),
  ],
};

export function transferMeasure(way: Way, direction: Direction, streams: number, sizes: Sizes): Measure {
  const bytes = Math.floor(sizes.bigBytes / streams);
  return {
    name: `${way.name} ${direction}, ${streams} ${streams === 1 ? 'stream' : 'streams'}`,
    variant: way.variant,
    run: (server, context) => moveFiles(server, context, way, direction, streams, bytes),
    floor: (context) => transferFloor(context, way.ciphers, direction),
  };
}

async function moveFiles(
  server: RunningServer,
  { fixture, loads }: BenchContext,
  way: Way,
  direction: Direction,
  streams: number,
  bytes: number,
) {
  const target = way.target(server, fixture);
  const file = fixture.files.big(bytes);
  fixture.files.removeUploads();
  const jobs = Array.from({ length: streams }, (_, index) => fileJob(direction, target, file, index, bytes));
  const result = await runLoad(server, jobs, loads);
  if (result.count !== bytes * streams)
    throw new Error(`${result.count} of ${bytes * streams} bytes arrived`);
  return throughputMetrics(bytes * streams, streams, result);
}

function fileJob(direction: Direction, target: Target, file: string, index: number, bytes: number): Job {
  return direction === 'download'
    ? { kind: 'download', target, files: [file] }
    : { kind: 'upload', target, files: [{ name: `upload/${index}.bin`, bytes }] };
}
