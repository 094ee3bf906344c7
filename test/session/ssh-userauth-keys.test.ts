import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ByteWriter } from '../../src/util/byte-writer.ts';
import {
  createTestKey,
  HOST_KEY_BLOB,
  keyProof,
  keyQuery,
  openUserauthFixture,
  passwordRequest,
  SESSION_IDENTIFIER,
  userauthRequest,
} from '../support/userauth-fixture.ts';
import type { TestKey } from '../support/userauth-fixture.ts';

const OPTIONS = { timeout: 30_000 };
const REFUSED = 'publickey,password';

/** RFC 4716, lines of at most 72 characters. */
function rfc4716(key: TestKey, headers: readonly string[] = []): string {
  const body = key.blob.toString('base64').replaceAll(/(.{70})/g, '$1\n');
  return ['---- BEGIN SSH2 PUBLIC KEY ----', ...headers, body, '---- END SSH2 PUBLIC KEY ----', ''].join(
    '\n',
  );
}

describe('publickey', OPTIONS, () => {
  test('a key of the store is acceptable, and its signature logs in', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, other] = [createTestKey(), createTestKey()];
    fixture.authorize('alice', other, key);
    const connection = fixture.connect();
    const { replies } = await connection.ask(keyQuery('alice', key));
    const [reply] = replies;
    assert.ok(reply?.kind === 'sixty');
    assert.equal(reply.reader.utf8(), 'ssh-ed25519');
    assert.ok(reply.reader.string().equals(key.blob));
    reply.reader.end();
    assert.equal(await connection.outcome(keyProof('alice', key)), 'accepted');
    const { environment } = connection.facts;
    const digest = createHash('sha256').update(key.blob).digest('base64').replace(/=+$/, '');
    assert.equal(environment.get('SFTP_USER_PUBLICKEY_ALGO'), 'ssh-ed25519');
    assert.equal(environment.get('SFTP_USER_PUBLICKEY_FINGERPRINT'), `SHA256:${digest}`);
    assert.equal(environment.get('SFTP_USER_PUBLICKEY_FINGERPRINT_ALGO'), 'sha256');
    assert.equal(environment.get('SFTP_USER_AUTH_METHOD'), 'publickey');
  });

  test('a query answers the same for a foreign key, another user and nobody at all', async (t) => {
    const fixture = openUserauthFixture(t);
    const [key, foreign] = [createTestKey(), createTestKey()];
    fixture.authorize('alice', key);
    for (const [user, tried] of [
      ['alice', foreign],
      ['bob', key],
      ['nobody', key],
    ] as const) {
      assert.equal(await fixture.connect().outcome(keyQuery(user, tried)), REFUSED, user);
      assert.equal(await fixture.connect().outcome(keyProof(user, tried)), REFUSED, user);
    }
    assert.ok(fixture.lines.every((line) => !line.includes('successful')));
  });

  test('signing without a query works; RFC 4716 and several keys in any order too', async (t) => {
    const fixture = openUserauthFixture(t);
    const keys = [createTestKey(), createTestKey(), createTestKey()];
    const [first, second, third] = keys as [TestKey, TestKey, TestKey];
    const text = `${rfc4716(first, ['Comment: one'])}${second.line}\n${rfc4716(third)}`;
    fixture.write('alice/.sftp/authorized_keys', text);
    for (const key of keys) assert.equal(await fixture.connect().outcome(keyProof('alice', key)), 'accepted');
    assert.equal(await fixture.connect().outcome(keyProof('alice', createTestKey())), REFUSED);
  });

  test('a signature for another session, user or host key is worth nothing', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    for (const options of [
      { sessionIdentifier: Buffer.alloc(32, 1) },
      { signedUser: 'bob' },
      { hostKeyBlob: Buffer.from('another host key') },
      { signature: Buffer.alloc(0) },
      { signature: Buffer.alloc(83, 0xff) },
    ]) {
      const connection = fixture.connect();
      assert.equal(await connection.outcome(keyProof('alice', key, options)), REFUSED);
    }
    const bound = keyProof('alice', key, { hostKeyBlob: HOST_KEY_BLOB });
    assert.equal(await fixture.connect().outcome(bound), 'accepted');
  });

  test('a query does not stand in for a signature', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const connection = fixture.connect();
    await connection.ask(keyQuery('alice', key));
    assert.equal(await connection.outcome(keyProof('alice', key, { signature: Buffer.from('x') })), REFUSED);
  });

  test('the store is looked at again when the signature comes', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const connection = fixture.connect();
    assert.equal(await connection.outcome(keyQuery('alice', key)), 'sixty');
    fixture.authorize('alice', createTestKey());
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
  });

  test('%u is the login name, and no name leads out of the directory', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    const store = { kind: 'file', path: `${fixture.path('keys')}/%u` } as const;
    const settings = { sftpAuthorizedUserKeys: [store] };
    fixture.write('keys/alice', key.line);
    fixture.write('outside', key.line);
    assert.equal(await fixture.connect({ settings }).outcome(keyProof('alice', key)), 'accepted');
    for (const user of ['bob', '../outside', '..', 'keys/alice']) {
      assert.equal(await fixture.connect({ settings }).outcome(keyProof(user, key)), REFUSED, user);
    }
  });

  test('a store that is missing, a directory, a FIFO or world-writable: the password still works', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const path = fixture.path('alice/.sftp/authorized_keys');
    chmodSync(path, 0o666);
    const connection = fixture.connect();
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
    assert.ok(connection.lines.includes(`unable to use key store '${path}': file is world-writable`));
    rmSync(path);
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
    execFileSync('mkfifo', [path]);
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
    rmSync(path);
    mkdirSync(path);
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'accepted');
  });

  test('SFTPKeyLimits refuses a small RSA key', async (t) => {
    const fixture = openUserauthFixture(t);
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const { e = '', n = '' } = publicKey.export({ format: 'jwk' });
    const [exponent, modulus] = [Buffer.from(e, 'base64url'), Buffer.from(n, 'base64url')];
    const blob = new ByteWriter().string('ssh-rsa').mpint(exponent).mpint(modulus).finish();
    fixture.write('alice/.sftp/authorized_keys', `ssh-rsa ${blob.toString('base64')}\n`);
    const query = userauthRequest('alice', 'publickey', (writer) =>
      writer.bool(false).string('rsa-sha2-256').string(blob),
    );
    const connection = fixture.connect();
    assert.equal(await connection.outcome(query), REFUSED);
    assert.equal(connection.lines[0], 'RSA key size (1024 bits) less than required minimum (2048 bits)');
    const sftpKeyLimits = { minimumRsaBits: 1024, minimumDsaBits: 0, minimumEcBits: 0 };
    assert.equal(await fixture.connect({ settings: { sftpKeyLimits } }).outcome(query), 'sixty');
  });

  test('SFTPAuthPublicKeys holds', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const connection = fixture.connect({ settings: { sftpAuthPublicKeys: ['rsa-sha2-256'] } });
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
    assert.equal(
      connection.lines[0],
      "public key algorithm 'ssh-ed25519' disabled by SFTPAuthPublicKeys, rejecting request",
    );
    const unknown = userauthRequest('alice', 'publickey', (writer) =>
      writer.bool(false).string('x509v3-ssh-rsa').string(key.blob),
    );
    assert.equal(await connection.outcome(unknown), REFUSED);
    assert.ok(
      connection.lines.includes(
        "unsupported public key algorithm 'x509v3-ssh-rsa' requested, rejecting request",
      ),
    );
  });

  test('the algorithm must be the one of the key', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const query = userauthRequest('alice', 'publickey', (writer) =>
      writer.bool(false).string('ecdsa-sha2-nistp256').string(key.blob),
    );
    assert.equal(await fixture.connect().outcome(query), REFUSED);
  });

  test('MatchKeySubject wants the Subject to name the user; a key without one is free', async (t) => {
    const fixture = openUserauthFixture(t);
    const [named, free] = [createTestKey(), createTestKey()];
    const text = rfc4716(named, ['Subject: alice']) + rfc4716(free);
    for (const user of ['alice', 'bob']) fixture.write(`${user}/.sftp/authorized_keys`, text);
    const settings = { sftpOptions: ['MatchKeySubject'] } as const;
    const tried = (user: string, key: TestKey) => fixture.connect({ settings }).outcome(keyProof(user, key));
    assert.equal(await tried('alice', named), 'accepted');
    assert.equal(await tried('bob', named), REFUSED);
    assert.equal(await tried('bob', free), 'accepted');
    assert.equal(await fixture.connect().outcome(keyProof('bob', named)), 'accepted');
  });

  test('from= and expiry-time= of OpenSSH lines hold', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    for (const [options, expected] of [
      ['from="192.0.2.0/24"', 'accepted'],
      ['from="*.example"', 'accepted'],
      ['from="10.0.0.0/8,203.0.113.7"', REFUSED],
      ['from="!192.0.2.9,192.0.2.0/24"', REFUSED],
      ['expiry-time="20991231"', 'accepted'],
      ['expiry-time="20010101"', REFUSED],
      ['restrict', 'accepted'],
    ] as const) {
      fixture.write('alice/.sftp/authorized_keys', `${options} ${key.line}\n`);
      assert.equal(await fixture.connect().outcome(keyProof('alice', key)), expected, options);
    }
  });

  test('a blacklisted key is refused, and the server log says so', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const digits = createHash('md5').update(key.blob).digest('hex').slice(12);
    const path = fixture.write('blacklist', `${digits}\n`);
    const connection = fixture.connect({ settings: { sftpKeyBlacklist: path } });
    assert.equal(await connection.outcome(keyQuery('alice', key)), REFUSED);
    assert.equal(await connection.outcome(keyProof('alice', key)), REFUSED);
    assert.ok(connection.lines.includes('public key is blacklisted'));
    assert.ok(
      fixture.lines.includes('notice USER alice (Login failed): requested public key is blacklisted'),
    );
  });
});

