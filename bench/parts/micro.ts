/** The pieces of the hot paths alone, each file of bench/micro in a process of its own. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { LocalResult, Part } from '../harness/part.ts';
import type { Sizes } from '../harness/sizes.ts';

const runFile = promisify(execFile);
const RUN_FILE = fileURLToPath(new URL('../micro/run-file.ts', import.meta.url));
const TIMEOUT_MS = 300_000;
const FILES = ['ssh-packet', 'protocol-codecs', 'listing-lines', 'configuration'];
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--experimental-bench'];

export const micro: Part = {
  name: 'micro',
  summary:
    'Time of one call, by node:bench: in each run the median of its samples, in a new process for each file. ' +
    'No server runs.',
  measures: () => [],
  local: async ({ sizes }) => {
    const results: LocalResult[] = [];
    // One after the other: side by side they would measure each other.
    for (const file of FILES) results.push(...(await runOne(file, sizes)));
    return results;
  },
};

async function runOne(file: string, { microSamples }: Sizes): Promise<LocalResult[]> {
  const { stdout } = await runFile(process.execPath, [...NODE_FLAGS, RUN_FILE, file], {
    timeout: TIMEOUT_MS,
    env: { ...process.env, BENCH_SAMPLES: String(microSamples) },
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const { name, nanoseconds } = JSON.parse(line) as { name: string; nanoseconds: number };
      return { measure: name, metrics: [{ name: 'us', better: 'lower', value: nanoseconds / 1000 }] };
    });
}
