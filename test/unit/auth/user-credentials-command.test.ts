import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openUserStore } from '../../../src/auth/user-store.ts';
import { runUserCommand } from '../../../src/cli/user-command.ts';
import { Secret } from '../../../src/log/secret.ts';
import { createTestKey } from '../../support/userauth-fixture.ts';
import { SECRET } from './auth-fixture.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Command {
  readonly store: string;
  readonly directory: string;
  readonly run: (args: readonly string[], input?: string) => Promise<Outcome>;
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function commandWithAlice(t: TestContext): Command {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-credentials-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const store = join(directory, 'users.sqlite');
  const database = openUserStore(store);
  database.add({
    name: 'alice',
    hash: new Secret(SECRET.sha256),
    uid: 1000,
    gid: 1000,
    groups: [],
    home: '/home/alice',
    shell: '/bin/false',
  });
  database.close();
  return {
    store,
    directory,
    async run(args, input = '') {
      const [output, error] = [new Collector(), new Collector()];
      const code = await runUserCommand([...args, '--store', store], {
        input: Readable.from([Buffer.from(input)]),
        output,
        error,
        env: {},
      });
      return { code, stdout: output.text, stderr: error.text };
    },
  };
}

describe('lockgate user key', { timeout: 30_000 }, () => {
  test('adds from standard input and from a file, lists and removes by fingerprint', async (t) => {
    const { run, directory } = commandWithAlice(t);
    const [first, second] = [createTestKey(), createTestKey()];
    const added = await run(['key', 'add', 'alice'], `${first.line}\n`);
    assert.deepEqual([added.code, added.stderr], [0, '']);
    assert.match(added.stdout, /^added SHA256:\S+ ssh-ed25519 256 bits test\n$/);
    const file = join(directory, 'key.pub');
    writeFileSync(file, `restrict ${second.line}\n`);
    assert.equal((await run(['key', 'add', 'alice', file])).code, 0);
    assert.match((await run(['key', 'add', 'alice', file])).stdout, /^has already SHA256:/);

    const listed = (await run(['key', 'list', 'alice'])).stdout.trim().split('\n');
    assert.equal(listed.length, 2);
    const [fingerprint = ''] = listed[0]?.split(' ') ?? [];
    assert.equal((await run(['key', 'remove', 'alice', fingerprint])).code, 0);
    assert.equal((await run(['key', 'remove', 'alice', fingerprint])).code, 1);
    assert.equal((await run(['key', 'list', 'alice'])).stdout.trim().split('\n').length, 1);
  });

  test('refuses private keys, rubbish and unknown users, without repeating the input', async (t) => {
    const { run, directory } = commandWithAlice(t);
    const secret = '-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n';
    for (const [args, input, code] of [
      [['key', 'add', 'alice'], secret, 1],
      [['key', 'add', 'alice'], 'hunter2\n', 1],
      [['key', 'add', 'alice'], '', 1],
      [['key', 'add', 'alice'], 'x'.repeat(300_000), 1],
      [['key', 'add', 'nobody'], createTestKey().line, 1],
      [['key', 'add', 'alice', join(directory, 'missing')], '', 1],
      [['key', 'add', 'alice', directory], '', 1],
      [['key', 'remove', 'alice'], '', 2],
      [['key', 'list'], '', 2],
      [['key', 'list', '../alice'], '', 2],
      [['key', 'rename', 'alice'], '', 2],
      [['key'], '', 2],
    ] as const) {
      const outcome = await run(args, input);
      assert.equal(outcome.code, code, args.join(' '));
      assert.ok(!(outcome.stdout + outcome.stderr).includes('hunter2'));
    }
  });

  test('a removed user leaves no key and no secret behind', async (t) => {
    const { run, store } = commandWithAlice(t);
    await run(['key', 'add', 'alice'], createTestKey().line);
    await run(['totp', 'alice', 'on']);
    await run(['remove', 'alice']);
    const database = new DatabaseSync(store, { readOnly: true });
    t.after(() => database.close());
    for (const table of ['public_keys', 'one_time_codes']) {
      assert.deepEqual(database.prepare(`SELECT user FROM ${table}`).all(), []);
    }
  });
});

describe('lockgate user totp', { timeout: 30_000 }, () => {
  test('prints the secret once as an otpauth URI on standard output, and switches off again', async (t) => {
    const { run, store } = commandWithAlice(t);
    const on = await run(['totp', 'alice', 'on']);
    assert.equal(on.code, 0);
    assert.match(on.stdout, /^otpauth:\/\/totp\/Lockgate%20[^:]+:alice\?secret=[A-Z2-7]{32}&issuer=\S+\n$/);
    const secret = new URL(on.stdout).searchParams.get('secret') ?? '';
    assert.ok(!on.stderr.includes(secret));
    const read = (): string | undefined => {
      const database = openUserStore(store, { readOnly: true });
      const found = database.credentials.totp('alice')?.secret.reveal();
      database.close();
      return found;
    };
    assert.equal(read(), secret);
    assert.ok(!(await run(['list'])).stdout.includes(secret));
    assert.equal((await run(['totp', 'alice', 'off'])).code, 0);
    assert.equal(read(), undefined);
  });

  test('exit codes: 1 for unknown users, 2 for a wrong command line', async (t) => {
    const { run } = commandWithAlice(t);
    assert.equal((await run(['totp', 'nobody', 'on'])).code, 1);
    for (const args of [
      ['totp'],
      ['totp', 'alice'],
      ['totp', 'alice', 'maybe'],
      ['totp', 'alice', 'on', 'x'],
    ]) {
      assert.equal((await run(args)).code, 2, args.join(' '));
    }
  });
});

describe('a store of version 1', { timeout: 30_000 }, () => {
  test('is read as one without keys and codes, and becomes version 2 with the first edit', (t) => {
    const { store } = commandWithAlice(t);
    const old = new DatabaseSync(store);
    old.exec('DROP TABLE public_keys; DROP TABLE one_time_codes; PRAGMA user_version = 1;');
    old.close();
    const reader = openUserStore(store, { readOnly: true });
    t.after(() => reader.close());
    assert.equal(reader.find('alice')?.name, 'alice');
    assert.equal(reader.credentials.totp('alice'), null);
    assert.deepEqual(reader.credentials.publicKeys('alice'), []);

    const writer = openUserStore(store);
    writer.credentials.setTotp('alice', new Secret('MZXW6YTBOI'));
    writer.close();
    assert.equal(reader.credentials.totp('alice')?.secret.reveal(), 'MZXW6YTBOI');
  });

  test('a step is used once, and never again after a later one', (t) => {
    const { store } = commandWithAlice(t);
    const writer = openUserStore(store);
    t.after(() => writer.close());
    writer.credentials.setTotp('alice', new Secret('MZXW6YTBOI'));
    assert.equal(writer.credentials.useTotpStep('alice', 10), true);
    assert.equal(writer.credentials.useTotpStep('alice', 10), false);
    assert.equal(writer.credentials.useTotpStep('alice', 9), false);
    assert.equal(writer.credentials.useTotpStep('alice', 11), true);
  });
});
