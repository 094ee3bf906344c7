/** Listing of a large directory, in time and memory. */
import { setTimeout as wait } from 'node:timers/promises';
import { NotMeasurable, type BenchContext, type Measure, type Part } from '../harness/part.ts';
import type { ListCommand } from '../load/jobs.ts';
import { runLoad } from '../load/run-load.ts';
import type { RunningServer } from '../peers/peer.ts';
import type { ServerAccount } from '../peers/server-account.ts';
import { serverCpuPerOperation } from './metrics.ts';
import { FTPS_1_3, SFTP_GCM, type Way } from './targets.ts';

/** vsftpd answers 500 to MLSD. */
const WITHOUT_MLSD = ['vsftpd'];
const MEMORY_SAMPLE_MS = 50;
/** Shorter than any line or entry can be with names of 24 bytes: fewer bytes mean a listing cut short. */
const LEAST_LINE_BYTES = 26;

export const listing: Part = {
  name: 'listing',
  summary:
    'One directory with many entries listed over TLS 1.3 and SFTP; memory is the peak of PSS during the listing less ' +
    'that before it, sampled every 50 ms. A server that lists fewer entries than there are fails.',
  measures: (sizes) => [
    measure(FTPS_1_3, 'LIST', sizes.listedEntries),
    measure(FTPS_1_3, 'MLSD', sizes.listedEntries),
    measure(SFTP_GCM, 'SFTP', sizes.listedEntries),
  ],
};

function measure(way: Way, command: ListCommand, entries: number): Measure {
  return {
    name: `${command === 'SFTP' ? way.name : `${way.name} ${command}`}, ${entries} entries`,
    variant: way.variant,
    unable: (peer) => (command === 'MLSD' && WITHOUT_MLSD.includes(peer.name) ? 'has no MLSD' : null),
    run: (server, context) => list(server, context, way, command, entries),
  };
}

async function list(
  server: RunningServer,
  { fixture, loads }: BenchContext,
  way: Way,
  command: ListCommand,
  entries: number,
) {
  const folder = fixture.files.listedFolder(entries);
  const target = way.target(server, fixture);
  const watch = watchMemory(server.account);
  const result = await runLoad(server, [{ kind: 'list', target, command, folder }], loads).finally(
    watch.stop,
  );
  const least = command === 'SFTP' ? entries : entries * LEAST_LINE_BYTES;
  if (result.count < least)
    throw new NotMeasurable(
      `lists ${result.count} of at least ${least} ${command === 'SFTP' ? 'entries' : 'bytes'}`,
    );
  return [
    { name: 'seconds', better: 'lower', value: result.seconds } as const,
    serverCpuPerOperation('entry', result.serverCpuSeconds, entries),
    { name: 'MiB more at the peak', better: 'lower', value: watch.peakBytes() / 2 ** 20 } as const,
  ];
}

/** Samples until stopped. */
function watchMemory(account: ServerAccount): {
  readonly stop: () => Promise<void>;
  readonly peakBytes: () => number;
} {
  const before = account.proportionalMemory();
  let peak = before;
  let running = true;
  const loop = (async () => {
    while (running) {
      peak = Math.max(peak, account.proportionalMemory());
      await wait(MEMORY_SAMPLE_MS);
    }
  })();
  return {
    stop: () => {
      running = false;
      return loop;
    },
    peakBytes: () => peak - before,
  };
}
