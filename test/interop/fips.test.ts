/** FIPS mode with a real provider: what a server says, serves and refuses to clients, and how it is started. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fipsNodeOptions } from '../../crypto/fips-module-config.ts';
import { FtpClient } from '../support/ftp-client.ts';
import {
  fipsArguments,
  FIPS_ENABLED,
  FIPS_REFUSED,
  lockgate,
  needsFipsProvider,
} from '../support/fips-provider.ts';
import { needsProgram } from '../support/programs.ts';
import {
  BASE_CONFIG,
  LAUNCHER,
  prepare,
  startChildServer,
  TLS_CONFIG,
  type ChildServer,
} from '../support/server.ts';
import { runProgram, sClient, type ProgramResult } from '../support/seed-server.ts';

const LIMIT = { timeout: 60_000 };
const CONFIG = `${BASE_CONFIG}LockgateWorkers 2\n${TLS_CONFIG}TLSOptions NoSessionReuseRequired\n`;
const FAILING_SERVER = fileURLToPath(new URL('../support/fips-failing-server.ts', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'lockgate-fips-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('a server in FIPS mode', LIMIT, () => {
  let server: ChildServer | null = null;
  let module: string | null = null;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    module = needsFipsProvider({ skip: () => undefined });
    if (module === null) return;
    const owner = { after: (step: () => unknown) => void cleanups.push(step) };
    server = await startChildServer(owner as Parameters<typeof startChildServer>[0], CONFIG, {
      args: fipsArguments(module),
    });
    writeFileSync(join(server.homeOf('alice'), 'hello.txt'), 'hello under FIPS\n');
  });
  after(async () => {
    for (const step of cleanups.reverse()) await step();
  });

  /** Null after the test was skipped. */
  function needsServer(t: TestContext): ChildServer | null {
    return needsFipsProvider(t) === null ? null : server;
  }

  test('says so, and every worker has answered the probes', LIMIT, (t) => {
    const running = needsServer(t);
    if (running === null) return;
    assert.match(running.stderr(), FIPS_ENABLED);
    assert.match(
      running.read('system.log'),
      /FIPS mode \(strict\) with module 'OpenSSL FIPS Provider' 3\.\d+\.\d+; probes passed in the main thread, 2 session workers and the password worker; (not validated|version)/,
    );
  });

  test('keeps its process id: the pid file, the child and the process in FIPS mode are one', LIMIT, (t) => {
    const running = needsServer(t);
    if (running === null) return;
    const pid = Number(running.read('lockgate.pid'));
    assert.equal(pid, running.child.pid);
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /--force-fips=strict/);
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'latin1'), /OPENSSL_CONF=/);
  });

  for (const [version, limit] of [
    ['1.3', '--tlsv1.3'],
    ['1.2', '--tls-max'],
  ] as const) {
    test(`curl uploads and downloads over TLS ${version}`, LIMIT, async (t) => {
      const running = needsServer(t);
      if (running === null || !needsProgram(t, 'curl')) return;
      const url = `ftp://127.0.0.1:${running.port}/curl-${version}.bin`;
      const tls = [
        '-sS',
        '--ssl-reqd',
        '--cacert',
        running.trustFile,
        limit,
        ...(version === '1.2' ? ['1.2'] : []),
      ];
      const local = join(folder, `curl-${version}`);
      writeFileSync(local, Buffer.alloc(300_000, 'fips'));
      const up = await runProgram('curl', [...tls, '-u', 'alice:secret', '-T', local, url]);
      assert.equal(up.code, 0, up.stderr);
      const down = await runProgram('curl', [...tls, '-u', 'alice:secret', '-o', `${local}.back`, url]);
      assert.equal(down.code, 0, down.stderr);
      assert.deepEqual(readFileSync(`${local}.back`), readFileSync(local));
    });
  }

  for (const [suite, args] of [
    ['TLS_AES_256_GCM_SHA384', ['-tls1_3', '-ciphersuites', 'TLS_AES_256_GCM_SHA384', '-groups', 'P-256']],
    ['TLS_AES_128_GCM_SHA256', ['-tls1_3', '-ciphersuites', 'TLS_AES_128_GCM_SHA256', '-groups', 'P-384']],
    ['ECDHE-ECDSA-AES256-GCM-SHA384', ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES256-GCM-SHA384']],
    ['ECDHE-RSA-AES128-GCM-SHA256', ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256']],
  ] as const) {
    test(`openssl s_client reads a file over ${suite}`, LIMIT, async (t) => {
      const running = needsServer(t);
      if (running === null || !needsProgram(t, 'openssl')) return;
      const control = await sClient(running.port, args);
      assert.match(control.stdout, new RegExp(`Cipher is ${suite}`));
      // The control connection of the test's own client, the data connection of s_client.
      const client = await FtpClient.connect({ port: running.port });
      t.after(() => client.destroy());
      await client.loginTls('alice', 'secret');
      await client.command('TYPE I');
      const passive = (await client.command('EPSV')).lines.join();
      const port = /\|\|\|(\d+)\|/.exec(passive)![1]!;
      client.send('RETR hello.txt');
      const data = await runProgram('openssl', [
        's_client',
        '-connect',
        `127.0.0.1:${port}`,
        '-quiet',
        ...args,
      ]);
      assert.equal(data.stdout, 'hello under FIPS\n', data.stderr);
      assert.equal((await client.readReply()).code, 150);
      assert.equal((await client.readReply()).code, 226);
    });
  }

  for (const [what, args] of [
    ['ChaCha20-Poly1305 (TLS 1.3)', ['-tls1_3', '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256']],
    [
      'ChaCha20-Poly1305 (TLS 1.2)',
      ['-tls1_2', '-cipher', 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305'],
    ],
    ['X25519 (TLS 1.3)', ['-tls1_3', '-groups', 'X25519']],
    ['X25519 (TLS 1.2)', ['-tls1_2', '-groups', 'X25519']],
  ] as const) {
    test(`a client that offers only ${what} is refused`, LIMIT, async (t) => {
      const running = needsServer(t);
      if (running === null || !needsProgram(t, 'openssl')) return;
      const result = await sClient(running.port, args);
      assert.match(result.stdout + result.stderr, /Cipher is \(NONE\)/);
    });
  }

  test('SIGHUP reloads, and the server serves on in FIPS mode', LIMIT, async (t) => {
    const running = needsServer(t);
    if (running === null) return;
    running.writeConfig(CONFIG.replace('ServerName "Test"', 'ServerName "Test"\nServerIdent on "reloaded"'));
    running.child.kill('SIGHUP');
    for (let greeting = ''; !greeting.includes('reloaded');) {
      const client = await FtpClient.connect({ port: running.port });
      greeting = client.greeting!.lines.join();
      await client.quit();
    }
    const client = await FtpClient.connect({ port: running.port });
    t.after(() => client.destroy());
    await client.loginTls('alice', 'secret');
  });
});

test(
  'a daemon in FIPS mode: the command returns when it accepts connections, SIGTERM ends it',
  LIMIT,
  async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const base = await prepare(t, CONFIG);
    const { code, stderr } = await lockgate(join(base.directory, 'state'), [
      ...fipsArguments(module),
      '-c',
      base.configFile,
    ]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr.match(/FIPS mode enabled/g)?.length, 1, stderr);
    const pid = Number(base.read('lockgate.pid'));
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /--force-fips=strict/);
    const client = await FtpClient.connect({ port: base.port });
    await client.loginTls('alice', 'secret');
    process.kill(pid, 'SIGTERM');
    await client.closed;
    // The daemon is nobody's child here, so its end is seen by looking.
    while (existsSync(`/proc/${pid}`)) await setTimeout(20);
  },
);

