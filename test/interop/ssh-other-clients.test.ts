/** PuTTY's psftp and pscp, lftp, curl, sshfs: clients with an SSH of their own each. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { describeTree, writeTree } from '../support/file-tree.ts';
import { needsProgram } from '../support/programs.ts';
import { runProgram, type ProgramResult } from '../support/seed-server.ts';
import { eventually, sha256 } from '../support/shared-server.ts';
import { sharedSshServer, succeed } from '../support/ssh-server.ts';

const LIMIT = { timeout: 60_000 };

describe('other SSH clients', LIMIT, () => {
  const ssh = sharedSshServer();
  const tree = join(ssh.work, 'tree');
  const bytes = randomBytes(5_000_011);
  const local = join(ssh.work, 'local.bin');
  let expected: Record<string, string> = {};
  before(() => {
    mkdirSync(tree);
    writeTree(tree);
    expected = describeTree(tree);
    writeFileSync(local, bytes);
    writeFileSync(join(ssh.work, 'password'), 'secret\n', { mode: 0o600 });
  });

  /** What all of PuTTY's programs take: batch mode, the host's key by fingerprint, the password from a file. */
  const putty = async (program: string, args: readonly string[], input = ''): Promise<ProgramResult> => {
    const { stdout } = await succeed('ssh-keygen', [
      '-l',
      '-f',
      join(ssh.server.directory, 'host_key_lines'),
    ]);
    const keys = [...stdout.matchAll(/SHA256:\S+/g)].flatMap(([fingerprint]) => ['-hostkey', fingerprint]);
    const login = ['-P', String(ssh.server.port), '-l', 'alice', '-pwfile', join(ssh.work, 'password')];
    return runProgram(program, ['-batch', '-noagent', ...keys, ...login, ...args], {
      input,
      env: ssh.env,
    });
  };

  test('psftp moves a file and a tree both ways, lists, renames and resumes', async (t) => {
    if (!needsProgram(t, 'psftp')) return;
    const back = join(ssh.work, 'psftp.back');
    const script = join(ssh.work, 'psftp.txt');
    ssh.give('resume.psftp', bytes.subarray(0, 1_000_000));
    const commands = [
      'pwd',
      `put ${local} psftp.bin`,
      `get psftp.bin ${back}`,
      `reput ${local} resume.psftp`,
      `put -r ${tree} psftp-tree`,
      `get -r psftp-tree ${back}-tree`,
      'mkdir psftp-dir',
      'mv psftp.bin psftp-dir/moved.bin',
      'chmod 600 psftp-dir/moved.bin',
      'dir psftp-dir',
      'rmdir psftp-tree/deep',
    ];
    writeFileSync(script, `${commands.join('\n')}\n`);
    const result = await putty('psftp', ['-C', '-be', '-b', script, '127.0.0.1']);
    assert.match(result.stdout, /Remote directory is \/$/m);
    assert.equal(sha256(back), sha256(bytes));
    assert.equal(sha256(ssh.home('resume.psftp')), sha256(bytes));
    assert.deepEqual(describeTree(ssh.home('psftp-tree')), expected);
    assert.deepEqual(describeTree(`${back}-tree`), expected);
    assert.equal(statSync(ssh.home('psftp-dir/moved.bin')).mode & 0o777, 0o600);
    assert.match(result.stdout, /^-rw------- .* 5000011 .* moved\.bin$/m);
    assert.match(result.stdout + result.stderr, /rmdir \/psftp-tree\/deep: (failure|OK)/i);
    assert.ok(existsSync(ssh.home('psftp-tree/deep/er')));
  });

  for (const [name, flag] of [
    ['in its own protocol', '-scp'],
    ['over SFTP', '-sftp'],
  ] as const) {
    test(`pscp moves a file and a tree both ways (${name})`, async (t) => {
      if (!needsProgram(t, 'pscp')) return;
      const back = join(ssh.work, `pscp${flag}`);
      const run = async (args: readonly string[]): Promise<ProgramResult> => {
        const result = await putty('pscp', [flag, ...args]);
        assert.equal(result.code, 0, result.stdout + result.stderr);
        return result;
      };
      await run(['-p', local, `127.0.0.1:pscp${flag}.bin`]);
      await run([`127.0.0.1:pscp${flag}.bin`, back]);
      assert.equal(sha256(ssh.home(`pscp${flag}.bin`)), sha256(bytes));
      assert.equal(sha256(back), sha256(bytes));
      mkdirSync(`${back}-up`);
      mkdirSync(ssh.home(`pscp${flag}-up`));
      ssh.own(ssh.home(`pscp${flag}-up`));
      await run(['-r', tree, `127.0.0.1:pscp${flag}-up`]);
      assert.deepEqual(describeTree(ssh.home(`pscp${flag}-up`, 'tree')), expected);
      await run(['-r', `127.0.0.1:pscp${flag}-up/tree`, `${back}-up`]);
      assert.deepEqual(describeTree(join(`${back}-up`, 'tree')), expected);
      const missing = await putty('pscp', [flag, '127.0.0.1:nothing', join(ssh.work, 'nothing')]);
      assert.notEqual(missing.code, 0);
      assert.match(missing.stdout + missing.stderr, /no such file or directory/i);
    });
  }

  const lftp = (commands: string): Promise<ProgramResult> => {
    const connect = `ssh ${ssh.options().join(' ')} -a -x`;
    const settings = `set sftp:connect-program "${connect}"; set net:max-retries 1; set net:timeout 10; set cmd:fail-exit yes`;
    return succeed('lftp', ['--norc', '-c', `${settings}; open sftp://alice:@127.0.0.1; ${commands}; bye`], {
      env: ssh.env,
    });
  };

  test('lftp mirrors a tree up and down over SFTP, four files at once', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    const back = join(ssh.work, 'lftp-back');
    await lftp(`mirror -R --parallel=4 "${tree}" lftp-tree`);
    assert.deepEqual(describeTree(ssh.home('lftp-tree')), expected);
    await lftp(`mirror --parallel=4 lftp-tree "${back}"`);
    assert.deepEqual(describeTree(back), expected);
    const again = await lftp(`mirror -R --verbose "${tree}" lftp-tree`);
    assert.doesNotMatch(again.stdout, /Transferring/);
  });

  test('lftp resumes, renames, changes modes and removes over SFTP', async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    ssh.give('lftp-resume.bin', bytes.subarray(0, 2_000_001));
    const back = join(ssh.work, 'lftp-resume.bin');
    writeFileSync(back, bytes.subarray(0, 7));
    const { stdout } = await lftp(
      `put -c "${local}" -o lftp-resume.bin; get -c lftp-resume.bin -o "${back}"; ` +
        'mkdir -p a/b; mv a/b a/c; chmod 700 a/c; cls -l a; rm -r a',
    );
    assert.equal(sha256(ssh.home('lftp-resume.bin')), sha256(bytes));
    assert.equal(sha256(back), sha256(bytes));
    assert.match(stdout, /^drwx------ .* a\/c\/?$/m);
    assert.ok(!existsSync(ssh.home('a')));
  });

  /** libssh2 takes the host's key as a hash, and the user's in PEM. */
  const curl = async (
    args: readonly string[],
    scheme: 'sftp' | 'scp',
    path: string,
  ): Promise<ProgramResult> => {
    const { stdout } = await succeed('ssh-keygen', [
      '-l',
      '-f',
      join(ssh.server.directory, 'host_key_lines'),
    ]);
    assert.match(stdout, /ED25519/);
    const url = `${scheme}://127.0.0.1:${ssh.server.port}/${path}`;
    return runProgram('curl', ['-sS', '-k', '-m', '30', '-u', 'alice:secret', ...args, url], {
      env: ssh.env,
    });
  };

  for (const scheme of ['sftp', 'scp'] as const) {
    test(`curl uploads and downloads ${scheme}://`, async (t) => {
      if (!needsProgram(t, 'curl')) return;
      const features = await succeed('curl', ['-V']);
      if (!features.stdout.includes(` ${scheme} `)) return t.skip(`this curl has no ${scheme}`);
      const back = join(ssh.work, `curl.${scheme}`);
      const up = await curl(['-T', local], scheme, `curl-${scheme}.bin`);
      assert.equal(up.code, 0, up.stderr);
      assert.equal(sha256(ssh.home(`curl-${scheme}.bin`)), sha256(bytes));
      const down = await curl(['-o', back], scheme, `curl-${scheme}.bin`);
      assert.equal(down.code, 0, down.stderr);
      assert.equal(sha256(back), sha256(bytes));
      const missing = await curl(['-o', `${back}.missing`], scheme, 'nothing');
      assert.notEqual(missing.code, 0);
      await eventually(
        () =>
          new RegExp(`/curl-${scheme}\\.bin b _ o r alice ${scheme} 0 \\* c$`, 'm').test(
            ssh.server.read('xferlog'),
          ),
        () => ssh.server.read('xferlog'),
      );
    });
  }

  test('curl lists, makes, renames, resumes and reads ranges over SFTP', async (t) => {
    if (!needsProgram(t, 'curl')) return;
    ssh.give('curl-range.bin', bytes);
    const range = join(ssh.work, 'curl-range');
    const part = await curl(['-r', '1000000-1999999', '-o', range], 'sftp', 'curl-range.bin');
    assert.equal(part.code, 0, part.stderr);
    assert.equal(sha256(range), sha256(bytes.subarray(1_000_000, 2_000_000)));
    truncateSync(ssh.home('curl-range.bin'), 3_000_000);
    const resumed = await curl(['-C', '3000000', '-T', local], 'sftp', 'curl-range.bin');
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.equal(sha256(ssh.home('curl-range.bin')), sha256(bytes));
    const listing = await curl(
      [
        '-Q',
        'mkdir /curl-dir',
        '-Q',
        'rename /curl-range.bin /curl-dir/moved',
        '-Q',
        'chmod 600 /curl-dir/moved',
      ],
      'sftp',
      'curl-dir/',
    );
    assert.equal(listing.code, 0, listing.stderr);
    assert.match(listing.stdout, /^-rw------- .* moved$/m);
    assert.equal(sha256(ssh.home('curl-dir/moved')), sha256(bytes));
  });

  test('sshfs mounts the home: files, trees, renames and sizes are those on the disk', async (t) => {
    if (!needsProgram(t, 'sshfs')) return;
    try {
      accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    } catch {
      return t.skip('no /dev/fuse here');
    }
    const mount = join(ssh.work, 'mount');
    mkdirSync(mount);
    const command = `ssh_command=ssh ${ssh.options().join(' ')}`;
    const mounted = await runProgram('sshfs', ['-o', command, '127.0.0.1:', mount], { env: ssh.env });
    if (/fuse: (mount failed|device not found)|Operation not permitted/.test(mounted.stderr))
      return t.skip(`FUSE does not work here: ${mounted.stderr.trim()}`);
    assert.equal(mounted.code, 0, mounted.stderr);
    try {
      writeFileSync(join(mount, 'written.bin'), bytes);
      assert.equal(sha256(join(mount, 'written.bin')), sha256(bytes));
      // The kernel tells sshfs of the close after the program's close has returned.
      await eventually(() => existsSync(ssh.home('written.bin')), 'the file did not get its name');
      assert.equal(sha256(ssh.home('written.bin')), sha256(bytes));
      mkdirSync(join(mount, 'folder'));
      renameSync(join(mount, 'written.bin'), join(mount, 'folder', 'renamed.bin'));
      assert.equal(sha256(join(mount, 'folder', 'renamed.bin')), sha256(bytes));
      truncateSync(join(mount, 'folder', 'renamed.bin'), 12_345);
      assert.equal(sha256(ssh.home('folder/renamed.bin')), sha256(bytes.subarray(0, 12_345)));
      await succeed('cp', ['-r', join(tree, 'many'), join(mount, 'many')]);
      const many = describeTree(join(tree, 'many'));
      assert.deepEqual(describeTree(join(mount, 'many')), many);
      await eventually(() => isDeepStrictEqual(describeTree(ssh.home('many')), many), 'the tree differs');
      assert.deepEqual(readdirSync(join(mount, 'folder')), ['renamed.bin']);
      assert.ok(Number((await succeed('stat', ['-f', '-c', '%b', mount])).stdout) > 0);
      assert.equal(readFileSync(join(mount, 'many', 'file 3.txt'), 'utf8'), 'number 3\n');
    } finally {
      await runProgram('fusermount3', ['-u', '-z', mount]);
    }
  });
});
