/** Directives of logs through main, worker and socket: which lines come, where, and what stands in them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LOCKGATE_VERSION } from '../../src/version.ts';
import type { FtpClient } from '../support/ftp-client.ts';
import { startHosts, type HostServer } from '../support/host-server.ts';
import { startServer } from '../support/server.ts';

const limits = { timeout: 30_000 };

/** Variable of a LogFormat, and what it prints for `RETR sub/file.txt` (21 bytes) of alice. */
const VARIABLES: readonly (readonly [variable: string, printed: RegExp])[] = [
  ['%a', /^127\.0\.0\.1$/],
  ['%A', /^UNKNOWN$/],
  ['%b', /^21$/],
  ['%c', /^inside$/],
  ['%d', /^sub$/],
  ['%D', /^\/sub$/],
  ['%E', /^-$/],
  ['%{COLOUR}e', /^green$/],
  ['%{HOME}e', /^-$/],
  ['%{PATH}e', /^\/.*bin/],
  ['%f', /^\/.*\/homes\/alice\/sub\/file\.txt$/],
  ['%F', /^\/sub\/file\.txt$/],
  ['%g', /^\S+$/],
  ['%h', /^127\.0\.0\.1$/],
  ['%H', /^127\.0\.0\.1$/],
  ['%I', /^[1-9]\d+$/],
  ['%J', /^sub\/file\.txt$/],
  ['%l', /^UNKNOWN$/],
  ['%L', /^127\.0\.0\.1$/],
  ['%m', /^RETR$/],
  ['%O', /^[1-9]\d+$/],
  ['%p', /^\d+$/],
  ['%P', /^[1-9]\d*$/],
  ['%r', /^RETR sub\/file\.txt$/],
  ['%R', /^\d+$/],
  ['%s', /^226$/],
  ['%S', /^Transfer complete$/],
  ['%t', /^\[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]$/],
  ['%{%Y-%m}t', /^\d{4}-\d\d$/],
  ['%T', /^\d+\.\d{3}$/],
  ['%u', /^alice$/],
  ['%U', /^alice$/],
  ['%v', /^variables$/],
  ['%V', /^ftp\.example\.net$/],
  ['%w', /^-$/],
  ['%{basename}', /^file\.txt$/],
  ['%{epoch}', /^\d{10}$/],
  ['%{file-modified}', /^false$/],
  ['%{file-offset}', /^0$/],
  ['%{file-size}', /^21$/],
  ['%{gid}', /^\d+$/],
  ['%{uid}', /^\d+$/],
  ['%{iso8601}', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [+-]\d{4}$/],
  ['%{microsecs}', /^\d{6}$/],
  ['%{millisecs}', /^\d{3}$/],
  ['%{note:NONE}', /^-$/],
  ['%{protocol}', /^ftp$/],
  ['%{remote-port}', /^[1-9]\d+$/],
  ['%{transfer-failure}', /^-$/],
  ['%{transfer-millisecs}', /^\d+$/],
  ['%{transfer-port}', /^[1-9]\d+$/],
  ['%{transfer-speed}', /^\d+\.\d{3}$/],
  ['%{transfer-status}', /^success$/],
  ['%{transfer-type}', /^binary$/],
  ['%{version}', new RegExp(`^${LOCKGATE_VERSION.replaceAll('.', '\\.')}$`)],
  ['%{UNIQUE_ID}e', /^-$/],
  ['%{time:%Y}', /^\d{4}$/],
  ['100%%', /^100%$/],
];

const CLASSES: readonly (readonly [selection: string, verbs: readonly string[]])[] = [
  ['AUTH', ['USER', 'PASS']],
  ['INFO', ['PWD', 'SIZE', 'QUIT']],
  ['DIRS', ['CWD', 'MKD', 'RMD']],
  ['READ', ['RETR']],
  ['WRITE', ['MKD', 'RMD', 'STOR', 'DELE', 'RNFR', 'RNTO']],
  ['MISC', ['TYPE', 'EPSV', 'NOOP']],
  ['SEC', ['AUTH']],
  ['CONNECT', ['CONNECT']],
  ['EXIT', ['EXIT']],
  ['NONE', []],
  ['READ,WRITE', ['RETR', 'STOR']],
  ['NONE+NOOP,PWD', ['NOOP', 'PWD']],
];

