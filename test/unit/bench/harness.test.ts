/** Command line and cleaning up of the benchmark harness. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cleanup } from '../../../bench/harness/cleanup.ts';
import { parseCommandLine } from '../../../bench/harness/command-line.ts';
import { choosePeers } from '../../../bench/peers/peers.ts';

const PARTS = ['transfer', 'idle'];

test('no argument runs everything on every peer', () => {
  const command = parseCommandLine([], PARTS);
  assert.deepEqual(command, { kind: 'run', parts: [], peers: null, scale: 'full', out: null });
});

test('parts, peers and --quick are taken', () => {
  const command = parseCommandLine(['idle', '--peers', 'proftpd,vsftpd', '--quick', '--out', '/x'], PARTS);
  const peers = ['proftpd', 'vsftpd'];
  assert.deepEqual(command, { kind: 'run', parts: ['idle'], peers, scale: 'quick', out: '/x' });
});

test('--peers none measures Lockgate alone', () => {
  const command = parseCommandLine(['--peers', 'none'], PARTS);
  assert.deepEqual(command.kind === 'run' ? command.peers : null, []);
  assert.deepEqual(
    choosePeers([]).map(({ name }) => name),
    ['lockgate'],
  );
});

test('compare takes one or two files', () => {
  assert.deepEqual(parseCommandLine(['compare', 'a'], PARTS), { kind: 'compare', base: 'a', next: null });
  assert.deepEqual(parseCommandLine(['compare', 'a', 'b'], PARTS), { kind: 'compare', base: 'a', next: 'b' });
  assert.equal(parseCommandLine(['compare'], PARTS).kind, 'usage');
});

test('unknown parts, options and peers are refused with what is known', () => {
  const command = parseCommandLine(['nonsense'], PARTS);
  assert.match(command.kind === 'usage' ? (command.complaint ?? '') : '', /nonsense.*transfer, idle/);
  assert.equal(parseCommandLine(['--fast'], PARTS).kind, 'usage');
  assert.throws(() => choosePeers(['iis']), /no peer 'iis'; known: proftpd/);
});

test('everything is undone once, newest first, and a failure stops nothing', async () => {
  const cleanup = new Cleanup();
  const done: string[] = [];
  cleanup.add('first', () => void done.push('first'));
  cleanup.add('broken', () => {
    throw new Error('cannot');
  });
  const undo = cleanup.add('early', () => void done.push('early'));
  cleanup.add('last', () => Promise.resolve().then(() => void done.push('last')));
  await undo();
  await undo();
  assert.deepEqual(await Promise.all([cleanup.run(), cleanup.run()]), [
    ['broken: cannot'],
    ['broken: cannot'],
  ]);
  assert.deepEqual(done, ['early', 'last', 'first']);
});
