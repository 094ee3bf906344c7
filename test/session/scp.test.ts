/** SCP's own protocol against the service: what ends up on the disk, whatever the client does. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Settings } from '../../src/config/server-config.ts';
import { fakeSshSession, type FakeSession, type FakeSessionOptions } from '../support/fake-ssh-channel.ts';
import { ScpPeer } from '../support/scp-peer.ts';
import { eventually } from '../support/shared-server.ts';
import { denyAll, openVfsFixture, type FixtureOptions, type VfsFixture } from '../support/vfs-fixture.ts';

const TIMEOUT = { timeout: 20_000 };

interface World extends Disposable {
  readonly fixture: VfsFixture;
  readonly session: FakeSession;
  readonly root: string;
  run(command: string): ScpPeer;
}

function world(
  settings: Partial<Settings> = { allowOverwrite: true },
  more: Omit<FixtureOptions, 'settings'> = {},
  session: Partial<FakeSessionOptions> = {},
): World {
  const fixture = openVfsFixture({ settings, ...more });
  const fake = fakeSshSession({ vfs: fixture.vfs, settings, ...session });
  return {
    fixture,
    session: fake,
    root: fixture.root,
    run: (command) => new ScpPeer(fake, command),
    [Symbol.dispose]: () => fixture[Symbol.dispose](),
  };
}

/** Uploads as a client does: waits for every answer. The answers' codes. */
async function upload(
  peer: ScpPeer,
  name: string,
  bytes: Buffer,
  before: readonly string[] = [],
): Promise<number[]> {
  const codes = [(await peer.status()).code];
  for (const record of before) {
    peer.send(`${record}\n`);
    codes.push((await peer.status()).code);
  }
  peer.send(`C0640 ${bytes.length} ${name}\n`);
  const { code } = await peer.status();
  codes.push(code);
  if (code !== 0) return codes;
  peer.send(bytes);
  peer.send(Buffer.of(0));
  codes.push((await peer.status()).code);
  return codes;
}

test('a file arrives whole, with its mode narrowed by Umask and without other times', TIMEOUT, async () => {
  using at = world();
  const bytes = randomBytes(1_000_003);
  const peer = at.run('scp -t /');
  assert.deepEqual(await upload(peer, 'file', bytes), [0, 0, 0]);
  peer.eof();
  assert.equal(await peer.exitStatus(), 0);
  assert.deepEqual(readFileSync(join(at.root, 'file')), bytes);
  assert.equal(statSync(join(at.root, 'file')).mode & 0o777, 0o640);
  assert.equal(
    peer.channel.returned,
    bytes.length + 'C0640 1000003 file\n'.length + 1,
    'the window is given back',
  );
  assert.deepEqual(
    at.session.transfers.map(({ service, direction, completed, bytes: count }) => [
      service,
      direction,
      completed,
      count,
    ]),
    [['scp', 'i', true, 1_000_003]],
  );
  assert.equal(at.session.running.count, 0);
});

test("with -p mode and times are the client's; the Ignore options leave them", TIMEOUT, async () => {
  for (const [sftpOptions, mode, time] of [
    [[], 0o640, 1_000_000_000],
    [['IgnoreSCPUploadPerms'], 0o644, 1_000_000_000],
    [['IgnoreSCPUploadTimes'], 0o640, null],
    [['IgnoreSCPUploadPerms', 'IgnoreSCPUploadTimes'], 0o644, null],
  ] as const) {
    using at = world({ allowOverwrite: true, sftpOptions: [...sftpOptions] });
    const peer = at.run('scp -p -t file');
    assert.deepEqual(
      await upload(peer, 'x', Buffer.from('abc'), ['T1000000000 0 999999999 0']),
      [0, 0, 0, 0],
    );
    peer.eof();
    assert.equal(await peer.exitStatus(), 0);
    const stats = statSync(join(at.root, 'file'));
    assert.equal(stats.mode & 0o777, mode, sftpOptions.join());
    if (time === null) assert.ok(stats.mtimeMs > 1_600_000_000_000);
    else assert.deepEqual([stats.mtimeMs, stats.atimeMs], [time * 1000, 999_999_999_000]);
  }
});

