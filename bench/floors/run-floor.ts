/** Runs the server's and the client's part of a floor and tells the server part's CPU time. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from '../harness/cleanup.ts';
import type { FloorAnswer, FloorJob } from './floor-process.ts';

const FLOOR_PROCESS = fileURLToPath(new URL('./floor-process.ts', import.meta.url));
const TIMEOUT_MS = 120_000;

/** @returns CPU seconds of the server's part */
export async function runFloor(
  server: FloorJob & { role: 'send-file' | 'receive-file' | 'send-files' },
  client: { readonly bytes: number | null; readonly connections: number },
  cleanup: Cleanup,
): Promise<number> {
  const [serverSide, clientSide] = [startProcess(cleanup), startProcess(cleanup)];
  try {
    const listening = nextAnswer(serverSide.child);
    serverSide.child.send(server);
    const { port } = expectType(await listening, 'listening');
    const done = nextAnswer(serverSide.child);
    const clientDone = nextAnswer(clientSide.child);
    clientSide.child.send({ role: 'client', port, ...client } satisfies FloorJob);
    const [result, other] = await Promise.all([done, clientDone]);
    expectType(other, 'done');
    return expectType(result, 'done').cpuSeconds;
  } finally {
    await Promise.all([serverSide.stop(), clientSide.stop()]);
  }
}

function startProcess(cleanup: Cleanup): {
  readonly child: ChildProcess;
  readonly stop: () => Promise<void>;
} {
  const child = fork(FLOOR_PROCESS, [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return { child, stop: cleanup.add(`floor process ${child.pid}`, () => void child.kill('SIGKILL')) };
}

function nextAnswer(child: ChildProcess): Promise<FloorAnswer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('floor process said nothing for 120 s')), TIMEOUT_MS);
    const onExit = (): void => {
      clearTimeout(timer);
      reject(new Error('floor process ended early'));
    };
    child.once('exit', onExit);
    child.once('message', (answer) => {
      clearTimeout(timer);
      child.off('exit', onExit);
      resolve(answer as FloorAnswer);
    });
  });
}

function expectType<T extends FloorAnswer['type']>(answer: FloorAnswer, type: T): FloorAnswer & { type: T } {
  if (answer.type === 'failed') throw new Error(answer.reason);
  if (answer.type !== type) throw new Error(`floor process answered ${answer.type}`);
  return answer as FloorAnswer & { type: T };
}