describe('chains', OPTIONS, () => {
  test('publickey+password wants both, in this order', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    fixture.authorize('alice', key);
    const settings = { sftpAuthMethods: [['publickey', 'password']] };
    const connection = fixture.connect({ settings });
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'publickey');
    assert.equal(await connection.outcome(keyProof('alice', key)), 'password partial');
    assert.equal(await connection.outcome(passwordRequest('alice', 'wrong')), 'password');
    assert.equal(await connection.outcome(passwordRequest('alice', 'secret')), 'accepted');
  });

  test('publickey+publickey wants two different keys', async (t) => {
    const fixture = openUserauthFixture(t);
    const [first, second] = [createTestKey(), createTestKey()];
    fixture.authorize('alice', first, second);
    const connection = fixture.connect({ settings: { sftpAuthMethods: [['publickey', 'publickey']] } });
    assert.equal(await connection.outcome(keyProof('alice', first)), 'publickey partial');
    assert.equal(await connection.outcome(keyQuery('alice', first)), 'publickey');
    assert.equal(await connection.outcome(keyProof('alice', first)), 'publickey');
    assert.ok(connection.lines.some((line) => line.includes('reused previously verified publickey')));
    assert.equal(await connection.outcome(keyProof('alice', second)), 'accepted');
  });
});

