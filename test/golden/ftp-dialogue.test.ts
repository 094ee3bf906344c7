/** Whole dialogues, compared word for word with the documented answers (core reference, sections 10, 20, 21). */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FtpClient } from '../support/ftp-client.ts';
import { openFtpFixture, type FtpFixture } from '../support/ftp-session-fixture.ts';

const limits = { timeout: 20_000 };

/** Runs a transcript: lines with `> ` are sent, the others must be exactly what comes back, in order. */
async function play(client: FtpClient, transcript: string): Promise<void> {
  const lines = transcript.split('\n').map((line) => line.trimEnd().replace(/^ {4}/, ''));
  let expected: string[] = [];
  const check = async (): Promise<void> => {
    while (expected.length > 0) {
      const { lines: received } = await client.readReply();
      assert.deepEqual(received, expected.splice(0, received.length));
    }
  };
  for (const line of lines.filter((text) => text !== '')) {
    if (!line.startsWith('> ')) {
      expected.push(line);
      continue;
    }
    await check();
    client.send(line.slice(2));
  }
  await check();
  assert.equal(client.pendingReplies, 0);
}

/** A fixture with some files in alice's home. */
async function open(config = '', more: Parameters<typeof openFtpFixture>[0] = {}): Promise<FtpFixture> {
  const fixture = await openFtpFixture({ config, ...more });
  writeFileSync(join(fixture.home, 'a.txt'), 'hello\n');
  utimesSync(join(fixture.home, 'a.txt'), 1_709_251_199, 1_709_251_199);
  mkdirSync(join(fixture.home, 'sub'));
  mkdirSync(join(fixture.home, 'full'));
  writeFileSync(join(fixture.home, 'full', 'x'), '');
  return fixture;
}

test('login, and what may be asked before it', limits, async () => {
  await using fixture = await open();
  const client = await fixture.connect();
  assert.deepEqual(client.greeting?.lines, ['220 ProFTPD Server (Test) [127.0.0.1]']);
  await play(
    client,
    `
    > SYST
    215 UNIX Type: L8
    > noop
    200 NOOP command successful
    > SYST x
    501 Invalid number of parameters
    > PWD
    530 Please login with USER and PASS
    > TYPE I
    530 Please login with USER and PASS
    > STAT
    530 Please login with USER and PASS
    > LIST
    530 Please login with USER and PASS
    > XYZZY abc
    500 XYZZY not understood
    > PASS x
    503 Login with USER first
    > USER
    500 USER: command requires a parameter
    > ACCT x
    502 ACCT command not implemented
    > REIN
    502 REIN command not implemented
    > SMNT /
    502 SMNT command not implemented
    > CLNT test
    200 OK
    > LANG
    200 Using language en_US
    > LANG fr
    504 Language fr not supported
    > OPTS UTF8 ON
    200 UTF8 set to on
    > OPTS NONSENSE
    500 OPTS NONSENSE not understood
    > USER alice
    331 Password required for alice
    > PASS wrong
    530 Login incorrect.
    > PASS secret
    503 Login with USER first
    > USER nobody-here
    331 Password required for nobody-here
    > USER alice
    331 Password required for alice
    > PASS secret
    230 User alice logged in
    > PASS secret
    503 You are already logged in
    > USER alice
    230 User alice logged in
    > USER bob
    501 Reauthentication not supported
    > HOST example.org
    503 Bad sequence of commands
    > QUIT
    221 Goodbye.
    `,
  );
  await client.waitClosed();
  assert.deepEqual(await fixture.outcomes[0], { reason: 'quit', detail: null });
});

test('a user name longer than 256 bytes is refused', limits, async () => {
  await using fixture = await open();
  const client = await fixture.connect();
  assert.equal((await client.command(`USER ${'u'.repeat(257)}`)).code, 501);
  assert.equal((await client.command(`USER ${'u'.repeat(256)}`)).code, 331);
});

