/** Directives of accounts and logins through main, worker and socket: one virtual host per configuration. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hashPassword } from '../../crypto/password-hash.ts';
import { startHosts, type HostServer } from '../support/host-server.ts';

const limits = { timeout: 30_000 };
const asRoot = process.getuid?.() === 0;

/** Everything but the account files, so that a host can bring its own. */
const GLOBAL = `
  AuthOrder mod_auth_file.c
  DefaultRoot ~
  AuthUserFile @DIR@/accounts
  AuthGroupFile @DIR@/groups
`;

const ANONYMOUS = `
  RequireValidShell off
  <Anonymous @DIR@/public>
    User anon
    Group crew
    UserAlias anonymous anon
`;

const OTHER_HASH = await hashPassword('other', 1_000);

/** Each host's directives; `RequireValidShell off` where the account's shell is not the point. */
const HOSTS: Readonly<Record<string, string>> = {
  plain: 'RequireValidShell off',
  shells: '',
  root: 'RequireValidShell off',
  rootAllowed: 'RequireValidShell off\nRootLogin on',
  alias: 'RequireValidShell off\nUserAlias al alice',
  aliasOnly: 'RequireValidShell off\nUserAlias al alice\nAuthAliasOnly on',
  userPassword: `RequireValidShell off\nUserPassword alice ${OTHER_HASH}`,
  groupPassword: `RequireValidShell off\nGroupPassword crew ${OTHER_HASH}`,
  sized: 'RequireValidShell off\nMaxPasswordSize 5',
  noEmpty: 'RequireValidShell off\nAllowEmptyPasswords off',
  attempts: 'RequireValidShell off\nMaxLoginAttempts 2',
  protocols: 'RequireValidShell off\nProtocols ftps sftp',
  filters: 'RequireValidShell off\nAuthUserFile @DIR@/second name ^b',
  deny: 'RequireValidShell off\n<Limit LOGIN>\nDenyUser alice\nDenyGroup staff\n</Limit>',
  allow: 'RequireValidShell off\n<Limit LOGIN>\nOrder deny,allow\nAllowUser alice\n</Limit>',
  fromElsewhere: 'RequireValidShell off\n<Limit LOGIN>\nDeny from 127.0.0.1\n</Limit>',
  anonymous: `${ANONYMOUS}
    AnonRejectPasswords @bad\\.example$
    <Limit WRITE>
      DenyAll
    </Limit>
  </Anonymous>`,
  anonymousStart: `${ANONYMOUS}
    DefaultChdir pub
    AuthAliasOnly on
    AccessGrantMsg "Dear %u"
  </Anonymous>
  DefaultChdir elsewhere`,
  anonymousPassword: `${ANONYMOUS}
    AnonRequirePassword on
  </Anonymous>`,
  anonymousByAlias: `${ANONYMOUS}
    UserAlias bob anon
    AuthUsingAlias on
    AnonRequirePassword on
  </Anonymous>`,
  chdir: 'RequireValidShell off\nDefaultChdir ~/sub crew\nDefaultChdir ~/none !crew',
  rootedElsewhere: 'RequireValidShell off\nDefaultRoot ~ !staff\nDefaultRoot @DIR@/public staff',
  noLinks: 'RequireValidShell off\nDefaultRoot @DIR@/link\nAllowChrootSymlinks off',
  links: 'RequireValidShell off\nDefaultRoot @DIR@/link',
  made: 'RequireValidShell off\nCreateHome on 750 skel @DIR@/skeleton dirmode 755',
  notMade: 'RequireValidShell off\nCreateHome off',
  perUser: `RequireValidShell off
    <IfUser alice>
      AccessGrantMsg "for alice"
      DefaultChdir ~/sub
    </IfUser>
    <IfGroup staff>
      Protocols ftps
    </IfGroup>`,
  denyText: 'RequireValidShell off\nAccessDenyMsg "no, %u"',
  ident: 'RequireValidShell off\nIdentLookups on\nDisplayLogin @DIR@/ident',
  dns: 'RequireValidShell off\nUseReverseDNS on\nDisplayLogin @DIR@/name',
};

let hosts: HostServer;
const cleanUp: (() => void | Promise<void>)[] = [];

