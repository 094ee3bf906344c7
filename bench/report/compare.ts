/** Tells two result files apart: what changed by more than the runs themselves differ, and what did not. */
import { FLOOR, type Results, type Series } from '../harness/results.ts';
import { ratioInterval, type RatioInterval } from '../harness/statistics.ts';
import { markdownTable, percent } from './text.ts';

/** Share of cases in which the bounds hold; with some hundred rows, 95 in 100 would cry wolf on every page. */
export const CONFIDENCE = 0.99;
/** Less than this is no difference, however steady the runs: two starts of one server differ as much. */
export const LEAST_CHANGE = 0.02;

export type Verdict = 'better' | 'worse' | 'no difference' | 'too few runs' | 'only in base' | 'only in new';

export interface Comparison {
  readonly part: string;
  readonly measure: string;
  readonly metric: string;
  readonly server: string;
  readonly verdict: Verdict;
  /** New divided by base, with its bounds; null where there is nothing to divide. */
  readonly interval: RatioInterval | null;
}

/** One row for every series of either file, in the order of the new one. */
export function compareResults(base: Results, next: Results): Comparison[] {
  const rows = next.series.map((series): Comparison => {
    const old = base.series.find((other) => keyOf(other) === keyOf(series));
    return old === undefined ? row(series, 'only in new', null) : judge(old, series);
  });
  const known = new Set(next.series.map(keyOf));
  const gone = base.series.filter((series) => !known.has(keyOf(series)));
  return [...rows, ...gone.map((series) => row(series, 'only in base', null))];
}

function judge(old: Series, series: Series): Comparison {
  const interval = ratioInterval(old.values, series.values, CONFIDENCE);
  if (interval === null) return row(series, 'too few runs', null);
  const beyondNoise = interval.low > 1 || interval.high < 1;
  if (!beyondNoise || Math.abs(interval.ratio - 1) < LEAST_CHANGE)
    return row(series, 'no difference', interval);
  const improved = interval.ratio > 1 === (series.better === 'higher');
  return row(series, improved ? 'better' : 'worse', interval);
}

function row(
  { part, measure, metric, server }: Series,
  verdict: Verdict,
  interval: RatioInterval | null,
): Comparison {
  return { part, measure, metric, server, verdict, interval };
}

function keyOf({ part, measure, metric, server }: Series): string {
  return JSON.stringify([part, measure, metric, server]);
}

/** A Markdown page: the differences first, then how much is the same, then what could not be compared. */
export function comparisonPage(base: Results, next: Results): string {
  const rows = compareResults(base, next);
  const counts = Map.groupBy(rows, (entry) => entry.verdict);
  const count = (verdict: Verdict): number => counts.get(verdict)?.length ?? 0;
  const differences = rows.filter(({ verdict }) => verdict === 'better' || verdict === 'worse');
  const lines = [
    `Base ${base.date} (${base.repeats} runs), new ${next.date} (${next.repeats} runs); bounds hold in ` +
      `${CONFIDENCE * 100} of 100 cases, and less than ${percent(LEAST_CHANGE)} counts as nothing.`,
    '',
    ...cautions(base, next, differences),
  ];
  if (differences.length === 0 && count('no difference') > 0) lines.push('No difference.', '');
  if (differences.length > 0) lines.push(differenceTable(differences), '');
  lines.push(
    `${count('better')} better, ${count('worse')} worse, ${count('no difference')} no difference, ` +
      `${count('too few runs')} with too few runs, ${count('only in base')} only in base, ` +
      `${count('only in new')} only in new.`,
  );
  return `${lines.join('\n')}\n`;
}

function differenceTable(rows: readonly Comparison[]): string {
  return markdownTable(
    ['part', 'measure', 'metric', 'server', 'change', 'bounds', 'verdict'],
    rows.map(({ part, measure, metric, server, interval, verdict }) => [
      part,
      measure,
      metric,
      server,
      signed(interval!.ratio),
      `${signed(interval!.low)} to ${signed(interval!.high)}`,
      verdict,
    ]),
  );
}

function signed(ratio: number): string {
  return `${ratio >= 1 ? '+' : '-'}${percent(Math.abs(ratio - 1))}`;
}

/** What makes a comparison of files worth less, said before its rows. */
function cautions(base: Results, next: Results, differences: readonly Comparison[]): string[] {
  const lines: string[] = [];
  for (const key of ['processor', 'processors', 'kernel', 'node'] as const) {
    if (base.machine[key] !== next.machine[key])
      lines.push(`Careful: ${key} was ${base.machine[key]} and is ${next.machine[key]}.`);
  }
  if (base.scale !== next.scale)
    lines.push(`Careful: a ${base.scale} run is compared with a ${next.scale} one.`);
  const others = differences.filter(({ server }) => server === FLOOR);
  if (others.length > 0)
    lines.push(`Careful: ${others.length} floors changed too, so the machine itself was not the same.`);
  return lines.length === 0 ? [] : [...lines, ''];
}
