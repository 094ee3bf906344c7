import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  canSwitchCredentials,
  withCredentials,
  withRootCredentials,
} from '../../../src/util/thread-credentials.ts';
import { createHome } from '../../../workers/vfs/create-home.ts';
import { FsError, type FsErrorCode } from '../../../workers/vfs/fs-error.ts';
import type { Identity } from '../../../workers/vfs/types.ts';
import { openVfsFixture } from '../../support/vfs-fixture.ts';

const skip = canSwitchCredentials()
  ? false
  : 'not root: this process cannot take the credentials of other users';

const alice: Identity = { uid: 54_321, gid: 54_322, groupIds: [54_322, 54_323] };
const bob: Identity = { uid: 54_331, gid: 54_332, groupIds: [] };

function failsWith(code: FsErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof FsError && error.code === code;
}

/** What the kernel says this thread is: `Uid: real effective saved fs`. */
function threadStatus(): { uids: string; gids: string; groups: string } {
  const status = fs.readFileSync('/proc/thread-self/status', 'utf8');
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
  return { uids: field('Uid'), gids: field('Gid'), groups: field('Groups') };
}

test("another user's file of mode 0600 is neither read nor changed", { skip }, () => {
  using files = openVfsFixture({ identity: alice, settings: { allowOverwrite: true } });
  const file = join(files.root, 'bobs');
  fs.writeFileSync(file, 'secret', { mode: 0o600 });
  fs.chownSync(file, bob.uid, bob.gid);
  const { vfs } = files;
  const path = vfs.resolve('/bobs');
  assert.throws(() => vfs.openRead(path, 'RETR'), failsWith('permission-denied'));
  assert.throws(() => vfs.openWrite(path, { kind: 'store' }, 'STOR'), failsWith('permission-denied'));
  assert.throws(() => vfs.changeMode(path, 0o777, 'SITE_CHMOD'), failsWith('permission-denied'));
  assert.equal(vfs.rights(vfs.stat(path, 'MLST')).read, false);
  assert.equal(fs.readFileSync(file, 'utf8'), 'secret');
  const asBob = files.open({ identity: bob });
  asBob.openRead(path, 'RETR').close();
});

test('what a session makes belongs to its user', { skip }, () => {
  using files = openVfsFixture({ identity: alice });
  const { vfs, root } = files;
  const target = vfs.openWrite(vfs.resolve('/new'), { kind: 'store' }, 'STOR');
  fs.writeSync(target.descriptor, 'x');
  target.commit();
  vfs.makeDirectory(vfs.resolve('/d'), 'MKD');
  for (const name of ['new', 'd']) {
    const { uid, gid } = fs.statSync(join(root, name));
    assert.deepEqual([uid, gid], [alice.uid, alice.gid], name);
  }
});

test('supplementary groups open what their group may read', { skip }, () => {
  using files = openVfsFixture({ identity: alice });
  const file = join(files.root, 'group');
  fs.writeFileSync(file, 'shared');
  fs.chmodSync(file, 0o040);
  fs.chownSync(file, 0, 54_323);
  const path = files.vfs.resolve('/group');
  files.vfs.openRead(path, 'RETR').close();
  assert.throws(() => files.open({ identity: bob }).openRead(path, 'RETR'), failsWith('permission-denied'));
});

test('a directory the user may not search cannot become the working directory', { skip }, () => {
  using files = openVfsFixture({ identity: alice });
  fs.mkdirSync(join(files.root, 'closed'), { mode: 0o700 });
  assert.throws(
    () => files.vfs.changeDirectory(files.vfs.resolve('/closed'), 'CWD'),
    failsWith('permission-denied'),
  );
  assert.throws(
    () => files.vfs.openDirectory(files.vfs.resolve('/closed'), 'LIST'),
    failsWith('permission-denied'),
  );
});

test('HideNoAccess leaves out what the user cannot open', { skip }, () => {
  using files = openVfsFixture({ identity: alice, settings: { hideNoAccess: true } });
  fs.writeFileSync(join(files.root, 'closed'), '', { mode: 0o600 });
  fs.writeFileSync(join(files.root, 'open'), '');
  const cursor = files.vfs.openDirectory(files.vfs.resolve('/'), 'LIST');
  assert.deepEqual(
    cursor.next(10).map((entry) => entry.name),
    ['open'],
  );
  cursor.close();
});

