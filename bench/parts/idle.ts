/** Memory of sessions that are logged in and do nothing. */
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { NotMeasurable, type BenchContext, type Measure, type Part } from '../harness/part.ts';
import type { Metric } from '../harness/results.ts';
import { LoadProcess } from '../load/run-load.ts';
import type { RunningServer } from '../peers/peer.ts';
import { FTP_CLEAR, FTPS_1_3, SFTP_GCM, type Way } from './targets.ts';

/** Opening sessions may take this long for one server; slower ones are measured as far as they came. */
const OPEN_TIMEOUT_MS = 400_000;
/** Sessions are opened in steps of this size at most, so that the limits below are looked at often. */
const STEP_SESSIONS = 500;
/** Share of the free memory a server may take. */
const MEMORY_SHARE = 0.7;

export const idle: Part = {
  name: 'idle',
  summary:
    'Proportional memory (PSS) of all processes of the server, less that without sessions, for each idle session; ' +
    'and the least memory with none.',
  measures: (sizes) =>
    [FTP_CLEAR, FTPS_1_3, SFTP_GCM].map((way): Measure => ({
      name: `${way.name}, idle sessions`,
      variant: way.variant,
      once: true,
      run: (server, context) => measureIdle(server, context, way, sizes.idleSessions),
    })),
};

async function measureIdle(
  server: RunningServer,
  context: BenchContext,
  way: Way,
  counts: readonly number[],
): Promise<Metric[]> {
  const before = server.account.proportionalMemory();
  const metrics: Metric[] = [{ name: 'MiB without sessions', better: 'lower', value: before / 2 ** 20 }];
  const holder = new LoadProcess(context.cleanup);
  const deadline = performance.now() + OPEN_TIMEOUT_MS;
  try {
    let open = 0;
    let perSession = 0;
    for (const count of counts) {
      while (open < count) {
        const next = Math.min(count, open + STEP_SESSIONS);
        const reason = cannotHold(perSession * (next - open), server, deadline);
        if (reason !== null) {
          context.report(`${server.name}: ${way.name}: ${open} of ${count} idle sessions: ${reason}`);
          if (metrics.length === 1) throw new NotMeasurable(reason);
          return metrics;
        }
        await holder.prepare({ kind: 'hold', target: way.target(server, context.fixture), count: next });
        await holder.go(Math.max(1000, deadline - performance.now()));
        open = next;
        perSession = (server.account.proportionalMemory() - before) / open;
      }
      metrics.push({ name: `KiB per session, ${count} sessions`, better: 'lower', value: perSession / 1024 });
    }
    return metrics;
  } finally {
    await holder.stop();
  }
}

/** Why so many bytes more should not be tried, or null. */
function cannotHold(bytes: number, server: RunningServer, deadline: number): string | null {
  if (performance.now() > deadline) return 'opening them took longer than 400 s';
  if (bytes > freemem() * MEMORY_SHARE) return 'not enough memory on this machine';
  const limit = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  if (server.account.processes().length > limit * MEMORY_SHARE)
    return `near the kernel's limit of ${limit} processes`;
  return null;
}