test('the attempt that reaches MaxLoginAttempts is answered and ends the session', limits, async () => {
  await using fixture = await open('MaxLoginAttempts 2\nAllowEmptyPasswords off\n');
  const client = await fixture.connect();
  await play(
    client,
    `
    > USER alice
    331 Password required for alice
    > PASS 
    501 Login incorrect.
    > USER alice
    331 Password required for alice
    > PASS wrong
    530 Login incorrect.
    `,
  );
  await client.waitClosed();
});

test('directories', limits, async () => {
  await using fixture = await open();
  await play(
    await fixture.login(),
    `
    > PWD
    257 "/" is the current directory
    > CWD sub
    250 CWD command successful
    > XPWD
    257 "/sub" is the current directory
    > CDUP
    250 CDUP command successful
    > XCWD /sub
    250 XCWD command successful
    > XCUP
    250 XCUP command successful
    > CDUP x
    501 Invalid number of parameters
    > CWD
    501 Invalid number of parameters
    > CWD nowhere
    550 nowhere: No such file or directory
    > CWD a.txt
    550 a.txt: Not a directory
    > MKD say "hi"
    257 "/say ""hi""" - Directory successfully created
    > MKD sub
    550 sub: File exists
    > XMKD deep/er
    550 deep/er: No such file or directory
    > RMD say "hi"
    250 RMD command successful
    > RMD full
    550 full: Directory not empty
    > XRMD sub
    250 XRMD command successful
    > CWD ../../..
    250 CWD command successful
    > PWD
    257 "/" is the current directory
    `,
  );
});

test('files: delete, rename, size and time', limits, async () => {
  await using fixture = await open('AllowOverwrite off\n');
  await play(
    await fixture.login(),
    `
    > SIZE a.txt
    550 SIZE not allowed in ASCII mode
    > TYPE I
    200 Type set to I
    > SIZE a.txt
    213 6
    > SIZE sub
    550 sub: not a regular file
    > SIZE none
    550 none: No such file or directory
    > MDTM a.txt
    213 20240229235959
    > MDTM sub
    550 sub: not a plain file
    > RNTO b.txt
    503 Bad sequence of commands
    > RNFR none
    550 none: No such file or directory
    > RNTO b.txt
    503 Bad sequence of commands
    > RNFR a.txt
    350 File or directory exists, ready for destination name
    > NOOP
    200 NOOP command successful
    > RNTO b.txt
    250 Rename successful
    > RNFR b.txt
    350 File or directory exists, ready for destination name
    > PWD
    501 Bad sequence of commands
    > PWD
    257 "/" is the current directory
    > RNTO a.txt
    503 Bad sequence of commands
    > RNFR b.txt
    350 File or directory exists, ready for destination name
    > RNTO full/x
    550 full/x: Rename permission denied
    > DELE b.txt
    250 DELE command successful
    > DELE b.txt
    550 b.txt: No such file or directory
    > DELE
    501 Invalid number of parameters
    `,
  );
  const [deleted] = fixture.transfers;
  assert.equal(deleted?.direction, 'd');
  assert.equal(deleted?.bytes, 6);
  assert.equal(deleted?.realPath, join(fixture.home, 'b.txt'));
});

test('what Limit forbids under one name is forbidden under its other names', limits, async () => {
  const config = '<Limit SITE_CHMOD SITE_CHGRP MKD>\nDenyAll\n</Limit>\n';
  await using fixture = await openFtpFixture({ config });
  writeFileSync(join(fixture.home, 'a.txt'), '', { mode: 0o600 });
  await play(
    await fixture.login(),
    `
    > SITE CHMOD 0666 a.txt
    550 a.txt: Permission denied
    > MFF UNIX.mode=0666; a.txt
    550 a.txt: Permission denied
    > MFF UNIX.group=0; a.txt
    550 a.txt: Permission denied
    > XMKD new
    550 new: Permission denied
    `,
  );
  assert.equal(statSync(join(fixture.home, 'a.txt')).mode & 0o777, 0o600);
});

