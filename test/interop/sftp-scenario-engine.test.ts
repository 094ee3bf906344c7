/** SFTP acceptance scenarios 1-8: SFTPEngine, virtual hosts, what a start refuses and what it says. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { needsProgram } from '../support/programs.ts';
import { runProgram, seedConfig, tryConfig } from '../support/seed-server.ts';
import { baseSftp, readSilently, startSftpSeed, type SftpSeed } from '../support/sftp-seed.ts';
import { LAUNCHER } from '../support/server.ts';

const LIMIT = { timeout: 30_000 };
const folder = mkdtempSync(join(tmpdir(), 'lockgate-sftp-engine-'));
let seed: SftpSeed;

before(async () => {
  seed = await startSftpSeed({
    sftp: baseSftp('sftp'),
    // Scenario 4: with the engine off nobody asks for these keys.
    off: 'SFTPEngine off\nSFTPHostKey /nowhere/host-key\n',
    keyless: baseSftp('keyless', { SFTPHostKey: null }),
    unsupported:
      `${baseSftp('unsupported')}ListOptions "-la" strict\nMaxRetrieveFileSize 10 Gb\n` +
      '<Anonymous ~ftp>\nUser ftp\n</Anonymous>\n',
  });
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

test(
  'scenario 1: without SFTPEngine an SSH client reads an FTP greeting, and its banner is an unknown command',
  LIMIT,
  async (t) => {
    const client = await seed.connect('main');
    assert.equal(client.greeting!.code, 220);
    const reply = await client.command('SSH-2.0-OpenSSH_10.0');
    assert.equal(reply.code, 500);
    assert.match(reply.text, /SSH-2\.0-OPENSSH_10\.0 not understood/i);
    await client.waitClosed();
    if (!needsProgram(t, 'ssh')) return;
    const { code, stderr } = await seed.openSsh('ssh', 'main', {
      command: ['true'],
      args: ['-v'],
      timeoutMs: 5_000,
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /220 /);
    assert.doesNotMatch(stderr, /Remote protocol version/);
  },
);

test(
  'scenario 2: FTP and SFTP at once: alice is logged in on both and sees the same home',
  LIMIT,
  async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const ftp = await seed.connect('main');
    assert.equal((await ftp.login('alice', 'secret')).code, 230);
    const commands = `pwd\nput ${LAUNCHER} over-sftp\nls\n`;
    const { code, stdout, stderr } = await seed.sftp('sftp', commands);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Remote working directory: \/\n/);
    assert.match((await ftp.download('NLST')).body.toString(), /over-sftp/);
    assert.equal((await ftp.command('DELE over-sftp')).code, 250);
    assert.ok(!existsSync(join(seed.server.homeOf('alice'), 'over-sftp')));
  },
);

test(
  'scenario 3: <Limit LOGIN> DenyAll without SFTP and AllowAll with it: FTP logins fail with 530, SFTP logs in',
  LIMIT,
  async (t) => {
    // A server of its own, as the limit is the main server's.
    if (!needsProgram(t, 'sftp')) return;
    const own = await startSftpSeed(
      { sftp: `${baseSftp('sftp')}<Limit LOGIN>\nAllowAll\n</Limit>\n` },
      { main: '<Limit LOGIN>\nDenyAll\n</Limit>\n' },
    );
    t.after(() => own.close());
    const ftp = await own.connect('main');
    assert.equal((await ftp.login('alice', 'secret')).code, 530);
    const { code, stderr } = await own.sftp('sftp', 'pwd\n');
    assert.equal(code, 0, stderr);
  },
);

test(
  'scenario 4: the engine is per virtual host: one without it needs no host keys and speaks FTP',
  LIMIT,
  async () => {
    const client = await seed.connect('off');
    assert.equal(client.greeting!.code, 220);
    assert.doesNotMatch(seed.server.stderr(), /nowhere/);
    assert.doesNotMatch(seed.server.read('system.log'), /nowhere/);
  },
);

test(
  'scenario 5: TLSEngine and SFTPEngine in one virtual host stop the start, with server and directives',
  LIMIT,
  async () => {
    const text = seedConfig({ both: `${baseSftp('both')}TLSEngine on\n` });
    const { code, stderr } = await tryConfig(join(folder, 'both'), text);
    assert.equal(code, 1);
    const both =
      /Server 'TJ's FTPS Server': cannot support both FTPS \(TLSEngine on\) and SFTP \(SFTPEngine on\) for the same host/;
    assert.match(stderr, both);
    assert.match(stderr, /on line \d+ of '.*refused\.conf'/);
  },
);

test(
  'scenario 6: without host keys the connection is refused and SFTPLog says why; other hosts work',
  LIMIT,
  async () => {
    const log = seed.sftpLog('keyless');
    const { first } = await readSilently(seed.port('keyless'), () => false);
    assert.equal(first.length, 0);
    await log.line(/mod_sftp\/[\d.]+\[\d+\]: no available host keys, unable to handle session$/);
    assert.match(seed.server.read('system.log'), /no SFTPHostKey, so every session will be refused/);
    const client = await seed.client('sftp');
    assert.match(client.serverVersion, /^SSH-2\.0-/);
  },
);

test(
  'scenario 7: <Anonymous>, ListOptions and MaxRetrieveFileSize are each warned of, and SFTP serves',
  LIMIT,
  async (t) => {
    const log = seed.server.read('system.log');
    for (const what of ['<Anonymous>', 'ListOptions', 'MaxRetrieveFileSize'])
      assert.equal(
        log
          .split('\n')
          .filter((line) => line.includes(`${what} is not supported by SFTP and will be ignored`)).length,
        1,
        what,
      );
    if (!needsProgram(t, 'sftp')) return;
    const { code, stderr } = await seed.sftp('unsupported', 'pwd\nls -la\n');
    assert.equal(code, 0, stderr);
  },
);

test(
  'scenario 8: as a Subsystem of sshd the program refuses clearly and ends with an error',
  LIMIT,
  async (t) => {
    // sshd gives the program one local socket as standard input and output.
    const path = join(folder, 'sshd.sock');
    const listener = createServer({ pauseOnConnect: true }).listen(path);
    await once(listener, 'listening');
    t.after(() => listener.close());
    const client = connect(path);
    t.after(() => client.destroy());
    const [end] = (await once(listener, 'connection')) as [Socket];
    const state = join(folder, 'subsystem-state');
    const child = spawn(LAUNCHER, [], {
      stdio: [end, end, 'pipe'],
      env: { ...process.env, SSH_CONNECTION: '192.0.2.1 50000 192.0.2.2 22', LOCKGATE_STATE: state },
      timeout: 10_000,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    end.destroy();
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot be a Subsystem of sshd: it has no listening socket and no user context/);
    assert.ok(!existsSync(state) || readdirSync(state).length === 0, 'nothing is set up');
    // The same words are not for an operator whose shell merely came over SSH.
    const checked = await runProgram(LAUNCHER, ['-v'], { env: { ...process.env, SSH_CONNECTION: 'x' } });
    assert.equal(checked.code, 0);
  },
);
