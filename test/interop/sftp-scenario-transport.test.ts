/** SFTP acceptance scenarios 28-40: version lines, KEXINIT, what is offered, CBC, group exchange, compression. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { builtinGroup } from '../../crypto/ssh/dh-groups.ts';
import { ByteReader } from '../../src/util/byte-reader.ts';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { PlainSsh } from '../support/plain-ssh.ts';
import { needsProgram } from '../support/programs.ts';
import { seedConfig, tryConfig, type ProgramResult } from '../support/seed-server.ts';
import { sha256 } from '../support/shared-server.ts';
import {
  authAnswer,
  baseSftp,
  keyLogin,
  kexInitLists,
  loginWithPassword,
  readSilently,
  startSftpSeed,
  startUserauth,
  type SftpSeed,
} from '../support/sftp-seed.ts';
import { createTestKey, passwordRequest } from '../support/userauth-fixture.ts';

const LIMIT = { timeout: 60_000 };
const OLD_CIPHERS =
  'aes128-cbc 3des-cbc blowfish-cbc cast128-cbc arcfour128 arcfour256 aes192-cbc aes256-cbc aes128-ctr aes192-ctr aes256-ctr';
const OLD_DIGESTS = 'hmac-md5 hmac-sha1 hmac-ripemd160 hmac-sha1-96 hmac-md5-96';
const GROUP_EXCHANGE = 'diffie-hellman-group-exchange-sha256';
/** As OpenSSH 10 sends them by default. */
const OPENSSH_10 = [
  'mlkem768x25519-sha256',
  'sntrup761x25519-sha512',
  'sntrup761x25519-sha512@openssh.com',
  'curve25519-sha256',
  'ecdh-sha2-nistp256',
];
const SERVER_VERSION = /^SSH-2\.0-mod_sftp(\/[\d.]+)?$/;
const MEGABYTE = 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'lockgate-sftp-transport-'));
const key = createTestKey();
let seed: SftpSeed;

before(async () => {
  const cbc = { SFTPCiphers: 'aes128-cbc', SFTPDigests: 'hmac-sha2-256' };
  const groups = join(folder, 'dhparams.pem');
  writeFileSync(groups, ['modp14', 'modp15', 'modp16', 'modp2'].map(pkcs3).join(''));
  const exchange = { SFTPKeyExchanges: GROUP_EXCHANGE, SFTPDHParamFile: groups };
  seed = await startSftpSeed({
    plain: baseSftp('plain'),
    pessimistic: baseSftp('pessimistic', { SFTPOptions: 'PessimisticKexinit' }),
    compatible: baseSftp('compatible', { SFTPOptions: 'OldProtocolCompat' }),
    old: baseSftp('old', { SFTPCiphers: OLD_CIPHERS, SFTPDigests: OLD_DIGESTS }),
    none: baseSftp('none', { SFTPCiphers: 'none aes128-ctr' }),
    'none-allowed': baseSftp('none-allowed', { SFTPCiphers: 'none', SFTPOptions: 'AllowInsecureLogin' }),
    cbc: baseSftp('cbc', cbc),
    'cbc-none': baseSftp('cbc-none', { ...cbc, SFTPTrafficPolicy: 'none' }),
    group14: baseSftp('group14', { SFTPKeyExchanges: 'diffie-hellman-group14-sha256' }),
    groups: baseSftp('groups', exchange),
    weak: baseSftp('weak', { ...exchange, SFTPOptions: 'AllowWeakDH' }),
    unreadable: baseSftp('unreadable', { ...exchange, SFTPDHParamFile: '/nowhere/dhparams.pem' }),
    compressed: baseSftp('compressed', { SFTPCompression: 'on' }),
    delayed: baseSftp('delayed', { SFTPCompression: 'delayed' }),
    device: baseSftp('device', { SFTPCryptoDevice: 'chil' }),
  });
  seed.authorize('alice', `${key.line}\n`);
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** DH PARAMETERS with generator 5, so that a group of this file is told from a built-in one. */
function pkcs3(name: string): string {
  const { prime } = builtinGroup(name);
  const integer = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.of(2), derLength(bytes.length + 1), Buffer.of(0), bytes]);
  const body = Buffer.concat([integer(prime), Buffer.of(2, 1, 5)]);
  const base64 = Buffer.concat([Buffer.of(0x30), derLength(body.length), body]).toString('base64');
  return `-----BEGIN DH PARAMETERS-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END DH PARAMETERS-----\n`;
}