test('a tree: directories get their modes and times when they are left', TIMEOUT, async () => {
  using at = world();
  const peer = at.run('scp -r -p -t /');
  const says = async (bytes: string): Promise<void> => {
    peer.send(bytes);
    assert.deepEqual(await peer.status(), { code: 0, text: '' }, bytes);
  };
  await peer.status();
  await says('T1000000000 0 1000000000 0\n');
  await says('D0555 0 dir\n');
  await says('D0700 0 sub\n');
  await says('C0600 2 a\n');
  await says('hi\0');
  await says('E\n');
  await says('E\n');
  peer.eof();
  assert.equal(await peer.exitStatus(), 0);
  assert.equal(readFileSync(join(at.root, 'dir/sub/a'), 'utf8'), 'hi');
  assert.deepEqual(
    [statSync(join(at.root, 'dir')).mode & 0o777, statSync(join(at.root, 'dir')).mtimeMs],
    [0o555, 1_000_000_000_000],
  );
});

test('a client that is killed leaves the old file, and no other', TIMEOUT, async () => {
  for (const settings of [
    {},
    { deleteAbortedStores: true },
    { hiddenStores: { prefix: '.in.', suffix: '.' } },
  ]) {
    using at = world({ allowOverwrite: true, ...settings });
    writeFileSync(join(at.root, 'file'), 'old');
    const peer = at.run('scp -t file');
    await peer.status();
    peer.send('C0644 1000000 file\n');
    await peer.status();
    peer.send(randomBytes(600_000));
    await eventually(() => peer.channel.returned >= 600_000, 'not written');
    peer.cut();
    await eventually(() => at.session.transfers.length === 1, 'the upload was not ended');
    assert.equal(readFileSync(join(at.root, 'file'), 'utf8'), 'old');
    assert.deepEqual(readdirSync(at.root), ['file']);
    assert.deepEqual(
      at.session.transfers.map(({ completed, bytes }) => [completed, bytes]),
      [[false, 600_000]],
    );
    assert.equal(at.session.running.count, 0);
    assert.equal(peer.bug, null);
  }
});

test(
  'a new file that broke off stays for AllowStoreRestart and goes with DeleteAbortedStores',
  TIMEOUT,
  async () => {
    for (const [deleteAbortedStores, left] of [
      [false, ['file']],
      [true, []],
    ] as const) {
      using at = world({ allowStoreRestart: true, deleteAbortedStores });
      const peer = at.run('scp -t file');
      await peer.status();
      peer.send('C0644 100 file\n');
      await peer.status();
      peer.send('half');
      await eventually(() => peer.channel.returned > 'C0644 100 file\n'.length, 'not written');
      peer.eof();
      peer.cut();
      await eventually(() => at.session.transfers.length === 1, 'the upload was not ended');
      assert.deepEqual(readdirSync(at.root), left);
    }
  },
);

test('MaxStoreFileSize: the rest is read and thrown away, and the next file arrives', TIMEOUT, async () => {
  using at = world({ maxStoreFileSize: [{ value: 10, expression: null }] as never });
  const peer = at.run('scp -d -t /');
  await peer.status();
  peer.send('C0644 11 large\n');
  await peer.status();
  peer.send('12345678901\0');
  assert.deepEqual(await peer.status(), { code: 1, text: 'scp: /large: write error: File too large' });
  peer.send('C0644 10 small\n');
  assert.equal((await peer.status()).code, 0);
  peer.send('1234567890\0');
  assert.equal((await peer.status()).code, 0);
  peer.eof();
  assert.equal(await peer.exitStatus(), 1);
  assert.deepEqual(readdirSync(at.root), ['small']);
  assert.match(at.session.lines.join('\n'), /File too large \(MaxStoreFileSize 10 exceeded\)/);
});

test('AllowOverwrite refuses before anything is sent, and the next file goes on', TIMEOUT, async () => {
  using at = world({ allowOverwrite: false });
  writeFileSync(join(at.root, 'there'), 'old');
  const peer = at.run('scp -t /');
  assert.deepEqual(await upload(peer, 'there', Buffer.from('new')), [0, 1]);
  peer.send('C0644 3 new\n');
  assert.equal((await peer.status()).code, 0);
  peer.send('new\0');
  assert.equal((await peer.status()).code, 0);
  peer.eof();
  assert.equal(await peer.exitStatus(), 1);
  assert.equal(readFileSync(join(at.root, 'there'), 'utf8'), 'old');
  assert.equal(readFileSync(join(at.root, 'new'), 'utf8'), 'new');
});