const LOG_OPTIONS: readonly (readonly [options: string, prefix: (text: string) => RegExp])[] = [
  [
    '-Hostname',
    (text) => new RegExp(`^\\S+ \\S+ proftpd\\[\\d+\\] \\S+ \\(\\S+\\[\\S+\\]\\): ${text}$`, 'm'),
  ],
  [
    '-VirtualHost',
    (text) => new RegExp(`^\\S+ \\S+ ${hostname()} proftpd\\[\\d+\\] \\(\\S+\\): ${text}$`, 'm'),
  ],
  ['-Timestamp', (text) => new RegExp(`^${hostname()} proftpd\\[\\d+\\] \\S+ \\(\\S+\\): ${text}$`, 'm')],
  ['Timestamp', (text) => new RegExp(`^\\S+ \\S+ proftpd\\[\\d+\\] \\(\\S+\\): ${text}$`, 'm')],
];

const HOSTS: Record<string, string> = {
  variables: `ServerAlias ftp.example.net
    SetEnv COLOUR green
    UnsetEnv HOME
    ExtendedLog @DIR@/variables.log READ variables`,
  classes: `TLSEngine on\n${CLASSES.map(([selection], index) => `ExtendedLog @DIR@/class-${index}.log ${selection} verb`).join('\n')}`,
  levels: 'SyslogLevel notice\nServerLog @DIR@/levels.log',
  ownLog: 'ServerLog @DIR@/own.log',
  noLog: 'ServerLog none',
  anonymous: `TransferLog @DIR@/transfers.log
    <Anonymous @DIR@/public>
      User alice
      UserAlias anonymous alice
      TransferLog none
      SyslogLevel warn
    </Anonymous>`,
  xferlog: 'TransferLog @DIR@/xferlog',
  trace: 'TraceLog @DIR@/trace.log\nTrace DEFAULT:10',
  traceSome: 'TraceLog @DIR@/some.log\nTrace auth:5 data:1-4\nTrace data:9-10',
  links: 'AllowLogSymlinks on\nExtendedLog @DIR@/linked.log ALL verb',
  noLinks: 'ExtendedLog @DIR@/linked-2.log ALL verb',
  perUser: '<IfUser alice>\nExtendedLog @DIR@/user.log WRITE verb\n</IfUser>',
};
for (const [index, [options]] of LOG_OPTIONS.entries()) {
  HOSTS[`options${index}`] = `LogOptions ${options}\nServerLog @DIR@/options-${index}.log`;
}

const GLOBAL = `
  AuthOrder mod_auth_file.c
  AuthUserFile @USERS@
  RequireValidShell off
  DefaultRoot ~
  AllowOverwrite on
  LogFormat verb "%m"
  LogFormat variables "${VARIABLES.map(([variable]) => variable).join('|')}"
  <Class inside>
    From 127.0.0.1
  </Class>
`;

let hosts: HostServer;
const cleanUp: (() => unknown)[] = [];

before(async () => {
  hosts = await startHosts({ after: (work) => void cleanUp.push(work as () => unknown) }, GLOBAL, HOSTS, {
    beforeStart: async (directory) => {
      const at = (name: string): string => join(directory, name);
      mkdirSync(at('public'));
      for (const name of ['linked', 'linked-2']) {
        writeFileSync(at(`${name}-target`), '');
        symlinkSync(at(`${name}-target`), at(`${name}.log`));
      }
      mkdirSync(at('homes/alice/sub'), { mode: 0o777 });
      writeFileSync(at('homes/alice/sub/file.txt'), 'twenty-one characters');
    },
  });
});

after(async () => {
  for (const work of cleanUp.toReversed()) await work();
});

async function login(host: string, user = 'alice'): Promise<FtpClient> {
  const client = await hosts.connect(host);
  assert.equal((await client.login(user, 'secret')).code, 230);
  await client.command('TYPE I');
  return client;
}

/** QUIT; afterwards everything about the session stands in the logs. */
async function leave(client: FtpClient): Promise<void> {
  const ended = once(hosts.server.server, 'logout');
  await client.quit();
  await ended;
}

