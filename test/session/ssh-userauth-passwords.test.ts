import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import {
  keyboardRequest,
  openUserauthFixture,
  passwordRequest,
  userauthRequest,
} from '../support/userauth-fixture.ts';
import { loginLimit } from '../unit/auth/auth-fixture.ts';

const OPTIONS = { timeout: 30_000 };

describe('a password over SSH', OPTIONS, () => {
  test('logs in, narrows the configuration to the user and opens the files', async (t) => {
    const connection = openUserauthFixture(t).connect({ settings: { defaultRoot: [{ path: '~' }] } });
    const { step, replies } = await connection.ask(passwordRequest('alice', 'secret'));
    assert.ok(step.kind === 'accepted');
    assert.deepEqual(replies, []);
    const { entered } = step;
    assert.equal(entered.account.user, 'alice');
    assert.equal(entered.config.principal.user, 'alice');
    assert.equal(entered.config.principal.authenticated, true);
    assert.equal(entered.vfs.cwd, '/');
    assert.equal(connection.facts.user, 'alice');
    assert.equal(connection.facts.environment.get('SFTP_USER_AUTH_METHOD'), 'password');
    assert.equal(connection.lines.at(-1), "user 'alice' authenticated via 'password' method");
  });

  test('wrong: the same answer for users that are there and users that are not', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect();
    assert.equal(await connection.outcome(passwordRequest('alice', 'wrong')), 'publickey,password');
    const stranger = fixture.connect();
    assert.equal(await stranger.outcome(passwordRequest('nobody', 'wrong')), 'publickey,password');
    assert.deepEqual(fixture.jobs, ['$5$5000', '$5$5000']);
    assert.deepEqual(fixture.lines, [
      'notice USER alice (Login failed): Incorrect password',
      'notice USER nobody: no such user found from client.example [192.0.2.9] to 192.0.2.1:2222',
    ]);
    assert.ok(
      connection.lines.includes("password authentication for user 'alice' failed: Incorrect password"),
    );
    assert.ok(stranger.lines.includes("no account for user 'nobody' found"));
  });

  test('never reaches a log, whatever becomes of it', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect();
    await connection.ask(passwordRequest('alice', 'hunter2'));
    await connection.ask(
      userauthRequest('alice', 'password', (writer) => writer.bool(true).string('hunter2').string('hunter3')),
    );
    await connection.ask(userauthRequest('alice', 'password', (writer) => writer.string('hunter2')));
    const logged = JSON.stringify([fixture.lines, connection.lines, connection.records]);
    assert.ok(!logged.includes('hunter'), logged);
  });

  test('longer than MaxPasswordSize is refused without a hash', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect();
    const huge = passwordRequest('alice', 'x'.repeat(60_000));
    assert.equal(await connection.outcome(huge), 'publickey,password');
    assert.deepEqual(fixture.jobs, []);
  });

  test('empty is refused unhashed where AllowEmptyPasswords is off', async (t) => {
    const fixture = openUserauthFixture(t);
    const settings = { allowEmptyPasswords: false };
    const connection = fixture.connect({ settings });
    assert.equal(await connection.outcome(passwordRequest('alice', '')), 'publickey,password');
    assert.deepEqual(fixture.jobs, []);
    await fixture.connect().outcome(passwordRequest('alice', ''));
    assert.deepEqual(fixture.jobs, ['$5$5000']);
  });

  test('cannot be changed: the request fails', async (t) => {
    const connection = openUserauthFixture(t).connect();
    const change = userauthRequest('alice', 'password', (writer) =>
      writer.bool(true).string('secret').string('new'),
    );
    assert.equal(await connection.outcome(change), 'publickey,password');
  });

  test('on a transport in clear is not offered and not taken, unless AllowInsecureLogin', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect({ insecureTransport: true });
    assert.equal(await connection.outcome(userauthRequest('alice', 'none')), 'publickey');
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'publickey');
    assert.ok(connection.lines.some((line) => line.includes('unacceptable for password authentication')));
    assert.deepEqual(fixture.jobs, []);

    const allowed = fixture.connect({
      insecureTransport: true,
      settings: { sftpOptions: ['AllowInsecureLogin'] },
    });
    assert.equal(await allowed.outcome(passwordRequest('alice', 'secret')), 'accepted');
  });

  test('with nothing left to offer the session ends', async (t) => {
    const connection = openUserauthFixture(t).connect({
      insecureTransport: true,
      settings: { sftpAuthMethods: [['password']] },
    });
    assert.equal(await connection.outcome(userauthRequest('alice', 'none')), 'disconnect 14');
    assert.ok(connection.lines.includes('no more auth methods available, disconnecting'));
  });
});

