/**
 * Key exchanges of strangers, a few at a time per worker: a flood of expensive ones (CVE-2002-20001) must neither fill
 * the thread pool nor the event loop of those who have logged in.
 */
import { availableParallelism } from 'node:os';

const CONCURRENT = Math.max(2, availableParallelism());
/** More than this many waiting is a flood; the newest is turned away. */
const MAX_WAITING = 512;

export class TooManyJobs extends Error {}

/** The connection ended while its job waited. */
export class UnwantedJob extends Error {}

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Runs `job` when its turn comes. Rejects with TooManyJobs where too many wait already, and with UnwantedJob where
 * nobody waits for it any more: a flood of connections that are cut must not cost what it asked for.
 */
export async function runKeyExchangeJob<T>(job: () => Promise<T>, isWanted: () => boolean): Promise<T> {
  if (running >= CONCURRENT) {
    if (waiting.length >= MAX_WAITING) throw new TooManyJobs('too many key exchanges');
    // Whoever ends its job hands its place on.
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    running += 1;
  }
  try {
    if (!isWanted()) throw new UnwantedJob('the connection is over');
    return await job();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}