function lines(name: string): string[] {
  return hosts.server.read(name).split('\n').slice(0, -1);
}

test('every variable of a LogFormat', limits, async () => {
  const client = await login('variables');
  assert.equal((await client.download('RETR sub/file.txt')).final.code, 226);
  await leave(client);
  const [line, ...more] = lines('variables.log');
  assert.deepEqual(more, []);
  const printed = line!.split('|');
  assert.equal(printed.length, VARIABLES.length, String(line));
  for (const [index, [variable, pattern]] of VARIABLES.entries()) {
    assert.match(printed[index]!, pattern, variable);
  }
});

test('classes and single commands of ExtendedLog', limits, async () => {
  const client = await login('classes');
  for (const line of ['AUTH TLS', 'NOOP', 'PWD', 'MKD new', 'CWD new', 'CWD ..', 'RMD new'])
    await client.command(line);
  await client.upload('STOR up', 'x');
  await client.command('SIZE up');
  await client.download('RETR up');
  for (const line of ['RNFR up', 'RNTO up2', 'DELE up2']) await client.command(line);
  await leave(client);
  for (const [index, [selection, verbs]] of CLASSES.entries()) {
    const found = lines(`class-${index}.log`);
    for (const verb of verbs) assert.ok(found.includes(verb), `${selection} has ${verb}: ${found.join()}`);
    if (selection === 'READ') assert.deepEqual(found, ['RETR']);
    if (selection === 'NONE') assert.deepEqual(found, []);
    if (selection === 'NONE+NOOP,PWD') assert.deepEqual([...new Set(found)].toSorted(), ['NOOP', 'PWD']);
  }
});

test('SyslogLevel notice leaves successful logins out, not failures', limits, async () => {
  const client = await hosts.connect('levels');
  await client.login('alice', 'wrong');
  assert.equal((await client.login('alice', 'secret')).code, 230);
  await leave(client);
  const text = hosts.server.read('levels.log');
  assert.doesNotMatch(text, /Login successful|session opened/);
});

test('ServerLog takes the lines of its server out of SystemLog; none drops them', limits, async () => {
  const before = hosts.server.read('system.log').length;
  await leave(await login('ownLog'));
  assert.match(hosts.server.read('own.log'), /FTP session opened\.\n(?:.*\n)*.*FTP session closed\./);
  await leave(await login('noLog'));
  assert.doesNotMatch(hosts.server.read('system.log').slice(before), /FTP session (?:opened|closed)/);
});

for (const [index, [options, prefix]] of LOG_OPTIONS.entries()) {
  test(`LogOptions ${options}`, limits, async () => {
    await leave(await login(`options${index}`));
    assert.match(hosts.server.read(`options-${index}.log`), prefix('FTP session opened\\.'));
  });
}

test('TransferLog: one line per file, and none where <Anonymous> says none', limits, async () => {
  const client = await login('xferlog');
  await client.upload('STOR a b', 'xyz');
  await client.download('RETR sub/file.txt');
  await client.command('DELE a b');
  await leave(client);
  const home = hosts.server.homeOf('alice');
  const tails = lines('xferlog').map((line) => line.replace(/^.{24} \d+ 127\.0\.0\.1 /, ''));
  assert.deepEqual(tails, [
    `3 ${home}/a_b b _ i r alice ftp 0 * c`,
    `21 ${home}/sub/file.txt b _ o r alice ftp 0 * c`,
    `3 ${home}/a_b b _ d r alice ftp 0 * c`,
  ]);
  const anonymous = await hosts.connect('anonymous');
  assert.equal((await anonymous.login('anonymous', 'me@')).code, 230);
  await anonymous.upload('STOR up', 'x');
  await leave(anonymous);
  assert.deepEqual(lines('transfers.log'), []);
});

test('a user section adds an ExtendedLog after login', limits, async () => {
  const client = await login('perUser');
  await client.command('MKD made');
  await client.command('RMD made');
  await leave(client);
  assert.deepEqual(lines('user.log'), ['MKD', 'RMD']);
});

