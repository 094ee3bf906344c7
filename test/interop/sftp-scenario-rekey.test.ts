/**
 * SFTP acceptance scenarios 41-45: new keys, traffic policy, silent clients. Hours are not waited for: intervals of a
 * second and megabytes are configured where a session shows the behaviour, and the clocks themselves (rekey-clock.ts,
 * traffic-policy.ts) run on mocked timers for the documented figures.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, mock, test, type TestContext } from 'node:test';
import { cipherSpec } from '../../crypto/ssh/packet-protection.ts';
import type { SftpRekey } from '../../src/config/server-config.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { ProtocolViolation } from '../../workers/ssh/transport/protocol-violation.ts';
import { RekeyClock } from '../../workers/ssh/transport/rekey-clock.ts';
import { startTrafficPolicy } from '../../workers/ssh/transport/traffic-policy.ts';
import { needsProgram } from '../support/programs.ts';
import { sha256 } from '../support/shared-server.ts';
import {
  baseSftp,
  loginWithPassword,
  publicLine,
  startSftpSeed,
  type SftpSeed,
} from '../support/sftp-seed.ts';
import { messageOf } from '../unit/directives/judge-line.ts';

const LIMIT = { timeout: 60_000 };
const MEGABYTE = 1024 ** 2;
const BIG_BYTES = 24 * MEGABYTE;
const ASKS = /sending rekey KEXINIT$/;
const AGREED = / \+ Session key exchange: /;

const folder = mkdtempSync(join(tmpdir(), 'lockgate-sftp-rekey-'));
let seed: SftpSeed;

before(async () => {
  const impatient = { SFTPRekey: 'required 1 4096 1' };
  seed = await startSftpSeed(
    {
      none: baseSftp('none', { SFTPRekey: 'none' }),
      required: baseSftp('required', {
        SFTPRekey: 'required 3600 1',
        ExtendedLog: '@DIR@/notes.log EXIT notes',
      }),
      impatient: baseSftp('impatient', impatient),
      paranoid: baseSftp('paranoid', { SFTPTrafficPolicy: 'paranoid' }),
      'paranoid-rekey': baseSftp('paranoid-rekey', {
        SFTPRekey: 'required 1 4096 3',
        SFTPTrafficPolicy: 'paranoid',
      }),
      // The only global requests are probes.
      alive: baseSftp('alive', { SFTPClientAlive: '3 1', SFTPOptions: 'NoHostkeyRotation' }),
    },
    {
      main: 'LogFormat notes "%{note:SFTP_KEX_ALGO} %{note:SFTP_CLIENT_CIPHER_ALGO} %{note:SFTP_SERVER_MAC_ALGO}"\n',
    },
  );
  writeFileSync(join(seed.server.homeOf('alice'), 'big'), randomBytes(BIG_BYTES));
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Downloads the large file; the checksum is compared. */
async function download(host: string, args: readonly string[] = []): Promise<void> {
  const back = join(folder, `${host}-back`);
  const { code, stderr } = await seed.sftp(host, `get big ${back}\n`, { args });
  assert.equal(code, 0, stderr);
  assert.equal(sha256(back), sha256(join(seed.server.homeOf('alice'), 'big')));
}

interface Clock {
  readonly clock: RekeyClock;
  readonly asked: () => number;
  readonly failures: ProtocolViolation[];
}

/** A clock in a session that has just logged in, with AES keys. */
function clockOf(policy: SftpRekey): Clock {
  let asked = 0;
  const failures: ProtocolViolation[] = [];
  const clock = new RekeyClock(policy, {
    begin: () => (asked += 1),
    failed: (error) => failures.push(error as ProtocolViolation),
  });
  const aes = cipherSpec('aes256-gcm@openssh.com')!;
  clock.renewed({ cipherIn: aes, cipherOut: aes }, false);
  clock.start(policy);
  return { clock, asked: () => asked, failures };
}

function withMockedTimers(t: TestContext): void {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.after(() => mock.timers.reset());
}

const required = (seconds: number, megabytes: number, timeoutSeconds = 0): SftpRekey => ({
  kind: 'required',
  seconds,
  bytes: megabytes * MEGABYTE,
  timeoutSeconds,
});

