/** Starts a peer's processes in an account of their own, and ends them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { NotMeasurable } from '../harness/part.ts';
import type { Peer, RunningServer, StartRequest } from './peer.ts';
import { ServerAccount } from './server-account.ts';

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 1000;
/** Below the ports the system hands out, where a client's connection cannot sit on them. */
const FIRST_PORT = 22_100;
const PORTS = 800;
const GREETINGS = { ftp: /^220[ -]/, ssh: /^SSH-2\.0-/ } as const;

let nextPort = 0;

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORTS; attempt += 1) {
    const port = FIRST_PORT + (nextPort++ % PORTS);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error(`no free port from ${FIRST_PORT} on`);
}

/**
 * Waits (15 s at most) until the server greets as its protocol does.
 * @throws NotMeasurable when it does not: a server that cannot do this variant
 */
export async function startServer(
  peer: Peer,
  request: StartRequest,
): Promise<RunningServer & { stop(): Promise<void> }> {
  const { cleanup, port, variant } = request;
  const version = peer.version();
  if (version === null) throw new NotMeasurable('not installed (bench/peers/install.sh unpacks it)');
  const { command, environment } = await peer.prepare(request);
  const account = new ServerAccount(`${peer.name}-${port}`);
  const [program, ...args] = account.wrap(command);
  const child = spawn(program!, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = cleanup.add(`${peer.name} on port ${port}`, () => stopServer(child, account));
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-1000)));
  child.once('error', (error) => (complaint = error.message));
  if (child.pid !== undefined) account.attach(child.pid);
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const greeting = await greetingOf(port);
    if (greeting !== null && GREETINGS[variant.protocol].test(greeting)) break;
    const ended = child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    if (ended || performance.now() > deadline) {
      await stop();
      throw new NotMeasurable(`does not serve ${variant.protocol}: ${reasonIn(complaint)}`);
    }
    await wait(50);
  }
  return { name: peer.name, resumesTls: peer.resumesTls, version, port, account, stop };
}

/** The line of a server's last words that says most. */
function reasonIn(complaint: string): string {
  const lines = complaint.split('\n').filter((line) => line.trim() !== '');
  return (
    lines.find((line) => /error|fatal|cannot/i.test(line))?.trim() ?? lines.at(-1)?.trim() ?? 'no greeting'
  );
}

/** First bytes the server sends, or null: refused, closed or silent for a second. */
function greetingOf(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (greeting: string | null): void => {
      socket.destroy();
      resolve(greeting);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => done(null));
    socket.once('data', (chunk: Buffer) => done(chunk.toString('latin1')));
    socket.once('error', () => done(null));
    socket.once('close', () => done(null));
  });
}

async function stopServer(child: ChildProcess, account: ServerAccount): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    await new Promise<void>((resolve) => {
      const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.once('exit', () => {
        clearTimeout(hard);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }
  await account.close();
}
