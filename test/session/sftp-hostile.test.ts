/** What a user who has logged in could try: growing what a limit holds, changing what a directive protects. */
import assert from 'node:assert/strict';
import { linkSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Settings } from '../../src/config/server-config.ts';
import { MessageType } from '../../workers/sftp/wire/message-types.ts';
import { fakeSshSession } from '../support/fake-ssh-channel.ts';
import { ScpPeer } from '../support/scp-peer.ts';
import { SftpClient, statusOf } from '../support/sftp-client.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

const TIMEOUT = { timeout: 20_000 };
const OPEN_DOOR: Partial<Settings> = { allowOverwrite: true, allowStoreRestart: true };
const PERMISSION_DENIED = 3;
const FAILURE = 4;

interface World extends Disposable {
  readonly client: SftpClient;
  at(name: string): string;
}

async function connect(settings: Partial<Settings>): Promise<World> {
  const fixture = openVfsFixture({ settings });
  const client = await SftpClient.connect(fakeSshSession({ vfs: fixture.vfs, settings }), 3);
  return {
    client,
    at: (name) => join(fixture.root, name),
    [Symbol.dispose]() {
      client.disconnect();
      fixture[Symbol.dispose]();
    },
  };
}

test('without AllowOverwrite a file opened to append cannot be cut by its handle', TIMEOUT, async () => {
  using world = await connect({ allowOverwrite: false, allowStoreRestart: true });
  const { client } = world;
  writeFileSync(world.at('log'), 'what was there');
  const handle = await client.open('/log', { write: true, append: true });
  const cut = await client.setAttributes(MessageType.FSETSTAT, handle, { size: 0 });
  assert.equal(statusOf(cut), PERMISSION_DENIED);
  await client.write(handle, 0, Buffer.from(', and more'));
  await client.close(handle);
  assert.equal(readFileSync(world.at('log'), 'utf8'), 'what was there, and more');
});

test(
  'MaxStoreFileSize holds for a size that is set, and for copies to the end of a file',
  TIMEOUT,
  async () => {
    using world = await connect({ ...OPEN_DOOR, maxStoreFileSize: [{ value: 10 }] as never });
    const { client } = world;
    writeFileSync(world.at('f'), '12345678');
    assert.equal(statusOf(await client.setAttributes(MessageType.SETSTAT, '/f', { size: 11 })), FAILURE);
    assert.equal(statusOf(await client.setAttributes(MessageType.SETSTAT, '/f', { size: 8 })), 0);
    writeFileSync(world.at('source'), 'abcdefgh');
    const from = await client.open('/source', { read: true });
    const to = await client.open('/f', { write: true, append: true });
    const copied = await client.extended('copy-data', (writer) =>
      writer.string(from).u64(0).u64(0).string(to).u64(0),
    );
    assert.equal(statusOf(copied), FAILURE);
    await client.close(to);
    assert.equal(statSync(world.at('f')).size, 8);
  },
);

test('copy-file does not empty a file that it is to copy onto another of its names', TIMEOUT, async () => {
  using world = await connect(OPEN_DOOR);
  const { client } = world;
  writeFileSync(world.at('a'), 'precious');
  linkSync(world.at('a'), world.at('b'));
  const copy = await client.extended('copy-file', (writer) => writer.string('/a').string('/b').bool(true));
  assert.equal(statusOf(copy), FAILURE);
  assert.equal(readFileSync(world.at('a'), 'utf8'), 'precious');
});

async function withScp(command: string, body: (peer: ScpPeer, root: string) => Promise<void>): Promise<void> {
  using fixture = openVfsFixture({ settings: OPEN_DOOR });
  await body(new ScpPeer(fakeSshSession({ vfs: fixture.vfs, settings: OPEN_DOOR }), command), fixture.root);
}

for (const role of ['-t', '-f']) {
  test(
    `scp ${role} with a line end in its path is refused, and is no error of the server's`,
    TIMEOUT,
    async () => {
      await withScp(`scp ${role} 'a\rb'`, async (peer) => {
        if (role === '-f') peer.send(Buffer.of(0));
        assert.notEqual((await peer.status()).code, 0);
        peer.eof();
        assert.equal(await peer.exitStatus(), 1);
      });
    },
  );
}

test('scp takes a name with a carriage return for what it is', TIMEOUT, async () => {
  await withScp('scp -t .', async (peer, root) => {
    await peer.status();
    peer.send('C0644 2 a\rb\n');
    assert.equal((await peer.status()).code, 0);
    peer.send('ok\0');
    assert.equal((await peer.status()).code, 0);
    peer.eof();
    assert.equal(await peer.exitStatus(), 0);
    assert.equal(readFileSync(join(root, 'a\rb'), 'utf8'), 'ok');
  });
});

test('a time beyond every calendar breaks the record, not the session', TIMEOUT, async () => {
  await withScp('scp -p -t .', async (peer) => {
    await peer.status();
    peer.send('T9007199254740991 0 9007199254740991 0\n');
    assert.deepEqual(await peer.status(), { code: 2, text: 'scp: mtime secs not delimited' });
    assert.equal(await peer.exitStatus(), 1);
  });
});