describe('with mocked timers', () => {
  test('scenario 41: SFTPRekey none asks for nothing after 3 GB and hours, only where keys are worn out', (t) => {
    withMockedTimers(t);
    const { clock, asked } = clockOf({ kind: 'none' });
    clock.noteOut({ bytes: 3e9, packets: 100_000 });
    clock.noteIn({ bytes: 3e9, packets: 100_000 });
    mock.timers.tick(10 * 3600 * 1000);
    assert.equal(asked(), 0);
    clock.noteOut({ bytes: 3e9, packets: 2 ** 31 });
    assert.equal(asked(), 1);
    clock.stop();
  });

  test('scenario 42: SFTPRekey required asks after 2 GB in either direction, and after 3600 seconds', (t) => {
    withMockedTimers(t);
    for (const note of ['noteIn', 'noteOut'] as const) {
      const { clock, asked } = clockOf(required(3600, 2048));
      clock[note]({ bytes: 2048 * MEGABYTE - 1, packets: 65_536 });
      assert.equal(asked(), 0);
      clock[note]({ bytes: 2048 * MEGABYTE, packets: 65_536 });
      assert.equal(asked(), 1);
      clock.stop();
    }
    const { clock, asked } = clockOf(required(3600, 2048));
    mock.timers.tick(3600 * 1000 - 1);
    assert.equal(asked(), 0);
    mock.timers.tick(1);
    assert.equal(asked(), 1);
    clock.stop();
  });

  test('scenario 43: SFTPRekey required 1800 4096 300 gives the client 300 seconds', (t) => {
    withMockedTimers(t);
    const { asked, failures } = clockOf(required(1800, 4096, 300));
    mock.timers.tick(1800 * 1000);
    assert.equal(asked(), 1);
    mock.timers.tick(300 * 1000 - 1);
    assert.equal(failures.length, 0);
    mock.timers.tick(1);
    assert.equal(failures[0]?.logText, 'Failed to rekey before 300 seconds timeout, disconnecting client');
    assert.equal(failures[0]?.code, 3);
  });

  test('scenario 44: over 200 idle seconds the policies send about 0.04, 0.4, 20 and 200 IGNORE packets, none nothing', (t) => {
    withMockedTimers(t);
    // Many sessions at once, so that the rare ones can be counted: mean, sizes, and five standard deviations around them.
    const table = [
      ['none', 0, 0, 0, 10],
      ['low', 0.04, 64, 256, 20_000],
      ['medium', 0.4, 32, 768, 2_000],
      ['high', 20, 16, 2048, 50],
      ['paranoid', 200, 1, 8192, 5],
    ] as const;
    for (const [policy, mean, smallest, largest, sessions] of table) {
      const sizes: number[] = [];
      const stops = Array.from({ length: sessions }, () =>
        startTrafficPolicy(policy, (ignore) => {
          assert.equal(ignore[0], 2);
          sizes.push(ignore.readUInt32BE(1));
        }),
      );
      for (let second = 0; second < 200; second += 5) mock.timers.tick(5_000);
      for (const stop of stops) stop();
      const expected = mean * sessions;
      const spread = 5 * Math.sqrt(expected);
      assert.ok(
        Math.abs(sizes.length - expected) <= spread,
        `${policy}: ${sizes.length}, not about ${expected}`,
      );
      assert.ok(
        sizes.every((size) => size >= smallest && size <= largest),
        policy,
      );
    }
    assert.equal(messageOf('SFTPTrafficPolicy loud'), "'loud' is not a recognized policy");
  });
});

