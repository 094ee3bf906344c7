import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../../src/config/config-error.ts';
import { compilePosixRegex } from '../../../src/config/posix-regex.ts';

const matches = (pattern: string, text: string): boolean => compilePosixRegex(pattern).test(text);

test('bracket expressions are those of POSIX: classes, a leading ], ranges', () => {
  assert.ok(matches('^[[:alpha:]][[:digit:]]+$', 'a42'));
  assert.ok(!matches('^[[:alnum:]]+$', 'a_b'));
  assert.ok(matches('^[]a]+$', ']a]'));
  assert.ok(matches('^[^]]+$', 'abc'));
  assert.ok(matches('^[a-c[]+$', 'a[c'));
  assert.ok(matches('^[a-zA-Z0-9_. \\-]+$', 'a-b c.txt'));
});

test('a dot also matches a line end, so that no name slips past a filter', () => {
  assert.ok(matches('^a.b$', 'a\nb'));
});

test('braces count where they count and are text elsewhere', () => {
  assert.ok(matches('^a{2,3}$', 'aaa'));
  assert.ok(matches('^a{,2}$', 'aa'));
  assert.ok(matches('^{x}$', '{x}'));
});

test('Perl escapes that ProFTPD accepts are read, word edges included', () => {
  assert.ok(matches('^\\d+\\s\\w+$', '42 abc'));
  assert.ok(matches('\\<cat\\>', 'a cat here'));
  assert.ok(!matches('\\<cat\\>', 'concatenate'));
  assert.ok(matches('\\Aabc\\z', 'abc'));
  assert.ok(matches('(?i)^README$', 'readme'));
});

test('what cannot be translated is refused by name', () => {
  for (const [pattern, reason] of [
    ['*.txt', /Invalid preceding regular expression/],
    ['a**', /repeats a repetition/],
    ['a++', /repeats a repetition/],
    ['(?>a)', /group '\(\?>a' is not supported/],
    ['\\Qa\\E', /escape '\\Q' is not supported/],
    ['[[.hyphen.]]', /collating element/],
    ['[[:nope:]]', /Invalid character class name/],
    ['[abc', /brackets \(\[ \]\) not balanced/],
    ['(abc', /Unterminated group/],
    ['abc\\', /Trailing backslash/],
  ] as const) {
    assert.throws(
      () => compilePosixRegex(pattern),
      (error) => error instanceof ConfigError && reason.test(error.message),
      pattern,
    );
  }
});
