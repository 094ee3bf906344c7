/** The page of a run and its plots. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readResults } from '../../../bench/harness/results.ts';
import { renderPage } from '../../../bench/report/page.ts';
import { renderBarChart } from '../../../bench/report/plot.ts';
import { shortNumber } from '../../../bench/report/text.ts';
import { newestResults, writeResults } from '../../../bench/report/write-results.ts';
import { results, series } from './fixtures.ts';

const TEXTS = [{ name: 'transfer', summary: 'Large files.' }];

test('a cell shows median, spread and distance from the floor', () => {
  const rows = [
    series({ metric: 'server CPU s/GiB', better: 'lower', values: [2, 4, 3] }),
    series({ metric: 'server CPU s/GiB', better: 'lower', server: 'floor', values: [1.5] }),
  ];
  const { markdown } = renderPage(results(rows), TEXTS, 'plots');
  assert.match(markdown, /\| 3\.00 \(2\.00-4\.00\) 2\.00x floor \| 1\.50 +\|/);
  assert.match(markdown, /!\[.*\]\(plots\/transfer-server-cpu-s-gib\.svg\)/);
});

test('what was not measured is on the page with its reason', () => {
  const skipped = [{ part: 'transfer', measure: 'SFTP', server: 'proftpd', reason: 'not installed' }];
  const { markdown } = renderPage(results([series({})], { skipped }), TEXTS, 'plots');
  assert.match(markdown, /## Not measured[^]*proftpd \| not installed/);
});

test('a quick run says that it is one', () => {
  assert.match(renderPage(results([series({})], { scale: 'quick' }), TEXTS, 'p').markdown, /A quick run/);
});

test('bars are as long as their medians, and names cannot break the SVG', () => {
  const bar = (server: string, value: number) => ({
    server,
    summary: { median: value, min: value, max: value },
  });
  const svg = renderBarChart({
    title: 'a <b> & "c"',
    better: 'higher',
    groups: [{ label: 'one', bars: [bar('x', 100), bar('y', 50)], floor: 25 }],
  });
  assert.match(svg, /a &lt;b&gt; &amp; &quot;c&quot;/);
  const widths = [...svg.matchAll(/<rect x="400"[^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));
  assert.equal(widths.length, 2);
  assert.equal(widths[0], 2 * widths[1]!);
  assert.match(svg, /stroke-dasharray/);
  const open = [...svg.matchAll(/<(svg|text|title)\b/g)].length;
  assert.equal([...svg.matchAll(/<\/(svg|text|title)>/g)].length, open);
});

test('a chart of nothing but zeros has no broken number', () => {
  const zero = { server: 'x', summary: { median: 0, min: 0, max: 0 } };
  const svg = renderBarChart({
    title: 't',
    better: 'lower',
    groups: [{ label: 'l', bars: [zero], floor: null }],
  });
  assert.doesNotMatch(svg, /NaN|Infinity/);
});

test('numbers keep three digits that matter', () => {
  assert.deepEqual([0, 1234.5, 99.95, 1.234, 0.01234].map(shortNumber), [
    '0',
    '1235',
    '100.0',
    '1.23',
    '0.0123',
  ]);
});

test('what is written is read back, and the newest file is found', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-bench-page-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const old = results([series({})], { date: '2026-11-20T23:00:00.000Z' });
  const next = results([series({ values: [7] })]);
  writeResults(folder, old, TEXTS);
  const page = writeResults(folder, next, TEXTS);
  assert.deepEqual(readResults(newestResults(folder)), next);
  assert.match(readFileSync(page, 'utf8'), /^# Benchmark of 2026-11-21 04:19$/m);
  assert.throws(() => readResults(page), /JSON/);
});
