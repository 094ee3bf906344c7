/** Scenarios 54 to 60: SFTPExtensions, what `<Limit>` means to SFTP requests, modes that uploads bring along. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { MessageType } from '../../workers/sftp/wire/message-types.ts';
import { needsProgram } from '../support/programs.ts';
import { handleOf, statusOf, statusTextOf, type Reply } from '../support/sftp-client.ts';
import type { RemoteSftp } from '../support/sftp-login.ts';
import { startSftpScenarios, type SftpScenarioServer } from '../support/sftp-scenario-server.ts';
import { messageOf } from '../unit/directives/judge-line.ts';

const OK = 0;
const NO_SUCH_FILE = 2;
const DENIED = 3;
const FAILURE = 4;
const UNSUPPORTED = 8;

/** In `<Directory ~/NAME>`, for the FTP server and all SFTP hosts alike. */
const MAPPED = ['DELE', 'MKD', 'MLSD', 'LIST', 'RETR', 'RNFR', 'RMD', 'STOR'];
const SFTP_ONLY = ['STAT', 'LSTAT', 'FSTAT', 'READLINK', 'SETSTAT', 'SYMLINK', 'LOCK'];
const denied = (name: string): string =>
  `<Directory @DIR@/homes/alice/${name}>\n<Limit ${name}>\nDenyAll\n</Limit>\n</Directory>\n`;
const CHMOD_TRAP = `
<Directory @DIR@/homes/alice/trap>
  <Limit WRITE>
    AllowAll
  </Limit>
  <Limit SITE_CHMOD>
    DenyAll
  </Limit>
</Directory>`;
const MAIN = `<Global>\nAllowStoreRestart on\n${[...MAPPED, ...SFTP_ONLY].map(denied).join('')}${CHMOD_TRAP}\n</Global>`;

const group = (name: string): string => `<Limit ${name}>\nDenyAll\n</Limit>`;

const HOSTS = {
  plain: '',
  vendor: 'SFTPExtensions +vendorID',
  picked: 'SFTPExtensions +copyFile -versionSelect',
  noWrite: group('WRITE'),
  noRead: group('READ'),
  uploadPerms: 'SFTPOptions IgnoreSFTPUploadPerms',
  setPerms: 'SFTPOptions IgnoreSFTPUploadPerms IgnoreSFTPSetPerms',
  scpPerms: 'SFTPOptions IgnoreSCPUploadPerms',
};

const ALWAYS = [
  'check-file',
  'copy-data',
  'copy-file',
  'expand-path@openssh.com',
  'fstatvfs@openssh.com',
  'fsync@openssh.com',
  'hardlink@openssh.com',
  'home-directory',
  'limits@openssh.com',
  'lsetstat@openssh.com',
  'posix-rename@openssh.com',
  'space-available',
  'statvfs@openssh.com',
  'users-groups-by-id@openssh.com',
  'versions',
];

/** Names VERSION announces. */
function announced({ body }: Reply): string[] {
  const reader = new ByteReader(body);
  const names: string[] = [];
  while (reader.remaining > 0) {
    names.push(reader.string().toString());
    reader.string();
  }
  return names.sort();
}

interface Operation {
  readonly name: string;
  readonly run: (this: void, sftp: RemoteSftp, folder: string) => Promise<number>;
}

/** Closes what was opened; its status when it was not. */
async function opened(sftp: RemoteSftp, reply: Reply): Promise<number> {
  if (reply.type === MessageType.STATUS) return statusOf(reply);
  await sftp.close(handleOf(reply));
  return OK;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'REMOVE',
    run: async (sftp, folder) => statusOf(await sftp.path(MessageType.REMOVE, `${folder}/gone`)),
  },
  {
    name: 'MKDIR',
    run: async (sftp, folder) => statusOf(await sftp.setAttributes(MessageType.MKDIR, `${folder}/made`, {})),
  },
  {
    name: 'OPENDIR',
    run: async (sftp, folder) => opened(sftp, await sftp.path(MessageType.OPENDIR, folder)),
  },
  {
    // Denied: it opens and is empty.
    name: 'READDIR',
    async run(sftp, folder) {
      const directory = await sftp.path(MessageType.OPENDIR, folder);
      if (directory.type === MessageType.STATUS) return OK;
      const reply = await sftp.path(MessageType.READDIR, handleOf(directory));
      await sftp.close(handleOf(directory));
      return reply.type === MessageType.NAME ? OK : DENIED;
    },
  },
  {
    name: 'READ',
    run: async (sftp, folder) => opened(sftp, await sftp.tryOpen(`${folder}/file`, { read: true })),
  },
  {
    name: 'RENAME',
    run: async (sftp, folder) =>
      statusOf(
        await sftp.ask(MessageType.RENAME, (writer) =>
          writer.string(`${folder}/from`).string(`${folder}/to`).u32(0),
        ),
      ),
  },
  {
    name: 'RMDIR',
    run: async (sftp, folder) => statusOf(await sftp.path(MessageType.RMDIR, `${folder}/empty`)),
  },
  {
    name: 'WRITE',
    run: async (sftp, folder) =>
      opened(sftp, await sftp.tryOpen(`${folder}/new`, { write: true, create: true, truncate: true })),
  },
];