test('MaxTransfersPerUser refuses one file with its text', TIMEOUT, async () => {
  let ended = 0;
  const answers = ['user-limit', 'ok'] as const;
  let asked = 0;
  using at = world(
    { maxTransfersPerUser: [{ count: 1, message: 'only %m', commands: ['STOR'] }] as never },
    {},
    {
      services: {
        beginTransfer: () => Promise.resolve(answers[asked++]!),
        endTransfer: () => {
          ended += 1;
          return Promise.resolve();
        },
      },
    },
  );
  const peer = at.run('scp -t /');
  await peer.status();
  peer.send('C0644 1 a\n');
  assert.deepEqual(await peer.status(), { code: 1, text: 'scp: /a: only 1' });
  peer.send('C0644 1 b\n');
  assert.equal((await peer.status()).code, 0);
  peer.send('b\0');
  assert.equal((await peer.status()).code, 0);
  peer.eof();
  assert.equal(await peer.exitStatus(), 1);
  assert.deepEqual(readdirSync(at.root), ['b']);
  assert.deepEqual([asked, ended], [2, 1]);
});

for (const [line, text] of [
  ['C0644 1 ../evil', 'unexpected filename: ../evil'],
  ['C0644 1 .', 'unexpected filename: .'],
  ['C644 1 a', 'bad mode'],
  ['C0644 x a', 'file size not delimited'],
  ['C0644 9007199254740993 a', 'file size out of range'],
  ['D0755 0 dir', 'cannot use directory (no -r option)'],
  ['E', 'expected control message'],
  ['hello', 'expected control message'],
] as const) {
  test(`<${line}> ends the transfer: ${text}`, TIMEOUT, async () => {
    using at = world();
    const peer = at.run('scp -t /');
    await peer.status();
    peer.send(`${line}\n`);
    assert.deepEqual(await peer.status(), { code: 2, text: `scp: ${text}` });
    assert.equal(await peer.exitStatus(), 1);
    assert.deepEqual(readdirSync(at.root), []);
  });
}

test('a record without an end is refused before it fills the memory', TIMEOUT, async () => {
  using at = world();
  const peer = at.run('scp -t /');
  await peer.status();
  for (let sent = 0; sent < 8; sent += 1) peer.send(Buffer.alloc(1000, 0x43));
  assert.deepEqual(await peer.status(), { code: 2, text: 'scp: control message too long' });
  assert.equal(await peer.exitStatus(), 1);
});

test('an upload cut at any byte makes the same file', TIMEOUT, async () => {
  const bytes = randomBytes(300);
  const stream = Buffer.concat([
    Buffer.from('T1000000000 0 1000000000 0\nD0755 0 dir\nC0644 300 file\n'),
    bytes,
    Buffer.from('\0E\n'),
  ]);
  for (let cut = 1; cut < stream.length; cut += 11) {
    using at = world();
    const peer = at.run('scp -rpt /');
    peer.send(Buffer.from(stream.subarray(0, cut)));
    await turn();
    peer.send(Buffer.from(stream.subarray(cut)));
    peer.eof();
    assert.equal(await peer.exitStatus(), 0, `cut at ${cut}`);
    assert.deepEqual(readFileSync(join(at.root, 'dir/file')), bytes, `cut at ${cut}`);
  }
});

test('whatever a client sends, the service ends in order and leaves the home', TIMEOUT, async () => {
  const record = fc.oneof(
    fc.constantFrom(
      'C0644 3 a\nabc\0',
      'D0755 0 d\n',
      'E\n',
      'T1 0 1 0\n',
      '\0',
      '\u0001no\n',
      'C0644 0 z\n\0',
    ),
    fc.constantFrom('C0644 999999999 big\n', 'D0755 0 ..\n', 'C0644 1 /etc/x\nx\0', 'C0000 1 m\nx\0'),
    fc.string({ maxLength: 20 }),
  );
  const commands = ['scp -t /', 'scp -r -t d', 'scp -rpdt .', 'scp -f a', 'scp -rf /', 'scp -prf *'];
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { maxLength: 12 }),
      fc.constantFrom(...commands),
      async (records, command) => {
        using at = world();
        writeFileSync(join(at.root, 'a'), 'content');
        const peer = at.run(command);
        for (const text of records) {
          peer.send(text);
          await turn();
        }
        peer.eof();
        await Promise.race([
          peer.exitStatus(),
          eventually(() => peer.bug !== null, 'neither end nor error', 2000),
        ]);
        assert.equal(peer.bug, null);
        assert.deepEqual(readdirSync(at.fixture.outside), []);
        assert.equal(at.session.running.count, 0);
      },
    ),
    { numRuns: 80 },
  );
});

