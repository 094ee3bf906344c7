/** What keeps a server from starting is found by -t and `lockgate check` too; encrypted keys ask at the terminal. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { needsProgram } from '../support/programs.ts';
import { LogReader, runProgram, type ProgramResult } from '../support/seed-server.ts';
import { BASE_CONFIG, LAUNCHER, prepare, startChildServer, TLS_CONFIG } from '../support/server.ts';

const LIMIT = { timeout: 90_000 };
const PASS_PHRASE = 'correct horse 4711';

async function lockgate(args: readonly string[], configFile: string): Promise<ProgramResult> {
  return runProgram(LAUNCHER, [...args, '-c', configFile]);
}

/** Start, -t and check say the same and refuse. */
async function refusedEverywhere(configFile: string, reason: RegExp): Promise<void> {
  const results = [await lockgate(['-n'], configFile), await lockgate(['-t'], configFile)];
  for (const { code, stderr } of results) {
    assert.equal(code, 1, stderr);
    assert.match(stderr, reason);
  }
  const checked = await lockgate(['check'], configFile);
  assert.equal(checked.code, 1);
  assert.match(checked.stdout, /The server does not start with this configuration/);
}

function encryptKey(directory: string): void {
  const file = join(directory, 'ec.key');
  const key = createPrivateKey(readFileSync(file));
  const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASS_PHRASE } as const;
  writeFileSync(file, key.export(cipher));
}

test(
  'a world-readable AuthUserFile keeps the server from starting, and a reload from changing',
  LIMIT,
  async (t) => {
    const base = await prepare(t, BASE_CONFIG);
    const users = join(base.directory, 'users');
    chmodSync(users, 0o644);
    await refusedEverywhere(
      base.configFile,
      /^fatal: AuthUserFile: unable to use world-readable AuthUserFile '.*users'$/m,
    );
    chmodSync(users, 0o600);
    const checked = await lockgate(['check'], base.configFile);
    assert.equal(checked.code, 0, checked.stdout);

    const server = await startChildServer(t, BASE_CONFIG);
    const log = new LogReader(server.directory, 'system.log');
    chmodSync(join(server.directory, 'users'), 0o644);
    server.child.kill('SIGHUP');
    await log.line(/the old one stays in force: fatal: AuthUserFile: unable to use world-readable/);
  },
);

test('a missing account file, certificate or key is named with its directive', LIMIT, async (t) => {
  const base = await prepare(t, `${BASE_CONFIG}${TLS_CONFIG}`);
  const text = readFileSync(base.configFile, 'utf8');
  const rewritten = (from: RegExp, to: string): void =>
    writeFileSync(base.configFile, text.replace(from, to));
  rewritten(/^AuthUserFile .*$/m, 'AuthUserFile /nonexistent/users');
  await refusedEverywhere(
    base.configFile,
    /AuthUserFile: unable to open AuthUserFile '\/nonexistent\/users': ENOENT/,
  );
  rewritten(/^TLSECCertificateFile .*$/m, 'TLSECCertificateFile /nonexistent/ec.pem');
  await refusedEverywhere(
    base.configFile,
    /TLSECCertificateFile: unable to use '\/nonexistent\/ec.pem': No such file/,
  );
  rewritten(/^TLSECCertificateKeyFile .*$/m, 'TLSECCertificateKeyFile /nonexistent/ec.key');
  await refusedEverywhere(
    base.configFile,
    /TLSECCertificateKeyFile: unable to use '\/nonexistent\/ec.key': No such/,
  );
  rewritten(/^TLSECCertificateKeyFile .*$/m, `TLSECCertificateKeyFile ${join(base.directory, 'rsa.key')}`);
  await refusedEverywhere(base.configFile, /error checking key from TLSECCertificateKeyFile '.*rsa.key'/);
});

