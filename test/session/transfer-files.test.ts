import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, type FtpClient } from '../support/ftp-client.ts';
import { startSessionServer } from '../support/session-server.ts';

const limit = { timeout: 20_000 };

function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 13 + (index >> 9)) & 255));
}

/** Starts a download whose data is not read: the server fills the socket buffers and waits. */
async function startDownload(client: FtpClient, name: string) {
  const data = await client.prepareData('epsv');
  const socket = await data.connect();
  socket.pause();
  client.send(`RETR ${name}`);
  assert.equal((await client.readReply()).code, 150);
  return socket;
}

async function startUpload(client: FtpClient, line: string) {
  const data = await client.prepareData('epsv');
  const socket = await data.connect();
  client.send(line);
  assert.equal((await client.readReply()).code, 150);
  return socket;
}

test('large files are exact in both directions and counted', limit, async () => {
  await using server = await startSessionServer();
  const data = pattern(3_000_001);
  const client = await server.login();
  assert.equal((await client.upload('STOR big', data)).final.code, 226);
  assert.deepEqual(readFileSync(join(server.home, 'big')), data);
  assert.deepEqual((await client.download('RETR big')).body, data);
  assert.deepEqual([...server.counters], [3_000_001n, 3_000_001n]);
  const facts = server.facts();
  assert.deepEqual(
    [facts.filesIn, facts.filesOut, facts.bytesIn, facts.bytesOut],
    [1, 1, 3_000_001, 3_000_001],
  );
  assert.deepEqual(
    server.transfers.map(({ direction, bytes, completed, realPath }) => [
      direction,
      bytes,
      completed,
      realPath,
    ]),
    [
      ['i', 3_000_001, true, join(server.home, 'big')],
      ['o', 3_000_001, true, join(server.home, 'big')],
    ],
  );
  const logged = server.commands.find(({ verb }) => verb === 'STOR')?.transfer;
  assert.deepEqual([logged?.status, logged?.bytes, logged?.fileModified], ['success', 3_000_001, false]);
  assert.deepEqual(
    server.reports.map(({ direction, bytes }) => [direction, bytes]),
    [
      ['upload', 3_000_001],
      ['download', 3_000_001],
    ],
  );
});

test('TYPE A converts line ends both ways', limit, async () => {
  await using server = await startSessionServer();
  const client = await server.login();
  await client.command('TYPE A');
  const { opening } = await client.upload('STOR t', 'one\r\ntwo\rthree\r\n');
  assert.equal(opening.text, 'Opening ASCII mode data connection for t');
  assert.equal(readFileSync(join(server.home, 't'), 'latin1'), 'one\ntwo\rthree\n');
  assert.equal((await client.download('RETR t')).body.toString(), 'one\r\ntwo\rthree\r\n');
  assert.equal((await client.command('REST 1')).text, 'REST: Resuming transfers not allowed in ASCII mode');
  assert.equal((await client.command('RANG 1 2')).code, 551);
});

test('REST and RANG hold for one transfer', limit, async () => {
  await using server = await startSessionServer({
    settings: { allowOverwrite: true, allowStoreRestart: true },
  });
  writeFileSync(join(server.home, 'f'), '0123456789');
  const client = await server.login();
  assert.equal(
    (await client.command('REST 4')).text,
    'Restarting at 4. Send STORE or RETRIEVE to initiate transfer',
  );
  assert.equal((await client.download('RETR f')).body.toString(), '456789');
  assert.equal((await client.download('RETR f')).body.toString(), '0123456789');
  assert.equal((await client.command('RANG 2 4')).text, 'Transferring byte range of 3 bytes starting from 2');
  assert.equal((await client.download('RETR f')).body.toString(), '234');
  await client.command('REST 11');
  const refused = await client.download('RETR f');
  assert.deepEqual([refused.opening.code, refused.opening.text], [554, 'f: invalid REST argument']);
  await client.command('REST 8');
  assert.equal((await client.upload('STOR f', 'XYZ')).final.code, 226);
  assert.equal(readFileSync(join(server.home, 'f'), 'latin1'), '01234567XYZ');
  await client.command('REST 1');
  assert.equal((await client.upload('STOU', 'x')).opening.text, 'STOU incompatible with REST');
  assert.equal((await client.command('REST -1')).code, 501);
});