async function writeFiles(directory: string): Promise<void> {
  const at = (name: string): string => join(directory, name);
  const hash = await hashPassword('secret', 1_000);
  const uid = asRoot ? 40_000 : process.getuid!();
  const gid = asRoot ? 40_000 : process.getgid!();
  mkdirSync(at('homes'), { recursive: true });
  const account = (name: string, id: number, shell: string, home = at(`homes/${name}`)): string =>
    `${name}:${hash}:${id}:${gid}::${home}:${shell}\n`;
  const accounts =
    account('alice', uid, '/bin/false') +
    account('bob', uid, '/bin/false') +
    account('dora', uid, '/bin/sh') +
    account('anon', uid, '/bin/false', at('public')) +
    account('newcomer', uid, '/bin/false', at('made/deep/newcomer')) +
    account('toor', 0, '/bin/false', at('homes/alice')) +
    `nobody-home::${uid}:${gid}::${at('homes/alice')}:/bin/false\n`;
  writeFileSync(at('accounts'), accounts, { mode: 0o600 });
  writeFileSync(
    at('second'),
    account('bert', uid, '/bin/false', at('homes/bob')) + account('carl', uid, '/bin/false'),
    {
      mode: 0o600,
    },
  );
  writeFileSync(at('groups'), `crew:x:${gid}:alice\nstaff:x:${gid + 1}:bob\n`, { mode: 0o600 });
  for (const name of ['homes/alice/sub', 'homes/bob', 'homes/dora', 'public/pub', 'skeleton']) {
    mkdirSync(at(name), { recursive: true, mode: 0o755 });
  }
  symlinkSync(at('homes/alice'), at('link'));
  writeFileSync(at('skeleton/hello'), 'x');
  writeFileSync(at('ident'), 'ident %u\n');
  writeFileSync(at('name'), 'name %R\n');
}

before(async () => {
  hosts = await startHosts({ after: (work) => void cleanUp.push(work as () => void) }, GLOBAL, HOSTS, {
    beforeStart: writeFiles,
  });
});

after(async () => {
  for (const work of cleanUp.toReversed()) await work();
});

type Login = readonly [host: string, user: string, password: string, answer: string, log?: string];

const LOGINS: readonly Login[] = [
  ['plain', 'alice', 'secret', '230 User alice logged in', 'USER alice: Login successful.'],
  ['plain', 'alice', 'wrong', '530 Login incorrect.', 'USER alice (Login failed): Incorrect password'],
  ['plain', 'nemo', 'secret', '530 Login incorrect.', 'USER nemo: no such user found from'],
  [
    'shells',
    'alice',
    'secret',
    '530 Login incorrect.',
    "USER alice (Login failed): Invalid shell: '/bin/false'",
  ],
  ['shells', 'dora', 'secret', '230 User dora logged in'],
  ['root', 'toor', 'secret', '530 Login incorrect.', 'SECURITY VIOLATION: Root login attempted'],
  ['rootAllowed', 'toor', 'secret', '230 User toor logged in', 'ROOT FTP login successful'],
  ['alias', 'al', 'secret', '230 User al logged in'],
  ['alias', 'alice', 'secret', '230 User alice logged in'],
  ['aliasOnly', 'al', 'secret', '230 User al logged in'],
  ['aliasOnly', 'alice', 'secret', '530 Login incorrect.', 'USER alice: user is not a UserAlias from'],
  ['userPassword', 'alice', 'other', '230 User alice logged in'],
  ['userPassword', 'alice', 'secret', '530 Login incorrect.'],
  ['userPassword', 'bob', 'secret', '230 User bob logged in'],
  ['groupPassword', 'alice', 'other', '230 User alice logged in'],
  ['groupPassword', 'alice', 'secret', '530 Login incorrect.'],
  ['sized', 'alice', 'secret', '530 Login incorrect.'],
  ['noEmpty', 'alice', '', '501 Login incorrect.', "Refusing empty password from user 'alice'"],
  ['plain', 'alice', '', '530 Login incorrect.'],
  ['plain', 'nobody-home', '', '530 Login incorrect.'],
  ['protocols', 'alice', 'secret', '530 Login incorrect.', 'ftp protocol denied by Protocols config'],
  ['filters', 'bert', 'secret', '230 User bert logged in'],
  ['filters', 'carl', 'secret', '530 Login incorrect.'],
  ['deny', 'alice', 'secret', '530 Login incorrect.', 'USER alice (Login failed): Limit access denies login'],
  ['deny', 'bob', 'secret', '530 Login incorrect.'],
  ['deny', 'dora', 'secret', '230 User dora logged in'],
  ['allow', 'alice', 'secret', '230 User alice logged in'],
  ['allow', 'bob', 'secret', '530 Login incorrect.'],
  ['fromElsewhere', 'alice', 'secret', '530 Login incorrect.'],
  ['anonymous', 'anonymous', 'me@good.example', '230 Anonymous access granted, restrictions apply'],
  ['anonymous', 'anon', 'me@bad.example', '530 Login incorrect.', 'AnonRejectPasswords denies login'],
  ['anonymous', 'alice', 'secret', '230 User alice logged in'],
  ['anonymousStart', 'anonymous', 'me@', '230 Dear anonymous'],
  ['anonymousStart', 'anon', 'me@', '530 Login incorrect.'],
  ['anonymousPassword', 'anon', 'me@', '530 Login incorrect.'],
  ['anonymousPassword', 'anon', 'secret', '230 Anonymous access granted, restrictions apply'],
  ['anonymousByAlias', 'bob', 'secret', '230 Anonymous access granted, restrictions apply'],
  ['noLinks', 'alice', 'secret', '530 Login incorrect.', 'notice: unable to use DefaultRoot'],
  ['links', 'alice', 'secret', '230 User alice logged in'],
  ['perUser', 'alice', 'secret', '230 for alice'],
  ['perUser', 'bob', 'secret', '530 Login incorrect.', 'ftp protocol denied by Protocols config'],
  ['denyText', 'alice', 'wrong', '530 no, alice'],
];