describe('attempts', OPTIONS, () => {
  test('without MaxLoginAttempts there are six', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect();
    for (let attempt = 1; attempt <= 5; attempt += 1)
      assert.equal(await connection.outcome(passwordRequest('alice', 'wrong')), 'publickey,password');
    const { step } = await connection.ask(passwordRequest('alice', 'wrong'));
    assert.deepEqual(step, {
      kind: 'disconnect',
      code: 11,
      text: 'Too many authentication failures',
      reason: 'policy',
      detail: 'Denied by MaxLoginAttempts',
    });
    const text = "Maximum login attempts (6) exceeded, refusing connection for user 'alice'";
    assert.equal(connection.lines.at(-1), text);
    assert.equal(fixture.lines.at(-1), `notice ${text}`);
  });

  test('MaxLoginAttempts counts, and `none` and key queries do not', async (t) => {
    const connection = openUserauthFixture(t).connect({ settings: { maxLoginAttempts: 2 } });
    const query = userauthRequest('alice', 'publickey', (writer) =>
      writer.bool(false).string('ssh-ed25519').string(Buffer.alloc(51)),
    );
    for (let free = 0; free < 5; free += 1) {
      assert.equal(await connection.outcome(userauthRequest('alice', 'none')), 'publickey,password');
      assert.equal(await connection.outcome(query), 'publickey,password');
    }
    assert.equal(await connection.outcome(passwordRequest('alice', 'wrong')), 'publickey,password');
    assert.equal(await connection.outcome(passwordRequest('alice', 'wrong')), 'disconnect 11');
  });

  test('a method that is not offered counts', async (t) => {
    const connection = openUserauthFixture(t).connect({
      settings: { maxLoginAttempts: 2, sftpAuthMethods: [['publickey']] },
    });
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'publickey');
    assert.ok(connection.lines.includes("unsupported authentication method 'password' requested"));
    assert.equal(await connection.outcome(userauthRequest('alice', 'gssapi-with-mic')), 'disconnect 11');
  });

  test('questions without end are cut off', async (t) => {
    const connection = openUserauthFixture(t).connect();
    let last = '';
    for (let count = 0; count <= 100; count += 1)
      last = await connection.outcome(userauthRequest('alice', 'none'));
    assert.equal(last, 'disconnect 11');
  });
});

