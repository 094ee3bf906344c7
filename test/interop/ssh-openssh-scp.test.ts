/** OpenSSH's scp, in its own protocol (-O) and over SFTP: what arrives, with which modes and times, and what is refused. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram, type ProgramResult } from '../support/seed-server.ts';
import { eventually, sha256 } from '../support/shared-server.ts';
import { sharedSshServer, SSH_CONFIG } from '../support/ssh-server.ts';

const LIMIT = { timeout: 60_000 };
const CONFIG = `${SSH_CONFIG}
SFTPCompression delayed
LogFormat moves "%m %F %s %{transfer-status} %{protocol}"
ExtendedLog @DIR@/moves.log READ,WRITE moves
<Directory ~/limited>
  MaxStoreFileSize 1000 B
</Directory>
<Directory ~/closed>
  <Limit STOR MKD>
    DenyAll
  </Limit>
</Directory>
<Directory ~/hidden>
  HiddenStores on
</Directory>
`;

function ok(result: ProgramResult): string {
  assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
  return result.stdout;
}

describe("OpenSSH's scp", LIMIT, () => {
  const ssh = sharedSshServer(CONFIG);
  const tree = join(ssh.work, 'tree');
  let expected: Record<string, string> = {};
  before(() => {
    mkdirSync(tree);
    writeTree(tree);
    expected = describeTree(tree);
    for (const name of ['limited', 'closed', 'hidden']) {
      mkdirSync(ssh.home(name));
      ssh.own(ssh.home(name));
    }
  });

  for (const [name, flags] of [
    ['in its own protocol', ['-O']],
    ['over SFTP', ['-s']],
  ] as const) {
    const folder = name.replaceAll(' ', '-');

    test(`one file goes up and down, with times and mode under -p (${name})`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      const bytes = randomBytes(3_000_001);
      const local = join(ssh.work, `one ${folder}.bin`);
      writeFileSync(local, bytes, { mode: 0o751 });
      utimesSync(local, 1_400_000_000, 1_400_000_001);
      ok(await ssh.scp([...flags, '-p', local, ssh.remote(`one-${folder}.bin`)]));
      const stored = statSync(ssh.home(`one-${folder}.bin`));
      assert.equal(sha256(ssh.home(`one-${folder}.bin`)), sha256(bytes));
      assert.deepEqual([stored.mtimeMs, stored.mode & 0o777], [1_400_000_001_000, 0o751]);
      assert.equal(stored.uid, statSync(ssh.home()).uid);
      ok(await ssh.scp([...flags, '-p', ssh.remote(`one-${folder}.bin`), `${local}.back`]));
      assert.equal(sha256(`${local}.back`), sha256(bytes));
      assert.deepEqual(
        [statSync(`${local}.back`).mtimeMs, statSync(`${local}.back`).mode & 0o777],
        [1_400_000_001_000, 0o751],
      );
    });

    test(`a tree goes up and down with -r (${name})`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      const back = join(ssh.work, `back-${folder}`);
      ok(await ssh.scp([...flags, '-r', tree, ssh.remote(`tree-${folder}`)]));
      assert.deepEqual(describeTree(ssh.home(`tree-${folder}`)), expected);
      ok(await ssh.scp([...flags, '-r', ssh.remote(`tree-${folder}`), back]));
      assert.deepEqual(describeTree(back), expected);
      // Into a directory that is there: under its own name.
      ok(await ssh.scp([...flags, '-rp', join(tree, 'deep'), ssh.remote(`tree-${folder}`)]));
      assert.deepEqual(describeTree(ssh.home(`tree-${folder}`, 'deep')), describeTree(join(tree, 'deep')));
    });

    test(`several files, names with spaces and wildcards (${name})`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      const into = `many-${folder}`;
      mkdirSync(ssh.home(into));
      ssh.own(ssh.home(into));
      const files = ['name with  two spaces.txt', 'empty', 'lines.txt', 'one byte'];
      ok(await ssh.scp([...flags, ...files.map((file) => join(tree, file)), ssh.remote(`${into}/`)]));
      for (const file of files) assert.equal(sha256(ssh.home(into, file)), sha256(join(tree, file)), file);
      const back = join(ssh.work, into);
      mkdirSync(back);
      ok(await ssh.scp([...flags, ssh.remote(`${into}/*e*.txt`), back]));
      assert.deepEqual(readdirSync(back).sort(), ['lines.txt', 'name with  two spaces.txt']);
      // In its own protocol the name goes through the other side's shell, so people write a backslash.
      for (const written of flags[0] === '-O' ? ['one\\ byte', 'one byte'] : ['one byte']) {
        ok(await ssh.scp([...flags, ssh.remote(`${into}/${written}`), join(back, 'x')]));
        assert.equal(readFileSync(join(back, 'x'), 'utf8'), 'x');
      }
    });

    test(`what is missing or forbidden is told, and the other files arrive (${name})`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      const missing = await ssh.scp([...flags, ssh.remote('nothing'), join(ssh.work, 'nothing')]);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /nothing: No such file or directory/);
      assert.ok(!existsSync(join(ssh.work, 'nothing')));
      const directory = await ssh.scp([...flags, ssh.remote('limited'), join(ssh.work, 'limited')]);
      assert.match(directory.stderr, /not a regular file|Not a regular file|no -r option/);
      const denied = await ssh.scp([...flags, join(tree, 'lines.txt'), ssh.remote('closed/x')]);
      assert.equal(denied.code, 1);
      assert.match(denied.stderr, /Permission denied|permission denied/);
      assert.deepEqual(readdirSync(ssh.home('closed')), []);
      if (flags[0] !== '-O') return;
      // (Over SFTP the client itself writes both files under that one name.)
      const noFolder = await ssh.scp([
        ...flags,
        join(tree, 'lines.txt'),
        join(tree, 'empty'),
        ssh.remote('not-there'),
      ]);
      assert.equal(noFolder.code, 1);
      assert.ok(!existsSync(ssh.home('not-there')));
    });

    test(`MaxStoreFileSize refuses a larger file and leaves the old one (${name})`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      ssh.give('limited/kept', 'old');
      const small = join(ssh.work, 'small');
      writeFileSync(small, randomBytes(1000));
      const over = join(ssh.work, 'over');
      writeFileSync(over, randomBytes(1001));
      // In scp's own protocol several files are one channel: the second has to find its place after the first failed.
      const result = await ssh.scp([...flags, over, small, ssh.remote('limited/')]);
      assert.equal(result.code, 1);
      assert.equal(sha256(ssh.home('limited/small')), sha256(small));
      const replaced = await ssh.scp([...flags, over, ssh.remote('limited/kept')]);
      assert.equal(replaced.code, 1);
      assert.equal(readFileSync(ssh.home('limited/kept'), 'utf8'), 'old');
      // Over SFTP scp creates the name first, and what it made and could not write is its own affair.
      const left = readdirSync(ssh.home('limited')).filter(
        (entry) => statSync(ssh.home('limited', entry)).size > 0,
      );
      assert.deepEqual(left.sort(), ['kept', 'small']);
      await eventually(
        () => /File too large \(MaxStoreFileSize 1000 exceeded\)/.test(ssh.server.read('sftp.log')),
        'no line about the size in SFTPLog',
      );
    });
  }

  for (const [name, options] of [
    ['rekeyed every megabyte by the client', { RekeyLimit: '1M' }],
    ['compressed', { Compression: 'yes' }],
    ['with ciphers and MACs apart', { Ciphers: 'aes128-ctr', MACs: 'hmac-sha2-512' }],
  ] as const) {
    test(`a large file goes up and down in scp's own protocol (${name})`, async (t) => {
      if (!needsProgram(t, 'scp')) return;
      const local = join(ssh.work, 'large');
      writeFileSync(local, randomBytes(10_000_019));
      ok(await ssh.scp(['-O', local, ssh.remote('large')], options));
      ok(await ssh.scp(['-O', ssh.remote('large'), `${local}.back`], options));
      assert.equal(sha256(ssh.home('large')), sha256(local));
      assert.equal(sha256(`${local}.back`), sha256(local));
    });
  }

  test('transfers are lines of TransferLog and ExtendedLog under the service scp', async (t) => {
    if (!needsProgram(t, 'scp')) return;
    ssh.give('logged', '12345');
    const local = join(ssh.work, 'logged');
    ok(await ssh.scp(['-O', ssh.remote('logged'), local]));
    ok(await ssh.scp(['-O', local, ssh.remote('logged-up')]));
    const lines = (): string[] => ssh.server.read('xferlog').split('\n');
    await eventually(
      () => lines().some((line) => / 5 \S+\/alice\/logged-up b _ i r alice scp 0 \* c$/.test(line)),
      () => ssh.server.read('xferlog'),
    );
    assert.ok(lines().some((line) => / 5 \S+\/alice\/logged b _ o r alice scp 0 \* c$/.test(line)));
    await eventually(
      () => /^STOR \/logged-up 226 success scp$/m.test(ssh.server.read('moves.log')),
      () => ssh.server.read('moves.log'),
    );
    assert.match(ssh.server.read('moves.log'), /^RETR \/logged 226 success scp$/m);
  });

  for (const [program, flags, service] of [
    ['scp', ['-O'], 'scp'],
    ['sftp', [], 'sftp'],
  ] as const) {
    test(`a client that is killed in the middle of an upload leaves the old file (${service})`, async (t) => {
      if (!needsProgram(t, program)) return;
      const folder = `killed-${service}`;
      mkdirSync(ssh.home(folder));
      ssh.own(ssh.home(folder));
      ssh.give(`${folder}/file`, 'old');
      const local = join(ssh.work, folder);
      writeFileSync(local, randomBytes(4_000_000));
      // Slow enough to be caught: 8,000 kbit/s.
      const common = [...ssh.options(), '-l', '8000', ...flags];
      const args =
        program === 'scp'
          ? [...common, local, ssh.remote(`${folder}/file`)]
          : [...common, '-b', '-', '127.0.0.1'];
      const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], env: ssh.env });
      const ended = once(child, 'exit');
      child.stdin.end(program === 'scp' ? '' : `put ${local} ${folder}/file\n`);
      const sizes = (): number[] =>
        readdirSync(ssh.home(folder)).map((name) => statSync(ssh.home(folder, name)).size);
      await eventually(() => Math.max(...sizes()) > 100_000, 'the upload does not begin');
      child.kill('SIGKILL');
      await ended;
      const incomplete = new RegExp(`/${folder}/file b _ i r alice ${service} 0 \\* i$`, 'm');
      await eventually(() => incomplete.test(ssh.server.read('xferlog')), 'no line of the incomplete upload');
      assert.deepEqual(readdirSync(ssh.home(folder)), ['file']);
      assert.equal(readFileSync(ssh.home(folder, 'file'), 'utf8'), 'old');
    });
  }

  test('links out of the home are not followed', async (t) => {
    if (!needsProgram(t, 'scp')) return;
    ok(await ssh.sftp(['symlink /etc/passwd out']));
    const result = await ssh.scp(['-O', ssh.remote('out'), join(ssh.work, 'out')]);
    assert.equal(result.code, 1);
    assert.ok(!existsSync(join(ssh.work, 'out')));
  });

  test('shell and other commands are refused as documented; date is answered', async (t) => {
    if (!needsProgram(t, 'ssh')) return;
    const run = (args: readonly string[]): Promise<ProgramResult> =>
      runProgram('ssh', [...ssh.options(), ...args], { env: ssh.env });
    const terminal = await run(['-tt', '127.0.0.1']);
    assert.notEqual(terminal.code, 0);
    assert.match(terminal.stderr, /PTY allocation request failed on channel 0/);
    const shell = await run(['127.0.0.1']);
    assert.notEqual(shell.code, 0);
    assert.match(shell.stderr, /shell request failed on channel 0/);
    const command = await run(['127.0.0.1', 'ls', '/']);
    assert.notEqual(command.code, 0);
    assert.match(command.stderr, /exec request failed on channel 0/);
    const forwarding = await run([
      '-N',
      '-o',
      'ExitOnForwardFailure=yes',
      '-R',
      '0:127.0.0.1:1',
      '127.0.0.1',
    ]);
    assert.notEqual(forwarding.code, 0);
    assert.match(
      ok(await run(['127.0.0.1', 'date', '-u'])),
      /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}\n$/,
    );
    const log = ssh.server.read('sftp.log');
    assert.match(log, /unsupported exec command 'ls \/'/);
    assert.match(log, /unsupported 'shell' channel requested, ignoring/);
  });

  test('ssh-keyscan sees the three host keys', async (t) => {
    if (!needsProgram(t, 'ssh-keyscan')) return;
    const result = await runProgram('ssh-keyscan', ['-p', String(ssh.server.port), '127.0.0.1']);
    const keys = result.stdout.split('\n').filter((line) => line.startsWith('['));
    assert.deepEqual(
      keys.map((line) => line.split(' ').slice(1).join(' ')).sort(),
      ssh.server.read('host_key_lines').trim().split('\n').sort(),
    );
  });
});