test('each login gets its answer, and its line in the log', limits, async () => {
  for (const [host, user, password, answer, log] of LOGINS) {
    const label = `${host}: ${user} with '${password}'`;
    const seen = hosts.server.read('system.log').length;
    const client = await hosts.connect(host);
    assert.deepEqual((await client.login(user, password)).lines, [answer], label);
    const text = hosts.server.read('system.log').slice(seen);
    if (log !== undefined) assert.ok(text.includes(log), `${label}: ${text}`);
    client.destroy();
  }
});

test('MaxLoginAttempts 2 answers the second failure and ends the session', limits, async () => {
  const client = await hosts.connect('attempts');
  assert.equal((await client.login('alice', 'wrong')).code, 530);
  assert.equal((await client.login('alice', 'wrong')).code, 530);
  await client.waitClosed();
  assert.match(hosts.server.read('system.log'), /Maximum login attempts \(2\) exceeded, connection refused/);
});

const PLACES: readonly (readonly [host: string, user: string, place: string, listed: string | null])[] = [
  ['chdir', 'alice', '/sub', null],
  ['chdir', 'bob', '/', null],
  ['rootedElsewhere', 'alice', '/', 'sub'],
  ['rootedElsewhere', 'bob', '/', 'pub'],
  ['anonymous', 'anonymous', '/', 'pub'],
  ['anonymousStart', 'anonymous', '/pub', null],
  ['perUser', 'alice', '/sub', null],
  ['links', 'alice', '/', 'sub'],
];

test(
  'DefaultRoot and DefaultChdir, by group and in <Anonymous>: where a session starts',
  limits,
  async () => {
    for (const [host, user, place, listed] of PLACES) {
      const client = await hosts.connect(host);
      assert.equal((await client.login(user, 'secret')).code, 230, `${host}: ${user}`);
      assert.equal(
        (await client.command('PWD')).text,
        `"${place}" is the current directory`,
        `${host}: ${user}`,
      );
      if (listed !== null)
        assert.match((await client.download('NLST')).body.toString(), new RegExp(`^${listed}\\r$`, 'm'));
      client.destroy();
    }
  },
);

test('CreateHome makes home and parents with their modes and the skeleton', limits, async () => {
  const home = join(hosts.server.directory, 'made/deep/newcomer');
  const refused = await hosts.connect('notMade');
  assert.equal((await refused.login('newcomer', 'secret')).code, 530);
  const client = await hosts.connect('made');
  assert.equal((await client.login('newcomer', 'secret')).code, 230);
  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  assert.deepEqual([mode(home), mode(join(home, '..')), mode(join(home, '../..'))], ['750', '755', '755']);
  assert.equal((await client.download('NLST')).body.toString(), 'hello\r\n');
});

test(
  'IdentLookups asks port 113 of the client; the name stands in %u',
  { ...limits, skip: !asRoot },
  async (t) => {
    const asked: string[] = [];
    const server = createTcpServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', (data: Buffer) => {
        asked.push(data.toString());
        socket.end(`${data.toString().trim()} : USERID : UNIX : carol\r\n`);
      });
    });
    t.after(() => server.close());
    try {
      server.listen(113, '127.0.0.1');
      await once(server, 'listening');
    } catch (error) {
      return t.skip(`port 113 is not free: ${String(error)}`);
    }
    assert.equal((server.address() as AddressInfo).port, 113);
    const client = await hosts.connect('ident');
    assert.equal((await client.login('alice', 'secret')).lines[0], '230-ident carol');
    assert.deepEqual(asked, [`${client.tcp.localPort} , ${hosts.port('ident')}\r\n`]);
  },
);

test('UseReverseDNS on shows a name, off the address', limits, async () => {
  const named = await hosts.connect('dns');
  const [line] = (await named.login('alice', 'secret')).lines;
  // A machine without a name for its loopback address keeps the address.
  assert.match(line ?? '', /^230-name (?:localhost\S*|127\.0\.0\.1)$/);
  assert.match(hosts.server.read('system.log'), /\(127\.0\.0\.1\[127\.0\.0\.1\]\): FTP session opened/);
});