/** Reads as a client does and acknowledges everything. */
async function download(peer: ScpPeer): Promise<Record<string, Buffer | 'directory'>> {
  const got: Record<string, Buffer | 'directory'> = {};
  const path: string[] = [];
  peer.send(Buffer.of(0));
  for (;;) {
    let line: string;
    try {
      line = await peer.line();
    } catch (error) {
      if (peer.channel.ended === null) throw error;
      return got;
    }
    if (line.startsWith('\u0001')) got[`error: ${line.slice(1)}`] = Buffer.alloc(0);
    const [, kind, , size, name] = /^([CD])([0-7]{4}) (\d+) (.*)$/.exec(line) ?? [];
    if (kind === 'D') {
      path.push(name!);
      got[path.join('/')] = 'directory';
    } else if (line === 'E') path.pop();
    if (!line.startsWith('\u0001')) peer.send(Buffer.of(0));
    if (kind !== 'C') continue;
    got[[...path, name!].join('/')] = Buffer.from(await peer.bytes(Number(size)));
    assert.deepEqual(await peer.status(), { code: 0, text: '' });
    peer.send(Buffer.of(0));
  }
}

test('a download sends files and trees with names and exact bytes, and ends by itself', TIMEOUT, async () => {
  using at = world();
  const bytes = randomBytes(700_001);
  mkdirSync(join(at.root, 'tree/sub'), { recursive: true });
  writeFileSync(join(at.root, 'tree/sub/file'), bytes);
  writeFileSync(join(at.root, 'tree/empty'), '');
  const peer = at.run('scp -r -f tree');
  assert.deepEqual(await download(peer), {
    tree: 'directory',
    'tree/sub': 'directory',
    'tree/sub/file': bytes,
    'tree/empty': Buffer.alloc(0),
  });
  assert.equal(await peer.exitStatus(), 0);
  for (const { service, direction, completed } of at.session.transfers)
    assert.deepEqual([service, direction, completed], ['scp', 'o', true]);
  assert.deepEqual(
    at.session.transfers.map((transfer) => transfer.bytes).toSorted((a, b) => a - b),
    [0, 700_001],
  );
});

test('wildcards find names, links to outside are not sent, what is missing is told', TIMEOUT, async () => {
  using at = world();
  writeFileSync(join(at.root, 'a.txt'), 'a');
  writeFileSync(join(at.root, 'b.txt'), 'b');
  writeFileSync(join(at.fixture.outside, 'secret'), 'secret');
  symlinkSync(join(at.fixture.outside, 'secret'), join(at.root, 'c.txt'));
  const wild = await download(at.run('scp -f *.txt'));
  assert.deepEqual(
    Object.keys(wild)
      .filter((name) => !name.startsWith('error'))
      .sort(),
    ['a.txt', 'b.txt'],
  );
  assert.ok(!JSON.stringify(wild).includes('secret'));
  const missing = at.run('scp -f none');
  assert.deepEqual(Object.keys(await download(missing)), ['error: scp: none: No such file or directory']);
  assert.equal(await missing.exitStatus(), 1);
  const folder = at.run('scp -f /');
  assert.deepEqual(Object.keys(await download(folder)), [
    "error: scp: cannot send directory '/' (no -r option)",
  ]);
});

test('names with line ends neither break the records nor end the session', TIMEOUT, async () => {
  using at = world();
  mkdirSync(join(at.root, 'dir'));
  writeFileSync(join(at.root, 'dir', 'a\nC0644 9 evil'), 'x');
  writeFileSync(join(at.root, 'dir', 'good'), 'good');
  const tree = await download(at.run('scp -r -f dir'));
  assert.deepEqual(
    Object.keys(tree)
      .filter((name) => !name.startsWith('error'))
      .toSorted((a, b) => a.localeCompare(b)),
    ['dir', 'dir/good'],
  );
  assert.deepEqual(Object.keys(await download(at.run('scp -f dir/*'))), ['good']);
});