test('facts are changed by MFMT and MFF', limits, async () => {
  await using fixture = await open();
  await play(
    await fixture.login(),
    `
    > MFMT 20200102030405 a.txt
    213 Modify=20200102030405; a.txt
    > MDTM a.txt
    213 20200102030405
    > MFMT 2020 a.txt
    501 MFMT: invalid timestamp '2020'
    > MFMT 20200102030405
    501 Invalid number of parameters
    > MFMT 20200102030405 none
    550 none: No such file or directory
    > MFF modify=20210102030405;UNIX.mode=0640; a.txt
    213 modify=20210102030405;UNIX.mode=0640; a.txt
    > MDTM a.txt
    213 20210102030405
    > MFF size=3; a.txt
    504 MFF: unsupported fact 'size'
    > MFF UNIX.mode=rw; a.txt
    501 MFF: invalid fact value 'UNIX.mode=rw'
    `,
  );
  assert.equal(statSync(join(fixture.home, 'a.txt')).mode & 0o777, 0o640);
});

test('transfer parameters', limits, async () => {
  await using fixture = await open();
  await play(
    await fixture.login(),
    `
    > TYPE A
    200 Type set to A
    > TYPE A N
    200 Type set to A
    > TYPE i
    200 Type set to I
    > TYPE L8
    200 Type set to I
    > TYPE L 8
    200 Type set to I
    > TYPE E
    504 TYPE not implemented for 'E' parameter
    > TYPE A T
    504 TYPE not implemented for 'A T' parameter
    > TYPE
    501 Invalid number of parameters
    > STRU F
    200 Structure set to F
    > STRU R
    504 'STRU R' unsupported structure type
    > STRU X
    501 'STRU X' unrecognized structure type
    > MODE S
    200 Mode set to S
    > MODE B
    504 'MODE B' unsupported transfer mode
    > MODE X
    501 'MODE X' unrecognized transfer mode
    > OPTS MLST size;type;nonsense
    200 MLST OPTS size;type;
    > OPTS MLST
    200 MLST OPTS
    `,
  );
});

test('SITE', limits, async () => {
  await using fixture = await open();
  chmodSync(join(fixture.home, 'a.txt'), 0o644);
  await play(
    await fixture.login(),
    `
    > SITE
    500 'SITE' requires parameters
    > SITE FROB x
    500 'SITE FROB' not understood
    > SITE HELP
    214-The following SITE commands are recognized (* =>'s unimplemented)
     HELP
     CHGRP <sp> group <sp> pathname
     CHMOD <sp> mode <sp> pathname
    214 Direct comments to admin@example.org
    > SITE CHMOD 600 a.txt
    200 SITE CHMOD command successful
    > SITE CHMOD g+r,o=r a.txt
    200 SITE CHMOD command successful
    > SITE CHMOD rwx a.txt
    550 'rwx': invalid mode
    > SITE CHMOD 600
    500 'SITE CHMOD' requires parameters
    > SITE CHMOD 600 none
    550 none: No such file or directory
    > SITE CHGRP no-such-group-here a.txt
    550 'no-such-group-here': unknown group
    `,
  );
  assert.equal(statSync(join(fixture.home, 'a.txt')).mode & 0o777, 0o644);
});

test('STAT without an argument', limits, async () => {
  await using fixture = await open();
  await play(
    await fixture.login(),
    `
    > STAT
    211-Status of 'Test'
     Connected from 127.0.0.1 (127.0.0.1)
     Logged in as alice
     TYPE: ASCII, STRUcture: File, Mode: Stream
     No data connection
    211 End of status
    `,
  );
});

