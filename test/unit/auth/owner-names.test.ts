import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOwnerNames } from '../../../workers/session/owner-names.ts';
import { configWith, createFixture } from './auth-fixture.ts';

const ACCOUNT = {
  user: 'carol',
  uid: 1500,
  gid: 1501,
  groupName: 'carols',
  groupIds: [1501],
  groups: ['carols'],
  home: '/home/carol',
  shell: '/bin/sh',
};

test('names come from AuthUserFile and AuthGroupFile, then the system, else they are the numbers', (t) => {
  const fixture = createFixture(t);
  const users = fixture.write(
    'users',
    'alice:h:0:1002::/home/alice:/bin/sh\nzed:h:900:900::/home/zed:/bin/sh\n',
  );
  const groups = fixture.write('groups', 'alices:x:1002:\n');
  const config = configWith({
    authUserFile: [{ path: users, name: { pattern: /^alice$/, negate: false } }],
    authGroupFile: [{ path: groups }],
  });
  const names = createOwnerNames(config, config.virtualHosts[0]!, null, fixture.systemFiles);
  assert.equal(names.userName(0), 'alice');
  assert.equal(names.userName(121), 'ftp');
  assert.equal(names.userName(900), '900');
  assert.equal(names.groupName(1002), 'alices');
  assert.equal(names.groupName(65534), 'nogroup');
  assert.equal(names.groupName(4242), '4242');
  assert.equal(names.uidOf('ftp'), 121);
  assert.equal(names.uidOf('zed'), null);
  assert.equal(names.gidOf('alices'), 1002);
  assert.equal(names.gidOf('nobody9'), null);
  assert.equal(names.homeOf('alice'), '/home/alice');
  assert.equal(names.homeOf('nobody9'), null);
});

test('the session’s own account has its name though no file knows it', (t) => {
  const fixture = createFixture(t);
  const config = configWith({});
  const names = createOwnerNames(config, config.virtualHosts[0]!, ACCOUNT, fixture.systemFiles);
  assert.equal(names.userName(1500), 'carol');
  assert.equal(names.groupName(1501), 'carols');
  assert.equal(names.uidOf('carol'), 1500);
  assert.equal(names.gidOf('carols'), 1501);
  assert.equal(names.homeOf('carol'), '/home/carol');
});

test('a missing file gives numbers, no error', (t) => {
  const fixture = createFixture(t);
  const config = configWith({ authUserFile: [{ path: fixture.path('gone') }] });
  const files = { passwd: fixture.path('none'), group: fixture.path('none') };
  const names = createOwnerNames(config, config.virtualHosts[0]!, null, files);
  assert.equal(names.userName(0), '0');
  assert.equal(names.gidOf('root'), null);
});
