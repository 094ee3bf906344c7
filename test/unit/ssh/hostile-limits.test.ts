/** What bounds the memory and the work that a peer can cause. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  InputMemory,
  MAX_HELD,
  MemoryPool,
  PiecesInUse,
} from '../../../workers/ssh/transport/input-memory.ts';
import { runKeyExchangeJob, UnwantedJob } from '../../../workers/ssh/transport/key-exchange-jobs.ts';

suite('input memory', () => {
  /** A few bytes of each of `count` memories stay in use. */
  function pinMany(pool: MemoryPool, pieces: PiecesInUse, count: number): void {
    for (let index = 0; index < count; index += 1) {
      const memory = pool.take(1);
      pieces.add(memory, 20);
      pool.giveBack(memory);
    }
  }

  test('a few bytes held of much memory: from a bound on, packets are copied out', () => {
    const pool = new MemoryPool();
    const pieces = new PiecesInUse();
    pinMany(pool, pieces, MAX_HELD - 1);
    assert.equal(pool.take(1).lends, true);
    pinMany(pool, pieces, 1);
    assert.equal(pool.take(1).lends, false);
    pieces.used(20 * MAX_HELD);
    assert.equal(pool.take(1).lends, true, 'what was used is held no longer');
  });

  test('what a closed channel left behind is not counted for ever, nor ever used again', () => {
    const pool = new MemoryPool();
    const pieces = new PiecesInUse();
    const memories: InputMemory[] = [];
    for (let index = 0; index < 2 * MAX_HELD; index += 1) {
      const memory = pool.take(1);
      pieces.add(memory, 20);
      pool.giveBack(memory);
      memories.push(memory);
    }
    pieces.forget();
    const next = pool.take(1);
    assert.equal(next.lends, true);
    assert.ok(!memories.includes(next));
  });
});

suite('key exchange jobs', () => {
  test('a job whose connection has ended while it waited is not run, and its place goes on', async () => {
    const gate = Promise.withResolvers<void>();
    let wanted = true;
    let ran = 0;
    const running = Array.from({ length: 64 }, () =>
      runKeyExchangeJob(
        async () => {
          ran += 1;
          await gate.promise;
        },
        () => true,
      ),
    );
    const waiting = runKeyExchangeJob(
      async () => assert.fail('nobody waits for it'),
      () => wanted,
    );
    wanted = false;
    gate.resolve();
    await assert.rejects(waiting, UnwantedJob);
    await Promise.all(running);
    assert.equal(ran, 64);
    await runKeyExchangeJob(
      async () => undefined,
      () => true,
    );
  });
});
