/** Scenarios 67 to 70: SFTPLog, environment variables and notes, ExtendedLog and TransferLog, Trace. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { MessageType } from '../../workers/sftp/wire/message-types.ts';
import { needsProgram } from '../support/programs.ts';
import { handleOf, statusOf } from '../support/sftp-client.ts';
import { SFTP_BASE, startSftpScenarios, type SftpScenarioServer } from '../support/sftp-scenario-server.ts';
import { seedConfig, tryConfig } from '../support/seed-server.ts';
import { messageOf } from '../unit/directives/judge-line.ts';

const MEGABYTE = 1024 * 1024;
const ALGORITHMS = ['KEX', 'HOST_KEY', 'CLIENT_CIPHER', 'SERVER_CIPHER', 'CLIENT_MAC', 'SERVER_MAC'];
const COMPRESSIONS = ['CLIENT_COMPRESSION', 'SERVER_COMPRESSION'];
const AGREED = [...ALGORITHMS, ...COMPRESSIONS].map((name) => `SFTP_${name}_ALGO`);
const all = (kind: 'env' | 'note', names: readonly string[]): string =>
  names.map((name) => `%{${kind}:${name}}`).join(' ');

const MAIN = `
LogFormat early "%m %{env:SFTP} %{env:SFTP_LIBRARY_VERSION} %{env:SSH_CONNECTION} %{note:SFTP}"
LogFormat agreed "${all('env', AGREED)} %{env:SFTP_CLIENT_BANNER}"
LogFormat noted "${all('note', AGREED)}"
LogFormat how "%m %{env:SFTP_USER_AUTH_METHOD} %{env:SFTP_USER_PUBLICKEY_ALGO} %{env:SFTP_USER_PUBLICKEY_FINGERPRINT} %{env:SFTP_USER_PUBLICKEY_FINGERPRINT_ALGO}"
LogFormat request "%m|%J|%s|%S|%F|%w|%{protocol}"
`;

const CLASSES = ['AUTH', 'INFO', 'DIRS', 'READ', 'WRITE', 'MISC', 'SEC', 'SSH', 'SFTP', 'EXIT', 'ALL'];
const classLogs = CLASSES.map((name) => `ExtendedLog @DIR@/class-${name}.log ${name} request`).join('\n');

const HOSTS = {
  variables:
    'SFTPCiphers aes256-ctr aes128-gcm@openssh.com\nSFTPDigests hmac-sha2-256\n' +
    'ExtendedLog @DIR@/early.log CONNECT,AUTH early\nExtendedLog @DIR@/agreed.log EXIT agreed\n' +
    'ExtendedLog @DIR@/noted.log EXIT noted\nExtendedLog @DIR@/how.log EXIT how',
  classes: classLogs,
  moved: 'TransferLog @DIR@/xferlog\nExtendedLog @DIR@/moved.log WRITE,AUTH request',
  killed: 'TransferLog @DIR@/killed.xferlog\nExtendedLog @DIR@/killed.log ALL request',
  traced: 'Trace scp:20 sftp:20 ssh2:20\nTraceLog @DIR@/trace.log',
  untraced: 'TraceLog @DIR@/untraced.log',
  quiet: 'SFTPLog none',
};

describe('logs of SFTP sessions', { timeout: 90_000 }, () => {
  let server: SftpScenarioServer;
  before(async () => {
    server = await startSftpScenarios(HOSTS, { main: MAIN });
  });
  after(() => server.close());

  test('scenario 67: SFTPLog refuses links, world-writable directories and relative paths; none is silent', async () => {
    const directory = join(server.directory, 'refusals');
    mkdirSync(join(directory, 'open'), { recursive: true });
    chmodSync(join(directory, 'open'), 0o777);
    const key = readFileSync(join(server.directory, 'host_ed25519'));
    writeFileSync(join(directory, 'host_ed25519'), key, { mode: 0o600 });
    for (const name of ['link', 'allowed'])
      symlinkSync(join(directory, `${name}-target`), join(directory, name));
    const hosts = {
      link: 'SFTPLog @DIR@/link',
      open: 'SFTPLog @DIR@/open/sftp.log',
      allowed: 'AllowLogSymlinks on\nSFTPLog @DIR@/allowed',
    };
    const sections = Object.entries(hosts).map(([name, log]) => [name, `${SFTP_BASE}${log}`]);
    const { stderr } = await tryConfig(directory, seedConfig(Object.fromEntries(sections)));
    assert.match(stderr, /unable to open SFTPLog '\S+\/link': cannot log to a symlink/);
    assert.match(stderr, /unable to open SFTPLog '\S+\/sftp\.log': parent directory is world-writable/);
    assert.doesNotMatch(stderr, /SFTPLog '\S+\/allowed'/);
    assert.ok(existsSync(join(directory, 'allowed-target')));
    assert.match(messageOf('SFTPLog sftp.log') ?? '', /must be an absolute path/);
    const sftp = await server.sftp('quiet');
    assert.ok((await sftp.list('/')).length > 0);
    sftp.login.destroy();
    assert.ok(!existsSync(join(server.directory, 'none')));
    assert.equal(server.seed.server.read('quiet.sftp'), '');
  });

  test('scenario 67: the SFTPLog has its milestones word for word and in order', async () => {
    const log = server.sftpLog('moved');
    const login = await server.login('moved', { version: 'SSH-2.0-Milestones_1.0 a comment' });
    const sftp = await login.openSftp(3);
    await sftp.open('/left-open', { write: true, create: true });
    login.destroy();
    const line = (text: string): RegExp =>
      new RegExp(`^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d,\\d{3} mod_sftp/[\\d.]+\\[\\d+\\]: ${text}$`);
    await log.inOrder(
      line("sent server version 'SSH-2\\.0-mod_sftp/1\\.2\\.1'"),
      line("received client version 'SSH-2\\.0-Milestones_1\\.0 a comment'"),
      line("handling connection from SSH2 client 'Milestones_1\\.0'"),
      line(' \\+ Session key exchange: curve25519-sha256'),
      line(' \\+ Session host key algorithm: ssh-ed25519'),
      line(' \\+ Session server hostkey: ssh-ed25519'),
      line(' \\+ Session client-to-server encryption: aes128-gcm@openssh\\.com'),
      line(' \\+ Session server-to-client encryption: aes128-gcm@openssh\\.com'),
      line(' \\+ Session client-to-server MAC: implicit'),
      line(' \\+ Session server-to-client MAC: implicit'),
      line(' \\+ Session client-to-server compression: none'),
      line(' \\+ Session server-to-client compression: none'),
      line("user 'alice' authenticated via 'password' method"),
      line('sending userauth success'),
      line("'subsystem' channel request for 'sftp' subsystem"),
      line('using SFTP protocol version 3 for this session \\(channel ID 0\\)'),
      line('aborting 1 unclosed file handle'),
    );
  });

  test('scenario 67: failures stand in the SFTPLog as operators look for them', async () => {
    const log = server.sftpLog('moved');
    server.give('short', '12345');
    const login = await server.login('moved');
    const channel = await login.openChannel();
    assert.equal(await channel.ask('subsystem', new ByteWriter().string('netconf').finish()), false);
    await log.line(/: subsystem 'netconf' unsupported$/);
    const sftp = await login.openSftp(3);
    const handle = await sftp.open('/short', { read: true });
    assert.equal(statusOf(await sftp.read(handle, 100, 10)), 1);
    await log.line(/: requested read offset \(100 bytes\) greater than size of '\S+\/short' \(5 bytes\)$/);
    await assert.rejects(server.login('moved', { cipher: 'aes128-cbc' }));
    await log.line(
      /: no shared client-to-server cipher algorithm found \(client sent 'aes128-cbc', server sent '\S+'\)$/,
    );
    await assert.rejects(server.login('moved', { keyExchanges: ['diffie-hellman-group1-sha1'] }));
    await log.line(/: no shared key exchange algorithm found \(client sent '\S+', server sent '\S+'\)$/);
    await assert.rejects(server.login('moved', { version: 'SSH-1.99-Old' }));
    await log.line(/: Bad protocol version 'SSH-1\.99-Old' from 127\.0\.0\.1$/);
  });

  test('scenario 68: the environment says what was agreed on, implicit for the MAC of an AEAD cipher', async () => {
    const early = server.log('early.log');
    const agreed = server.log('agreed.log');
    const noted = server.log('noted.log');
    (await server.login('variables', { cipher: 'aes256-ctr', mac: 'hmac-sha2-256' })).destroy();
    const names = 'curve25519-sha256 ssh-ed25519 aes256-ctr aes256-ctr hmac-sha2-256 hmac-sha2-256 none none';
    await agreed.line(new RegExp(`^${names} SSH-2\\.0-LockgateTest_1\\.0$`));
    await noted.line(new RegExp(`^${names}$`));
    const [first] = await early.matches(/^CONNECT /, 1);
    assert.match(first!, /^CONNECT 1 OpenSSL [\d.]+ 127\.0\.0\.1 \d+ 127\.0\.0\.1 \d+ 1$/);
    (await server.login('variables', { cipher: 'aes128-gcm@openssh.com' })).destroy();
    await agreed.line(/ aes128-gcm@openssh\.com aes128-gcm@openssh\.com implicit implicit none none /);
  });

  test('scenario 68: how the user logged in is in the environment too', async (t) => {
    if (!needsProgram(t, 'ssh')) return;
    const log = server.log('how.log');
    (await server.login('variables')).destroy();
    await log.line(/^EXIT password - - -$/);
    const options = ['-o', 'Ciphers=aes256-ctr', '-o', 'MACs=hmac-sha2-256'];
    assert.equal((await server.openSsh('variables', options, ['date'])).code, 0);
    // Soon: a session whose client has said goodbye does not linger.
    await log.line(/^EXIT publickey ssh-ed25519 [A-Za-z0-9+/=:]{20,} sha256/i, 1_500);
  });

  test('scenario 69: a megabyte up and down is one TransferLog line each; WRITE and AUTH requests are logged', async () => {
    const transfers = server.log('xferlog');
    const requests = server.log('moved.log');
    const sftp = await server.sftp('moved', 3);
    const bytes = Buffer.alloc(MEGABYTE, 'megabyte ');
    const handle = await sftp.open('/a megabyte', { write: true, create: true, truncate: true });
    for (let at = 0; at < MEGABYTE; at += 32_768)
      assert.equal(statusOf(await sftp.write(handle, at, bytes.subarray(at, at + 32_768))), 0);
    await sftp.close(handle);
    const back = await sftp.open('/a megabyte', { read: true });
    assert.ok((await sftp.readAll(back)).equals(bytes));
    await sftp.close(back);
    sftp.login.destroy();
    const lines = await transfers.matches(/a_megabyte/, 2);
    const time = '\\w{3} \\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\d{4} \\d+';
    for (const [index, direction] of ['i', 'o'].entries())
      assert.match(
        lines[index]!,
        new RegExp(`^${time} \\S+ ${MEGABYTE} \\S+/a_megabyte b _ ${direction} r alice sftp 0 \\* c$`),
      );
    assert.equal(transfers.lines.filter((line) => line.includes('a_megabyte')).length, 2);
    await requests.inOrder(
      /^USER\|alice\|331\|/,
      /^USERAUTH_REQUEST\|alice password\|/,
      /^PASS\|\(hidden\)\|230\|/,
      /^OPEN\|\/a megabyte\|0\|OK\|\/a megabyte\|-\|sftp$/,
      /^WRITE\|\/a megabyte\|0\|OK\|\/a megabyte\|-\|sftp$/,
      /^STOR\|\/a megabyte\|226\|Transfer complete\|/,
      /^CLOSE\|\/a megabyte\|0\|OK\|/,
    );
    assert.equal(requests.lines.filter((line) => line.startsWith('WRITE|')).length, MEGABYTE / 32_768);
    assert.ok(!requests.lines.some((line) => line.startsWith('READ|')));
  });

  test('scenario 69: a client killed in the middle of an upload leaves an incomplete line', async () => {
    const transfers = server.log('killed.xferlog');
    const requests = server.log('killed.log');
    const sftp = await server.sftp('killed', 3);
    const handle = await sftp.open('/half', { write: true, create: true });
    assert.equal(statusOf(await sftp.write(handle, 0, Buffer.alloc(5_000))), 0);
    sftp.login.destroy();
    await transfers.line(/ 5000 \S+\/half b _ i r alice sftp 0 \* i$/);
    await requests.line(/^STOR\|\/half\|451\|/);
  });

  test('scenario 69: every ExtendedLog class has its requests', async () => {
    const logs = Object.fromEntries(CLASSES.map((name) => [name, server.log(`class-${name}.log`)]));
    server.give('logged', 'content');
    const sftp = await server.sftp('classes', 3);
    const path = async (type: number, ...paths: string[]): Promise<void> =>
      void (await sftp.path(type, ...paths));
    await sftp.setAttributes(MessageType.MKDIR, '/made', {});
    await sftp.list('/made');
    await path(MessageType.REALPATH, '.');
    await path(MessageType.RMDIR, '/made');
    await path(MessageType.STAT, '/logged');
    await path(MessageType.LSTAT, '/logged');
    await path(MessageType.SYMLINK, 'logged', '/a-link');
    await path(MessageType.READLINK, '/a-link');
    const handle = await sftp.open('/logged', { read: true });
    await sftp.attributes(MessageType.FSTAT, handle);
    await sftp.read(handle, 0, 10);
    await sftp.close(handle);
    const written = await sftp.open('/written', { write: true, create: true });
    await sftp.write(written, 0, Buffer.from('x'));
    await sftp.setAttributes(MessageType.FSETSTAT, written, { permissions: 0o600 });
    await sftp.extended('fsync@openssh.com', (writer) => writer.string(written));
    await sftp.close(written);
    await sftp.setAttributes(MessageType.SETSTAT, '/written', { permissions: 0o600 });
    await path(MessageType.RENAME, '/written', '/renamed');
    await path(MessageType.RENAME, '/nowhere', '/renamed');
    await sftp.extended('hardlink@openssh.com', (writer) => writer.string('/renamed').string('/second'));
    await sftp.extended('home-directory', (writer) => writer.string(''));
    await sftp.extended('posix-rename@openssh.com', (writer) => writer.string('/second').string('/third'));
    await path(MessageType.REMOVE, '/a-link');
    sftp.login.destroy();
    await logs['EXIT']!.line(/^EXIT\|/);
    const verbs = (name: string): string[] => [
      ...new Set(logs[name]!.lines.map((line) => line.slice(0, line.indexOf('|')))),
    ];
    /** `FTP` names stand beside the requests for logs made for FTP. */
    const has = (name: string, ...wanted: string[]): void => {
      const found = verbs(name);
      for (const verb of wanted) assert.ok(found.includes(verb), `${name} lacks ${verb}: ${found.join(' ')}`);
    };
    has('AUTH', 'USERAUTH_REQUEST', 'USER', 'PASS');
    has('INFO', 'REALPATH');
    has('DIRS', 'MKDIR', 'OPENDIR', 'READDIR', 'REALPATH', 'RMDIR', 'MLSD');
    has('READ', 'CLOSE', 'FSTAT', 'LSTAT', 'OPEN', 'READ', 'READLINK', 'STAT', 'RETR');
    has(
      'WRITE',
      'CLOSE',
      'FSETSTAT',
      'MKDIR',
      'OPEN',
      'REMOVE',
      'RENAME',
      'RMDIR',
      'SETSTAT',
      'SYMLINK',
      'WRITE',
    );
    has('WRITE', 'STOR', 'DELE', 'MKD', 'RMD', 'RNTO');
    has('MISC', 'FSYNC', 'HARDLINK', 'HOMEDIR', 'INIT', 'RENAME', 'SERVICE_REQUEST');
    has('SEC', 'KEXINIT', 'ECDH_INIT', 'NEWKEYS');
    has('SSH', 'CHANNEL_OPEN', 'CHANNEL_REQUEST', 'KEXINIT', 'SERVICE_REQUEST', 'USERAUTH_REQUEST');
    has('SFTP', 'MKDIR', 'OPEN', 'READ', 'WRITE', 'CLOSE', 'STAT', 'RENAME', 'FSYNC', 'INIT');
    assert.deepEqual(verbs('EXIT'), ['EXIT']);
    assert.ok(!verbs('ALL').includes('EXIT'));
    assert.ok(!verbs('SFTP').includes('KEXINIT'));
    await logs['WRITE']!.line(/^RENAME\|\/nowhere \/renamed\|2\|No such file\|\/renamed\|\S+\|sftp$/);
    await logs['WRITE']!.line(/^RNTO\|/);
  });

  test('scenario 70: Trace writes lines of ssh2, sftp and scp; without it nothing', async (t) => {
    if (!needsProgram(t, 'scp')) return;
    const trace = server.log('trace.log');
    server.give('traced', 'content');
    const sftp = await server.sftp('traced', 3);
    const handle = handleOf(await sftp.tryOpen('/traced', { read: true }));
    await sftp.read(handle, 0, 7);
    await sftp.close(handle);
    sftp.login.destroy();
    const copy = join(server.directory, 'copy-of-traced');
    const copied = await server.openScp('traced', ['-O', '@traced', copy]);
    assert.deepEqual([copied.code, copied.stderr], [0, '']);
    await trace.line(/ \[\d+\] <ssh2:\d+>: handling connection from SSH2 client 'LockgateTest_1\.0'$/);
    await trace.line(/ \[\d+\] <sftp:\d+>: request \d+: OPEN '\/traced': OK$/);
    await trace.line(/ \[\d+\] <sftp:\d+>: READ '\/traced': OK$/);
    await trace.line(/ \[\d+\] <scp:\d+>: source 'traced'$/);
    await trace.line(/ \[\d+\] <scp:\d+>: sent '\/traced': completed, 7 bytes$/);
    const plain = await server.sftp('untraced', 3);
    await plain.list('/');
    plain.login.destroy();
    assert.equal((await server.openScp('untraced', ['-O', '@traced', copy])).code, 0);
    assert.equal(server.seed.server.read('untraced.log'), '');
  });
});
