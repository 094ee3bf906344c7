/** Acceptance scenarios 67-71: who has to use TLS, by user, group and class. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FtpClient, type ClientReply } from '../support/ftp-client.ts';
import { baseTls, protectedList, startSeedServer, type SeedServer } from '../support/seed-server.ts';

const LIMIT = { timeout: 30_000 };
const DISCONNECTING = /SSL\/TLS required but absent on control channel, disconnecting/;
const CONTROL_REQUIRED = ['550 SSL/TLS required on the control channel'];

const ANONYMOUS = '<Anonymous ~ftp>\nUser ftp\nUserAlias anonymous ftp\nTLSRequired off\n</Anonymous>\n';

const folder = mkdtempSync(join(tmpdir(), 'lockgate-seed-'));
const groupFile = join(folder, 'groups');
let seed: SeedServer;

before(async () => {
  writeFileSync(groupFile, 'trusted:x:41000:bob\n', { mode: 0o600 });
  const required = { TLSRequired: 'on' };
  const perUser = { ...required, TLSOptions: 'AllowPerUser' };
  seed = await startSeedServer(
    {
      anonymous: `${baseTls(perUser)}${ANONYMOUS}`,
      group: `${baseTls(perUser)}<IfGroup trusted>\nTLSRequired off\n</IfGroup>\n`,
      class: `${baseTls({ TLSRequired: null })}
        <IfClass local>\nTLSRequired off\n</IfClass>
        <IfClass !local>\nTLSRequired on\n</IfClass>\n`,
      'anonymous-only': `${baseTls(required)}${ANONYMOUS}`,
    },
    {
      // Other loopback addresses stand for the rest of the world.
      main: `<Class local>\nFrom 127.0.0.1/32\n</Class>\n<Global>\nAuthGroupFile ${groupFile}\n</Global>\n`,
    },
  );
  writeFileSync(join(seed.server.homeOf('ftp'), 'public.txt'), 'for everybody\n');
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** USER and PASS in clear are answered, then the session ends. */
async function refusedAfterPass(host: string, user: string): Promise<void> {
  const log = seed.tlsLog(host);
  const client = await seed.connect(host);
  assert.equal((await client.command(`USER ${user}`)).code, 331);
  assert.deepEqual((await client.command('PASS secret')).lines, ['530 Login incorrect.']);
  await client.waitClosed();
  await log.line(DISCONNECTING);
}

async function loginOverTls(host: string, user: string): Promise<FtpClient> {
  const client = await seed.connect(host);
  await client.authTls();
  assert.equal((await client.login(user, 'secret')).code, 230);
  return client;
}

test('67: anonymous logs in and lists in clear, as ftp and as anonymous alike', LIMIT, async () => {
  const dialogues: ClientReply[][] = [];
  for (const name of ['ftp', 'anonymous']) {
    const client = await seed.connect('anonymous');
    const replies = await client.dialogue(`USER ${name}`, 'PASS anybody@example.org');
    assert.deepEqual(
      replies.map((reply) => reply.code),
      [331, 230],
      name,
    );
    assert.match(
      replies[0]?.text ?? '',
      /^Anonymous login ok, send your complete email address as your password/,
    );
    const { final, body } = await client.download('LIST');
    assert.equal(final.code, 226, name);
    assert.match(body.toString(), /public\.txt/);
    replies.push(await client.command('PWD'));
    dialogues.push(replies);
  }
  const [asFtp, asAnonymous] = dialogues.map((replies) => replies.map((reply) => reply.lines));
  assert.deepEqual(asFtp, asAnonymous);
});

test('68: every other user is cut off after a clear PASS, and served over TLS', LIMIT, async () => {
  await refusedAfterPass('anonymous', 'alice');
  const client = await loginOverTls('anonymous', 'alice');
  assert.deepEqual((await client.download('LIST')).opening.lines, [
    '522 SSL/TLS required on the data channel',
  ]);
  await client.dialogue('PBSZ 0', 'PROT P');
  assert.equal((await protectedList(client)).final.code, 226);
});

test('69: <IfGroup> frees its members, everybody else is cut off after PASS', LIMIT, async () => {
  const member = await seed.connect('group');
  assert.equal((await member.login('bob', 'secret')).code, 230);
  assert.equal((await member.download('LIST')).final.code, 226);
  await refusedAfterPass('group', 'alice');
  const client = await loginOverTls('group', 'alice');
  assert.equal((await client.download('LIST')).opening.code, 522);
});

test(
  '70: <IfClass> decides at connect: local logs in in clear, remote is refused at USER',
  LIMIT,
  async () => {
    const local = await seed.connect('class');
    assert.equal((await local.login('alice', 'secret')).code, 230);
    assert.equal((await local.download('LIST')).final.code, 226);
    const log = seed.tlsLog('class');
    const remote = await FtpClient.connect({ port: seed.port('class'), localAddress: '127.0.0.2' });
    assert.deepEqual((await remote.command('USER alice')).lines, CONTROL_REQUIRED);
    await log.line(/SSL\/TLS required but absent for authentication, denying USER command/);
    await remote.loginTls('alice', 'secret');
    assert.equal((await protectedList(remote)).final.code, 226);
    await remote.quit();
  },
);

test('71: without AllowPerUser <Anonymous> relaxes nothing before login', LIMIT, async () => {
  for (const name of ['ftp', 'anonymous']) {
    const client = await seed.connect('anonymous-only');
    assert.deepEqual((await client.command(`USER ${name}`)).lines, CONTROL_REQUIRED);
  }
});
