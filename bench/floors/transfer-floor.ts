/** Least CPU a server can need for a large file: the cipher alone, and the same bytes moved without protocol. */
import { rmSync } from 'node:fs';
import type { BenchContext } from '../harness/part.ts';
import type { Metric } from '../harness/results.ts';
import { GIBIBYTE, SERVER_CPU_PER_GIB } from '../parts/metrics.ts';
import type { CipherWork } from '../parts/targets.ts';
import { cipherCpuSeconds } from './cipher-floor.ts';
import { runFloor } from './run-floor.ts';

export async function transferFloor(
  { fixture, sizes, cleanup }: BenchContext,
  works: readonly CipherWork[],
  direction: 'download' | 'upload',
): Promise<Metric[]> {
  const bytes = sizes.bigBytes;
  const moving = await movingCpuSeconds();
  const value = ((moving + (await cipherCpuSeconds(works, bytes))) * GIBIBYTE) / bytes;
  return [{ name: SERVER_CPU_PER_GIB, better: 'lower', value }];

  async function movingCpuSeconds(): Promise<number> {
    if (direction === 'download') {
      const file = fixture.files.path(fixture.files.big(bytes));
      return runFloor({ role: 'send-file', file }, { bytes: null, connections: 1 }, cleanup);
    }
    fixture.files.removeUploads();
    const file = fixture.files.path('upload/floor.bin');
    try {
      return await runFloor({ role: 'receive-file', file }, { bytes, connections: 1 }, cleanup);
    } finally {
      rmSync(file, { force: true });
    }
  }
}
