/** The tables of the SSH transport: which message when, which client can what, when keys are worn out. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { acceptsVariable } from '../../../workers/ssh/connection/accepted-environment.ts';
import { ReceiveWindow } from '../../../workers/ssh/connection/receive-window.ts';
import { matchClient, quirksOf } from '../../../workers/ssh/transport/client-identity.ts';
import { verdictTable, type InboundState } from '../../../workers/ssh/transport/message-table.ts';
import { agree } from '../../../workers/ssh/transport/negotiation.ts';
import { byteLimit, isWornOut } from '../../../workers/ssh/transport/rekey-limits.ts';
import { refusalBytes } from '../../../workers/ssh/refusal.ts';
import type { ClientKexInit } from '../../../workers/ssh/wire/kexinit.ts';

const accepted = (state: InboundState, strict: boolean): number[] =>
  verdictTable(state, strict).flatMap((verdict, type) => (verdict === 'accept' ? [type] : []));
const CONNECTION = [80, 81, 82, 90, 93, 94, 95, 96, 97, 98, 99, 100];
const KEX_METHOD = Array.from({ length: 20 }, (_, index) => 30 + index);

suite('messages by state', () => {
  const rows: [InboundState, boolean, number[]][] = [
    ['kexinit', true, [1, 20]],
    ['kexinit', false, [1, 2, 3, 4, 20]],
    ['kex', true, [1, ...KEX_METHOD]],
    ['newkeys', true, [1, 21]],
    ['service', true, [1, 2, 3, 4, 5, 7, 192]],
    ['userauth', true, [1, 2, 3, 4, 50, 61, 192]],
    ['open', true, [1, 2, 3, 4, 20, ...CONNECTION, 192]],
    ['rekey-kex', true, [1, 2, 3, 4, ...KEX_METHOD, ...CONNECTION]],
    ['rekey-newkeys', false, [1, 2, 3, 4, 21, ...CONNECTION]],
  ];
  for (const [state, strict, types] of rows) {
    test(`${state}${strict ? ', strict' : ''}: exactly ${types.length} messages are accepted`, () => {
      assert.deepEqual(accepted(state, strict), types);
    });
  }

  test('what a server never receives is refused in every state, never merely unimplemented', () => {
    for (const state of ['service', 'userauth', 'open'] as const) {
      for (const type of [6, 21, 31, 51, 52, 53, 60, 91, 92]) {
        assert.equal(verdictTable(state, true)[type], 'refuse', `${type} in ${state}`);
      }
    }
  });

  test('requests behind the login that succeeded are ignored, unassigned numbers are unimplemented', () => {
    assert.equal(verdictTable('open', true)[50], 'ignore');
    assert.equal(verdictTable('open', true)[200], 'unimplemented');
    assert.equal(verdictTable('userauth', true)[90], 'refuse');
  });
});

suite('negotiation', () => {
  const lists = {
    keyExchanges: ['a', 'b'],
    hostKeys: ['h'],
    ciphersIn: ['aes256-ctr', 'aes256-gcm@openssh.com'],
    ciphersOut: ['aes256-ctr', 'aes256-gcm@openssh.com'],
    macsIn: ['m'],
    macsOut: ['m'],
    compressionsIn: ['none'],
    compressionsOut: ['none'],
  };
  const client = (more: Partial<ClientKexInit>): ClientKexInit => ({
    ...lists,
    guessFollows: false,
    ...more,
  });

  test("the client's order decides", () => {
    assert.equal(agree(client({ keyExchanges: ['x', 'b', 'a'] }), lists).keyExchange, 'b');
  });

  test('a cipher that authenticates needs no MAC in common', () => {
    const agreed = agree(client({ ciphersIn: ['aes256-gcm@openssh.com'], macsIn: ['other'] }), lists);
    assert.deepEqual([agreed.macIn, agreed.macOut], ['implicit', 'm']);
  });

  test('pseudo-algorithms never win', () => {
    const names = ['ext-info-c', 'kex-strict-c-v00@openssh.com'];
    assert.throws(
      () => agree(client({ keyExchanges: names }), { ...lists, keyExchanges: names }),
      /no shared key exchange/,
    );
  });

  test('a guess is wrong where the first names differ, also of the host keys', () => {
    assert.equal(agree(client({ guessFollows: true }), lists).wrongGuess, false);
    assert.equal(agree(client({ guessFollows: true, hostKeys: ['x', 'h'] }), lists).wrongGuess, true);
    assert.equal(agree(client({ guessFollows: true, keyExchanges: ['b'] }), lists).wrongGuess, true);
  });
});

suite('clients', () => {
  test('all rules of SFTPClientMatch that match apply, the later one wins per key', () => {
    const rules = [
      { pattern: /OpenSSH/, channelWindowSize: 1, channelPacketSize: 2 },
      { pattern: /PuTTY/, channelWindowSize: 3 },
      { pattern: /^OpenSSH_9/g, channelWindowSize: 4 },
    ];
    for (let again = 0; again < 2; again += 1)
      assert.deepEqual(matchClient(rules, 'OpenSSH_9.2p1'), { channelWindowSize: 4, channelPacketSize: 2 });
  });

  test('old programs are spared what they cannot take', () => {
    assert.equal(quirksOf('OpenSSH_2.3.0').takesBanner, false);
    assert.equal(quirksOf('OpenSSH_2.5.1').takesRekey, false);
    assert.equal(quirksOf('OpenSSH_20.1').takesBanner, true);
    assert.equal(quirksOf('3.2.9.1 SSH').takesIgnore, false);
    assert.equal(quirksOf('Cisco-1.25').takesHostKeyRotation, false);
    assert.deepEqual(
      ['TTSSH/2.72', 'TTSSH/2.9', 'TTSSH/2.73', 'TTSSH/3.0'].map(
        (name) => quirksOf(name).takesHostKeyRotation,
      ),
      [false, false, true, true],
    );
    assert.equal(quirksOf('Probe-1').visitor, 'probe');
  });
});

test('keys are worn out by bytes of SFTPRekey, never later than the cipher allows', () => {
  const required = { kind: 'required', seconds: 1, bytes: 1000, timeoutSeconds: 0 } as const;
  assert.equal(byteLimit(required, 16, false), 1000);
  assert.equal(byteLimit({ kind: 'none' }, 16, true), 2 ** 36);
  assert.equal(byteLimit({ kind: 'none' }, 8, true), 1e9);
  assert.equal(isWornOut({ packets: 2 ** 31, bytes: 0 }, 1000), true);
  assert.equal(isWornOut({ packets: 1, bytes: 999 }, 1000), false);
});

suite('receive window', () => {
  test('gives back exactly what was used, half a window at a time', () => {
    const window = new ReceiveWindow(100_000);
    assert.equal(window.received(100_000), true);
    assert.equal(window.received(1), false);
    assert.equal(window.used(49_999), 0);
    assert.equal(window.used(1), 50_000);
    assert.equal(window.received(50_000), true);
    assert.equal(window.received(1), false);
  });

  test('a service cannot use more than came in', () => {
    const window = new ReceiveWindow(1_000);
    window.received(600);
    assert.equal(window.used(100_000), 600);
  });

  test('grows for a client that waits for it, not for a service that is slow, and not beyond 16 MiB', () => {
    const waiting = new ReceiveWindow(null);
    const slow = new ReceiveWindow(null);
    const size = 2 * 1024 * 1024;
    slow.received(size);
    assert.equal(slow.used(size / 2), size / 2);
    for (let round = 0; round < 20; round += 1) {
      waiting.received(waiting.size);
      waiting.used(waiting.size);
    }
    assert.deepEqual([slow.size, waiting.size], [size, 16 * 1024 * 1024]);
  });
});

test('SFTPAcceptEnv: wildcards, and names that no pattern lets through', () => {
  assert.equal(acceptsVariable(['LC_*'], 'LC_ALL'), true);
  assert.equal(acceptsVariable(['BAR?'], 'BAR12'), false);
  assert.equal(acceptsVariable(['A.C'], 'ABC'), false);
  for (const name of ['PATH', 'home', 'LD_CONFIG_X', 'SFTP_CLIENT_BANNER', 'A=B', 'A\nB', ''])
    assert.equal(acceptsVariable(['*'], name), false, name);
  const slow = acceptsVariable([`${'*'.repeat(5_000)}X`], 'A'.repeat(256));
  assert.equal(slow, false);
});

test('a refusal is a version line and one DISCONNECT with code 12', () => {
  const bytes = refusalBytes('SSH-2.0-x', '421 Too many connections');
  const packet = bytes.subarray(bytes.indexOf('\r\n') + 2);
  assert.equal((packet.readUInt32BE(0) + 4) % 8, 0);
  assert.equal(packet.length, packet.readUInt32BE(0) + 4);
  assert.deepEqual([packet[5], packet.readUInt32BE(6)], [1, 12]);
  assert.equal(packet.toString('latin1', 14, 14 + packet.readUInt32BE(10)), 'Too many connections');
});
