/** `npm start` without a configuration: what it prints works as printed. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePorts, LAUNCHER } from '../support/server.ts';

const runShell = promisify(execFile);

interface Started {
  readonly child: ChildProcess;
  readonly output: string;
}

async function start(t: TestContext, folder: string, args: readonly string[]): Promise<Started> {
  const child = spawn(LAUNCHER, ['--state', folder, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  const failed = once(child, 'exit').then(() =>
    Promise.reject(new Error(`the server ended:\n${output}${errors}`)),
  );
  while (!output.includes('ftp://localhost\n')) await Promise.race([once(child.stdout, 'data'), failed]);
  failed.catch(() => undefined);
  return { child, output };
}

async function stop({ child }: Started): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** The commands a person would copy. */
function commandsIn(output: string): string[] {
  return output.split('\n').flatMap((line) => (/^  (curl|lftp) /.test(line) ? [line.trim()] : []));
}

test(
  'the first start prints curl and lftp lines that fetch the first file; the second reuses everything',
  { timeout: 90_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'lockgate-state-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const [port] = await freePorts(1);
    assert.ok(port! < 64_000);

    const first = await start(t, folder, ['--port', String(port)]);
    const password = /password {2}(\S+)/.exec(first.output)?.[1];
    assert.ok(password !== undefined);
    const commands = commandsIn(first.output);
    assert.equal(commands.length, 3);
    for (const command of commands) {
      const { stdout } = await runShell('sh', ['-c', command], { timeout: 20_000 });
      assert.equal(stdout, 'Welcome to Lockgate. This file came encrypted.\n', command);
    }
    // An upload that broke off is resumed, here at the implicit server: same home, same log.
    const source = join(folder, 'upload.bin');
    const upload = async (text: string, more: readonly string[]): Promise<void> => {
      writeFileSync(source, text);
      const trust = ['--cacert', join(folder, 'certificates.pem'), '-u', `lockgate:${password}`];
      const target = `ftps://localhost:${port! + 869}/part.bin`;
      await runShell('curl', ['-sS', ...trust, ...more, '-T', source, target], { timeout: 20_000 });
    };
    await upload('first half, ', []);
    await upload('FIRST HALF, second half', ['-C', '-']);
    const stored = join(folder, 'home', 'lockgate', 'part.bin');
    assert.equal(readFileSync(stored, 'utf8'), 'first half, second half');
    const logins = readFileSync(join(folder, 'lockgate.log'), 'utf8').match(/Login successful/g);
    assert.equal(logins?.length, commands.length + 2, 'both servers log to the same file');
    // Without TLS nobody logs in.
    await assert.rejects(
      runShell('curl', ['-sS', '-u', `lockgate:${password}`, `ftp://localhost:${port}/welcome.txt`], {
        timeout: 20_000,
      }),
    );
    await stop(first);
    const kept = ['certificate-ec.pem', 'key-rsa.pem', 'lockgate.conf'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    assert.equal(statSync(join(folder, 'key-ec.pem')).mode & 0o777, 0o600);
    assert.equal(statSync(join(folder, 'users.sqlite')).mode & 0o077, 0);

    const second = await start(t, folder, []);
    assert.doesNotMatch(second.output, /password {2}/);
    assert.match(second.output, /lockgate user passwd lockgate --state /);
    const again = ['certificate-ec.pem', 'key-rsa.pem', 'lockgate.conf'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    assert.deepEqual(again, kept);
    const command = commands[0]!;
    const { stdout } = await runShell('sh', ['-c', command], { timeout: 20_000 });
    assert.equal(stdout, 'Welcome to Lockgate. This file came encrypted.\n');
    await stop(second);
  },
);

test('a state folder others can write to is refused', { timeout: 30_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-state-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o777);
  await assert.rejects(
    runShell(LAUNCHER, ['--state', folder], { timeout: 20_000 }),
    (error: { code: number; stderr: string }) => {
      assert.equal(error.code, 1);
      assert.match(error.stderr, /can be written by others/);
      return true;
    },
  );
});
