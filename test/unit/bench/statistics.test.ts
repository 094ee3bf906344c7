/** Statistics of the benchmark harness, against published values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, ratioInterval, studentQuantile, summarize } from '../../../bench/harness/statistics.ts';

test('the median of an even number of values lies between the two in the middle', () => {
  assert.deepEqual(summarize([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
  assert.deepEqual(summarize([7]), { median: 7, min: 7, max: 7 });
  assert.throws(() => summarize([]), RangeError);
});

test('quantiles are interpolated', () => {
  assert.equal(quantile([10, 20, 30, 40, 50], 0.5), 30);
  assert.equal(quantile([0, 100], 0.99), 99);
});

test("quantiles of Student's t are those of the tables", () => {
  const table = [
    [0.975, 1, 12.706],
    [0.975, 4, 2.776],
    [0.995, 4, 4.604],
    [0.995, 8, 3.355],
    [0.95, 30, 1.697],
  ] as const;
  for (const [share, freedom, expected] of table)
    assert.ok(Math.abs(studentQuantile(share, freedom) - expected) < 0.001, `t(${share}, ${freedom})`);
});

test('equal sets have a ratio of one with one inside the bounds', () => {
  const { ratio, low, high } = ratioInterval([9, 10, 11], [9, 10, 11], 0.99)!;
  assert.equal(ratio, 1);
  assert.ok(low < 1 && high > 1);
});

test('steady sets far apart have narrow bounds around their ratio', () => {
  const { ratio, low, high } = ratioInterval([100, 101, 99, 100], [200, 202, 198, 200], 0.99)!;
  assert.ok(Math.abs(ratio - 2) < 1e-9);
  assert.ok(low > 1.9 && high < 2.1);
});

test('more runs narrow the bounds', () => {
  const few = ratioInterval([9, 11], [9, 11], 0.99)!;
  const many = ratioInterval([9, 11, 9, 11, 9, 11], [9, 11, 9, 11, 9, 11], 0.99)!;
  assert.ok(many.high - many.low < few.high - few.low);
});

test('what has no spread, one value or zeros is not judged by chance', () => {
  assert.deepEqual(ratioInterval([5, 5], [5, 5], 0.99), { ratio: 1, low: 1, high: 1 });
  assert.equal(ratioInterval([5], [5, 6], 0.99), null);
  assert.equal(ratioInterval([0, 5], [5, 6], 0.99), null);
});
