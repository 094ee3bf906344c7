/**
 * Child process of the part `micro`: runs one file's benchmarks and prints name and nanoseconds of each as a line.
 * By hand: `node --experimental-bench bench/micro/run-file.ts ssh-packet`.
 */
import { quantile } from '../harness/statistics.ts';
import { runAll } from './operation.ts';

const [name] = process.argv.slice(2);
await import(`./${name}.ts`);
for await (const { type, data } of runAll()) {
  if (type === 'bench:complete' && data.samples !== undefined && data.namePath !== undefined) {
    const nanoseconds = data.samples.map((sample) => Number(sample.duration_ns) / sample.operations);
    console.log(JSON.stringify({ name: data.namePath.join(', '), nanoseconds: quantile(nanoseconds, 0.5) }));
  } else if (type === 'bench:fail') {
    console.error(data.namePath?.join(', '), data.error);
    process.exitCode = 1;
  }
}
