/**
 * A session worker whose protocol has bugs on demand: `THROW`, `TIMER` and `REJECT` fail in an event handler, a timer and a
 * promise; anything else is answered `200 OK`.
 */
import { parentPort } from 'node:worker_threads';
import type { SessionEnd, SessionTask } from '../../src/actor/messages.ts';
import { workerReady } from '../../src/actor/worker-options.ts';
import { ConfigCache } from '../../workers/session/config-cache.ts';
import { PeerNames } from '../../workers/session/reverse-dns.ts';
import { runSession } from '../../workers/session/run-session.ts';
import type { ProtocolSession, SessionContext } from '../../workers/session/session-context.ts';
import { currentSession } from '../../workers/session/session-scope.ts';

const environment = {
  configs: new ConfigCache('info'),
  names: new PeerNames(),
  createProtocol: createFaultyProtocol,
};

process.on('uncaughtException', (error) => currentSession()?.fail(error));

export default function run(task: SessionTask): Promise<SessionEnd> {
  return runSession(task, environment);
}

parentPort?.postMessage(workerReady(null));

function createFaultyProtocol(context: SessionContext): ProtocolSession {
  const { socket } = context;
  const say = (line: string): void => void socket.write(`${line}\r\n`);
  return {
    run: () =>
      new Promise((resolve) => {
        socket.on('close', () => resolve({ reason: 'peer-closed', detail: null }));
        socket.setEncoding('latin1');
        socket.on('data', (line: unknown) => answer(String(line).trim(), say));
        say('220 ready');
      }),
    drain: (text) => void socket.end(`421 ${text}\r\n`),
    disconnect: (text) => void socket.end(`421 ${text}\r\n`),
    fail: (text) => void socket.end(`421 ${text}\r\n`),
  };
}

function answer(command: string, say: (line: string) => void): void {
  if (command === 'THROW') throw new Error('bug in an event handler');
  if (command === 'TIMER') setTimeout(() => failNow('bug in a timer'), 1);
  else if (command === 'REJECT') void Promise.resolve().then(() => failNow('bug in a promise'));
  else say('200 OK');
}

function failNow(text: string): never {
  throw new Error(text);
}
