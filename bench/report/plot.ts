/** Bar charts as SVG: one group of bars for each measure, one bar for each server, a whisker for the spread. */
import type { Better } from '../harness/results.ts';
import type { Summary } from '../harness/statistics.ts';
import { shortNumber } from './text.ts';

export interface Bar {
  readonly server: string;
  readonly summary: Summary;
}

export interface BarGroup {
  readonly label: string;
  readonly bars: readonly Bar[];
  /** Drawn as a line across the group; null: none. */
  readonly floor: number | null;
}

export interface BarChart {
  readonly title: string;
  readonly better: Better;
  readonly groups: readonly BarGroup[];
}

const WIDTH = 1000;
const LABEL_WIDTH = 400;
const VALUE_WIDTH = 70;
const BAR_HEIGHT = 13;
const BAR_GAP = 2;
const GROUP_GAP = 12;
const TOP = 58;
const BOTTOM = 12;
/** Told apart also by people who do not see red and green alike (Okabe and Ito). */
const COLORS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#999999'];

/** A complete SVG document. Every group has its own scale only if values differ so much that bars would vanish. */
export function renderBarChart(chart: BarChart): string {
  const servers = [...new Set(chart.groups.flatMap(({ bars }) => bars.map(({ server }) => server)))];
  const colorOf = (server: string): string => COLORS[servers.indexOf(server) % COLORS.length]!;
  const largest = Math.max(0, ...chart.groups.map(largestOf));
  const parts: string[] = [];
  let y = TOP;
  for (const group of chart.groups) {
    parts.push(renderGroup(group, y, largest, colorOf));
    y += groupHeight(group) + GROUP_GAP;
  }
  const height = y - GROUP_GAP + BOTTOM;
  const heading = `${chart.title} (${chart.better === 'higher' ? 'more' : 'less'} is better)`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
      `font-family="sans-serif" font-size="11" role="img">`,
    `<title>${escapeXml(heading)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(12, 22, heading, 'font-size="15" font-weight="bold"'),
    renderLegend(servers, colorOf),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function largestOf(group: BarGroup): number {
  return Math.max(group.floor ?? 0, ...group.bars.map(({ summary }) => summary.max));
}

function groupHeight(group: BarGroup): number {
  return Math.max(1, group.bars.length) * (BAR_HEIGHT + BAR_GAP);
}

function renderGroup(
  group: BarGroup,
  top: number,
  largest: number,
  colorOf: (server: string) => string,
): string {
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const length = (value: number): number => (largest === 0 ? 0 : (value / largest) * room);
  const height = groupHeight(group);
  const lines = [text(LABEL_WIDTH - 8, top + height / 2 + 4, group.label, 'text-anchor="end"')];
  for (const [index, { server, summary }] of group.bars.entries()) {
    const y = top + index * (BAR_HEIGHT + BAR_GAP);
    const middle = y + BAR_HEIGHT / 2;
    lines.push(
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${fixed(length(summary.median))}" height="${BAR_HEIGHT}" ` +
        `fill="${colorOf(server)}"/>`,
      line(LABEL_WIDTH + length(summary.min), middle, LABEL_WIDTH + length(summary.max), middle, '#000000'),
      text(LABEL_WIDTH + length(summary.max) + 5, middle + 4, shortNumber(summary.median)),
    );
  }
  if (group.floor !== null) {
    const x = LABEL_WIDTH + length(group.floor);
    lines.push(
      `${line(x, top - 3, x, top + height + 1, '#000000').replace('/>', ' stroke-dasharray="3 2"/>')}`,
    );
  }
  return lines.join('\n');
}

function renderLegend(servers: readonly string[], colorOf: (server: string) => string): string {
  let x = 12;
  const entries: string[] = [];
  for (const server of servers) {
    entries.push(`<rect x="${x}" y="34" width="11" height="11" fill="${colorOf(server)}"/>`);
    entries.push(text(x + 15, 44, server));
    x += 30 + server.length * 7;
  }
  entries.push(text(x, 44, '- - floor', 'fill="#555555"'));
  return entries.join('\n');
}

function line(x1: number, y1: number, x2: number, y2: number, color: string): string {
  return `<line x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}" stroke="${color}"/>`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const more = attributes === '' ? '' : ` ${attributes}`;
  return `<text x="${fixed(x)}" y="${fixed(y)}"${more}>${escapeXml(content)}</text>`;
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escapeXml(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
