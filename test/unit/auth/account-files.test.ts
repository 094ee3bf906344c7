import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  filterGroupEntries,
  filterPasswordEntries,
  insecureAccountFile,
  parseGroupFile,
  parseNameList,
  parsePasswordFile,
  parseShadowFile,
} from '../../../src/config/account-files.ts';

describe('a password file', () => {
  test('gives its entries in order, without comments, blank lines and NIS entries', () => {
    const { entries, problems } = parsePasswordFile(
      '# staff\n\nalice:HASH:1001:1002:Alice A.:/home/alice:/bin/sh\r\n+::::::\n+@net::::::\nbob::1003:1003:::\n',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(
      entries.map(({ name, uid, gid, home, shell }) => [name, uid, gid, home, shell]),
      [
        ['alice', 1001, 1002, '/home/alice', '/bin/sh'],
        ['bob', 1003, 1003, '/', ''],
      ],
    );
    assert.equal(entries[0]?.hash.reveal(), 'HASH');
  });

  test('an id that is no number leaves the line out: it never becomes 0', () => {
    for (const id of ['', '-1', '0x0', ' 0', '1e3', '4294967295', '99999999999', '٣']) {
      const { entries, problems } = parsePasswordFile(
        `eve:HASH:${id}:5::/:/bin/sh\neve:HASH:5:${id}::/:/bin/sh\n`,
      );
      assert.deepEqual(entries, [], id);
      assert.deepEqual(
        problems.map((problem) => [problem.line, problem.reason]),
        [
          [1, 'invalid uid'],
          [2, 'invalid gid'],
        ],
      );
    }
  });

  test('problems name the line and never quote it', () => {
    const { problems } = parsePasswordFile('alice:$6$topsecret:1001\n:$6$topsecret:1:1::/:/bin/sh\n');
    assert.equal(problems.length, 2);
    assert.ok(!JSON.stringify(problems).includes('topsecret'));
  });

  test('filters by id, home and name hide entries', () => {
    const { entries } = parsePasswordFile('a:h:10:1::/web/a:s\nb:h:20:1::/web/b:s\nc:h:30:1::/home/c:s\n');
    const names = (filter: object) =>
      filterPasswordEntries(entries, { path: '/x', ...filter }).map((entry) => entry.name);
    assert.deepEqual(names({}), ['a', 'b', 'c']);
    assert.deepEqual(names({ ids: { min: 15, max: 30 } }), ['b', 'c']);
    assert.deepEqual(names({ home: { pattern: /^\/web/, negate: false } }), ['a', 'b']);
    assert.deepEqual(
      names({ home: { pattern: /^\/web/, negate: true }, name: { pattern: /c/, negate: false } }),
      ['c'],
    );
  });
});

describe('a group file', () => {
  test('gives gid and members, and filters by id and name', () => {
    const { entries, problems } = parseGroupFile('staff:x:50:alice, bob,\nbad:x:zero:\nftp:x:121:\n');
    assert.deepEqual(entries, [
      { name: 'staff', gid: 50, members: ['alice', 'bob'] },
      { name: 'ftp', gid: 121, members: [] },
    ]);
    assert.deepEqual(problems, [{ line: 2, reason: 'invalid gid' }]);
    const kept = filterGroupEntries(entries, { path: '/x', ids: { min: 100, max: 200 } });
    assert.deepEqual(kept, [{ name: 'ftp', gid: 121, members: [] }]);
  });
});

test('a shadow file gives hashes and days, empty fields as null', () => {
  const { entries } = parseShadowFile('alice:HASH:19000:0:99999:7::20000:\nbob:!:::::::\n');
  assert.deepEqual(
    entries.map(({ name, lastChange, maxDays, expires }) => [name, lastChange, maxDays, expires]),
    [
      ['alice', 19000, 99999, 20000],
      ['bob', null, null, null],
    ],
  );
});

test('shell and ftpusers lists leave out comments and blank lines', () => {
  assert.deepEqual([...parseNameList('# x\n/bin/sh\n\n  /bin/bash # yes\n')], ['/bin/sh', '/bin/bash']);
});

test('permissions: user files must be private, group files not writable, directories not open to all', () => {
  const verdict = (directive: 'AuthUserFile' | 'AuthGroupFile', fileMode: number, directoryMode = 0o755) =>
    insecureAccountFile(directive, '/f', { fileMode, directoryMode }, []);
  assert.equal(verdict('AuthUserFile', 0o600), null);
  assert.equal(verdict('AuthUserFile', 0o640), null);
  assert.equal(verdict('AuthUserFile', 0o644), "unable to use world-readable AuthUserFile '/f'");
  assert.equal(verdict('AuthGroupFile', 0o644), null);
  assert.equal(verdict('AuthGroupFile', 0o646), "unable to use world-writable AuthGroupFile '/f'");
  assert.equal(
    verdict('AuthUserFile', 0o600, 0o777),
    "unable to use AuthUserFile '/f' from world-writable directory",
  );
  assert.equal(verdict('AuthUserFile', 0o600, 0o1777), null);
  assert.equal(
    insecureAccountFile('AuthUserFile', '/f', { fileMode: 0o666, directoryMode: 0o777 }, ['InsecurePerms']),
    null,
  );
});
