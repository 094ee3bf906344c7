/** Sockets whose chunks have memory of their own length (receive-into.ts). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { canReceiveInto, receiveCopies, receiveInto } from '../../../workers/transfer/receive-into.ts';

const LIMIT = { timeout: 10_000 };

async function connection(
  context: TestContext,
): Promise<{ readonly server: Socket; readonly client: Socket }> {
  const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  assert.ok(address !== null && typeof address === 'object');
  const client = connect(address.port, '127.0.0.1');
  const [server] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  context.after(() => {
    server.destroy();
    client.destroy();
  });
  return { server, client };
}

test(
  'many small chunks share memory, where each read of Node has 64 KiB of its own',
  LIMIT,
  async (context) => {
    const { server, client } = await connection(context);
    receiveCopies(server);
    server.resume();
    const memory = new Set<ArrayBufferLike>();
    for (let count = 0; count < 50; count += 1) {
      client.write('NOOP\r\n');
      const [chunk] = (await once(server, 'data')) as [Buffer];
      assert.equal(chunk.toString(), 'NOOP\r\n');
      memory.add(chunk.buffer);
    }
    assert.ok(memory.size <= 2, `${memory.size} pieces of memory`);
  },
);

test('chunks of one socket stay as they were when another one receives', LIMIT, async (context) => {
  const [first, second] = [await connection(context), await connection(context)];
  receiveCopies(first.server);
  receiveCopies(second.server);
  first.server.resume();
  first.client.write('from the first');
  const [kept] = (await once(first.server, 'data')) as [Buffer];
  second.server.resume();
  second.client.write('from the second');
  const [other] = (await once(second.server, 'data')) as [Buffer];
  assert.deepEqual([kept.toString(), other.toString()], ['from the first', 'from the second']);
});

test('megabytes arrive exactly, through pauses, until the end', LIMIT, async (context) => {
  const { server, client } = await connection(context);
  receiveCopies(server);
  const data = randomBytes(5_000_000);
  client.end(data);
  const chunks: Buffer[] = [];
  // Reading by iteration stops the socket whenever the stream is full.
  for await (const chunk of server) chunks.push(chunk as Buffer);
  assert.ok(Buffer.concat(chunks).equals(data));
});

test('bytes that were put back come first', LIMIT, async (context) => {
  const { server, client } = await connection(context);
  receiveCopies(server);
  server.resume();
  client.write('abc');
  const [chunk] = (await once(server, 'data')) as [Buffer];
  server.pause();
  server.unshift(chunk);
  client.end('def');
  const chunks: Buffer[] = [];
  for await (const next of server) chunks.push(next as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'abcdef');
});

test('a receiver of its own takes over', LIMIT, async (context) => {
  const { server, client } = await connection(context);
  receiveCopies(server);
  const target = Buffer.alloc(100);
  assert.ok(canReceiveInto(server));
  const arrived = new Promise<number>((resolve) => {
    receiveInto(server, {
      nextBuffer: () => target,
      received: (bytes) => {
        resolve(bytes);
        return true;
      },
    });
  });
  server.on('data', () => assert.fail('the stream got what the receiver was to get'));
  server.resume();
  client.write('direct');
  assert.equal(await arrived, 6);
  assert.equal(target.subarray(0, 6).toString(), 'direct');
});

test('a stream that is no socket stays as it is', LIMIT, async () => {
  const [one, two] = duplexPair();
  receiveCopies(one);
  two.write('unchanged');
  const [chunk] = (await once(one, 'data')) as [Buffer];
  assert.equal(chunk.toString(), 'unchanged');
});
