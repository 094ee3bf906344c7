/** Directives of the server, its messages and its sections: each configuration line, and what a client then sees. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setSocketSizes } from '../../src/util/socket-options.ts';
import { PROFTPD_VERSION } from '../../src/version.ts';
import { openFtpFixture, type FtpFixture, type FtpFixtureOptions } from '../support/ftp-session-fixture.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, startChildServer } from '../support/server.ts';
import { socketOption } from '../support/socket-probe.ts';

const limits = { timeout: 20_000 };
const onLinux = { ...limits, skip: process.platform !== 'linux' };

/** A fixture with `sub` and `other` in the home of alice. */
async function open(config: string, more: Omit<FtpFixtureOptions, 'config'> = {}): Promise<FtpFixture> {
  const fixture = await openFtpFixture({ config, ...more });
  for (const name of ['sub', 'other']) mkdirSync(join(fixture.home, name));
  writeFileSync(join(fixture.home, 'file.txt'), 'text');
  return fixture;
}

async function codes(client: FtpClient, ...lines: string[]): Promise<number[]> {
  return (await client.dialogue(...lines)).map(({ code }) => code);
}

const BANNERS: readonly (readonly [config: string, banner: string])[] = [
  ['ServerIdent off', '220 127.0.0.1 FTP server ready'],
  ['ServerIdent on "at %L: %v, %{version}"', `220 at 127.0.0.1: Test, ${PROFTPD_VERSION}`],
  ['ServerAlias ftp.example.net\nServerIdent on "%V"', '220 ftp.example.net'],
  ['DeferWelcome on', '220 ProFTPD Server ready.'],
];

for (const [config, banner] of BANNERS) {
  test(`banner: ${config.replaceAll('\n', ', ')}`, limits, async () => {
    await using fixture = await open(config);
    assert.deepEqual((await fixture.connect()).greeting?.lines, [banner]);
  });
}

const DISPLAY_VARIABLES: readonly (readonly [text: string, shown: RegExp])[] = [
  ['%C', /^\/$/],
  ['%E', /^admin@example\.org$/],
  ['%F', /^[1-9]\d{5,}$/],
  ['%f', /^[\d.]+[KMGTP]B$/],
  ['%i %o %t %k %K', /^0 0 0 0B 0$/],
  ['%L %R', /^127\.0\.0\.1 127\.0\.0\.1$/],
  ['%M %N', /^50 7$/],
  ['%T', /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/],
  ['%U %u %V', /^alice UNKNOWN Test$/],
  ['%x %y %z', /^staff 3 9$/],
  ['%{total_bytes_in} %{total_bytes_out} %{total_bytes_xfer}', /^0 0 0$/],
  ['%{total_files_in} %{total_files_out} %{total_files_xfer}', /^0 0 0$/],
  ['%{env:COLOUR} [%{env:NOT_THERE}]', /^green \[\]$/],
  ['%{env:PATH}', /^\/.*bin/],
  ['[%{env:HOME}]', /^\[\]$/],
  ['%{time:%Y}', /^20\d\d$/],
  ['100%% %q', /^100% %q$/],
];

test('every variable of a Display file', limits, async () => {
  const config = `
    <Class staff>
      From 127.0.0.1
    </Class>
    DisplayLogin BASE/welcome
    MaxClients 50
    MaxClientsPerClass staff 9
    SetEnv COLOUR green
    UnsetEnv HOME
  `;
  const countClients = async (className?: string): Promise<number> => (className === 'staff' ? 3 : 7);
  await using fixture = await open(config, { className: 'staff', services: { countClients } });
  writeFileSync(join(fixture.base, 'welcome'), DISPLAY_VARIABLES.map(([text]) => `${text}\n`).join(''));
  const client = await fixture.connect();
  const { lines } = await client.login('alice', 'secret');
  assert.equal(lines.length, DISPLAY_VARIABLES.length + 1);
  for (const [index, [text, shown]] of DISPLAY_VARIABLES.entries()) {
    assert.match(lines[index]!.replace(/^(?:230-| )/, ''), shown, text);
  }
});

