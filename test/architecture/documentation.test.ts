/** What the pages show works: examples load, links lead somewhere, lines fit. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkConfig } from '../../src/config/load-config.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** directives.md is generated, one line per directive. */
const GENERATED = 'docs/directives.md';
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
];

function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

for (const page of PAGES) {
  const examples = [...textOf(page).matchAll(/^```apache\n(.*?)^```$/gms)].map((match) => match[1]!);
  for (const [index, text] of examples.entries()) {
    test(`${page}: configuration example ${index + 1} loads without a finding`, async () => {
      const { findings } = await checkConfig({ file: `/${page}`, text, version: 1, environment: {} });
      assert.deepEqual(findings, []);
    });
  }

  test(`${page}: links lead to files, and lines have at most 120 characters`, () => {
    const text = textOf(page);
    for (const [, target] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(join(ROOT, dirname(page), target!)), `${page} links to ${target}`);
    }
    if (page === GENERATED) return;
    const long = text.split('\n').filter((line) => line.length > 120 && !line.startsWith('|'));
    assert.deepEqual(long, []);
  });
}
