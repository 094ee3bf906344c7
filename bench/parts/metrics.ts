/** Metrics as every part names them. */
import { availableParallelism } from 'node:os';
import type { Metric } from '../harness/results.ts';
import type { LoadResult } from '../load/run-load.ts';

const MEGABYTE = 1e6;
export const GIBIBYTE = 2 ** 30;

export const SERVER_CPU_PER_GIB = 'server CPU s/GiB';

/** @param bytes - moved by all streams together */
export function throughputMetrics(
  bytes: number,
  streams: number,
  result: Pick<LoadResult, 'seconds' | 'serverCpuSeconds' | 'clientCpuSeconds'>,
): Metric[] {
  const cores = Math.min(streams, availableParallelism());
  return [
    { name: 'MB/s', better: 'higher', value: bytes / MEGABYTE / result.seconds },
    { name: SERVER_CPU_PER_GIB, better: 'lower', value: (result.serverCpuSeconds * GIBIBYTE) / bytes },
    { name: 'client CPU s/GiB', better: 'lower', value: (result.clientCpuSeconds * GIBIBYTE) / bytes },
    // Near 100 the client was the limit, and MB/s says less about the server than its CPU does.
    {
      name: 'client busy %',
      better: 'lower',
      value: (result.clientCpuSeconds / result.seconds / cores) * 100,
    },
  ];
}

/** @param what - `files`, `logins` */
export function rateMetrics(what: string, result: Omit<LoadResult, 'latencies'>): Metric[] {
  const one = what.replace(/s$/, '');
  return [
    { name: `${what}/s`, better: 'higher', value: result.count / result.seconds },
    serverCpuPerOperation(one, result.serverCpuSeconds, result.count),
    { name: `client CPU us/${one}`, better: 'lower', value: (result.clientCpuSeconds * 1e6) / result.count },
  ];
}

export function serverCpuPerOperation(what: string, seconds: number, count: number): Metric {
  return { name: `server CPU us/${what}`, better: 'lower', value: (seconds * 1e6) / count };
}