function derLength(bytes: number): Buffer {
  return bytes < 128 ? Buffer.of(bytes) : Buffer.of(0x82, bytes >> 8, bytes & 0xff);
}

/** A start with one more directive, whose refusal is what counts. */
async function refused(directive: string): Promise<string> {
  const { code, stderr } = await tryConfig(
    join(folder, 'refused'),
    seedConfig({ x: baseSftp('x') + directive }),
  );
  assert.equal(code, 1, stderr);
  return stderr;
}

function plain(host: string): PlainSsh {
  return new PlainSsh(seed.port(host));
}

test(
  'scenario 28: who connects and says nothing reads the version line and KEXINIT in one segment',
  LIMIT,
  async () => {
    const { first, socket } = await readSilently(seed.port('plain'), () => true);
    socket.destroy();
    const end = first.indexOf('\r\n');
    assert.match(first.toString('latin1', 0, end), SERVER_VERSION);
    assert.equal(first[end + 2 + 5], 20);
  },
);

test(
  'scenario 29: PessimisticKexinit: only the version line; KEXINIT follows the client’s',
  LIMIT,
  async () => {
    const client = plain('pessimistic');
    await delay(300);
    assert.match(client.serverVersion, SERVER_VERSION);
    assert.equal(client.socket.bytesRead, client.serverVersion.length + 2);
    client.line('SSH-2.0-OpenSSH_10.0');
    assert.equal((await client.next())?.[0], 20);
    client.destroy();
  },
);

test(
  'scenario 30: an SSH-1.99 client is turned away by name, and served with OldProtocolCompat, pessimistically',
  LIMIT,
  async () => {
    const banner = 'SSH-1.99-3.2.9.1 SSH Secure Shell (non-commercial)';
    const log = seed.sftpLog('plain');
    const { first, socket } = await readSilently(seed.port('plain'), () => true);
    assert.match(first.toString('latin1'), /^SSH-2\.0-/);
    socket.write(`${banner}\r\n`);
    await new Promise((closed) => socket.once('close', closed));
    await log.line(
      /Bad protocol version 'SSH-1\.99-3\.2\.9\.1 SSH Secure Shell \(non-commercial\)' from 127\.0\.0\.1$/,
    );

    const client = plain('compatible');
    await delay(300);
    assert.equal(client.socket.bytesRead, client.serverVersion.length + 2);
    client.line(banner);
    assert.equal((await client.next())?.[0], 20);
    client.destroy();
  },
);

test(
  'scenario 31: the ciphers offered by default are AEAD and CTR, in the server’s order',
  LIMIT,
  async (t) => {
    const ciphers = [
      'aes256-gcm@openssh.com',
      'aes128-gcm@openssh.com',
      'chacha20-poly1305@openssh.com',
      'aes256-ctr',
      'aes192-ctr',
      'aes128-ctr',
    ];
    const client = await seed.client('plain');
    assert.deepEqual(kexInitLists(client.serverKexInit!).ciphers, ciphers);
    if (!needsProgram(t, 'ssh')) return;
    const { stderr } = await seed.openSsh('ssh', 'plain', {
      args: ['-vv', '-oPreferredAuthentications=none'],
    });
    const server = stderr.slice(stderr.indexOf('peer server KEXINIT proposal'));
    assert.equal(/ciphers ctos: (\S+)/.exec(server)?.[1], ciphers.join(','));
  },
);

