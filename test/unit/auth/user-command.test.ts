import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { verifyPasswordSync } from '../../../crypto/password-hash.ts';
import { openUserStore } from '../../../src/auth/user-store.ts';
import { runUserCommand } from '../../../src/cli/user-command.ts';

const COMMAND = new URL('../../../src/cli/user-command.ts', import.meta.url).href;
const RUNNER = `
  const { runUserCommand } = await import(${JSON.stringify(COMMAND)});
  const { stdin, stdout, stderr, env } = process;
  process.exitCode = await runUserCommand(process.argv.slice(1), { input: stdin, output: stdout, error: stderr, env });
`;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command in a process of its own, `input` on its standard input. */
function run(state: string, args: readonly string[], input = ''): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', RUNNER, '--', ...args],
    { env: { PATH: process.env['PATH'], HOME: state, LOCKGATE_STATE: state }, timeout: 30_000 },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command that refuses its arguments ends without reading.
  child.stdin.on('error', (error: NodeJS.ErrnoException) => assert.equal(error.code, 'EPIPE'));
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

function stateFolder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-user-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe('lockgate user', { timeout: 60_000 }, () => {
  test('adds, lists, changes and removes a user; the password comes from standard input', async (t) => {
    const state = stateFolder(t);
    const store = join(state, 'users.sqlite');
    const added = await run(
      state,
      ['add', 'alice', '--uid', '1001', '--gid=1002', '--groups', 'staff,club'],
      'pa55 wörd\n',
    );
    assert.deepEqual([added.code, added.stderr], [0, '']);
    assert.equal(added.stdout, `added user 'alice' with home ${state}/home/alice\n`);
    assert.equal(statSync(join(state, 'home', 'alice')).mode & 0o777, 0o700);
    assert.equal(statSync(store).mode & 0o777, 0o600);
    const hash = hashOf(store, 'alice');
    assert.match(hash, /^\$pbkdf2-sha256\$600000\$/);
    assert.equal(verifyPasswordSync('pa55 wörd', hash), 'match');

    const listed = await run(state, ['list']);
    assert.equal(listed.stdout, `alice uid 1001 gid 1002 groups club,staff home ${state}/home/alice\n`);

    assert.equal((await run(state, ['passwd', 'alice'], 'second\r\n')).code, 0);
    assert.equal(verifyPasswordSync('second', hashOf(store, 'alice')), 'match');

    assert.equal((await run(state, ['remove', 'alice'])).code, 0);
    assert.equal((await run(state, ['list'])).stdout, '');
    assert.ok(statSync(join(state, 'home', 'alice')).isDirectory());
  });

  test('refuses a password given as an argument, without repeating it', async (t) => {
    const state = stateFolder(t);
    for (const args of [
      ['add', 'alice', 'hunter2'],
      ['add', 'alice', '--password', 'hunter2'],
      ['add', 'alice', '--password=hunter2'],
      ['passwd', 'alice', '-phunter2'],
    ]) {
      const { code, stdout, stderr } = await run(state, args);
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, /a password is never an argument/);
      assert.ok(!(stdout + stderr).includes('hunter2'));
    }
  });

  test('exit codes: 1 for what the store refuses, 2 for a wrong command line', async (t) => {
    const state = stateFolder(t);
    assert.equal((await run(state, ['remove', 'alice'])).code, 1);
    assert.equal((await run(state, ['add', 'alice'], '')).code, 1);
    assert.equal((await run(state, ['add', 'alice'], '\n')).code, 1);
    assert.equal((await run(state, ['add', 'alice'], 'secret\n')).code, 0);
    const again = await run(state, ['add', 'alice'], 'secret\n');
    assert.deepEqual([again.code, again.stderr], [1, "lockgate user: user 'alice' exists already\n"]);
    assert.equal((await run(state, ['passwd', 'bob'], 'secret\n')).code, 1);
    for (const args of [
      [],
      ['destroy'],
      ['add'],
      ['add', '../bob'],
      ['add', 'bob', '--uid', '-1'],
      ['list', 'x'],
    ]) {
      assert.equal((await run(state, args)).code, 2, args.join(' '));
    }
    assert.equal((await run(state, ['add', 'bob', '--home', 'relative'], 'secret\n')).code, 2);
    assert.equal((await run(state, ['--help'])).code, 0);
  });

  test('the first user never gets uid 0, later ones get the ids of the first', async (t) => {
    const state = stateFolder(t);
    await run(state, ['add', 'first'], 'secret\n');
    await run(state, ['add', 'second'], 'secret\n');
    const store = openUserStore(join(state, 'users.sqlite'), { readOnly: true });
    const [first, second] = store.list();
    store.close();
    assert.notEqual(first?.uid, 0);
    assert.deepEqual([second?.uid, second?.gid], [first?.uid, first?.gid]);
  });
});

describe('at a terminal', { timeout: 60_000 }, () => {
  /** A terminal that answers each question with the next line, and remembers whether it was in raw mode. */
  function terminal(answers: string[]) {
    const input = Object.assign(new PassThrough(), {
      isTTY: true,
      raw: [] as boolean[],
      setRawMode(on: boolean) {
        this.raw.push(on);
      },
    });
    let shown = '';
    const error = new Writable({
      write(chunk: Buffer, _encoding, done) {
        shown += chunk.toString();
        if (shown.endsWith(': ')) input.write(answers.shift() ?? '\x04');
        done();
      },
    });
    return { input, error, shown: () => shown };
  }

  async function add(t: TestContext, answers: string[]) {
    const state = stateFolder(t);
    const { input, error, shown } = terminal(answers);
    const io = { input, output: new PassThrough(), error, env: { LOCKGATE_STATE: state } };
    const code = await runUserCommand(['add', 'alice'], io);
    return { code, text: shown(), raw: input.raw, store: join(state, 'users.sqlite') };
  }

  test('the password is asked for twice, without echo, with its editing keys', async (t) => {
    const { code, text, raw, store } = await add(t, ['wrong\x15secrex\x7ft\r', 'secret\r']);
    assert.equal(code, 0);
    assert.equal(text, 'Password for alice: \nPassword for alice (again): \n');
    assert.deepEqual(raw, [true, false, true, false]);
    assert.equal(verifyPasswordSync('secret', hashOf(store, 'alice')), 'match');
  });

  test('two different answers, Ctrl-C and Ctrl-D add nobody', async (t) => {
    for (const answers of [['secret\r', 'other\r'], ['sec\x03'], ['\x04']]) {
      const { code, store, raw } = await add(t, answers);
      assert.equal(code, 1);
      assert.equal(raw.at(-1), false);
      const opened = openUserStore(store, { readOnly: true });
      assert.deepEqual(opened.list(), []);
      opened.close();
    }
  });
});

function hashOf(path: string, name: string): string {
  const store = openUserStore(path, { readOnly: true });
  try {
    return store.find(name)?.hash.reveal() ?? '';
  } finally {
    store.close();
  }
}
