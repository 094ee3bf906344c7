/** Writes a run's files: <date>.json, <date>.md and the plots in <date>/. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Results } from '../harness/results.ts';
import { renderPage, type PartText } from './page.ts';

/** @returns path of the page */
export function writeResults(folder: string, results: Results, texts: readonly PartText[]): string {
  // 2026-11-21T04:19:32.123Z: the seconds keep two runs apart, the colons trouble some file systems.
  const name = results.date.slice(0, 19).replaceAll(':', '-');
  const { markdown, plots } = renderPage(results, texts, name);
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(results, null, 1)}\n`);
  for (const [file, svg] of plots) writeFileSync(join(folder, name, file), svg);
  const page = join(folder, `${name}.md`);
  writeFileSync(page, markdown);
  return page;
}

/** Path of the newest result file. @throws Error when there is none */
export function newestResults(folder: string): string {
  const newest = readdirSync(folder)
    .filter((name) => /^\d{4}-\d\d-\d\dT[\d-]+\.json$/.test(name))
    .toSorted()
    .at(-1);
  if (newest === undefined) throw new Error(`no result file in ${folder}`);
  return join(folder, newest);
}
