/** Directives of transfers: each configuration, and what happens to the file and the reply. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFtpFixture, type FtpFixture, type FtpFixtureOptions } from '../support/ftp-session-fixture.ts';

const limits = { timeout: 20_000 };

async function open(config: string, more: Omit<FtpFixtureOptions, 'config'> = {}): Promise<FtpFixture> {
  const fixture = await openFtpFixture({ config, ...more });
  mkdirSync(join(fixture.home, 'sub'));
  for (const name of ['old', 'sub/old']) writeFileSync(join(fixture.home, name), '0123456789');
  return fixture;
}

/** What a command answers at last, in binary. */
async function answer(fixture: FtpFixture, line: string, body: string | null = null): Promise<string> {
  const client = await fixture.login();
  await client.command('TYPE I');
  const { final } = body === null ? await client.download(line) : await client.upload(line, body);
  client.destroy();
  return final.lines.join('|');
}

const OK = '226 Transfer complete';
const CUT = '426 Transfer aborted. Data connection closed';
const FULL = /^552 /;

const UPLOADS: readonly (readonly [config: string, line: string, answer: string | RegExp])[] = [
  ['', 'STOR old', '550 old: Overwrite permission denied'],
  ['AllowOverwrite on', 'STOR old', OK],
  ['<Directory BASE/alice/sub>\nAllowOverwrite on\n</Directory>', 'STOR sub/old', OK],
  ['<Directory BASE/alice/sub>\nAllowOverwrite on\n</Directory>', 'STOR old', /^550 /],
  ['<IfUser alice>\nAllowOverwrite on\n</IfUser>', 'STOR old', OK],
  ['', 'APPE old', '451 old: Append/Restart not permitted, try again'],
  ['AllowOverwrite on\nAllowStoreRestart on', 'APPE old', OK],
  ['MaxStoreFileSize 4 B', 'STOR new', FULL],
  ['MaxStoreFileSize 5 B', 'STOR new', OK],
  ['MaxStoreFileSize 4 B user alice', 'STOR new', FULL],
  ['MaxStoreFileSize 4 B user bob', 'STOR new', OK],
  ['MaxStoreFileSize 4 B group users', 'STOR new', FULL],
  ['MaxStoreFileSize 4 B group !users', 'STOR new', OK],
  ['MaxStoreFileSize 4 B class inside', 'STOR new', FULL],
  ['MaxStoreFileSize 4 B class outside', 'STOR new', OK],
  ['MaxStoreFileSize 4 B\nMaxStoreFileSize 1 Kb user alice', 'STOR new', OK],
  ['MaxStoreFileSize * user alice\nMaxStoreFileSize 4 B', 'STOR new', OK],
  ['<Directory BASE/alice/sub>\nMaxStoreFileSize 4 B\n</Directory>', 'STOR sub/new', FULL],
  ['<Directory BASE/alice/sub>\nMaxStoreFileSize 4 B\n</Directory>', 'STOR new', OK],
];

test(
  'uploads: AllowOverwrite, AllowStoreRestart, MaxStoreFileSize and who they are for',
  limits,
  async () => {
    for (const [config, line, expected] of UPLOADS) {
      await using fixture = await open(config, { className: 'inside' });
      const given = await answer(fixture, line, 'hello');
      if (typeof expected === 'string') assert.equal(given, expected, `${config}: ${line}`);
      else assert.match(given, expected, `${config}: ${line}`);
    }
  },
);

const DOWNLOADS: readonly (readonly [config: string, line: string, answer: string])[] = [
  ['MaxRetrieveFileSize 9 B', 'RETR old', CUT],
  ['MaxRetrieveFileSize 10 B', 'RETR old', OK],
  ['MaxRetrieveFileSize 9 B group users', 'RETR old', CUT],
  ['MaxRetrieveFileSize 9 B class outside', 'RETR old', OK],
  ['MaxRetrieveFileSize 9 B\nMaxRetrieveFileSize 10 B class inside', 'RETR old', OK],
  ['<Directory BASE/alice/sub>\nMaxRetrieveFileSize 9 B\n</Directory>', 'RETR sub/old', CUT],
  ['<Directory BASE/alice/sub>\nMaxRetrieveFileSize 9 B\n</Directory>', 'RETR old', OK],
];