test('a Display file that users can write does not show the environment of the server', limits, async () => {
  await using fixture = await open('DisplayChdir .message\nSetEnv COLOUR green\n');
  writeFileSync(join(fixture.home, 'sub', '.message'), '[%{env:PATH}] %{env:COLOUR}\n');
  const client = await fixture.login();
  assert.equal((await client.command('CWD sub')).lines[0], '250-[] green');
});

test(
  'DisplayChdir and DisplayReadme in a directory alone, by section and by .ftpaccess',
  limits,
  async () => {
    await using fixture = await open(`
    <Directory BASE/alice/sub>
      DisplayChdir note
    </Directory>
  `);
    writeFileSync(join(fixture.home, 'sub', 'note'), 'Look around\n');
    writeFileSync(join(fixture.home, 'other', '.ftpaccess'), 'DisplayReadme READ*\n');
    writeFileSync(join(fixture.home, 'other', 'README'), 'x');
    utimesSync(join(fixture.home, 'other', 'README'), 1, Date.now() / 1000 - 3 * 86_400);
    const client = await fixture.login();
    assert.deepEqual((await client.command('CWD sub')).lines, [
      '250-Look around',
      '250 CWD command successful',
    ]);
    const { lines } = await client.command('CWD ../other');
    assert.equal(lines[0], '250-Please read the file README');
    assert.match(lines[1]!, /^ {4}it was last modified on .* - 3 days ago$/);
    assert.equal((await client.command('CDUP')).lines.length, 1);
  },
);

test('DisplayChdir on shows a message again only when it changed', limits, async () => {
  await using fixture = await open('DisplayChdir .message on\n');
  const message = join(fixture.home, 'sub', '.message');
  writeFileSync(message, 'new\n');
  const client = await fixture.login();
  const visits = async (): Promise<number> => {
    const { lines } = await client.command('CWD sub');
    await client.command('CDUP');
    return lines.length;
  };
  assert.deepEqual([await visits(), await visits()], [2, 1]);
  utimesSync(message, 1_000, 1_000);
  assert.deepEqual([await visits(), await visits()], [2, 1]);
});

test('DisplayReadme speaks at login too', limits, async () => {
  await using fixture = await open('DisplayReadme README\n');
  writeFileSync(join(fixture.home, 'README'), 'x');
  const client = await fixture.connect();
  const { lines } = await client.login('alice', 'secret');
  assert.equal(lines[0], '230-Please read the file README');
});

test('a relative DisplayQuit counts from the home, wherever the client is', limits, async () => {
  await using fixture = await open('DisplayQuit bye\n');
  writeFileSync(join(fixture.home, 'bye'), 'until %C\n');
  const client = await fixture.login();
  await client.command('CWD sub');
  assert.deepEqual((await client.quit()).lines, ['221-until /sub', '221 Goodbye.']);
});

test('an absolute DisplayFileTransfer lies outside the root', limits, async () => {
  await using fixture = await open('DisplayFileTransfer BASE/after\n');
  writeFileSync(join(fixture.base, 'after'), '%o files, %K bytes\n');
  const client = await fixture.login();
  const { final } = await client.download('RETR file.txt');
  assert.deepEqual(final.lines, ['226-1 files, 4 bytes', '226 Transfer complete']);
});

