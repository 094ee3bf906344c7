import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openVfsFixture } from '../../support/vfs-fixture.ts';

const ENTRIES = 100_000;
const BATCH = 500;
/** Generous: a listing kept whole in memory would take several times as much. */
const HEAP_GROWTH_LIMIT = 64 * 1024 * 1024;

test(
  '100,000 entries come in batches, each once, without the heap growing with the directory',
  { timeout: 120_000 },
  () => {
    using files = openVfsFixture({ settings: { allowOverride: false } });
    const directory = join(files.root, 'd');
    fs.mkdirSync(directory);
    const source = join(files.base, 'source');
    fs.writeFileSync(source, '');
    // Links of a few files are the fastest way to many entries (a file has at most 65,000 names on ext4).
    const second = join(files.base, 'second');
    fs.writeFileSync(second, '');
    for (let i = 0; i < ENTRIES; i++) fs.linkSync(i % 2 === 0 ? source : second, join(directory, String(i)));
    const seen = new Uint8Array(ENTRIES);
    const cursor = files.vfs.openDirectory(files.vfs.resolve('/d'), 'LIST');
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    while (!cursor.ended) {
      const batch = cursor.next(BATCH);
      assert.ok(batch.length <= BATCH);
      for (const { name } of batch) seen[Number(name)] = (seen[Number(name)] ?? 0) + 1;
      most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    cursor.close();
    assert.ok(seen.every((count) => count === 1));
    assert.ok(most < HEAP_GROWTH_LIMIT, `heap grew by ${most} bytes`);
  },
);

test('a closed listing gives its descriptors back and answers no more', () => {
  using files = openVfsFixture();
  const count = (): number => fs.readdirSync('/proc/self/fd').length;
  const before = count();
  const cursor = files.vfs.openDirectory(files.vfs.resolve('/'), 'LIST');
  cursor.close();
  cursor.close();
  assert.equal(count(), before);
  assert.throws(() => cursor.next(1));
});

test('an entry that vanishes between reading and looking is skipped', () => {
  using files = openVfsFixture();
  for (let i = 0; i < 5; i++) fs.writeFileSync(join(files.root, String(i)), '');
  const cursor = files.vfs.openDirectory(files.vfs.resolve('/'), 'LIST');
  const [first] = cursor.next(1);
  for (let i = 0; i < 5; i++) fs.rmSync(join(files.root, String(i)));
  assert.ok(first !== undefined);
  assert.deepEqual(cursor.next(10), []);
  cursor.close();
});

test('one step looks at a bounded number of names, hidden ones included', () => {
  const hideFiles = [{ value: { pattern: /^hidden/, negate: false } }];
  using files = openVfsFixture({ settings: { hideFiles } });
  for (let i = 0; i < 50; i++) fs.writeFileSync(join(files.root, `hidden${i}`), '');
  fs.writeFileSync(join(files.root, 'seen'), '');
  const cursor = files.vfs.openDirectory(files.vfs.resolve('/'), 'LIST');
  const found: string[] = [];
  let steps = 0;
  for (; !cursor.ended; steps += 1) found.push(...cursor.next(10).map((entry) => entry.name));
  cursor.close();
  assert.deepEqual([found, steps], [['seen'], 6]);
});
