import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openUserStore } from '../../../src/auth/user-store.ts';
import type { PartialSettings, ServerConfig, VirtualHost } from '../../../src/config/server-config.ts';
import { Secret } from '../../../src/log/secret.ts';
import { anonymousSection, configWith, createFixture, loginLimit, SECRET } from './auth-fixture.ts';
import type { Fixture } from './auth-fixture.ts';

const ROUTE = 'from client.example [192.0.2.9] to 192.0.2.1:2121';
const names = (...list: string[]) => ({
  mode: 'or' as const,
  terms: list.map((name) => ({ name, negate: false })),
});

/** alice and bob with `secret`, root with uid 0; RequireValidShell off unless `settings` say otherwise. */
function setUp(
  t: TestContext,
  settings: PartialSettings = {},
  parts: Partial<VirtualHost> = {},
): { fixture: Fixture; config: ServerConfig } {
  const fixture = createFixture(t);
  const users = fixture.write(
    'users',
    [
      `alice:${SECRET.sha512}:1001:1002::/home/alice:/bin/bash`,
      `bob:${SECRET.sha512}:1003:1003::/home/bob:/bin/bash`,
      `toor:${SECRET.sha512}:0:0::/root:/bin/bash`,
      'empty::1005:1005::/home/empty:/bin/bash',
      `locked:!${SECRET.sha512}:1006:1006::/home/locked:/bin/bash`,
      'clear:secret:1007:1007::/home/clear:/bin/bash',
      '',
    ].join('\n'),
  );
  const groups = fixture.write('groups', 'alices:x:1002:\ntrusted:x:2000:bob,alice\n');
  const files = { authUserFile: [{ path: users }], authGroupFile: [{ path: groups }] };
  return { fixture, config: configWith({ ...files, requireValidShell: false, ...settings }, parts) };
}

describe('a right password', () => {
  test('gives the account of the file with its groups, and only loginCompleted says so in the log', async (t) => {
    const { fixture, config } = setUp(t);
    const result = await fixture.login(config);
    assert.deepEqual(result, {
      ok: true,
      anonymous: null,
      account: {
        user: 'alice',
        uid: 1001,
        gid: 1002,
        groupName: 'alices',
        groupIds: [1002, 2000],
        groups: ['alices', 'trusted'],
        home: '/home/alice',
        shell: '/bin/bash',
      },
    });
    assert.deepEqual(fixture.lines, []);
    assert.ok(result.ok);
    fixture.auth.loginCompleted('alice', result.account, null, fixture.origin);
    fixture.auth.loginCompleted('anonymous', result.account, 0, fixture.origin);
    fixture.auth.loginCompleted('toor', { ...result.account, uid: 0 }, null, fixture.origin);
    assert.deepEqual(fixture.lines, [
      'info USER alice: Login successful.',
      'info ANON anonymous: Login successful.',
      'notice ROOT FTP login successful',
      'info USER toor: Login successful.',
    ]);
  });

  test('acts at once after the file was edited', async (t) => {
    const { fixture, config } = setUp(t);
    assert.equal((await fixture.login(config)).ok, true);
    fixture.write('users', `alice:!${SECRET.sha512}:1001:1002::/home/alice:/bin/bash\n`);
    assert.equal((await fixture.login(config)).ok, false);
    fixture.write('users', `alice:${SECRET.sha512}:1001:1002::/home/alice:/bin/bash\n`);
    assert.equal((await fixture.login(config)).ok, true);
  });

  test('a user without groups gets exactly the primary gid, and no group 0', async (t) => {
    const { fixture, config } = setUp(t, { authGroupFile: [] });
    const result = await fixture.login(config);
    assert.ok(result.ok);
    assert.deepEqual(result.account.groupIds, [1002]);
    assert.deepEqual(result.account.groups, ['1002']);
  });

  test('a virtual user does not inherit the groups of a system user of the same name', async (t) => {
    const { fixture, config } = setUp(t, { authGroupFile: [] });
    fixture.write('etc/group', 'root:x:0:alice\nsudo:x:27:alice\n');
    const result = await fixture.login(config);
    assert.ok(result.ok);
    assert.deepEqual(result.account.groupIds, [1002]);
  });
});

