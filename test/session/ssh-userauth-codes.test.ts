import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createTotpSecret, totpCode, totpStep } from '../../src/auth/totp.ts';
import { openUserStore } from '../../src/auth/user-store.ts';
import { Secret } from '../../src/log/secret.ts';
import {
  answersMessage,
  createTestKey,
  keyboardRequest,
  keyProof,
  openUserauthFixture,
  passwordRequest,
  userauthRequest,
} from '../support/userauth-fixture.ts';
import type { Connection, ConnectOptions, UserauthFixture } from '../support/userauth-fixture.ts';
import { configWith, SECRET } from '../unit/auth/auth-fixture.ts';

const OPTIONS = { timeout: 30_000 };
const METHODS = 'publickey,keyboard-interactive,password';

interface StoreFixture extends UserauthFixture {
  readonly store: string;
  readonly secret: Secret;
  /** The code of now, or of so many steps later. */
  code(offset?: number): string;
  connectToStore(options?: ConnectOptions): Connection;
}

/** carol with one-time codes and dave without, password `secret`, in an embedded store. */
function openStoreFixture(t: TestContext): StoreFixture {
  const fixture = openUserauthFixture(t);
  const store = fixture.path('users.sqlite');
  const secret = createTotpSecret();
  const database = openUserStore(store);
  for (const name of ['carol', 'dave']) {
    fixture.write(`${name}/here`, '');
    database.add({
      name,
      hash: new Secret(SECRET.sha256),
      uid: process.getuid?.() ?? 1000,
      gid: process.getgid?.() ?? 1000,
      groups: [],
      home: fixture.path(name),
      shell: '/bin/false',
    });
  }
  database.credentials.setTotp('carol', secret);
  database.close();
  return Object.assign(fixture, {
    store,
    secret,
    code: (offset = 0) => totpCode(secret, totpStep(Date.now()) + offset),
    connectToStore: (options: ConnectOptions = {}) =>
      fixture.connect({
        ...options,
        settings: { userStore: store, authOrder: STORE_ONLY, ...options.settings },
      }),
  });
}

const STORE_ONLY = [{ module: 'mod_lockgate', authoritative: false }];

async function prompt(connection: Connection, payload: Buffer): Promise<string> {
  const { replies } = await connection.ask(payload);
  const [reply] = replies;
  if (reply?.kind !== 'sixty') return JSON.stringify(reply);
  const { reader } = reply;
  for (let field = 0; field < 3; field += 1) reader.string();
  assert.equal(reader.u32(), 1);
  return reader.utf8();
}

describe('keyboard-interactive with one-time codes', OPTIONS, () => {
  test('asks for the password, then for the code', async (t) => {
    const fixture = openStoreFixture(t);
    const connection = fixture.connectToStore();
    assert.equal(await connection.outcome(userauthRequest('carol', 'none')), METHODS);
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Password: ');
    assert.equal(await prompt(connection, answersMessage('secret')), 'Verification code: ');
    assert.equal(await connection.outcome(answersMessage(fixture.code())), 'accepted');
  });

  test('only who knows the password learns whether there are codes', async (t) => {
    const fixture = openStoreFixture(t);
    for (const user of ['carol', 'dave', 'nobody']) {
      const connection = fixture.connectToStore();
      assert.equal(await prompt(connection, keyboardRequest(user)), 'Password: ');
      assert.equal(await connection.outcome(answersMessage('wrong')), METHODS);
    }
    const dave = fixture.connectToStore();
    await dave.ask(keyboardRequest('dave'));
    assert.equal(await dave.outcome(answersMessage('secret')), 'accepted');
  });

  test('a code works once, over all connections, and the next one is taken again', async (t) => {
    const fixture = openStoreFixture(t);
    const login = async (code: string): Promise<string> => {
      const connection = fixture.connectToStore();
      await connection.ask(keyboardRequest('carol'));
      await connection.ask(answersMessage('secret'));
      return connection.outcome(answersMessage(code));
    };
    const code = fixture.code();
    assert.equal(await login(code), 'accepted');
    assert.equal(await login(code), METHODS);
    assert.equal(await login(fixture.code(1)), 'accepted');
  });

  test('a wrong code is a failed attempt, and the password is asked for anew', async (t) => {
    const fixture = openStoreFixture(t);
    const connection = fixture.connectToStore({ settings: { maxLoginAttempts: 2 } });
    await connection.ask(keyboardRequest('carol'));
    await connection.ask(answersMessage('secret'));
    assert.equal(await connection.outcome(answersMessage('no')), METHODS);
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Password: ');
    assert.equal(await connection.outcome(answersMessage('wrong')), 'disconnect 11');
  });

  test('codes cannot be guessed by the thousand', async (t) => {
    const fixture = openStoreFixture(t);
    const wrong = fixture.code(500);
    for (let guess = 0; guess < 10; guess += 1) {
      const connection = fixture.connectToStore();
      await connection.ask(keyboardRequest('carol'));
      await connection.ask(answersMessage('secret'));
      await connection.ask(answersMessage(wrong));
    }
    const connection = fixture.connectToStore();
    await connection.ask(keyboardRequest('carol'));
    await connection.ask(answersMessage('secret'));
    assert.equal(await connection.outcome(answersMessage(fixture.code())), METHODS);
    assert.equal(
      fixture.lines.at(-1),
      'notice USER carol (Login failed): Too many incorrect verification codes',
    );
  });

  test('too few and too many answers fail; another request in between abandons the exchange', async (t) => {
    const fixture = openStoreFixture(t);
    const connection = fixture.connectToStore();
    await connection.ask(keyboardRequest('carol'));
    assert.equal(await connection.outcome(answersMessage()), METHODS);
    assert.ok(connection.lines.includes('sent 1 challenges, but received 0 responses'));
    await connection.ask(keyboardRequest('carol'));
    assert.equal(await connection.outcome(answersMessage('secret', 'more')), METHODS);
    await connection.ask(keyboardRequest('carol'));
    assert.equal(await connection.outcome(userauthRequest('carol', 'none')), METHODS);
    assert.equal(await connection.outcome(answersMessage('secret')), 'disconnect 2');
  });

  test('neither the secret nor a code nor a password reaches a log', async (t) => {
    const fixture = openStoreFixture(t);
    const connection = fixture.connectToStore();
    const code = fixture.code();
    await connection.ask(keyboardRequest('carol'));
    await connection.ask(answersMessage('hunter2'));
    await connection.ask(keyboardRequest('carol'));
    await connection.ask(answersMessage('secret'));
    await connection.ask(answersMessage(code));
    const logged = JSON.stringify([fixture.lines, connection.lines, connection.records]);
    for (const secret of ['hunter2', code, fixture.secret.reveal()]) assert.ok(!logged.includes(secret));
  });
});

