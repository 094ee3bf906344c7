/** A server under measurement: how it is started, with the same user, certificate and files as its peers. */
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';

export interface BenchFixture {
  /** Scratch folder of this run. */
  readonly folder: string;
  /** Home of the user, with the files to download; owned by uid/gid. */
  readonly home: string;
  readonly user: string;
  readonly password: string;
  /** crypt(3) `$6$` string of the password, the same for every server. */
  readonly passwordHash: string;
  readonly uid: number;
  readonly gid: number;
  /** PEM files: EC P-256 certificate and key. */
  readonly certificate: string;
  readonly key: string;
}

export interface RunningPeer {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  /** Root of the server's process tree. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** Null where it is not installed. */
  version(): string | null;
  start(fixture: BenchFixture, port: number): Promise<RunningPeer>;
}

/** Starts a server in the foreground and waits (10 s at most) until its port accepts a connection. */
export async function startServer(
  peer: { readonly name: string; readonly version: string },
  command: readonly string[],
  port: number,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RunningPeer> {
  const child = spawn(command[0]!, command.slice(1), {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  const deadline = Date.now() + 10_000;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${peer.name} does not accept connections on port ${port}: ${complaint}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { ...peer, port, pid: child.pid!, stop: () => stop(child) };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
    child.once('exit', () => {
      clearTimeout(hard);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