describe('every refusal leaves its line in the log and looks the same to the client', () => {
  const cases: {
    name: string;
    line: string;
    settings?: PartialSettings;
    parts?: Partial<VirtualHost>;
    claim: { loginName: string; password: string; protocol?: string };
    files?: Record<string, string>;
    disconnect?: boolean;
  }[] = [
    {
      name: 'wrong password',
      line: 'notice USER alice (Login failed): Incorrect password',
      claim: { loginName: 'alice', password: 'wrong' },
    },
    {
      name: 'unknown user',
      line: `notice USER nobody9: no such user found ${ROUTE}`,
      claim: { loginName: 'nobody9', password: 'secret' },
    },
    {
      name: 'empty hash',
      line: 'notice USER empty (Login failed): Incorrect password',
      claim: { loginName: 'empty', password: '' },
    },
    {
      name: 'locked hash',
      line: 'notice USER locked (Login failed): Incorrect password',
      claim: { loginName: 'locked', password: 'secret' },
    },
    {
      name: 'clear text in the file',
      line: 'notice USER clear (Login failed): Unsupported password hash',
      claim: { loginName: 'clear', password: 'secret' },
    },
    {
      name: 'root',
      line: 'crit SECURITY VIOLATION: Root login attempted',
      claim: { loginName: 'toor', password: 'secret' },
    },
    {
      name: '<Limit LOGIN> before the password',
      line: 'notice USER bob (Login failed): Limit access denies login',
      claim: { loginName: 'bob', password: 'wrong' },
      parts: { limits: [loginLimit({ denyUser: [names('bob')] })] },
    },
    {
      name: '<Limit LOGIN> by group',
      line: 'notice USER bob (Login failed): Limit access denies login',
      claim: { loginName: 'bob', password: 'secret' },
      parts: { limits: [loginLimit({ denyGroup: [names('trusted')] })] },
    },
    {
      name: '<Limit LOGIN> in an <IfUser> section, after the password',
      line: 'notice USER bob: Limit access denies login',
      claim: { loginName: 'bob', password: 'secret' },
      parts: {
        conditionals: [
          {
            kind: 'user',
            expression: names('bob'),
            settings: {},
            limits: [loginLimit({ denyAll: true })],
            directories: [],
            anonymous: [],
            location: { file: 'test.conf', line: 3 },
          },
        ],
      },
    },
    {
      name: 'invalid shell',
      line: "notice USER alice (Login failed): Invalid shell: '/bin/bash'",
      settings: { requireValidShell: true },
      files: { 'etc/shells': '# valid\n/bin/sh\n' },
      claim: { loginName: 'alice', password: 'secret' },
    },
    {
      name: 'ftpusers',
      line: 'notice USER alice (Login failed): User in /etc/ftpusers',
      files: { 'etc/ftpusers': 'root\nalice # not over FTP\n' },
      claim: { loginName: 'alice', password: 'secret' },
    },
    {
      name: 'Protocols',
      line: 'notice USER alice: ftp protocol denied by Protocols config',
      settings: { protocols: ['sftp', 'ftps'] },
      claim: { loginName: 'alice', password: 'secret', protocol: 'ftp' },
      disconnect: true,
    },
    {
      name: 'AuthAliasOnly',
      line: `notice USER alice: user is not a UserAlias ${ROUTE}`,
      settings: { authAliasOnly: true },
      claim: { loginName: 'alice', password: 'secret' },
    },
    {
      name: 'disabled system account',
      line: 'notice USER sys (Login failed): Account disabled',
      files: {
        'etc/passwd': 'sys:x:1100:1100::/home/sys:/bin/sh\n',
        'etc/shadow': `sys:${SECRET.sha512}:19000:0:99999:7::19500:\n`,
      },
      claim: { loginName: 'sys', password: 'secret' },
    },
    {
      name: 'expired password',
      line: 'notice USER sys (Login failed): Password expired',
      files: {
        'etc/passwd': 'sys:x:1100:1100::/home/sys:/bin/sh\n',
        'etc/shadow': `sys:${SECRET.sha512}:15000:0:30:7:::\n`,
      },
      claim: { loginName: 'sys', password: 'secret' },
    },
    {
      name: 'a system user without shadow entry',
      line: 'notice USER sys (Login failed): Incorrect password',
      files: { 'etc/passwd': 'sys:x:1100:1100::/home/sys:/bin/sh\n' },
      claim: { loginName: 'sys', password: 'x' },
    },
  ];
  for (const { name, line, settings, parts, claim, files, disconnect = false } of cases) {
    test(name, async (t) => {
      const { fixture, config } = setUp(t, settings, parts);
      for (const [file, text] of Object.entries(files ?? {})) fixture.write(file, text);
      const result = await fixture.login(config, claim);
      assert.equal(result.ok, false);
      assert.ok(!result.ok && (result.code === 'bad-credentials' || result.code === 'denied'));
      assert.equal(!result.ok && result.disconnect, disconnect);
      assert.deepEqual(fixture.lines, [line]);
      // One hash of the store's commonest cost, whoever asked and whatever was wrong. (The clear-text entry is looked
      // at and refused before that.)
      assert.deepEqual(
        fixture.jobs.filter((job) => job !== 'unsupported'),
        ['$6$5000'],
      );
    });
  }

  test('no line and no result ever holds the password or a hash', async (t) => {
    const { fixture, config } = setUp(t);
    const results = [];
    for (const loginName of ['alice', 'nobody9', 'locked', 'clear', 'toor']) {
      results.push(await fixture.login(config, { loginName, password: 'Tr0ub4dor&3' }));
    }
    const everything = JSON.stringify([fixture.lines, results]);
    assert.ok(!everything.includes('Tr0ub4dor'));
    assert.ok(!everything.includes('$6$') && !everything.includes('abcdefgh'));
  });
});