describe('in sessions', { concurrency: true }, () => {
  test(
    'scenario 41: with SFTPRekey none the server does not ask, and a client that rekeys is followed',
    LIMIT,
    async (t) => {
      if (!needsProgram(t, 'sftp')) return;
      const log = seed.sftpLog('none');
      await download('none', ['-oRekeyLimit=4M']);
      assert.ok((await log.matches(AGREED, 3)).length >= 3);
      assert.ok(!log.lines.some((line) => ASKS.test(line)));
    },
  );

  test(
    'scenario 42: the server asks for new keys, the transfer goes on, checksums are equal and the notes stay set',
    LIMIT,
    async (t) => {
      if (!needsProgram(t, 'sftp')) return;
      const log = seed.sftpLog('required');
      await download('required', [
        '-c',
        'aes256-ctr',
        '-oMACs=hmac-sha2-256',
        '-oKexAlgorithms=ecdh-sha2-nistp256',
      ]);
      assert.ok((await log.matches(ASKS, 5)).length >= 5);
      const notes = (): string => seed.server.read('notes.log');
      await log.line(/./);
      while (notes() === '') await new Promise((resolve) => setImmediate(resolve));
      assert.match(notes(), /^ecdh-sha2-nistp256 aes256-ctr hmac-sha2-256\n/);
    },
  );

  test(
    'scenario 43: a client that ignores our KEXINIT is disconnected after the timeout',
    LIMIT,
    async () => {
      const log = seed.sftpLog('impatient');
      const client = await loginWithPassword(await seed.client('impatient', { ignoresRekey: true }));
      assert.equal((await client.disconnected())?.code, 3);
      await log.inOrder(ASKS, /Failed to rekey before 1 seconds timeout, disconnecting client$/);
      assert.equal(messageOf('SFTPRekey required 0'), "rekey interval '0' must be greater than zero");
      assert.equal(messageOf('SFTPRekey maybe'), "expected either 'none' or 'required'");
    },
  );

  test(
    'scenario 44: paranoid sends every second after login, and nothing while keys are exchanged',
    LIMIT,
    async () => {
      const idle = async (): Promise<void> => {
        const client = await loginWithPassword(await seed.client('paranoid'));
        for (let count = 0; count < 2; count += 1)
          assert.ok((await client.expect(2)).readUInt32BE(1) <= 8192);
      };
      const exchanging = async (): Promise<void> => {
        const client = await loginWithPassword(await seed.client('paranoid-rekey', { ignoresRekey: true }));
        const first = client.serverKexInit;
        await client.until(() => client.serverKexInit !== first);
        const types: number[] = [];
        // What came before the KEXINIT has been read by now; the server waits three seconds for ours.
        for (let packet = await client.next(); packet !== null; packet = await client.next())
          types.push(packet[0]!);
        assert.equal(types.at(-1), 1);
        assert.ok(types.filter((type) => type === 2).length <= 1, types.join());
      };
      await Promise.all([idle(), exchanging()]);
    },
  );

  test(
    'scenario 45: SFTPClientAlive 3 1: three unanswered probes, then the end; a live idle client stays',
    LIMIT,
    async (t) => {
      const log = seed.sftpLog('alive');
      const gone =
        /SFTPClientAlive threshold \(max 3 checks, 1 sec interval\) reached, disconnecting client$/;
      const silent = await loginWithPassword(await seed.client('alive'));
      const startedAt = performance.now();
      for (let probe = 1; probe <= 3; probe += 1) {
        const request = await silent.expect(80);
        assert.match(request.toString('latin1'), /keepalive@proftpd\.org/);
        assert.ok(performance.now() - startedAt >= probe * 1000 - 100, `probe ${probe} came early`);
      }
      assert.deepEqual(await silent.disconnected(), { code: 11, text: 'client alive threshold reached' });
      assert.ok(performance.now() - startedAt >= 3_900);
      await log.line(gone);
      if (!needsProgram(t, 'ssh')) return;

      const [stopped, live] = [await idleClient(t, 'stopped'), await idleClient(t, 'live')];
      const suspended = seed.sftpLog('alive');
      stopped.kill('SIGSTOP');
      await suspended.line(gone, 15_000);
      stopped.kill('SIGCONT');
      await once(stopped, 'exit');
      assert.equal(suspended.lines.filter((line) => gone.test(line)).length, 1);
      const version = once(live.stdout!, 'data');
      live.stdin!.write(new ByteWriter().u32(5).u8(1).u32(3).finish());
      assert.equal(((await version) as [Buffer])[0][4], 2);
      live.kill();
    },
  );
});

/** OpenSSH with the sftp subsystem open, and nothing said on it. */
async function idleClient(t: TestContext, name: string): Promise<ChildProcess> {
  const identity = seed.key(name);
  seed.authorize('alice', publicLine(identity));
  const log = seed.sftpLog('alive');
  const options = [
    '-F/dev/null',
    '-oUserKnownHostsFile=/dev/null',
    '-oStrictHostKeyChecking=no',
    '-oIdentityAgent=none',
  ];
  const target = ['-p', String(seed.port('alive')), '-i', identity, '-s', 'alice@127.0.0.1', 'sftp'];
  const child = spawn('ssh', [...options, '-oIdentitiesOnly=yes', ...target], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.after(() => child.kill('SIGKILL'));
  await log.line(/'subsystem' channel request for 'sftp' subsystem/);
  return child;
}
