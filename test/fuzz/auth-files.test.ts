import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  parseGroupFile,
  parseNameList,
  parsePasswordFile,
  parseShadowFile,
} from '../../src/config/account-files.ts';

const field = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    '',
    '0',
    '-1',
    '4294967295',
    '4294967294',
    '00',
    '0x10',
    ' 1',
    '1\0',
    '٠',
    'root',
    '/',
    '\r',
  ),
);
const line = fc.oneof(
  fc.array(field, { maxLength: 10 }).map((fields) => fields.join(':')),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const text = fc.array(line, { maxLength: 20 }).map((lines) => lines.join('\n'));

test('account file parsers never throw, and an id is always what the text says', () => {
  fc.assert(
    fc.property(text, (content) => {
      const lines = content.split('\n').map((each) => each.replace(/\r$/, ''));
      const passwd = parsePasswordFile(content);
      for (const { name, uid, gid, home } of passwd.entries) {
        assert.ok(Number.isInteger(uid) && uid >= 0 && uid <= 4_294_967_294);
        assert.ok(home.startsWith('/') && name !== '');
        const source = lines.map((each) => each.split(':')).filter((fields) => fields.length === 7);
        const same = (digits: string | undefined, id: number) =>
          /^[0-9]+$/.test(digits ?? '') && Number(digits) === id;
        assert.ok(
          source.some((fields) => fields[0] === name && same(fields[2], uid) && same(fields[3], gid)),
        );
      }
      for (const { gid } of parseGroupFile(content).entries) assert.ok(Number.isInteger(gid) && gid >= 0);
      for (const { lastChange } of parseShadowFile(content).entries) {
        assert.ok(lastChange === null || Number.isInteger(lastChange));
      }
      assert.ok(passwd.entries.length + passwd.problems.length <= lines.length);
      assert.ok(!parseNameList(content).has(''));
    }),
    { numRuns: 1000 },
  );
});

test('a well-formed file comes back as it was written, whatever stands around it', () => {
  const name = fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,15}$/);
  const id = fc.integer({ min: 0, max: 4_294_967_294 });
  const entry = fc.record(
    { name, uid: id, gid: id, shell: fc.constantFrom('', '/bin/sh') },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(entry, line), { maxLength: 10 }), (pairs) => {
      const garbage = new Set(
        pairs.flatMap(([, noise]) => noise.split('\n').map((each) => each.split(':')[0] ?? '')),
      );
      const content = pairs
        .map(([e, noise]) => `${e.name}:h:${e.uid}:${e.gid}::/h:${e.shell}\n${noise}`)
        .join('\n');
      const entries = parsePasswordFile(content).entries.filter((each) => !garbage.has(each.name));
      const expected = pairs.map(([each]) => each).filter((each) => !garbage.has(each.name));
      assert.deepEqual(
        entries.map(({ name: user, uid, gid, shell }) => ({ name: user, uid, gid, shell })),
        expected,
      );
    }),
    { numRuns: 500 },
  );
});