describe('the decoy of an unknown user', () => {
  test('has the cost most hashes of the files have', async (t) => {
    const fixture = createFixture(t);
    const line = (name: string, hash: string) => `${name}:${hash}:1001:1001::/home/${name}:/bin/sh\n`;
    const path = fixture.write(
      'users',
      line('a', SECRET.md5) + line('b', SECRET.sha256) + line('c', SECRET.sha256) + line('d', '!'),
    );
    const config = configWith({ authUserFile: [{ path }] });
    await fixture.login(config, { loginName: 'unknown' });
    assert.deepEqual(fixture.jobs, ['$5$5000']);
  });

  test('is PBKDF2 with our rounds where no file holds a hash', async (t) => {
    const fixture = createFixture(t);
    await fixture.login(configWith({}), { loginName: 'unknown' });
    assert.deepEqual(fixture.jobs, ['pbkdf2-sha256:600000']);
  });

  test('never lets anybody in, even with the sampled user’s password', async (t) => {
    const { fixture, config } = setUp(t);
    assert.equal((await fixture.login(config, { loginName: 'unknown', password: 'secret' })).ok, false);
    assert.equal((await fixture.login(config, { loginName: 'locked', password: 'secret' })).ok, false);
  });
});

describe('MaxLoginAttempts', () => {
  test('disconnects at the N-th failure, and answers nothing more on that connection', async (t) => {
    const { fixture, config } = setUp(t, { maxLoginAttempts: 2 });
    const first = await fixture.login(config, { password: 'wrong' });
    assert.deepEqual(first, { ok: false, code: 'bad-credentials', disconnect: false });
    const second = await fixture.login(config, { password: 'wrong' });
    assert.deepEqual(second, { ok: false, code: 'too-many-attempts', disconnect: true });
    assert.equal(fixture.lines.at(-1), 'notice Maximum login attempts (2) exceeded, connection refused');
    const jobs = fixture.jobs.length;
    const third = await fixture.login(config);
    assert.deepEqual(third, { ok: false, code: 'too-many-attempts', disconnect: true });
    assert.equal(fixture.jobs.length, jobs);
  });

  test('counts per connection, and 0 means no limit', async (t) => {
    const { fixture, config } = setUp(t, { maxLoginAttempts: 1 });
    await fixture.login(config, { password: 'wrong' });
    fixture.auth.forgetSession(fixture.origin.sessionId);
    assert.equal((await fixture.login(config)).ok, true);
    const unlimited = configWith({ ...config.virtualHosts[0]!.settings, maxLoginAttempts: 0 });
    for (let i = 0; i < 5; i++) {
      const result = await fixture.login(unlimited, { password: 'wrong' });
      assert.equal(!result.ok && result.disconnect, false);
    }
  });

  test('a check the server could not make costs no attempt and says so in the log', async (t) => {
    const { fixture, config } = setUp(t, { maxLoginAttempts: 1 });
    fixture.poolVerdict = 'overloaded';
    const result = await fixture.login(config);
    assert.deepEqual(result, { ok: false, code: 'unavailable', disconnect: false });
    assert.deepEqual(fixture.lines, ['error USER alice (Login failed): Password check overloaded']);
    fixture.poolVerdict = null;
    assert.equal((await fixture.login(config)).ok, true);
  });
});

