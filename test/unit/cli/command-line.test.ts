import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine, type CommandLine } from '../../../src/cli/command-line.ts';

function flagsOf(...argv: string[]) {
  const command = parseCommandLine(argv);
  assert.ok('flags' in command, JSON.stringify(command));
  return command.flags;
}

test('short flags combine, and the first that takes a value takes the rest', () => {
  const flags = flagsOf('-nqd5', '-DTLS', '-D', 'OTHER', '-c/etc/x.conf');
  assert.equal(flags.foreground, true);
  assert.equal(flags.quiet, true);
  assert.equal(flags.debugLevel, 5);
  assert.deepEqual(flags.defines, ['TLS', 'OTHER']);
  assert.equal(flags.configFile, '/etc/x.conf');
});

test('long flags take their value behind = or as the next argument', () => {
  const flags = flagsOf('--config=/a b', '--debug', '10', '--define', 'X', '--nodaemon');
  assert.deepEqual(
    [flags.configFile, flags.debugLevel, flags.defines, flags.foreground],
    ['/a b', 10, ['X'], true],
  );
});

test('-4 and -6 decide about IPv6, -S and -N are passed on', () => {
  assert.equal(flagsOf('-4').useIPv6, false);
  assert.equal(flagsOf('-6').useIPv6, true);
  assert.equal(flagsOf().useIPv6, null);
  const flags = flagsOf('-S', '192.0.2.1', '-N', '-p', '0');
  assert.deepEqual([flags.serverAddress, flags.noVirtualHostCheck], ['192.0.2.1', true]);
});

test('every question has its command', () => {
  const kinds: [string[], CommandLine['kind']][] = [
    [[], 'run'],
    [['-t'], 'config-test'],
    [['-v'], 'version'],
    [['-vv'], 'version-status'],
    [['-v', '-v'], 'version-status'],
    [['--version-status', '-c', 'x'], 'version-status'],
    [['-V'], 'settings'],
    [['--settings'], 'settings'],
    [['-l'], 'modules'],
    [['-h'], 'help'],
    [['--help'], 'help'],
    [['check', '-c', 'x'], 'check'],
    [['user', 'add', '-x'], 'user'],
  ];
  for (const [argv, kind] of kinds) assert.equal(parseCommandLine(argv).kind, kind, argv.join(' '));
});

test('mistakes are named', () => {
  const mistakes: [string[], RegExp][] = [
    [['-Z'], /unknown option '-Z'/],
    [['--zzz'], /unknown option '--zzz'/],
    [['-c'], /'-c' requires a value \(FILE\)/],
    [['--config'], /'--config' requires a value/],
    [['--list=1'], /takes no value/],
    [['-d', '11'], /0 to 10/],
    [['-d', 'x'], /0 to 10/],
    [['-p', '2'], /0 or 1/],
    [['--port', '0'], /port must be/],
    [['extra'], /unexpected argument 'extra'/],
  ];
  for (const [argv, expected] of mistakes) {
    const command = parseCommandLine(argv);
    assert.ok(command.kind === 'error', argv.join(' '));
    assert.match(command.message, expected);
  }
});
