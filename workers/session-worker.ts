/** Entry of a session worker thread: Piscina calls the default export once per session. */
import { parentPort, workerData } from 'node:worker_threads';
import { probeFailures, runFipsProbes } from '../crypto/fips-probes.ts';
import type { SessionEnd, SessionTask } from '../src/actor/messages.ts';
import { workerReady, type WorkerOptions } from '../src/actor/worker-options.ts';
import { ConfigCache } from './session/config-cache.ts';
import { createProtocol } from './session/create-protocol.ts';
import { PeerNames } from './session/reverse-dns.ts';
import { runSession, type SessionEnvironment } from './session/run-session.ts';
import { currentSession } from './session/session-scope.ts';

const options = workerData as WorkerOptions;
const environment: SessionEnvironment = {
  configs: new ConfigCache(options.logLevel),
  names: new PeerNames(),
  createProtocol,
};

/**
 * Without this, Node would end the thread and with it every session. An error that can be attributed ends its own
 * session; one that cannot is logged, and the thread goes on: it belongs to no session's state.
 */
process.on('uncaughtException', (error: unknown) => {
  const session = currentSession();
  if (session !== null) {
    session.fail(error);
  } else if (environment.configs.operations !== null) {
    environment.configs.operations.error(
      { err: error },
      'an error in a session worker belongs to no session',
    );
  } else {
    process.stderr.write(
      `lockgate: session worker: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
  }
});

export default function run(task: SessionTask): Promise<SessionEnd> {
  return runSession(task, environment);
}

parentPort?.postMessage(workerReady(options.fips ? probeFailures(runFipsProbes()) : null));