describe('passwords that are refused unseen', () => {
  test('AllowEmptyPasswords off', async (t) => {
    const { fixture, config } = setUp(t, { allowEmptyPasswords: false });
    const result = await fixture.login(config, { password: '' });
    assert.deepEqual(result, { ok: false, code: 'empty-password', disconnect: false });
    assert.deepEqual(fixture.lines, ["notice Refusing empty password from user 'alice'"]);
    assert.deepEqual(fixture.jobs, []);
  });

  test('MaxPasswordSize, counted in bytes', async (t) => {
    const { fixture, config } = setUp(t, { maxPasswordSize: 6 });
    assert.equal((await fixture.login(config, { password: 'secret' })).ok, true);
    const result = await fixture.login(config, { password: 'ßßßß' });
    assert.deepEqual(result, { ok: false, code: 'password-too-long', disconnect: false });
  });

  test('no password without a certificate', async (t) => {
    const { fixture, config } = setUp(t);
    assert.equal((await fixture.login(config, { password: null })).ok, false);
  });
});

describe('a certificate login', () => {
  const certificate = { password: null, verifiedByCertificate: true };

  test('needs no password, computes no hash, and is not an empty password', async (t) => {
    const { fixture, config } = setUp(t, { allowEmptyPasswords: false });
    assert.equal((await fixture.login(config, certificate)).ok, true);
    assert.deepEqual(fixture.jobs, []);
  });

  test('passes the same policy: root, limits, shell', async (t) => {
    const limits = [loginLimit({ denyUser: [names('bob')] })];
    const { fixture, config } = setUp(t, {}, { limits });
    assert.equal((await fixture.login(config, { ...certificate, loginName: 'toor' })).ok, false);
    assert.equal((await fixture.login(config, { ...certificate, loginName: 'bob' })).ok, false);
    assert.equal((await fixture.login(config, { ...certificate, loginName: 'unknown' })).ok, false);
  });
});

describe('RootLogin on', () => {
  test('lets uid 0 in with its password', async (t) => {
    const { fixture, config } = setUp(t, { rootLogin: true });
    const result = await fixture.login(config, { loginName: 'toor' });
    assert.ok(result.ok);
    assert.equal(result.account.uid, 0);
  });
});

describe('AuthOrder', () => {
  const both = {
    'etc/passwd': 'alice:x:500:500::/home/system:/bin/sh\n',
    'etc/shadow': 'alice:HASH:19000:0:99999:7:::\n',
  };
  // openssl passwd -1 -salt abcdefgh, of `system`.
  const system = '$1$abcdefgh$4c91C/qthhad5s4725/NB/';

  function withSystemAlice(t: TestContext, authOrder: PartialSettings['authOrder'] & object) {
    const { fixture, config } = setUp(t, { authOrder });
    fixture.write('etc/passwd', both['etc/passwd']);
    fixture.write('etc/shadow', both['etc/shadow'].replace('HASH', system));
    return { fixture, config };
  }
  const file = { module: 'mod_auth_file.c', authoritative: false };
  const unix = { module: 'mod_auth_unix.c', authoritative: false };

  test('a module that does not accept the password leaves it to the next one', async (t) => {
    const { fixture, config } = withSystemAlice(t, [file, unix]);
    const result = await fixture.login(config, { password: 'system' });
    assert.ok(result.ok);
    // The account stays the first module's: root and limit checks were about that one.
    assert.equal(result.account.uid, 1001);
  });

  test('an authoritative module ends the search, for wrong passwords and for unknown users', async (t) => {
    const { fixture, config } = withSystemAlice(t, [{ ...file, authoritative: true }, unix]);
    assert.equal((await fixture.login(config, { password: 'system' })).ok, false);
    assert.equal((await fixture.login(config, { loginName: 'ftp', password: 'x' })).ok, false);
    assert.equal(fixture.lines.at(-1), `notice USER ftp: no such user found ${ROUTE}`);
    assert.equal((await fixture.login(config, { password: 'secret' })).ok, true);
  });

  test('with mod_auth_file alone system users cannot log in', async (t) => {
    const { fixture, config } = setUp(t, { authOrder: [file], rootLogin: true });
    fixture.write('etc/passwd', `sys:${SECRET.md5}:1100:1100::/home/sys:/bin/sh\n`);
    assert.equal((await fixture.login(config, { loginName: 'sys' })).ok, false);
  });

  test('a module this server does not have is named once and skipped, even an authoritative one', async (t) => {
    const { fixture, config } = withSystemAlice(t, [{ module: 'mod_auth_pam.c', authoritative: true }, unix]);
    assert.equal((await fixture.login(config, { password: 'system' })).ok, true);
    assert.equal((await fixture.login(config, { password: 'system' })).ok, true);
    assert.deepEqual(fixture.lines, [
      "warn AuthOrder: no such module 'mod_auth_pam.c' in this server, skipping it",
    ]);
  });
});