test('downloads: MaxRetrieveFileSize and who it is for', limits, async () => {
  for (const [config, line, expected] of DOWNLOADS) {
    await using fixture = await open(config, { className: 'inside' });
    assert.equal(await answer(fixture, line), expected, `${config}: ${line}`);
    if (expected === CUT) {
      assert.match(
        fixture.lines.join('\n'),
        /MaxRetrieveFileSize \(9 bytes\) reached: aborting transfer of '/,
      );
    }
  }
});

test('AllowRetrieveRestart off refuses REST before RETR, in a directory too', limits, async () => {
  await using fixture = await open('<Directory BASE/alice/sub>\nAllowRetrieveRestart off\n</Directory>\n');
  const client = await fixture.login();
  await client.command('TYPE I');
  await client.command('REST 4');
  assert.equal(
    (await client.download('RETR sub/old')).final.text,
    'sub/old: Restart not permitted, try again',
  );
  await client.command('REST 4');
  assert.equal((await client.download('RETR old')).body.toString(), '456789');
});

test('AllowStoreRestart lets REST and STOR write into a file', limits, async () => {
  await using fixture = await open('AllowOverwrite on\nAllowStoreRestart on\n');
  const client = await fixture.login();
  await client.command('TYPE I');
  await client.command('REST 4');
  assert.equal((await client.upload('STOR old', 'abc')).final.code, 226);
  assert.match(readFileSync(join(fixture.home, 'old'), 'utf8'), /^0123abc/);
});

const HIDDEN: readonly (readonly [config: string, temporary: string])[] = [
  ['HiddenStores on', '.in.new.'],
  ['HiddenStores .part-', '.part-new.'],
  ['HiddenStores .part- .tmp', '.part-new.tmp'],
  ['<Directory BASE/alice>\nHiddenStores up_ _up\n</Directory>', 'up_new_up'],
];

test('HiddenStores: the name an upload has while it runs', limits, async () => {
  for (const [config, temporary] of HIDDEN) {
    await using fixture = await open(config);
    const client = await fixture.login();
    const data = await client.prepareData('epsv');
    client.send('STOR new');
    const socket = await data.connect();
    assert.equal((await client.readReply()).code, 150);
    assert.ok(
      readdirSync(fixture.home).includes(temporary),
      `${config}: ${readdirSync(fixture.home).join()}`,
    );
    assert.equal(existsSync(join(fixture.home, 'new')), false);
    socket.end('whole');
    assert.equal((await client.readReply()).code, 226);
    assert.deepEqual(readdirSync(fixture.home).toSorted(), ['new', 'old', 'sub']);
    client.destroy();
  }
});

test('HiddenStores refuses REST before STOR and a name that is taken', limits, async () => {
  await using fixture = await open('HiddenStores on\nAllowOverwrite on\nAllowStoreRestart on\n');
  writeFileSync(join(fixture.home, '.in.new.'), 'somebody else');
  const client = await fixture.login();
  await client.command('TYPE I');
  assert.match(
    (await client.upload('STOR new', 'x')).final.lines[0]!,
    /^550 new: Temporary hidden file .*already exists$/,
  );
  await client.command('REST 4');
  assert.equal(
    (await client.upload('STOR old', 'x')).final.lines[0],
    '501 REST not compatible with server configuration',
  );
});

