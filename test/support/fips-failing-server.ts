/**
 * Runs in a Node.js that is in FIPS mode: a server whose session worker passes its probes and whose next worker fails them.
 * Prints `stopped` once the server has stopped by itself; with the argument `at-start` the reason the start gave.
 */
import { once } from 'node:events';
import { MainActor } from '../../src/main/main-actor.ts';
import { createStandardAuth } from '../../src/main/standard-parts.ts';
import { loadConfig } from '../../src/config/load-config.ts';

const [, , configFile, when] = process.argv;
process.env['LOCKGATE_TEST_PROBES'] = when === 'at-start' ? 'fail' : 'pass';

const actor = new MainActor({
  load: (version) => loadConfig({ file: configFile!, version, environment: process.env, defines: [] }),
  createAuth: createStandardAuth,
  consoleDescriptor: null,
  debugLevel: 0,
  ownsProcess: false,
  anyPort: true,
  sessionsPerWorker: 1,
  workers: 1,
  askPassPhrase: null,
  workerEntry: new URL('./fips-failing-worker.ts', import.meta.url),
  onFatal: () => process.stdout.write(`stopped, listening: ${actor.addresses.length}\n`),
});

try {
  await actor.start();
  process.env['LOCKGATE_TEST_PROBES'] = 'fail';
  const trouble = once(actor, 'trouble');
  await actor.pool!.terminateWorker(0);
  const [error] = (await trouble) as [Error];
  process.stdout.write(`${error.name}: ${error.message}\n`);
} catch (error) {
  process.stdout.write(`start: ${(error as Error).name}: ${(error as Error).message}\n`);
}