test(
  'scenario 32: old ciphers are offered where they are listed, in that order, as far as OpenSSL has them; CBC moves 100 MB',
  LIMIT,
  async (t) => {
    const client = await seed.client('old', { cipher: 'aes128-ctr', mac: 'hmac-sha1' });
    const offered = kexInitLists(client.serverKexInit!).ciphers;
    const listed = OLD_CIPHERS.split(' ');
    assert.deepEqual(
      offered,
      listed.filter((name) => offered.includes(name)),
    );
    for (const name of listed) assert.ok(offered.includes(name) || !/^(aes|3des)/.test(name), name);
    const missing = listed.filter((name) => !offered.includes(name));
    const warning = `SFTPCiphers: ${missing.join(', ')} not offered, as OpenSSL`;
    assert.ok(missing.length === 0 || seed.server.read('system.log').includes(warning), warning);
    if (!needsProgram(t, 'sftp')) return;
    const [local, back] = [join(folder, 'large'), join(folder, 'large-back')];
    writeFileSync(local, randomBytes(50 * MEGABYTE));
    const { code, stderr } = await seed.sftp('old', `put ${local} large\nget large ${back}\nrm large\n`, {
      args: ['-c', 'aes128-cbc', '-oMACs=hmac-sha1'],
      timeoutMs: 50_000,
    });
    assert.equal(code, 0, stderr);
    assert.equal(sha256(back), sha256(local));
  },
);

test(
  'scenario 33: `none` is offered only where it is listed; passwords are refused there, keys are not',
  LIMIT,
  async () => {
    const ordinary = await seed.client('plain');
    assert.ok(!kexInitLists(ordinary.serverKexInit!).ciphers.includes('none'));
    const log = seed.sftpLog('none');
    const client = await startUserauth(await seed.client('none', { cipher: 'none' }));
    assert.deepEqual(kexInitLists(client.serverKexInit!).ciphers, ['none', 'aes128-ctr']);
    assert.equal(await authAnswer(client, passwordRequest('alice', 'secret')), 'failure publickey');
    await log.line(/unacceptable for password authentication, denying password authentication request$/);
    assert.equal(await keyLogin(client, 'alice', key), 'success');
    await loginWithPassword(await seed.client('none-allowed', { cipher: 'none' }));
    assert.match(seed.server.read('system.log'), /SFTPCiphers: 'none' lets sessions travel in clear/);
  },
);

test('scenario 34: an unknown cipher stops the start', LIMIT, async () => {
  assert.match(
    await refused('SFTPCiphers aes999'),
    /SFTPCiphers: unsupported cipher algorithm: aes999 on line \d+ of/,
  );
});

test(
  'scenario 35: a bit flipped in the first CBC block shows late and as any other damage; IGNORE goes before data',
  LIMIT,
  async () => {
    const cbc = { cipher: 'aes128-cbc', mac: 'hmac-sha2-256' };
    const endings: unknown[] = [];
    for (const position of ['first block', 'MAC'] as const) {
      const client = await loginWithPassword(await seed.client('cbc', cbc));
      const sealed = client.seal(new ByteWriter().u8(2).string(randomBytes(64)).finish());
      sealed[position === 'MAC' ? sealed.length - 1 : 0]! ^= 0x80;
      client.writeRaw(Buffer.concat([sealed, randomBytes(200 * 1024)]));
      await delay(300);
      assert.ok(!client.closed, `${position}: the session ended before the packet could be whole`);
      client.writeRaw(randomBytes(128 * 1024));
      endings.push(await client.disconnected());
    }
    assert.deepEqual(endings[0], endings[1]);
    assert.deepEqual(endings[0], { code: 5, text: 'Packet corrupt' });

    const log = seed.sftpLog('cbc-none');
    assert.equal((await typesBeforeData('cbc', cbc)).at(-1), 2);
    assert.ok(!(await typesBeforeData('cbc-none', cbc)).includes(2));
    await log.line(/'none' traffic policy explicitly configured, ignoring 'rogaway' policy/);
  },
);