describe('UserPassword and GroupPassword', () => {
  test('take the place of the file’s password', async (t) => {
    const { fixture, config } = setUp(t, {
      userPassword: [{ name: 'empty', hash: SECRET.md5 }],
      groupPassword: [{ name: 'trusted', hash: '$1$abcdefgh$4c91C/qthhad5s4725/NB/' }],
    });
    assert.equal((await fixture.login(config, { loginName: 'empty' })).ok, true);
    assert.equal((await fixture.login(config, { loginName: 'bob', password: 'system' })).ok, true);
    assert.equal((await fixture.login(config, { loginName: 'bob', password: 'secret' })).ok, false);
  });
});

describe('UserAlias', () => {
  test('maps the login name; the log keeps the name the client sent', async (t) => {
    const settings = { userAlias: [{ alias: 'al', user: 'alice' }], authAliasOnly: true };
    const { fixture, config } = setUp(t, settings);
    const result = await fixture.login(config, { loginName: 'al' });
    assert.ok(result.ok);
    assert.equal(result.account.user, 'alice');
    await fixture.login(config, { loginName: 'al', password: 'wrong' });
    assert.deepEqual(fixture.lines, ['notice USER al (Login failed): Incorrect password']);
  });
});

describe('<Anonymous>', () => {
  const section = (settings: PartialSettings = {}, root = '/srv/ftp') =>
    anonymousSection(
      { user: 'ftp', group: 'nogroup', userAlias: [{ alias: 'anonymous', user: 'ftp' }], ...settings },
      { root },
    );

  for (const loginName of ['ftp', 'anonymous']) {
    test(`${loginName} enters with any password, as the section's User and Group, rooted in its directory`, async (t) => {
      const { fixture, config } = setUp(t, {}, { anonymous: [section()] });
      const result = await fixture.login(config, { loginName, password: 'me@example.com' });
      assert.deepEqual(result, {
        ok: true,
        anonymous: 0,
        account: {
          user: 'ftp',
          uid: 121,
          gid: 65534,
          groupName: 'nogroup',
          groupIds: [65534],
          groups: ['nogroup'],
          home: '/srv/ftp',
          shell: '/bin/false',
        },
      });
      assert.deepEqual(fixture.jobs, []);
    });
  }

  test('`~ftp` and `~` are the home of its User', async (t) => {
    for (const root of ['~ftp', '~', '~ftp/pub']) {
      const { fixture, config } = setUp(t, {}, { anonymous: [section({}, root)] });
      const result = await fixture.login(config, { loginName: 'ftp', password: 'x' });
      assert.ok(result.ok);
      assert.equal(result.account.home, root.endsWith('pub') ? '/srv/ftp/pub' : '/srv/ftp');
    }
  });

  test('AuthAliasOnly in the section: the alias enters, the user’s own name is an ordinary login', async (t) => {
    const { fixture, config } = setUp(t, {}, { anonymous: [section({ authAliasOnly: true })] });
    assert.equal((await fixture.login(config, { loginName: 'anonymous', password: 'x' })).ok, true);
    assert.equal((await fixture.login(config, { loginName: 'ftp', password: 'x' })).ok, false);
    assert.equal(fixture.lines.at(-1), 'notice USER ftp (Login failed): Incorrect password');
  });

  test('AnonRequirePassword asks for the password of its User, with AuthUsingAlias for the alias’s', async (t) => {
    const settings = {
      user: 'bob',
      group: null,
      anonRequirePassword: true,
      userAlias: [{ alias: 'alice', user: 'bob' }],
    };
    const { fixture, config } = setUp(t, {}, { anonymous: [section(settings)] });
    assert.equal((await fixture.login(config, { loginName: 'bob', password: 'x@y' })).ok, false);
    assert.equal((await fixture.login(config, { loginName: 'bob', password: 'secret' })).ok, true);

    const other = setUp(t, {}, { anonymous: [section({ ...settings, authUsingAlias: true })] });
    other.fixture.write(
      'users',
      `alice:${SECRET.sha512}:1001:1002::/home/alice:/bin/sh\nbob:!:1003:1003::/home/bob:/bin/sh\n`,
    );
    const result = await other.fixture.login(other.config, { loginName: 'alice' });
    assert.ok(result.ok);
    assert.equal(result.account.uid, 1003);
    assert.equal((await other.fixture.login(other.config, { loginName: 'bob' })).ok, false);
  });

  test('AnonRejectPasswords', async (t) => {
    const anonRejectPasswords = { pattern: /@evil/, negate: false };
    const { fixture, config } = setUp(t, {}, { anonymous: [section({ anonRejectPasswords })] });
    assert.equal((await fixture.login(config, { loginName: 'ftp', password: 'a@good' })).ok, true);
    assert.equal((await fixture.login(config, { loginName: 'ftp', password: 'a@evil' })).ok, false);
    assert.deepEqual(fixture.lines, ['notice ANON ftp: AnonRejectPasswords denies login']);
  });

  test('<Limit LOGIN> of the section', async (t) => {
    const anonymous = [{ ...section(), limits: [loginLimit({ denyAll: true })] }];
    const { fixture, config } = setUp(t, {}, { anonymous });
    assert.equal((await fixture.login(config, { loginName: 'anonymous', password: 'x' })).ok, false);
    assert.deepEqual(fixture.lines, ['notice ANON anonymous (Login failed): Limit access denies login']);
  });

  test('an unknown User or Group lets nobody in', async (t) => {
    const unknownUser = setUp(t, {}, { anonymous: [section({ user: 'ghost', userAlias: [] })] });
    assert.equal(
      (await unknownUser.fixture.login(unknownUser.config, { loginName: 'ghost', password: 'x' })).ok,
      false,
    );
    assert.deepEqual(unknownUser.fixture.lines, [`notice ANON ghost: no such user found ${ROUTE}`]);
    const unknownGroup = setUp(t, {}, { anonymous: [section({ group: 'ghosts' })] });
    assert.equal(
      (await unknownGroup.fixture.login(unknownGroup.config, { loginName: 'ftp', password: 'x' })).ok,
      false,
    );
    assert.deepEqual(unknownGroup.fixture.lines, ["notice ANON ftp (Login failed): no such group 'ghosts'"]);
  });
});

