import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandRate } from '../../../workers/ftp/command-rate.ts';
import { selectFacts } from '../../../workers/ftp/fact-names.ts';
import { changedMode, isMode } from '../../../workers/ftp/mode-change.ts';
import { replyForFsError } from '../../../workers/ftp/reply-for-error.ts';
import { formatTimeVal, parseTimeVal } from '../../../workers/ftp/time-val.ts';
import { FsError } from '../../../workers/vfs/fs-error.ts';

test('modes of SITE CHMOD are octal or symbolic, as chmod(1) takes them', () => {
  const cases: [mode: string, current: number, expected: number][] = [
    ['755', 0o600, 0o755],
    ['0', 0o777, 0],
    ['4755', 0, 0o4755],
    ['u+x', 0o644, 0o744],
    ['go-rwx', 0o777, 0o700],
    ['a=r', 0o777, 0o444],
    ['u=rwx,go=rx', 0, 0o755],
    ['ug+s', 0o755, 0o6755],
    ['+t', 0o755, 0o1755],
    ['u-s', 0o4755, 0o755],
    ['o=', 0o777, 0o770],
    ['u+w-x', 0o544, 0o644],
  ];
  for (const [mode, current, expected] of cases) {
    assert.equal(changedMode(mode, current, false, 0o022)?.toString(8), expected.toString(8), mode);
  }
});

test('X means x only for directories and for what is executable already', () => {
  assert.equal(changedMode('a+X', 0o644, false, 0), 0o644);
  assert.equal(changedMode('a+X', 0o744, false, 0), 0o755);
  assert.equal(changedMode('a+X', 0o644, true, 0), 0o755);
});

test('without a class the umask holds', () => {
  assert.equal(changedMode('+w', 0o444, false, 0o022), 0o644);
});

test('what is no mode is refused', () => {
  for (const text of ['', '8', '77777', 'u', 'x+u', 'u+q', 'u+x,', '-1x', 'rw-r--r--'])
    assert.equal(isMode(text), false, text);
});

test('a time-val is UTC and survives the way there and back', () => {
  assert.equal(formatTimeVal(Date.UTC(2024, 1, 29, 23, 59, 58, 999)), '20240229235958');
  assert.equal(parseTimeVal('20240229235958')?.toISOString(), '2024-02-29T23:59:58.000Z');
  assert.equal(parseTimeVal('19991231235959.5')?.toISOString(), '1999-12-31T23:59:59.500Z');
  assert.equal(parseTimeVal('00010101000000')?.getUTCFullYear(), 1);
});

test('a time-val that names no day is none', () => {
  for (const text of [
    '',
    '2024',
    '20230229000000',
    '20241301000000',
    '20240100000000',
    '20240101240000',
    '2024010100000x',
  ]) {
    assert.equal(parseTimeVal(text), null, text);
  }
});

test('facts are chosen without regard to case and listed in one order', () => {
  assert.deepEqual(selectFacts(['SIZE', 'unix.MODE', 'modify', 'nonsense']), ['modify', 'size', 'UNIX.mode']);
  assert.deepEqual(selectFacts([]), []);
});

test('the delay of MaxCommandRate grows with each command above it and ends with a quiet interval', () => {
  const rate = new CommandRate();
  const limit = { count: 2, seconds: 1 };
  const delays = [0, 1, 2, 3, 4].map((now) => rate.delay(limit, 10_000 + now));
  assert.deepEqual(delays, [0, 0, 100, 200, 300]);
  assert.equal(rate.delay(limit, 12_000), 0);
  assert.equal(rate.delay(limit, 14_000), 0);
  assert.deepEqual([rate.delay(limit, 14_001), rate.delay(limit, 14_002)], [0, 100]);
});

test('file errors have the documented replies', () => {
  const cases: [error: FsError, verb: string, expected: string][] = [
    [new FsError('not-found'), 'RETR', '550 x: No such file or directory'],
    [new FsError('permission-denied', { errno: 'EACCES' }), 'STOR', '550 x: Permission denied'],
    [new FsError('permission-denied', { errno: 'EPERM' }), 'DELE', '550 x: Operation not permitted'],
    [new FsError('exists'), 'MKD', '550 x: File exists'],
    [new FsError('invalid-name'), 'MKD', '550 x: Invalid directory name'],
    [new FsError('not-empty'), 'RMD', '550 x: Directory not empty'],
    [new FsError('forbidden-name'), 'STOR', '550 x: Forbidden filename'],
    [new FsError('overwrite-denied'), 'STOR', '550 x: Overwrite permission denied'],
    [new FsError('rename-denied'), 'RNTO', '550 x: Rename permission denied'],
    [new FsError('restart-denied'), 'RETR', '451 x: Restart not permitted, try again'],
    [new FsError('restart-denied'), 'STOR', '451 x: Append/Restart not permitted, try again'],
    [new FsError('append-denied'), 'APPE', '451 x: Append/Restart not permitted, try again'],
    [new FsError('hidden-store-exists'), 'STOR', '550 x: Temporary hidden file .in.x. already exists'],
    [new FsError('restart-with-hidden-store'), 'STOR', '501 REST not compatible with server configuration'],
    [new FsError('invalid-offset'), 'RETR', '554 x: invalid REST argument'],
    [new FsError('no-space'), 'STOR', '452 x: No space left on device'],
    [new FsError('quota-exceeded'), 'STOR', '552 x: Disk quota exceeded'],
    [new FsError('not-regular'), 'RETR', '550 x: Not a regular file'],
  ];
  for (const [error, verb, expected] of cases) {
    const { code, text } = replyForFsError(error, 'x', verb);
    assert.equal(`${code} ${text}`, expected);
  }
});

test('the text of an error never reaches the peer', () => {
  const error = new FsError('io', { detail: '/srv/secret/path broke' });
  assert.equal(replyForFsError(error, 'x', 'RETR').text, 'x: Input/output error');
});
