import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressListMatches,
  normaliseAddress,
  parseAddressPatterns,
} from '../../src/config/address-pattern.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseFtpAccess } from '../../src/config/ftp-access.ts';
import { globMatches } from '../../src/config/glob-match.ts';
import { splitWords } from '../../src/config/lexer.ts';
import { checkConfig, loadConfig, type LoadOptions } from '../../src/config/load-config.ts';
import { allDirectives } from '../../src/config/registry.ts';
import { memorySource } from '../unit/config/config-fixtures.ts';

const RUNS = { numRuns: 300 };
const LIMIT = { timeout: 60_000 };

function options(text: string): LoadOptions {
  return {
    file: '/x.conf',
    text,
    version: 1,
    environment: { A: 'a' },
    source: memorySource({ '/x.conf': text, '/d/a': text, '/d/b': 'ServerName b' }),
    resolver: { lookup: () => Promise.resolve(['192.0.2.1']), device: () => [] },
    homeOf: () => null,
  };
}

const names = allDirectives().map((row) => row.name);
const sections = [
  'VirtualHost',
  'Global',
  'Anonymous',
  'Directory',
  'Limit',
  'Class',
  'IfUser',
  'IfClass',
  'IfModule',
  'IfDefine',
];
const value = fc.oneof(
  fc.constantFrom(
    'on',
    'off',
    'none',
    '/a/b',
    '~',
    '1',
    '-1',
    '10.0.0.0/8',
    '*',
    '"',
    '\\',
    '%{env:A}',
    '#',
    '[',
    '(',
    '!',
    '/d/*',
    '/x.conf',
  ),
  fc.string({ maxLength: 12 }),
);
const values = fc.array(value, { maxLength: 4 }).map((list) => list.join(' '));
const line = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names, 'Include', 'Order', 'Allow'), values)
    .map(([name, rest]) => `${name} ${rest}`),
  fc.tuple(fc.constantFrom(...sections), values).map(([name, rest]) => `<${name} ${rest}>`),
  fc.constantFrom(...sections).map((name) => `</${name}>`),
  fc.string({ maxLength: 40, unit: 'binary' }),
);
const text = fc.array(line, { maxLength: 25 }).map((lines) => lines.join('\n'));

test('loading any text gives a configuration or a ConfigError, and ends', LIMIT, async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(text, fc.string({ maxLength: 400, unit: 'binary' })), async (input) => {
      try {
        const { config } = await loadConfig(options(input));
        assert.equal(config.virtualHosts[0]?.isMain, true);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        assert.match(error.toString(), /^fatal: /);
      }
    }),
    RUNS,
  );
});

test('a complete check of any text never throws, and agrees with loading about success', LIMIT, async () => {
  await fc.assert(
    fc.asyncProperty(text, async (input) => {
      const { config } = await checkConfig(options(input));
      const loaded = await loadConfig(options(input)).then(
        () => true,
        () => false,
      );
      assert.equal(config !== null, loaded);
    }),
    RUNS,
  );
});

test('any .ftpaccess gives a scope, and one with an error denies everything', LIMIT, () => {
  fc.assert(
    fc.property(text, (input) => {
      const { scope, findings } = parseFtpAccess(input, '/.ftpaccess');
      const wrong = findings.some((finding) => finding.kind === 'error' || finding.kind === 'refused');
      if (wrong) assert.equal(scope.limits[0]?.denyAll, true);
    }),
    RUNS,
  );
});

test('quoted words come back as they were', LIMIT, () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (list) => {
      const written = list.map((word) => `"${word.replace(/[\\"]/g, '\\$&')}"`).join(' ');
      assert.deepEqual(
        splitWords(written).words.map((word) => word.text),
        list,
      );
    }),
    RUNS,
  );
});

test('any address words either parse or are refused, and matching them never throws', LIMIT, () => {
  const word = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string(),
    fc.ipV4Extended(),
    fc.stringMatching(/^!?[0-9a-f:.]{0,20}(\/\d{1,3})?$/),
  );
  fc.assert(
    fc.property(fc.array(word), fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (list, address) => {
      try {
        addressListMatches(parseAddressPatterns(list), { address, hostName: address });
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    }),
    RUNS,
  );
});

test('every IPv6 address has one canonical text, and matches itself', LIMIT, () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const normal = normaliseAddress(address);
      assert.ok(normal !== null);
      assert.equal(normaliseAddress(normal), normal);
      assert.ok(addressListMatches(parseAddressPatterns([address]), { address: normal, hostName: '' }));
    }),
    RUNS,
  );
});

test('a pattern of stars and letters matches what the same regular expression matches', LIMIT, () => {
  const pattern = fc.stringMatching(/^[ab*?/]{0,10}$/);
  fc.assert(
    fc.property(pattern, fc.stringMatching(/^[ab/]{0,12}$/), (glob, name) => {
      const source = glob.replace(/\*/g, '[^]*').replace(/\?/g, '[^]');
      assert.equal(globMatches(glob, name), new RegExp(`^${source}$`).test(name));
    }),
    { numRuns: 2000 },
  );
});