test('AllowLogSymlinks counts for the server that says it', limits, async () => {
  await leave(await login('links'));
  await leave(await login('noLinks'));
  assert.ok(lines('linked-target').includes('QUIT'));
  assert.deepEqual(lines('linked-2-target'), []);
  assert.match(
    hosts.server.read('system.log'),
    /unable to open ExtendedLog '\S+linked-2\.log': cannot log to a symbolic link/,
  );
});

const TRACED: readonly (readonly [channel: string, text: RegExp])[] = [
  ['auth', /^'alice' is user 'alice'$/],
  ['auth', /^'alice' is 'alice': uid \d+, gid \d+, groups .*, home '\/\S+'$/],
  ['auth', /^login of 'alice' refused: bad-credentials$/],
  ['command', /^running 'USER alice'$/],
  ['command', /^running 'PASS \(hidden\)'$/],
  ['command', /^refusing 'PASSsecret'|^refusing 'NOSUCH \(hidden\)'$/],
  ['config', /^configuration \d+: server 'trace' \(\d+\), class inside, user -, groups -$/],
  ['config', /^configuration \d+: server 'trace' \(\d+\), class inside, user alice, groups /],
  ['config', /^directory '\/': settings those of the session, 0 levels of <Limit>$/],
  ['data', /^listening on 127\.0\.0\.1 port \d+$/],
  ['data', /^passive connection of 127\.0\.0\.1 port \d+ with 127\.0\.0\.1 port \d+$/],
  ['response', /^sending response '226 Transfer complete'$/],
  ['timer', /^TimeoutIdle 600, TimeoutNoTransfer 300, TimeoutSession 0 seconds$/],
  ['xfer', /^RETR '\/sub\/file\.txt': completed, 21 bytes$/],
];

test('Trace DEFAULT writes every channel, and no secret', limits, async () => {
  const client = await hosts.connect('trace');
  await client.login('alice', 'wrong-secret');
  await client.command('NOSUCH wrong-secret');
  await client.command('PASSwrong-secret');
  await client.login('alice', 'secret');
  await client.download('RETR sub/file.txt');
  await leave(client);
  const found = lines('trace.log').map((line) => {
    const parts = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\d+\] <(\w+):(\d+)>: (.*)$/.exec(line);
    assert.ok(parts !== null, line);
    return { channel: parts[1]!, text: parts[3]! };
  });
  for (const [channel, text] of TRACED) {
    assert.ok(
      found.some((line) => line.channel === channel && text.test(line.text)),
      `${channel}: ${String(text)} in\n${hosts.server.read('trace.log')}`,
    );
  }
  assert.doesNotMatch(hosts.server.read('trace.log'), /wrong-secret|PASS secret/i);
});

test(
  'Trace of some channels and levels writes just those; the later line of a channel counts',
  limits,
  async () => {
    const client = await login('traceSome');
    await client.download('RETR sub/file.txt');
    await leave(client);
    const channels = lines('some.log').map((line) => /<(\w+:\d+)>/.exec(line)?.[1]);
    assert.deepEqual([...new Set(channels)], ['auth:5']);
  },
);

test('TLS steps are traced on their channel; DebugLevel and LockgateLog show commands', limits, async (t) => {
  const server = await startServer(
    t,
    `
    Port @PORT@
    DefaultAddress 127.0.0.1
    UseIPv6 off
    UseReverseDNS off
    DebugLevel 3
    LockgateLog @DIR@/all.json
    SystemLog none
    TraceLog @DIR@/trace.log
    Trace tls:5
    TLSEngine on
    TLSECCertificateFile @EC_CERT@
    TLSECCertificateKeyFile @EC_KEY@
    `,
  );
  const { FtpClient: Client } = await import('../support/ftp-client.ts');
  const client = await Client.connect({ port: server.port });
  const ended = once(server.server, 'logout');
  assert.equal((await client.authTls()).code, 234);
  await client.command('NOSUCH secret-word');
  await client.quit();
  await ended;
  assert.match(server.read('trace.log'), /<tls:5>: TLS\/TLS-C requested, starting TLS handshake/);
  const texts = server
    .read('all.json')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.ok(texts.includes('QUIT: 221 Goodbye.'), texts.join('\n'));
  assert.ok(texts.some((text) => text.startsWith('tls: ')));
  assert.doesNotMatch(texts.join('\n'), /secret-word/);
});
