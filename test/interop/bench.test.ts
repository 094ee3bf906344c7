/** The benchmark harness, from the command line to its page, on Lockgate alone. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readResults } from '../../bench/harness/results.ts';
import { newestResults } from '../../bench/report/write-results.ts';
import { needsProgram } from '../support/programs.ts';

const runFile = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));
const ARGUMENTS = ['--disable-warning=ExperimentalWarning', MAIN, 'listing', '--quick', '--peers', 'none'];
const ACCOUNT = /^lockgate-bench:/m;

/** The harness makes an account and starts servers as root; another run of it may be under way. */
function canRun(context: TestContext): boolean {
  const reason =
    process.getuid?.() !== 0 || !existsSync('/dev/shm')
      ? 'needs root and /dev/shm'
      : ACCOUNT.test(readFileSync('/etc/passwd', 'utf8'))
        ? 'another benchmark is running'
        : null;
  if (reason !== null) context.skip(reason);
  return reason === null && ['openssl', 'ssh-keygen', 'useradd'].every((name) => needsProgram(context, name));
}

function leftOver(): string[] {
  return readdirSync('/dev/shm').filter((name) => name.startsWith('lockgate-bench-'));
}

test(
  'a quick run measures, writes its files and leaves nothing behind',
  { timeout: 60_000 },
  async (context) => {
    if (!canRun(context)) return;
    const folder = mkdtempSync(join(tmpdir(), 'lockgate-bench-test-'));
    context.after(() => rmSync(folder, { recursive: true }));
    const { stdout } = await runFile(process.execPath, [...ARGUMENTS, '--out', folder], { timeout: 50_000 });
    const { series, skipped } = readResults(newestResults(folder));
    assert.deepEqual(skipped, []);
    const seconds = series.filter(({ metric }) => metric === 'seconds');
    assert.deepEqual(
      seconds.map(({ measure, values }) => [measure, values.length]),
      [
        ['FTPS TLS 1.3 LIST, 2000 entries', 2],
        ['FTPS TLS 1.3 MLSD, 2000 entries', 2],
        ['SFTP aes256-gcm, 2000 entries', 2],
      ],
    );
    assert.match(readFileSync(stdout.trim(), 'utf8'), /^## listing$/m);
    assert.deepEqual(leftOver(), []);
    assert.doesNotMatch(readFileSync('/etc/passwd', 'utf8'), ACCOUNT);
  },
);

test('Ctrl-C ends the servers and removes account and files', { timeout: 60_000 }, async (context) => {
  if (!canRun(context)) return;
  const child = spawn(process.execPath, ARGUMENTS, { stdio: ['ignore', 'ignore', 'pipe'] });
  context.after(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  for await (const line of child.stderr) if (String(line).includes('listing 1/2')) break;
  child.kill('SIGINT');
  const [code] = await exited;
  assert.equal(code, 130);
  assert.deepEqual(leftOver(), []);
  assert.doesNotMatch(readFileSync('/etc/passwd', 'utf8'), ACCOUNT);
});
