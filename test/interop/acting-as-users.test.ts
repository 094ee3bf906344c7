/** Started as root, every session has the rights of its own user: what the kernel lets it read, and whose files it makes. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { hashPassword } from '../../crypto/password-hash.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, type ChildServer } from '../support/server.ts';
import { loggedIn, sharedServer } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const isRoot = process.getuid?.() === 0;
const SKIP = isRoot ? false : 'needs to be started as root';
const USERS = ['alice', 'bob'].map((name) => ({ name, password: 'secret' }));
const ALICE = 40_000;
const BOB = 40_001;
const TEAM = 40_100;
const SERVER = `User nobody\nGroup nogroup\n${BASE_CONFIG}AuthGroupFile @DIR@/groups\nAllowStoreRestart on\n`;

async function clientOf(t: TestContext, server: ChildServer, user: string): Promise<FtpClient> {
  const client = await loggedIn(server, user);
  t.after(() => client.destroy());
  return client;
}

function addFile(path: string, text: string, uid: number, gid: number, mode: number): void {
  writeFileSync(path, text);
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

describe('files of users, server started as root', { ...LIMIT, skip: SKIP }, () => {
  // No jail, so that the users can meet.
  const shared = sharedServer(SERVER.replace('DefaultRoot ~', ''), {
    users: USERS,
    beforeStart: writeGroups,
  });

  test('a user reads its own 0600 file and no other user can read, write, replace, rename or delete it', async (t) => {
    const { server } = shared;
    const secret = join(server.homeOf('alice'), 'private.txt');
    addFile(secret, 'of alice', ALICE, ALICE, 0o600);
    const alice = await clientOf(t, server, 'alice');
    const bob = await clientOf(t, server, 'bob');
    assert.equal((await alice.download(`RETR ${secret}`)).body.toString(), 'of alice');
    for (const line of [`RETR ${secret}`]) assert.equal((await bob.download(line)).final.code, 550, line);
    for (const line of [`STOR ${secret}`, `APPE ${secret}`, `STOR ${server.homeOf('alice')}/new`]) {
      assert.equal((await bob.upload(line, 'of bob')).final.code, 550, line);
    }
    const refused = [
      `DELE ${secret}`,
      `MKD ${server.homeOf('alice')}/d`,
      `SITE CHMOD 666 ${secret}`,
      `MFMT 20200101000000 ${secret}`,
    ];
    for (const line of refused) assert.equal((await bob.command(line)).code, 550, line);
    assert.equal((await bob.command(`RNFR ${secret}`)).code, 350);
    assert.equal((await bob.command('RNTO stolen')).code, 550);
    assert.equal(readFileSync(secret, 'utf8'), 'of alice');
    assert.equal(statSync(secret).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(server.homeOf('alice')), ['private.txt']);
  });

  test("a folder of mode 0700 is closed to others: no listing, no way through, not even with a link of one's own", async (t) => {
    const { server } = shared;
    chmodSync(server.homeOf('alice'), 0o700);
    addFile(join(server.homeOf('alice'), 'inside'), 'x', ALICE, ALICE, 0o644);
    symlinkSync(server.homeOf('alice'), join(server.homeOf('bob'), 'link'));
    const bob = await clientOf(t, server, 'bob');
    assert.equal((await bob.command(`CWD ${server.homeOf('alice')}`)).code, 550);
    assert.equal((await bob.command('CWD link')).code, 550);
    assert.equal((await bob.command(`SIZE ${server.homeOf('alice')}/inside`)).code, 550);
    assert.equal((await bob.download('RETR link/inside')).final.code, 550);
    for (const line of [`LIST ${server.homeOf('alice')}`, 'NLST link/', `MLSD ${server.homeOf('alice')}`]) {
      assert.doesNotMatch((await bob.download(line)).body.toString(), /inside/, line);
    }
  });

  test('the groups of AuthGroupFile open what they own to their members only', async (t) => {
    const { server } = shared;
    const team = join(server.directory, 'team');
    mkdirSync(team);
    chownSync(team, 0, TEAM);
    chmodSync(team, 0o770);
    addFile(join(team, 'plan'), 'the plan', 0, TEAM, 0o640);
    const alice = await clientOf(t, server, 'alice');
    const bob = await clientOf(t, server, 'bob');
    assert.equal((await bob.download(`RETR ${team}/plan`)).body.toString(), 'the plan');
    assert.equal((await bob.upload(`STOR ${team}/new`, 'by bob')).final.code, 226);
    assert.equal(statSync(join(team, 'new')).uid, BOB);
    assert.equal((await bob.upload(`STOR ${team}/plan`, 'x')).final.code, 550, 'read-only for the group');
    assert.equal((await alice.download(`RETR ${team}/plan`)).final.code, 550);
    assert.equal((await alice.command(`CWD ${team}`)).code, 550);
    assert.equal(readFileSync(join(team, 'plan'), 'utf8'), 'the plan');
  });
});

describe('jailed users, server started as root', { ...LIMIT, skip: SKIP }, () => {
  const jailed = `${SERVER}Umask 027 027\nCreateHome on 750 skel @DIR@/skeleton dirmode 755\n`;
  const shared = sharedServer(jailed, { users: USERS, beforeStart: writeSkeleton });

  test('new files and folders belong to the user, while the daemon is nobody', async (t) => {
    const { server } = shared;
    const daemon = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
    assert.match(daemon, /^Uid:\t\d+\t65534\t/m);
    const bob = await clientOf(t, server, 'bob');
    assert.equal((await bob.upload('STOR stored', 'a')).final.code, 226);
    assert.equal((await bob.upload('APPE appended', 'a')).final.code, 226);
    const unique = await bob.upload('STOU', 'a');
    assert.equal(unique.final.code, 226);
    assert.equal((await bob.command('MKD folder')).code, 257);
    assert.equal((await bob.upload('STOR folder/below', 'a')).final.code, 226);
    const home = server.homeOf('bob');
    const names = readdirSync(home, { recursive: true, encoding: 'utf8' });
    assert.equal(names.length, 5);
    for (const name of names) {
      const { uid, gid, mode } = statSync(join(home, name));
      assert.deepEqual([uid, gid], [BOB, BOB], name);
      assert.equal(mode & 0o777, name === 'folder' ? 0o750 : 0o640, name);
    }
  });

  test('DefaultRoot: nothing outside has a name, by path, by dots or by a link', async (t) => {
    const { server } = shared;
    const outside = join(server.directory, 'outside');
    mkdirSync(outside, { mode: 0o755 });
    writeFileSync(join(outside, 'secret'), 'secret');
    const home = server.homeOf('alice');
    symlinkSync(outside, join(home, 'absolute'));
    symlinkSync('../../outside', join(home, 'dots'));
    const alice = await clientOf(t, server, 'alice');
    for (const prefix of [
      outside,
      '../../outside',
      '/../../outside',
      'absolute',
      'dots',
      '/proc/self/root' + outside,
    ]) {
      assert.equal((await alice.download(`RETR ${prefix}/secret`)).final.code, 550, prefix);
      assert.equal((await alice.command(`CWD ${prefix}`)).code, 550, prefix);
      assert.equal((await alice.upload(`STOR ${prefix}/written`, 'x')).final.code, 550, prefix);
      assert.equal((await alice.command(`MLST ${prefix}/secret`)).code, 550, prefix);
    }
    assert.deepEqual(readdirSync(outside), ['secret']);
    await alice.command('CWD ..');
    assert.match((await alice.command('PWD')).text, /^"\/"/);
  });

  test('CreateHome makes the home with its skeleton and gives all of it to the user', async (t) => {
    const { server } = shared;
    const carol = await clientOf(t, server, 'carol');
    assert.equal((await carol.download('RETR folder/welcome')).body.toString(), 'hello');
    assert.equal((await carol.upload('STOR own', 'x')).final.code, 226);
    const home = join(server.directory, 'homes', 'new', 'er', 'carol');
    assert.equal(statSync(home).mode & 0o777, 0o750);
    for (const name of ['.', 'folder', 'folder/welcome', 'own']) {
      const { uid, gid } = statSync(join(home, name));
      assert.deepEqual([uid, gid], [40_007, 40_008], name);
    }
    assert.equal(statSync(join(server.directory, 'homes', 'new')).uid, 0);
  });
});

async function writeGroups(directory: string): Promise<void> {
  writeFileSync(join(directory, 'groups'), `team:x:${TEAM}:bob\n`, { mode: 0o600 });
  return Promise.resolve();
}

/** The skeleton of new homes, and a user without a home. */
async function writeSkeleton(directory: string): Promise<void> {
  await writeGroups(directory);
  mkdirSync(join(directory, 'skeleton', 'folder'), { recursive: true });
  chmodSync(join(directory, 'skeleton'), 0o755);
  writeFileSync(join(directory, 'skeleton', 'folder', 'welcome'), 'hello', { mode: 0o644 });
  const home = join(directory, 'homes', 'new', 'er', 'carol');
  appendFileSync(
    join(directory, 'users'),
    `carol:${await hashPassword('secret', 1_000)}:40007:40008::${home}:/bin/false\n`,
  );
}