test(
  '<Limit> holds for both directions, and what is forbidden leaves the records in order',
  TIMEOUT,
  async () => {
    using at = world(
      { allowOverwrite: true },
      {
        directories: {
          'dir/closed': { limits: [denyAll('LIST', 'MKD', 'STOR')] },
          'dir/secret': { limits: [denyAll('RETR')] },
        },
      },
    );
    for (const name of ['a', 'closed', 'secret', 'z'])
      mkdirSync(join(at.root, 'dir', name), { recursive: true });
    for (const name of ['a/1', 'closed/2', 'secret/3', 'z/4'])
      writeFileSync(join(at.root, 'dir', name), name);
    const down = await download(at.run('scp -r -f dir'));
    const files = Object.entries(down).filter(([, got]) => Buffer.isBuffer(got) && got.length > 0);
    assert.deepEqual(
      files.map(([name]) => name).toSorted((a, b) => a.localeCompare(b)),
      ['dir/a/1', 'dir/z/4'],
    );
    assert.ok(
      Object.keys(down).some((name) => /error: scp: .*closed: .*denied/i.test(name)),
      Object.keys(down).join(),
    );
    assert.ok(
      Object.keys(down).some((name) => /error: scp: .*secret.*denied/i.test(name)),
      Object.keys(down).join(),
    );

    const peer = at.run('scp -r -t dir/closed');
    assert.equal((await peer.status()).code, 0);
    peer.send('C0644 1 new\n');
    assert.equal((await peer.status()).code, 1);
    peer.send('D0755 0 sub\n');
    assert.equal((await peer.status()).code, 1);
    peer.eof();
    assert.equal(await peer.exitStatus(), 1);
    assert.deepEqual(readdirSync(join(at.root, 'dir/closed')), ['2']);
  },
);

test('-p sends times; a file that shrinks is filled up and reported', TIMEOUT, async () => {
  using at = world();
  const file = join(at.root, 'file');
  writeFileSync(file, randomBytes(3_000_000));
  utimesSync(file, 1_111_111_111, 1_111_111_112);
  const peer = at.run('scp -p -f file');
  peer.send(Buffer.of(0));
  assert.equal(await peer.line(), 'T1111111112 0 1111111111 0');
  peer.send(Buffer.of(0));
  assert.equal(await peer.line(), 'C0644 3000000 file');
  peer.channel.setRoom(1);
  peer.send(Buffer.of(0));
  await eventually(() => peer.receivedBytes > 1000, 'nothing came');
  truncateSync(file, 0);
  peer.channel.setRoom(Infinity);
  await peer.bytes(3_000_000);
  assert.deepEqual(await peer.status(), { code: 1, text: 'scp: /file: file changed size' });
  peer.send(Buffer.of(0));
  assert.equal(await peer.exitStatus(), 1);
  assert.deepEqual(
    at.session.transfers.map(({ completed }) => completed),
    [false],
  );
});

test('a client that reads nothing holds no more than one piece in memory', TIMEOUT, async () => {
  using at = world();
  writeFileSync(join(at.root, 'file'), Buffer.alloc(20_000_000));
  const peer = at.run('scp -f file');
  peer.send(Buffer.of(0));
  await peer.line();
  peer.channel.setRoom(1);
  peer.send(Buffer.of(0));
  await eventually(() => peer.receivedBytes > 1000, 'nothing came');
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.ok(peer.receivedBytes <= 300 * 1024, `${peer.receivedBytes} bytes queued`);
  peer.cut();
  await eventually(() => at.session.running.count === 0, 'the download did not end');
  assert.deepEqual(
    at.session.transfers.map(({ completed }) => completed),
    [false],
  );
});

test('the client may skip a file, or stop', TIMEOUT, async () => {
  using at = world();
  for (const name of ['a', 'b', 'c']) writeFileSync(join(at.root, name), name);
  const peer = at.run('scp -f ?');
  peer.send(Buffer.of(0));
  assert.match(await peer.line(), /^C0644 1 /);
  peer.send('\u0001not this one\n');
  assert.match(await peer.line(), /^C0644 1 /);
  peer.send('\u0002enough\n');
  assert.equal(await peer.exitStatus(), 1);
  assert.match(at.session.lines.join('\n'), /scp client reports: not this one\n.*enough/);
});

test('Protocols without scp, and commands that are none, are refused', TIMEOUT, () => {
  using at = world({ protocols: ['sftp'] });
  assert.ok(at.run('scp -t /').refused);
  assert.match(at.session.lines.join('\n'), /'scp' exec request denied by Protocols config/);
  using other = world();
  assert.ok(other.run('scp -tf /').refused);
  assert.ok(!existsSync(join(other.root, 'x')));
});
