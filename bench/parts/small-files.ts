/** Many files of 4 KiB, by one session and by several. */
import { operationSeconds } from '../floors/operation-floor.ts';
import { runFloor } from '../floors/run-floor.ts';
import type { BenchContext, Measure, Part } from '../harness/part.ts';
import type { Sizes } from '../harness/sizes.ts';
import { runLoad } from '../load/run-load.ts';
import { SMALL_FILE_BYTES } from '../fixture/bench-files.ts';
import { rateMetrics, serverCpuPerOperation } from './metrics.ts';
import { opensshFolderMeasure } from './openssh-client.ts';
import { FTP_CLEAR, FTPS_1_2, FTPS_1_3, SFTP_GCM, type Way } from './targets.ts';

const WAYS: readonly Way[] = [FTP_CLEAR, FTPS_1_2, FTPS_1_3, SFTP_GCM];

export const smallFiles: Part = {
  name: 'small-files',
  summary:
    'Files of 4 KiB downloaded one after the other, by one session and shared among several; TLS sessions are resumed ' +
    'on data connections. The floor is accept, open, read, send, close for each file, and with TLS 1.3 the key ' +
    'agreement of a resumed handshake; SFTP opens no connections, and may go below it.',
  measures: (sizes) => [
    ...WAYS.flatMap((way) => [1, sizes.streams].map((sessions) => smallFilesMeasure(way, sessions, sizes))),
    opensshFolderMeasure(sizes),
  ],
};

export function smallFilesMeasure(way: Way, sessions: number, sizes: Sizes): Measure {
  return {
    name: `${way.name}, ${sizes.smallFiles} files, ${sessions} ${sessions === 1 ? 'session' : 'sessions'}`,
    variant: way.variant,
    run: async (server, { fixture, loads }) => {
      const folder = fixture.files.smallFolder(sizes.smallFiles);
      const target = way.target(server, fixture);
      const files = Array.from({ length: sizes.smallFiles }, (_, index) => `${folder}/${index}.bin`);
      const jobs = Array.from({ length: sessions }, (_, session) => ({
        kind: 'download' as const,
        target,
        files: files.filter((_file, index) => index % sessions === session),
      }));
      const result = await runLoad(server, jobs, loads);
      if (result.count !== files.length * SMALL_FILE_BYTES)
        throw new Error(`${result.count} of ${files.length * SMALL_FILE_BYTES} bytes arrived`);
      return rateMetrics('files', { ...result, count: files.length });
    },
    floor: (context) => floor(context, way),
  };
}

async function floor({ fixture, sizes, cleanup }: BenchContext, way: Way) {
  const folder = fixture.files.path(fixture.files.smallFolder(sizes.smallFiles));
  const files = Array.from({ length: sizes.smallFiles }, (_, index) => `${folder}/${index}.bin`);
  const moving = await runFloor(
    { role: 'send-files', files },
    { bytes: null, connections: files.length },
    cleanup,
  );
  // A resumed TLS 1.3 handshake makes a key and agrees on a secret (RFC 8446, section 2.2); TLS 1.2 does neither.
  const agreement = way === FTPS_1_3 ? await operationSeconds(['x25519', 'x25519']) : 0;
  return [serverCpuPerOperation('file', moving + agreement * files.length, files.length)];
}