test(
  'an overwritten file keeps its owner, and a directory without write permission its file',
  { skip },
  () => {
    using files = openVfsFixture({ identity: alice, settings: { allowOverwrite: true } });
    const { vfs, root } = files;
    fs.writeFileSync(join(root, 'shared'), 'before');
    fs.chmodSync(join(root, 'shared'), 0o666);
    fs.mkdirSync(join(root, 'd'), { mode: 0o755 });
    fs.writeFileSync(join(root, 'd/inplace'), 'before');
    fs.chownSync(join(root, 'd/inplace'), alice.uid, alice.gid);
    for (const name of ['shared', 'd/inplace']) {
      const before = fs.statSync(join(root, name));
      const target = vfs.openWrite(vfs.resolve(`/${name}`), { kind: 'store' }, 'STOR');
      fs.writeSync(target.descriptor, 'after');
      target.commit();
      const after = fs.statSync(join(root, name));
      assert.deepEqual([after.uid, after.gid, after.mode], [before.uid, before.gid, before.mode], name);
      assert.equal(fs.readFileSync(join(root, name), 'utf8'), 'after');
    }
    assert.throws(
      () => vfs.openWrite(vfs.resolve('/d/new'), { kind: 'store' }, 'STOR'),
      failsWith('permission-denied'),
    );
  },
);

test("in a sticky directory another user's file is written in place", { skip }, () => {
  using files = openVfsFixture({ identity: alice, settings: { allowOverwrite: true } });
  const file = join(files.root, 'bobs');
  fs.chmodSync(files.root, 0o1777);
  fs.writeFileSync(file, 'before');
  fs.chmodSync(file, 0o666);
  fs.chownSync(file, bob.uid, bob.gid);
  const { ino } = fs.statSync(file);
  const target = files.vfs.openWrite(files.vfs.resolve('/bobs'), { kind: 'store' }, 'STOR');
  fs.writeSync(target.descriptor, 'after');
  target.commit();
  assert.equal(fs.readFileSync(file, 'utf8'), 'after');
  assert.equal(fs.statSync(file).ino, ino);
});

test('UserOwner and GroupOwner give new entries away; an unknown name is only logged', { skip }, () => {
  using files = openVfsFixture({
    identity: alice,
    settings: { userOwner: 'user54331', groupOwner: 'group54332' },
  });
  const make = (vfs: typeof files.vfs, name: string): fs.Stats => {
    const target = vfs.openWrite(vfs.resolve(name), { kind: 'store' }, 'STOR');
    target.commit();
    return fs.statSync(join(files.root, name));
  };
  const given = make(files.vfs, '/a');
  assert.deepEqual([given.uid, given.gid], [bob.uid, bob.gid]);
  files.vfs.makeDirectory(files.vfs.resolve('/d'), 'MKD');
  assert.equal(fs.statSync(join(files.root, 'd')).uid, bob.uid);
  assert.deepEqual(files.warnings, []);
  // GroupOwner alone is the user's own act: alice is no member of this group.
  const member = make(files.open({ identity: alice, settings: { groupOwner: 'group54323' } }), '/b');
  assert.equal(member.gid, 54_323);
  const refused = make(files.open({ identity: alice, settings: { groupOwner: 'group54332' } }), '/c');
  assert.equal(refused.gid, alice.gid);
  make(files.open({ identity: alice, settings: { userOwner: 'nobody-known' } }), '/e');
  assert.equal(files.warnings.length, 2);
});

test('credentials come back after success, after an error and after nesting', { skip }, () => {
  const before = threadStatus();
  const credentials = { uid: alice.uid, gid: alice.gid, groupIds: Uint32Array.from(alice.groupIds) };
  withCredentials(credentials, () => {
    const inside = threadStatus();
    assert.match(inside.uids, /54321$/);
    assert.match(inside.gids, /54322$/);
    assert.equal(inside.groups, '54322 54323');
    withRootCredentials(() => assert.match(threadStatus().uids, /\b0$/));
    assert.deepEqual(threadStatus(), inside);
  });
  assert.deepEqual(threadStatus(), before);
  assert.throws(() => withCredentials(credentials, () => assert.fail('on purpose')), /on purpose/);
  assert.deepEqual(threadStatus(), before);
});

