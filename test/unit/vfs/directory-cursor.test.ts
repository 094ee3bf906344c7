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
    for (let batch = cursor.next(BATCH); batch.length > 0; batch = cursor.next(BATCH)) {
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
