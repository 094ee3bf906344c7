import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { test } from 'node:test';
import { checkAccountFiles } from '../../../src/auth/account-file-check.ts';
import type { PartialSettings } from '../../../src/config/server-config.ts';
import { configWith, createFixture, SECRET } from './auth-fixture.ts';

test('missing, open and malformed account files are named before anybody logs in', (t) => {
  const fixture = createFixture(t);
  const users = fixture.write('users', `alice:${SECRET.md5}:1001:1001::/h:/bin/sh\nbroken:${SECRET.md5}\n`);
  const groups = fixture.write('groups', 'staff:x:50:alice\n', 0o644);
  const messages = (settings: PartialSettings) =>
    checkAccountFiles(configWith(settings), (work) => work()).map((problem) => problem.message);
  const files = { authUserFile: [{ path: users }], authGroupFile: [{ path: groups }] };

  assert.deepEqual(messages(files), []);
  assert.deepEqual(messages({ ...files, authFileOptions: ['SyntaxCheck'] }), [
    `syntax error on line 2 of '${users}': expected 7 fields`,
  ]);
  assert.deepEqual(messages({ authUserFile: [{ path: fixture.path('gone') }] }), [
    `unable to open AuthUserFile '${fixture.path('gone')}': ENOENT`,
  ]);
  chmodSync(users, 0o604);
  assert.deepEqual(messages(files), [`unable to use world-readable AuthUserFile '${users}'`]);
  assert.deepEqual(messages({ ...files, authFileOptions: ['InsecurePerms'] }), []);
});