/** One connection, served by a server of its own on descriptor 0, as inetd does it. */
async function oneInetdConnection(
  t: TestContext,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<{ port: number; exited: Promise<number | null> }> {
  const listener = createServer({ pauseOnConnect: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => listener.close());
  const exited = once(listener, 'connection').then(async ([socket]: Socket[]) => {
    const stdio = [socket!, socket!, socket!];
    const child = spawn(LAUNCHER, args, { stdio, env: { ...process.env, ...environment } });
    t.after(() => child.kill('SIGKILL'));
    socket!.destroy();
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  });
  return { port: (listener.address() as AddressInfo).port, exited };
}

test(
  'inetd in FIPS mode: the connection survives the change of the process, and the client reads no line of it',
  LIMIT,
  async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const base = await prepare(t, BASE_CONFIG.replace('standalone', 'inetd'));
    const environment = { LOCKGATE_STATE: join(base.directory, 'state') };
    const args = ['-n', '-c', base.configFile];
    const served = await oneInetdConnection(t, [...fipsArguments(module), ...args], environment);
    const client = await FtpClient.connect({ port: served.port });
    t.after(() => client.destroy());
    assert.equal(client.greeting!.code, 220);
    assert.equal((await client.login('alice', 'secret')).code, 230);
    assert.equal((await client.quit()).code, 221);
    assert.equal(await served.exited, 0);
    assert.match(base.read('system.log'), /FIPS mode \(strict\)/);

    const refused = await oneInetdConnection(t, [...fipsArguments('/nowhere/fips.so'), ...args], environment);
    const silent = await FtpClient.connect({ port: refused.port, readGreeting: false });
    await silent.closed;
    assert.equal(silent.pendingReplies, 0);
    assert.equal(await refused.exited, 1);
  },
);

test('SFTP_USE_FIPS and TLS_USE_FIPS each get their line; -q prints none', LIMIT, async (t) => {
  const module = needsFipsProvider(t);
  if (module === null) return;
  const { configFile, directory } = await prepare(t, BASE_CONFIG);
  const state = join(directory, 'state');
  const both = await lockgate(state, [...fipsArguments(module), '-DSFTP_USE_FIPS', '-t', '-c', configFile]);
  assert.equal(both.code, 0, both.stderr);
  assert.match(both.stderr, /^mod_tls\/[\d.]+: FIPS mode enabled\nmod_sftp\/[\d.]+: FIPS mode enabled\n/);
  const quiet = await lockgate(state, ['-q', '-DTLS_USE_FIPS', '-t', '-c', configFile]);
  assert.doesNotMatch(quiet.stderr, /FIPS/);
  const environment = await lockgate(state, ['-t', '-c', configFile], { LOCKGATE_FIPS: '1' });
  assert.match(environment.stderr, FIPS_ENABLED);
});

test(
  'LOCKGATE_FIPS=1 covers `lockgate user`: the hash is made in FIPS mode, the password read from standard input',
  LIMIT,
  async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const state = join(folder, 'user-state');
    const environment = { LOCKGATE_FIPS: '1', OPENSSL_MODULES: join(module, '..') };
    const added = await lockgate(state, ['user', 'add', 'carol'], environment, 'a long password\n');
    assert.equal(added.code, 0, added.stderr);
    const refused = await lockgate(state, ['user', 'list'], {
      LOCKGATE_FIPS: '1',
      OPENSSL_MODULES: '/nowhere',
    });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, FIPS_REFUSED);
  },
);

test('a worker that fails its probes ends the start, and stops a server that runs', LIMIT, async (t) => {
  const module = needsFipsProvider(t);
  if (module === null) return;
  const { configFile, directory } = await prepare(t, BASE_CONFIG);
  const state = join(directory, 'state');
  assert.equal((await lockgate(state, ['fips', 'install', '--fips-module', module])).code, 0);
  const options = fipsNodeOptions(join(state, 'fips', 'openssl.cnf'), 'strict');
  const run = (...args: readonly string[]): Promise<ProgramResult> =>
    runProgram(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      ...options,
      FAILING_SERVER,
      configFile,
      ...args,
    ]);
  const [start, running] = [await run('at-start'), await run()];
  assert.equal(
    start.stdout,
    'start: FipsProbeError: session worker: MD5: works, must be refused\n',
    start.stderr,
  );
  assert.equal(
    running.stdout,
    'FipsProbeError: session worker: MD5: works, must be refused\nstopped, listening: 0\n',
    running.stderr,
  );
});
