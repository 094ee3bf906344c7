/** `npm run bench`: see USAGE in harness/command-line.ts. */
import { fileURLToPath } from 'node:url';
import { parseCommandLine, USAGE } from './harness/command-line.ts';
import { readResults } from './harness/results.ts';
import { PARTS } from './parts/parts.ts';
import { comparisonPage } from './report/compare.ts';
import { newestResults } from './report/write-results.ts';
import { runBench } from './run-bench.ts';

const RESULTS = fileURLToPath(new URL('./results', import.meta.url));

const command = parseCommandLine(
  process.argv.slice(2),
  PARTS.map(({ name }) => name),
);
try {
  switch (command.kind) {
    case 'usage':
      console.error(command.complaint === null ? USAGE : `${command.complaint}\n${USAGE}`);
      process.exitCode = command.complaint === null ? 0 : 2;
      break;
    case 'compare': {
      const next = command.next ?? newestResults(RESULTS);
      process.stdout.write(comparisonPage(readResults(command.base), readResults(next)));
      break;
    }
    case 'run': {
      const report = (line: string): void => console.error(line);
      const page = await runBench({ ...command, out: command.out ?? RESULTS }, report);
      console.log(page);
      break;
    }
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
