/** Versions 3 to 6 over real connections: renames, links, attributes alone, pipelines, and links that flip. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { MessageType, type SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import { dataOf, handleOf, statusOf } from '../support/sftp-client.ts';
import { startSftpScenarios, type SftpScenarioServer } from '../support/sftp-scenario-server.ts';

const FLIPPER = fileURLToPath(new URL('../support/flip-links.ts', import.meta.url));
const SECRET = 'SECRET-OF-THE-SERVER-ITSELF';
const READS = 1_000;
const BLOCK = 4_096;

describe('SFTP versions 3 to 6 over real connections', { timeout: 90_000 }, () => {
  let server: SftpScenarioServer;
  before(async () => {
    server = await startSftpScenarios({ plain: '' });
  });
  after(() => server.close());

  for (const version of [3, 4, 5, 6] as readonly SftpVersion[]) {
    const name = (text: string): string => `/${text}-${version}`;
    const at = (text: string): string => join(server.home(), `${text}-${version}`);

    test(`v${version}: RENAME onto a file, by each flag, and posix-rename`, async () => {
      const sftp = await server.sftp('plain', version);
      const rename = async (flags: number): Promise<number> => {
        server.give(`from-${version}`, 'from');
        server.give(`to-${version}`, 'to');
        const reply = await sftp.ask(MessageType.RENAME, (writer) => {
          writer.string(name('from')).string(name('to'));
          if (version >= 5) writer.u32(flags);
        });
        assert.equal(readFileSync(at('to'), 'utf8'), statusOf(reply) === 0 ? 'from' : 'to');
        assert.equal(existsSync(at('from')), statusOf(reply) !== 0);
        return statusOf(reply);
      };
      assert.equal(await rename(0), version === 3 ? 4 : 11);
      if (version >= 5)
        for (const flags of [1, 2, 4, 7]) assert.equal(await rename(flags), 0, `flags ${flags}`);
      server.give(`from-${version}`, 'from');
      const posix = await sftp.extended('posix-rename@openssh.com', (writer) =>
        writer.string(name('from')).string(name('to')),
      );
      assert.equal(statusOf(posix), 0);
      assert.equal(readFileSync(at('to'), 'utf8'), 'from');
    });

    test(`v${version}: symbolic links in the order of the version, hard links, statvfs`, async () => {
      server.give(`target-${version}`, 'content');
      const sftp = await server.sftp('plain', version);
      const target = `target-${version}`;
      const made =
        version < 6
          ? await sftp.path(MessageType.SYMLINK, target, name('soft'))
          : await sftp.ask(MessageType.LINK, (writer) =>
              writer.string(name('soft')).string(target).bool(true),
            );
      assert.equal(statusOf(made), 0);
      assert.equal(readlinkSync(at('soft')), target);
      const shown = await sftp.path(MessageType.READLINK, name('soft'));
      assert.equal(shown.type, MessageType.NAME);
      assert.equal(new ByteReader(shown.body, 4).string().toString(), target);
      const hard = await sftp.extended('hardlink@openssh.com', (writer) =>
        writer.string(`/${target}`).string(name('hard')),
      );
      assert.equal(statusOf(hard), 0);
      assert.equal(statSync(at('hard')).ino, statSync(at('target')).ino);
      const space = await sftp.extended('statvfs@openssh.com', (writer) => writer.string('/'));
      assert.equal(space.type, 201);
      assert.equal(space.body.length, 11 * 8);
      assert.equal(space.body.readBigUInt64BE(10 * 8), 255n);
    });

    test(`v${version}: SETSTAT of each attribute alone changes that and nothing else`, async () => {
      const path = server.give(`attributes-${version}`, 'ten bytes.', 0o644);
      const sftp = await server.sftp('plain', version);
      const facts = (): Record<string, number> => {
        const { size, mode, uid, gid, mtimeMs, atimeMs } = statSync(path);
        return {
          size,
          mode: mode & 0o7777,
          uid,
          gid,
          mtime: Math.floor(mtimeMs),
          atime: Math.floor(atimeMs),
        };
      };
      const set = async (changes: Parameters<typeof sftp.setAttributes>[2]): Promise<string[]> => {
        const earlier = facts();
        assert.equal(statusOf(await sftp.setAttributes(MessageType.SETSTAT, name('attributes'), changes)), 0);
        const later = facts();
        // A time that is kept goes through a double: microseconds.
        return Object.keys(later).filter((key) => Math.abs(later[key]! - earlier[key]!) >= 0.01);
      };
      const seconds = (value: number): { seconds: number; nanoseconds: number } => ({
        seconds: value,
        nanoseconds: 0,
      });
      assert.deepEqual(await set({ permissions: 0o600 }), ['mode']);
      // Version 3 has both times under one flag.
      if (version >= 4) {
        assert.deepEqual(await set({ modifyTime: seconds(-86_400) }), ['mtime']);
        assert.deepEqual(await set({ accessTime: seconds(1_000) }), ['atime']);
        assert.equal(statSync(path).mtimeMs, -86_400_000);
      } else {
        assert.deepEqual(await set({ accessTime: seconds(1_000), modifyTime: seconds(2_000) }), [
          'mtime',
          'atime',
        ]);
      }
      const { uid, gid } = statSync(path);
      const owner = version === 3 ? { uid, gid } : { owner: String(uid), group: String(gid) };
      assert.deepEqual(await set(owner), []);
      assert.ok((await set({ size: 4 })).includes('size'));
      assert.deepEqual([readFileSync(path, 'utf8'), statSync(path).mode & 0o777], ['ten ', 0o600]);
    });

    test(`v${version}: ${READS} READs sent at once against a closed window are all answered, then the CLOSE`, async () => {
      const bytes = Buffer.alloc(READS * BLOCK);
      for (let index = 0; index < READS; index += 1) bytes.writeUInt32BE(index, index * BLOCK);
      server.give(`pipelined-${version}`, bytes);
      const window = 64 * 1024;
      const sftp = await server.sftp('plain', version, { window, keepsWindow: true });
      const handle = await sftp.open(name('pipelined'), { read: true });
      const before = sftp.replies.length;
      for (let index = 0; index < READS; index += 1)
        sftp.send(MessageType.READ, (writer) =>
          writer
            .string(handle)
            .u64(index * BLOCK)
            .u32(BLOCK),
        );
      sftp.send(MessageType.CLOSE, (writer) => writer.string(handle));
      for (let index = 0; index < READS; index += 1) {
        // The window opens as slowly as the answers come.
        sftp.channel.widen(BLOCK + 64);
        const reply = await sftp.reply();
        assert.equal(dataOf(reply).readUInt32BE(0), index);
      }
      assert.equal(statusOf(await sftp.reply()), 0);
      assert.equal(sftp.replies.length - before, READS + 1);
    });
  }

  test('links that flip between inside and outside never show or take a byte of what is outside', async (t) => {
    const outside = join(server.directory, 'outside');
    mkdirSync(outside, { mode: 0o777 });
    writeFileSync(join(outside, 'file'), SECRET, { mode: 0o644 });
    server.give('room', null);
    server.give('room/file', 'what the user may see');
    const door = join(server.home(), 'door');
    symlinkSync('room', door);
    const arguments_ = ['--disable-warning=ExperimentalWarning', FLIPPER, door, 'room', outside];
    const flipper = spawn(process.execPath, arguments_, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => flipper.kill('SIGKILL'));
    await once(flipper.stdout, 'data');
    const sftp = await server.sftp('plain', 3);
    let through = 0;
    for (let round = 0; round < 400; round += 1) {
      const opened = await sftp.tryOpen('/door/file', { read: true });
      if (opened.type === MessageType.HANDLE) {
        const handle = handleOf(opened);
        assert.equal((await sftp.readAll(handle)).toString(), 'what the user may see');
        await sftp.close(handle);
        through += 1;
      }
      const created = await sftp.tryOpen(`/door/new-${round}`, { write: true, create: true, truncate: true });
      if (created.type === MessageType.HANDLE) await sftp.close(handleOf(created));
      await sftp.path(MessageType.REMOVE, '/door/file-that-is-not-there');
      await sftp.setAttributes(MessageType.SETSTAT, '/door/file', { permissions: 0o666 });
    }
    const exited = once(flipper, 'exit');
    flipper.kill('SIGKILL');
    await exited;
    assert.ok(through > 0, 'some attempts found the room');
    assert.deepEqual(readdirSync(outside), ['file']);
    assert.equal(readFileSync(join(outside, 'file'), 'utf8'), SECRET);
    assert.equal(lstatSync(join(outside, 'file')).mode & 0o777, 0o644);
  });
});
