/** The permission table through SFTP, in all versions. */
import { test } from 'node:test';
import { MessageType, type SftpVersion } from '../../workers/sftp/wire/message-types.ts';
import {
  AccessDenied,
  accessRules,
  runAccessTable,
  type AccessDriver,
  type AccessNames,
} from '../support/access-table.ts';
import { fakeSshSession } from '../support/fake-ssh-channel.ts';
import {
  SftpClient,
  handleOf,
  statusOf,
  statusTextOf,
  type OpenFlags,
  type Reply,
} from '../support/sftp-client.ts';
import { openVfsFixture } from '../support/vfs-fixture.ts';

/** `<Limit>` names of requests, where they are others than those of the FTP command (sftp-directives, section 3). */
const NAMES: AccessNames = {
  SIZE: ['STAT'],
  LIST: ['MLSD', 'LIST', 'NLST'],
  RNTO: ['RNFR', 'RNTO'],
  SITE_CHMOD: ['SETSTAT', 'SITE_CHMOD'],
  MFMT: ['SETSTAT'],
};
const DENIED = 3;

function checked(reply: Reply): Reply {
  const status = statusOf(reply);
  if (status === DENIED) throw new AccessDenied();
  if (status > 0) throw new Error(`status ${status} ${statusTextOf(reply)}`);
  return reply;
}

function sftpDriver(client: SftpClient): AccessDriver {
  const write = async (path: string, content: string, flags: OpenFlags): Promise<void> => {
    const handle = handleOf(checked(await client.tryOpen(path, { write: true, ...flags })));
    checked(await client.write(handle, 0, Buffer.from(content)));
    checked(await client.close(handle));
  };
  const path = async (type: number, ...paths: string[]): Promise<void> =>
    void checked(await client.path(type, ...paths));
  const set = async (
    type: number,
    at: string,
    changes: Parameters<SftpClient['setAttributes']>[2],
  ): Promise<void> => void checked(await client.setAttributes(type, at, changes));
  return {
    async download(at) {
      const handle = handleOf(checked(await client.tryOpen(at, { read: true })));
      checked(await client.read(handle, 0, 100));
      await client.close(handle);
    },
    upload: (at, content) => write(at, content, { create: true, truncate: true }),
    append: (at, content) => write(at, content, { append: true }),
    async list(at) {
      const handle = handleOf(checked(await client.path(MessageType.OPENDIR, at)));
      const reply = await client.path(MessageType.READDIR, handle);
      await client.close(handle);
      // Denied, a directory is empty.
      if (statusOf(reply) === 1) throw new AccessDenied();
      checked(reply);
    },
    async size(at) {
      checked(
        await client.ask(MessageType.STAT, (writer) => {
          writer.string(at);
          if (client.version >= 4) writer.u32(1);
        }),
      );
    },
    makeDirectory: (at) => set(MessageType.MKDIR, at, {}),
    removeDirectory: (at) => path(MessageType.RMDIR, at),
    removeFile: (at) => path(MessageType.REMOVE, at),
    async rename(from, to) {
      checked(
        await client.ask(MessageType.RENAME, (writer) => {
          writer.string(from).string(to);
          if (client.version >= 5) writer.u32(0);
        }),
      );
    },
    changeMode: (at, permissions) => set(MessageType.SETSTAT, at, { permissions }),
    setModifyTime(at, time) {
      const seconds = { seconds: time.getTime() / 1000, nanoseconds: 0 };
      return set(MessageType.SETSTAT, at, { accessTime: seconds, modifyTime: seconds });
    },
    async makeSymbolicLink(target, at) {
      if (client.version < 6) return path(MessageType.SYMLINK, target, at);
      checked(await client.ask(MessageType.LINK, (writer) => writer.string(at).string(target).bool(true)));
    },
  };
}

for (const version of [3, 4, 5, 6] as readonly SftpVersion[]) {
  test(
    `SFTP version ${version}: every rule, every operation, and the disk agrees`,
    { timeout: 30_000 },
    async (t) => {
      for (const rule of accessRules) {
        await t.test(rule.name, async () => {
          const settings = { allowOverwrite: true, allowStoreRestart: true, allowOverride: false };
          using files = openVfsFixture({
            settings,
            limits: rule.limits,
            directories: { zone: { limits: rule.zone } },
          });
          const client = await SftpClient.connect(fakeSshSession({ vfs: files.vfs, settings }), version);
          await runAccessTable(rule, files.root, sftpDriver(client), NAMES);
          client.disconnect();
        });
      }
    },
  );
}
