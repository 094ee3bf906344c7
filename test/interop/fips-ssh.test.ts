/** SFTP in FIPS mode with a real provider: what is offered, who gets in, what a start refuses, what the report says. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { generateHostKey } from '../../crypto/ssh/host-keys.ts';
import { lockgate, needsFipsProvider } from '../support/fips-provider.ts';
import { PlainSsh } from '../support/plain-ssh.ts';
import { needsProgram } from '../support/programs.ts';
import { seedConfig, tryConfig } from '../support/seed-server.ts';
import { sha256 } from '../support/shared-server.ts';
import {
  baseSftp,
  kexInitLists,
  publicLine,
  sshKeygenKey,
  startSftpSeed,
  type SftpSeed,
} from '../support/sftp-seed.ts';

const LIMIT = { timeout: 60_000 };
const ENABLED = /^mod_sftp\/[\d.]+: FIPS mode enabled$/m;

/** The allow-list of the profile with a module of OpenSSL 3.5. */
const OFFER = {
  keyExchanges: [
    'mlkem768nistp256-sha256',
    'mlkem1024nistp384-sha384',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group-exchange-sha256',
    'ext-info-s',
    'kex-strict-s-v00@openssh.com',
  ],
  hostKeys: ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'],
  ciphers: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr', 'aes192-ctr', 'aes128-ctr'],
  macs: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compressions: ['none'],
};