/** Message types up to the answer of an sftp channel. */
async function typesBeforeData(
  host: string,
  options: { readonly cipher: string; readonly mac: string },
): Promise<number[]> {
  const client = await loginWithPassword(await seed.client(host, options));
  const channel = await client.openChannel();
  channel.request('subsystem', false, new ByteWriter().string('sftp').finish());
  channel.data(new ByteWriter().u32(5).u8(1).u32(3).finish());
  const types: number[] = [];
  for (let packet = await client.next(); packet !== null && packet[0] !== 94; packet = await client.next())
    types.push(packet[0]!);
  client.destroy();
  return types;
}

test(
  'scenario 36: SHA-2 MACs by default; the seed’s list is honoured in its order; an unknown one stops the start',
  LIMIT,
  async (t) => {
    const byDefault = kexInitLists((await seed.client('plain')).serverKexInit!).macs;
    assert.deepEqual(byDefault, [
      'hmac-sha2-256-etm@openssh.com',
      'hmac-sha2-512-etm@openssh.com',
      'hmac-sha2-256',
      'hmac-sha2-512',
    ]);
    const old = await seed.client('old', { cipher: 'aes128-ctr', mac: 'hmac-md5' });
    assert.deepEqual(kexInitLists(old.serverKexInit!).macs, OLD_DIGESTS.split(' '));
    assert.match(
      await refused('SFTPDigests hmac-x'),
      /SFTPDigests: unsupported digest algorithm: hmac-x on line \d+/,
    );
    if (!needsProgram(t, 'sftp')) return;
    const log = seed.sftpLog('old');
    assert.equal(
      (await seed.sftp('old', 'pwd\n', { args: ['-oMACs=hmac-md5-96', '-oCiphers=aes256-ctr'] })).code,
      0,
    );
    await log.line(/ \+ Session server-to-client MAC: hmac-md5-96$/);
  },
);

test(
  'scenario 37: SFTPKeyExchanges: nothing shared is logged with both lists; OpenSSH 10 gets mlkem768x25519-sha256',
  LIMIT,
  async (t) => {
    const log = seed.sftpLog('group14');
    const forced = plain('group14');
    forced.begin(['curve25519-sha256', 'ext-info-c']);
    assert.equal((await forced.expect(1)).readUInt32BE(1), 3);
    await log.line(
      /no shared key exchange algorithm found \(client sent 'curve25519-sha256,ext-info-c', server sent 'diffie-hellman-group14-sha256'\)$/,
    );
    const hybrid = seed.sftpLog('plain');
    const client = plain('plain');
    client.begin(OPENSSH_10);
    const offered = kexInitLists(await client.expect(20)).keyExchanges;
    assert.equal(offered[0], 'mlkem768x25519-sha256');
    assert.ok(!offered.some((name) => name.endsWith('sha1')), offered.join());
    client.send(new ByteWriter().u8(30).string(hybridPublic()).finish());
    const reply = new ByteReader(await client.expect(31), 1);
    reply.string();
    assert.equal(reply.string().length, 1088 + 32);
    await hybrid.line(/ \+ Session key exchange: mlkem768x25519-sha256$/);
    client.destroy();
    if (!needsProgram(t, 'sftp')) return;
    assert.equal((await seed.sftp('group14', 'pwd\n')).code, 0);
  },
);

/** ML-KEM-768 encapsulation key and X25519 public value. */
function hybridPublic(): Buffer {
  const raw = (pair: { publicKey: { export(options: object): Buffer | string } }): Buffer =>
    pair.publicKey.export({ format: 'raw-public' }) as Buffer;
  const generate = generateKeyPairSync as unknown as (type: string) => Parameters<typeof raw>[0];
  return Buffer.concat([raw(generate('ml-kem-768')), raw(generate('x25519'))]);
}

