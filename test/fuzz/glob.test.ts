import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, expandBraces, matchGlob } from '../../workers/vfs/glob.ts';

function matches(pattern: string, name: string, dotFiles = false): boolean {
  return matchGlob(compileGlob(pattern), name, dotFiles);
}

test('wildcards match as a shell has them', () => {
  assert.ok(matches('*.txt', 'a.txt'));
  assert.ok(!matches('*.txt', 'a.txt.gz'));
  assert.ok(matches('a?c', 'abc'));
  assert.ok(matches('[a-c]x', 'bx'));
  assert.ok(!matches('[!a-c]x', 'bx'));
  assert.ok(matches('[]x]y', ']y'));
  assert.ok(matches('\\*', '*'));
  assert.ok(!matches('\\*', 'a'));
  assert.ok(matches('[abc', '[abc'));
  assert.ok(!matches('*', '.hidden'));
  assert.ok(matches('*', '.hidden', true));
  assert.ok(matches('.h*', '.hidden'));
  assert.deepEqual(expandBraces('a{b,c}d{e,f}'), ['abde', 'abdf', 'acde', 'acdf']);
  assert.deepEqual(expandBraces('{a,{b,c}}x}{y'), ['ax}{y', 'bx}{y', 'ax}{y', 'cx}{y']);
  assert.deepEqual(expandBraces('{a}{,b},{c'), ['{a},{c', '{a}b,{c']);
});

const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.', '-'), maxLength: 12 });

test('stars and question marks agree with the regular expression they stand for', () => {
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 }), (pattern, name) => {
      const source = pattern.replace(/[.-]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
      assert.equal(matches(pattern, name, true), new RegExp(`^${source}$`).test(name));
    }),
  );
});

test('no pattern and no name take more than a moment', { timeout: 10_000 }, () => {
  const nasty = fc.string({
    unit: fc.constantFrom('*', 'a', '[', ']', '!', '{', '}', ',', '?', '\\'),
    maxLength: 500,
  });
  fc.assert(
    fc.property(nasty, fc.nat(255), (pattern, length) => {
      const started = performance.now();
      for (const one of expandBraces(pattern)) matchGlob(compileGlob(one), 'a'.repeat(length), true);
      assert.ok(performance.now() - started < 1_000);
    }),
    { numRuns: 200 },
  );
  const started = performance.now();
  matches('a*'.repeat(2_000) + 'b', 'a'.repeat(255));
  matches('['.repeat(4_000), 'a'.repeat(255));
  expandBraces('{a,b}'.repeat(100));
  expandBraces(`${'{a,b}'.repeat(6)}{${','.repeat(4_000)}`);
  assert.ok(performance.now() - started < 1_000);
});