test(
  'DeleteAbortedStores decides what is left of a broken upload that could be continued',
  limits,
  async () => {
    for (const [config, left] of [
      ['DeleteAbortedStores on', false],
      ['DeleteAbortedStores off', true],
      ['<Directory BASE/alice>\nDeleteAbortedStores on\n</Directory>', false],
    ] as const) {
      await using fixture = await open(`${config}\nAllowStoreRestart on\nLockgateTransferBuffer 4 Kb\n`);
      const client = await fixture.login();
      await client.command('TYPE I');
      const data = await client.prepareData('epsv');
      client.send('STOR new');
      const socket = await data.connect();
      assert.equal((await client.readReply()).code, 150);
      socket.write('x'.repeat(300_000));
      const arrived = async (): Promise<boolean> =>
        (await client.command('STAT')).lines.some((line) => line.includes('STOR /new (300000)'));
      while (!(await arrived()));
      client.send('ABOR');
      assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [426, 226]);
      assert.equal(existsSync(join(fixture.home, 'new')), left, config);
      client.destroy();
    }
  },
);

test('StoreUniquePrefix of the server and of the current directory', limits, async () => {
  await using fixture = await open(`
    StoreUniquePrefix top-
    <Directory BASE/alice/sub>
      StoreUniquePrefix sub-
    </Directory>
  `);
  const client = await fixture.login();
  assert.match((await client.upload('STOU', 'x')).opening.text, /^FILE: top-\w{6}$/);
  await client.command('CWD sub');
  assert.match((await client.upload('STOU', 'x')).opening.text, /^FILE: sub-\w{6}$/);
  assert.ok(readdirSync(join(fixture.home, 'sub')).some((name) => name.startsWith('sub-')));
});

test('DefaultTransferMode and TransferOptions IgnoreASCII decide about line ends', limits, async () => {
  for (const [config, stored, word] of [
    ['', 'a\nb\n', 'ASCII'],
    ['DefaultTransferMode binary', 'a\r\nb\r\n', 'BINARY'],
    ['TransferOptions IgnoreASCII', 'a\r\nb\r\n', 'ASCII'],
  ] as const) {
    await using fixture = await open(config);
    const client = await fixture.login();
    const { opening } = await client.upload('STOR new', 'a\r\nb\r\n');
    assert.match(opening.text, new RegExp(`^Opening ${word} mode`), config);
    assert.equal(readFileSync(join(fixture.home, 'new'), 'latin1'), stored, config);
  }
});

test('TransferOptions AllowSymlinkUpload writes through a link inside the root', limits, async () => {
  for (const [config, through] of [
    ['AllowOverwrite on\nTransferOptions AllowSymlinkUpload', true],
    ['AllowOverwrite on', false],
  ] as const) {
    await using fixture = await open(config);
    symlinkSync('old', join(fixture.home, 'link'));
    const given = await answer(fixture, 'STOR link', 'through');
    assert.equal(
      readFileSync(join(fixture.home, 'old'), 'utf8') === 'through',
      through,
      `${config}: ${given}`,
    );
    if (through) assert.equal(readlinkSync(join(fixture.home, 'link')), 'old');
  }
});

test('MaxTransfersPerHost and PerUser of a directory, for the commands they name', limits, async () => {
  const claims: unknown[] = [];
  await using fixture = await open(
    `
    <Directory BASE/alice/sub>
      MaxTransfersPerHost RETR,STOR 2
      MaxTransfersPerUser APPE 3 "only %m"
    </Directory>
    AllowStoreRestart on
    AllowOverwrite on
    `,
    {
      services: {
        beginTransfer: async ({ command, perHost, perUser }) => {
          claims.push([command, perHost, perUser]);
          return command === 'RETR' ? 'host-limit' : command === 'APPE' ? 'user-limit' : 'ok';
        },
      },
    },
  );
  assert.equal(await answer(fixture, 'RETR old'), OK);
  assert.equal(
    await answer(fixture, 'RETR sub/old'),
    '451-Sorry, the maximum number of data transfers (2) from your host are currently being used.|' +
      '451 sub/old: Too many transfers',
  );
  assert.equal(await answer(fixture, 'APPE sub/old', 'x'), '451-only 3|451 sub/old: Too many transfers');
  assert.equal(await answer(fixture, 'STOR sub/new', 'x'), OK);
  assert.deepEqual(claims, [
    ['RETR', 2, 0],
    ['APPE', 0, 3],
    ['STOR', 2, 0],
  ]);
});

