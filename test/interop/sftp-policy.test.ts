/** What the directives known from FTP do to SFTP sessions, on a running server. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MessageType } from '../../workers/sftp/wire/message-types.ts';
import { eventually } from '../support/shared-server.ts';
import { handleOf, statusOf, statusTextOf } from '../support/sftp-client.ts';
import type { RemoteSftp } from '../support/sftp-login.ts';
import { startSftpScenarios, type SftpScenarioServer } from '../support/sftp-scenario-server.ts';

const DENIED = 3;
const asRoot = process.getuid?.() === 0;

const HOSTS = {
  plain: 'TransferLog @DIR@/plain.xferlog\nAllowStoreRestart on',
  hidden: 'TransferLog @DIR@/hidden.xferlog\nHiddenStores on',
  aborted: 'TransferLog @DIR@/aborted.xferlog\nDeleteAbortedStores on',
  sized: 'MaxStoreFileSize 1000 B',
  slow: 'TransferRate RETR,STOR 200',
  counted: 'MaxTransfersPerUser RETR 1 "only %m at a time"',
  masked: 'Umask 077 027',
  faked: 'DirFakeUser on nobody\nDirFakeGroup on nogroup\nDirFakeMode 0440',
  hiding:
    '<Directory @DIR@/homes/alice>\nHideFiles "^\\\\.secret"\n<Limit ALL>\nIgnoreHidden on\n</Limit>\n</Directory>',
  override: 'AllowOverride on',
  filtered: 'PathDenyFilter "\\\\.exe$"',
  homes: 'CreateHome on 750\nAuthUserFile @DIR@/late-users',
  unjailed: 'DefaultRoot /',
};

describe('directives over SFTP', { timeout: 90_000 }, () => {
  let server: SftpScenarioServer;
  before(async () => {
    server = await startSftpScenarios(HOSTS, {
      beforeStart: async (directory) => {
        // A user whose home is still to be made.
        const [alice = ''] = readFileSync(join(directory, 'users'), 'utf8').split('\n');
        const fields = alice.split(':');
        fields[0] = 'late';
        fields[5] = join(directory, 'homes', 'late');
        writeFileSync(join(directory, 'late-users'), `${fields.join(':')}\n`, { mode: 0o600 });
      },
    });
  });
  after(() => server.close());

  const at = (...names: string[]): string => join(server.home(), ...names);

  async function put(sftp: RemoteSftp, path: string, content: string | Buffer): Promise<number> {
    const opened = await sftp.tryOpen(path, { write: true, create: true, truncate: true });
    if (opened.type === MessageType.STATUS) return statusOf(opened);
    const handle = handleOf(opened);
    const written = statusOf(await sftp.write(handle, 0, Buffer.from(content)));
    const closed = statusOf(await sftp.close(handle));
    return written === 0 ? closed : written;
  }

  async function get(sftp: RemoteSftp, path: string): Promise<string> {
    const handle = await sftp.open(path, { read: true });
    const content = await sftp.readAll(handle);
    await sftp.close(handle);
    return content.toString();
  }

  test('an upload cut off midway leaves the old file and an incomplete TransferLog line', async () => {
    for (const host of ['plain', 'hidden', 'aborted']) {
      const log = server.log(`${host}.xferlog`);
      server.give(`cut-${host}`, 'the old content');
      const sftp = await server.sftp(host);
      const handle = await sftp.open(`/cut-${host}`, { write: true, create: true, truncate: true });
      await sftp.write(handle, 0, Buffer.alloc(3_000));
      sftp.login.destroy();
      await log.line(new RegExp(` 3000 \\S+/cut-${host} b _ i r alice sftp 0 \\* i$`));
      assert.equal(readFileSync(at(`cut-${host}`), 'utf8'), 'the old content', host);
      await eventually(
        () => !readdirSync(at()).some((name) => name.startsWith('.in.')),
        'no hidden file is left',
      );
    }
  });

  test('a new file cut off midway stays without DeleteAbortedStores, and goes with it', async () => {
    for (const [host, stays] of [
      ['plain', true],
      ['aborted', false],
    ] as const) {
      const log = server.log(`${host}.xferlog`);
      const sftp = await server.sftp(host);
      const handle = await sftp.open(`/new-${host}`, { write: true, create: true });
      await sftp.write(handle, 0, Buffer.from('half'));
      sftp.login.destroy();
      await log.line(new RegExp(` 4 \\S+/new-${host} b _ i r alice sftp 0 \\* i$`));
      await eventually(
        () => existsSync(at(`new-${host}`)) === stays,
        `new-${host} ${stays ? 'stays' : 'goes'}`,
      );
    }
  });

  test('HiddenStores: the name appears at CLOSE, and never half a file', async () => {
    const sftp = await server.sftp('hidden');
    const handle = await sftp.open('/appears', { write: true, create: true });
    await sftp.write(handle, 0, Buffer.from('whole'));
    assert.ok(!existsSync(at('appears')));
    assert.ok(existsSync(at('.in.appears.')));
    assert.equal(statusOf(await sftp.close(handle)), 0);
    assert.equal(readFileSync(at('appears'), 'utf8'), 'whole');
    assert.ok(!existsSync(at('.in.appears.')));
  });

  test('MaxStoreFileSize: the WRITE beyond it fails, is logged, and leaves no file under the name', async () => {
    const log = server.sftpLog('sized');
    server.give('limited', 'old');
    const sftp = await server.sftp('sized');
    assert.equal(await put(sftp, '/limited', Buffer.alloc(1_001)), 4);
    await log.line(
      /: error writing 1001 bytes to '\S+\/limited': File too large \(MaxStoreFileSize 1000 exceeded\)$/,
    );
    assert.equal(readFileSync(at('limited'), 'utf8'), 'old');
    assert.equal(await put(sftp, '/limited', Buffer.alloc(1_000)), 0);
    const six = await server.sftp('sized', 6);
    assert.equal(await put(six, '/limited', Buffer.alloc(1_001)), 14);
  });

  test('TransferRate holds both directions', async () => {
    const bytes = Buffer.alloc(100_000, 'x');
    server.give('slow', bytes);
    const sftp = await server.sftp('slow');
    for (const act of [
      () => put(sftp, '/slow-up', bytes),
      async () => assert.equal((await get(sftp, '/slow')).length, bytes.length),
    ]) {
      const startedAt = performance.now();
      await act();
      const seconds = (performance.now() - startedAt) / 1000;
      assert.ok(seconds > 0.3 && seconds < 2, `100 kB at 200 KiB/s took ${seconds} s`);
    }
  });

  test('MaxTransfersPerUser counts sessions that transfer, and its text is told', async () => {
    server.give('counted', 'x');
    const [first, second] = [await server.sftp('counted'), await server.sftp('counted')];
    const held = await first.open('/counted', { read: true });
    const refused = await second.tryOpen('/counted', { read: true });
    assert.deepEqual([statusOf(refused), statusTextOf(refused)], [DENIED, 'only 1 at a time']);
    await first.close(held);
    assert.equal(await get(second, '/counted'), 'x');
  });

  test('Umask masks what uploads and MKDIR ask for', async () => {
    const sftp = await server.sftp('masked');
    const handle = await sftp.open('/masked', { write: true, create: true }, { permissions: 0o666 });
    await sftp.close(handle);
    await put(sftp, '/plain-masked', 'x');
    await sftp.setAttributes(MessageType.MKDIR, '/masked-folder', { permissions: 0o777 });
    await sftp.setAttributes(MessageType.MKDIR, '/default-folder', {});
    const modes = ['masked', 'plain-masked', 'masked-folder', 'default-folder'].map(
      (name) => statSync(at(name)).mode & 0o777,
    );
    assert.deepEqual(modes, [0o600, 0o600, 0o750, 0o750]);
  });

  test('DirFakeUser, DirFakeGroup and DirFakeMode show in long names', async () => {
    server.give('faked', 'x', 0o644);
    const sftp = await server.sftp('faked');
    const entry = (await sftp.list('/')).find(({ name }) => name === 'faked');
    assert.match(entry?.longName ?? '', /^-r--r----- +1 nobody +nogroup +1 /);
    const six = await server.sftp('faked', 6);
    const { owner, group } = await six.attributes(MessageType.STAT, '/faked');
    assert.deepEqual([owner, group], ['nobody', 'nogroup']);
  });

  test('HideFiles takes names out of listings, and IgnoreHidden out of reach', async () => {
    server.give('.secret-file', 'x');
    server.give('open-file', 'x');
    const sftp = await server.sftp('hiding');
    const names = (await sftp.list('/')).map(({ name }) => name);
    assert.ok(names.includes('open-file') && !names.includes('.secret-file'));
    for (const type of [MessageType.STAT, MessageType.LSTAT, MessageType.REMOVE])
      assert.equal(statusOf(await sftp.path(type, '/.secret-file')), 2);
    assert.equal(statusOf(await sftp.tryOpen('/.secret-file', { read: true })), 2);
    assert.ok(existsSync(at('.secret-file')));
  });

  test('.ftpaccess counts from the request after it was written', async () => {
    server.give('guarded', null);
    server.give('guarded/file', 'x');
    const sftp = await server.sftp('override');
    assert.equal(await get(sftp, '/guarded/file'), 'x');
    server.give('guarded/.ftpaccess', '<Limit DELE STOR>\nDenyAll\n</Limit>\n');
    assert.equal(statusOf(await sftp.path(MessageType.REMOVE, '/guarded/file')), DENIED);
    assert.equal(await put(sftp, '/guarded/new', 'x'), DENIED);
    assert.equal(await get(sftp, '/guarded/file'), 'x');
  });

  test('PathDenyFilter stops uploads, folders, renames and links of such a name', async () => {
    server.give('filtered', 'x');
    const sftp = await server.sftp('filtered');
    assert.equal(await put(sftp, '/virus.exe', 'x'), DENIED);
    assert.equal(statusOf(await sftp.setAttributes(MessageType.MKDIR, '/folder.exe', {})), DENIED);
    assert.equal(statusOf(await sftp.path(MessageType.RENAME, '/filtered', '/renamed.exe')), DENIED);
    assert.equal(statusOf(await sftp.path(MessageType.SYMLINK, 'filtered', '/link.exe')), DENIED);
    const copied = await sftp.extended('copy-file', (writer) =>
      writer.string('/filtered').string('/c.exe').bool(true),
    );
    assert.equal(statusOf(copied), DENIED);
    const posix = await sftp.extended('posix-rename@openssh.com', (writer) =>
      writer.string('/filtered').string('/p.exe'),
    );
    assert.equal(statusOf(posix), DENIED);
    assert.equal(await put(sftp, '/virus.txt', 'x'), 0);
    assert.ok(!readdirSync(at()).some((name) => name.endsWith('.exe')));
  });

  test('CreateHome makes the home of a first login by SFTP', { skip: !asRoot }, async () => {
    const sftp = await server.sftp('homes', 3, { user: 'late' });
    assert.equal(await put(sftp, '/first', 'x'), 0);
    const home = join(server.directory, 'homes', 'late');
    assert.equal(statSync(home).mode & 0o777, 0o750);
    assert.equal(readFileSync(join(home, 'first'), 'utf8'), 'x');
  });

  test('DefaultRoot /: the session begins at home and sees the whole tree', async () => {
    const sftp = await server.sftp('unjailed');
    const [real] = await sftp.list(server.home());
    assert.equal(real?.name, '.');
    server.give('seen', 'x');
    assert.equal(await get(sftp, 'seen'), 'x');
    assert.equal(await get(sftp, at('seen')), 'x');
  });

  test('the jail holds for links, dots and renames into it', async () => {
    symlinkSync('/etc', at('to-etc'));
    symlinkSync('../../../../../../etc/passwd', at('passwd'));
    const sftp = await server.sftp('plain');
    for (const path of ['/to-etc/passwd', '/passwd', '/../../etc/passwd'])
      assert.equal(statusOf(await sftp.tryOpen(path, { read: true })), 2, path);
    await sftp.path(MessageType.SYMLINK, '/', '/to-root');
    assert.ok((await sftp.list('/to-root')).some(({ name }) => name === 'to-root'));
    assert.equal(statusOf(await sftp.tryOpen('/to-root/etc/passwd', { read: true })), 2);
  });

  test("as root, the kernel decides by the user's own rights", { skip: !asRoot }, async () => {
    mkdirSync(at('foreign'), { mode: 0o755 });
    writeFileSync(at('foreign/closed'), 'secret', { mode: 0o600 });
    writeFileSync(at('foreign/open'), 'public', { mode: 0o644 });
    const sftp = await server.sftp('plain');
    assert.equal(await get(sftp, '/foreign/open'), 'public');
    assert.equal(statusOf(await sftp.tryOpen('/foreign/closed', { read: true })), DENIED);
    assert.equal(await put(sftp, '/foreign/new', 'x'), DENIED);
    assert.equal(statusOf(await sftp.path(MessageType.REMOVE, '/foreign/open')), DENIED);
    assert.equal(
      statusOf(await sftp.setAttributes(MessageType.SETSTAT, '/foreign/open', { permissions: 0o777 })),
      DENIED,
    );
    assert.equal(
      statusOf(await sftp.setAttributes(MessageType.SETSTAT, '/foreign/open', { size: 0 })),
      DENIED,
    );
    assert.equal(statusOf(await sftp.path(MessageType.SYMLINK, 'x', '/foreign/link')), DENIED);
    assert.equal(await put(sftp, '/own', 'x'), 0);
    const own = statSync(at('own'));
    const { uid, gid } = statSync(at());
    assert.deepEqual([own.uid, own.gid], [uid, gid]);
    assert.equal(statusOf(await sftp.setAttributes(MessageType.SETSTAT, '/own', { uid: 0, gid: 0 })), DENIED);
    assert.equal(readFileSync(at('foreign/open'), 'utf8'), 'public');
    // What is another's is also out of reach through a link of one's own.
    await sftp.path(MessageType.SYMLINK, 'foreign/closed', '/my-link');
    assert.equal(statusOf(await sftp.tryOpen('/my-link', { read: true })), DENIED);
    assert.equal(
      statusOf(
        await sftp.extended('hardlink@openssh.com', (w) => w.string('/foreign/closed').string('/hard')),
      ),
      DENIED,
    );
    assert.ok(!existsSync(at('hard')));
  });

  test('two sessions of different users at once keep their own rights', { skip: !asRoot }, async () => {
    const [alice, bob] = [await server.sftp('plain'), await server.sftp('plain', 3, { user: 'bob' })];
    const bobsHome = statSync(server.home('bob'));
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        assert.equal(await put(index % 2 === 0 ? alice : bob, `/mixed-${index}`, 'x'), 0);
      }),
    ).catch((error: unknown) => assert.fail(String(error)));
    for (let index = 0; index < 20; index += 1) {
      const owner = index % 2 === 0 ? statSync(at()).uid : bobsHome.uid;
      const home = index % 2 === 0 ? at() : server.home('bob');
      assert.equal(lstatSync(join(home, `mixed-${index}`)).uid, owner);
    }
  });
});
