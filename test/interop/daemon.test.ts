/** The process contract, through the launcher every script starts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, LAUNCHER, prepare, startChildServer, TLS_CONFIG } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the launcher to its end; the pipes end with it, so a daemon that kept them would hang here. */
async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const child = spawn(LAUNCHER, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

interface Daemon {
  readonly port: number;
  readonly pid: number;
  readonly pidFile: string;
  readonly read: (name: string) => string;
  readonly writeConfig: (text: string) => void;
}

/** Starts a daemon; the test's end stops it. */
async function startDaemon(t: TestContext, config: string): Promise<Daemon> {
  const base = await prepare(t, config);
  const pidFile = join(base.directory, 'lockgate.pid');
  const { code, stderr } = await run(['-c', base.configFile]);
  assert.equal(code, 0, stderr);
  const text = readFileSync(pidFile, 'utf8');
  assert.match(text, /^\d+\n$/);
  endAfter(t, Number(text), base.configFile);
  return { port: base.port, pid: Number(text), pidFile, read: base.read, writeConfig: base.writeConfig };
}

/** By number: the test's folder, and PidFile with it, is gone when this runs. A number that passed on is left alone. */
function endAfter(t: TestContext, pid: number, configFile: string): void {
  t.after(() => {
    const running =
      existsSync(`/proc/${pid}/cmdline`) &&
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(configFile);
    if (running) process.kill(pid, 'SIGKILL');
  });
}

async function until(condition: () => boolean, milliseconds: number): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'the condition was not met in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function connectTo(t: TestContext, port: number): Promise<FtpClient> {
  return FtpClient.connect({ host: '127.0.0.1', port }).then((client) => {
    t.after(() => client.destroy());
    return client;
  });
}