test('HELP lists every command, eight in a row, and explains one', limits, async () => {
  await using fixture = await open();
  const client = await fixture.connect();
  const { lines } = await client.command('HELP');
  assert.equal(lines[0], "214-The following commands are recognized (* =>'s unimplemented):");
  assert.equal(lines[1], ' CWD     XCWD    CDUP    XCUP    SMNT*   QUIT    PORT    PASV    ');
  assert.equal(lines.at(-1), '214 Direct comments to admin@example.org');
  const names = lines.slice(1, -1).flatMap((line) => line.trim().split(/ +/));
  for (const name of [
    'ACCT*',
    'REIN*',
    'SMNT*',
    'CONF*',
    'ENC*',
    'MIC*',
    'AUTH*',
    'PBSZ*',
    'PROT*',
    'CCC*',
    'MFF',
  ]) {
    assert.ok(names.includes(name), name);
  }
  await play(
    client,
    `
    > HELP retr
    214 Syntax: RETR <sp> pathname
    > HELP nope
    502 Unknown command 'nope'
    > HELP AUTH
    214 Syntax: AUTH is not implemented
    `,
  );
});

test('FEAT is sorted without regard to case', limits, async () => {
  await using fixture = await open();
  const client = await fixture.connect();
  const { lines } = await client.command('FEAT');
  assert.equal(lines[0], '211-Features:');
  assert.equal(lines.at(-1), '211 End');
  const features = lines.slice(1, -1).map((line) => line.slice(1));
  assert.deepEqual(
    features,
    features.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)),
  );
  for (const feature of [
    'CLNT',
    'EPRT',
    'EPSV',
    'HOST',
    'LANG en-US*',
    'MDTM',
    'MFF modify;UNIX.group;UNIX.mode;',
    'MFMT',
    'REST STREAM',
    'SIZE',
    'TVFS',
    'UTF8',
  ]) {
    assert.ok(features.includes(feature), feature);
  }
  assert.equal(
    features.some((feature) => /^(AUTH|PROT|PBSZ|CCC)/.test(feature)),
    false,
  );
});

test('a <Limit>ed EPRT disappears from FEAT and is refused', limits, async () => {
  await using fixture = await open('<Limit EPRT EPSV>\nDenyAll\n</Limit>\n');
  const client = await fixture.login();
  const { lines } = await client.command('FEAT');
  assert.equal(
    lines.some((line) => /EPRT|EPSV/.test(line)),
    false,
  );
  await play(
    client,
    `
    > EPSV
    501 EPSV: Operation not permitted
    > EPRT |1|127.0.0.1|5000|
    501 EPRT: Operation not permitted
    `,
  );
});

test('<Limit> refuses commands with and without a path', limits, async () => {
  await using fixture = await open(
    '<Limit WRITE>\nDenyAll\n</Limit>\n<Limit NOOP PWD HELP FEAT OPTS SITE>\nDenyAll\n</Limit>\n',
  );
  await play(
    await fixture.login(),
    `
    > MKD new
    550 new: Permission denied
    > DELE a.txt
    550 a.txt: Permission denied
    > RNFR a.txt
    550 a.txt: Permission denied
    > NOOP
    550 NOOP: Operation not permitted
    > PWD
    550 PWD: Operation not permitted
    > HELP
    501 HELP: Operation not permitted
    > FEAT
    500 FEAT: Operation not permitted
    > OPTS UTF8 ON
    501 OPTS: Operation not permitted
    > SITE CHMOD 600 a.txt
    550 CHMOD 600 a.txt: Permission denied
    > CWD sub
    250 CWD command successful
    `,
  );
});

test('<Limit ALL> shuts the files off and leaves what every client needs to talk', limits, async () => {
  await using fixture = await open('<Limit ALL>\nDenyAll\n</Limit>\n<Limit DIRS>\nAllowAll\n</Limit>\n');
  await play(
    await fixture.login(),
    `
    > TYPE I
    200 Type set to I
    > SYST
    215 UNIX Type: L8
    > CWD sub
    250 CWD command successful
    > MKD x
    550 x: Permission denied
    > SIZE ../a.txt
    550 ../a.txt: Permission denied
    > NOOP
    550 NOOP: Operation not permitted
    > QUIT
    221 Goodbye.
    `,
  );
});