describe('USER', () => {
  const inquire = (fixture: Fixture, config: ServerConfig, loginName: string) =>
    fixture.auth.inquireUser(config, { loginName, virtualHost: 0, configVersion: 1, className: null });

  test('is answered the same for known and unknown users but for the home main keeps', async (t) => {
    const { fixture, config } = setUp(t);
    const known = await inquire(fixture, config, 'alice');
    const unknown = await inquire(fixture, config, 'nobody9');
    assert.deepEqual(known, { anonymous: null, passwordRequired: true, user: 'alice', home: '/home/alice' });
    assert.deepEqual(unknown, { anonymous: null, passwordRequired: true, user: 'nobody9', home: null });
    assert.deepEqual(fixture.lines, []);
  });

  test('knows anonymous sections and whether they want the real password', async (t) => {
    const free = anonymousSection({ user: 'ftp', userAlias: [{ alias: 'anonymous', user: 'ftp' }] });
    const strict = anonymousSection({ user: 'bob', anonRequirePassword: true });
    const { fixture, config } = setUp(t, {}, { anonymous: [free, strict] });
    assert.deepEqual(await inquire(fixture, config, 'anonymous'), {
      anonymous: 0,
      passwordRequired: false,
      user: 'ftp',
      home: null,
    });
    assert.equal((await inquire(fixture, config, 'bob')).anonymous, 1);
    assert.equal((await inquire(fixture, config, 'bob')).passwordRequired, true);
  });
});

