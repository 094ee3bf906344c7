/** A load process: takes a job, logs in, says it is ready, works from `go` on, answers with the result. */
import { openSession, type LoadSession } from './load-session.ts';
import type { FromLoad, FromParent, Job, JobResult } from './jobs.ts';
import type { TlsSession } from './native-tls.ts';

const now = (): number => Number(process.hrtime.bigint()) / 1e9;

/** Kept open by the hold job. */
const held: LoadSession[] = [];
let pending: { readonly job: Job; readonly session: LoadSession | null } | null = null;

function tell(message: FromLoad): void {
  process.send!(message);
}

/** What is done before the clock starts. */
async function prepare(job: Job): Promise<LoadSession | null> {
  if (job.kind === 'logins' || job.kind === 'hold') return null;
  const session = await openSession(job.target, null);
  session.prepareTransfers();
  return session;
}

async function work(job: Job, session: LoadSession | null): Promise<{ count: number; latencies?: number[] }> {
  switch (job.kind) {
    case 'download': {
      let count = 0;
      for (const file of job.files) count += session!.download(file);
      return { count };
    }
    case 'upload': {
      let count = 0;
      for (const { name, bytes } of job.files) {
        session!.upload(name, bytes);
        count += bytes;
      }
      return { count };
    }
    case 'background':
      for (;;) session!.download(job.file);
    case 'logins':
      return { count: await logins(job) };
    case 'latency':
      return latency(job, session!);
    case 'list':
      return { count: session!.list(job.command, job.folder) };
    case 'hold':
      while (held.length < job.count) held.push(await openSession(job.target, null));
      return { count: held.length };
  }
}

async function logins(job: Job & { kind: 'logins' }): Promise<number> {
  let resume: TlsSession | null = null;
  if (job.resume) {
    const first = await openSession(job.target, null);
    resume = first.tlsSession();
    first.quit();
  }
  const end = now() + job.seconds;
  let count = 0;
  for (; now() < end; count += 1) (await openSession(job.target, resume)).quit();
  resume?.free();
  return count;
}

function latency(
  job: Job & { kind: 'latency' },
  session: LoadSession,
): { count: number; latencies: number[] } {
  const latencies: number[] = [];
  const end = now() + job.seconds;
  for (let before = now(); before < end;) {
    if (job.file === null) session.noop();
    else session.download(job.file);
    const after = now();
    latencies.push(after - before);
    before = after;
  }
  return { count: latencies.length, latencies };
}

async function perform(job: Job, session: LoadSession | null): Promise<JobResult> {
  const cpuBefore = process.cpuUsage();
  const startedAt = now();
  const { count, latencies = [] } = await work(job, session);
  const endedAt = now();
  const cpu = process.cpuUsage(cpuBefore);
  return { count, startedAt, endedAt, cpuSeconds: (cpu.user + cpu.system) / 1e6, latencies };
}

async function handle(message: FromParent): Promise<void> {
  if (message.type === 'job') {
    pending = { job: message.job, session: await prepare(message.job) };
    tell({ type: 'ready' });
    return;
  }
  if (pending === null) throw new Error('go without a job');
  const { job, session } = pending;
  pending = null;
  const result = await perform(job, session);
  session?.quit();
  tell({ type: 'result', result });
}

process.on('message', (message: FromParent) => {
  handle(message).catch((error: unknown) =>
    tell({ type: 'failed', reason: error instanceof Error ? error.message : String(error) }),
  );
});
// The parent is gone: nobody wants the result.
process.on('disconnect', () => process.exit(0));