const RATES: readonly (readonly [config: string, line: string, slow: boolean])[] = [
  ['TransferRate RETR 5', 'RETR big', true],
  ['TransferRate STOR 5', 'RETR big', false],
  ['TransferRate STOR,APPE 5', 'STOR new', true],
  ['TransferRate RETR 5:1000', 'RETR big', true],
  ['TransferRate RETR 5:20000', 'RETR big', false],
  ['TransferRate RETR 5 user alice', 'RETR big', true],
  ['TransferRate RETR 5 user bob', 'RETR big', false],
  ['TransferRate RETR 5 class outside', 'RETR big', false],
  ['TransferRate RETR 5\nTransferRate RETR 5000 user alice', 'RETR big', false],
  ['<Directory BASE/alice>\nTransferRate RETR 5\n</Directory>', 'RETR big', true],
];

test('TransferRate: commands, free bytes, principals and directories', limits, async () => {
  const body = 'x'.repeat(8_192);
  await Promise.all(
    RATES.map(async ([config, line, slow]) => {
      await using fixture = await open(`${config}\nAllowOverwrite on\nLockgateTransferBuffer 4 Kb\n`);
      writeFileSync(join(fixture.home, 'big'), body);
      const started = performance.now();
      assert.equal(await answer(fixture, line, line.startsWith('STOR') ? body : null), OK);
      const milliseconds = performance.now() - started;
      // 8 KiB at 5 KiB/s take 1.6 s; a busy machine is not that slow.
      assert.equal(milliseconds > 1_000, slow, `${config}, ${line}: ${milliseconds} ms`);
    }),
  );
});

test(
  'TimeoutSession of a user counts before the one for everybody, whatever their order',
  limits,
  async () => {
    await using fixture = await open('TimeoutSession 3600\nTimeoutSession 1 user alice\n');
    const client = await fixture.login();
    assert.equal(
      (await client.readReply(3_000)).text,
      'Session Timeout (1 seconds): closing control connection',
    );
  },
);

test('timeouts of user sections count from login on', limits, async () => {
  const sections = [
    ['TimeoutIdle', 'Idle timeout'],
    ['TimeoutNoTransfer', 'No transfer timeout'],
    ['TimeoutSession', 'Session Timeout'],
  ] as const;
  await Promise.all(
    sections.map(async ([directive, text]) => {
      await using fixture = await open(`<IfUser alice>\n${directive} 1\n</IfUser>\n`);
      const client = await fixture.login();
      assert.equal((await client.readReply(3_000)).text, `${text} (1 seconds): closing control connection`);
    }),
  );
});

test('TimeoutLinger bounds the wait for a client that does not close its side', limits, async () => {
  await using fixture = await open('TimeoutLinger 1\n');
  const client = await fixture.login();
  const data = await client.prepareData('epsv');
  client.send('RETR old');
  const socket = await data.connect();
  socket.allowHalfOpen = true;
  socket.resume();
  assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
  const started = performance.now();
  // Data nobody asked for: once the server gave the connection up, it answers with a reset.
  const reset = once(socket, 'error');
  const timer = setInterval(() => socket.write('x'), 100);
  const [error] = (await reset) as [NodeJS.ErrnoException];
  clearInterval(timer);
  assert.match(error.code ?? '', /ECONNRESET|EPIPE/);
  assert.ok(performance.now() - started > 700, `${performance.now() - started} ms`);
});

test('a directory denies a command to a group and an upload filter to a user', limits, async () => {
  await using fixture = await open(`
    AllowOverwrite on
    <IfGroup users>
      <Directory BASE/alice/sub>
        <Limit STOR>
          DenyAll
        </Limit>
      </Directory>
    </IfGroup>
  `);
  assert.equal(await answer(fixture, 'STOR sub/new', 'x'), '550 sub/new: Permission denied');
  assert.equal(await answer(fixture, 'STOR new', 'x'), OK);
});
