/** The result file: what was measured, where, and with how many values; read by `compare` and by the page. */
import type { Scale } from './sizes.ts';
import { readFileSync } from 'node:fs';

export const RESULTS_SCHEMA = 1;

export type Better = 'higher' | 'lower';

/** One number of one run. */
export interface Metric {
  /** `MB/s`, `server CPU s/GiB`: with the measure's name it identifies a row. */
  readonly name: string;
  readonly better: Better;
  readonly value: number;
}

/** All values of one metric of one server, in the order of the runs. */
export interface Series {
  readonly part: string;
  readonly measure: string;
  readonly metric: string;
  readonly better: Better;
  /** A peer's name, or FLOOR. */
  readonly server: string;
  readonly values: readonly number[];
}

/** What no server can go below: the same bytes without protocol, in the same run. */
export const FLOOR = 'floor';

export interface Skipped {
  readonly part: string;
  readonly measure: string;
  readonly server: string;
  readonly reason: string;
}

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly nodeOpenssl: string;
  readonly systemOpenssl: string;
  /** How server CPU was counted. */
  readonly cpuAccount: string;
  /** Load average of the last minute before the first measure: work of others. */
  readonly loadBefore: number;
}

export interface Results {
  readonly schema: typeof RESULTS_SCHEMA;
  /** ISO 8601. */
  readonly date: string;
  readonly scale: Scale;
  readonly repeats: number;
  readonly parts: readonly string[];
  readonly machine: Machine;
  readonly servers: readonly { readonly name: string; readonly version: string }[];
  readonly series: readonly Series[];
  readonly skipped: readonly Skipped[];
}

/** @throws Error with the path when the file is missing or is not a result file of this schema */
export function readResults(path: string): Results {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error });
  }
  const results = parsed as Partial<Results> | null;
  if (results?.schema !== RESULTS_SCHEMA || !Array.isArray(results.series))
    throw new Error(`${path}: not a result file of schema ${RESULTS_SCHEMA}`);
  return results as Results;
}

/** Collects values under their series while measures run in turn. */
export class SeriesTable {
  readonly #rows = new Map<string, { readonly head: Omit<Series, 'values'>; readonly values: number[] }>();

  add(part: string, measure: string, server: string, metrics: readonly Metric[]): void {
    for (const { name, better, value } of metrics) {
      const key = JSON.stringify([part, measure, name, server]);
      let row = this.#rows.get(key);
      if (row === undefined) {
        row = { head: { part, measure, metric: name, better, server }, values: [] };
        this.#rows.set(key, row);
      }
      row.values.push(value);
    }
  }

  series(): Series[] {
    return [...this.#rows.values()].map(({ head, values }) => ({ ...head, values }));
  }
}
