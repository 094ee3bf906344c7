/** How long a small question takes while others move large files. */
import { quantile } from '../harness/statistics.ts';
import type { BenchContext, Measure, Part } from '../harness/part.ts';
import type { Metric } from '../harness/results.ts';
import { LoadProcess, runLoad } from '../load/run-load.ts';
import type { RunningServer } from '../peers/peer.ts';
import { FTPS_1_3, SFTP_GCM, type Way } from './targets.ts';

const WAYS: readonly Way[] = [FTPS_1_3, SFTP_GCM];

export const latency: Part = {
  name: 'latency',
  summary:
    'Time of NOOP (SFTP: REALPATH) and of a download of 4 KiB on one session, one after the other, without other load ' +
    'and while large downloads run; clients share the machine, so only values of one run compare.',
  measures: (sizes) =>
    WAYS.flatMap((way) =>
      [0, sizes.backgroundStreams].flatMap((streams) => [
        measure(way, streams, false),
        measure(way, streams, true),
      ]),
    ),
};

function measure(way: Way, streams: number, download: boolean): Measure {
  const question = download ? '4 KiB download' : way === SFTP_GCM ? 'REALPATH' : 'NOOP';
  return {
    name: `${way.name} ${question}, ${streams === 0 ? 'no other load' : `${streams} downloads running`}`,
    variant: way.variant,
    run: (server, context) => ask(server, context, way, streams, download),
  };
}

async function ask(
  server: RunningServer,
  { fixture, sizes, cleanup, loads }: BenchContext,
  way: Way,
  streams: number,
  download: boolean,
): Promise<Metric[]> {
  const target = way.target(server, fixture);
  const big = fixture.files.big(Math.floor(sizes.bigBytes / sizes.streams));
  const small = `${fixture.files.smallFolder(sizes.smallFiles)}/0.bin`;
  const background = Array.from({ length: streams }, () => new LoadProcess(cleanup));
  try {
    await Promise.all(background.map((load) => load.prepare({ kind: 'background', target, file: big })));
    for (const load of background) load.start();
    const file = download ? small : null;
    const job = { kind: 'latency' as const, target, seconds: sizes.seconds, file };
    const { latencies } = await runLoad(server, [job], loads);
    const at = (share: number): number => quantile(latencies, share) * 1000;
    return [
      { name: 'p50 ms', better: 'lower', value: at(0.5) },
      { name: 'p99 ms', better: 'lower', value: at(0.99) },
    ];
  } finally {
    await Promise.all(background.map((load) => load.stop()));
  }
}
