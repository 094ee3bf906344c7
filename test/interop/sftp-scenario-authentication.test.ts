/** SFTP acceptance scenarios 15-27: methods, keys and their stores, attempts, banner, owner of uploads. */
import assert from 'node:assert/strict';
import { createHash, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import { keyDictionary } from '../support/key-dictionary.ts';
import { needsProgram } from '../support/programs.ts';
import { seedConfig, tryConfig } from '../support/seed-server.ts';
import {
  authAnswer,
  baseSftp,
  keyLogin,
  noneRequest,
  publicLine,
  rfc4716,
  startSftpSeed,
  startUserauth,
  type SftpSeed,
} from '../support/sftp-seed.ts';
import type { SshClient } from '../support/ssh-client.ts';
import {
  answersMessage,
  createTestKey,
  keyboardRequest,
  keyQuery,
  passwordRequest,
  userauthRequest,
  type TestKey,
} from '../support/userauth-fixture.ts';

const LIMIT = { timeout: 30_000 };
const HOST = 'client.example.org';
const ALICE = 40_000;

const folder = mkdtempSync(join(tmpdir(), 'lockgate-sftp-auth-'));
/** Of a client host, of alice in a store by name, and one on the blacklist. */
const [hostKey, aliceKey, weakKey] = [createTestKey(), createTestKey(), createTestKey()];
let seed: SftpSeed;

before(async () => {
  const file = (name: string, text: string | Buffer): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  mkdirSync(join(folder, 'keys'));
  file('keys/alice', aliceKey.line);
  file('weak', weakKey.line);
  const dictionary = file('blacklist.dat', keyDictionary([createHash('md5').update(weakKey.blob).digest()]));
  seed = await startSftpSeed({
    auth: baseSftp('auth'),
    keyless: baseSftp('keyless', { SFTPAuthorizedUserKeys: null }),
    'key-only': baseSftp('key-only', { SFTPAuthMethods: 'publickey' }),
    keyboard: baseSftp('keyboard', { SFTPAuthMethods: 'publickey keyboard-interactive' }),
    hostbased: baseSftp('hostbased', {
      SFTPAuthMethods: 'hostbased',
      // Else the name would have to be the one DNS has for 127.0.0.1.
      UseReverseDNS: 'off',
      SFTPAuthorizedHostKeys: `file:${file('hosts', hostKey.line)}`,
    }),
    store: baseSftp('store', { SFTPAuthorizedUserKeys: `file:${join(folder, 'keys')}/%u` }),
    long: baseSftp('long', { SFTPAuthorizedUserKeys: `file:${join(folder, 'long')}` }),
    attempts: baseSftp('attempts', { MaxLoginAttempts: '6' }),
    blacklist: baseSftp('blacklist', {
      SFTPAuthorizedUserKeys: `file:${join(folder, 'weak')}`,
      SFTPKeyBlacklist: dictionary,
    }),
    'no-blacklist': baseSftp('no-blacklist', {
      SFTPAuthorizedUserKeys: `file:${join(folder, 'weak')}`,
      SFTPKeyBlacklist: 'none',
    }),
    banner: baseSftp('banner', { SFTPDisplayBanner: file('banner', 'First line of two\nand the second\n') }),
    'no-banner': baseSftp('no-banner', { SFTPDisplayBanner: '/nowhere/banner' }),
    owner: `${baseSftp('owner')}<Directory />\nUserOwner daemon\nGroupOwner daemon\n</Directory>\n`,
  });
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function userauth(host: string): Promise<SshClient> {
  return startUserauth(await seed.client(host));
}

const ask = async (host: string, request: Buffer): Promise<string> =>
  authAnswer(await userauth(host), request);

test(
  'scenario 15: the methods offered are publickey,password; without SFTPAuthorizedUserKeys only password',
  LIMIT,
  async (t) => {
    assert.equal(await ask('auth', noneRequest()), 'failure publickey,password');
    assert.equal(await ask('keyless', noneRequest()), 'failure password');
    if (!needsProgram(t, 'ssh')) return;
    const { code, stderr } = await seed.openSsh('ssh', 'auth', {
      args: ['-v', '-oPreferredAuthentications=none'],
    });
    assert.equal(code, 255);
    assert.match(stderr, /Authentications that can continue: publickey,password/);
  },
);

test(
  'scenario 16: SFTPAuthMethods publickey: no password is asked for, and one that is sent is refused and logged',
  LIMIT,
  async (t) => {
    const log = seed.sftpLog('key-only');
    assert.equal(await ask('key-only', passwordRequest('bob', 'secret')), 'failure publickey');
    await log.line(/unsupported authentication method 'password' requested$/);
    if (!needsProgram(t, 'ssh')) return;
    const { code, stderr } = await seed.openSsh('ssh', 'key-only', { user: 'bob', args: ['-v'] });
    assert.equal(code, 255);
    assert.match(stderr, /Authentications that can continue: publickey\r?\n/);
    assert.doesNotMatch(stderr, /Next authentication method: password/);
  },
);

test(
  'scenario 17: publickey and keyboard-interactive are offered exactly where they are listed',
  LIMIT,
  async () => {
    // The server's own driver asks for the password, or for a one-time code; another one has to be there to be named.
    const client = await userauth('keyboard');
    assert.equal(await authAnswer(client, noneRequest('bob')), 'failure publickey,keyboard-interactive');
    assert.equal(await authAnswer(client, keyboardRequest('bob')), 'sixty');
    assert.equal(await authAnswer(client, answersMessage('secret')), 'success');
    for (const [driver, reason] of [
      ['pam', /unsupported authentication method 'keyboard-interactive:pam': no such driver/],
      ['otp', /unsupported authentication method 'keyboard-interactive:otp': No drivers loaded/],
    ] as const) {
      const host = baseSftp('x', { SFTPAuthMethods: `keyboard-interactive:${driver}` });
      const { code, stderr } = await tryConfig(join(folder, driver), seedConfig({ x: host }));
      assert.equal(code, 1);
      assert.match(stderr, reason);
    }
  },
);

test(
  'scenario 18: hostbased needs SFTPAuthorizedHostKeys, and the key of the client host',
  LIMIT,
  async () => {
    const alone = baseSftp('x', { SFTPAuthMethods: 'hostbased' });
    const { code, stderr } = await tryConfig(join(folder, 'hostbased'), seedConfig({ x: alone }));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /cannot support authentication method 'hostbased' without SFTPAuthorizedHostKeys configuration/,
    );

    const log = seed.sftpLog('hostbased');
    const client = await userauth('hostbased');
    assert.equal(await authAnswer(client, hostbased(client, createTestKey())), 'failure hostbased');
    await log.line(
      new RegExp(
        `no matching public key found for host '${HOST}' in 'file:.*hosts'; perhaps keys are not RFC4716-formatted`,
      ),
    );
    assert.equal(await authAnswer(client, hostbased(client, hostKey)), 'success');
  },
);

/** RFC 4252, section 9. */
function hostbased(client: SshClient, key: TestKey): Buffer {
  const unsigned = userauthRequest('alice', 'hostbased', (writer) =>
    writer.string('ssh-ed25519').string(key.blob).string(`${HOST}.`).string('alice'),
  );
  const data = new ByteWriter().string(client.sessionId!).raw(unsigned).finish();
  const signature = new ByteWriter()
    .string('ssh-ed25519')
    .string(sign(null, data, key.privateKey))
    .finish();
  return new ByteWriter().raw(unsigned).string(signature).finish();
}

test(
  'scenario 19: each of three keys in one file logs in, in any order; a fourth does not',
  LIMIT,
  async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const types = ['ed25519', 'ecdsa', 'rsa'] as const;
    const keys = types.map((type) => seed.key(`three-${type}`, type));
    seed.authorize('alice', keys.toReversed().map(rfc4716).join(''));
    for (const identity of keys) {
      const { code, stderr } = await seed.sftp('auth', 'pwd\n', { identity, password: null });
      assert.equal(code, 0, `${identity}: ${stderr}`);
    }
    const { code, stderr } = await seed.sftp('auth', 'pwd\n', {
      identity: seed.key('fourth'),
      password: null,
    });
    assert.equal(code, 255);
    assert.match(stderr, /Permission denied \(publickey,password\)/);
  },
);

test(
  'scenario 20: %u is the login name: the file is its owner of the name alone, and no name leads elsewhere',
  LIMIT,
  async () => {
    const attempt = async (user: string): Promise<string> =>
      keyLogin(await userauth('store'), user, aliceKey);
    assert.equal(await attempt('alice'), 'success');
    assert.equal(await attempt('bob'), 'failure publickey,password');
    for (const name of ['../keys/alice', './alice', '..', '/etc/passwd', 'alice/.'])
      assert.equal(await attempt(name), 'failure publickey,password', name);
    // A jailed user has no way to the store.
    assert.ok(!join(folder, 'keys').startsWith(seed.server.homeOf('alice')));
  },
);

test('scenario 21: a raw OpenSSH line logs in, and what ssh-keygen -e makes of it too', LIMIT, async (t) => {
  if (!needsProgram(t, 'sftp')) return;
  for (const [name, written] of [
    ['raw', publicLine],
    ['converted', rfc4716],
  ] as const) {
    const identity = seed.key(name);
    seed.authorize('alice', written(identity));
    const { code, stderr } = await seed.sftp('auth', 'pwd\n', { identity, password: null });
    assert.equal(code, 0, `${name}: ${stderr}`);
  }
});

test(
  'scenario 22: a Comment line of 90 characters is warned of with its line, and the key still logs in',
  LIMIT,
  async () => {
    const log = seed.sftpLog('long');
    const key = createTestKey();
    const body = key.blob.toString('base64').replace(/.{70}/g, '$&\n');
    const comment = `Comment: "${'x'.repeat(79)}"`;
    const block = (headers: string): string =>
      `---- BEGIN SSH2 PUBLIC KEY ----\n${headers}${body}\n---- END SSH2 PUBLIC KEY ----\n`;
    assert.equal(comment.length, 90);
    writeFileSync(join(folder, 'long'), block(`${comment}\n`));
    assert.equal(await keyLogin(await userauth('long'), 'alice', key), 'success');
    await log.line(/line too long \(90\) on line 2 of '.*\/long'/);
    const cured = seed.sftpLog('long');
    writeFileSync(join(folder, 'long'), block(''));
    assert.equal(await keyLogin(await userauth('long'), 'alice', key), 'success');
    await cured.line(/user 'alice' authenticated via 'publickey' method/);
    assert.ok(!cured.lines.some((line) => line.includes('line too long')));
  },
);

test(
  'scenario 23: after six wrong passwords the session ends; key queries are free; six is also the default',
  LIMIT,
  async () => {
    const exceeded = /Maximum login attempts \(6\) exceeded, refusing connection for user 'alice'/;
    await Promise.all(
      ['attempts', 'auth'].map(async (host) => {
        const log = seed.sftpLog(host);
        const client = await userauth(host);
        for (let attempt = 1; attempt < 6; attempt += 1)
          assert.equal(
            await authAnswer(client, passwordRequest('alice', 'wrong')),
            'failure publickey,password',
          );
        assert.match(await authAnswer(client, passwordRequest('alice', 'wrong')), /^disconnect 11 /);
        await log.line(exceeded);
      }),
    );
    const client = await userauth('attempts');
    for (let query = 0; query < 5; query += 1)
      assert.equal(
        await authAnswer(client, keyQuery('alice', createTestKey())),
        'failure publickey,password',
      );
    assert.equal(await authAnswer(client, passwordRequest('alice', 'secret')), 'success');
  },
);

test(
  'scenario 24: without an authorized_keys file publickey fails, and the password is still possible',
  LIMIT,
  async () => {
    const client = await userauth('auth');
    assert.equal(await keyLogin(client, 'bob', aliceKey), 'failure publickey,password');
    assert.equal(await authAnswer(client, passwordRequest('bob', 'secret')), 'success');
  },
);

test(
  'scenario 25: a key of the SFTPKeyBlacklist dictionary is refused; `none` takes it; a missing file stops the start',
  LIMIT,
  async () => {
    const [log, system] = [seed.sftpLog('blacklist'), seed.systemLog()];
    assert.equal(await keyLogin(await userauth('blacklist'), 'alice', weakKey), 'failure publickey,password');
    await log.line(/public key is blacklisted$/);
    await system.line(/USER alice \(Login failed\): requested public key is blacklisted/);
    assert.equal(await keyLogin(await userauth('no-blacklist'), 'alice', weakKey), 'success');

    const refused = async (directives: string): Promise<string> => {
      const text = seedConfig({ x: `${baseSftp('x')}${directives}` });
      const { code, stderr } = await tryConfig(join(folder, 'dictionary'), text, ['-t']);
      assert.equal(code, 1);
      return stderr;
    };
    mkdirSync(join(folder, 'dictionary'), { recursive: true });
    const key = createKeyFile(join(folder, 'dictionary', 'host-ed25519'));
    assert.match(readFileSync(key, 'utf8'), /PRIVATE KEY/);
    createKeyFile(join(folder, 'dictionary', 'host-rsa'));
    assert.match(
      await refused('SFTPKeyBlacklist /nowhere/list'),
      /SFTPKeyBlacklist: path '\/nowhere\/list' not found/,
    );
    assert.match(
      await refused('SFTPDKeyBlacklist none'),
      /unknown configuration directive 'SFTPDKeyBlacklist'/,
    );
  },
);

function createKeyFile(path: string): string {
  const pem = createTestKey().privateKey.export({ format: 'pem', type: 'pkcs8' });
  writeFileSync(path, pem, { mode: 0o600 });
  return path;
}

test(
  'scenario 26: the banner is shown once, before the password is asked for; a missing file is logged, and the login works',
  LIMIT,
  async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const { code, stderr } = await seed.sftp('banner', 'pwd\n', { args: ['-v'] });
    assert.equal(code, 0, stderr);
    assert.equal(stderr.match(/First line of two\r?\nand the second\r?\n/g)?.length, 1, stderr);
    assert.ok(stderr.indexOf('First line of two') < stderr.indexOf('Next authentication method: password'));
    const log = seed.sftpLog('no-banner');
    assert.equal((await seed.sftp('no-banner', 'pwd\n')).code, 0);
    await log.line(/error opening SFTPDisplayBanner '\/nowhere\/banner': /);
  },
);

test(
  'scenario 27: an upload belongs to UserOwner and GroupOwner, root privileges are kept for it and that is logged',
  { ...LIMIT, skip: process.getuid?.() === 0 ? false : 'needs to be started as root' },
  async (t) => {
    if (!needsProgram(t, 'sftp')) return;
    const local = join(folder, 'banner');
    for (const host of ['auth', 'owner']) {
      const { code, stderr } = await seed.sftp(host, `put ${local} of-${host}\n`);
      assert.equal(code, 0, stderr);
    }
    const owner = (name: string): readonly [number, number] => {
      const { uid, gid } = statSync(join(seed.server.homeOf('alice'), name));
      return [uid, gid];
    };
    assert.deepEqual(owner('of-auth'), [ALICE, ALICE]);
    // `daemon` stands for the `ftp` of the FAQ: it is 1 on every Debian.
    assert.deepEqual(owner('of-owner'), [1, 1]);
    assert.match(seed.server.read('system.log'), /UserOwner is configured: root privileges are kept for it/);
  },
);