describe('an account with one-time codes', OPTIONS, () => {
  test('needs one after the method password too', async (t) => {
    const fixture = openStoreFixture(t);
    const connection = fixture.connectToStore();
    assert.equal(
      await connection.outcome(passwordRequest('carol', 'secret')),
      'keyboard-interactive partial',
    );
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Verification code: ');
    assert.equal(await connection.outcome(answersMessage(fixture.code())), 'accepted');
  });

  test('publickey+keyboard-interactive asks behind the key for the code alone', async (t) => {
    const fixture = openStoreFixture(t);
    const key = createTestKey();
    fixture.write('carol/.sftp/authorized_keys', key.line);
    const settings = { sftpAuthMethods: [['publickey', 'keyboard-interactive']] };
    const connection = fixture.connectToStore({ settings });
    assert.equal(await connection.outcome(keyProof('carol', key)), 'keyboard-interactive partial');
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Verification code: ');
    assert.equal(await connection.outcome(answersMessage(fixture.code())), 'accepted');
  });

  test('a code alone is one link of its own chain, and no login by another chain', async (t) => {
    const fixture = openStoreFixture(t);
    const settings = {
      sftpAuthMethods: [['keyboard-interactive:otp', 'publickey'], ['keyboard-interactive']],
    };
    const connection = fixture.connectToStore({ settings });
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Verification code: ');
    assert.equal(
      await connection.outcome(answersMessage(fixture.code())),
      'publickey,keyboard-interactive partial',
    );
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Password: ');
    assert.equal(await connection.outcome(answersMessage('secret')), 'accepted');
  });

  test('a key that began one chain does not stand for the password of another', async (t) => {
    const fixture = openStoreFixture(t);
    const key = createTestKey();
    fixture.write('carol/.sftp/authorized_keys', key.line);
    const settings = { sftpAuthMethods: [['publickey', 'password'], ['keyboard-interactive']] };
    const connection = fixture.connectToStore({ settings });
    assert.equal(await connection.outcome(keyProof('carol', key)), 'password,keyboard-interactive partial');
    assert.equal(await prompt(connection, keyboardRequest('carol')), 'Password: ');
    assert.equal(await prompt(connection, answersMessage('secret')), 'Verification code: ');
    assert.equal(await connection.outcome(answersMessage(fixture.code())), 'accepted');
  });

  test('password+keyboard-interactive:otp keeps out who has no codes', async (t) => {
    const fixture = openStoreFixture(t);
    const settings = { sftpAuthMethods: [['password', 'keyboard-interactive:otp']] };
    const connection = fixture.connectToStore({ settings });
    assert.equal(await connection.outcome(passwordRequest('dave', 'secret')), 'keyboard-interactive partial');
    assert.equal(await prompt(connection, keyboardRequest('dave')), 'Verification code: ');
    assert.equal(await connection.outcome(answersMessage('000000')), 'keyboard-interactive');
  });

  test('over FTP gives the six digits behind the password', async (t) => {
    const fixture = openStoreFixture(t);
    const config = configWith({
      userStore: fixture.store,
      authOrder: STORE_ONLY,
      requireValidShell: false,
      rootLogin: true,
    });
    const login = async (password: string): Promise<boolean> =>
      (await fixture.login(config, { loginName: 'carol', password })).ok;
    const code = fixture.code();
    assert.equal(await login('secret'), false);
    assert.equal(await login(`wrong!${code}`), false);
    assert.equal(await login(`secret${code}`), true);
    assert.equal(await login(`secret${code}`), false);
  });
});

describe('keys in the embedded store', OPTIONS, () => {
  test('log in, with their options', async (t) => {
    const fixture = openStoreFixture(t);
    const [key, elsewhere] = [createTestKey(), createTestKey()];
    const database = openUserStore(fixture.store);
    database.credentials.addPublicKey('dave', key.blob, key.line);
    database.credentials.addPublicKey('dave', elsewhere.blob, `from="10.0.0.0/8" ${elsewhere.line}`);
    database.close();
    const settings = { sftpAuthorizedUserKeys: [] };
    assert.equal(await fixture.connectToStore({ settings }).outcome(keyProof('dave', key)), 'accepted');
    assert.equal(await fixture.connectToStore({ settings }).outcome(keyProof('dave', elsewhere)), METHODS);
    assert.equal(await fixture.connectToStore({ settings }).outcome(keyProof('carol', key)), METHODS);
  });

  test('the secret is in the store file alone, which nobody else may read', (t) => {
    const { store, secret } = openStoreFixture(t);
    assert.ok(readFileSync(store).includes(secret.reveal()));
  });
});