test('without AllowOverwrite and AllowStoreRestart what exists stays', limit, async () => {
  await using server = await startSessionServer({ settings: { allowRetrieveRestart: false } });
  writeFileSync(join(server.home, 'f'), 'old');
  const client = await server.login();
  assert.equal((await client.upload('STOR f', 'new')).opening.text, 'f: Overwrite permission denied');
  const append = await client.upload('APPE f', 'new');
  assert.deepEqual(
    [append.opening.code, append.opening.text],
    [451, 'f: Append/Restart not permitted, try again'],
  );
  await client.command('REST 1');
  const restart = await client.download('RETR f');
  assert.deepEqual(
    [restart.opening.code, restart.opening.text],
    [451, 'f: Restart not permitted, try again'],
  );
  assert.equal((await client.download('RETR none')).opening.text, 'none: No such file or directory');
  assert.equal(readFileSync(join(server.home, 'f'), 'latin1'), 'old');
});

test('STOU makes a new name with the prefix and says it in 150', limit, async () => {
  await using server = await startSessionServer({ settings: { storeUniquePrefix: 'in-' } });
  const client = await server.login();
  const { opening, final } = await client.upload('STOU', 'x');
  const name = /^FILE: (in-\w{6})$/.exec(opening.text)?.[1];
  assert.ok(name);
  assert.equal(final.code, 226);
  assert.equal(readFileSync(join(server.home, name), 'latin1'), 'x');
});

test('ABOR during a download answers 426, then 226, and the session goes on', limit, async () => {
  await using server = await startSessionServer();
  writeFileSync(join(server.home, 'big'), Buffer.alloc(30_000_000));
  const client = await server.login();
  const socket = await startDownload(client, 'big');
  client.send('ABOR');
  const replies = [await client.readReply(), await client.readReply()];
  assert.deepEqual(
    replies.map(({ code, text }) => `${code} ${text}`),
    ['426 Transfer aborted. Data connection closed', '226 Abort successful'],
  );
  socket.destroy();
  assert.deepEqual(
    server.transfers.map(({ completed }) => completed),
    [false],
  );
  assert.equal(server.commands.find(({ verb }) => verb === 'RETR')?.transfer?.status, 'cancelled');
  assert.equal((await client.command('ABOR')).text, 'Abort successful');
  assert.equal((await client.download('LIST')).final.code, 226);
});

test(
  'an upload whose connection is reset is no success, and HiddenStores keeps the old file',
  limit,
  async () => {
    await using server = await startSessionServer({
      settings: { allowOverwrite: true, hiddenStores: { prefix: '.in.', suffix: '.' } },
    });
    writeFileSync(join(server.home, 'f'), 'old');
    const client = await server.login();
    const socket = await startUpload(client, 'STOR f');
    await new Promise((resolve) => socket.write(pattern(100_000), resolve));
    socket.resetAndDestroy();
    const answer = await client.readReply();
    assert.deepEqual([answer.code, answer.text], [426, 'Transfer aborted. Data connection closed']);
    assert.deepEqual(readdirSync(server.home), ['f']);
    assert.equal(readFileSync(join(server.home, 'f'), 'latin1'), 'old');
    assert.ok(server.systemLines.includes('notice: user alice: aborting transfer: Data connection closed'));
  },
);

test(
  'MaxStoreFileSize ends an upload with 552 and MaxRetrieveFileSize a download with 426',
  limit,
  async () => {
    await using server = await startSessionServer({
      settings: {
        deleteAbortedStores: true,
        maxStoreFileSize: [{ value: 100_000 }],
        maxRetrieveFileSize: [{ value: 5 }],
      },
    });
    writeFileSync(join(server.home, 'f'), '123456');
    const client = await server.login();
    const stored = await client.upload('STOR big', pattern(3_000_000));
    assert.deepEqual([stored.final.code, stored.final.text], [552, 'Transfer aborted. File too large']);
    assert.equal(existsSync(join(server.home, 'big')), false);
    const sent = await client.download('RETR f');
    assert.deepEqual([sent.opening.code, sent.final.code, sent.body.length], [150, 426, 0]);
    const path = (name: string): string => join(server.home, name);
    assert.ok(
      server.systemLines.includes(
        `MaxStoreFileSize (100000 bytes) reached: aborting transfer of '${path('big')}'`,
      ),
    );
    assert.ok(
      server.systemLines.includes(
        `MaxRetrieveFileSize (5 bytes) reached: aborting transfer of '${path('f')}'`,
      ),
    );
  },
);

