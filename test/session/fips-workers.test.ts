/** In FIPS mode a worker that fails its probes ends the start, or the server that runs already. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FipsProbeError } from '../../crypto/fips-probes.ts';
import { fipsRefusalOf, readWorkerReady, workerReady } from '../../src/actor/worker-options.ts';
import { SessionPool, type SessionPoolOptions } from '../../src/main/session-pool.ts';

const LIMIT = { timeout: 30_000 };
const entry = new URL('../support/fips-failing-worker.ts', import.meta.url);

function poolWith(probes: 'fail' | 'pass', onFipsFailure: SessionPoolOptions['onFipsFailure']): SessionPool {
  process.env['LOCKGATE_TEST_PROBES'] = probes;
  return new SessionPool({
    workers: 1,
    sessionsPerWorker: 1,
    workerData: { logLevel: 'info', fips: true },
    onWorkerError: () => undefined,
    onFipsFailure,
    entry,
  });
}

test('a worker that fails its probes at the start ends the start with the reason', LIMIT, async (t) => {
  const later: FipsProbeError[] = [];
  const pool = poolWith('fail', (error) => later.push(error));
  t.after(() => pool.destroy());
  await assert.rejects(pool.ready, {
    name: 'FipsProbeError',
    message: 'session worker: MD5: works, must be refused',
  });
  assert.deepEqual(later, []);
});

test('a worker that did not run the probes is refused as well', () => {
  assert.equal(fipsRefusalOf(workerReady(null)), 'it did not run the FIPS probes');
  assert.equal(fipsRefusalOf(workerReady('')), null);
  assert.equal(readWorkerReady('ready'), null);
  assert.equal(readWorkerReady(null), null);
  assert.equal(readWorkerReady({ ...workerReady('x') })?.fipsFailures, 'x');
});

test('a worker that replaces another and fails is reported while the server runs', LIMIT, async (t) => {
  const { promise, resolve } = Promise.withResolvers<FipsProbeError>();
  const pool = poolWith('pass', resolve);
  t.after(() => pool.destroy());
  await pool.ready;
  process.env['LOCKGATE_TEST_PROBES'] = 'fail';
  await pool.terminateWorker(0);
  assert.equal((await promise).message, 'session worker: MD5: works, must be refused');
});
