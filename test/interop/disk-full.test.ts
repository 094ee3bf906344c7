/** Uploads that cannot be finished: full disk, size limits, permissions that go away. What was there before stays. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, type ChildServer } from '../support/server.ts';
import { eventually, loggedIn, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const MIB = 1024 * 1024;
const DISK_BYTES = 4 * MIB;
const TOO_LARGE = Buffer.alloc(6 * MIB, 'x');
const OLD = Buffer.from('the old content\n');
const isRoot = process.getuid?.() === 0;

async function clientOf(t: TestContext, server: ChildServer): Promise<FtpClient> {
  const client = await loggedIn(server);
  t.after(() => client.destroy());
  return client;
}

/** A file of the user. */
function put(server: ChildServer, name: string, bytes: Uint8Array): string {
  const path = join(server.homeOf('alice'), name);
  const { uid, gid } = statSync(server.homeOf('alice'));
  writeFileSync(path, bytes);
  chownSync(path, uid, gid);
  return path;
}

describe('disk full', LIMIT, () => {
  const shared = sharedServer(
    `${BASE_CONFIG}AllowStoreRestart on\n<Directory ~/hidden>\nHiddenStores on\n</Directory>\n`,
  );

  /** A disk of 4 MiB as folder of the user; null where this machine gives none. */
  function smallDisk(t: TestContext, name: string): string | null {
    const folder = join(shared.server.homeOf('alice'), name);
    mkdirSync(folder);
    const mounted =
      isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder]).status === 0;
    if (!mounted) {
      t.skip('a small tmpfs cannot be mounted here');
      return null;
    }
    // Everything else in the test's folder is removed after this.
    t.after(() => execFileSync('umount', ['-l', folder]));
    const { uid, gid } = statSync(shared.server.homeOf('alice'));
    chownSync(folder, uid, gid);
    return folder;
  }

  for (const [folder, how] of [
    ['plain', 'replacing a file'],
    ['hidden', 'replacing a file with HiddenStores'],
  ] as const) {
    test(`an upload that does not fit, ${how}: 452, the old file stays, no temporary remains`, async (t) => {
      const disk = smallDisk(t, folder);
      if (disk === null) return;
      put(shared.server, `${folder}/file`, OLD);
      const client = await clientOf(t, shared.server);
      const { final } = await client.upload(`STOR ${folder}/file`, TOO_LARGE);
      assert.equal(final.code, 452, final.text);
      assert.match(final.text, /No space left on device/);
      assert.deepEqual(readFileSync(join(disk, 'file')), OLD);
      assert.deepEqual(readdirSync(disk), ['file']);
      const { final: next } = await client.upload(`STOR ${folder}/file`, 'fits');
      assert.equal(next.code, 226);
      assert.equal(readFileSync(join(disk, 'file'), 'utf8'), 'fits');
    });
  }

  test('an append that does not fit keeps what was there, and says 452', async (t) => {
    const disk = smallDisk(t, 'append');
    if (disk === null) return;
    put(shared.server, 'append/file', OLD);
    const client = await clientOf(t, shared.server);
    const { final } = await client.upload('APPE append/file', TOO_LARGE);
    assert.equal(final.code, 452, final.text);
    assert.deepEqual(readFileSync(join(disk, 'file')).subarray(0, OLD.length), OLD);
  });

  test('on a disk without a free byte, folders and empty files fail or succeed but never break the session', async (t) => {
    const disk = smallDisk(t, 'stuffed');
    if (disk === null) return;
    const client = await clientOf(t, shared.server);
    assert.equal((await client.upload('STOR stuffed/filler', TOO_LARGE)).final.code, 452);
    put(shared.server, 'stuffed/filler', Buffer.alloc(DISK_BYTES - 4096));
    put(shared.server, 'stuffed/last', Buffer.alloc(4096));
    const { final } = await client.upload('STOR stuffed/small', 'x');
    assert.equal(final.code, 452, final.text);
    assert.deepEqual(readdirSync(disk).sort(), ['filler', 'last']);
    assert.equal((await client.command('NOOP')).code, 200);
  });
});

describe('limits and permissions during an upload', LIMIT, () => {
  const shared = sharedServer(
    `${BASE_CONFIG}MaxStoreFileSize 1 Mb user alice\nAllowStoreRestart on\nDeleteAbortedStores on\n`,
  );

  test('MaxStoreFileSize: 552, the old file stays; one byte less is fine', async (t) => {
    const old = put(shared.server, 'limited', OLD);
    const client = await clientOf(t, shared.server);
    const { final } = await client.upload('STOR limited', Buffer.alloc(MIB + 1));
    assert.equal(final.code, 552, final.text);
    assert.deepEqual(readFileSync(old), OLD);
    assert.deepEqual(
      readdirSync(shared.server.homeOf('alice')).filter((name) => name !== 'limited'),
      [],
    );
    await client.command('TYPE I');
    assert.equal((await client.upload('STOR limited', Buffer.alloc(MIB))).final.code, 226);
    assert.equal(statSync(old).size, MIB);
  });

  test('MaxStoreFileSize counts what APPE finds there', async (t) => {
    const file = put(shared.server, 'growing', Buffer.alloc(MIB - 10));
    const client = await clientOf(t, shared.server);
    await client.command('TYPE I');
    const { final } = await client.upload('APPE growing', Buffer.alloc(20));
    assert.equal(final.code, 552, final.text);
    assert.ok(statSync(file).size <= MIB);
  });

  test(
    'a folder that becomes read-only during the upload: no success is claimed, the old file stays',
    { skip: !isRoot },
    async (t) => {
      const { server } = shared;
      const folder = join(server.homeOf('alice'), 'closing');
      const { uid, gid } = statSync(server.homeOf('alice'));
      mkdirSync(folder);
      chownSync(folder, uid, gid);
      const old = put(server, 'closing/file', OLD);
      const client = await clientOf(t, server);
      const data = await client.prepareData('epsv');
      client.send('STOR closing/file');
      const socket = await data.connect();
      assert.equal((await client.readReply()).code, 150);
      socket.write('new content');
      await eventually(() => readdirSync(folder).length === 2, 'the temporary appears');
      chmodSync(folder, 0o555);
      socket.end();
      const final = await client.readReply();
      assert.ok(final.code >= 400, `${final.code} ${final.text}`);
      assert.deepEqual(readFileSync(old), OLD);
      assert.equal((await client.command('NOOP')).code, 200);
    },
  );
});