test('TimeoutStalled ends the session of a client that takes nothing', limit, async () => {
  await using server = await startSessionServer({ settings: { timeoutStalled: 1 } });
  writeFileSync(join(server.home, 'big'), Buffer.alloc(30_000_000));
  const client = await server.login();
  const socket = await startDownload(client, 'big');
  assert.equal((await client.readReply()).code, 426);
  await client.waitClosed();
  socket.destroy();
  assert.ok(server.systemLines.includes('Data transfer stall timeout: 1 seconds'));
  assert.equal(server.commands.find(({ verb }) => verb === 'RETR')?.transfer?.status, 'timeout');
});

test('TransferRate holds a download to its rate', limit, async () => {
  const rate = { commands: ['RETR'], kilobytesPerSecond: 100, freeBytes: 0 };
  await using server = await startSessionServer({ settings: { transferRate: [{ value: rate }] } });
  writeFileSync(join(server.home, 'f'), Buffer.alloc(60 * 1024));
  const client = await server.login();
  const started = performance.now();
  assert.equal((await client.download('RETR f')).body.length, 60 * 1024);
  const seconds = (performance.now() - started) / 1000;
  assert.ok(seconds > 0.4 && seconds < 3, `60 KiB at 100 KiB/s took ${seconds} s`);
});

test('MaxTransfersPerUser answers 451 in two lines', limit, async () => {
  await using server = await startSessionServer({
    settings: { maxTransfersPerUser: [{ commands: ['RETR'], count: 1 }] },
    services: { beginTransfer: () => Promise.resolve('user-limit') },
  });
  writeFileSync(join(server.home, 'f'), 'x');
  const client = await server.login();
  const { opening } = await client.download('RETR f');
  assert.deepEqual(opening.lines, [
    '451-Sorry, the maximum number of data transfers (1) from this user are currently being used.',
    '451 f: Too many transfers',
  ]);
});

test('DisplayFileTransfer stands in front of 226', limit, async () => {
  await using server = await startSessionServer({ settings: { displayFileTransfer: '/.note' } });
  writeFileSync(join(server.home, '.note'), 'so far: %o files\n');
  writeFileSync(join(server.home, 'f'), 'x');
  const client = await server.login();
  const { final } = await client.download('RETR f');
  assert.deepEqual(final.lines, ['226-so far: 1 files', '226 Transfer complete']);
});

test('a client that half-closes its side still gets the whole download', limit, async () => {
  await using server = await startSessionServer();
  const data = pattern(2_000_000);
  writeFileSync(join(server.home, 'f'), data);
  const client = await server.login();
  const prepared = await client.prepareData('epsv');
  const socket = await prepared.connect();
  socket.end();
  client.send('RETR f');
  assert.deepEqual(await collect(socket), data);
  assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
});

test('a full disk answers 452 and the old file is still there', limit, async (context) => {
  const { execFileSync } = await import('node:child_process');
  const { mkdtempSync, rmSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const home = mkdtempSync(join(tmpdir(), 'lockgate-small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', home], { stdio: 'ignore' });
  } catch {
    rmSync(home, { recursive: true });
    context.skip('mounting a small tmpfs needs root');
    return;
  }
  try {
    await using server = await startSessionServer({
      home,
      settings: { allowOverwrite: true, hiddenStores: { prefix: '.in.', suffix: '.' } },
    });
    writeFileSync(join(home, 'f'), 'old');
    mkdirSync(join(home, 'd'));
    const client = await server.login();
    const { final } = await client.upload('STOR f', pattern(2_000_000));
    assert.deepEqual([final.code, final.text], [452, 'Transfer aborted. No space left on device']);
    assert.equal(readFileSync(join(home, 'f'), 'latin1'), 'old');
    assert.deepEqual(readdirSync(home).toSorted(), ['d', 'f']);
  } finally {
    execFileSync('umount', [home]);
    rmSync(home, { recursive: true });
  }
});