test('a missing chain file is logged and the server serves without it', LIMIT, async (t) => {
  const config = `${BASE_CONFIG}${TLS_CONFIG}TLSCertificateChainFile /nonexistent/chain.pem\n`;
  const server = await startChildServer(t, config);
  assert.match(
    server.read('tls.log'),
    /unable to read certificate chain '\/nonexistent\/chain.pem': No such file or directory/,
  );
  const client = await FtpClient.connect({ port: server.port });
  t.after(() => client.destroy());
  await client.loginTls('alice', 'secret');
  assert.equal((await lockgate(['-t'], server.configFile)).code, 0);
});

test('an encrypted key and no terminal: the start fails and says what helps', LIMIT, async (t) => {
  const base = await prepare(t, `${BASE_CONFIG}${TLS_CONFIG}`);
  encryptKey(base.directory);
  await refusedEverywhere(base.configFile, /unable to use EC certificate key in '.*ec\.key', exiting/);
  const { stderr } = await lockgate([], base.configFile);
  assert.match(stderr, /The key is encrypted: start from a terminal, or set TLSPassPhraseProvider/);
});

/** Runs the launcher at a terminal of its own; `answers` are typed when the prompt appears. */
async function atTerminal(
  t: TestContext,
  args: readonly string[],
  answers: readonly string[],
): Promise<{ child: ChildProcess; output: () => string; code: Promise<number | null> }> {
  const child = spawn('script', ['-qefc', [LAUNCHER, ...args].join(' '), '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const code = once(child, 'exit').then(([status]) => status as number | null);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  for (const [index, answer] of answers.entries()) {
    while (output.split('EC key for the 127.0.0.1#').length < index + 2) await once(child.stdout, 'data');
    child.stdin.write(`${answer}\r`);
  }
  return { child, output: () => output, code };
}

test(
  'at a terminal the daemon asks before it detaches, without echo, and not again at a reload',
  LIMIT,
  async (t) => {
    if (!needsProgram(t, 'script')) return;
    const base = await prepare(t, `${BASE_CONFIG}${TLS_CONFIG}`);
    encryptKey(base.directory);
    const pidFile = join(base.directory, 'lockgate.pid');
    const terminal = await atTerminal(t, ['-c', base.configFile], ['wrong', PASS_PHRASE]);
    assert.equal(await terminal.code, 0, terminal.output());
    const pid = Number(readFileSync(pidFile, 'utf8'));
    t.after(() => {
      if (
        existsSync(`/proc/${pid}/cmdline`) &&
        readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(base.configFile)
      )
        process.kill(pid, 'SIGKILL');
    });
    assert.match(terminal.output(), /EC key for the 127\.0\.0\.1#\d+ \(Test\) server: /);
    assert.doesNotMatch(terminal.output(), /correct horse|wrong/);

    const log = new LogReader(base.directory, 'system.log');
    base.writeConfig(`${BASE_CONFIG}${TLS_CONFIG}ServerIdent on "after the reload"\n`);
    process.kill(pid, 'SIGHUP');
    await log.line(/received SIGHUP/);
    const deadline = Date.now() + 10_000;
    for (;;) {
      const client = await FtpClient.connect({ port: base.port });
      t.after(() => client.destroy());
      if (client.greeting?.text.includes('after the reload')) {
        await client.loginTls('alice', 'secret');
        break;
      }
      client.destroy();
      assert.ok(Date.now() < deadline, log.lines.join('\n'));
    }
  },
);

test('three wrong answers end the start', LIMIT, async (t) => {
  if (!needsProgram(t, 'script')) return;
  const base = await prepare(t, `${BASE_CONFIG}${TLS_CONFIG}`);
  encryptKey(base.directory);
  const terminal = await atTerminal(t, ['-n', '-c', base.configFile], ['one', 'two', 'three']);
  assert.equal(await terminal.code, 1);
  assert.match(terminal.output(), /unable to use EC certificate key in '.*ec\.key', exiting/);
  assert.equal(terminal.output().split('EC key for').length, 4);
});
