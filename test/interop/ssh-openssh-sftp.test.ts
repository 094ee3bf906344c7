/** OpenSSH's sftp: every command of it, whole trees, resuming, rekeying, compression. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram, type ProgramResult } from '../support/seed-server.ts';
import { sha256 } from '../support/shared-server.ts';
import { sharedSshServer, SSH_CONFIG } from '../support/ssh-server.ts';

const LIMIT = { timeout: 60_000 };
const LARGE = 24 * 1024 * 1024 + 13;

function ok(result: ProgramResult): string {
  assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
  return result.stdout;
}

describe("OpenSSH's sftp", LIMIT, () => {
  const ssh = sharedSshServer(`${SSH_CONFIG}SFTPCompression delayed\n`);
  const large = join(ssh.work, 'large.bin');
  let largeSum = '';
  before(() => {
    const bytes = randomBytes(LARGE);
    writeFileSync(large, bytes);
    largeSum = sha256(bytes);
  });

  test('a password logs in, and a wrong one does not', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const run = (password: string): Promise<ProgramResult> =>
      runProgram('sftp', [...ssh.passwordOptions(), '-b', '-', '127.0.0.1'], {
        input: 'pwd\n',
        env: { ...ssh.env, TEST_PASSWORD: password },
      });
    assert.match(ok(await run('secret')), /Remote working directory: \/$/m);
    const wrong = await run('wrong');
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /Permission denied \(publickey,password\)/);
  });

  test('put and get move a file unchanged, with times and modes where asked', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const local = join(ssh.work, 'timed.bin');
    const bytes = randomBytes(100_003);
    writeFileSync(local, bytes, { mode: 0o640 });
    utimesSync(local, 1_500_000_000, 1_500_000_001);
    ok(
      await ssh.sftp([
        `put -p ${local} timed.bin`,
        `put ${local} plain.bin`,
        `get -p timed.bin ${local}.back`,
      ]),
    );
    for (const name of ['timed.bin', 'plain.bin']) assert.equal(sha256(ssh.home(name)), sha256(bytes), name);
    assert.equal(statSync(ssh.home('timed.bin')).mtimeMs, 1_500_000_001_000);
    assert.equal(statSync(ssh.home('timed.bin')).mode & 0o777, 0o640);
    assert.equal(sha256(`${local}.back`), sha256(bytes));
    assert.equal(statSync(`${local}.back`).mtimeMs, 1_500_000_001_000);
    assert.equal(statSync(ssh.home('timed.bin')).uid, statSync(ssh.home()).uid);
  });

  test('a tree put and got with -r is the same tree', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const tree = join(ssh.work, 'tree');
    mkdirSync(tree);
    writeTree(tree);
    const expected = describeTree(tree);
    const back = join(ssh.work, 'tree back');
    ok(await ssh.sftp([`put -r "${tree}" "a tree"`, `get -r "a tree" "${back}"`]));
    assert.deepEqual(describeTree(ssh.home('a tree')), expected);
    assert.deepEqual(describeTree(back), expected);
  });

  test('reput and reget continue where a transfer broke off', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const bytes = randomBytes(700_001);
    const local = join(ssh.work, 'resume.bin');
    writeFileSync(local, bytes);
    ssh.give('resume.bin', bytes.subarray(0, 300_000));
    ok(await ssh.sftp([`reput ${local} resume.bin`]));
    assert.equal(sha256(ssh.home('resume.bin')), sha256(bytes));
    writeFileSync(local, bytes.subarray(0, 123_457));
    ok(await ssh.sftp([`reget resume.bin ${local}`]));
    assert.equal(sha256(local), sha256(bytes));
    // -a is the same as an option of put and get.
    writeFileSync(local, bytes);
    ssh.give('resume.bin', bytes.subarray(0, 1));
    ok(await ssh.sftp([`put -a ${local} resume.bin`]));
    assert.equal(sha256(ssh.home('resume.bin')), sha256(bytes));
  });

  test('listings show types, modes, owners, sizes and links', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    mkdirSync(ssh.home('listed'));
    ssh.own(ssh.home('listed'));
    ssh.give('listed/a file', '12345');
    const listing = ok(
      await ssh.sftp(['cd listed', 'mkdir sub', 'symlink "a file" link', 'ls -la', 'ls -1', 'ls -n']),
    );
    assert.match(listing, /^-rw-r--r--.* +5 \w{3} [ \d]\d .* a file$/m);
    assert.match(listing, /^drwx.* sub$/m);
    assert.match(listing, /^lrwx.* link/m);
    assert.match(listing, /ls -n\n-rw-r--r-- +\S+ +\S+ +\d+ +5 .* a file$/m);
  });

  test('rename, symlink, ln, chmod, mkdir, rmdir, rm and df do what they say', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    ssh.give('first', 'one');
    ssh.give('target', 'old');
    const out = ok(
      await ssh.sftp([
        'mkdir made',
        'rename first made/second',
        'rename made/second target',
        'ln target made/hard',
        'symlink ../target made/soft',
        'chmod 600 target',
        'mkdir gone',
        'rmdir gone',
        'put /etc/hostname made/removed',
        'rm made/removed',
        'df -h',
        'df -i',
      ]),
    );
    assert.equal(readFileSync(ssh.home('target'), 'utf8'), 'one', 'posix-rename replaces');
    assert.equal(statSync(ssh.home('target')).mode & 0o777, 0o600);
    assert.equal(statSync(ssh.home('made/hard')).ino, statSync(ssh.home('target')).ino);
    assert.equal(readlinkSync(ssh.home('made/soft')), '../target');
    assert.deepEqual(readdirSync(ssh.home('made')).sort(), ['hard', 'soft']);
    assert.ok(!existsSync(ssh.home('first')) && !existsSync(ssh.home('gone')));
    assert.match(out, /^ +Size +Used +Avail/m);
    assert.match(out, /^ +Inodes +Used +Avail/m);
  });

  test('what is missing or forbidden is an error of its own, and the session goes on', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const result = await ssh.sftp([
      `-get nothing ${ssh.work}/nothing`,
      '-rm nothing',
      '-rmdir nothing',
      '-mkdir /no/where',
      '-get /../../etc/passwd',
      'pwd',
    ]);
    assert.match(ok(result), /Remote working directory: \//);
    assert.match(result.stderr, /(nothing" not found|No such file)/);
    assert.ok(!existsSync(join(ssh.work, 'nothing')));
  });

  for (const [name, options] of [
    ['as it comes', {}],
    ['rekeyed every megabyte by the client', { RekeyLimit: '1M' }],
    ['compressed', { Compression: 'yes' }],
    ['with a small buffer', {}],
  ] as const) {
    test(`a large file goes up and down unchanged (${name})`, async (t) => {
      if (!needsProgram(t, 'sftp')) return;
      const back = `${large}.back`;
      const flags = name === 'with a small buffer' ? ['-B', '4096', '-R', '256'] : [];
      ok(await ssh.sftp([`put ${large} up.bin`, `get up.bin ${back}`], options, flags));
      assert.equal(sha256(ssh.home('up.bin')), largeSum);
      assert.equal(sha256(back), largeSum);
    });
  }

  test('put -f waits until the file is on the disk', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    ok(await ssh.sftp([`put -f ${large} synced.bin`]));
    assert.equal(sha256(ssh.home('synced.bin')), largeSum);
  });

  test('symbolic links to outside lead nowhere', async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const result = await ssh.sftp(['symlink /etc/passwd out', `-get out ${ssh.work}/out`]);
    assert.equal(result.code, 0);
    assert.ok(lstatSync(ssh.home('out')).isSymbolicLink());
    assert.ok(!existsSync(join(ssh.work, 'out')));
  });
});
