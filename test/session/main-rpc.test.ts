import assert from 'node:assert/strict';
import { BoundSocket } from 'node:net';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { connectCalls, RpcError, serveCalls } from '../../src/actor/rpc.ts';

interface Sums {
  add(left: number, right: number): Promise<number>;
  fail(): Promise<never>;
  hang(): Promise<void>;
  bindPort(): Promise<BoundSocket>;
}

const DEADLINES = { add: 5_000, fail: 5_000, hang: 60_000, bindPort: 5_000 };

function connectPair(t: { after(action: () => void): void }, deadlines = DEADLINES) {
  const { port1, port2 } = new MessageChannel();
  t.after(() => {
    port1.close();
    port2.close();
  });
  const errors: string[] = [];
  serveCalls<Sums>(
    port1,
    {
      add: async (left, right) => left + right,
      fail: async () => Promise.reject(new Error('password=secret')),
      hang: () => new Promise(() => undefined),
      bindPort: async () => new BoundSocket({ host: '127.0.0.1', port: 0 }),
    },
    (method, error) => errors.push(`${method}: ${(error as Error).message}`),
  );
  return { port1, sums: connectCalls<Sums>(port2, deadlines), errors };
}

const LIMIT = { timeout: 10_000 };

test('a call is answered', LIMIT, async (t) => {
  assert.equal(await connectPair(t).sums.add(2, 3), 5);
});

test('an error on the other side is reported there, and its text does not travel', LIMIT, async (t) => {
  const { sums, errors } = connectPair(t);
  await assert.rejects(sums.fail(), (error: RpcError) => {
    assert.equal(error.code, 'failed');
    assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/);
    return true;
  });
  assert.deepEqual(errors, ['fail: password=secret']);
});

test('a call that is not answered ends with its deadline', LIMIT, async (t) => {
  const { sums } = connectPair(t, { ...DEADLINES, hang: 20 });
  await assert.rejects(sums.hang(), { name: 'RpcError', code: 'timeout' });
});

test('the death of the other side ends waiting calls and refuses later ones', LIMIT, async (t) => {
  const { port1, sums } = connectPair(t);
  const waiting = assert.rejects(sums.hang(), { name: 'RpcError', code: 'gone' });
  port1.close();
  await waiting;
  await assert.rejects(sums.add(1, 1), { name: 'RpcError', code: 'gone' });
});

test('a bound socket is moved to the caller', LIMIT, async (t) => {
  const bound = await connectPair(t).sums.bindPort();
  assert.ok(bound.address().port > 0);
  bound.close();
});