describe('what a user must pass besides', OPTIONS, () => {
  const WRONG = 'publickey,password';

  test('a right password that is refused looks like a wrong one', async (t) => {
    const fixture = openUserauthFixture(t);
    const host = { limits: [loginLimit({ denyAll: true })] };
    const connection = fixture.connect({ host });
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), WRONG);
    assert.deepEqual(fixture.lines, ['notice USER alice (Login failed): Limit access denies login']);
    assert.equal(
      connection.lines.at(-2),
      "authentication for user 'alice' failed: Limit access denies login",
    );
  });

  test('RequireValidShell and UseFtpUsers hold', async (t) => {
    const fixture = openUserauthFixture(t);
    fixture.write('etc/shells', '/bin/sh\n', 0o644);
    fixture.write('etc/ftpusers', 'bob\n', 0o644);
    const shell = fixture.connect({ settings: { requireValidShell: true } });
    assert.equal(await shell.outcome(passwordRequest('alice', 'secret')), WRONG);
    const listed = fixture.connect({ settings: { useFtpUsers: true } });
    assert.equal(await listed.outcome(passwordRequest('bob', 'secret')), WRONG);
    assert.deepEqual(fixture.lines, [
      "notice USER alice (Login failed): Invalid shell: '/bin/false'",
      'notice USER bob (Login failed): User in /etc/ftpusers',
    ]);
  });

  test('Protocols without sftp and scp keeps everybody out, with one of them it lets in', async (t) => {
    const fixture = openUserauthFixture(t);
    const ftpOnly = fixture.connect({ settings: { protocols: ['ftp', 'ftps'] } });
    assert.equal(await ftpOnly.outcome(passwordRequest('alice', 'secret')), WRONG);
    const scpOnly = fixture.connect({ settings: { protocols: ['scp'] } });
    assert.equal(await scpOnly.outcome(passwordRequest('alice', 'secret')), 'accepted');
  });

  test('UserAlias leads to the account; AuthAliasOnly leaves the others out', async (t) => {
    const fixture = openUserauthFixture(t);
    const settings = { userAlias: [{ alias: 'al', user: 'alice' }], authAliasOnly: true };
    const connection = fixture.connect({ settings });
    const { step } = await connection.ask(passwordRequest('al', 'secret'));
    assert.ok(step.kind === 'accepted');
    assert.deepEqual([step.entered.loginName, step.entered.account.user], ['al', 'alice']);
    assert.equal(await fixture.connect({ settings }).outcome(passwordRequest('alice', 'secret')), WRONG);
  });

  test('MaxClients disconnects with its own words', async (t) => {
    const connection = openUserauthFixture(t).connect({
      services: {
        admitLogin: async () => ({ ok: false, reply: '530 Sorry, too many', reason: 'Denied by MaxClients' }),
      },
    });
    const { step } = await connection.ask(passwordRequest('alice', 'secret'));
    assert.deepEqual(step, {
      kind: 'disconnect',
      code: 12,
      text: 'Sorry, too many',
      reason: 'policy',
      detail: 'Denied by MaxClients',
    });
  });

  test('a DefaultRoot that is not there ends the session', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect({ settings: { defaultRoot: [{ path: '/nonexistent/root' }] } });
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'disconnect 11');
    assert.equal(fixture.lines.at(-1), 'error error: unable to set DefaultRoot directory');
  });

  test('CreateHome makes the home at the login', async (t) => {
    const fixture = openUserauthFixture(t);
    const home = fixture.path('made');
    const passwd = fixture.write(
      'other.passwd',
      `carol:$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.:${process.getuid!()}:${process.getgid!()}::${home}:/bin/false\n`,
    );
    const connection = fixture.connect({
      settings: {
        authUserFile: [{ path: passwd }],
        createHome: { enabled: true, mode: 0o700, directoryMode: 0o711, noRootPrivileges: true },
        defaultRoot: [{ path: '~' }],
      },
    });
    assert.equal(await connection.outcome(passwordRequest('carol', 'secret')), 'accepted');
  });
});

describe('records', OPTIONS, () => {
  test('USERAUTH_REQUEST, and USER and PASS as FTP has them', async (t) => {
    const connection = openUserauthFixture(t).connect();
    await connection.ask(userauthRequest('alice', 'none'));
    await connection.ask(passwordRequest('alice', 'wrong'));
    await connection.ask(passwordRequest('alice', 'secret'));
    assert.deepEqual(
      connection.records.map(({ verb, argument, replyCode }) => `${verb} ${argument} ${replyCode}`),
      [
        'USER alice 331',
        'USERAUTH_REQUEST alice none 1',
        'USERAUTH_REQUEST alice password 1',
        'PASS (hidden) 530',
        'USERAUTH_REQUEST alice password 0',
        'PASS (hidden) 230',
      ],
    );
  });
});

