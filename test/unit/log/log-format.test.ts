import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_LOG_FORMAT,
  compileLogFormat,
  unknownVariable,
  type LogFormatInput,
} from '../../../src/log/log-format.ts';
import { logsCommand } from '../../../src/log/extended-log.ts';
import type { CommandRecord, SessionFacts } from '../../../src/log/session-log.ts';
import type { ExtendedLogTarget } from '../../../src/config/server-config.ts';

const facts: SessionFacts = {
  sessionId: 7,
  remoteAddress: '192.0.2.7',
  remotePort: 40000,
  remoteName: 'client.example',
  localAddress: '192.0.2.1',
  localPort: 21,
  connectedAt: new Date(0),
  protocol: 'ftps',
  loginName: 'al',
  user: 'alice',
  group: 'users',
  uid: 1000,
  gid: 100,
  className: 'local',
  identUser: null,
  anonymousPassword: null,
  endReason: null,
  bytesIn: 0,
  bytesOut: 0,
  rawBytesIn: 11,
  rawBytesOut: 22,
  filesIn: 0,
  filesOut: 0,
  notes: new Map([['TLS_CIPHER', 'AES']]),
  environment: new Map([['SITE', 'north']]),
};

const record: CommandRecord = {
  verb: 'RETR',
  argument: 'docs/a b.txt',
  classes: ['READ'],
  replyCode: 226,
  replyText: 'Transfer complete',
  receivedAt: new Date(2026, 10, 21, 9, 8, 7, 65),
  milliseconds: 12,
  realPath: '/srv/al/docs/a b.txt',
  clientPath: '/docs/a b.txt',
  renameFrom: null,
  transfer: {
    bytes: 2048,
    milliseconds: 2000,
    status: 'success',
    failure: null,
    ascii: false,
    port: 50000,
    offset: 0,
    fileSize: 2048,
    fileModified: false,
  },
};

function format(text: string, changes: Partial<CommandRecord> = {}): string {
  const input: LogFormatInput = {
    record: { ...record, ...changes },
    facts,
    serverName: 'Example',
    serverHost: 'ftp.example',
    version: '1',
  };
  return compileLogFormat(text)(input);
}

const expectations: readonly (readonly [string, string])[] = [
  ['%a %A %b %c %d %D %E', '192.0.2.7 UNKNOWN 2048 local docs /docs -'],
  ['%{SITE}e %{MISSING_IN_TEST}e', 'north -'],
  ['%f|%F|%g|%h|%H', '/srv/al/docs/a b.txt|/docs/a b.txt|users|client.example|192.0.2.1'],
  ['%I %O %J %l %L %m %p', '11 22 docs/a b.txt UNKNOWN 192.0.2.1 RETR 21'],
  ['%P', String(process.pid)],
  ['%r|%R|%s|%S', 'RETR docs/a b.txt|12|226|Transfer complete'],
  ['%{%Y-%m-%d}t %T %u %U %v %V %w', '2026-11-21 2.000 alice al Example ftp.example -'],
  ['%{basename} %{file-size} %{file-offset} %{file-modified}', 'a b.txt 2048 0 false'],
  ['%{uid}:%{gid} %{protocol} %{remote-port} %{note:TLS_CIPHER} %{note:none}', '1000:100 ftps 40000 AES -'],
  [
    '%{transfer-status} %{transfer-type} %{transfer-failure} %{transfer-millisecs} %{transfer-port} %{transfer-speed}',
    'success binary - 2000 50000 1.000',
  ],
  ['100%% %{millisecs} %{version}', '100% 065 1'],
];

for (const [text, expected] of expectations) {
  test(`LogFormat ${text} prints the documented values`, () => assert.equal(format(text), expected));
}

test('%t prints the time in brackets with the zone', () => {
  assert.match(format('%t'), /^\[21\/Nov\/2026:09:08:07 [+-]\d{4}\]$/);
});

test('the default format names host, ident, user, command, code and bytes', () => {
  assert.match(
    format(DEFAULT_LOG_FORMAT),
    /^client\.example UNKNOWN alice \[.*\] "RETR docs\/a b\.txt" 226 2048$/,
  );
});

test('the argument of PASS never appears', () => {
  const line = format('%r %J', { verb: 'PASS', argument: 'hunter2' });
  assert.equal(line, 'PASS (hidden) (hidden)');
});

test('a file name with control characters cannot forge a log line', () => {
  const line = format('%F %r', { clientPath: '/a\nforged\u202e', argument: 'a\r\nforged' });
  assert.ok(!/[\r\n\u202e]/.test(line), JSON.stringify(line));
});

test('unknown variables are named, known ones pass', () => {
  assert.equal(unknownVariable('%h %{file-size} %{x}e %{%Y}t %{note:a} %%'), null);
  assert.equal(unknownVariable('%h %q'), '%q');
  assert.equal(unknownVariable('%{nonsense}'), '%{nonsense}');
});

const target: ExtendedLogTarget = {
  path: '/x',
  classes: [],
  excludedClasses: [],
  commands: [],
  excludedCommands: [],
  format: 'default',
};
const read = { verb: 'RETR', classes: ['READ'] };

test('ExtendedLog without classes takes every command', () => assert.ok(logsCommand(target, read)));
test('ALL leaves EXIT out; EXIT by name takes it', () => {
  const exit = { verb: 'EXIT', classes: ['EXIT'] };
  assert.ok(!logsCommand({ ...target, classes: ['ALL'] }, exit));
  assert.ok(logsCommand({ ...target, classes: ['EXIT'] }, exit));
});
test('an excluded class or command is left out although ALL asks for it', () => {
  assert.ok(!logsCommand({ ...target, classes: ['ALL'], excludedClasses: ['READ'] }, read));
  assert.ok(!logsCommand({ ...target, classes: ['ALL'], excludedCommands: ['RETR'] }, read));
});
test('a command asked for by name is taken beside the classes', () => {
  assert.ok(logsCommand({ ...target, classes: ['WRITE'], commands: ['RETR'] }, read));
  assert.ok(!logsCommand({ ...target, classes: ['WRITE'] }, read));
});
