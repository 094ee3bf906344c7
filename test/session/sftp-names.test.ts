/** Names, attributes, directories, extensions and `<Limit>` over SFTP in versions 3 to 6. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Settings } from '../../src/config/server-config.ts';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { parseAttributes } from '../../workers/sftp/wire/attributes.ts';
import { MessageType, type SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import { fakeSshSession, type FakeSessionOptions } from '../support/fake-ssh-channel.ts';
import { SftpClient, handleOf, namesOf, packet, statusOf, statusTextOf } from '../support/sftp-client.ts';
import { denyAll, openVfsFixture, type FixtureOptions, type VfsFixture } from '../support/vfs-fixture.ts';

const VERSIONS: readonly SftpVersion[] = [3, 4, 5, 6];
const TIMEOUT = { timeout: 20_000 };
const OPEN_DOOR: Partial<Settings> = { allowOverwrite: true, allowStoreRestart: true };

interface World extends Disposable {
  readonly fixture: VfsFixture;
  readonly client: SftpClient;
  at(name: string): string;
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
    at: (name) => join(fixture.root, name),
    [Symbol.dispose]() {
      client.disconnect();
      fixture[Symbol.dispose]();
    },
  };
}

async function rename(client: SftpClient, from: string, to: string, flags: number): Promise<number> {
  const reply = await client.ask(MessageType.RENAME, (writer) => {
    writer.string(from).string(to);
    if (client.version >= 5) writer.u32(flags);
  });
  return statusOf(reply);
}

for (const version of VERSIONS) {
  test(`v${version}: directories are made, refused, listed and removed`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    const make = async (path: string): Promise<number> =>
      statusOf(await client.setAttributes(MessageType.MKDIR, path, { permissions: 0o777 }));
    assert.equal(await make('/d'), 0);
    assert.equal(statSync(world.at('d')).mode & 0o777, 0o755);
    assert.equal(await make('/d'), version === 3 ? 4 : 11);
    assert.equal(await make('/no/d'), 2);
    writeFileSync(world.at('d/f'), 'x');
    assert.equal(statusOf(await client.path(MessageType.RMDIR, '/d')), version === 6 ? 18 : 4);
    assert.equal(statusOf(await client.path(MessageType.REMOVE, '/d')), version === 6 ? 24 : 4);
    assert.equal(statusOf(await client.path(MessageType.REMOVE, '/d/f')), 0);
    assert.equal(statusOf(await client.path(MessageType.RMDIR, '/d')), 0);
    assert.equal(client.session.transfers[0]?.direction, 'd');
  });

  test(`v${version}: a listing of 10,000 entries is whole`, { timeout: 60_000 }, async () => {
    using world = await connect(version);
    const { client } = world;
    for (let index = 0; index < 10_000; index += 1) writeFileSync(world.at(`f${index}`), '');
    const entries = await client.list('/');
    assert.equal(entries.length, 10_002);
    assert.equal(new Set(entries.map(({ name }) => name)).size, 10_002);
    assert.deepEqual(
      entries.slice(0, 2).map(({ name }) => name),
      ['.', '..'],
    );
  });

  test(
    `v${version}: RENAME does not replace, unless its flags say so; posix-rename does`,
    TIMEOUT,
    async () => {
      using world = await connect(version);
      const { client } = world;
      writeFileSync(world.at('a'), 'a');
      writeFileSync(world.at('b'), 'b');
      assert.equal(await rename(client, '/a', '/b', 0), version === 3 ? 4 : 11);
      assert.equal(readFileSync(world.at('b'), 'utf8'), 'b');
      if (version >= 5) assert.equal(await rename(client, '/a', '/b', 1), 0);
      else {
        const posix = await client.extended('posix-rename@openssh.com', (writer) =>
          writer.string('/a').string('/b'),
        );
        assert.equal(statusOf(posix), 0);
      }
      assert.equal(readFileSync(world.at('b'), 'utf8'), 'a');
      assert.equal(await rename(client, '/gone', '/c', 0), 2);
    },
  );

  test(`v${version}: links are made in the version's order and read back`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    writeFileSync(world.at('target'), 'x');
    const made =
      version === 6
        ? await client.ask(MessageType.LINK, (writer) => writer.string('/link').string('target').bool(true))
        : await client.path(MessageType.SYMLINK, 'target', '/link');
    assert.equal(statusOf(made), 0);
    assert.equal(readlinkSync(world.at('link')), 'target');
    assert.equal(namesOf(await client.path(MessageType.READLINK, '/link'), version)[0]?.name, 'target');
    assert.equal(statusOf(await client.path(MessageType.READLINK, '/target')), version === 6 ? 23 : 4);
    const followed = await client.attributes(MessageType.STAT, '/link');
    const itself = await client.attributes(MessageType.LSTAT, '/link');
    assert.equal(followed.size, 1);
    assert.equal(version === 3 ? lstatSync(world.at('link')).isSymbolicLink() : itself.type === 3, true);
    symlinkSync('nowhere', world.at('broken'));
    await assert.rejects(client.attributes(MessageType.STAT, '/broken'), /status 2/);
  });

  test(`v${version}: each attribute is set alone`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    writeFileSync(world.at('f'), 'abcdef', { mode: 0o644 });
    const set = async (attributes: Parameters<SftpClient['setAttributes']>[2]): Promise<number> =>
      statusOf(await client.setAttributes(MessageType.SETSTAT, '/f', attributes));
    assert.equal(await set({ size: 3 }), 0);
    assert.equal(readFileSync(world.at('f'), 'utf8'), 'abc');
    assert.equal(await set({ permissions: 0o600 }), 0);
    assert.equal(statSync(world.at('f')).mode & 0o7777, 0o600);
    const time = { seconds: 1_500_000_000, nanoseconds: 0 };
    const later = { seconds: 1_600_000_000, nanoseconds: 0 };
    assert.equal(await set({ accessTime: time, modifyTime: later }), 0);
    assert.deepEqual([statSync(world.at('f')).atimeMs, statSync(world.at('f')).mtimeMs], [15e11, 16e11]);
    const own = { uid: process.getuid!(), gid: process.getgid!() };
    assert.equal(
      await set(version === 3 ? own : { owner: `user${own.uid}@here`, group: String(own.gid) }),
      0,
    );
    if (version >= 4) {
      assert.equal(await set({ owner: 'nobody-like-this', group: '' }), version === 4 ? 4 : 16);
      assert.equal(await set({ modifyTime: { seconds: -86_400, nanoseconds: 500_000_000 } }), 0);
      assert.equal(statSync(world.at('f')).mtimeMs, -86_399_500);
      assert.equal(statSync(world.at('f')).atimeMs, 15e11);
      const read = await client.attributes(MessageType.STAT, '/f');
      assert.deepEqual(read.modifyTime, { seconds: -86_400, nanoseconds: 500_000_000 });
    }
    assert.equal(await set({}), 0);
  });

  test(`v${version}: names with line ends, blanks and quotes are names`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    const name = `a\nb "c" ~ ü`;
    await client.close(await client.open(`/${name}`, { write: true, create: true, truncate: true }));
    assert.deepEqual(readdirSync(world.fixture.root), [name]);
    assert.ok((await client.list('/')).some((entry) => entry.name === name));
    assert.equal(
      statusOf(await client.tryOpen(Buffer.from('/\xff\xfe', 'latin1'), { read: true })),
      version === 6 ? 20 : 2,
    );
    assert.equal(statusOf(await client.tryOpen('/a\0b', { read: true })), version === 6 ? 20 : 2);
  });

  test(`v${version}: REALPATH resolves links and keeps a last name that is missing`, TIMEOUT, async () => {
    using world = await connect(version);
    const { client } = world;
    mkdirSync(world.at('real/deep'), { recursive: true });
    symlinkSync('real/deep', world.at('short'));
    const resolve = async (path: string): Promise<string | undefined> =>
      namesOf(await client.path(MessageType.REALPATH, path), version)[0]?.name;
    assert.equal(await resolve('.'), '/');
    assert.equal(await resolve(''), '/');
    assert.equal(await resolve('/../..'), '/');
    assert.equal(await resolve('short/../short/./new'), '/real/deep/new');
    const missing = await client.path(MessageType.REALPATH, '/no/such/path');
    if (version === 6) assert.equal(namesOf(missing, 6)[0]?.name, '/no/such/path');
    else assert.equal(statusOf(missing), 2);
  });

  test(
    `v${version}: unknown requests and extensions are unsupported, unknown handles invalid`,
    TIMEOUT,
    async () => {
      using world = await connect(version);
      const { client } = world;
      assert.equal(statusOf(await client.ask(99, () => undefined)), 8);
      assert.equal(statusOf(await client.extended('no-such@example.org')), 8);
      assert.equal(statusOf(await client.close(Buffer.alloc(8))), version === 3 ? 4 : 9);
      const other = version === 6 ? MessageType.SYMLINK : MessageType.LINK;
      assert.equal(statusOf(await client.path(other, '/a', '/b')), 8);
    },
  );
}

test('version 6 REALPATH: compose, STAT_IF and STAT_ALWAYS', TIMEOUT, async () => {
  using world = await connect(6);
  const { client } = world;
  mkdirSync(world.at('d'));
  const ask = (path: string, control: number, ...more: string[]): ReturnType<SftpClient['ask']> =>
    client.ask(MessageType.REALPATH, (writer) => {
      writer.string(path).u8(control);
      for (const one of more) writer.string(one);
    });
  assert.equal(namesOf(await ask('/x', 1, 'y', '../z'), 6)[0]?.name, '/x/z');
  assert.equal(namesOf(await ask('/x', 1, '/abs'), 6)[0]?.name, '/abs');
  assert.equal(namesOf(await ask('/d', 2), 6)[0]?.attributes.type, 2);
  assert.equal(namesOf(await ask('/gone', 2), 6)[0]?.attributes.type, 5);
  assert.equal(statusOf(await ask('/gone', 3)), 2);
});

test('long names look as `ls -l` does', TIMEOUT, async () => {
  using world = await connect(3);
  writeFileSync(world.at('file'), 'abc', { mode: 0o644 });
  const entry = (await world.client.list('/')).find(({ name }) => name === 'file');
  assert.match(entry?.longName ?? '', /^-rw-r--r-- +1 user\d+ +group\d+ +3 \w{3} [ \d]\d \d\d:\d\d file$/);
});

test('hidden files are in no listing and DirFakeUser is in the names', TIMEOUT, async () => {
  const hideFiles = [{ value: { pattern: /^\.secret/, negate: false } }];
  using world = await connect(3, { hideFiles, dirFakeUser: 'ftp', dirFakeGroup: '~' });
  writeFileSync(world.at('.secret'), '');
  writeFileSync(world.at('seen'), '');
  const entries = await world.client.list('/');
  assert.deepEqual(entries.map(({ name }) => name).toSorted(), ['.', '..', 'seen']);
  assert.match(entries.find(({ name }) => name === 'seen')?.longName ?? '', / ftp +staff /);
});

test('a directory of hidden files alone is an empty listing', TIMEOUT, async () => {
  using world = await connect(3, { hideFiles: [{ value: { pattern: /^h/, negate: false } }] });
  for (let index = 0; index < 500; index += 1) writeFileSync(world.at(`h${index}`), '');
  assert.deepEqual(
    (await world.client.list('/')).map(({ name }) => name),
    ['.', '..'],
  );
});

const refusals: readonly (readonly [
  limit: string,
  request: string,
  act: (client: SftpClient) => Promise<number>,
])[] = [
  ['DELE', 'REMOVE', async (client) => statusOf(await client.path(MessageType.REMOVE, '/f'))],
  ['MKD', 'MKDIR', async (client) => statusOf(await client.setAttributes(MessageType.MKDIR, '/new', {}))],
  ['MLSD', 'OPENDIR', async (client) => statusOf(await client.path(MessageType.OPENDIR, '/'))],
  ['RETR', 'OPEN', async (client) => statusOf(await client.tryOpen('/f', { read: true }))],
  [
    'RETR',
    'HARDLINK',
    async (client) =>
      statusOf(await client.extended('hardlink@openssh.com', (w) => w.string('/f').string('/readable'))),
  ],
  ['RNFR', 'RENAME', (client) => rename(client, '/f', '/g', 0)],
  ['RNTO', 'RENAME', (client) => rename(client, '/f', '/g', 0)],
  ['RMD', 'RMDIR', async (client) => statusOf(await client.path(MessageType.RMDIR, '/d'))],
  ['STOR', 'OPEN', async (client) => statusOf(await client.tryOpen('/f', { write: true }))],
  ['STAT', 'STAT', async (client) => statusOf(await client.path(MessageType.STAT, '/f'))],
  ['LSTAT', 'LSTAT', async (client) => statusOf(await client.path(MessageType.LSTAT, '/f'))],
  ['READLINK', 'READLINK', async (client) => statusOf(await client.path(MessageType.READLINK, '/l'))],
  ['SYMLINK', 'SYMLINK', async (client) => statusOf(await client.path(MessageType.SYMLINK, 'x', '/y'))],
  [
    'SETSTAT',
    'SETSTAT',
    async (client) => statusOf(await client.setAttributes(MessageType.SETSTAT, '/f', { permissions: 0o600 })),
  ],
];

for (const [limit, request, act] of refusals) {
  test(
    `<Limit ${limit}> refuses ${request}, says so in the log, and nothing happens without it`,
    TIMEOUT,
    async () => {
      for (const denied of [true, false]) {
        const limits = denied ? [denyAll(limit)] : [denyAll('NOOP')];
        using world = await connect(3, OPEN_DOOR, { limits });
        writeFileSync(world.at('f'), 'x', { mode: 0o644 });
        mkdirSync(world.at('d'));
        symlinkSync('f', world.at('l'));
        const status = await act(world.client);
        if (!denied) {
          assert.ok(status <= 0, `status ${status}`);
          continue;
        }
        assert.equal(status, 3);
        const line = world.client.session.lines.find((text) =>
          text.includes('blocked by <Limit> configuration'),
        );
        assert.ok(line?.startsWith(`${request} of `), line ?? 'no line');
        assert.deepEqual(readdirSync(world.fixture.root).toSorted(), ['d', 'f', 'l']);
      }
    },
  );
}

test(
  '<Limit LIST> and <Limit FSTAT>: an empty directory, and no attributes of a handle',
  TIMEOUT,
  async () => {
    using world = await connect(3, OPEN_DOOR, { limits: [denyAll('LIST', 'FSTAT')] });
    writeFileSync(world.at('f'), 'x');
    assert.deepEqual(await world.client.list('/'), []);
    const handle = await world.client.open('/f', { read: true });
    await assert.rejects(world.client.attributes(MessageType.FSTAT, handle), /status 3/);
  },
);

test(
  '<Limit WRITE> stops every change and no download; <Limit READ> the other way round',
  TIMEOUT,
  async () => {
    using reading = await connect(3, OPEN_DOOR, { limits: [denyAll('WRITE')] });
    writeFileSync(reading.at('f'), 'x');
    const { client } = reading;
    assert.equal((await client.readAll(await client.open('/f', { read: true }))).toString(), 'x');
    assert.equal(statusOf(await client.tryOpen('/n', { write: true, create: true })), 3);
    assert.equal(statusOf(await client.setAttributes(MessageType.SETSTAT, '/f', { permissions: 0 })), 3);
    assert.equal(statusOf(await client.path(MessageType.SYMLINK, 'f', '/s')), 3);
    assert.equal(
      statusOf(await client.extended('hardlink@openssh.com', (w) => w.string('/f').string('/h'))),
      3,
    );
    assert.equal(await rename(client, '/f', '/g', 0), 3);
    assert.deepEqual(readdirSync(reading.fixture.root), ['f']);
    using writing = await connect(3, OPEN_DOOR, { limits: [denyAll('READ')] });
    writeFileSync(writing.at('f'), 'x');
    assert.equal(statusOf(await writing.client.tryOpen('/f', { read: true })), 3);
    assert.equal(
      statusOf(await writing.client.close(await writing.client.open('/n', { write: true, create: true }))),
      0,
    );
  },
);

test(
  '<Limit SITE_CHMOD> refuses an OPEN that carries a mode, unless IgnoreSFTPUploadPerms',
  TIMEOUT,
  async () => {
    const upload = { write: true, create: true, truncate: true };
    for (const ignored of [false, true]) {
      const sftpOptions: Settings['sftpOptions'] = ignored ? ['IgnoreSFTPUploadPerms'] : [];
      using world = await connect(3, { ...OPEN_DOOR, sftpOptions }, { limits: [denyAll('SITE_CHMOD')] });
      const { client } = world;
      const reply = await client.tryOpen('/f', upload, { permissions: 0o777 });
      assert.equal(statusOf(reply), ignored ? -1 : 3);
      if (!ignored) {
        assert.ok(client.session.lines.some((line) => line.startsWith("chmod of '/f' blocked by <Limit>")));
        continue;
      }
      const handle = handleOf(reply);
      assert.equal(
        statusOf(await client.setAttributes(MessageType.FSETSTAT, handle, { permissions: 0o777 })),
        3,
      );
      await client.close(handle);
      assert.equal(statSync(world.at('f')).mode & 0o777, 0o644);
    }
  },
);

test('IgnoreSFTPSetPerms, -Times and -Owners drop their part and say OK', TIMEOUT, async () => {
  const sftpOptions: Settings['sftpOptions'] = [
    'IgnoreSFTPSetPerms',
    'IgnoreSFTPSetTimes',
    'IgnoreSFTPSetOwners',
  ];
  using world = await connect(3, { ...OPEN_DOOR, sftpOptions });
  writeFileSync(world.at('f'), 'x', { mode: 0o644 });
  const before = statSync(world.at('f'));
  const time = { seconds: 1, nanoseconds: 0 };
  const change = { permissions: 0o777, uid: 12_345, gid: 12_345, accessTime: time, modifyTime: time };
  assert.equal(statusOf(await world.client.setAttributes(MessageType.SETSTAT, '/f', change)), 0);
  const after = statSync(world.at('f'));
  assert.deepEqual([after.mode, after.uid, after.mtimeMs], [before.mode, before.uid, before.mtimeMs]);
});

async function announced(version: SftpVersion, settings: Partial<Settings>): Promise<Map<string, string>> {
  using fixture = openVfsFixture();
  const client = new SftpClient(fakeSshSession({ vfs: fixture.vfs, settings }));
  const reader = new ByteReader((await client.init(version)).body);
  const pairs = new Map<string, string>();
  while (reader.remaining > 0) pairs.set(reader.string().toString(), reader.string().toString('latin1'));
  client.disconnect();
  return pairs;
}

test('VERSION announces what is on, and nothing that SFTPExtensions takes out', TIMEOUT, async () => {
  const plain = await announced(3, {});
  assert.equal(plain.get('versions'), '2,3,4,5,6');
  assert.equal(plain.get('statvfs@openssh.com'), '2');
  assert.equal(plain.get('limits@openssh.com'), '1');
  assert.equal(plain.has('vendor-id') || plain.has('xattr@proftpd.org') || plain.has('newline'), false);
  const sftpExtensions: Settings['sftpExtensions'] = [
    { name: 'vendorID', enabled: true },
    { name: 'copyFile', enabled: false },
    { name: 'versionSelect', enabled: false },
  ];
  const changed = await announced(6, { sftpExtensions });
  assert.ok(changed.has('vendor-id'));
  assert.equal(changed.has('copy-file') || changed.has('versions'), false);
  assert.equal(changed.get('newline'), '\n');
  assert.ok(changed.has('supported2'));
  using world = await connect(3, { sftpExtensions });
  assert.equal(
    statusOf(await world.client.extended('copy-file', (w) => w.string('/a').string('/b').bool(true))),
    8,
  );
});

test(
  'sftpProtocolVersion of SFTPClientMatch caps the version, and a client below it is turned away',
  TIMEOUT,
  async () => {
    using fixture = openVfsFixture();
    const match = { sftpProtocolVersion: { min: 3, max: 4 } } as const;
    const client = new SftpClient(fakeSshSession({ vfs: fixture.vfs, match }));
    const reply = await client.init(6);
    assert.equal(reply.id, 4);
    assert.ok(reply.body.includes('versions\0\0\0\x033,4'));
    const old = new SftpClient(fakeSshSession({ vfs: fixture.vfs, match }));
    old.sendRaw(packet(Buffer.from([1, 0, 0, 0, 2])));
    assert.equal(old.channel.aborted, 'Unable to use requested SFTP protocol version');
  },
);

test(
  'version-select changes the version as the first request, and ends the channel later',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client } = world;
    writeFileSync(world.at('f'), 'x');
    assert.equal(statusOf(await client.extended('version-select', (writer) => writer.string('6'))), 0);
    client.version = 6;
    assert.equal((await client.attributes(MessageType.STAT, '/f')).type, 1);
    assert.equal(statusOf(await client.extended('version-select', (writer) => writer.string('4'))), 23);
    assert.equal(client.channel.ended, 1);
  },
);

test('the end of the stream ends the channel when everything is answered', TIMEOUT, async () => {
  using world = await connect(3);
  const { client } = world;
  client.send(MessageType.STAT, (writer) => writer.string('/'));
  client.handler.eof();
  assert.equal((await client.reply()).type, MessageType.ATTRS);
  assert.equal(client.channel.ended, 0);
});

test('a request before INIT ends the channel', TIMEOUT, () => {
  using fixture = openVfsFixture();
  const client = new SftpClient(fakeSshSession({ vfs: fixture.vfs }));
  client.send(MessageType.STAT, (writer) => writer.string('/'));
  assert.match(client.channel.aborted ?? '', /before INIT/);
});

test(
  'extensions: limits, statvfs, space-available, home-directory, expand-path, users-groups-by-id',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    const { client } = world;
    const read = async (name: string, path: string | null): Promise<ByteReader> => {
      const reply = await client.extended(name, (writer) => path !== null && writer.string(path));
      assert.equal(reply.type, MessageType.EXTENDED_REPLY, `${name}: ${statusOf(reply)}`);
      return new ByteReader(reply.body);
    };
    const limits = await read('limits@openssh.com', null);
    assert.deepEqual(
      [limits.u64(), limits.u64(), limits.u64(), limits.u64()],
      [262_144n, 261_120n, 261_120n, 1024n],
    );
    const statvfs = await read('statvfs@openssh.com', '/');
    assert.ok(statvfs.u64() > 0n);
    assert.equal(statvfs.remaining, 80);
    const space = await read('space-available', '/');
    assert.ok(space.u64() >= space.u64());
    assert.equal(space.remaining, 20);
    const path = async (name: string, value: string): Promise<string | undefined> =>
      namesOf(await client.extended(name, (writer) => writer.string(value)), 3)[0]?.name;
    assert.equal(await path('home-directory', ''), '/');
    assert.equal(await path('expand-path@openssh.com', '~/x'), '/x');
    assert.equal(await path('expand-path@openssh.com', '~alice'), '/');
    assert.equal(statusOf(await client.extended('home-directory', (writer) => writer.string('bob'))), 3);
    const ids = await client.extended('users-groups-by-id@openssh.com', (writer) =>
      writer.string(Buffer.from([0, 0, 0, 7])).string(Buffer.alloc(0)),
    );
    assert.equal(new ByteReader(ids.body).string().toString('latin1'), '\0\0\0\x05user7');
  },
);

test('extensions: hardlink, fsync, lsetstat, copy-file, copy-data', TIMEOUT, async () => {
  using world = await connect(3);
  const { client } = world;
  const content = Buffer.alloc(600_000, 'abc');
  writeFileSync(world.at('f'), content);
  const two = async (name: string, a: string, b: string): Promise<number> =>
    statusOf(await client.extended(name, (writer) => writer.string(a).string(b)));
  assert.equal(await two('hardlink@openssh.com', '/f', '/h'), 0);
  assert.equal(statSync(world.at('h')).ino, statSync(world.at('f')).ino);
  const copy = async (to: string, overwrite: boolean): Promise<number> =>
    statusOf(await client.extended('copy-file', (writer) => writer.string('/f').string(to).bool(overwrite)));
  assert.equal(await copy('/c', false), 0);
  assert.deepEqual(readFileSync(world.at('c')), content);
  assert.equal(await copy('/c', false), 4);
  assert.equal(await copy('/c', true), 0);
  const from = await client.open('/f', { read: true });
  const to = await client.open('/d', { write: true, create: true, truncate: true });
  const data = await client.extended('copy-data', (writer) =>
    writer.string(from).u64(100).u64(0).string(to).u64(0),
  );
  assert.equal(statusOf(data), 0);
  assert.equal(statusOf(await client.extended('fsync@openssh.com', (writer) => writer.string(to))), 0);
  await client.close(to);
  assert.deepEqual(readFileSync(world.at('d')), content.subarray(100));
  const same = await client.extended('copy-data', (writer) =>
    writer.string(from).u64(0).u64(0).string(from).u64(0),
  );
  assert.equal(statusOf(same), 4);
  symlinkSync('f', world.at('l'));
  const time = { seconds: 1_500_000_000, nanoseconds: 0 };
  const lsetstat = await client.extended('lsetstat@openssh.com', (writer) => {
    writer.string('/l');
    client.writeAttributes(writer, { accessTime: time, modifyTime: time });
  });
  assert.equal(statusOf(lsetstat), 0);
  assert.equal(lstatSync(world.at('l')).mtimeMs, 15e11);
  assert.notEqual(statSync(world.at('f')).mtimeMs, 15e11);
});

test(
  "check-file: whole files, blocks, the client's order of algorithms, and what cannot be hashed",
  TIMEOUT,
  async () => {
    using world = await connect(6);
    const { client } = world;
    const content = Buffer.alloc(700_000, 'check');
    writeFileSync(world.at('f'), content);
    const check = (
      algorithms: string,
      offset: number,
      length: number,
      block: number,
    ): ReturnType<SftpClient['ask']> =>
      client.extended('check-file-name', (writer) =>
        writer.string('/f').string(algorithms).u64(offset).u64(length).u32(block),
      );
    const whole = new ByteReader((await check('crc32,sha256,sha1', 0, 0, 0)).body);
    assert.equal(whole.string().toString(), 'sha256');
    assert.deepEqual(whole.rest(), createHash('sha256').update(content).digest());
    const blocks = new ByteReader((await check('sha1', 10, 1000, 300)).body);
    blocks.string();
    const range = content.subarray(10, 1010);
    const digests = [0, 300, 600, 900].map((at) =>
      createHash('sha1')
        .update(range.subarray(at, at + 300))
        .digest(),
    );
    assert.deepEqual(blocks.rest(), Buffer.concat(digests));
    assert.equal(statusOf(await check('crc32', 0, 0, 0)), 23);
    assert.equal(statusOf(await check('sha1', 700_000, 0, 0)), 23);
    assert.equal(statusOf(await check('sha1', 0, 0, 255)), 23);
  },
);

test('xattr: off by default, and only user attributes when it is on', TIMEOUT, async () => {
  using off = await connect(3);
  const list = (client: SftpClient): ReturnType<SftpClient['ask']> =>
    client.extended('listxattr@proftpd.org', (writer) => writer.string('/f').u32(1000));
  writeFileSync(off.at('f'), '');
  assert.equal(statusOf(await list(off.client)), 8);
  using on = await connect(3, { ...OPEN_DOOR, sftpExtensions: [{ name: 'xattr', enabled: true }] });
  writeFileSync(on.at('f'), '');
  const set = async (name: string): Promise<number> =>
    statusOf(
      await on.client.extended('setxattr@proftpd.org', (writer) =>
        writer.string('/f').string(name).string('v').u32(0),
      ),
    );
  assert.equal(await set('trusted.x'), 3);
  const status = await set('user.x');
  // A file system without them (tmpfs of old kernels) says so.
  if (status === 8) return;
  assert.equal(status, 0);
  const got = await on.client.extended('getxattr@proftpd.org', (writer) =>
    writer.string('/f').string('user.x').u32(100),
  );
  assert.equal(new ByteReader(got.body).string().toString(), 'v');
  const names = new ByteReader((await list(on.client)).body);
  assert.deepEqual([names.u32(), names.string().toString()], [1, 'user.x']);
});

test(
  'REMOVE and its kin are in the ExtendedLog under their own name and the name FTP has for them',
  TIMEOUT,
  async () => {
    using world = await connect(3);
    writeFileSync(world.at('f'), '');
    await world.client.path(MessageType.REMOVE, '/f');
    await world.client.path(MessageType.REMOVE, '/f');
    const logged = world.client.session.commands.map(({ verb, replyCode }) => `${verb} ${replyCode}`);
    assert.deepEqual(logged, ['INIT 0', 'REMOVE 0', 'DELE 250', 'REMOVE 2', 'DELE 550']);
    assert.equal(statusTextOf(await world.client.path(MessageType.REMOVE, '/f')), 'No such file');
  },
);

test('links lead nowhere outside of the root', TIMEOUT, async () => {
  using world = await connect(3);
  writeFileSync(join(world.fixture.outside, 'secret'), 'x');
  symlinkSync(join(world.fixture.outside, 'secret'), world.at('leak'));
  symlinkSync('../outside/secret', world.at('leak2'));
  for (const name of ['/leak', '/leak2']) {
    assert.equal(statusOf(await world.client.tryOpen(name, { read: true })), 2);
    const time = { seconds: 1, nanoseconds: 0 };
    const set = await world.client.setAttributes(MessageType.SETSTAT, name, {
      accessTime: time,
      modifyTime: time,
    });
    assert.equal(statusOf(set), 2);
  }
  assert.ok(existsSync(join(world.fixture.outside, 'secret')));
  assert.equal(
    parseAttributes(new ByteReader((await world.client.path(MessageType.LSTAT, '/leak')).body), 3).size! > 0,
    true,
  );
});
