/** Names that are no UTF-8, through each protocol as the bytes they are. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathTextBytes } from '../../src/util/path-text.ts';
import { MessageType } from '../../workers/sftp/wire/message-types.ts';
import { fakeSshSession } from '../support/fake-ssh-channel.ts';
import { ScpPeer } from '../support/scp-peer.ts';
import { startSessionServer } from '../support/session-server.ts';
import { SftpClient, dataOf, handleOf, statusOf } from '../support/sftp-client.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

/** File systems of macOS refuse such names themselves. */
const onLinux = { skip: process.platform !== 'linux', timeout: 20_000 };
const CAFE = 'caf\udce9';
const at = (...parts: readonly string[]): Buffer => pathTextBytes(parts.join('/'));
const settings = { allowOverwrite: true, allowStoreRestart: true };

test('FTP: commands, listings and replies carry the bytes of a name', onLinux, async () => {
  await using server = await startSessionServer({ settings });
  writeFileSync(at(server.home, CAFE), 'hello');
  const client = await server.login();
  assert.equal((await client.command('OPTS UTF8 OFF')).code, 200);
  assert.equal((await client.download(`RETR ${CAFE}`)).body.toString(), 'hello');
  for (const verb of ['LIST', 'NLST', 'MLSD', `NLST ${CAFE}`, 'NLST c*'])
    assert.ok((await client.download(verb)).body.includes(at(`${CAFE}\r\n`)), verb);
  // In a name 0xFF is written twice (RFC 854).
  assert.equal((await client.upload('STOR up\udcff\udcff\udc80', 'new')).final.code, 226);
  assert.equal(readFileSync(at(server.home, 'up\udcff\udc80'), 'utf8'), 'new');
  assert.equal((await client.command(`RNFR ${CAFE}`)).code, 350);
  assert.equal((await client.command('RNTO th\udce9')).code, 250);
  assert.ok(existsSync(at(server.home, 'th\udce9')));
  assert.equal((await client.command('MKD d\udce9')).code, 257);
  assert.equal((await client.command('CWD d\udce9')).code, 250);
  assert.equal((await client.command('PWD')).text, '"/d\ufffd" is the current directory');
  assert.equal((await client.command('DELE ../th\udce9')).code, 250);
  assert.equal(existsSync(at(server.home, 'th\udce9')), false);
});

test(
  'FTP: while UTF8 is on a name that is none is refused, and its bytes are still listed',
  onLinux,
  async () => {
    await using server = await startSessionServer({ settings });
    writeFileSync(at(server.home, CAFE), 'hello');
    const client = await server.login();
    const refused = await client.download(`RETR ${CAFE}`);
    assert.deepEqual([refused.final.code, refused.body.length], [550, 0]);
    assert.ok((await client.download('NLST')).body.includes(at(CAFE)));
  },
);

test(
  'SFTP 3 carries the bytes of a name both ways, version 4 refuses what is no UTF-8',
  onLinux,
  async () => {
    using files = openVfsFixture({ settings });
    writeFileSync(at(files.root, CAFE), 'hello');
    const session = fakeSshSession({ vfs: files.vfs, settings });
    const three = await SftpClient.connect(session, 3);
    const opened = await three.tryOpen(at('', CAFE), { read: true });
    const handle = handleOf(opened);
    assert.equal(dataOf(await three.read(handle, 0, 10)).toString(), 'hello');
    await three.close(handle);
    const directory = handleOf(await three.path(MessageType.OPENDIR, '/'));
    // The first reply holds `.` and `..`.
    await three.path(MessageType.READDIR, directory);
    const listing = await three.path(MessageType.READDIR, directory);
    assert.ok(listing.body.includes(Buffer.concat([Buffer.of(0, 0, 0, 4), at(CAFE)])));
    assert.ok((await three.path(MessageType.REALPATH, at('', CAFE))).body.includes(at('', CAFE)));
    assert.equal(statusOf(await three.path(MessageType.RENAME, at('', CAFE), at('', '\udcff'))), 0);
    assert.deepEqual(readdirSync(Buffer.from(files.root), 'buffer'), [at('\udcff')]);
    three.disconnect();
    const four = await SftpClient.connect(session, 4);
    assert.notEqual(statusOf(await four.path(MessageType.REMOVE, at('', '\udcff'))), 0);
    assert.deepEqual((await four.list('/')).map(({ name }) => name).toSorted(), ['.', '..', '\ufffd']);
    four.disconnect();
    const again = await SftpClient.connect(session, 3);
    assert.equal(statusOf(await again.path(MessageType.REMOVE, at('', '\udcff'))), 0);
    again.disconnect();
    assert.equal(readdirSync(files.root).length, 0);
  },
);

test('SCP: records and the command name the bytes', onLinux, async () => {
  using files = openVfsFixture({ settings });
  const session = fakeSshSession({ vfs: files.vfs, settings });
  const sink = new ScpPeer(session, 'scp -t .');
  await sink.status();
  sink.send(at(`C0644 5 ${CAFE}\n`));
  assert.equal((await sink.status()).code, 0);
  sink.send(Buffer.from('hello\0'));
  assert.equal((await sink.status()).code, 0);
  assert.equal(readFileSync(at(files.root, CAFE), 'utf8'), 'hello');
  mkdirSync(at(files.root, 'd'));
  const source = new ScpPeer(session, `scp -f '${CAFE}'`);
  source.send(Buffer.of(0));
  const record = at(`C0644 5 ${CAFE}\n`);
  assert.deepEqual(Buffer.from(await source.bytes(record.length)), record);
});