describe('daemon', LIMIT, () => {
  test('the command returns 0 when the server accepts, with its PidFile there', async (t) => {
    const daemon = await startDaemon(t, BASE_CONFIG);
    process.kill(daemon.pid, 0);
    const client = await connectTo(t, daemon.port);
    assert.equal((await client.login('alice', 'secret')).code, 230);
    assert.match(daemon.read('system.log'), /standalone mode STARTUP/);
  });

  test('SIGTERM tells sessions 421, removes PidFile and ends within two seconds', async (t) => {
    const daemon = await startDaemon(t, BASE_CONFIG);
    const client = await connectTo(t, daemon.port);
    await client.login('alice', 'secret');
    process.kill(daemon.pid, 'SIGTERM');
    assert.equal((await client.readReply()).code, 421);
    await until(() => !existsSync(daemon.pidFile), 2_000);
    await assert.rejects(FtpClient.connect({ host: '127.0.0.1', port: daemon.port }));
    await until(() => /standalone mode SHUTDOWN/.test(daemon.read('system.log')), 2_000);
    assert.match(daemon.read('system.log'), /ProFTPD killed \(signal 15\)/);
  });

  test('SIGABRT leaves no PidFile', async (t) => {
    const daemon = await startDaemon(t, BASE_CONFIG);
    process.kill(daemon.pid, 'SIGABRT');
    await until(() => !existsSync(daemon.pidFile), 2_000);
  });

  test('SIGHUP takes the new file over, sessions stay, and a broken file leaves the old one in force', async (t) => {
    const daemon = await startDaemon(t, `${BASE_CONFIG}ServerIdent on "one"\n`);
    const client = await connectTo(t, daemon.port);
    await client.login('alice', 'secret');
    daemon.writeConfig(`${BASE_CONFIG}ServerIdent on "two"\nMaxInstances 5\n`);
    process.kill(daemon.pid, 'SIGHUP');
    await until(
      () => daemon.read('system.log').includes('master server reparsing configuration file'),
      2_000,
    );
    daemon.writeConfig(`${BASE_CONFIG}Nonsense on\n`);
    process.kill(daemon.pid, 'SIGHUP');
    await until(() => daemon.read('system.log').includes('the old one stays in force'), 2_000);
    assert.equal((await client.command('NOOP')).code, 200);
    const later = await FtpClient.connect({ host: '127.0.0.1', port: daemon.port, readGreeting: false });
    t.after(() => later.destroy());
    assert.equal((await later.readReply()).text, 'two');
  });

  test('SIGUSR1 and SIGUSR2 neither end the server nor open a debugger', async (t) => {
    const daemon = await startDaemon(t, BASE_CONFIG);
    process.kill(daemon.pid, 'SIGUSR1');
    process.kill(daemon.pid, 'SIGUSR2');
    await until(() => daemon.read('system.log').includes('received SIGUSR2'), 2_000);
    assert.equal((await (await connectTo(t, daemon.port)).login('alice', 'secret')).code, 230);
  });

  test('a configuration error is on standard error and the exit code is 1', async (t) => {
    const { configFile } = await prepare(t, `${BASE_CONFIG}NoSuchDirective on\n`);
    const { code, stderr } = await run(['-c', configFile]);
    assert.equal(code, 1);
    assert.match(stderr, /fatal: unknown configuration directive 'NoSuchDirective' on line \d+ of '/);
  });

  test('a port that is taken is on standard error and the exit code is 1', async (t) => {
    const daemon = await startDaemon(t, BASE_CONFIG);
    const other = await prepare(t, BASE_CONFIG.replace('@PORT@', String(daemon.port)));
    const { code, stderr } = await run(['-c', other.configFile]);
    assert.equal(code, 1);
    assert.match(stderr, /unable to listen on 127\.0\.0\.1:\d+: the address is already in use/);
    assert.ok(!existsSync(join(other.directory, 'lockgate.pid')), 'a failed start leaves no PidFile');
  });

  test('a second start on the same PidFile is refused', async (t) => {
    const daemon = await startDaemon(t, `${BASE_CONFIG}# @PORT2@\n`);
    const second = await prepare(t, BASE_CONFIG.replace('@DIR@/lockgate.pid', daemon.pidFile));
    const { code, stderr } = await run(['-c', second.configFile]);
    assert.equal(code, 1);
    assert.match(stderr, /belongs to the running process/);
  });

  test('SystemLog in a world-writable directory stops the start, TLSLog there does not', async (t) => {
    const base = await prepare(
      t,
      `${BASE_CONFIG}${TLS_CONFIG}`.replace('@DIR@/tls.log', '@DIR@/open/tls.log'),
    );
    const open = join(base.directory, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    assert.equal((await run(['-c', base.configFile])).code, 0);
    endAfter(t, Number(base.read('lockgate.pid')), base.configFile);
    assert.match(
      base.read('system.log'),
      /notice: unable to open TLSLog: parent directory is world-writable/,
    );
    process.kill(Number(base.read('lockgate.pid')), 'SIGTERM');
    await until(() => !existsSync(join(base.directory, 'lockgate.pid')), 2_000);

    base.writeConfig(BASE_CONFIG.replace('@DIR@/system.log', '@DIR@/open/system.log'));
    const { code, stderr } = await run(['-c', base.configFile]);
    assert.equal(code, 1);
    assert.match(stderr, /SystemLog: unable to redirect logging to .*: parent directory is world-writable/);
  });

  test('-n stays in the foreground, logs to standard error, and SIGINT ends it with 0', async (t) => {
    const server = await startChildServer(t, BASE_CONFIG);
    const exited = once(server.child, 'exit');
    server.child.kill('SIGINT');
    assert.deepEqual(await exited, [0, null]);
    assert.match(server.stderr(), /standalone mode SHUTDOWN/);
  });

  test(
    'started as root it becomes User and still acts as the logged-in user',
    { skip: process.getuid?.() !== 0 },
    async (t) => {
      const daemon = await startDaemon(t, `${BASE_CONFIG}User nobody\nGroup nogroup\n`);
      const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
      assert.match(status, /^Uid:\t0\t65534\t0\t65534$/m);
      const client = await connectTo(t, daemon.port);
      await client.login('alice', 'secret');
      const { final } = await client.upload('STOR mine.txt', Buffer.from('x'));
      assert.equal(final.code, 226);
      const file = join(daemon.pidFile, '..', 'homes', 'alice', 'mine.txt');
      assert.equal(statSync(file).uid, 40_000);
      assert.equal(statSync(file).mode & 0o777, 0o644);
      await client.quit();
      process.kill(daemon.pid, 'SIGHUP');
      await until(() => daemon.read('system.log').includes('reparsing'), 2_000);
      assert.equal((await (await connectTo(t, daemon.port)).login('alice', 'secret')).code, 230);
    },
  );
});

describe('questions', LIMIT, () => {
  test('-t says that the syntax is right, or what is wrong and where', async (t) => {
    const good = await prepare(t, BASE_CONFIG);
    const right = await run(['-t', '-c', good.configFile]);
    assert.deepEqual(
      [right.code, right.stderr],
      [0, 'Checking syntax of configuration file\nSyntax check complete.\n'],
    );
    good.writeConfig(`${BASE_CONFIG}Umask\n`);
    const wrong = await run(['-td3', '-c', good.configFile]);
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /^Checking syntax of configuration file\n[^]*fatal: Umask: .* on line \d+ of '/,
    );
  });

  test('check lists every refused directive with file and line', async (t) => {
    const base = await prepare(t, `${BASE_CONFIG}Nonsense on\nUmask\n`);
    const { code, stdout } = await run(['check', '-c', base.configFile]);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^${base.configFile}:\\d+: error: .*Nonsense`, 'm'));
    assert.match(stdout, new RegExp(`^${base.configFile}:\\d+: error: Umask: `, 'm'));
    base.writeConfig(BASE_CONFIG);
    assert.equal((await run(['check', '-c', base.configFile])).code, 0);
  });

  test('-v, -vv, -V, -l and --help answer on standard output', async () => {
    const [version, status, settings, modules, help] = await Promise.all(
      [['-v'], ['-vv'], ['-V'], ['-l'], ['--help']].map((args) => run(args)),
    );
    assert.match(version!.stdout, /^ProFTPD Version \d+\.\d+\.\d+/);
    assert.match(status!.stdout, /Loaded modules:\n(  mod_\w+\/[\d.]+\n)+$/);
    assert.match(
      settings!.stdout,
      /^Compile-time Settings:\n  Version: .* \(stable\)[^]*\n    \+ OpenSSL support \(OpenSSL 3\./,
    );
    assert.match(modules!.stdout, /^Compiled-in modules:\n  mod_core\.c\n(  mod_\w+\.c\n)+$/);
    assert.match(help!.stdout, /--nodaemon/);
    for (const { code } of [version!, status!, settings!, modules!, help!]) assert.equal(code, 0);
  });

  test('FIPS that cannot be had keeps the server from starting', async (t) => {
    const { configFile, directory } = await prepare(t, BASE_CONFIG);
    // No module there, whatever the machine has installed.
    const nowhere = { OPENSSL_MODULES: directory, LOCKGATE_STATE: join(directory, 'state') };
    for (const [name, args, environment] of [
      ['mod_tls', ['-DTLS_USE_FIPS'], nowhere],
      ['mod_sftp', ['-D', 'SFTP_USE_FIPS'], nowhere],
      ['mod_tls', [], { ...nowhere, LOCKGATE_FIPS: '1' }],
    ] as const) {
      const { code, stderr } = await run([...args, '-n', '-c', configFile], environment);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(
          `^${name}/[\\d.]+: unable to use FIPS mode: .+\nFatal: unable to load module '${name}\\.c': Operation not permitted\n$`,
        ),
      );
    }
  });

  test('an unknown option is refused with exit code 1', async () => {
    const { code, stderr } = await run(['--nonsense']);
    assert.equal(code, 1);
    assert.match(stderr, /unknown option '--nonsense'/);
  });

  test('environment variables of the command reach %{env:NAME}', async (t) => {
    const server = await startChildServer(t, `${BASE_CONFIG}ServerIdent on "%{env:LOCKGATE_TEST_TEXT}"\n`, {
      environment: { LOCKGATE_TEST_TEXT: 'from outside' },
    });
    const client = await FtpClient.connect({ host: server.host, port: server.port, readGreeting: false });
    t.after(() => client.destroy());
    assert.equal((await client.readReply()).text, 'from outside');
  });

  test('-c of a file that is missing names it', async () => {
    const { code, stderr } = await run(['-c', '/nonexistent/lockgate.conf']);
    assert.equal(code, 1);
    assert.match(stderr, /\/nonexistent\/lockgate\.conf/);
  });
});