test('MasqueradeAddress takes a name and a device', limits, async () => {
  for (const value of ['localhost', 'lo']) {
    if (value === 'lo' && process.platform !== 'linux') continue;
    await using fixture = await open(`MasqueradeAddress ${value}\n`);
    const client = await fixture.login();
    assert.match((await client.command('PASV')).text, /\(127,0,0,1,/, value);
  }
});

test('RootRevoke on refuses active mode where the control port is a low one', limits, async () => {
  for (const [value, code] of [
    ['on', 500],
    ['off', 200],
    ['UseNonCompliantActiveTransfers', 200],
  ] as const) {
    await using fixture = await open(`RootRevoke ${value}\n`);
    const client = await fixture.login();
    fixture.facts[0]!.localPort = 21;
    const answer = await client.command('PORT 127,0,0,1,200,1');
    assert.equal(answer.code, code, value);
    if (code === 500) assert.equal(answer.text, 'Unable to service PORT commands');
    assert.equal((await client.command('EPRT |1|127.0.0.1|50000|')).code, code, value);
  }
});

test('TCPNoDelay and SocketOptions reach the control connection', onLinux, async () => {
  await using plain = await open('TCPNoDelay off\nSocketOptions keepalive off\n');
  await plain.connect();
  const [bare] = plain.sockets;
  assert.deepEqual([socketOption(bare!, 'TCP_NODELAY'), socketOption(bare!, 'SO_KEEPALIVE')], [0, 0]);
  await using tuned = await open('SocketOptions rcvbuf 20000 sndbuf 30000 keepalive 61:3:11\n');
  await tuned.connect();
  const [socket] = tuned.sockets;
  assert.equal(socketOption(socket!, 'TCP_NODELAY'), 1);
  // The kernel doubles buffer sizes for its own bookkeeping (socket(7)).
  assert.deepEqual(
    [socketOption(socket!, 'SO_RCVBUF'), socketOption(socket!, 'SO_SNDBUF')],
    [40_000, 60_000],
  );
  assert.deepEqual(
    (['SO_KEEPALIVE', 'TCP_KEEPIDLE', 'TCP_KEEPCNT', 'TCP_KEEPINTVL'] as const).map((name) =>
      socketOption(socket!, name),
    ),
    [1, 61, 3, 11],
  );
});

test('sizes set on a listening socket are those of the connections it accepts', onLinux, async (t) => {
  const server = createServer({ pauseOnConnect: true });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  setSocketSizes(server, { maxSegment: 1_000, receiveBuffer: 20_000, sendBuffer: 30_000 });
  const client = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  const [accepted] = (await once(server, 'connection')) as [Socket];
  t.after(() => accepted.destroy());
  assert.deepEqual(
    [socketOption(accepted, 'SO_RCVBUF'), socketOption(accepted, 'SO_SNDBUF')],
    [40_000, 60_000],
  );
  // The client was told 1,000 in the handshake; options of a segment count towards it.
  assert.ok(socketOption(client, 'TCP_MAXSEG') <= 1_000, String(socketOption(client, 'TCP_MAXSEG')));
});

for (const mode of ['epsv', 'eprt'] as const) {
  test(
    `SocketOptions maxseg shows at the client's end of the data connection (${mode})`,
    onLinux,
    async () => {
      await using fixture = await open('SocketOptions maxseg 900 rcvbuf 20000\n');
      const client = await fixture.login();
      const data = await client.prepareData(mode);
      client.send('RETR file.txt');
      const socket = await data.connect();
      // A smaller segment was announced by the server in its SYN or SYN-ACK.
      assert.ok(socketOption(socket, 'TCP_MAXSEG') <= 900, String(socketOption(socket, 'TCP_MAXSEG')));
      socket.resume();
      assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
    },
  );
}

test('SetEnv: the later line of a section counts, UnsetEnv hides what the process has', limits, async () => {
  await using fixture = await open('SetEnv A one\nSetEnv A two\nSetEnv B x\nUnsetEnv B\nUnsetEnv PATH\n');
  await fixture.connect();
  const { environment } = fixture.facts[0]!;
  assert.deepEqual([environment.get('A'), environment.get('B'), environment.get('PATH')], ['two', '', '']);
});

test('%{env:NAME} in a parameter is the value at start', limits, async () => {
  process.env['LOCKGATE_TEST_NAME'] = 'from outside';
  try {
    await using fixture = await open('AccessGrantMsg "%{env:LOCKGATE_TEST_NAME}, %u"\n');
    const client = await fixture.connect();
    assert.equal((await client.login('alice', 'secret')).text, 'from outside, alice');
  } finally {
    delete process.env['LOCKGATE_TEST_NAME'];
  }
});

const CONDITIONS: readonly (readonly [section: string, matches: boolean])[] = [
  ['IfUser alice', true],
  ['IfUser !alice', false],
  ['IfUser bob,alice', true],
  ['IfUser AND bob,alice', false],
  ['IfUser regex ^al', true],
  ['IfGroup users', true],
  ['IfGroup users,staff', true],
  ['IfGroup users,!staff', false],
  ['IfGroup OR wheel,staff', true],
  ['IfClass inside', true],
  ['IfClass outside', false],
  ['IfAuthenticated', true],
];

test('IfUser, IfGroup, IfClass and IfAuthenticated: values of the section that matches', limits, async () => {
  const sections = CONDITIONS.map(
    ([section], index) => `
    <${section}>
      MaxTransfersPerUser RETR ${index + 1}
    </${section.split(' ')[0]!}>`,
  );
  for (const [index, [section, matches]] of CONDITIONS.entries()) {
    const claims: number[] = [];
    await using fixture = await open(sections[index]!, {
      groups: ['users', 'staff'],
      className: 'inside',
      services: {
        beginTransfer: async ({ perUser }) => {
          claims.push(perUser);
          return 'ok';
        },
      },
    });
    const client = await fixture.login();
    assert.equal((await client.download('RETR file.txt')).final.code, 226);
    assert.deepEqual(claims, matches ? [index + 1] : [], section);
  }
});

test('before login a user section says nothing, a class section does', limits, async () => {
  const config = (section: string): string => `
    <${section}>
      DisplayConnect BASE/hello
      ServerIdent on "section"
    </${section.split(' ')[0]!}>`;
  await using user = await open(config('IfUser alice'));
  assert.equal((await user.connect()).greeting?.text, 'ProFTPD Server (Test) [127.0.0.1]');
  await using inside = await open(config('IfClass inside'), { className: 'inside' });
  assert.equal((await inside.connect()).greeting?.text, 'section');
});

const ANONYMOUS_VALUES: readonly (readonly [config: string, command: string, answer: RegExp])[] = [
  ['HideUser ~', 'STAT pub', /^211-Status of pub:\n211 End of status$/],
  ['DirFakeUser on nobody', 'STAT pub', /nobody/],
  ['DisplayChdir note', 'CWD pub', /^250-from the note/],
  ['DenyFilter pub', 'CWD pub', /^550 pub: Forbidden command argument/],
  ['PathDenyFilter new', 'MKD pub/new', /^550 pub\/new: Forbidden filename/],
  ['<Limit WRITE>\nDenyAll\n</Limit>', 'MKD pub/new', /^550 pub\/new: Permission denied/],
  ['<Directory pub>\n<Limit CWD>\nDenyAll\n</Limit>\n</Directory>', 'CWD pub', /^550 /],
  ['<Directory pub/*>\n<Limit MKD>\nDenyAll\n</Limit>\n</Directory>', 'MKD pub/new', /^550 /],
  ['DisplayQuit note', 'QUIT', /^221-from the note/],
  ['AllowForeignAddress on', 'PORT 127,0,0,9,200,1', /^200 /],
];

test('<Anonymous> has values of its own', limits, async () => {
  for (const [config, command, answer] of ANONYMOUS_VALUES) {
    await using fixture = await open(`<Anonymous BASE/public>\nUser ftp\n${config}\n</Anonymous>\n`);
    mkdirSync(join(fixture.base, 'public/pub/inner'), { recursive: true });
    for (const place of ['', 'pub'])
      writeFileSync(join(fixture.base, 'public', place, 'note'), 'from the note\n');
    const client = await fixture.connect();
    assert.equal((await client.login('ftp', 'me@')).code, 230, config);
    assert.match((await client.command(command)).lines.join('\n'), answer, `${config}: ${command}`);
  }
});

test('AllowOverride decides whether .ftpaccess counts, per user too', limits, async () => {
  const denies = 'DenyAll\n';
  for (const [config, code] of [
    ['', 550],
    ['AllowOverride off', 250],
    ['AllowOverride on', 550],
    ['AllowOverride on\n<IfUser alice>\nAllowOverride off\n</IfUser>', 250],
  ] as const) {
    await using fixture = await open(config);
    writeFileSync(join(fixture.home, 'sub', '.ftpaccess'), `<Limit CWD>\n${denies}</Limit>\n`);
    const client = await fixture.login();
    assert.deepEqual(await codes(client, 'CWD sub'), [code], config);
  }
});

test('<Limit SITE_CHMOD> and <Limit SITE_CHGRP> refuse just those', limits, async () => {
  await using fixture = await open('<Limit SITE_CHMOD>\nDenyAll\n</Limit>\n');
  const client = await fixture.login();
  assert.deepEqual(
    await codes(client, 'SITE CHMOD 600 file.txt', `SITE CHGRP ${process.getgid!()} file.txt`, 'SITE HELP'),
    [550, 200, 214],
  );
  await using other = await open(
    '<Directory BASE/alice/sub>\n<Limit SITE_CHGRP>\nDenyAll\n</Limit>\n</Directory>\n',
  );
  writeFileSync(join(other.home, 'sub', 'x'), '');
  const second = await other.login();
  const gid = process.getgid!();
  assert.deepEqual(
    await codes(second, `SITE CHGRP ${gid} sub/x`, `SITE CHGRP ${gid} file.txt`, 'SITE CHMOD 600 sub/x'),
    [550, 200, 200],
  );
});

test('Umask of a directory, with its second value for directories', limits, async () => {
  await using fixture = await open(`
    Umask 027
    <Directory BASE/alice/sub>
      Umask 077 007
    </Directory>
  `);
  writeFileSync(join(fixture.home, 'other', '.ftpaccess'), 'Umask 002\n');
  const client = await fixture.login();
  const modes: string[] = [];
  for (const place of ['', 'sub/', 'other/']) {
    assert.equal((await client.upload(`STOR ${place}new`, 'x')).final.code, 226);
    assert.equal((await client.command(`MKD ${place}dir`)).code, 257);
    for (const name of ['new', 'dir']) {
      modes.push((statSync(join(fixture.home, place, name)).mode & 0o777).toString(8));
    }
  }
  assert.deepEqual(modes, ['640', '750', '600', '770', '664', '775']);
  // Without a class chmod(1) leaves the bits of the mask alone.
  assert.deepEqual(await codes(client, 'SITE CHMOD 600 other/new', 'SITE CHMOD +w other/new'), [200, 200]);
  assert.equal((statSync(join(fixture.home, 'other/new')).mode & 0o777).toString(8), '620');
});

const FILTERS: readonly (readonly [config: string, command: string, answer: string])[] = [
  ['AllowFilter ^[a-z.]+$', 'CWD sub', '250 CWD command successful'],
  ['AllowFilter ^[a-z.]+$', 'CWD SUB', '550 SUB: Forbidden command argument'],
  ['AllowFilter ^[a-z.]+$ NC', 'MKD SUB', '257 "/SUB" - Directory successfully created'],
  ['DenyFilter sub', 'CWD sub', '550 sub: Forbidden command argument'],
  ['DenyFilter SUB', 'CWD sub', '250 CWD command successful'],
  ['DenyFilter SUB NC', 'CWD sub', '550 sub: Forbidden command argument'],
  ['DenyFilter none', 'CWD sub', '250 CWD command successful'],
  ['PathAllowFilter ^[a-z/]+$', 'MKD new1', '550 new1: Forbidden filename'],
  ['PathAllowFilter ^[a-z/]+$', 'MKD new', '257 "/new" - Directory successfully created'],
  ['PathDenyFilter \\.exe$', 'RNFR file.exe', '550 file.exe: Forbidden filename'],
  ['PathDenyFilter \\.TXT$ NC', 'DELE file.txt', '550 file.txt: Forbidden filename'],
  ['PathDenyFilter txt', 'SITE CHMOD 600 file.txt', '550 file.txt: Forbidden filename'],
  ['PathDenyFilter txt', 'RETR-is-not-asked', '500 RETR-IS-NOT-ASKED not understood'],
  ['PathDenyFilter sub', 'RMD sub', '550 sub: Forbidden filename'],
  [
    '<Directory BASE/alice/sub>\nPathDenyFilter new\n</Directory>',
    'MKD sub/new',
    '550 sub/new: Forbidden filename',
  ],
  [
    '<Directory BASE/alice/sub>\nPathDenyFilter new\n</Directory>',
    'MKD new',
    '257 "/new" - Directory successfully created',
  ],
  ['<Limit CWD>\nDenyFilter sub\n</Limit>', 'CWD sub', '550 sub: Permission denied'],
  ['<Limit CWD>\nDenyFilter sub\n</Limit>', 'CWD other', '250 CWD command successful'],
];

test('filters of arguments and names, with flags and in sections', limits, async () => {
  for (const [config, command, answer] of FILTERS) {
    await using fixture = await open(config);
    writeFileSync(join(fixture.home, 'file.exe'), 'x');
    const client = await fixture.login();
    assert.deepEqual((await client.command(command)).lines, [answer], `${config}: ${command}`);
  }
});

test('PathDenyFilter holds for uploads and new names, not for downloads', limits, async () => {
  await using fixture = await open('PathDenyFilter txt$\n');
  const client = await fixture.login();
  assert.equal((await client.upload('STOR new.txt', 'x')).final.text, 'new.txt: Forbidden filename');
  assert.equal((await client.upload('APPE file.txt', 'x')).final.code, 550);
  assert.equal((await client.download('RETR file.txt')).final.code, 226);
  await client.upload('STOR new', 'x');
  assert.deepEqual(await codes(client, 'RNFR new', 'RNTO new.txt'), [350, 550]);
});

test('UseEncoding off takes the bytes of names as they are', limits, async () => {
  for (const [value, code] of [
    ['off', 213],
    ['on', 550],
    ['UTF-8', 550],
  ] as const) {
    await using fixture = await open(`UseEncoding ${value}\n`);
    writeFileSync(join(fixture.home, 'caf\u00e9'), '12345');
    writeFileSync(Buffer.from(join(fixture.home, 'caf\xe9'), 'latin1'), '123');
    const client = await fixture.login();
    await client.command('TYPE I');
    client.sendRaw(Buffer.from('SIZE caf\xe9\r\n', 'latin1'));
    const { code: answered, text } = await client.readReply();
    assert.deepEqual([answered, text === '3'], [code, code === 213], value);
    assert.equal((await client.command('SIZE caf\u00e9')).text, '5');
    assert.equal((await client.command('FEAT')).lines.includes(' UTF8'), value !== 'off');
  }
});

test('ServerAdmin and ServerName where people read them', limits, async () => {
  await using fixture = await open('');
  const client = await fixture.login();
  assert.equal((await client.command('HELP')).lines.at(-1), '214 Direct comments to admin@example.org');
  assert.equal((await client.command('STAT')).text, "Status of 'Test'");
});

test('the process: RLimitOpenFiles, SetEnv TZ, TCPBacklog', onLinux, async (t) => {
  const server = await startChildServer(
    t,
    `${BASE_CONFIG}RLimitOpenFiles 300 400\nSetEnv TZ Pacific/Honolulu\nTimesGMT off\nTCPBacklog 7\nLockgateWorkers 1\n`,
  );
  const limitsOfProcess = readFileSync(`/proc/${server.read('lockgate.pid').trim()}/limits`, 'utf8');
  assert.match(limitsOfProcess, /^Max open files +300 +400 /m);
  const recent = Date.now() - 40 * 86_400_000;
  writeFileSync(join(server.homeOf('alice'), 'f'), 'x');
  utimesSync(join(server.homeOf('alice'), 'f'), recent / 1000, recent / 1000);
  const client = await FtpClient.connect({ port: server.port });
  t.after(() => client.destroy());
  await client.login('alice', 'secret');
  const there = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'Pacific/Honolulu',
    hour: '2-digit',
    minute: '2-digit',
  });
  const { body } = await client.download('LIST');
  assert.ok(body.toString().includes(` ${there.format(recent)} f\r\n`), body.toString());
  const sockets = socketTable(server.port);
  if (sockets === null) t.diagnostic('ss is not there: TCPBacklog was not looked at');
  else assert.match(sockets, /^LISTEN +0 +7 /);
});

/** The listening socket as ss(8) shows it, its backlog in the third column; null without the program. */
function socketTable(port: number): string | null {
  try {
    return execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
