import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { isStoreName, openUserStore, UserStoreError } from '../../../src/auth/user-store.ts';
import type { NewUser } from '../../../src/auth/user-store.ts';
import { Secret } from '../../../src/log/secret.ts';

const USER: NewUser = {
  name: 'alice',
  hash: new Secret('$6$x$y'),
  uid: 1001,
  gid: 1002,
  groups: ['staff', 'club', 'staff'],
  home: '/home/alice',
  shell: '/bin/false',
};

function storePath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lockgate-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'users.sqlite');
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof UserStoreError);
    return error.code;
  }
  return 'no error';
}

describe('the user store', () => {
  test('keeps what was added; files are readable by the owner alone', (t) => {
    const path = storePath(t);
    using store = disposable(openUserStore(path));
    store.add(USER);
    const found = store.find('alice');
    assert.deepEqual(found?.groups, ['club', 'staff']);
    assert.equal(found?.hash.reveal(), '$6$x$y');
    assert.equal(found?.uid, 1001);
    assert.equal(found?.enabled, true);
    assert.equal(store.find('Alice'), null);
    for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(path + suffix).mode & 0o077, 0, suffix);
  });

  test('a reader sees an edit of a writer at once, and may not write', (t) => {
    const path = storePath(t);
    using writer = disposable(openUserStore(path));
    using reader = disposable(openUserStore(path, { readOnly: true }));
    const before = reader.dataVersion();
    writer.add(USER);
    assert.notEqual(reader.dataVersion(), before);
    assert.equal(reader.find('alice')?.home, '/home/alice');
    assert.throws(() => reader.remove('alice'));
    writer.remove('alice');
    assert.equal(reader.find('alice'), null);
    assert.deepEqual(reader.list(), []);
  });

  test('a reader opens a store whose writer has gone', (t) => {
    const path = storePath(t);
    const writer = openUserStore(path);
    writer.add(USER);
    writer.close();
    using reader = disposable(openUserStore(path, { readOnly: true }));
    assert.equal(reader.list().length, 1);
  });

  test('refuses duplicates, unknown names, bad names and relative homes', (t) => {
    using store = disposable(openUserStore(storePath(t)));
    store.add(USER);
    assert.equal(
      codeOf(() => store.add(USER)),
      'exists',
    );
    assert.equal(
      codeOf(() => store.remove('bob')),
      'not-found',
    );
    assert.equal(
      codeOf(() => store.setHash('bob', USER.hash)),
      'not-found',
    );
    assert.equal(
      codeOf(() => store.add({ ...USER, name: '../x' })),
      'invalid',
    );
    assert.equal(
      codeOf(() => store.add({ ...USER, name: 'b', groups: ['a b'] })),
      'invalid',
    );
    assert.equal(
      codeOf(() => store.add({ ...USER, name: 'b', home: 'rel' })),
      'invalid',
    );
    assert.deepEqual(
      store.list().map((user) => user.name),
      ['alice'],
    );
  });

  test('names are safe in paths, logs and listings', () => {
    for (const name of ['alice', 'a.b-c_d@example.org', 'x+y', '007']) assert.ok(isStoreName(name), name);
    for (const name of [
      '',
      '.',
      '..',
      '-x',
      'a/b',
      'a b',
      'a:b',
      'a\nb',
      'ä',
      'x'.repeat(129),
      "a'b",
      'a\0',
    ]) {
      assert.ok(!isStoreName(name), JSON.stringify(name));
    }
  });

  test('a missing, damaged or later store is unusable, and the file stays as it is', (t) => {
    const path = storePath(t);
    assert.equal(
      codeOf(() => openUserStore(path, { readOnly: true })),
      'unusable',
    );
    writeFileSync(path, 'not a database '.repeat(500), { mode: 0o600 });
    assert.equal(
      codeOf(() => openUserStore(path)),
      'unusable',
    );
    assert.equal(statSync(path).size, 7500);
    rmSync(path);
    const later = new DatabaseSync(path);
    later.exec('PRAGMA user_version = 999');
    later.close();
    assert.equal(
      codeOf(() => openUserStore(path)),
      'unusable',
    );
    assert.equal(
      codeOf(() => openUserStore(path, { readOnly: true })),
      'unusable',
    );
  });
});

function disposable<T extends { close(): void }>(value: T): T & Disposable {
  return Object.assign(value, { [Symbol.dispose]: () => value.close() });
}