describe('hostile requests', OPTIONS, () => {
  test('another user name ends the session', async (t) => {
    const connection = openUserauthFixture(t).connect();
    await connection.ask(passwordRequest('alice', 'wrong'));
    assert.equal(await connection.outcome(passwordRequest('bob', 'secret')), 'disconnect 2');
    assert.equal(
      connection.lines.at(-1),
      "client used different user name 'bob' in USERAUTH_REQUEST (was 'alice'), disconnecting",
    );
  });

  test('another service ends the session', async (t) => {
    const connection = openUserauthFixture(t).connect();
    const request = userauthRequest('alice', 'none', undefined, 'ssh-userauth');
    assert.equal(await connection.outcome(request), 'disconnect 7');
  });

  test('malformed fields fail like a wrong password, for known and unknown users', async (t) => {
    const fixture = openUserauthFixture(t);
    for (const user of ['alice', 'nobody']) {
      for (const [method, fields] of [
        ['password', (writer: ByteWriter) => writer.bool(false)],
        ['password', (writer: ByteWriter) => writer.bool(false).string('secret').u8(0)],
        ['publickey', (writer: ByteWriter) => writer.bool(true).string('ssh-ed25519').u32(0xffff_ffff)],
      ] as const) {
        const connection = fixture.connect();
        assert.equal(await connection.outcome(userauthRequest(user, method, fields)), 'publickey,password');
      }
    }
    assert.deepEqual(fixture.jobs, []);
  });

  test('a request without a user, an answer nobody asked for and other types end the session', async (t) => {
    const fixture = openUserauthFixture(t);
    for (const payload of [
      Buffer.from([50]),
      Buffer.from([50, 0xff, 0xff, 0xff, 0xff]),
      new ByteWriter().u8(50).string('x'.repeat(257)).string('ssh-connection').string('none').finish(),
      Buffer.from([61, 0, 0, 0, 0]),
      Buffer.from([52]),
      Buffer.alloc(0),
    ]) {
      assert.equal(await fixture.connect().outcome(payload), 'disconnect 2', payload.toString('hex'));
    }
  });

  test('requests behind the one that succeeded are ignored', async (t) => {
    const connection = openUserauthFixture(t).connect();
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'accepted');
    const { step, replies } = await connection.ask(passwordRequest('alice', 'secret'));
    assert.deepEqual([step, replies], [{ kind: 'continue' }, []]);
  });

  test('main takes no second request while one is being judged', async (t) => {
    const fixture = openUserauthFixture(t);
    const connection = fixture.connect();
    await connection.ask(userauthRequest('alice', 'none'));
    const first = connection.dialogue.handle(passwordRequest('alice', 'wrong'));
    // A transport that keeps to the contract never does this; an actor that does gets no second guess.
    await assert.rejects(connection.dialogue.handle(passwordRequest('alice', 'secret')), /logging in/);
    assert.deepEqual(await first, { kind: 'continue' });
  });

  test('a failure takes at least some milliseconds, whatever the user', async (t) => {
    const fixture = openUserauthFixture(t);
    for (const user of ['alice', 'nobody']) {
      const started = performance.now();
      const query = userauthRequest(user, 'publickey', (writer) =>
        writer.bool(false).string('ssh-ed25519').string(Buffer.alloc(51)),
      );
      await fixture.connect().outcome(query);
      assert.ok(performance.now() - started >= 4.5);
    }
  });
});

describe('SFTPDisplayBanner', OPTIONS, () => {
  test('comes once, before the first answer', async (t) => {
    const fixture = openUserauthFixture(t);
    const path = fixture.write('banner', 'Welcome to %V\nsecond line\n', 0o644);
    const connection = fixture.connect({ settings: { sftpDisplayBanner: path, serverName: 'Test' } });
    const { replies } = await connection.ask(userauthRequest('alice', 'none'));
    assert.deepEqual(
      replies.map(({ kind }) => kind),
      ['banner', 'failure'],
    );
    assert.deepEqual(replies[0], { kind: 'banner', text: 'Welcome to Test\r\nsecond line\r\n' });
    assert.equal((await connection.ask(userauthRequest('alice', 'none'))).replies.length, 1);
  });

  test('missing: a line of SFTPLog, and the login goes on', async (t) => {
    const connection = openUserauthFixture(t).connect({
      settings: { sftpDisplayBanner: '/nonexistent/banner' },
    });
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'accepted');
    assert.match(connection.lines[0] ?? '', /^error opening SFTPDisplayBanner '\/nonexistent\/banner'/);
  });
});

describe('keyboard-interactive', OPTIONS, () => {
  const settings = { sftpAuthMethods: [['keyboard-interactive']] };

  test('is not offered without a user store, and asks for the password where it is listed', async (t) => {
    const fixture = openUserauthFixture(t);
    assert.equal(await fixture.connect().outcome(userauthRequest('alice', 'none')), 'publickey,password');
    const connection = fixture.connect({ settings });
    const { replies } = await connection.ask(keyboardRequest('alice'));
    const [reply] = replies;
    assert.ok(reply?.kind === 'sixty');
    const { reader } = reply;
    const fields = [reader.utf8(), reader.utf8(), reader.utf8(), reader.u32(), reader.utf8(), reader.bool()];
    assert.deepEqual(fields, ['', '', '', 1, 'Password: ', false]);
    reader.end();
  });
});
