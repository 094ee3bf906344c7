/** The Markdown page of a run: tables with medians, spreads and distances from the floor, and a plot for each metric. */
import { FLOOR, type Results, type Series } from '../harness/results.ts';
import { summarize } from '../harness/statistics.ts';
import { renderBarChart, type BarGroup } from './plot.ts';
import { markdownTable, shortNumber } from './text.ts';

export interface Page {
  readonly markdown: string;
  /** Plots by file name; the page refers to them under `plotFolder`. */
  readonly plots: ReadonlyMap<string, string>;
}

/** What the page says about a part besides its tables. */
export interface PartText {
  readonly name: string;
  readonly summary: string;
  readonly remarks?: (series: readonly Series[]) => readonly string[];
}

export function renderPage(results: Results, texts: readonly PartText[], plotFolder: string): Page {
  const plots = new Map<string, string>();
  const sections = results.parts.flatMap((part) => {
    const series = results.series.filter((entry) => entry.part === part);
    if (series.length === 0) return [];
    const text = texts.find(({ name }) => name === part);
    const remarks = text?.remarks?.(series) ?? [];
    return [
      `## ${part}`,
      text?.summary ?? '',
      remarks.map((remark) => `- ${remark}`).join('\n'),
      ...partTables(results, part, series, plots, plotFolder),
    ];
  });
  const blocks = [heading(results), ...sections, skippedSection(results)].filter((block) => block !== '');
  return { markdown: `${blocks.join('\n\n')}\n`, plots };
}

function heading({ date, machine, repeats, scale, servers }: Results): string {
  const gib = (machine.memoryBytes / 2 ** 30).toFixed(0);
  const lines = [
    `# Benchmark of ${date.slice(0, 16).replace('T', ' ')}`,
    '',
    ...(scale === 'quick' ? ['A quick run: sizes and times are too small for conclusions.', ''] : []),
    ...(scale === 'short' ? ['A short run: fewer repeats and smaller sizes than a full one.', ''] : []),
    `Medians of ${repeats} interleaved runs (smallest to largest); servers and clients on the same machine, over ` +
      'loopback. `x floor` is the distance from what the same work costs without a server, measured in the same run.',
    '',
    `- machine: ${machine.processor}, ${machine.processors} processors, ${gib} GiB, Linux ${machine.kernel}; ` +
      `load before the run ${machine.loadBefore.toFixed(2)}`,
    `- Node ${machine.node} with OpenSSL ${machine.nodeOpenssl}; system ${machine.systemOpenssl}`,
    `- server CPU by ${machine.cpuAccount}; memory is the proportional set size`,
    `- ${servers.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
  ];
  return lines.join('\n');
}

function partTables(
  results: Results,
  part: string,
  series: readonly Series[],
  plots: Map<string, string>,
  plotFolder: string,
): string[] {
  const byMetric = Map.groupBy(series, (entry) => entry.metric);
  return [...byMetric].flatMap(([metric, rows]) => {
    const file = `${slug(`${part} ${metric}`)}.svg`;
    const { better } = rows[0]!;
    plots.set(file, renderBarChart({ title: `${part}: ${metric}`, better, groups: chartGroups(rows) }));
    const table = metricTable(results, rows);
    return [`### ${metric} (${better} is better)`, table, `![${part}: ${metric}](${plotFolder}/${file})`];
  });
}

function metricTable({ servers }: Results, rows: readonly Series[]): string {
  const names = servers.map(({ name }) => name);
  const present = [...names, ...rows.map(({ server }) => server)].filter(
    (name, index, all) =>
      all.indexOf(name) === index && name !== FLOOR && rows.some(({ server }) => server === name),
  );
  const hasFloor = rows.some(({ server }) => server === FLOOR);
  const measures = [...Map.groupBy(rows, ({ measure }) => measure)];
  return markdownTable(
    ['measure', ...present, ...(hasFloor ? [FLOOR] : [])],
    measures.map(([measure, group]) => {
      const floor = medianOf(group, FLOOR);
      const cells = present.map((name) =>
        cell(
          group.find(({ server }) => server === name),
          floor,
        ),
      );
      return [measure, ...cells, ...(hasFloor ? [floor === null ? '' : shortNumber(floor)] : [])];
    }),
  );
}

function cell(series: Series | undefined, floor: number | null): string {
  if (series === undefined) return '–';
  const { median, min, max } = summarize(series.values);
  const spread = series.values.length === 1 ? '' : ` (${shortNumber(min)}-${shortNumber(max)})`;
  const distance = floor === null || floor <= 0 ? '' : ` ${(median / floor).toFixed(2)}x floor`;
  return `${shortNumber(median)}${spread}${distance}`;
}

function chartGroups(rows: readonly Series[]): BarGroup[] {
  return [...Map.groupBy(rows, ({ measure }) => measure)].map(([label, group]) => ({
    label,
    bars: group
      .filter(({ server }) => server !== FLOOR)
      .map(({ server, values }) => ({ server, summary: summarize(values) })),
    floor: medianOf(group, FLOOR),
  }));
}

function medianOf(group: readonly Series[], name: string): number | null {
  const found = group.find(({ server }) => server === name);
  return found === undefined ? null : summarize(found.values).median;
}

function skippedSection({ skipped }: Results): string {
  if (skipped.length === 0) return '';
  const rows = skipped.map(({ part, measure, server, reason }) => [part, measure, server, reason]);
  return `## Not measured\n\n${markdownTable(['part', 'measure', 'server', 'reason'], rows)}`;
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
