/** Two users on the same worker threads, as fast as they can: rights are the thread's, so they must never be left over. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { FtpClient } from '../support/ftp-client.ts';
import { BASE_CONFIG, startChildServer, type ChildServer } from '../support/server.ts';
import { loggedIn } from '../support/shared-server.ts';

const LIMIT = { timeout: 60_000 };
const SKIP = process.getuid?.() === 0 ? false : 'needs to be started as root';
const USERS = ['alice', 'bob'].map((name) => ({ name, password: 'secret' }));
const UIDS: Readonly<Record<string, number>> = { alice: 40_000, bob: 40_001 };
const SESSIONS_PER_USER = 4;
const ROUNDS = 100;
const UPLOADS = 15;

for (const [mode, directives] of [
  ['main as root', 'User root\nGroup root\n'],
  ['main as nobody', 'User nobody\nGroup nogroup\n'],
] as const) {
  describe(`two users hammer shared workers, ${mode}`, { ...LIMIT, skip: SKIP }, () => {
    test('no file gets the wrong owner and nobody ever opens a 0600 file of the other', async (t) => {
      const config = `${directives}LockgateWorkers 1\n${BASE_CONFIG.replace('DefaultRoot ~', '')}`;
      const server = await startChildServer(t, config, { users: USERS });
      for (const user of Object.keys(UIDS)) {
        const path = join(server.homeOf(user), 'private');
        writeFileSync(path, `of ${user}`);
        chownSync(path, UIDS[user]!, UIDS[user]!);
        chmodSync(path, 0o600);
        chmodSync(server.homeOf(user), 0o777);
      }
      const work: Promise<void>[] = [];
      for (let index = 0; index < SESSIONS_PER_USER; index += 1) {
        for (const [user, other] of [
          ['alice', 'bob'],
          ['bob', 'alice'],
        ] as const) {
          work.push(hammer(server, user, other, index));
        }
      }
      await Promise.all(work);
      let checked = 0;
      for (const home of Object.keys(UIDS)) {
        for (const name of readdirSync(server.homeOf(home), { recursive: true, encoding: 'utf8' })) {
          const maker = name.split('/').at(-1)!.split('-')[0]!;
          if (name === 'private') continue;
          assert.equal(statSync(join(server.homeOf(home), name)).uid, UIDS[maker], `${home}/${name}`);
          checked += 1;
        }
      }
      assert.equal(checked, 2 * SESSIONS_PER_USER * (ROUNDS + UPLOADS));
    });
  });
}

/** One session: folders in both homes by pipelined commands, refused opens between them, and real uploads at the end. */
async function hammer(server: ChildServer, user: string, other: string, index: number): Promise<void> {
  const client = await loggedIn(server, user, 30_000);
  try {
    // SIZE wants it.
    assert.equal((await client.command('TYPE I')).code, 200);
    const foreign = `${server.homeOf(other)}/private`;
    for (let round = 0; round < ROUNDS; round += 1) {
      const made = `${server.homeOf(round % 2 === 0 ? user : other)}/${user}-${index}-${round}`;
      client.send(
        `MKD ${made}`,
        `SITE CHMOD 644 ${foreign}`,
        `MFMT 20200101000000 ${foreign}`,
        `SIZE ${server.homeOf(user)}/private`,
      );
      const codes = [await next(client), await next(client), await next(client), await next(client)];
      assert.deepEqual(codes, [257, 550, 550, 213], `${user} round ${round}`);
    }
    for (let round = 0; round < UPLOADS; round += 1) {
      const outcome = await client.upload(
        `STOR ${server.homeOf(round % 2 === 0 ? user : other)}/${user}-up-${index}-${round}`,
        user,
      );
      assert.equal(outcome.final.code, 226);
      const stolen = await client.download(`RETR ${foreign}`);
      assert.equal(stolen.final.code, 550);
      assert.equal(stolen.body.length, 0);
      assert.equal(
        (await client.download(`RETR ${server.homeOf(user)}/private`)).body.toString(),
        `of ${user}`,
      );
    }
  } finally {
    client.destroy();
  }
}

async function next(client: FtpClient): Promise<number> {
  return (await client.readReply()).code;
}
