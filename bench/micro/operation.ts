/** Rows of micro benchmarks, on node:bench. */
import { createRunner } from 'node:bench';

/** Runs of the harness say how many; alone, a file takes this many. */
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 20);
const WARMUP = 3;

const runner = createRunner();

export const suite = (name: string, define: () => void): void => runner.suite(name, define);

/** Runs what the imported files have defined. */
export const runAll = (): ReturnType<typeof runner.run> => runner.run();

/** Where results go, so that no compiler can leave the work out. */
export const sink: { value: unknown } = { value: null };

/** @param operations - calls in one sample: some milliseconds of work */
export function operation(name: string, operations: number, run: () => unknown): void {
  runner.bench(name, { samples: SAMPLES, warmup: WARMUP }, (context) => {
    context.start();
    for (let index = 0; index < operations; index += 1) sink.value = run();
    context.end(operations);
  });
}
