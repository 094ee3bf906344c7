/** `npm run bench -- compare`: a difference is said when there is one, and only then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Series } from '../../../bench/harness/results.ts';
import { compareResults, comparisonPage } from '../../../bench/report/compare.ts';
import { results, series } from './fixtures.ts';

function verdict(base: Partial<Series>, next: Partial<Series>): string {
  return compareResults(results([series(base)]), results([series(next)]))[0]!.verdict;
}

test('the same values are no difference', () => {
  assert.equal(verdict({}, {}), 'no difference');
});

test('a change within the spread of the runs is no difference', () => {
  assert.equal(verdict({ values: [80, 120, 100] }, { values: [90, 130, 110] }), 'no difference');
});

test('more of what should be high is better, less is worse', () => {
  assert.equal(verdict({}, { values: [150, 151, 149, 150, 150] }), 'better');
  assert.equal(verdict({}, { values: [50, 51, 49, 50, 50] }), 'worse');
});

test('more of what should be low is worse', () => {
  const lower = { better: 'lower', metric: 'server CPU s/GiB' } as const;
  assert.equal(verdict(lower, { ...lower, values: [150, 151, 149, 150, 150] }), 'worse');
});

test('a steady change of one in a hundred is no difference', () => {
  assert.equal(verdict({ values: [100, 100, 100] }, { values: [101, 101, 101] }), 'no difference');
});

test('one run is too few to say anything', () => {
  assert.equal(verdict({ values: [100] }, { values: [200] }), 'too few runs');
});

test('random noise is called a difference in about one of a hundred cases', () => {
  // A fixed generator (mulberry32), so that the test says the same every time.
  let state = 42;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const sum = (): number => Array.from({ length: 12 }, random).reduce((a, b) => a + b, 0) - 6;
  const noisy = (): number[] => Array.from({ length: 5 }, () => 100 * Math.exp(0.1 * sum()));
  let wrong = 0;
  for (let round = 0; round < 1000; round += 1)
    if (verdict({ values: noisy() }, { values: noisy() }) !== 'no difference') wrong += 1;
  assert.ok(wrong <= 25, `${wrong} of 1000`);
});

test('what only one file has is listed, not dropped', () => {
  const rows = compareResults(results([series({ server: 'proftpd' })]), results([series({})]));
  assert.deepEqual(
    rows.map(({ server, verdict: said }) => [server, said]),
    [
      ['lockgate', 'only in new'],
      ['proftpd', 'only in base'],
    ],
  );
});

test('the page says "no difference", and shows the row where there is one', () => {
  assert.match(comparisonPage(results([series({})]), results([series({})])), /^No difference\.$/m);
  const page = comparisonPage(
    results([series({})]),
    results([series({ values: [150, 151, 149, 150, 150] })]),
  );
  assert.match(page, /\| transfer +\| FTP download +\| MB\/s +\| lockgate +\| \+50% +\|.*\| better +\|/);
  assert.doesNotMatch(page, /^No difference\.$/m);
});

test('files of other machines and changed floors are pointed out', () => {
  const floor = series({ server: 'floor' });
  const base = results([floor]);
  const next = results([{ ...floor, values: [150, 151, 149, 150, 150] }], {
    machine: { ...base.machine, kernel: '7.0' },
  });
  const page = comparisonPage(base, next);
  assert.match(page, /Careful: kernel was 6\.1 and is 7\.0\./);
  assert.match(page, /1 floors changed too/);
});
