import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foreignProtocol, parseCommandLine, splitWords } from '../../../workers/ftp/wire/command-line.ts';
import { encodeReply, reply, withLinesBefore } from '../../../workers/ftp/wire/reply.ts';

test('a one-line reply is its code, a space and the text', () => {
  assert.equal(encodeReply(reply(220, 'ready')), '220 ready\r\n');
});

test('lines of a body are indented by one space, so none of them can look like the last line', () => {
  const answer = { code: 211, text: 'Features:', body: ['MDTM', '211 End'], end: 'End' };
  assert.equal(encodeReply(answer), '211-Features:\r\n MDTM\r\n 211 End\r\n211 End\r\n');
});

test('a name with line breaks cannot forge a reply', () => {
  assert.equal(encodeReply(reply(550, 'a\r\n230 User root\0: no')), '550 a??230 User root?: no\r\n');
});

test('lines put in front of a reply leave its own text last', () => {
  assert.equal(
    encodeReply(withLinesBefore(reply(230, 'in'), ['Hello', 'World'])),
    '230-Hello\r\n World\r\n230 in\r\n',
  );
  assert.equal(encodeReply(withLinesBefore(reply(230, 'in'), ['Hello'])), '230-Hello\r\n230 in\r\n');
  assert.equal(encodeReply(withLinesBefore(reply(230, 'in'), [])), '230 in\r\n');
});

test('lines put in front of a reply with several lines keep its body', () => {
  const answer = withLinesBefore({ code: 250, text: 'a', body: ['b'], end: 'c' }, ['x', 'y']);
  assert.equal(encodeReply(answer), '250-x\r\n y\r\n a\r\n b\r\n250 c\r\n');
});

const parse = (line: string, encoding: BufferEncoding = 'utf8') =>
  parseCommandLine(Buffer.from(line, encoding));

test('the verb is upper-cased and ends at the first space; further spaces belong to the argument', () => {
  assert.deepEqual(parse('retr  a b '), {
    kind: 'command',
    verb: 'RETR',
    argument: ' a b ',
    wellEncoded: true,
  });
  assert.deepEqual(parse('  noop'), { kind: 'command', verb: 'NOOP', argument: '', wellEncoded: true });
  assert.deepEqual(parse('NOOP '), { kind: 'command', verb: 'NOOP', argument: '', wellEncoded: true });
});

test('an argument that is no UTF-8 is said to be none', () => {
  const parsed = parse('CWD \xe9', 'latin1');
  assert.deepEqual(parsed, { kind: 'command', verb: 'CWD', argument: '\udce9', wellEncoded: false });
  const login = parse('PASS \xe9', 'latin1');
  assert.deepEqual(login, { kind: 'command', verb: 'PASS', argument: '\xe9', wellEncoded: false });
  assert.deepEqual(parse('CWD é'), { kind: 'command', verb: 'CWD', argument: 'é', wellEncoded: true });
});

test('empty lines, control characters in a verb and NUL bytes are garbage', () => {
  for (const line of ['', '   ', '\x16\x03\x01\x02', 'US\tER x', 'CWD a\0b', 'é x']) {
    assert.equal(parse(line).kind, 'garbage', JSON.stringify(line));
  }
});

test('words are what stands between spaces', () => {
  assert.deepEqual(splitWords(' L  8 '), ['L', '8']);
  assert.deepEqual(splitWords(''), []);
});

test('verbs of HTTP, SMTP and SSH are known for what they are, those of FTP are not touched', () => {
  assert.equal(foreignProtocol('GET'), 'HTTP');
  assert.equal(foreignProtocol('EHLO'), 'SMTP');
  assert.equal(foreignProtocol('SSH-2.0-OPENSSH_9.2'), 'SSH2');
  for (const verb of ['USER', 'HOST', 'HELP', 'STAT', 'RETR']) assert.equal(foreignProtocol(verb), null);
});