test(
  'scenario 38: SFTPDHParamFile gives the group of the size asked for; small ones only with AllowWeakDH; none: a fixed one, with warnings',
  LIMIT,
  async (t) => {
    const group = await askForGroup('groups', 2048, 3072, 8192);
    assert.deepEqual(group, { prime: builtinGroup('modp15').prime, generator: 5 });
    assert.equal(await askForGroup('groups', 1024, 1024, 1536), null);
    const weak = await askForGroup('weak', 1024, 1024, 1536);
    assert.deepEqual(weak, { prime: builtinGroup('modp2').prime, generator: 5 });

    const log = seed.sftpLog('unreadable');
    const fixed = await askForGroup('unreadable', 2048, 2048, 8192);
    assert.deepEqual(fixed, { prime: builtinGroup('modp14').prime, generator: 2 });
    await log.inOrder(
      /WARNING: unable to read SFTPDHParamFile '\/nowhere\/dhparams\.pem'/,
      /WARNING: using fixed modulus for DH group exchange/,
    );
    if (!needsProgram(t, 'sftp')) return;
    const { code, stderr } = await seed.sftp('groups', 'pwd\n');
    assert.equal(code, 0, stderr);
  },
);

/** KEX_DH_GEX_REQUEST; null: the exchange failed. */
async function askForGroup(
  host: string,
  ...sizes: readonly [number, number, number]
): Promise<{ readonly prime: Buffer; readonly generator: number } | null> {
  const client = plain(host);
  client.begin([GROUP_EXCHANGE]);
  await client.expect(20);
  client.send(new ByteWriter().u8(34).u32(sizes[0]).u32(sizes[1]).u32(sizes[2]).finish());
  const answer = await client.next();
  client.destroy();
  if (answer?.[0] === 1) {
    assert.equal(answer.readUInt32BE(1), 3);
    return null;
  }
  assert.equal(answer?.[0], 31);
  const reader = new ByteReader(answer!, 1);
  return { prime: Buffer.from(reader.mpint()), generator: reader.mpint()[0]! };
}

test(
  'scenario 39: SFTPCompression: off offers none, on and delayed zlib; text takes fewer bytes on the wire',
  LIMIT,
  async (t) => {
    const offered = async (host: string): Promise<string[]> =>
      kexInitLists((await seed.client(host)).serverKexInit!).compressions;
    assert.deepEqual(await offered('plain'), ['none']);
    assert.deepEqual(await offered('compressed'), ['zlib@openssh.com', 'zlib', 'none']);
    assert.deepEqual(await offered('delayed'), ['zlib@openssh.com', 'none']);
    assert.match(await refused('SFTPCompression maybe'), /unknown compression setting: maybe on line \d+/);
    if (!needsProgram(t, 'sftp')) return;
    const text = join(folder, 'text');
    writeFileSync(
      text,
      'A line of text that says the same as the next one.\n'.repeat(10 * MEGABYTE).slice(0, 10 * MEGABYTE),
    );
    for (const host of ['plain', 'compressed', 'delayed']) {
      const { code, stderr } = await seed.sftp(host, `put ${text} text-${host}\n`, { args: ['-C', '-v'] });
      assert.equal(code, 0, stderr);
      assert.equal(sha256(join(seed.server.homeOf('alice'), `text-${host}`)), sha256(text));
      assert.match(stderr, host === 'plain' ? /compression: none/ : /compression: zlib@openssh\.com/);
      const sent = Number(/Transferred: sent (\d+)/.exec(stderr)?.[1]);
      assert.ok(host === 'plain' ? sent > 10 * MEGABYTE : sent < MEGABYTE, `${host}: ${sent} bytes sent`);
    }
  },
);

test(
  'scenario 40: SFTPCryptoDevice: any value is accepted; one warning says that engines are gone',
  LIMIT,
  async () => {
    const checked = (...values: readonly string[]): Promise<ProgramResult> => {
      const hosts = values.map((value) => [`host-${value}`, `SFTPCryptoDevice ${value}`] as const);
      return tryConfig(join(folder, 'device'), seedConfig(Object.fromEntries(hosts)), ['-t']);
    };
    assert.equal((await checked('all', 'ALL', 'chil')).code, 0);
    const none = await checked('none');
    assert.equal(none.code, 0);
    assert.doesNotMatch(none.stderr, /engines/);
    const said = seed.server
      .read('system.log')
      .match(/SFTPCryptoDevice: no effect: OpenSSL 3 has no engines/g);
    assert.equal(said?.length, 1);
    assert.ok((await seed.client('device')).exchanges === 1);
  },
);