test(
  'a server that gave up root but kept it as saved user id still acts as its users, in workers only',
  { skip, timeout: 20_000 },
  async () => {
    using files = openVfsFixture();
    const secret = join(files.root, 'alices');
    fs.writeFileSync(secret, 'alice', { mode: 0o600 });
    fs.chownSync(secret, alice.uid, alice.gid);
    const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const fs = require('node:fs');
    (async () => {
      const { native } = await import(workerData.native);
      // A new thread starts with the credentials of the one that made it.
      native.setgroups(new Uint32Array(0));
      native.setfsgid(0);
      native.setresuid(0xffffffff, 65534, 0);
      const { withCredentials, withRootCredentials } = await import(workerData.credentials);
      const status = () => fs.readFileSync('/proc/thread-self/status', 'utf8').match(/^(Uid|Gid|Groups):.*$/gm).join();
      const attempt = () => { try { return fs.readFileSync(workerData.secret, 'utf8'); } catch (error) { return error.code; } };
      const before = status();
      const without = attempt();
      const asAlice = withCredentials({ uid: 54321, gid: 54322, groupIds: new Uint32Array(0) }, attempt);
      const asBob = withCredentials({ uid: 54331, gid: 54332, groupIds: new Uint32Array(0) }, attempt);
      const asRootInside = withCredentials({ uid: 54331, gid: 54332, groupIds: new Uint32Array(0) }, () => {
        const inside = withRootCredentials(() => { fs.chmodSync(workerData.secret, 0o640); return attempt(); });
        return inside + ' ' + attempt();
      });
      parentPort.postMessage({ before, without, asAlice, asBob, asRootInside, after: status() });
    })();`;
    const worker = new Worker(program, {
      eval: true,
      workerData: {
        secret,
        native: new URL('../../../src/util/native.ts', import.meta.url).href,
        credentials: new URL('../../../src/util/thread-credentials.ts', import.meta.url).href,
      },
    });
    const answer = await new Promise<Record<string, string>>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    await worker.terminate();
    assert.equal(answer['without'], 'EACCES');
    assert.equal(answer['asAlice'], 'alice');
    assert.equal(answer['asBob'], 'EACCES');
    // Root for one step inside a user's call (keeping a replaced file's owner), and the user again behind it.
    assert.equal(answer['asRootInside'], 'alice EACCES');
    assert.equal(answer['after'], answer['before']);
    assert.match(threadStatus().uids, /^0\s+0\s+0\s+0$/);
  },
);

test(
  'CreateHome makes the home and its parents, copies the skeleton, and gives all of it to the user',
  { skip },
  () => {
    using files = openVfsFixture();
    const skeleton = join(files.base, 'skel');
    fs.mkdirSync(join(skeleton, 'sub'), { recursive: true });
    fs.writeFileSync(join(skeleton, 'sub/readme'), 'hello');
    fs.chmodSync(join(skeleton, 'sub/readme'), 0o4755);
    fs.symlinkSync('sub/readme', join(skeleton, 'link'));
    const home = join(files.base, 'homes/a/alice');
    const settings = { enabled: true, mode: 0o750, directoryMode: 0o711, skeleton, noRootPrivileges: false };
    const request = {
      settings,
      home,
      ...alice,
      actsAsUsers: true,
      warn: (text: string) => void files.warnings.push(text),
    };
    assert.equal(createHome(request), true);
    assert.equal(createHome(request), false);
    const owner = (path: string): number[] => {
      const { uid, gid, mode } = fs.lstatSync(path);
      return [uid, gid, mode & 0o7777];
    };
    assert.deepEqual(owner(join(files.base, 'homes/a')), [0, 0, 0o711]);
    assert.deepEqual(owner(home), [alice.uid, alice.gid, 0o750]);
    assert.deepEqual(owner(join(home, 'sub/readme')), [alice.uid, alice.gid, 0o755]);
    assert.equal(owner(join(home, 'link'))[0], alice.uid);
    assert.equal(fs.readFileSync(join(home, 'link'), 'utf8'), 'hello');
    assert.deepEqual(files.warnings, []);
    fs.chmodSync(skeleton, 0o777);
    const second = { ...request, home: join(files.base, 'homes/second') };
    assert.equal(createHome(second), true);
    assert.deepEqual(fs.readdirSync(second.home), []);
    assert.equal(files.warnings.length, 1);
  },
);
