/** Whatever a client does with its password, no log and no console line holds it; nor hashes or keys. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FtpClient } from '../support/ftp-client.ts';
import { LogReader } from '../support/seed-server.ts';
import { BASE_CONFIG, startChildServer, TLS_CONFIG } from '../support/server.ts';

/** As long as no log line contains it by chance, in no case that a server might fold it to. */
const PASSWORD = 'Zq7-hunter2-Xw';
const LOGS = `
LockgateLog @DIR@/structured.log
TraceLog @DIR@/trace.log
Trace DEFAULT:1-20
TransferLog @DIR@/xfer.log
LogFormat all "%a %A %b %c %d %D %E %f %F %g %h %J %l %m %r %s %S %t %u %U %v %w %{transfer-failure}"
ExtendedLog @DIR@/extended.log ALL,EXIT all
ExtendedLog @DIR@/auth.log AUTH all
TLSOptions EnableDiags
MaxLoginAttempts 20
`;

test('no password, hash or key reaches a log or the console', { timeout: 90_000 }, async (t) => {
  const server = await startChildServer(t, `${BASE_CONFIG}${TLS_CONFIG}${LOGS}`, {
    users: [{ name: 'alice', password: PASSWORD }],
    args: ['-d', '10'],
  });
  const connect = async (): Promise<FtpClient> => {
    const client = await FtpClient.connect({ port: server.port });
    t.after(() => client.destroy());
    return client;
  };
  const ended = new LogReader(server.directory, 'extended.log');

  const clumsy = await connect();
  const replies = await clumsy.dialogue(
    `PASS ${PASSWORD}`,
    'USER alice',
    `PAS ${PASSWORD}`,
    `PASSS ${PASSWORD}`,
    `PASS${PASSWORD}`,
    `pass\t${PASSWORD}`,
    `ACCT ${PASSWORD}`,
    `ADAT ${PASSWORD}`,
    `PASS ${PASSWORD}wrong`,
    'USER nobody-here',
    `PASS ${PASSWORD}`,
    'USER alice',
    `PASS ${PASSWORD}${'x'.repeat(300)}`,
  );
  assert.ok(replies.every(({ code }) => code >= 331));
  assert.equal((await clumsy.login('alice', PASSWORD)).code, 230);
  assert.equal((await clumsy.command(`PASS ${PASSWORD}`)).code, 503);
  await clumsy.quit();

  const careful = await connect();
  await careful.loginTls('alice', PASSWORD);
  await careful.upload('STOR file.txt', 'content', { tls: { session: 'resume' } });
  // A transfer runs while the next line waits.
  const data = await careful.prepareData('epsv');
  careful.send('RETR file.txt', `PASS ${PASSWORD}`);
  (await data.connect({ session: 'resume' })).resume();
  for (const code of [150, 226, 503]) assert.equal((await careful.readReply()).code, code);
  careful.destroy();

  // A password where a TLS handshake is due.
  const confused = await connect();
  assert.equal((await confused.command('AUTH TLS')).code, 234);
  confused.send(`PASS ${PASSWORD}`);
  await confused.waitClosed();

  await ended.matches(/ EXIT /, 3);
  await server.stop();
  const hash = server.read('users').split(':')[1]!;
  const keys = ['ec.key', 'rsa.key'].map((name) => server.read(name).split('\n')[1]!);
  const logs = readdirSync(server.directory).filter((name) => name.endsWith('.log'));
  assert.ok(logs.length >= 6, logs.join());
  const texts = logs.map((name) => [name, readFileSync(join(server.directory, name), 'utf8')] as const);
  for (const [name, text] of [...texts, ['standard error', server.stderr()] as const]) {
    if (name !== 'trace.log') assert.notEqual(text, '', name);
    for (const secret of [PASSWORD, hash, ...keys]) {
      const line = text.split('\n').find((one) => one.toLowerCase().includes(secret.toLowerCase()));
      assert.equal(line, undefined, name);
    }
  }
});