const SFTP_OPERATIONS: readonly Operation[] = [
  ...(['STAT', 'LSTAT'] as const).map((name) => ({
    name,
    run: async (sftp: RemoteSftp, folder: string): Promise<number> => {
      const reply = await sftp.ask(MessageType[name], (writer) =>
        writer.string(`${folder}/file`).u32(0xfffd),
      );
      return reply.type === MessageType.ATTRS ? OK : statusOf(reply);
    },
  })),
  {
    name: 'FSTAT',
    async run(sftp, folder) {
      const handle = await sftp.open(`${folder}/file`, { read: true });
      const reply = await sftp.ask(MessageType.FSTAT, (writer) => writer.string(handle).u32(0xfffd));
      await sftp.close(handle);
      return reply.type === MessageType.ATTRS ? OK : statusOf(reply);
    },
  },
  {
    name: 'READLINK',
    async run(sftp, folder) {
      const reply = await sftp.path(MessageType.READLINK, `${folder}/link`);
      return reply.type === MessageType.NAME ? OK : statusOf(reply);
    },
  },
  {
    name: 'SETSTAT',
    run: async (sftp, folder) =>
      statusOf(await sftp.setAttributes(MessageType.SETSTAT, `${folder}/file`, { permissions: 0o640 })),
  },
  {
    name: 'FSETSTAT',
    async run(sftp, folder) {
      const handle = await sftp.open(`${folder}/file`, { write: true });
      const reply = await sftp.setAttributes(MessageType.FSETSTAT, handle, { permissions: 0o640 });
      await sftp.close(handle);
      return statusOf(reply);
    },
  },
  {
    name: 'SYMLINK',
    run: async (sftp, folder) =>
      statusOf(
        await sftp.ask(MessageType.LINK, (writer) =>
          writer.string(`${folder}/soft`).string('file').bool(true),
        ),
      ),
  },
  {
    name: 'LINK',
    run: async (sftp, folder) =>
      statusOf(
        await sftp.ask(MessageType.LINK, (writer) =>
          writer.string(`${folder}/hard`).string(`${folder}/file`).bool(false),
        ),
      ),
  },
  // This server has no locks: what is not denied is unsupported.
  ...(['BLOCK', 'UNBLOCK'] as const).map((name) => ({
    name,
    run: async (sftp: RemoteSftp, folder: string): Promise<number> => {
      const handle = await sftp.open(`${folder}/file`, { write: true });
      const reply = await sftp.ask(MessageType[name], (writer) => {
        writer.string(handle).u64(0).u64(0);
        if (name === 'BLOCK') writer.u32(0x80);
      });
      await sftp.close(handle);
      return statusOf(reply) === UNSUPPORTED ? OK : statusOf(reply);
    },
  })),
];

/** What each `<Limit>` of scenario 56 and 57 stops. */
const STOPS: Readonly<Record<string, readonly string[]>> = {
  DELE: ['REMOVE'],
  MKD: ['MKDIR'],
  MLSD: ['OPENDIR'],
  LIST: ['READDIR'],
  RETR: ['READ'],
  RNFR: ['RENAME'],
  RMD: ['RMDIR'],
  STOR: ['WRITE'],
  STAT: ['STAT'],
  LSTAT: ['LSTAT'],
  FSTAT: ['FSTAT'],
  READLINK: ['READLINK'],
  SETSTAT: ['SETSTAT', 'FSETSTAT'],
  SYMLINK: ['SYMLINK', 'LINK'],
  LOCK: ['BLOCK', 'UNBLOCK'],
};