describe('account files that must not be trusted', () => {
  test('a world-readable AuthUserFile is refused until it is made private, InsecurePerms allows it', async (t) => {
    const { fixture, config } = setUp(t);
    const path = fixture.path('users');
    chmodSync(path, 0o644);
    assert.equal((await fixture.login(config)).ok, false);
    assert.equal(fixture.lines[0], `error unable to use world-readable AuthUserFile '${path}'`);
    const insecure = configWith({ ...config.virtualHosts[0]!.settings, authFileOptions: ['InsecurePerms'] });
    assert.equal((await fixture.login(insecure)).ok, true);
    chmodSync(path, 0o640);
    assert.equal((await fixture.login(config)).ok, true);
  });

  test('a file in a world-writable directory is refused until the directory is not', async (t) => {
    const { fixture, config } = setUp(t);
    chmodSync(fixture.directory, 0o777);
    assert.equal((await fixture.login(config)).ok, false);
    assert.match(
      fixture.lines[0] ?? '',
      /^error unable to use Auth\w+File '.*' from world-writable directory$/,
    );
    chmodSync(fixture.directory, 0o700);
    assert.equal((await fixture.login(config)).ok, true);
  });

  test('a missing file is logged once, and found when it appears', async (t) => {
    const fixture = createFixture(t);
    const path = fixture.path('later');
    const config = configWith({ authUserFile: [{ path }], requireValidShell: false });
    await fixture.login(config);
    await fixture.login(config);
    assert.deepEqual(
      fixture.lines.filter((line) => line.startsWith('error')),
      [`error unable to open AuthUserFile '${path}': ENOENT`],
    );
    fixture.write('later', `alice:${SECRET.md5}:1001:1001::/home/alice:/bin/sh\n`);
    assert.equal((await fixture.login(config)).ok, true);
  });
});

describe('the embedded store', () => {
  test('is asked first, edits act at once, a removed user is unknown', async (t) => {
    const { fixture, config: base } = setUp(t);
    const path = fixture.path('users.sqlite');
    const writer = openUserStore(path);
    t.after(() => writer.close());
    const config = configWith({ ...base.virtualHosts[0]!.settings, userStore: path });
    const carol = {
      name: 'carol',
      uid: 1500,
      gid: 1500,
      groups: ['staff', 'root', 'club'],
      home: '/home/carol',
      shell: '/bin/sh',
    };
    const attempt = async (password: string) =>
      (await fixture.login(config, { loginName: 'carol', password })).ok;

    assert.equal(await attempt('secret'), false);
    writer.add({ ...carol, hash: new Secret(SECRET.sha512) });
    const result = await fixture.login(config, { loginName: 'carol' });
    assert.ok(result.ok);
    // `staff` is a group the system knows; `club` is a name only; root's group is never given away.
    assert.deepEqual(result.account.groupIds, [1500, 50]);
    assert.deepEqual(result.account.groups, ['1500', 'club', 'root', 'staff']);
    writer.setHash('carol', new Secret('$1$abcdefgh$4c91C/qthhad5s4725/NB/'));
    assert.equal(await attempt('secret'), false);
    assert.equal(await attempt('system'), true);
    writer.remove('carol');
    fixture.auth.forgetSession(fixture.origin.sessionId);
    assert.equal(await attempt('system'), false);
    assert.equal((await fixture.login(config)).ok, true);
  });

  test('that cannot be used is logged once and lets nobody in', async (t) => {
    const fixture = createFixture(t);
    const path = fixture.write(
      'broken.sqlite',
      'this is no database, but it is long enough to be taken for one'.repeat(20),
    );
    const config = configWith({ userStore: path, requireValidShell: false });
    assert.equal(fixture.auth.openStores(config), false);
    assert.equal((await fixture.login(config)).ok, false);
    const errors = fixture.lines.filter((line) => line.startsWith('error'));
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? '', /unable to use user store/);
  });
});