const folder = mkdtempSync(join(tmpdir(), 'lockgate-fips-ssh-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Our own line of the command: SFTP_USE_FIPS alone is enough. */
const fipsArguments = (module: string): readonly string[] => ['-DSFTP_USE_FIPS', '--fips-module', module];

describe('an SFTP server in FIPS mode', LIMIT, () => {
  let seed: SftpSeed | null = null;

  before(async () => {
    const module = needsFipsProvider({ skip: () => undefined });
    if (module === null) return;
    const all = '@DIR@/host-ed25519\nSFTPHostKey @DIR@/host-ecdsa\nSFTPHostKey @DIR@/host-rsa';
    seed = await startSftpSeed(
      { fips: baseSftp('fips', { SFTPHostKey: all }) },
      {
        args: fipsArguments(module),
        beforeStart: async (directory) =>
          writeFileSync(join(directory, 'host-ecdsa'), await generateHostKey('ecdsa'), { mode: 0o600 }),
      },
    );
  });
  after(() => seed?.close());

  /** Null after the test was skipped. */
  function running(t: TestContext): SftpSeed | null {
    return needsFipsProvider(t) === null ? null : seed;
  }

  test(
    'scenario 46: FIPS mode is enabled in the name of mod_sftp, and KEXINIT shows the allow-list alone',
    LIMIT,
    async (t) => {
      const server = running(t);
      if (server === null) return;
      assert.match(server.server.stderr(), ENABLED);
      const client = new PlainSsh(server.port('fips'));
      t.after(() => client.destroy());
      assert.deepEqual(kexInitLists(await client.expect(20)), OFFER);
    },
  );

  for (const [what, args] of [
    ['its defaults', []],
    [
      'ecdh-sha2-nistp521 and aes128-gcm',
      ['-oKexAlgorithms=ecdh-sha2-nistp521', '-c', 'aes128-gcm@openssh.com'],
    ],
    [
      'group14 and aes256-ctr with hmac-sha2-512',
      ['-oKexAlgorithms=diffie-hellman-group14-sha256', '-c', 'aes256-ctr', '-oMACs=hmac-sha2-512'],
    ],
    [
      'group exchange and an ECDSA host key',
      ['-oKexAlgorithms=diffie-hellman-group-exchange-sha256', '-oHostKeyAlgorithms=ecdsa-sha2-nistp256'],
    ],
    [
      'an RSA host key alone, and new keys on the way',
      ['-oHostKeyAlgorithms=rsa-sha2-512', '-oRekeyLimit=1M'],
    ],
    ['an Ed25519 host key alone (FIPS 186-5)', ['-oHostKeyAlgorithms=ssh-ed25519']],
  ] as const) {
    test(`OpenSSH with ${what} uploads and downloads`, LIMIT, async (t) => {
      const server = running(t);
      if (server === null || !needsProgram(t, 'sftp')) return;
      const [local, back] = [join(folder, 'local'), join(folder, 'back')];
      writeFileSync(local, randomBytes(3_000_000));
      const { code, stderr } = await server.sftp('fips', `put ${local} file\nget file ${back}\n`, { args });
      assert.equal(code, 0, stderr);
      assert.equal(sha256(back), sha256(local));
    });
  }

  for (const [what, args, missing] of [
    ['curve25519', ['-oKexAlgorithms=curve25519-sha256'], /no matching key exchange method found/],
    [
      'sntrup761x25519',
      ['-oKexAlgorithms=sntrup761x25519-sha512@openssh.com'],
      /no matching key exchange method found/,
    ],
    ['ChaCha20-Poly1305', ['-c', 'chacha20-poly1305@openssh.com'], /no matching cipher found/],
    ['hmac-md5', ['-c', 'aes256-ctr', '-oMACs=hmac-md5'], /no matching MAC found/],
    ['ssh-rsa host keys', ['-oHostKeyAlgorithms=ssh-rsa'], /no matching host key type found/],
  ] as const) {
    test(`a client that offers only ${what} is refused`, LIMIT, async (t) => {
      const server = running(t);
      if (server === null || !needsProgram(t, 'sftp')) return;
      const { code, stderr } = await server.sftp('fips', 'pwd\n', { args });
      assert.equal(code, 255);
      assert.match(stderr, missing);
    });
  }

  for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
    test(`a user logs in with an ${type} key`, LIMIT, async (t) => {
      const server = running(t);
      if (server === null || !needsProgram(t, 'sftp')) return;
      const identity = server.key(`user-${type}`, type);
      server.authorize('alice', publicLine(identity));
      const { code, stderr } = await server.sftp('fips', 'pwd\n', { identity, password: null });
      assert.equal(code, 0, stderr);
    });
  }
});

describe('a start in FIPS mode', LIMIT, () => {
  /** What a start or a check with these lines behind the base configuration says. */
  async function refusal(
    name: string,
    args: readonly string[],
    directives: Readonly<Record<string, string>>,
    more = '',
  ): Promise<string> {
    const place = join(folder, `start-${name}`);
    mkdirSync(place, { recursive: true });
    for (const [file, kind] of [
      ['host-ed25519', 'ed25519'],
      ['host-rsa', 'ecdsa'],
    ] as const)
      if (!existsSync(join(place, file)))
        writeFileSync(join(place, file), await generateHostKey(kind), { mode: 0o600 });
    const text = seedConfig({ x: baseSftp('x', directives) + more });
    const { code, stdout, stderr } = await tryConfig(place, text, args);
    assert.equal(code, 1, stderr);
    return stdout + stderr;
  }

  test('scenario 46: names the profile forbids are refused with file and line', LIMIT, async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const forbidden = [
      ['SFTPCiphers', 'chacha20-poly1305@openssh.com', 'cipher'],
      ['SFTPKeyExchanges', 'curve25519-sha256', 'key exchange'],
      ['SFTPKeyExchanges', 'mlkem768x25519-sha256', 'key exchange'],
      ['SFTPDigests', 'hmac-md5', 'digest'],
      ['SFTPHostKeys', 'ssh-rsa', 'host key'],
      ['SFTPAuthPublicKeys', 'ssh-dss', 'public key'],
    ] as const;
    const because = (kind: string, name: string): string =>
      `unsupported ${kind} algorithm: ${name}: forbidden by the FIPS profile: .+`;
    const started = await refusal('one', fipsArguments(module), { SFTPCiphers: forbidden[0][1] });
    const first = because('cipher', forbidden[0][1]);
    assert.match(
      started,
      new RegExp(`^fatal: SFTPCiphers: ${first} on line \\d+ of '.*refused\\.conf'$`, 'm'),
    );
    // `check` names all of them at once.
    const lines = forbidden.map(([directive, name]) => `${directive} ${name}\n`).join('');
    const checked = await refusal(
      'all',
      ['check', ...fipsArguments(module)],
      {},
      `${lines}SFTPKeyFingerprints md5\n`,
    );
    for (const [directive, name, kind] of forbidden)
      assert.match(checked, new RegExp(`refused\\.conf:\\d+: error: ${directive}: ${because(kind, name)}`));
    assert.match(
      checked,
      /refused\.conf:\d+: error: SFTPKeyFingerprints: .*forbidden by the FIPS profile: MD5/,
    );
  });

  test('host keys outside the profile are refused with file and line', LIMIT, async (t) => {
    const module = needsFipsProvider(t);
    if (module === null || !needsProgram(t, 'ssh-keygen')) return;
    const small = sshKeygenKey(join(folder, 'small'), 'rsa', ['-b', '1024', '-m', 'PEM']);
    const dsa = sshKeygenKey(join(folder, 'dsa'), 'dsa', ['-m', 'PEM']);
    // SFTPKeyLimits cannot go below the profile.
    const keys = { SFTPHostKey: `${small}\nSFTPHostKey ${dsa}`, SFTPKeyLimits: 'MinimumRSASize 1024' };
    const started = await refusal('keys', fipsArguments(module), keys);
    const tooSmall =
      "unable to use '.*/small' as host key: RSA key size \\(1024 bits\\) less than required minimum \\(2048 bits\\)";
    assert.match(
      started,
      new RegExp(`^fatal: SFTPHostKey: ${tooSmall} on line \\d+ of '.*refused\\.conf'$`, 'm'),
    );
    const checked = await refusal('keys', ['check', ...fipsArguments(module)], keys);
    assert.match(checked, new RegExp(`refused\\.conf:\\d+: error: SFTPHostKey: ${tooSmall}`));
    assert.match(checked, /refused\.conf:\d+: error: SFTPHostKey: unable to use '.*\/dsa' as host key/);
  });

  test('scenario 46: without a provider FIPS mode cannot be had, and nothing starts', LIMIT, async () => {
    const { code, stderr } = await tryConfig(join(folder, 'none'), seedConfig({ x: baseSftp('x') }), [
      ...fipsArguments('/nowhere/fips.so'),
      '-n',
    ]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^mod_sftp\/[\d.]+: unable to use FIPS mode: .+\nFatal: unable to load module 'mod_sftp\.c': Operation not permitted$/m,
    );
    assert.doesNotMatch(stderr, /STARTUP/);
  });
});

test('`lockgate fips report` lists what SSH offers, and where its keys are derived', LIMIT, async (t) => {
  const module = needsFipsProvider(t);
  if (module === null) return;
  const { code, stdout, stderr } = await lockgate(join(folder, 'report'), [
    'fips',
    'report',
    '--fips-module',
    module,
  ]);
  assert.equal(code, 0, stderr);
  for (const names of [OFFER.ciphers, OFFER.macs]) assert.ok(stdout.includes(names.join(', ')), stdout);
  assert.match(stdout, /mlkem768nistp256-sha256, mlkem1024nistp384-sha384, ecdh-sha2-nistp256/);
  assert.match(stdout, /key derivation: +SSHKDF of the module/);
  for (const name of ['curve25519', 'chacha20-poly1305@openssh.com', 'hmac-md5'])
    assert.ok(!stdout.slice(stdout.indexOf('SSH')).includes(`${name},`), name);
});
