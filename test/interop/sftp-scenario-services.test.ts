/** Scenarios 61 to 66: SFTPOptions, key subjects, ListOptions, shells, SCP, SFTPAcceptEnv. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsProgram } from '../support/programs.ts';
import { startSftpScenarios, type SftpScenarioServer } from '../support/sftp-scenario-server.ts';
import { messageOf } from '../unit/directives/judge-line.ts';

const ENVIRONMENT = 'ExtendedLog @DIR@/@NAME@.env EXIT environment\n';
const environmentLog = (name: string): string => ENVIRONMENT.replace('@NAME@', name);

const HOSTS = {
  plain: environmentLog('plain'),
  line: 'SFTPOptions IgnoreSFTPUploadPerms IgnoreSCPUploadPerms PessimisticKexinit',
  twice: 'SFTPOptions IgnoreSFTPUploadPerms\nSFTPOptions PessimisticKexinit',
  subjects:
    'SFTPOptions MatchKeySubject\nSFTPAuthorizedUserKeys file:@DIR@/subjects/%u\nSFTPAuthMethods publickey',
  listing: 'ListOptions "-la" strict',
  variables: `SFTPAcceptEnv LC_* FOO\nSFTPAcceptEnv BAR?\n${environmentLog('variables')}`,
  everything: `SFTPAcceptEnv *\n${environmentLog('everything')}`,
};

const MAIN = 'LogFormat environment "%{env:LANG} %{env:LC_ALL} %{env:FOO} %{env:BAR1} %{env:BAR12}"\n';

describe('SFTPOptions, shells, SCP, SFTPAcceptEnv', { timeout: 90_000 }, () => {
  let server: SftpScenarioServer;
  let local = '';

  before(async () => {
    server = await startSftpScenarios(HOSTS, {
      main: MAIN,
      beforeStart: async (directory) => {
        const alice = readFileSync(join(directory, 'keys', 'alice'), 'utf8');
        const withSubject = (subject: string): string =>
          alice.replace(/\n(?!Comment)/, `\nSubject: ${subject}\n`);
        mkdirSync(join(directory, 'subjects'));
        writeFileSync(join(directory, 'subjects', 'alice'), withSubject('alice'));
        writeFileSync(join(directory, 'subjects', 'bob'), withSubject('alice'));
        writeFileSync(join(directory, 'subjects', 'ftp'), alice);
      },
    });
    local = join(server.directory, 'local file');
    writeFileSync(local, randomBytes(300_000));
    chmodSync(local, 0o777);
    utimesSync(local, 1_500_000_000, 1_500_000_000);
  });
  after(() => server.close());

  /** What the server says before the client has said anything. */
  function firstBytes(host: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = connect(server.port(host), '127.0.0.1');
      socket.setTimeout(5_000, () => socket.destroy(new Error('silence')));
      socket.once('error', reject);
      socket.once('data', (bytes: Buffer) => {
        socket.destroy();
        resolve(bytes);
      });
    });
  }

  test('scenario 61: options on one line all act; those of several lines count together', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const up = await server.openSftp('line', `put "${local}" by-sftp\n`);
    assert.equal(up.code, 0, up.stderr);
    assert.equal(statSync(join(server.home(), 'by-sftp')).mode & 0o777, 0o644);
    const copied = await server.openScp('line', ['-O', '-p', local, '@by-scp']);
    assert.equal(copied.code, 0, copied.stderr);
    assert.equal(statSync(join(server.home(), 'by-scp')).mode & 0o777, 0o644);
    for (const host of ['line', 'twice'])
      assert.match(
        (await firstBytes(host)).toString('latin1'),
        /^SSH-2\.0-\S+\r\n$/,
        'the version line alone',
      );
    const plain = await firstBytes('plain');
    assert.equal(plain[plain.indexOf('\r\n') + 2 + 5], 20, 'KEXINIT comes along');
    const second = await server.openSftp('twice', `put "${local}" by-two-lines\n`);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(statSync(join(server.home(), 'by-two-lines')).mode & 0o777, 0o644);
    assert.match(messageOf('SFTPOptions Foo') ?? '', /unknown SFTPOption 'Foo'/);
  });

  test('scenario 62: under MatchKeySubject a key with a subject lets in its subject alone', async (t) => {
    if (!needsProgram(t, 'ssh')) return;
    const log = server.sftpLog('subjects');
    const login = (user: string): ReturnType<SftpScenarioServer['openSsh']> =>
      server.openSsh(
        'subjects',
        ['-o', `User=${user}`, '-o', 'PreferredAuthentications=publickey'],
        ['date'],
      );
    assert.equal((await login('alice')).code, 0);
    const bob = await login('bob');
    assert.match(bob.stderr, /Permission denied/);
    await log.line(
      /: found matching key for user 'bob', but Subject header \('alice'\) does not match, skipping key$/,
    );
    assert.equal((await login('ftp')).code, 0, "a key without a subject is nobody's in particular");
  });

  test('scenario 63: ListOptions change nothing about sftp listings', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    server.give('shown', 'x');
    server.give('.hidden', 'x');
    const plain = await server.openSftp('plain', 'ls\n');
    const strict = await server.openSftp('listing', 'ls\n');
    assert.equal(strict.code, 0, strict.stderr);
    assert.equal(strict.stdout, plain.stdout);
    assert.ok(!strict.stdout.includes('.hidden'));
    assert.match((await server.openSftp('listing', 'ls -a\n')).stdout, /\.hidden/);
    const log = server.log('system.log');
    assert.ok(log.lines.length === 0);
    assert.match(server.seed.server.stderr() + server.seed.server.read('system.log'), /ListOptions/);
  });

  test('scenario 64: a shell and foreign commands are refused, date is answered', async (t) => {
    if (!needsProgram(t, 'ssh')) return;
    const log = server.sftpLog('plain');
    const shell = await server.openSsh('plain', ['-tt']);
    assert.notEqual(shell.code, 0);
    assert.match(shell.stderr, /PTY allocation request failed on channel 0/);
    const plain = await server.openSsh('plain', []);
    assert.deepEqual([plain.code, plain.stderr.trim()], [255, 'shell request failed on channel 0']);
    const listed = await server.openSsh('plain', [], ['ls']);
    assert.equal(listed.code, 255);
    assert.match(listed.stderr, /exec request failed on channel 0/);
    await log.inOrder(
      /: unsupported 'pty-req' channel requested, ignoring$/,
      /: unsupported 'shell' channel requested, ignoring$/,
      /: 'exec' channel request: command = 'ls'$/,
      /: unsupported exec command 'ls'$/,
    );
    const date = await server.openSsh('plain', [], ['date', '-u']);
    assert.equal(date.code, 0);
    assert.match(date.stdout, /^[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d (UTC|GMT) \d{4}\n$/);
  });

  for (const [mode, flag] of [
    ['its own protocol', '-O'],
    ['SFTP', '-s'],
  ] as const) {
    test(`scenario 65: scp over ${mode}: up, down, -r, -p, names with spaces, wildcards, a missing file`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      const scp = (...args: string[]): ReturnType<SftpScenarioServer['openScp']> =>
        server.openScp('plain', [flag, ...args]);
      const name = `up ${flag}`;
      const quoted = flag === '-O' ? name.replace(' ', '\\ ') : name;
      const up = await scp('-p', local, `@${quoted}`);
      assert.deepEqual([up.code, up.stderr], [0, '']);
      const remote = join(server.home(), name);
      assert.ok(readFileSync(remote).equals(readFileSync(local)));
      assert.deepEqual([statSync(remote).mtimeMs, statSync(remote).mode & 0o777], [1_500_000_000_000, 0o777]);
      const back = join(server.directory, `back ${flag}`);
      const down = await scp('-p', `@${quoted}`, back);
      assert.deepEqual([down.code, down.stderr], [0, '']);
      assert.ok(readFileSync(back).equals(readFileSync(local)));
      assert.equal(statSync(back).mtimeMs, 1_500_000_000_000);

      const tree = join(server.directory, `tree${flag}`);
      mkdirSync(tree);
      writeTree(tree);
      const sent = await scp('-r', tree, '@');
      assert.deepEqual([sent.code, sent.stderr], [0, '']);
      assert.deepEqual(describeTree(join(server.home(), `tree${flag}`)), describeTree(tree));
      const received = join(server.directory, `received${flag}`);
      const got = await scp('-r', `@tree${flag}`, received);
      assert.deepEqual([got.code, got.stderr], [0, '']);
      assert.deepEqual(describeTree(received), describeTree(tree));

      for (const number of [1, 2]) server.give(`wild${number}.${flag}`, `wild ${number}`);
      const wild = join(server.directory, `wild${flag}`);
      mkdirSync(wild);
      const matched = await scp(`@wild*.${flag}`, wild);
      assert.deepEqual([matched.code, matched.stderr], [0, '']);
      assert.equal(readFileSync(join(wild, `wild2.${flag}`), 'utf8'), 'wild 2');
      const missing = await scp('@nowhere', wild);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /nowhere.*: No such file or directory/);
      assert.ok(!existsSync(join(wild, 'nowhere')));
    });
  }

  test('scenario 66: LANG alone is accepted by default; SFTPAcceptEnv lines add up and replace it', async () => {
    const set = async (host: string, names: readonly string[]): Promise<string[]> => {
      const login = await server.login(host);
      const channel = await login.openChannel();
      const accepted: string[] = [];
      for (const name of names) if (await channel.setVariable(name, `value-of-${name}`)) accepted.push(name);
      login.destroy();
      return accepted;
    };
    const log = server.sftpLog('plain');
    const plain = server.log('plain.env');
    assert.deepEqual(await set('plain', ['LANG', 'FOO']), ['LANG']);
    await log.inOrder(
      /: 'env' channel request: 'LANG' = 'value-of-LANG'$/,
      /: environment variable 'FOO' prohibited by policy$/,
    );
    await plain.line(/^value-of-LANG - - - -$/);
    const variables = server.log('variables.env');
    assert.deepEqual(await set('variables', ['LC_ALL', 'FOO', 'BAR1', 'LANG', 'BAR12']), [
      'LC_ALL',
      'FOO',
      'BAR1',
    ]);
    await variables.line(/^\S+ value-of-LC_ALL value-of-FOO value-of-BAR1 -$/);
    const never = ['PATH', 'LD_PRELOAD', 'SFTP', 'path', 'SFTP_KEX_ALGO', 'HOME', 'TZ'];
    assert.deepEqual(await set('everything', [...never, 'FOO']), ['FOO']);
  });
});
