/** Result files as tests need them. */
import type { Machine, Results, Series } from '../../../bench/harness/results.ts';

const MACHINE: Machine = {
  processor: 'test',
  processors: 2,
  memoryBytes: 2 ** 34,
  kernel: '6.1',
  node: '26.10.0',
  nodeOpenssl: '3.5.8',
  systemOpenssl: 'OpenSSL 3',
  cpuAccount: 'control group',
  loadBefore: 0.5,
};

export function series(overrides: Partial<Series>): Series {
  return {
    part: 'transfer',
    measure: 'FTP download',
    metric: 'MB/s',
    better: 'higher',
    server: 'lockgate',
    values: [100, 101, 99, 100, 100],
    ...overrides,
  };
}

export function results(list: readonly Series[], overrides: Partial<Results> = {}): Results {
  return {
    schema: 1,
    date: '2026-11-21T04:19:32.123Z',
    scale: 'full',
    repeats: 5,
    parts: ['transfer'],
    machine: MACHINE,
    servers: [
      { name: 'lockgate', version: '0.1.0' },
      { name: 'proftpd', version: '1.3.8' },
    ],
    series: list,
    skipped: [],
    ...overrides,
  };
}
