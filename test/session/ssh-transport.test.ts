/** The SSH transport over real sockets, against a client that can misbehave. User authentication and services are doubles. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { parsePublicKeyBlob, verifySignature } from '../../crypto/ssh/keys.ts';
import { parseKexInit } from '../../workers/ssh/wire/kexinit.ts';
import { SOURCE_BLOCK } from '../support/channel-doubles.ts';
import { SshClient, type SshClientOptions } from '../support/ssh-client.ts';
import { startSshServer, type SshServer, type SshServerOptions } from '../support/ssh-session-server.ts';

const LIMIT = { timeout: 30_000 };
const IGNORE = new ByteWriter().u8(2).string('x').finish();

/** Runs `body` with a server and ends both. */
async function withServer(
  options: SshServerOptions,
  body: (server: SshServer) => Promise<void>,
): Promise<void> {
  const server = await startSshServer(options);
  try {
    await body(server);
    assert.deepEqual(
      server.lines.filter((line) => line.startsWith('bug:')),
      [],
    );
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

/** The server's side has no event for it; a test's own time limit bounds the wait. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

async function echoes(client: SshClient, bytes: Buffer): Promise<void> {
  const channel = await client.openChannel(8 * 1024 * 1024);
  await channel.exec('echo');
  for (let at = 0; at < bytes.length; at += 30_000) channel.data(bytes.subarray(at, at + 30_000));
  channel.eof();
  assert.ok((await channel.readAll()).equals(bytes), 'what came back is not what was sent');
}

suite('ssh transport: packets', LIMIT, () => {
  const protections: [string, string][] = [
    ['aes128-gcm@openssh.com', 'hmac-sha2-256'],
    ['aes256-gcm@openssh.com', 'hmac-sha2-256'],
    ['chacha20-poly1305@openssh.com', 'hmac-sha2-256'],
    ['aes256-ctr', 'hmac-sha2-256-etm@openssh.com'],
    ['aes192-ctr', 'hmac-sha2-512'],
    ['aes128-cbc', 'hmac-sha1-etm@openssh.com'],
    ['aes256-cbc', 'hmac-sha2-256'],
    ['3des-cbc', 'hmac-sha1'],
    ['none', 'hmac-sha2-256'],
  ];
  for (const [cipher, mac] of protections) {
    for (const strict of [true, false]) {
      test(`${cipher} with ${mac}, ${strict ? 'strict' : 'not strict'}: bytes come back unchanged, over two rekeys`, async () => {
        const settings = { sftpCiphers: [cipher], sftpDigests: [mac] };
        await withServer({ settings }, async (server) => {
          const client = await SshClient.login({ port: server.port, cipher, mac, strict });
          await echoes(client, randomBytes(200_000));
          for (const exchange of [2, 3]) {
            client.sendKexInit();
            await client.until(() => client.exchanges === exchange);
            await echoes(client, randomBytes(100_000));
          }
          client.destroy();
        });
      });
    }
  }

  test('one byte at a time gives the same session', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port, split: 1 });
      await echoes(client, randomBytes(3_000));
      client.destroy();
    });
  });

  test('compression after login, over a rekey', async () => {
    const compression = 'zlib@openssh.com';
    await withServer({ settings: { sftpCompression: 'delayed' } }, async (server) => {
      const client = await SshClient.login({ port: server.port, compression });
      const text = Buffer.alloc(300_000, 'compress me well ');
      await echoes(client, text);
      assert.ok(server.sockets[0]!.bytesWritten < 60_000, 'the bytes were not compressed');
      client.sendKexInit();
      await client.until(() => client.exchanges === 2);
      await echoes(client, text);
      client.destroy();
    });
  });

  test('a payload that inflates beyond a packet ends the session with code 6', async () => {
    await withServer({ settings: { sftpCompression: 'delayed' } }, async (server) => {
      const options: SshClientOptions = { port: server.port, compression: 'zlib@openssh.com' };
      const client = await SshClient.open(options);
      await client.handshake();
      await client.authenticate();
      client.writeRaw(client.seal(deflateSync(Buffer.alloc(40 * 1024 * 1024))));
      const [outcome] = await Promise.all([server.outcomes[0], once(client.socket, 'close')]);
      assert.equal(outcome?.detail, 'Compression error');
    });
  });

  test('a changed packet ends the session with code 5', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const sealed = client.seal(IGNORE);
      sealed[sealed.length - 1]! ^= 1;
      client.writeRaw(sealed);
      assert.equal((await client.disconnected())?.code, 5);
    });
  });

  test('CBC: a changed first block shows only after a whole packet, as a changed MAC does', async () => {
    const cipher = 'aes128-cbc';
    const mac = 'hmac-sha2-256';
    await withServer({ settings: { sftpCiphers: [cipher], sftpDigests: [mac] } }, async (server) => {
      for (const position of [0, -1]) {
        const client = await SshClient.login({ port: server.port, cipher, mac });
        const sealed = client.seal(IGNORE);
        sealed[position < 0 ? sealed.length - 1 : position]! ^= 0x80;
        client.writeRaw(sealed);
        client.writeRaw(randomBytes(200 * 1024));
        const session = server.sockets.length - 1;
        await eventually(() => server.sockets[session]!.bytesRead > 200 * 1024);
        assert.ok(!client.closed, 'the error showed before the packet could be whole');
        client.writeRaw(randomBytes(64 * 1024));
        const end = await client.disconnected();
        assert.deepEqual(end, { code: 5, text: 'Packet corrupt' });
      }
    });
  });

  test('CBC is preceded by IGNORE messages, unless the policy none is set', async () => {
    const cipher = 'aes128-cbc';
    const mac = 'hmac-sha2-256';
    for (const [policy, expected] of [
      [null, true],
      ['none', false],
    ] as const) {
      const settings = { sftpCiphers: [cipher], sftpDigests: [mac], sftpTrafficPolicy: policy };
      await withServer({ settings }, async (server) => {
        const client = await SshClient.login({ port: server.port, cipher, mac });
        const channel = await client.openChannel();
        await channel.exec('source 10');
        const types: number[] = [];
        while (types.at(-1) !== 96) types.push((await client.next())![0]!);
        assert.equal(types.includes(2), expected);
        assert.equal(types[types.indexOf(94) - 1] === 2, expected);
        client.destroy();
      });
    }
  });

  test('a packet length beyond the limit ends the session, before login and after', async () => {
    await withServer({ settings: { sftpCiphers: ['aes128-ctr'] } }, async (server) => {
      const early = await SshClient.open({ port: server.port });
      early.sendVersion();
      early.writeRaw(Buffer.from('0001fff804140000', 'hex'));
      assert.equal((await early.disconnected())?.code, 5);
      const options = { port: server.port, cipher: 'aes128-ctr' };
      const late = await SshClient.login(options);
      late.writeRaw(Buffer.from('fffffff0', 'hex'));
      assert.equal((await late.disconnected())?.code, 5);
    });
  });
});

suite('ssh transport: version lines', LIMIT, () => {
  async function reply(port: number, text: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    const parts: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => parts.push(chunk));
    socket.on('error', () => undefined);
    socket.write(text);
    await once(socket, 'close');
    return Buffer.concat(parts).toString('latin1');
  }

  test('the version line and KEXINIT come in one segment, to whom says nothing', async () => {
    await withServer({}, async (server) => {
      const socket = connect(server.port, '127.0.0.1');
      const [first] = (await once(socket, 'data')) as [Buffer];
      const end = first.indexOf('\r\n') + 2;
      assert.match(first.toString('latin1', 0, end), /^SSH-2\.0-mod_sftp\/[\d.]+\r\n$/);
      assert.equal(first[end + 5], 20);
      socket.destroy();
    });
  });

  test('PessimisticKexinit and OldProtocolCompat hold KEXINIT back until the client has named itself', async () => {
    for (const option of ['PessimisticKexinit', 'OldProtocolCompat'] as const) {
      await withServer({ settings: { sftpOptions: [option] } }, async (server) => {
        const version = option === 'OldProtocolCompat' ? 'SSH-1.99-Old_1.0' : 'SSH-2.0-New_1.0';
        const client = await SshClient.open({ port: server.port, version });
        await client.until(() => client.serverVersion !== '');
        assert.equal(client.serverKexInit, null);
        client.sendVersion();
        await client.until(() => client.serverKexInit !== null);
        client.destroy();
      });
    }
  });

  const refused: [string, string, boolean][] = [
    ['SSH-1.99- without OldProtocolCompat', 'SSH-1.99-3.2.9.1 SSH Secure Shell (non-commercial)\r\n', true],
    ['SSH-1.5-', 'SSH-1.5-Old\r\n', true],
    ['a line without software name', 'SSH-2.0- comment\r\n', true],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', false],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00', false],
    ['a line that does not end', `SSH-2.0-${'x'.repeat(300)}`, true],
    ['a NUL in the line', 'SSH-2.0-a\0b\r\n', true],
  ];
  for (const [name, text, isTold] of refused) {
    test(`${name}: closed${isTold ? ' with a line' : ' in silence'}, and logged`, async () => {
      await withServer({}, async (server) => {
        const answer = await reply(server.port, text);
        assert.equal(answer.includes('Protocol mismatch.'), isTold);
        const line = server.lines.find((one) => one.startsWith('Bad protocol version'));
        const seen = text.split(/\r?\n/, 1)[0]!.slice(0, 100);
        assert.equal(line, `Bad protocol version '${seen}' from 127.0.0.1`);
      });
    });
  }

  test('a bare LF ends the line, and comments are no part of the name', async () => {
    const pattern = /WinSCP/;
    const settings = { sftpClientMatch: [{ pattern, channelWindowSize: 77_777 }] };
    await withServer({ settings }, async (server) => {
      const client = await SshClient.login({ port: server.port, version: 'SSH-2.0-Foo_1.0 WinSCP' });
      assert.notEqual((await client.openChannel()).window, 77_777);
      client.destroy();
      const named = await SshClient.login({ port: server.port, version: 'SSH-2.0-WinSCP_release_6.3' });
      assert.equal((await named.openChannel()).window, 77_777);
      named.destroy();
    });
  });

  test('scanners are turned away by name', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.open({ port: server.port, version: 'SSH-2.0-SSH_Version_Mapper' });
      client.sendVersion();
      await client.disconnected();
      assert.ok(server.lines.includes("SSH2 scan from '127.0.0.1', disconnecting"));
    });
  });

  test('without host keys the connection is refused', async () => {
    await withServer({ keys: [] }, async (server) => {
      assert.equal(await reply(server.port, ''), '');
      assert.deepEqual(server.lines, ['no available host keys, unable to handle session']);
      assert.deepEqual(await server.outcomes[0], { reason: 'refused', detail: 'no available host keys' });
    });
  });
});

suite('ssh transport: key exchange', LIMIT, () => {
  test('pseudo-algorithms stand in the first KEXINIT only', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const names = (): readonly string[] => parseKexInit(client.serverKexInit!).keyExchanges;
      assert.deepEqual(names().slice(-2), ['ext-info-s', 'kex-strict-s-v00@openssh.com']);
      client.sendKexInit();
      await client.until(() => client.exchanges === 2);
      assert.ok(names().every((name) => !name.includes('kex-strict') && !name.includes('ext-info')));
      client.destroy();
    });
  });

  test('strict: a packet before KEXINIT ends the connection', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.open({ port: server.port });
      client.sendVersion();
      client.inject(IGNORE);
      client.sendKexInit();
      assert.equal((await client.disconnected())?.code, 2);
      assert.ok(
        server.lines.includes("'strict KEX' violation, as KEXINIT was not the first message; disconnecting"),
      );
    });
  });

  for (const type of [2, 3, 4, 7, 192, 255]) {
    test(`strict: message ${type} injected into the exchange ends the connection`, async () => {
      await withServer({}, async (server) => {
        const client = await SshClient.open({ port: server.port, keyExchanges: ['ecdh-sha2-nistp256'] });
        client.sendVersion();
        client.sendKexInit();
        client.inject(new ByteWriter().u8(type).u32(0).finish());
        assert.equal((await client.disconnected())?.code, 2);
      });
    });
  }

  test('not strict: IGNORE and DEBUG may come between', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.open({ port: server.port, strict: false });
      client.sendVersion();
      client.inject(IGNORE);
      client.sendKexInit();
      client.inject(new ByteWriter().u8(4).bool(false).string('x').string('').finish());
      await client.until(() => client.exchanges === 1);
      await client.authenticate();
      client.destroy();
    });
  });

  test('NoStrictKex: the name is not offered, and numbers run on', async () => {
    await withServer({ settings: { sftpOptions: ['NoStrictKex'] } }, async (server) => {
      const client = await SshClient.login({ port: server.port, strict: false });
      assert.ok(!parseKexInit(client.serverKexInit!).keyExchanges.includes('kex-strict-s-v00@openssh.com'));
      client.destroy();
    });
  });

  test('a wrong guess is dropped, and the exchange goes on', async () => {
    // The client's first name is not the server's first, and the server does not know it at all.
    await withServer({ settings: { sftpKeyExchanges: ['curve25519-sha256'] } }, async (server) => {
      for (const strict of [true, false]) {
        const client = await SshClient.login({ port: server.port, wrongGuess: true, strict });
        await echoes(client, randomBytes(100));
        client.destroy();
      }
    });
  });

  test('nothing in common: code 3, and both lists in the log', async () => {
    await withServer(
      { settings: { sftpKeyExchanges: ['diffie-hellman-group14-sha256'] } },
      async (server) => {
        const client = await SshClient.open({ port: server.port });
        client.sendVersion();
        client.sendKexInit();
        assert.equal((await client.disconnected())?.code, 3);
        const line = server.lines.find((one) => one.startsWith('no shared key exchange algorithm found'));
        assert.match(
          line ?? '',
          /client sent 'curve25519-sha256,.*server sent 'diffie-hellman-group14-sha256'/,
        );
      },
    );
  });

  test('a bad public value: code 3', async () => {
    await withServer({}, async (server) => {
      for (const value of [Buffer.alloc(32), Buffer.alloc(31, 7), Buffer.alloc(0)]) {
        const client = await SshClient.open({
          port: server.port,
          keyExchanges: ['curve25519-sha256@libssh.org'],
        });
        client.sendVersion();
        client.sendKexInit();
        client.inject(new ByteWriter().u8(30).string(value).finish());
        assert.equal((await client.disconnected())?.code, 3);
      }
    });
  });

  test('a second KEXINIT during the exchange, and one before login, end the connection', async () => {
    await withServer({}, async (server) => {
      const twice = await SshClient.open({ port: server.port, keyExchanges: ['ecdh-sha2-nistp256'] });
      twice.sendVersion();
      twice.sendKexInit();
      twice.sendKexInit();
      assert.equal((await twice.disconnected())?.code, 2);
      const early = await SshClient.open({ port: server.port });
      await early.handshake();
      early.sendKexInit();
      assert.equal((await early.disconnected())?.code, 2);
    });
  });

  test('EXT_INFO of the client is taken as its first packet only', async () => {
    const extInfo = new ByteWriter().u8(7).u32(1).string('ext-info-in-auth@openssh.com').string('0').finish();
    await withServer({}, async (server) => {
      const first = await SshClient.open({ port: server.port });
      await first.handshake();
      first.send(extInfo);
      await first.authenticate();
      first.destroy();
      const second = await SshClient.open({ port: server.port });
      await second.handshake();
      second.send(IGNORE);
      second.send(extInfo);
      assert.equal((await second.disconnected())?.code, 2);
    });
  });

  test('the server names the user signature algorithms and its extensions right after NEWKEYS', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.open({ port: server.port });
      await client.handshake();
      const packet = await client.expect(7);
      const reader = new ByteReader(packet, 1);
      const names: string[] = [];
      for (let left = reader.u32(); left > 0; left -= 1) {
        names.push(reader.utf8());
        const value = reader.utf8();
        if (names.at(-1) === 'server-sig-algs') assert.match(value, /^ssh-ed25519,.*rsa-sha2-512/);
      }
      assert.deepEqual(names, ['server-sig-algs', 'publickey-hostbound@openssh.com', 'ping@openssh.com']);
      client.destroy();
    });
  });
});

suite('ssh transport: rekeying', LIMIT, () => {
  const MEGABYTE = 1024 * 1024;

  test('by bytes, asked for by the server, while data goes both ways', async () => {
    const sftpRekey = { kind: 'required', seconds: 3600, bytes: MEGABYTE, timeoutSeconds: 0 } as const;
    await withServer({ settings: { sftpRekey } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const up = await client.openChannel();
      await up.exec('sink');
      const down = await client.openChannel();
      await down.exec(`source ${6 * MEGABYTE}`);
      const sent = createHash('sha256');
      for (let at = 0; at < 50; at += 1) {
        const block = randomBytes(30_000);
        sent.update(block);
        up.data(block);
      }
      up.eof();
      const received = await down.readAll();
      assert.equal(received.length, 6 * MEGABYTE);
      assert.ok(received.subarray(0, SOURCE_BLOCK.length).equals(SOURCE_BLOCK));
      await eventually(() => server.channels.digests.size > 0);
      assert.equal([...server.channels.digests.values()][0], sent.digest('hex'));
      assert.ok(client.exchanges >= 3, `only ${client.exchanges} key exchanges`);
      client.destroy();
    });
  });

  test('asked for by the client, again and again, while data goes both ways', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel(MEGABYTE);
      await channel.exec('echo');
      const bytes = randomBytes(40 * 30_000);
      for (let at = 0; at < bytes.length; at += 30_000) {
        channel.data(bytes.subarray(at, at + 30_000));
        if (at % 240_000 === 0) {
          const before = client.exchanges;
          client.sendKexInit();
          await client.until(() => client.exchanges > before);
        }
      }
      channel.eof();
      assert.ok((await channel.readAll()).equals(bytes));
      assert.ok(client.exchanges > 5);
      client.destroy();
    });
  });

  test('by time', async () => {
    const sftpRekey = { kind: 'required', seconds: 1, bytes: 2 ** 31, timeoutSeconds: 0 } as const;
    await withServer({ settings: { sftpRekey } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      await client.until(() => client.exchanges === 2);
      await echoes(client, randomBytes(1_000));
      client.destroy();
    });
  });

  test('a client that does not follow is disconnected after the time SFTPRekey gives it', async () => {
    const sftpRekey = { kind: 'required', seconds: 1, bytes: 2 ** 31, timeoutSeconds: 1 } as const;
    await withServer({ settings: { sftpRekey } }, async (server) => {
      const client = await SshClient.login({ port: server.port, ignoresRekey: true });
      assert.equal((await client.disconnected())?.code, 3);
      assert.ok(server.lines.includes('Failed to rekey before 1 seconds timeout, disconnecting client'));
    });
  });

  test('clients that cannot rekey are not asked to', async () => {
    const sftpRekey = { kind: 'required', seconds: 3600, bytes: MEGABYTE, timeoutSeconds: 0 } as const;
    await withServer({ settings: { sftpRekey } }, async (server) => {
      const client = await SshClient.login({ port: server.port, version: 'SSH-2.0-Sun_SSH_1.0' });
      const channel = await client.openChannel();
      await channel.exec(`source ${3 * MEGABYTE}`);
      assert.equal((await channel.readAll()).length, 3 * MEGABYTE);
      assert.equal(client.exchanges, 1);
      client.destroy();
    });
  });

  test('requests that pile up while the server waits for a KEXINIT end the connection', async () => {
    const sftpRekey = { kind: 'required', seconds: 1, bytes: 2 ** 31, timeoutSeconds: 0 } as const;
    await withServer({ settings: { sftpRekey } }, async (server) => {
      const client = await SshClient.login({ port: server.port, ignoresRekey: true });
      const before = client.serverKexInit;
      await client.until(() => client.serverKexInit !== before);
      const request = new ByteWriter().u8(192).string('x').finish();
      for (let count = 0; count < 4_200; count += 1) client.inject(request);
      assert.equal((await client.disconnected())?.text, 'Too many requests during key exchange');
    });
  });
});

suite('ssh transport: hostile peers', LIMIT, () => {
  test('connection messages before login end the connection', async () => {
    for (const type of [52, 51, 60, 80, 90, 94, 98, 100]) {
      await withServer({}, async (server) => {
        const client = await SshClient.open({ port: server.port });
        await client.handshake();
        client.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
        client.send(new ByteWriter().u8(type).string('session').u32(0).u32(1).u32(1).finish());
        assert.equal((await client.disconnected())?.code, 2, `message ${type}`);
      });
    }
  });

  test('a number nobody has assigned is answered with UNIMPLEMENTED and its sequence number', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const sequence = client.sequenceOut;
      client.send(Buffer.of(200, 1, 2, 3));
      assert.equal((await client.expect(3)).readUInt32BE(1), sequence);
      await echoes(client, randomBytes(100));
      client.destroy();
    });
  });

  test('messages without effect are counted', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      for (let count = 0; count < 1_100; count += 1) client.send(IGNORE);
      assert.equal((await client.disconnected())?.text, 'Too many messages without effect');
    });
  });

  test('every truncation of every message is survived', async () => {
    const messages = [
      new ByteWriter().u8(80).string('keepalive@openssh.com').bool(true).finish(),
      new ByteWriter().u8(90).string('session').u32(0).u32(1000).u32(1000).finish(),
      new ByteWriter().u8(93).u32(0).u32(5).finish(),
      new ByteWriter().u8(94).u32(0).string('abc').finish(),
      new ByteWriter().u8(95).u32(0).u32(1).string('abc').finish(),
      new ByteWriter().u8(98).u32(0).string('exec').bool(true).string('echo').finish(),
      new ByteWriter().u8(192).string('abc').finish(),
      new ByteWriter().u8(20).raw(Buffer.alloc(16)).nameList(['a']).finish(),
    ];
    await withServer({}, async (server) => {
      for (const message of messages) {
        for (let length = 1; length < message.length; length += 1) {
          const client = await SshClient.login({ port: server.port });
          await client.openChannel();
          client.inject(message.subarray(0, length));
          client.inject(new ByteWriter().u8(80).string('end').bool(true).finish());
          for (;;) {
            const packet = await client.next();
            if (packet === null || packet[0] === 82 || packet[0] === 1) break;
          }
          client.destroy();
        }
      }
      for (const outcome of await Promise.all(server.outcomes)) assert.notEqual(outcome.reason, 'error');
    });
  });

  test('a reader that stops holds up no more than a few megabytes', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel(2 ** 31);
      await channel.exec(`source ${2 ** 30}`);
      client.socket.pause();
      const socket = server.sockets[0]!;
      let last = -1;
      while (last !== socket.bytesWritten) {
        last = socket.bytesWritten;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(socket.writableLength < 2 * 1024 * 1024, `${socket.writableLength} bytes wait`);
      client.destroy();
    });
  });

  test('requests whose answers are not read are not read either', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      client.socket.pause();
      const request = new ByteWriter().u8(192).string(Buffer.alloc(4_000)).finish();
      const socket = server.sockets[0]!;
      for (let count = 0; count < 15_000; count += 1) client.send(request);
      let last = -1;
      while (last !== socket.bytesRead) {
        last = socket.bytesRead;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(socket.writableLength < 6 * 1024 * 1024, `${socket.writableLength} bytes wait`);
      assert.ok(socket.bytesRead < 15_000 * 4_000, 'everything was read');
      client.destroy();
    });
  });
});

suite('ssh connection', LIMIT, () => {
  test('the keys announced can be proved', async () => {
    await withServer({ keys: ['ed25519', 'ecdsa', 'rsa'] }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const reader = new ByteReader(await client.expect(80), 1);
      assert.equal(reader.utf8(), 'hostkeys-00@openssh.com');
      assert.equal(reader.bool(), false);
      const blobs: Buffer[] = [];
      while (reader.remaining > 0) blobs.push(reader.string());
      assert.equal(blobs.length, 3);
      const asked = new ByteWriter(4096).u8(80).string('hostkeys-prove-00@openssh.com').bool(true);
      for (const blob of blobs) asked.string(blob);
      client.send(asked.finish());
      const answer = new ByteReader(await client.expect(81), 1);
      for (const blob of blobs) {
        const signed = new ByteWriter(2048)
          .string('hostkeys-prove-00@openssh.com')
          .string(client.sessionId!)
          .string(blob)
          .finish();
        const signature = answer.string();
        const algorithm = new ByteReader(signature).utf8();
        assert.ok(verifySignature(parsePublicKeyBlob(blob), algorithm, signed, signature).valid);
      }
      client.send(
        new ByteWriter().u8(80).string('hostkeys-prove-00@openssh.com').bool(true).string('x').finish(),
      );
      await client.expect(82);
      client.destroy();
    });
  });

  test('unknown global requests and PING are answered in order', async () => {
    await withServer({ settings: { sftpOptions: ['NoHostkeyRotation'] } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      client.send(new ByteWriter().u8(80).string('tcpip-forward').bool(true).string('').u32(0).finish());
      client.send(new ByteWriter().u8(192).string('are you there').finish());
      client.send(new ByteWriter().u8(80).string('keepalive@openssh.com').bool(true).finish());
      assert.equal((await client.next())?.[0], 82);
      assert.equal((await client.next())?.toString('latin1', 5), 'are you there');
      assert.equal((await client.next())?.[0], 82);
      client.destroy();
    });
  });

  test('SFTPMaxChannels refuses the next one and keeps the others', async () => {
    await withServer({ settings: { sftpMaxChannels: 1 } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      client.send(new ByteWriter().u8(90).string('session').u32(9).u32(1000).u32(1000).finish());
      const refusal = await client.expect(92);
      assert.equal(refusal.readUInt32BE(1), 9);
      assert.equal(refusal.readUInt32BE(5), 4);
      const said = "maximum number of channels (1) open, denying request to open 'session' channel";
      assert.ok(server.lines.includes(said));
      await channel.exec('echo');
      channel.eof();
      assert.equal((await channel.readAll()).length, 0);
      channel.close();
      // The number of the closed one is free again.
      await echoes(client, randomBytes(10));
      client.destroy();
    });
  });

  test('other channel types and empty windows are refused with their reasons', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const open = (type: string, window: number): void =>
        client.send(new ByteWriter().u8(90).string(type).u32(1).u32(window).u32(100).finish());
      open('direct-tcpip', 100);
      assert.equal((await client.expect(92)).readUInt32BE(5), 3);
      open('session', 0);
      assert.equal((await client.expect(92)).readUInt32BE(5), 1);
      client.destroy();
    });
  });

  test('data beyond the window ends the session', async () => {
    const settings = { sftpClientMatch: [{ pattern: /./, channelWindowSize: 50_000 }] };
    await withServer({ settings }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      await channel.exec('hold');
      channel.data(Buffer.alloc(30_000));
      channel.data(Buffer.alloc(30_000));
      assert.equal((await client.disconnected())?.code, 2);
      assert.equal(server.channels.held.get(0), 30_000);
      assert.deepEqual(server.channels.closed, [0]);
    });
  });

  test('what is not used does not come back into the window', async () => {
    const settings = { sftpClientMatch: [{ pattern: /./, channelWindowSize: 60_000 }] };
    await withServer({ settings: { ...settings, sftpOptions: ['NoHostkeyRotation'] } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      await channel.exec('hold');
      channel.data(Buffer.alloc(60_000));
      client.send(new ByteWriter().u8(80).string('x').bool(true).finish());
      assert.equal((await client.next())?.[0], 82);
      server.channels.opened[0]!.consumed(60_000);
      const adjust = await client.expect(93);
      assert.equal(adjust.readUInt32BE(5), 60_000);
      client.destroy();
    });
  });

  test('of what a huge window allows no more than 32 MiB are read while nothing is used', async () => {
    const settings = { sftpClientMatch: [{ pattern: /./, channelWindowSize: 2 ** 30 }] };
    await withServer({ settings }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      await channel.exec('hold');
      const total = 48 * 1024 * 1024;
      for (let sent = 0; sent < total; sent += 32_768) channel.data(Buffer.alloc(32_768));
      const given = (): number => server.channels.held.get(0) ?? 0;
      await eventually(() => given() > 32 * 1024 * 1024);
      const socket = server.sockets[0]!;
      let last = -1;
      while (last !== socket.bytesRead) {
        last = socket.bytesRead;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(given() < 33 * 1024 * 1024, `${given()} bytes were read`);
      server.channels.opened[0]!.consumed(given());
      await eventually(() => given() === total);
      client.destroy();
    });
  });

  test("the peer's window and packet size are kept to", async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel(10_000, 3_000);
      await channel.exec('source 25000');
      let received = 0;
      while (received < 10_000) {
        const packet = await client.expect(94);
        assert.ok(packet.length - 9 <= 3_000);
        received += packet.length - 9;
      }
      assert.equal(received, 10_000);
      client.send(new ByteWriter().u8(192).string('nothing more').finish());
      assert.equal((await client.next())?.[0], 193);
      channel.adjust(15_000);
      assert.equal((await channel.readAll()).length, 15_000);
      client.destroy();
    });
  });

  test('shell, pty and foreign subsystems are refused, exec is once only', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      for (const type of ['pty-req', 'shell', 'x11-req']) {
        channel.request(type, true, Buffer.alloc(8));
        await client.expect(100);
        assert.ok(server.lines.includes(`unsupported '${type}' channel requested, ignoring`));
      }
      channel.request('winadj@putty.projects.tartarus.org', true);
      await client.expect(100);
      channel.request('window-change', false, Buffer.alloc(16));
      channel.request('subsystem', true, new ByteWriter().string('netconf').finish());
      await client.expect(100);
      assert.ok(server.lines.includes("subsystem 'netconf' unsupported"));
      await channel.exec('echo');
      channel.request('exec', true, new ByteWriter().string('echo').finish());
      await client.expect(100);
      client.destroy();
    });
  });

  test('SFTPAcceptEnv lets variables through that no rule forbids', async () => {
    await withServer({ settings: { sftpAcceptEnv: ['LC_*', 'FOO', 'BAR?', '*H'] } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      const answers: string[] = [];
      for (const name of ['LC_ALL', 'FOO', 'BAR1', 'LANG', 'BAR12', 'PATH', 'SFTP_H', 'ld_preload']) {
        channel.request('env', true, new ByteWriter().string(name).string('v').finish());
        const packet = await client.next();
        if (packet?.[0] === 80) answers.push((await client.next())![0] === 99 ? name : '');
        else if (packet?.[0] === 99) answers.push(name);
      }
      assert.deepEqual(
        answers.filter((name) => name !== ''),
        ['LC_ALL', 'FOO', 'BAR1'],
      );
      assert.ok(server.lines.includes("environment variable 'PATH' prohibited by policy"));
      assert.equal(server.facts[0]!.environment.get('LC_ALL'), 'v');
      client.destroy();
    });
  });

  test('a channel opened after no-more-sessions ends the session', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      await client.openChannel();
      client.send(new ByteWriter().u8(80).string('no-more-sessions@openssh.com').bool(false).finish());
      client.send(new ByteWriter().u8(90).string('session').u32(1).u32(9).u32(9).finish());
      assert.equal((await client.disconnected())?.code, 2);
    });
  });

  test('a service is told of the end once: by CLOSE, by its own end, by the loss of the connection', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const closed = await client.openChannel();
      await closed.exec('hold');
      closed.close();
      await client.expect(97);
      const ended = await client.openChannel();
      await ended.exec('source 5');
      await ended.readAll();
      await client.expect(97);
      ended.close();
      const lost = await client.openChannel();
      await lost.exec('hold');
      client.destroy();
      await server.outcomes[0];
      assert.deepEqual(server.channels.closed, [closed.peerId, ended.peerId, lost.peerId]);
    });
  });

  test('SFTPClientAlive probes a silent client and gives it up', async () => {
    const settings = {
      sftpClientAlive: { count: 1, interval: 1 },
      sftpOptions: ['NoHostkeyRotation'],
    } as const;
    await withServer({ settings }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const probe = new ByteReader((await client.next())!, 1);
      assert.equal(probe.utf8(), 'keepalive@proftpd.org');
      assert.equal(probe.bool(), true);
      client.send(Buffer.of(82));
      // Answered once, then no more.
      await client.expect(80);
      const end = await client.disconnected();
      assert.deepEqual(end, { code: 11, text: 'client alive threshold reached' });
      assert.deepEqual(await server.outcomes[0], { reason: 'timeout', detail: 'SFTPClientAlive' });
    });
  });

  test('an answer nobody asked for ends the session', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      client.send(Buffer.of(81));
      assert.equal((await client.disconnected())?.code, 2);
    });
  });
});

suite('ssh session', LIMIT, () => {
  test('TimeoutLogin, TimeoutIdle and TimeoutSession say which of them it was', async () => {
    const rows: [object, string, boolean][] = [
      [{ timeoutLogin: 1 }, 'TimeoutLogin', false],
      [{ timeoutIdle: 1 }, 'TimeoutIdle', true],
      [{ timeoutSession: [{ value: 1 }] }, 'TimeoutSession', true],
      [{ timeoutNoTransfer: 1 }, 'TimeoutNoTransfer', true],
    ];
    await Promise.all(
      rows.map(([settings, detail, logsIn]) =>
        withServer({ settings }, async (server) => {
          const client = await SshClient.open({ port: server.port });
          await client.handshake();
          if (logsIn) await client.authenticate();
          const end = await client.disconnected();
          assert.equal(end?.code, 11);
          assert.match(end.text, /\(1 seconds\)$/);
          assert.deepEqual(await server.outcomes[0], { reason: 'timeout', detail });
        }),
      ),
    );
  });

  test('TimeoutStalled ends a session whose transfer does not move', async () => {
    await withServer({ settings: { timeoutStalled: 1 } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      await channel.exec('hold');
      server.channels.opened[0]!.session.transferStarted();
      assert.match((await client.disconnected())?.text ?? '', /^Stalled transfer/);
      assert.deepEqual(await server.outcomes[0], { reason: 'timeout', detail: 'TimeoutStalled' });
    });
  });

  test('a drained session ends at once, or when its transfer has', async () => {
    await withServer({}, async (server) => {
      const idle = await SshClient.login({ port: server.port });
      server.sessions[0]!.drain('421 Shutting down', 60_000);
      assert.deepEqual(await idle.disconnected(), { code: 11, text: 'Shutting down' });
      const busy = await SshClient.login({ port: server.port });
      const channel = await busy.openChannel();
      await channel.exec('hold');
      const { session } = server.channels.opened[0]!;
      session.transferStarted();
      server.sessions[1]!.drain('421 Shutting down', 60_000);
      channel.data(Buffer.alloc(10));
      await eventually(() => server.channels.held.size > 0);
      busy.send(new ByteWriter().u8(192).string('still here').finish());
      await busy.expect(193);
      session.transferEnded();
      assert.deepEqual(await busy.disconnected(), { code: 11, text: 'Shutting down' });
      assert.deepEqual(await server.outcomes[1], { reason: 'shutdown', detail: null });
    });
  });

  test('a goodbye of the client is a quit', async () => {
    await withServer({}, async (server) => {
      const client = await SshClient.login({ port: server.port });
      client.send(new ByteWriter().u8(1).u32(11).string('disconnected by user').string('').finish());
      assert.deepEqual(await server.outcomes[0], { reason: 'quit', detail: null });
      assert.ok(server.lines.includes("client disconnected: code 11, 'disconnected by user'"));
    });
  });

  test('logs and variables name what was agreed on', async () => {
    const settings = { sftpCiphers: ['aes256-ctr'] };
    await withServer({ settings }, async (server) => {
      const client = await SshClient.login({ port: server.port, cipher: 'aes256-ctr', mac: 'hmac-sha2-256' });
      const { environment, notes } = server.facts[0]!;
      assert.equal(environment.get('SFTP_CLIENT_BANNER'), 'SSH-2.0-LockgateTest_1.0');
      assert.equal(environment.get('SFTP_CLIENT_CIPHER_ALGO'), 'aes256-ctr');
      assert.equal(notes.get('SFTP_SERVER_MAC_ALGO'), 'hmac-sha2-256');
      assert.equal(notes.get('SFTP_KEX_ALGO'), 'curve25519-sha256');
      assert.ok(server.lines.includes(' + Session client-to-server encryption: aes256-ctr'));
      client.destroy();
    });
  });

  test('ExtendedLog records the messages of class SSH', async () => {
    const target = {
      path: '/x',
      classes: ['SSH'],
      excludedClasses: [],
      commands: [],
      excludedCommands: [],
      format: 'default',
    };
    await withServer({ settings: { extendedLog: [target] } }, async (server) => {
      const client = await SshClient.login({ port: server.port });
      const channel = await client.openChannel();
      await channel.exec('echo');
      channel.eof();
      await channel.readAll();
      client.destroy();
      await server.outcomes[0];
      const verbs = server.commands.map(({ verb }) => verb);
      assert.deepEqual(verbs, [
        'KEXINIT',
        'ECDH_INIT',
        'NEWKEYS',
        'SERVICE_REQUEST',
        'CHANNEL_OPEN',
        'CHANNEL_REQUEST',
        'CHANNEL_EOF',
      ]);
    });
  });
});
