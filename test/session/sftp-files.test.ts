/** Files over SFTP in versions 3 to 6 (sftp-protocol, section 17): bytes, handles, uploads and their end. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, linkSync, lstatSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Settings } from '../../src/config/server-config.ts';
import { MessageType, type SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import { fakeSshSession, type FakeSessionOptions } from '../support/fake-ssh-channel.ts';
import { SftpClient, dataOf, statusOf } from '../support/sftp-client.ts';
import { openVfsFixture, type FixtureOptions, type VfsFixture } from '../support/vfs-fixture.ts';

const VERSIONS: readonly SftpVersion[] = [3, 4, 5, 6];
const OPEN_DOOR: Partial<Settings> = { allowOverwrite: true, allowStoreRestart: true };
const TIMEOUT = { timeout: 20_000 };

interface World extends Disposable {
  readonly fixture: VfsFixture;
  readonly client: SftpClient;
}

async function connect(
  version: SftpVersion,
  settings: Partial<Settings> = OPEN_DOOR,
  more: Omit<FixtureOptions, 'settings'> = {},
  session: Partial<FakeSessionOptions> = {},
): Promise<World> {
  const fixture = openVfsFixture({ settings, ...more });
  const client = await SftpClient.connect(
    fakeSshSession({ vfs: fixture.vfs, settings, ...session }),
    version,
  );
  return {
    fixture,
    client,
    [Symbol.dispose]() {
      client.disconnect();
      fixture[Symbol.dispose]();
    },
  };
}

const UPLOAD = { write: true, create: true, truncate: true };

test('a second INIT is answered after the requests before it, and counted after them', TIMEOUT, async () => {
  using world = await connect(3);
  const { client } = world;
  const handle = await client.open('/file', UPLOAD);
  const data = randomBytes(200_000);
  const write = client.encode(MessageType.WRITE, (writer) => writer.string(handle).u64(0).string(data));
  const init = Buffer.from([0, 0, 0, 5, MessageType.INIT, 0, 0, 0, 3]);
  const before = client.channel.returned;
  client.sendRaw(Buffer.concat([write.bytes, init]));
  assert.equal(client.channel.returned, before, 'the write is still on its way');
  assert.equal(statusOf(await client.reply()), 0);
  assert.equal((await client.reply()).type, MessageType.VERSION);
  assert.equal(client.channel.returned - before, write.bytes.length + init.length);
});

for (const version of VERSIONS) {
  test(
    `v${version}: what is uploaded in pipelined writes is what is downloaded in pipelined reads`,
    TIMEOUT,
    async () => {
      using world = await connect(version);
      const { client, fixture } = world;
      const content = randomBytes(1_234_567);
      const handle = await client.open('/file', UPLOAD);
      let count = 0;
      for (let at = 0; at < content.length; at += 32_768, count += 1) {
        client.send(MessageType.WRITE, (writer) =>
          writer
            .string(handle)
            .u64(at)
            .string(content.subarray(at, at + 32_768)),
        );
      }
      for (; count > 0; count -= 1) assert.equal(statusOf(await client.reply()), 0);
      assert.equal(statusOf(await client.close(handle)), 0);
      assert.deepEqual(readFileSync(join(fixture.root, 'file')), content);

      const reader = await client.open('/file', { read: true });
      const ids: number[] = [];
      for (let at = 0; at < content.length + 65_536; at += 32_768) {
        ids.push(client.send(MessageType.READ, (writer) => writer.string(reader).u64(at).u32(32_768)));
      }
      const hash = createHash('sha256');
      let ends = 0;
      for (const id of ids) {
        const reply = await client.reply();
        assert.equal(reply.id, id);
        if (reply.type === MessageType.DATA) hash.update(dataOf(reply));
        else {
          assert.equal(statusOf(reply), 1);
          ends += 1;
        }
      }
      assert.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'));
      assert.equal(ends, 2);
    },
  );

  test(`v${version}: a file without bytes comes and goes as one`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client, fixture } = world;
    assert.equal(statusOf(await client.close(await client.open('/empty', UPLOAD))), 0);
    assert.equal(statSync(join(fixture.root, 'empty')).size, 0);
    assert.equal((await client.readAll(await client.open('/empty', { read: true }))).length, 0);
  });

  test(`v${version}: an upload goes on where it broke off, and append goes to the end`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client, fixture } = world;
    writeFileSync(join(fixture.root, 'part'), 'abc');
    const resumed = await client.open('/part', { write: true });
    assert.equal(statusOf(await client.write(resumed, 3, Buffer.from('def'))), 0);
    await client.close(resumed);
    const appended = await client.open('/part', { write: true, append: true });
    assert.equal(statusOf(await client.write(appended, 0, Buffer.from('ghi'))), 0);
    await client.close(appended);
    assert.equal(readFileSync(join(fixture.root, 'part'), 'utf8'), 'abcdefghi');
  });

  test(`v${version}: offsets above 4 GiB are exact`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    const at = 5 * 1024 ** 3;
    const handle = await client.open('/sparse', { ...UPLOAD, read: true });
    assert.equal(statusOf(await client.write(handle, at, Buffer.from('far'))), 0);
    assert.equal(dataOf(await client.read(handle, at, 100)).toString(), 'far');
    assert.equal((await client.attributes(MessageType.FSTAT, handle)).size, at + 3);
    assert.equal(statusOf(await client.close(handle)), 0);
  });

  test(
    `v${version}: reading a write-only handle and writing a read-only one are refused`,
    TIMEOUT,
    async () => {
      using world = await connect(version);
      const { client, fixture } = world;
      writeFileSync(join(fixture.root, 'there'), 'x');
      const reader = await client.open('/there', { read: true });
      const writer = await client.open('/new', UPLOAD);
      assert.equal(statusOf(await client.write(reader, 0, Buffer.from('y'))), 3);
      assert.equal(statusOf(await client.read(writer, 0, 1)), 3);
    },
  );

  test(
    `v${version}: a handle is gone after its close, also when its place is taken again`,
    TIMEOUT,
    async () => {
      using world = await connect(version);
      const { client, fixture } = world;
      writeFileSync(join(fixture.root, 'there'), 'x');
      const gone = version === 3 ? 4 : 9;
      const first = await client.open('/there', { read: true });
      assert.equal(statusOf(await client.close(first)), 0);
      const second = await client.open('/there', { read: true });
      assert.notDeepEqual(first, second);
      assert.equal(statusOf(await client.close(first)), gone);
      assert.equal(statusOf(await client.read(first, 0, 1)), gone);
      assert.equal(dataOf(await client.read(second, 0, 1)).toString(), 'x');
    },
  );

  test(`v${version}: CLOSE waits for the reads and writes before it`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client, fixture } = world;
    const content = randomBytes(700_000);
    writeFileSync(join(fixture.root, 'big'), content);
    const handle = await client.open('/big', { read: true });
    for (let index = 0; index < 20; index += 1) {
      client.send(MessageType.READ, (writer) =>
        writer
          .string(handle)
          .u64(index * 32_768)
          .u32(32_768),
      );
    }
    client.send(MessageType.CLOSE, (writer) => writer.string(handle));
    for (let index = 0; index < 20; index += 1) {
      const data = dataOf(await client.reply());
      assert.ok(data.equals(content.subarray(index * 32_768, index * 32_768 + 32_768)));
    }
    assert.equal(statusOf(await client.reply()), 0);
  });

  test(`v${version}: a read after a pipelined write sees it`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    const handle = await client.open('/both', { ...UPLOAD, read: true });
    const block = randomBytes(100_000);
    for (let round = 0; round < 5; round += 1) {
      client.send(MessageType.WRITE, (writer) => writer.string(handle).u64(0).string(block));
      client.send(MessageType.READ, (writer) => writer.string(handle).u64(round).u32(10));
    }
    for (let round = 0; round < 5; round += 1) {
      assert.equal(statusOf(await client.reply()), 0);
      assert.ok(dataOf(await client.reply()).equals(block.subarray(round, round + 10)));
    }
  });
}

test('a longer read than one message can carry is answered with what it can', TIMEOUT, async () => {
  using world = await connect(3);
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'big'), Buffer.alloc(600_000, 1));
  const handle = await client.open('/big', { read: true });
  assert.equal(dataOf(await client.read(handle, 0, 500_000)).length, 261_120);
});

test('version 6 says with the last bytes that they are the last', TIMEOUT, async () => {
  using world = await connect(6);
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'file'), 'abcdef');
  const handle = await client.open('/file', { read: true });
  assert.equal((await client.read(handle, 0, 3)).body.at(-1), 0);
  assert.equal((await client.read(handle, 3, 100)).body.at(-1), 1);
});

test(
  'a thousand reads in flight to a reader that takes nothing are bounded, and all answered in the end',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client, fixture } = world;
    const content = randomBytes(1000 * 32_768);
    writeFileSync(join(fixture.root, 'big'), content);
    const handle = await client.open('/big', { read: true });
    client.channel.setRoom(0);
    const before = { sent: client.channel.sent, returned: client.channel.returned };
    for (let index = 0; index < 1000; index += 1) {
      client.send(MessageType.READ, (writer) =>
        writer
          .string(handle)
          .u64(index * 32_768)
          .u32(32_768),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(client.channel.sent, before.sent);
    assert.equal(client.channel.returned, before.returned);
    const taken: Promise<void> = (async () => {
      for (let index = 0; index < 1000; index += 1) {
        const data = dataOf(await client.reply());
        assert.ok(data.equals(content.subarray(index * 32_768, (index + 1) * 32_768)), `block ${index}`);
      }
    })();
    // The reader takes a million bytes a turn.
    const feed = setInterval(() => client.channel.setRoom(1_000_000), 1);
    await taken.finally(() => clearInterval(feed));
  },
);

test('two handles on one file see each other in the order of the requests', TIMEOUT, async () => {
  using world = await connect(3);
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'shared'), 'aaaa');
  const writer = await client.open('/shared', { write: true });
  const reader = await client.open('/shared', { read: true });
  client.send(MessageType.WRITE, (bytes) => bytes.string(writer).u64(0).string('bb'));
  client.send(MessageType.READ, (bytes) => bytes.string(reader).u64(0).u32(4));
  client.send(MessageType.WRITE, (bytes) => bytes.string(writer).u64(0).string('cc'));
  assert.equal(statusOf(await client.reply()), 0);
  assert.equal(dataOf(await client.reply()).toString(), 'bbaa');
  assert.equal(statusOf(await client.reply()), 0);
});

test('two channels of a session have handles of their own', TIMEOUT, async () => {
  using world = await connect(3);
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'file'), 'x');
  const other = await SftpClient.connect(client.session, 6, 1);
  const handle = await client.open('/file', { read: true });
  assert.equal(statusOf(await other.read(handle, 0, 1)), 9);
  assert.equal(dataOf(await client.read(handle, 0, 1)).toString(), 'x');
  other.disconnect();
});

test(
  'until its close an upload leaves the old file, and shows its own client the new one',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client, fixture } = world;
    writeFileSync(join(fixture.root, 'file'), 'old content');
    const handle = await client.open('/file', UPLOAD);
    assert.equal((await client.attributes(MessageType.STAT, '/file')).size, 0);
    await client.write(handle, 0, Buffer.from('new'));
    assert.equal((await client.attributes(MessageType.LSTAT, '/file')).size, 3);
    assert.equal(readFileSync(join(fixture.root, 'file'), 'utf8'), 'old content');
    assert.equal(
      statusOf(await client.setAttributes(MessageType.SETSTAT, '/file', { permissions: 0o640 })),
      0,
    );
    assert.equal(statusOf(await client.close(handle)), 0);
    assert.equal(readFileSync(join(fixture.root, 'file'), 'utf8'), 'new');
    assert.equal(statSync(join(fixture.root, 'file')).mode & 0o777, 0o640);
  },
);

test(
  'a new file is found by its own client at once, in STAT and in listings, and by nobody else',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client, fixture } = world;
    const handle = await client.open('/fresh', UPLOAD);
    assert.equal((await client.attributes(MessageType.LSTAT, '/fresh')).size, 0);
    assert.ok((await client.list('/')).some(({ name }) => name === 'fresh'));
    assert.equal(existsSync(join(fixture.root, 'fresh')), false);
    assert.equal(statusOf(await client.close(handle)), 0);
    assert.deepEqual(readdirSync(fixture.root), ['fresh']);
  },
);

test(
  'a client that renames, removes or opens what it is uploading finds it under its name',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client, fixture } = world;
    const first = await client.open('/a', UPLOAD);
    await client.write(first, 0, Buffer.from('one'));
    assert.equal(statusOf(await client.path(MessageType.RENAME, '/a', '/b')), 0);
    await client.write(first, 3, Buffer.from('two'));
    assert.equal(statusOf(await client.close(first)), 0);
    assert.equal(readFileSync(join(fixture.root, 'b'), 'utf8'), 'onetwo');

    const second = await client.open('/c', UPLOAD);
    await client.write(second, 0, Buffer.from('gone'));
    assert.equal(statusOf(await client.path(MessageType.REMOVE, '/c')), 0);
    assert.equal(statusOf(await client.close(second)), 0);
    const third = await client.open('/d', UPLOAD);
    await client.write(third, 0, Buffer.from('seen'));
    assert.equal((await client.readAll(await client.open('/d', { read: true }))).toString(), 'seen');
    assert.equal(statusOf(await client.close(third)), 0);
    assert.deepEqual(readdirSync(fixture.root).toSorted(), ['b', 'd']);
  },
);

test(
  'a client that breaks off leaves the old file and no remains, and the log says incomplete',
  TIMEOUT,
  async () => {
    using world = await connect(3, { allowOverwrite: true });
    const { client, fixture } = world;
    writeFileSync(join(fixture.root, 'file'), 'old');
    const handle = await client.open('/file', UPLOAD);
    await client.write(handle, 0, Buffer.from('half'));
    client.disconnect();
    assert.deepEqual(readdirSync(fixture.root), ['file']);
    assert.equal(readFileSync(join(fixture.root, 'file'), 'utf8'), 'old');
    const [record] = client.session.transfers;
    assert.equal(record?.completed, false);
    assert.equal(record?.direction, 'i');
    assert.equal(record?.bytes, 4);
    assert.ok(client.session.lines.includes('aborting 1 unclosed file handle'));
    assert.equal(client.session.running.count, 0);
  },
);

test(
  'a disconnect while reads and writes are on their way waits for them before it closes the file',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client, fixture } = world;
    const handle = await client.open('/file', UPLOAD);
    const ended = new Promise<void>((resolve) => {
      const { session } = client;
      const push = session.transfers.push.bind(session.transfers);
      session.transfers.push = (...records) => {
        resolve();
        return push(...records);
      };
    });
    for (let index = 0; index < 8; index += 1) {
      client.send(MessageType.WRITE, (writer) =>
        writer
          .string(handle)
          .u64(index * 200_000)
          .string(Buffer.alloc(200_000, 7)),
      );
    }
    client.disconnect();
    await ended;
    assert.equal(client.session.running.count, 0);
    assert.equal(
      readdirSync(fixture.root).some((name) => name.startsWith('.lockgate')),
      false,
    );
  },
);

test('AllowStoreRestart keeps what came of a new file; DeleteAbortedStores does not', TIMEOUT, async () => {
  for (const deleteAbortedStores of [false, true]) {
    using world = await connect(3, { ...OPEN_DOOR, deleteAbortedStores });
    const { client, fixture } = world;
    const handle = await client.open('/new', UPLOAD);
    await client.write(handle, 0, Buffer.from('half'));
    client.disconnect();
    assert.deepEqual(readdirSync(fixture.root), deleteAbortedStores ? [] : ['new']);
  }
});

test('exclusive creation takes the name at once', TIMEOUT, async () => {
  using world = await connect(3);
  const { client, fixture } = world;
  const handle = await client.open('/lock', { ...UPLOAD, exclusive: true });
  assert.ok(existsSync(join(fixture.root, 'lock')));
  assert.equal(statusOf(await client.tryOpen('/lock', { ...UPLOAD, exclusive: true })), 4);
  await client.close(handle);
});

test('a file with two names keeps them when it is overwritten', TIMEOUT, async () => {
  using world = await connect(3);
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'one'), 'old and long');
  linkSync(join(fixture.root, 'one'), join(fixture.root, 'two'));
  const handle = await client.open('/one', UPLOAD);
  await client.write(handle, 0, Buffer.from('new'));
  await client.close(handle);
  assert.equal(readFileSync(join(fixture.root, 'two'), 'utf8'), 'new');
});

test('without AllowOverwrite a file stays what it is, whichever way it is opened', TIMEOUT, async () => {
  using world = await connect(3, {});
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'file'), 'kept');
  for (const flags of [
    UPLOAD,
    { write: true },
    { write: true, append: true },
    { write: true, truncate: true },
  ]) {
    assert.equal(statusOf(await client.tryOpen('/file', flags)), 3);
  }
  assert.equal(statusOf(await client.setAttributes(MessageType.SETSTAT, '/file', { size: 0 })), 3);
  assert.equal(readFileSync(join(fixture.root, 'file'), 'utf8'), 'kept');
});

test('without AllowStoreRestart an upload does not go on behind old bytes', TIMEOUT, async () => {
  using world = await connect(3, { allowOverwrite: true });
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'file'), 'kept');
  const handle = await client.open('/file', { write: true });
  assert.equal(statusOf(await client.write(handle, 4, Buffer.from('more'))), 3);
  assert.equal(statusOf(await client.write(handle, 0, Buffer.from('K'))), 0);
  await client.close(handle);
  assert.equal(readFileSync(join(fixture.root, 'file'), 'utf8'), 'Kept');
});

test('HiddenStores names the unfinished file, and nothing of it is left', TIMEOUT, async () => {
  const hiddenStores = { prefix: '.in.', suffix: '.' };
  using world = await connect(3, { allowOverwrite: true, hiddenStores });
  const { client, fixture } = world;
  const handle = await client.open('/file', UPLOAD);
  await client.write(handle, 0, Buffer.from('x'));
  assert.deepEqual(readdirSync(fixture.root), ['.in.file.']);
  assert.equal(statusOf(await client.close(handle)), 0);
  assert.deepEqual(readdirSync(fixture.root), ['file']);
});

test('MaxStoreFileSize refuses the write behind it and the half file', TIMEOUT, async () => {
  for (const version of [3, 6] as const) {
    using world = await connect(version, { ...OPEN_DOOR, maxStoreFileSize: [{ value: 10 }] });
    const { client, fixture } = world;
    writeFileSync(join(fixture.root, 'file'), 'old');
    const handle = await client.open('/file', UPLOAD);
    assert.equal(statusOf(await client.write(handle, 0, Buffer.from('12345'))), 0);
    assert.equal(statusOf(await client.write(handle, 5, Buffer.from('123456'))), version === 3 ? 4 : 14);
    assert.equal(statusOf(await client.close(handle)), version === 3 ? 4 : 14);
    assert.equal(readFileSync(join(fixture.root, 'file'), 'utf8'), 'old');
    assert.ok(
      client.session.lines.some((line) => line.includes('File too large (MaxStoreFileSize 10 exceeded)')),
    );
  }
});

test('the mode of a new file is what OPEN carries less Umask', TIMEOUT, async () => {
  using world = await connect(3);
  const { client, fixture } = world;
  await client.close(await client.open('/script', UPLOAD, { permissions: 0o777 }));
  await client.close(await client.open('/plain', UPLOAD));
  await client.close(await client.open('/lock', { ...UPLOAD, exclusive: true }, { permissions: 0o600 }));
  const mode = (name: string): number => lstatSync(join(fixture.root, name)).mode & 0o7777;
  assert.equal(mode('script'), 0o755);
  assert.equal(mode('plain'), 0o644);
  assert.equal(mode('lock'), 0o600);
});

test('logs of an upload and a download: TransferLog, RETR and STOR, counters, events', TIMEOUT, async () => {
  using world = await connect(3);
  const { client } = world;
  const up = await client.open('/file', UPLOAD);
  await client.write(up, 0, Buffer.alloc(100_000));
  await client.close(up);
  const down = await client.open('/file', { read: true });
  await client.readAll(down);
  await client.close(down);
  const { transfers, reports, context } = client.session;
  const commands = client.session.commands.filter(({ verb }) => verb !== 'INIT');
  assert.deepEqual(
    transfers.map(({ direction, bytes, completed, service }) => ({ direction, bytes, completed, service })),
    [
      { direction: 'i', bytes: 100_000, completed: true, service: 'sftp' },
      { direction: 'o', bytes: 100_000, completed: true, service: 'sftp' },
    ],
  );
  const verbs = commands.map(({ verb }) => verb);
  assert.deepEqual(verbs, ['OPEN', 'STOR', 'CLOSE', 'OPEN', 'RETR', 'CLOSE']);
  assert.deepEqual(commands[0]?.classes, ['WRITE', 'SFTP']);
  assert.equal(commands[1]?.replyCode, 226);
  assert.equal(commands[1]?.transfer?.bytes, 100_000);
  assert.equal(context.facts.filesIn, 1);
  assert.equal(context.facts.filesOut, 1);
  assert.deepEqual([...context.counters], [100_000n, 100_000n]);
  assert.deepEqual(
    reports.map(({ direction }) => direction),
    ['upload', 'download'],
  );
});

test('ExtendedLog gets single reads and writes only where a log asks for their class', TIMEOUT, async () => {
  const target = {
    path: '/x',
    classes: ['WRITE'],
    excludedClasses: [],
    commands: [],
    excludedCommands: [],
    format: '',
  };
  using world = await connect(3, { ...OPEN_DOOR, extendedLog: [target] });
  const { client } = world;
  const handle = await client.open('/file', { ...UPLOAD, read: true });
  await client.write(handle, 0, Buffer.from('abc'));
  await client.read(handle, 0, 3);
  const reader = await client.open('/file', { read: true });
  await client.write(reader, 0, Buffer.from('refused'));
  const lines = client.session.commands.map(({ verb, replyCode }) => `${verb} ${replyCode}`);
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('INIT')),
    ['OPEN 0', 'WRITE 0', 'OPEN 0', 'WRITE 3'],
  );
});

test(
  'MaxTransfersPerUser: what main refuses is not opened, and the count ends with the last file',
  TIMEOUT,
  async () => {
    const calls: string[] = [];
    let answer: 'ok' | 'user-limit' = 'user-limit';
    const services = {
      beginTransfer: () => {
        calls.push('begin');
        return Promise.resolve(answer);
      },
      endTransfer: () => {
        calls.push('end');
        return Promise.resolve();
      },
    };
    const maxTransfersPerUser = [{ count: 1, commands: ['STOR'] }];
    using world = await connect(3, { ...OPEN_DOOR, maxTransfersPerUser }, {}, { services });
    const { client, fixture } = world;
    assert.equal(statusOf(await client.tryOpen('/a', UPLOAD)), 3);
    assert.deepEqual(readdirSync(fixture.root), []);
    answer = 'ok';
    const one = await client.open('/a', UPLOAD);
    const two = await client.open('/b', UPLOAD);
    await client.close(one);
    assert.deepEqual(calls, ['begin', 'begin', 'begin']);
    await client.close(two);
    assert.deepEqual(calls, ['begin', 'begin', 'begin', 'end']);
  },
);

test('TransferRate holds a download back', TIMEOUT, async () => {
  const transferRate = [{ value: { commands: ['RETR'], kilobytesPerSecond: 200, freeBytes: 0 } }];
  using world = await connect(3, { ...OPEN_DOOR, transferRate });
  const { client, fixture } = world;
  writeFileSync(join(fixture.root, 'file'), Buffer.alloc(40 * 1024));
  const handle = await client.open('/file', { read: true });
  const started = performance.now();
  await client.readAll(handle, 8192);
  assert.ok(performance.now() - started >= 180);
});

test('as many handles as announced, and not one more', TIMEOUT, async () => {
  using world = await connect(3);
  const { client } = world;
  for (let index = 0; index < 1024; index += 1) {
    assert.equal((await client.path(MessageType.OPENDIR, '/')).type, MessageType.HANDLE);
  }
  assert.equal(statusOf(await client.path(MessageType.OPENDIR, '/')), 4);
});
