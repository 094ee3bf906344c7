/** The control connection and the command loop: order, limits, timeouts, how a session ends. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { collect } from '../support/ftp-client.ts';
import { openFtpFixture } from '../support/ftp-session-fixture.ts';
import { SocketControlConnection } from '../../workers/ftp/control-connection.ts';

const limits = { timeout: 20_000 };

test('pipelined commands are answered in order, none lost', limits, async () => {
  await using fixture = await openFtpFixture();
  const client = await fixture.connect();
  const count = 20_000;
  client.sendRaw('NOOP\r\nXNOOP\r\n'.repeat(count / 2));
  for (let index = 0; index < count; index += 1) {
    const { code } = await client.readReply();
    assert.equal(code, index % 2 === 0 ? 200 : 500);
  }
});

test(
  'a whole session sent in one packet is served, and the half-closed client still gets its replies',
  limits,
  async () => {
    await using fixture = await openFtpFixture();
    const client = await fixture.connect();
    client.stream.end('USER alice\r\nPASS secret\r\nPWD\r\nNOOP\r\n');
    const codes = [];
    for (let index = 0; index < 4; index += 1) codes.push((await client.readReply()).code);
    assert.deepEqual(codes, [331, 230, 257, 200]);
    await client.waitClosed();
    assert.deepEqual(await fixture.outcomes[0], { reason: 'peer-closed', detail: null });
    assert.equal(fixture.facts[0]?.endReason, 'Read EOF from client');
  },
);

test('a client that sends without reading is made to wait, and then served completely', limits, async () => {
  await using fixture = await openFtpFixture();
  const socket = connect({ port: fixture.port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.pause();
  const count = 30_000;
  socket.end('HELP\r\n'.repeat(count));
  const served = fixture.sockets[0]!;
  while (!served.writableNeedDrain) await turn();
  for (let turns = 0; turns < 100; turns += 1) await turn();
  assert.ok(
    served.writableLength < 256 * 1024,
    `${served.writableLength} bytes wait for a client that does not read`,
  );
  const text = (await collect(socket, 15_000)).toString('latin1');
  assert.equal(text.match(/^214 Direct comments/gm)?.length, count);
});

test('three over-long lines are ignored, slowly; the fourth in a row ends the session', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'CommandBufferSize 64\n' });
  const client = await fixture.connect();
  const started = performance.now();
  client.send('x'.repeat(100), 'y'.repeat(100), 'z'.repeat(100), 'NOOP');
  assert.equal((await client.readReply()).code, 200);
  assert.ok(performance.now() - started >= 700, 'each over-long line costs 250 ms');
  client.send(...['a', 'b', 'c', 'd'].map((letter) => letter.repeat(100)));
  await client.waitClosed();
  assert.equal(client.pendingReplies, 0);
  assert.equal((await fixture.outcomes[0])?.reason, 'protocol-error');
});

test(
  'a client that speaks HTTP or SMTP first is logged and dropped, without an answer to its command',
  limits,
  async () => {
    for (const [line, log] of [
      ['GET / HTTP/1.1', "warn: client sent HTTP command 'GET', disconnecting"],
      ['ehlo mail.example.org', "warn: client sent SMTP command 'EHLO', disconnecting"],
    ] as const) {
      await using fixture = await openFtpFixture();
      const client = await fixture.connect();
      client.send(line, 'USER alice', 'PASS secret');
      await client.waitClosed();
      assert.equal(client.pendingReplies, 0);
      assert.deepEqual(fixture.lines, [log]);
    }
  },
);

test('HTTP verbs after a command are only unknown commands', limits, async () => {
  await using fixture = await openFtpFixture();
  const client = await fixture.connect();
  assert.deepEqual(
    (await client.dialogue('NOOP', 'GET /')).map(({ code }) => code),
    [200, 500],
  );
});

test('a TLS hello on a port that speaks clear text starts nothing and breaks nothing', limits, async () => {
  await using fixture = await openFtpFixture();
  const client = await fixture.connect();
  client.sendRaw(Buffer.from('160301020001000001fc0303' + '00'.repeat(64) + '0d0a', 'hex'));
  assert.equal((await client.readReply()).code, 500);
  assert.equal((await client.command('NOOP')).code, 200);
});

test('telnet signals before ABOR and inside a dialogue are not seen by commands', limits, async () => {
  await using fixture = await openFtpFixture();
  const client = await fixture.login();
  client.sendRaw(Buffer.from([255, 244, 255, 242, ...Buffer.from('ABOR\r\n')]));
  assert.deepEqual((await client.readReply()).lines, ['226 Abort successful']);
});

const timeouts: [directive: string, text: string, loggedIn: boolean][] = [
  ['TimeoutLogin', '421 Login timeout (1 seconds): closing control connection', false],
  ['TimeoutIdle', '421 Idle timeout (1 seconds): closing control connection', true],
  ['TimeoutNoTransfer', '421 No transfer timeout (1 seconds): closing control connection', true],
  ['TimeoutSession', '421 Session Timeout (1 seconds): closing control connection', true],
];
for (const [directive, text, loggedIn] of timeouts) {
  test(`${directive} says what ran out and closes`, limits, async () => {
    await using fixture = await openFtpFixture({ config: `${directive} 1\n` });
    const client = loggedIn ? await fixture.login() : await fixture.connect();
    assert.deepEqual((await client.readReply()).lines, [text]);
    await client.waitClosed();
    assert.deepEqual(await fixture.outcomes[0], { reason: 'timeout', detail: directive });
  });
}

test('TimeoutSession counts only for those it names', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'TimeoutSession 1 user bob\nTimeoutIdle 2\n' });
  const client = await fixture.login();
  assert.match((await client.readReply()).text, /^Idle timeout/);
});

test('commands push TimeoutIdle back', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'TimeoutIdle 1\n' });
  const client = await fixture.login();
  const started = performance.now();
  for (let round = 0; round < 4; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal((await client.command('NOOP')).code, 200);
  }
  await client.readReply();
  assert.ok(performance.now() - started > 2_400);
});

test('a transfer does not count as idle', limits, async () => {
  await using fixture = await openFtpFixture({
    config: 'TimeoutIdle 1\nTimeoutNoTransfer 1\nAllowOverwrite on\n',
  });
  const client = await fixture.login();
  const data = await client.prepareData('epsv');
  const connecting = data.connect();
  client.send('STOR slow');
  const socket = await connecting;
  assert.equal((await client.readReply()).code, 150);
  for (let round = 0; round < 5; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    socket.write('x');
  }
  socket.end();
  assert.equal((await client.readReply()).code, 226);
});

test('during a transfer STAT answers at once, NOOP waits, ABOR ends it: 426, then 226', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'DefaultTransferMode binary\n' });
  writeFileSync(join(fixture.home, 'big'), Buffer.alloc(64 * 1024 * 1024));
  const client = await fixture.login();
  const data = await client.prepareData('epsv');
  const connecting = data.connect();
  client.send('RETR big');
  const socket = await connecting;
  socket.pause();
  assert.equal((await client.readReply()).code, 150);
  client.send('NOOP', 'STAT', 'ABOR');
  const status = await client.readReply();
  assert.equal(status.code, 211);
  assert.ok(
    status.lines.some((line) => line.startsWith(' RETR /big (67108864/')),
    status.lines.join('\n'),
  );
  assert.deepEqual((await client.readReply()).lines, ['426 Transfer aborted. Data connection closed']);
  assert.deepEqual((await client.readReply()).lines, ['226 Abort successful']);
  assert.equal((await client.readReply()).code, 200);
  assert.equal((await client.command('PWD')).code, 257);
  socket.destroy();
});

test(
  'commands that would overtake a transfer wait as bytes when there are many of them',
  limits,
  async () => {
    await using fixture = await openFtpFixture();
    const client = await fixture.login();
    const data = await client.prepareData('epsv');
    const count = 50_000;
    client.send('LIST', ...Array.from({ length: count }, () => 'ABOR now'), 'NOOP');
    const served = fixture.sockets[0]!;
    while (!served.isPaused()) await turn();
    for (let turns = 0; turns < 100; turns += 1) await turn();
    assert.ok(served.bytesRead < 256 * 1024, `${served.bytesRead} bytes of commands were taken`);
    const socket = await data.connect();
    const codes: number[] = [];
    for (let index = 0; index < count + 3; index += 1) codes.push((await client.readReply()).code);
    assert.deepEqual(codes.slice(0, 2), [150, 226]);
    assert.ok(codes.slice(2, -1).every((code) => code === 501));
    assert.equal(codes.at(-1), 200);
    socket.destroy();
  },
);

test('QUIT during a transfer aborts it and says goodbye', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'DefaultTransferMode binary\n' });
  const client = await fixture.login();
  const data = await client.prepareData('epsv');
  const connecting = data.connect();
  client.send('STOR up');
  const socket = await connecting;
  assert.equal((await client.readReply()).code, 150);
  client.send('QUIT');
  assert.equal((await client.readReply()).code, 426);
  assert.equal((await client.readReply()).code, 221);
  await client.waitClosed();
  socket.destroy();
  assert.equal((await fixture.outcomes[0])?.reason, 'quit');
});

test(
  'losing the control connection during a transfer ends the transfer and the session',
  limits,
  async () => {
    await using fixture = await openFtpFixture({ config: 'DefaultTransferMode binary\n' });
    const client = await fixture.login();
    const data = await client.prepareData('epsv');
    const connecting = data.connect();
    client.send('STOR up');
    const socket = await connecting;
    const ended = once(socket, 'close');
    socket.resume();
    assert.equal((await client.readReply()).code, 150);
    client.destroy();
    await ended;
    assert.equal((await fixture.outcomes[0])?.reason, 'peer-closed');
  },
);

test('drain lets a transfer finish, then says 421', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'DefaultTransferMode binary\n' });
  const client = await fixture.login();
  const data = await client.prepareData('epsv');
  const connecting = data.connect();
  client.send('STOR up');
  const socket = await connecting;
  assert.equal((await client.readReply()).code, 150);
  fixture.sessions[0]!.drain('FTP server shutting down', 10_000);
  socket.end('content');
  assert.equal((await client.readReply()).code, 226);
  assert.deepEqual((await client.readReply()).lines, ['421 FTP server shutting down']);
  await client.waitClosed();
  assert.equal((await fixture.outcomes[0])?.reason, 'shutdown');
});

test('drain ends an idle session at once, and a busy one when the grace is over', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'DefaultTransferMode binary\n' });
  const idle = await fixture.login();
  fixture.sessions[0]!.drain('going down', 60_000);
  assert.deepEqual((await idle.readReply()).lines, ['421 going down']);
  const busy = await fixture.login();
  const data = await busy.prepareData('epsv');
  const connecting = data.connect();
  busy.send('STOR up');
  const socket = await connecting;
  assert.equal((await busy.readReply()).code, 150);
  fixture.sessions[1]!.drain('going down', 50);
  assert.equal((await busy.readReply()).code, 426);
  assert.deepEqual((await busy.readReply()).lines, ['421 going down']);
  await busy.waitClosed();
  socket.destroy();
});

test('a kicked session hears the text and closes', limits, async () => {
  await using fixture = await openFtpFixture();
  const client = await fixture.login();
  fixture.sessions[0]!.disconnect('Kicked', 'kicked');
  assert.deepEqual((await client.readReply()).lines, ['421 Kicked']);
  await client.waitClosed();
  assert.deepEqual(await fixture.outcomes[0], { reason: 'kicked', detail: null });
});

test('an error nobody foresaw ends the session with 421', limits, async () => {
  const broken = (): never => {
    throw new TypeError('a bug');
  };
  await using fixture = await openFtpFixture({ services: { inquireUser: broken } });
  const client = await fixture.connect();
  assert.deepEqual((await client.command('USER alice')).lines, [
    '421 Service not available, closing control connection',
  ]);
  await client.waitClosed();
  assert.match(fixture.lines[0] ?? '', /bug: TypeError: a bug\n/);
});

test('a bug during a transfer ends transfer and session', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'DefaultTransferMode binary\n' });
  const client = await fixture.login();
  const data = await client.prepareData('epsv');
  const connecting = data.connect();
  client.send('STOR up');
  const socket = await connecting;
  const ended = once(socket, 'close');
  socket.resume();
  assert.equal((await client.readReply()).code, 150);
  fixture.sessions[0]!.fail('Service not available, closing control connection');
  assert.equal((await client.readReply()).code, 421);
  await ended;
  await client.waitClosed();
  assert.equal((await fixture.outcomes[0])?.reason, 'error');
});

test('every answered command is recorded once, with its classes, reply and path', limits, async () => {
  await using fixture = await openFtpFixture();
  const client = await fixture.login();
  await client.dialogue('CWD nowhere', 'MKD new', 'RNFR new', 'RNTO old', 'FROB x');
  await client.quit();
  const lines = fixture.records.map(({ verb, argument, replyCode, classes }) =>
    [verb, argument, replyCode, classes.join('+')].join(' '),
  );
  assert.deepEqual(lines, [
    'USER alice 331 AUTH',
    'PASS secret 230 AUTH',
    'CWD nowhere 550 DIRS',
    'MKD new 257 DIRS+WRITE',
    'RNFR new 350 MISC+WRITE',
    'RNTO old 250 MISC+WRITE',
    'FROB x 500 ',
    'QUIT  221 INFO',
  ]);
  assert.equal(fixture.records[3]?.realPath, join(fixture.home, 'new'));
  assert.equal(fixture.records[3]?.clientPath, '/new');
  assert.equal(fixture.records[5]?.renameFrom, join(fixture.home, 'new'));
  const facts = fixture.facts[0]!;
  assert.equal(facts.user, 'alice');
  assert.ok(facts.rawBytesIn > 80 && facts.rawBytesOut > 200);
});

test('MaxCommandRate slows a client that is faster, more and more', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'MaxCommandRate 5 10\n' });
  const client = await fixture.connect();
  const started = performance.now();
  for (let count = 0; count < 5; count += 1) await client.command('NOOP');
  const fast = performance.now() - started;
  for (let count = 0; count < 3; count += 1) await client.command('NOOP');
  assert.ok(fast < 300, `${fast} ms for commands within the rate`);
  assert.ok(performance.now() - started >= 590);
});

test('SetEnv reaches the environment of the session', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'SetEnv COLOUR green\n' });
  await fixture.connect();
  assert.equal(fixture.facts[0]?.environment.get('COLOUR'), 'green');
});

test('bytes behind AUTH TLS in the same packet are never executed', limits, async () => {
  await using fixture = await openFtpFixture({ config: 'TLSEngine on\n' });
  const client = await fixture.connect();
  const { code } = await client.command('AUTH TLS');
  // Without a certificate AUTH is refused and the connection goes on in clear: nothing may be thrown away then.
  assert.equal(code, 431);
  client.send('AUTH TLS', 'NOOP');
  assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [431, 200]);
});

test(
  'a client that pipelines costly commands does not keep the thread from other sessions',
  limits,
  async () => {
    await using fixture = await openFtpFixture();
    const wide = join(fixture.home, 'wide');
    mkdirSync(wide);
    for (let index = 0; index < 1_500; index += 1) writeFileSync(join(wide, `${index}.x`), '');
    const client = await fixture.login();
    const longest = watchTurns();
    const count = 60;
    client.sendRaw('STAT wide/*[!y]*z\r\n'.repeat(count));
    for (let index = 0; index < count; index += 1) assert.equal((await client.readReply()).code, 450);
    // One command that looks at the directory 64 times.
    assert.equal((await client.command(`STAT ${'{,./}'.repeat(6)}wide/*[!y]*z`)).code, 450);
    const milliseconds = longest();
    assert.ok(milliseconds < 200, `nobody else was served for ${milliseconds.toFixed(0)} ms`);
  },
);

test('a client that is gone before its session begins does not keep it', limits, async () => {
  const socket = new Socket();
  socket.destroy();
  await once(socket, 'close');
  const control = new SocketControlConnection(socket, 512, { onActivity: () => undefined });
  assert.equal(control.ended, true);
});

/** Measures the turns of the event loop until the returned function is called; it gives the longest, in ms. */
function watchTurns(): () => number {
  let longest = 0;
  let last = performance.now();
  let watching = true;
  const look = (): void => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    if (watching) setImmediate(look);
  };
  setImmediate(look);
  return () => {
    watching = false;
    return longest;
  };
}