describe('hostbased', OPTIONS, () => {
  function request(key: TestKey, host: string, clientUser: string, user = 'alice'): Buffer {
    return signedHostbased(key, host, clientUser, user);
  }

  test('a trusted host vouches for its user of the same name', async (t) => {
    const fixture = openUserauthFixture(t);
    const key = createTestKey();
    const path = fixture.write('hosts', key.line);
    const settings = {
      sftpAuthMethods: [['hostbased']],
      sftpAuthorizedHostKeys: [{ kind: 'file', path }],
      useReverseDNS: true,
    } as const;
    const tried = (payload: Buffer) => fixture.connect({ settings }).outcome(payload);
    assert.equal(await tried(request(key, 'client.example.', 'alice')), 'accepted');
    assert.equal(await tried(request(key, 'client.example', 'mallory')), 'hostbased');
    assert.equal(await tried(request(key, 'other.example', 'alice')), 'hostbased');
    assert.equal(await tried(request(createTestKey(), 'client.example', 'alice')), 'hostbased');
    const connection = fixture.connect({ settings });
    await connection.ask(request(key, 'other.example', 'alice'));
    assert.ok(
      connection.lines.includes(
        "client-sent FQDN 'other.example' DOES NOT match client DNS name 'client.example'",
      ),
    );
  });
});

function signedHostbased(key: TestKey, host: string, clientUser: string, user: string): Buffer {
  const unsigned = userauthRequest(user, 'hostbased', (writer) =>
    writer.string('ssh-ed25519').string(key.blob).string(host).string(clientUser),
  );
  const data = new ByteWriter().string(SESSION_IDENTIFIER).raw(unsigned).finish();
  const signature = new ByteWriter()
    .string('ssh-ed25519')
    .string(sign(null, data, key.privateKey))
    .finish();
  return new ByteWriter().raw(unsigned).string(signature).finish();
}
