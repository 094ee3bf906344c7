/** The bytes of a transfer without protocol: a server's part in one process, the client's in another. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { NativeListener, NativeSocket } from '../load/native-socket.ts';

/** As large as a careful server's. */
const BUFFER_BYTES = 256 * 1024;

export type FloorJob =
  /** Reads a file and sends it. */
  | { readonly role: 'send-file'; readonly file: string }
  /** Receives until the end and writes a file. */
  | { readonly role: 'receive-file'; readonly file: string }
  /** For each of the files: accepts, reads the file, sends it, closes. */
  | { readonly role: 'send-files'; readonly files: readonly string[] }
  /** The other side: takes in, or sends `bytes`, over `connections` connections one after the other. */
  | {
      readonly role: 'client';
      readonly port: number;
      readonly bytes: number | null;
      readonly connections: number;
    };

export type FloorAnswer =
  | { readonly type: 'listening'; readonly port: number }
  /** CPU seconds of this process while it worked. */
  | { readonly type: 'done'; readonly cpuSeconds: number }
  | { readonly type: 'failed'; readonly reason: string };

const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

function sendFile(socket: NativeSocket, file: string): void {
  const descriptor = openSync(file, 'r');
  for (;;) {
    const bytes = readSync(descriptor, buffer, 0, BUFFER_BYTES, null);
    if (bytes === 0) break;
    socket.write(bytes === BUFFER_BYTES ? buffer : buffer.subarray(0, bytes));
  }
  closeSync(descriptor);
  socket.close();
}

function receiveFile(socket: NativeSocket, file: string): void {
  const descriptor = openSync(file, 'w');
  for (let bytes = socket.read(buffer); bytes > 0; bytes = socket.read(buffer))
    writeSync(descriptor, buffer, 0, bytes);
  closeSync(descriptor);
  socket.close();
}

function client(job: FloorJob & { role: 'client' }): void {
  for (let connection = 0; connection < job.connections; connection += 1) {
    const socket = NativeSocket.connect(job.port);
    if (job.bytes === null) while (socket.read(buffer) > 0);
    else for (let sent = 0; sent < job.bytes; sent += BUFFER_BYTES) socket.write(buffer);
    socket.close();
  }
}

async function perform(job: FloorJob): Promise<void> {
  if (job.role === 'client') {
    client(job);
    await tell({ type: 'done', cpuSeconds: 0 });
    return;
  }
  const listener = new NativeListener();
  // Told before the blocking calls begin: a message leaves only while nothing blocks.
  await tell({ type: 'listening', port: listener.port });
  let before = process.cpuUsage();
  if (job.role === 'send-files') {
    for (const file of job.files) sendFile(listener.accept(), file);
  } else {
    const socket = listener.accept();
    before = process.cpuUsage();
    if (job.role === 'send-file') sendFile(socket, job.file);
    else receiveFile(socket, job.file);
  }
  const { user, system } = process.cpuUsage(before);
  listener.close();
  await tell({ type: 'done', cpuSeconds: (user + system) / 1e6 });
}

function tell(answer: FloorAnswer): Promise<void> {
  return new Promise((resolve, reject) =>
    process.send!(answer, (error: Error | null) => (error === null ? resolve() : reject(error))),
  );
}

process.on('message', (job: FloorJob) => {
  perform(job).catch((error: unknown) => tell({ type: 'failed', reason: (error as Error).message }));
});
process.on('disconnect', () => process.exit(0));