test('filters of arguments and of names', limits, async () => {
  await using fixture = await open('DenyFilter \\*.*/\nPathDenyFilter \\.exe$\n');
  await play(
    await fixture.login(),
    `
    > CWD *x/
    550 *x/: Forbidden command argument
    > MKD tool.exe
    550 tool.exe: Forbidden filename
    > RNFR a.txt
    350 File or directory exists, ready for destination name
    > RNTO a.exe
    550 a.exe: Forbidden filename
    `,
  );
});

test(
  'names that are no UTF-8 are refused while UseEncoding is on, and names are UTF-8 both ways',
  limits,
  async () => {
    await using fixture = await open();
    const client = await fixture.login();
    client.sendRaw(Buffer.from('CWD \xe9t\xe9\r\n', 'latin1'));
    // The bytes go back as they came; this client takes them for UTF-8.
    const refusal = '\ufffdt\ufffd: Illegal character sequence in filename';
    assert.equal((await client.readReply()).text, refusal);
    await play(
      client,
      `
    > MKD été
    257 "/été" - Directory successfully created
    > CWD été
    250 CWD command successful
    `,
    );
  },
);

test('OPTS UTF8 after UseEncoding off', limits, async () => {
  await using fixture = await open('UseEncoding off\n');
  await play(
    await fixture.connect(),
    `
    > OPTS UTF8 ON
    451 Unable to accept UTF8 ON
    `,
  );
});

test('garbage is answered with advice', limits, async () => {
  await using fixture = await open();
  const client = await fixture.connect();
  client.sendRaw('\r\n');
  assert.deepEqual((await client.readReply()).lines, ['500 Invalid command: try being more creative']);
  client.sendRaw('\x01\x02\r\n');
  assert.deepEqual((await client.readReply()).lines, ['500 Invalid command: try being more creative']);
  client.sendRaw('CWD a\0b\r\n');
  assert.deepEqual((await client.readReply()).lines, ['500 Invalid command: try being more creative']);
});

test('the banner follows ServerIdent and DeferWelcome', limits, async () => {
  const banners: [config: string, banner: string][] = [
    ['ServerIdent off\n', '220 127.0.0.1 FTP server ready'],
    ['ServerIdent on "Hello from %v at %L"\n', '220 Hello from Test at 127.0.0.1'],
    ['DeferWelcome on\n', '220 ProFTPD Server ready.'],
  ];
  for (const [config, banner] of banners) {
    await using fixture = await open(config);
    const client = await fixture.connect();
    assert.deepEqual(client.greeting?.lines, [banner]);
  }
});

test('AccessGrantMsg and AccessDenyMsg replace the texts', limits, async () => {
  await using fixture = await open('AccessGrantMsg "Come in, %u."\nAccessDenyMsg "Not you, %u."\n');
  await play(
    await fixture.connect(),
    `
    > USER alice
    331 Password required for alice
    > PASS no
    530 Not you, alice.
    > USER alice
    331 Password required for alice
    > PASS secret
    230 Come in, alice.
    `,
  );
});

test('an anonymous login', limits, async () => {
  await using fixture = await open(
    '<Anonymous BASE/public>\nUser ftp\nUserAlias anonymous ftp\n</Anonymous>\n',
  );
  for (const name of ['anonymous', 'ftp']) {
    const client = await fixture.connect();
    await play(
      client,
      `
    > USER ${name}
    331 Anonymous login ok, send your complete email address as your password
    > PASS me@example.org
    230 Anonymous access granted, restrictions apply
    > PWD
    257 "/" is the current directory
    `,
    );
  }
  assert.equal(fixture.facts[0]?.anonymousPassword, 'me@example.org');
});