describe('SFTPExtensions, <Limit> and modes of uploads', { timeout: 60_000 }, () => {
  let server: SftpScenarioServer;
  let local = '';

  before(async () => {
    server = await startSftpScenarios(HOSTS, { main: MAIN });
    local = join(server.directory, 'local');
    writeFileSync(local, 'from the client');
    chmodSync(local, 0o777);
    for (const name of [...MAPPED, ...SFTP_ONLY]) fill(name);
    server.give('trap', null);
  });
  after(() => server.close());

  function fill(name: string): void {
    server.give(name, null);
    server.give(`${name}/empty`, null);
    for (const file of ['file', 'gone', 'from']) server.give(`${name}/${file}`, 'content');
    symlinkSync('file', join(server.home(), name, 'link'));
  }

  test('scenario 54: VERSION lists every extension but vendor-id and xattr; +vendorID adds it', async () => {
    const plain = await server.sftp('plain', 3);
    assert.deepEqual(announced(plain.replies[0]!), ALWAYS);
    const vendor = await server.sftp('vendor', 3);
    assert.deepEqual(announced(vendor.replies[0]!), [...ALWAYS, 'vendor-id'].sort());
  });

  test('scenario 55: +copyFile copies, -versionSelect refuses; unsigned and unknown names stop the start', async () => {
    server.give('source', 'to be copied');
    const sftp = await server.sftp('picked', 3);
    const names = announced(sftp.replies[0]!);
    assert.ok(names.includes('copy-file'));
    assert.ok(!names.includes('versions'));
    const copied = await sftp.extended('copy-file', (writer) =>
      writer.string('/source').string('/copied').bool(false),
    );
    assert.equal(statusOf(copied), OK, statusTextOf(copied));
    assert.equal(readFileSync(join(server.home(), 'copied'), 'utf8'), 'to be copied');
    const again = await sftp.extended('copy-file', (writer) =>
      writer.string('/source').string('/copied').bool(false),
    );
    assert.equal(statusOf(again), FAILURE);
    const selecting = await server.sftp('picked', 3);
    const selected = await selecting.extended('version-select', (writer) => writer.string('6'));
    assert.notEqual(statusOf(selected), OK);
    assert.match(messageOf('SFTPExtensions copyFile') ?? '', /bad option: 'copyFile'/);
    assert.match(messageOf('SFTPExtensions +foo') ?? '', /unknown extension: 'foo'/);
  });

  for (const [limits, operations, number, title] of [
    [MAPPED, OPERATIONS, 56, 'each FTP name in <Limit> stops its SFTP request and no other'],
    [SFTP_ONLY, SFTP_OPERATIONS, 57, 'each SFTP name in <Limit> stops its requests and no other'],
  ] as const) {
    test(`scenario ${number}: ${title}`, async () => {
      const sftp = await server.sftp('plain', 6);
      for (const limit of limits) {
        const outcomes: Record<string, number> = {};
        const expected: Record<string, number> = {};
        for (const { name, run } of operations) {
          outcomes[name] = await run(sftp, `/${limit}`);
          expected[name] = STOPS[limit]!.includes(name) ? DENIED : OK;
        }
        assert.deepEqual(outcomes, expected, `<Limit ${limit}>`);
      }
      const home = server.home();
      if (number === 56) {
        assert.ok(existsSync(join(home, 'DELE/gone')) && !existsSync(join(home, 'MKD/gone')));
        assert.ok(!existsSync(join(home, 'MKD/made')) && existsSync(join(home, 'DELE/made')));
        assert.ok(existsSync(join(home, 'RNFR/from')) && existsSync(join(home, 'RMD/to')));
        assert.ok(existsSync(join(home, 'RMD/empty')) && !existsSync(join(home, 'STOR/new')));
      } else {
        assert.equal(statSync(join(home, 'SETSTAT/file')).mode & 0o777, 0o644);
        assert.equal(statSync(join(home, 'STAT/file')).mode & 0o777, 0o640);
        assert.ok(!existsSync(join(home, 'SYMLINK/soft')) && !existsSync(join(home, 'SYMLINK/hard')));
        assert.equal(statSync(join(home, 'LOCK/hard')).nlink, 2);
      }
    });
  }

  test('scenario 57: FTP sessions do not notice the names only SFTP has', async () => {
    const client = await server.seed.connect('main');
    await client.login('alice', 'secret');
    await client.command('TYPE I');
    for (const limit of SFTP_ONLY) {
      const commands = [`SIZE /${limit}/file`, `MDTM /${limit}/file`, `CWD /${limit}`];
      // The one name both protocols have.
      if (limit !== 'STAT') commands.push(`STAT /${limit}`);
      for (const command of commands) {
        const reply = await client.command(command);
        assert.ok(reply.code < 300, `${command}: ${reply.code} ${reply.text}`);
      }
      const { final } = await client.upload(`STOR /${limit}/by-ftp`, Buffer.from('x'));
      assert.equal(final?.code, 226);
    }
  });

  test('scenario 57: a refusal by <Limit> is told in the SFTPLog', async () => {
    const log = server.sftpLog('plain');
    const sftp = await server.sftp('plain', 3);
    await sftp.path(MessageType.REMOVE, '/DELE/gone');
    await sftp.path(MessageType.STAT, '/STAT/file');
    await sftp.path(MessageType.RENAME, '/RNFR/from', '/RNFR/to');
    await log.inOrder(
      /: REMOVE of '\/DELE\/gone' blocked by <Limit> configuration$/,
      /: STAT of '\/STAT\/file' blocked by <Limit> configuration$/,
      /: RENAME of '\/RNFR\/from' to '\/RNFR\/to' blocked by <Limit> configuration$/,
    );
  });

  test('scenario 58: WRITE denied stops every change and no download; READ denied the reverse', async () => {
    server.give('groups', null);
    server.give('groups/empty', null);
    for (const file of ['file', 'gone', 'from']) server.give(`groups/${file}`, 'content');
    symlinkSync('file', join(server.home(), 'groups/link'));
    const outcomes = async (host: string): Promise<Record<string, number>> => {
      const sftp = await server.sftp(host, 6);
      const found: Record<string, number> = {};
      for (const { name, run } of [...OPERATIONS, ...SFTP_OPERATIONS]) {
        if (['FSETSTAT', 'BLOCK', 'UNBLOCK'].includes(name)) continue;
        found[name] = name === 'FSTAT' && host === 'noRead' ? OK : await run(sftp, '/groups');
      }
      return found;
    };
    const stopped = (found: Record<string, number>): string[] =>
      Object.keys(found).filter((name) => found[name] === DENIED);
    assert.deepEqual(stopped(await outcomes('noWrite')), [
      ...['REMOVE', 'MKDIR', 'RENAME', 'RMDIR', 'WRITE'],
      ...['SETSTAT', 'SYMLINK', 'LINK'],
    ]);
    // A hard link would give what may not be read a name under which it may.
    assert.deepEqual(stopped(await outcomes('noRead')), ['READ', 'LINK']);
    assert.equal(readFileSync(join(server.home(), 'groups/new'), 'utf8'), '');
  });

  test('scenario 59: <Limit SITE_CHMOD> stops an upload by SFTP and says why; by FTP it goes through', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const log = server.sftpLog('plain');
    const refused = await server.openSftp('plain', `put ${local} trap/refused\n`);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /Permission denied/);
    assert.ok(!existsSync(join(server.home(), 'trap/refused')));
    await log.line(
      /: chmod of '\/trap\/refused' blocked by <Limit> configuration \(see the IgnoreSFTPSetPerms\/IgnoreSFTPUploadPerms SFTPOptions\)$/,
    );
    const ftp = await server.seed.connect('main');
    await ftp.login('alice', 'secret');
    assert.equal((await ftp.upload('STOR /trap/by-ftp', Buffer.from('x'))).final?.code, 226);
  });

  test('scenario 59: IgnoreSFTPUploadPerms lets it in with the mode of the umask; put -p wants IgnoreSFTPSetPerms', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const plain = await server.openSftp('uploadPerms', `put ${local} trap/kept\n`);
    assert.equal(plain.code, 0, plain.stderr);
    assert.equal(statSync(join(server.home(), 'trap/kept')).mode & 0o777, 0o644);
    const preserving = await server.openSftp('uploadPerms', `put -p ${local} trap/partly\n`);
    assert.match(preserving.stderr, /setstat/i);
    const ignoring = await server.openSftp('setPerms', `put -p ${local} trap/whole\n`);
    assert.equal(ignoring.code, 0, ignoring.stderr);
    assert.doesNotMatch(ignoring.stderr, /setstat/i);
    assert.equal(statSync(join(server.home(), 'trap/whole')).mode & 0o777, 0o644);
    assert.equal(readFileSync(join(server.home(), 'trap/whole'), 'utf8'), 'from the client');
  });

  test('scenario 60: scp -p sets 0777, under IgnoreSCPUploadPerms the umask holds without an error', async (t) => {
    if (!needsProgram(t, 'scp')) return;
    const plain = await server.openScp('plain', ['-O', '-p', local, '@open']);
    assert.deepEqual([plain.code, plain.stderr], [0, '']);
    assert.equal(statSync(join(server.home(), 'open')).mode & 0o777, 0o777);
    const ignoring = await server.openScp('scpPerms', ['-O', '-p', local, '@masked']);
    assert.deepEqual([ignoring.code, ignoring.stderr], [0, '']);
    assert.equal(statSync(join(server.home(), 'masked')).mode & 0o777, 0o644);
  });

  test('a request without the right path still says NO_SUCH_FILE, not that it is denied', async () => {
    const sftp = await server.sftp('plain', 3);
    assert.equal(statusOf(await sftp.path(MessageType.REMOVE, '/nowhere/file')), NO_SUCH_FILE);
  });
});
