/** A session worker that fails its FIPS probes where LOCKGATE_TEST_PROBES, read when the thread starts, is `fail`. */
import { parentPort, workerData } from 'node:worker_threads';
import { workerReady, type WorkerOptions } from '../../src/actor/worker-options.ts';

export default function run(): never {
  throw new Error('no session is expected here');
}

const { fips } = workerData as WorkerOptions;
const fails = process.env['LOCKGATE_TEST_PROBES'] === 'fail';
parentPort?.postMessage(workerReady(fips && fails ? 'MD5: works, must be refused' : fips ? '' : null));