test('a login that main does not admit is told why and disconnected', limits, async () => {
  const text = 'Sorry, the maximum number of allowed clients (1) are already connected.';
  await using fixture = await open('', {
    services: { admitLogin: async () => ({ ok: false, reply: text, reason: 'Denied by MaxClients' }) },
  });
  const client = await fixture.connect();
  assert.deepEqual((await client.login('alice', 'secret')).lines, [`530 ${text}`]);
  await client.waitClosed();
});

test('Display files go in front of the replies, variables filled in', limits, async () => {
  await using fixture = await open(
    'DisplayConnect BASE/connect\nDisplayLogin BASE/login\nDisplayChdir .message\nDisplayQuit bye\n',
  );
  writeFileSync(join(fixture.base, 'connect'), 'Welcome to %V\r\nContact %E\n');
  writeFileSync(join(fixture.base, 'login'), 'Hello %U from %R, %N here, 100%%\n');
  writeFileSync(join(fixture.home, 'sub', '.message'), 'You are in %C\n');
  writeFileSync(join(fixture.home, 'bye'), 'Come back\n');
  const client = await fixture.connect();
  assert.deepEqual(client.greeting?.lines, [
    '220-Welcome to Test',
    ' Contact admin@example.org',
    '220 ProFTPD Server (Test) [127.0.0.1]',
  ]);
  await play(
    client,
    `
    > USER alice
    331 Password required for alice
    > PASS secret
    230-Hello alice from 127.0.0.1, 7 here, 100%
    230 User alice logged in
    > CWD sub
    250-You are in /sub
    250 CWD command successful
    > CDUP
    250 CDUP command successful
    > QUIT
    221-Come back
    221 Goodbye.
    `,
  );
});

test('an unusable DefaultRoot denies the login, says why in the log, and disconnects', limits, async () => {
  await using fixture = await open('DefaultRoot BASE/missing\n');
  const client = await fixture.connect();
  assert.deepEqual((await client.login('alice', 'secret')).lines, ['530 Login incorrect.']);
  await client.waitClosed();
  const missing = join(fixture.base, 'missing');
  assert.deepEqual(fixture.lines, [
    `notice: notice: unable to use DefaultRoot '${missing}': No such file or directory`,
    'error: error: unable to set DefaultRoot directory',
  ]);
});

test('an unusable start directory inside a root ends in its /', limits, async () => {
  await using fixture = await open('DefaultChdir /nowhere\n');
  assert.equal((await (await fixture.login()).command('PWD')).text, '"/" is the current directory');
});

test('DefaultChdir and DefaultRoot look at groups, first match first', limits, async () => {
  const config = 'DefaultRoot / staff,!guests\nDefaultRoot ~\nDefaultChdir ~/sub\n';
  await using jailed = await open(config, { groups: ['staff', 'guests'] });
  assert.equal((await (await jailed.login()).command('PWD')).text, '"/sub" is the current directory');
  await using free = await open(config, { groups: ['staff'] });
  const { text } = await (await free.login()).command('PWD');
  assert.equal(text, `"${join(free.home, 'sub')}" is the current directory`);
});

test('HOST chooses among the names behind one address', limits, async () => {
  await using fixture = await open(
    'ServerAlias main.example.org\n<VirtualHost 127.0.0.1>\nServerName "Other"\nPort 2121\nServerAlias *.other.org\nDefaultRoot ~\n</VirtualHost>\n',
  );
  await play(
    await fixture.connect(),
    `
    > HOST
    501 Invalid number of parameters
    > HOST nobody.example.org
    504 nobody.example.org: Unknown hostname provided
    > HOST [::zz]
    501 [::zz]: Invalid IP address provided
    > HOST 127.0.0.1
    220 HOST command successful
    > HOST FTP.Other.ORG
    220 HOST command successful
    > USER alice
    331 Password required for alice
    > PASS secret
    230 User alice logged in
    > STAT
    211-Status of 'Other'
     Connected from 127.0.0.1 (127.0.0.1)
     Logged in as alice
     TYPE: ASCII, STRUcture: File, Mode: Stream
     No data connection
    211 End of status
    `,
  );
});
