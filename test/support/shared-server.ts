/** One child server for all tests of a `describe` block, and what those tests look at beside its replies. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { FtpClient } from './ftp-client.ts';
import { startChildServer, type ChildServer, type TestServerOptions } from './server.ts';

const POLL_MS = 20;

/** Starts the server before the block's tests and stops it after them; the result is valid inside tests only. */
export function sharedServer(
  config: string,
  options: TestServerOptions = {},
): { readonly server: ChildServer } {
  const cleanups: (() => unknown)[] = [];
  let server: ChildServer | null = null;
  before(async () => {
    server = await startChildServer(
      { after: (step) => void cleanups.push(step as () => unknown) },
      config,
      options,
    );
  });
  after(async () => {
    for (const step of cleanups.reverse()) await step();
  });
  return {
    get server() {
      if (server === null) throw new Error('the server has not started');
      return server;
    },
  };
}

/** A client that is logged in. */
export async function loggedIn(server: ChildServer, user = 'alice', timeoutMs = 10_000): Promise<FtpClient> {
  const client = await FtpClient.connect({ port: server.port, timeoutMs });
  const reply = await client.login(user, 'secret');
  if (reply.code === 230) return client;
  client.destroy();
  throw new Error(`login of ${user}: ${reply.code} ${reply.text}`);
}

/** Sockets, files and folders the server process has open. Pipes and pollers are left out: they come with pool threads. */
export function openDescriptors(server: ChildServer): string[] {
  const folder = `/proc/${server.child.pid}/fd`;
  const targets = readdirSync(folder).map((name) => descriptorTarget(`${folder}/${name}`));
  return targets.filter((target) => target !== null && !/^(anon_inode|pipe):/.test(target)) as string[];
}

function descriptorTarget(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    // Closed since it was listed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Resident memory of the server process in bytes. */
export function residentBytes(server: ChildServer): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Waits until `condition` holds, for things no event tells of; fails with `what` after the deadline. */
export async function eventually(
  condition: () => boolean,
  what: string | (() => string),
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline)
      throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await delay(POLL_MS);
  }
}

/** SHA-256 of bytes or of the file with this path. */
export function sha256(source: Buffer | string): string {
  const bytes = typeof source === 'string' ? readFileSync(source) : source;
  return createHash('sha256').update(bytes).digest('hex');
}
