import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configFiles } from '../../../src/config/config-files.ts';
import { hostByAlias, hostsSharing, selectVirtualHost } from '../../../src/config/listeners.ts';
import { check, load, refusal } from './config-fixtures.ts';

function host(address: string, ...lines: string[]): string {
  return `<VirtualHost ${address}>\n${lines.join('\n')}\n</VirtualHost>\n`;
}

test('Global goes into the main server and every virtual host; their own values win, lists go on', async () => {
  const text = [
    '<Global>\nTimeoutIdle 10\nUserAlias a global\n<Limit WRITE>\nDenyAll\n</Limit>\n</Global>',
    '<Global>\nAllowOverwrite on\n</Global>',
    'ServerName main\nTimeoutIdle 20',
    host('192.0.2.5', 'UserAlias b own', '<Limit STOR>', 'AllowAll', '</Limit>'),
  ].join('\n');
  const { config } = await load(text);
  const [main, second] = config.virtualHosts;
  assert.deepEqual(main?.settings, {
    timeoutIdle: 20,
    userAlias: [{ alias: 'a', user: 'global' }],
    allowOverwrite: true,
    serverName: 'main',
  });
  assert.equal(second?.settings.timeoutIdle, 10);
  assert.deepEqual(second?.settings.userAlias, [
    { alias: 'b', user: 'own' },
    { alias: 'a', user: 'global' },
  ]);
  assert.deepEqual(
    second?.limits.map((section) => section.commands),
    [['STOR'], ['WRITE']],
  );
});

test('virtual hosts inherit nothing from the main server: not values, not the port, not sections', async () => {
  const { config } = await load(
    `Port 2121\nTimeoutIdle 5\n<Directory /a>\nAllowOverwrite on\n</Directory>\n${host('192.0.2.5')}`,
  );
  const second = config.virtualHosts[1];
  assert.equal(second?.port, 21);
  assert.deepEqual(second?.settings, {});
  assert.deepEqual(second?.directories, []);
});

test('a Directory of Global is merged with the same one of the server, whose values win', async () => {
  const section = (...lines: string[]): string => `<Directory /a>\n${lines.join('\n')}\n</Directory>`;
  const { config } = await load(
    `<Global>\n${section('AllowOverwrite on', 'HideUser root')}\n</Global>\n${section('AllowOverwrite off')}`,
  );
  assert.equal(config.virtualHosts[0]?.directories.length, 1);
  assert.deepEqual(config.virtualHosts[0]?.directories[0]?.settings, {
    allowOverwrite: false,
    hideUser: ['root'],
  });
});

test('the same Directory twice in one place is fatal; the path is canonical', async () => {
  const twice = '<Directory /srv//ftp/>\n</Directory>\n<Directory /srv/ftp>\n</Directory>';
  assert.equal(
    await refusal(twice),
    "fatal: <Directory> section already configured for '/srv/ftp' on line 3 of '/etc/proftpd.conf'",
  );
  assert.match(await refusal('<Directory upload>\n</Directory>'), /'upload' is not an absolute path/);
  const { config } = await load(
    '<Anonymous ~ftp>\nUser ftp\n<Directory upload/*>\n</Directory>\n</Anonymous>',
  );
  assert.equal(config.virtualHosts[0]?.anonymous[0]?.root, '/srv/ftp');
  assert.equal(config.virtualHosts[0]?.anonymous[0]?.directories[0]?.path, 'upload/*');
});

test('a single value given twice in one section: the later counts, and the operator is told', async () => {
  const { config, warnings } = await load('TimeoutIdle 5\nTimeoutIdle 6');
  assert.equal(config.virtualHosts[0]?.settings.timeoutIdle, 6);
  assert.equal(
    warnings[0],
    "warning: TimeoutIdle: replaces the value of line 1 of '/etc/proftpd.conf' on line 2 of '/etc/proftpd.conf'",
  );
});

test('an Anonymous section without User is reported', async () => {
  const { warnings } = await load('<Anonymous /srv/ftp>\n</Anonymous>');
  assert.match(warnings[0] ?? '', /<Anonymous>: section has no User/);
});

test('AllowAll and DenyAll outside <Limit> stand for the whole section', async () => {
  const { config } = await load('<Directory /a>\nDenyAll\n</Directory>');
  const [limit] = config.virtualHosts[0]?.directories[0]?.limits ?? [];
  assert.deepEqual([limit?.commands, limit?.denyAll], [['ALL'], true]);
});

test('what is fixed at start is refused in a conditional section, what depends on the user is not', async () => {
  assert.match(
    await refusal('<IfUser bob>\nMaxInstances 5\n</IfUser>'),
    /not allowed in <IfUser> context on line 2/,
  );
  assert.match(
    await refusal('<IfUser bob>\n<IfGroup x>\n</IfGroup>\n</IfUser>'),
    /<IfGroup>: directive not allowed/,
  );
  const { config } = await load(
    '<IfGroup AND a,!b>\nAllowOverwrite on\n</IfGroup>\n<IfAuthenticated>\n</IfAuthenticated>',
  );
  const [first, second] = config.virtualHosts[0]?.conditionals ?? [];
  assert.deepEqual([first?.kind, second?.kind], ['group', 'authenticated']);
});

test('classes: first definitions in order, twice the same name is an error', async () => {
  const { config } = await load(
    '<Class a>\nFrom 10.0.0.0/8, !10.0.0.1\nFrom x.example.org\nSatisfy all\n</Class>',
  );
  assert.deepEqual(config.classes[0]?.from.length, 3);
  assert.equal(config.classes[0]?.satisfy, 'all');
  assert.match(
    await refusal('<Class a>\nFrom all\n</Class>\n<Class a>\n</Class>'),
    /class 'a' already defined on line 4/,
  );
});

test('LogFormat: default is always there and can be redefined', async () => {
  const { config } = await load('LogFormat short "%h %m"');
  assert.equal(config.logFormats.get('default'), '%h %l %u %t "%r" %s %b');
  assert.equal(config.logFormats.get('short'), '%h %m');
  const again = await load('LogFormat default "%h"');
  assert.equal(again.config.logFormats.get('default'), '%h');
});

test('addresses: names are resolved, several are one host, brackets and IPv6 are read', async () => {
  const { config } = await load(host('ftp.example.org [2001:DB8::5] 192.0.2.9'));
  assert.deepEqual(config.virtualHosts[1]?.addresses, [
    '192.0.2.10',
    '2001:db8::10',
    '2001:db8::5',
    '192.0.2.9',
  ]);
  assert.equal(
    await refusal(host('missing.example.org')),
    "fatal: <VirtualHost>: unable to resolve 'missing.example.org' on line 1 of '/etc/proftpd.conf'",
  );
});

test('the main server has every address, or DefaultAddress, or what -S says', async () => {
  const addresses = async (text: string, serverAddress?: string[]): Promise<readonly string[] | undefined> =>
    (await load(text, serverAddress === undefined ? {} : { serverAddress })).config.virtualHosts[0]
      ?.addresses;
  assert.deepEqual(await addresses(''), ['0.0.0.0', '::']);
  assert.deepEqual(await addresses('UseIPv6 off'), ['0.0.0.0']);
  assert.deepEqual(await addresses('DefaultAddress 192.0.2.7 ::1'), ['192.0.2.7', '::1']);
  assert.deepEqual(await addresses('DefaultAddress 192.0.2.7', ['127.0.0.1']), ['127.0.0.1']);
  assert.match(
    await refusal('UseIPv6 off\nDefaultAddress ::1'),
    /DefaultAddress: no usable address on line 2/,
  );
});

test('the same address and port without ServerAlias: warning and the later host is dropped; -N keeps it', async () => {
  const text =
    host('192.0.2.5', 'ServerName A') + host('192.0.2.5', 'ServerName B') + host('192.0.2.6', 'ServerName C');
  const { config, warnings } = await load(text);
  assert.deepEqual(
    config.virtualHosts.map((one) => [one.id, one.settings.serverName]),
    [
      [0, undefined],
      [1, 'A'],
      [2, 'C'],
    ],
  );
  assert.deepEqual(warnings, ['warning: "B" address/port (192.0.2.5:21) already in use by "A"']);
  const unchecked = await load(text, { checkAddressConflicts: false });
  assert.equal(unchecked.config.virtualHosts.length, 4);
});

test('name-based hosts share an address; ServerAlias takes wildcards and any case', async () => {
  const text =
    host('192.0.2.5', 'ServerName A') +
    host('192.0.2.5', 'ServerName B', 'ServerAlias ftp.b.org *.b.net') +
    host('192.0.2.5', 'ServerName C', 'Port 990');
  const { config, warnings } = await load(text);
  assert.deepEqual(warnings, []);
  const listener = config.listeners.find((one) => one.port === 21)?.id ?? '';
  const chosen = selectVirtualHost(config, listener, '::ffff:192.0.2.5');
  assert.equal(chosen?.settings.serverName, 'A');
  assert.ok(chosen);
  const siblings = hostsSharing(config, listener, chosen, '192.0.2.5');
  assert.deepEqual(
    siblings.map((one) => one.settings.serverName ?? 'main'),
    ['A', 'main', 'B'],
  );
  assert.equal(hostByAlias(siblings, 'FTP.B.ORG')?.settings.serverName, 'B');
  assert.equal(hostByAlias(siblings, 'x.b.net.')?.settings.serverName, 'B');
  assert.equal(hostByAlias(siblings, 'ftp.c.org'), null);
});

test('selection: exact address, then every address, then DefaultServer, then nobody', async () => {
  const specific = host('192.0.2.5', 'ServerName A');
  const pick = async (text: string, local: string): Promise<string | null> => {
    const { config } = await load(text);
    const chosen = selectVirtualHost(config, config.listeners[0]?.id ?? '', local);
    return chosen === null ? null : (chosen.settings.serverName ?? 'main');
  };
  assert.equal(await pick(specific, '192.0.2.5'), 'A');
  assert.equal(await pick(specific, '192.0.2.77'), 'main');
  assert.equal(await pick(`DefaultAddress 192.0.2.1\n${specific}`, '192.0.2.77'), null);
  assert.equal(await pick(`DefaultAddress 192.0.2.1\nDefaultServer on\n${specific}`, '192.0.2.77'), 'main');
});

test('listeners: one wildcard socket per port, Port 0 does not listen', async () => {
  const { config } = await load(
    `Port 0\n${host('192.0.2.5')}${host('2001:db8::1', 'Port 990')}${host('192.0.2.6')}`,
  );
  assert.deepEqual(config.listeners, [
    { id: '0.0.0.0:21', address: '0.0.0.0', port: 21, virtualHosts: [1, 3] },
    { id: '[::]:990', address: '::', port: 990, virtualHosts: [2] },
  ]);
});

test('SocketBindTight binds each address, unless a wildcard of the port takes it in', async () => {
  const tight = `SocketBindTight on\nDefaultAddress 192.0.2.1\n${host('192.0.2.5 ::1')}`;
  assert.deepEqual(
    (await load(tight)).config.listeners.map((one) => [one.id, one.virtualHosts]),
    [
      ['192.0.2.1:21', [0]],
      ['192.0.2.5:21', [1]],
      ['[::1]:21', [1]],
    ],
  );
  const wide = await load(`SocketBindTight on\n${host('192.0.2.5')}`);
  assert.deepEqual(
    wide.config.listeners.map((one) => [one.id, one.virtualHosts]),
    [['[::]:21', [0, 1]]],
  );
});

test('MasqueradeAddress takes a number, a device or a name, and the start log says so', async () => {
  const masked = async (word: string): Promise<unknown> => {
    const { config, notices } = await load(`DefaultAddress 192.0.2.1\nMasqueradeAddress ${word}`);
    return [config.virtualHosts[0]?.settings.masqueradeAddress, ...notices];
  };
  assert.deepEqual(await masked('203.0.113.9'), ['203.0.113.9', '192.0.2.1:21 masquerading as 203.0.113.9']);
  assert.deepEqual(await masked('eth0'), ['198.51.100.7', '192.0.2.1:21 masquerading as 198.51.100.7']);
  assert.deepEqual(await masked('ftp.example.org'), [
    '192.0.2.10',
    '192.0.2.1:21 masquerading as 192.0.2.10',
  ]);
  const { config } = await load('<IfClass lan>\nMasqueradeAddress eth0\n</IfClass>');
  assert.equal(config.virtualHosts[0]?.conditionals[0]?.settings.masqueradeAddress, '198.51.100.7');
  assert.match(
    await refusal('MasqueradeAddress missing'),
    /MasqueradeAddress: unable to resolve 'missing' on line 1/,
  );
});

test('AllowPerUser with TLSRequired auth and nothing that relaxes it refuses to start', async () => {
  const base = (required: string): string =>
    `ServerName S\nTLSEngine on\nTLSOptions AllowPerUser\nTLSRequired ${required}\n`;
  const reason = "cannot enforce both 'TLSRequired auth' and 'TLSOptions AllowPerUser' at the same time";
  const message = await refusal(base('on'));
  assert.ok(message.startsWith('fatal: mod_tls/') && message.endsWith(`: Server S: ${reason}`), message);
  assert.equal(await refusal(base('off')), 'accepted');
  const relaxing = '<Anonymous /srv/ftp>\nUser ftp\nTLSRequired off\n</Anonymous>';
  assert.equal(await refusal(base('on') + relaxing), 'accepted');
  assert.equal(await refusal(`${base('on')}<Directory /a>\nTLSRequired off\n</Directory>`), 'accepted');
  assert.equal(await refusal(`${base('on')}<IfUser bob>\nTLSRequired off\n</IfUser>`), 'accepted');
});

test('requirements nothing enforces, overlapping ports and silent servers are warnings', async () => {
  const warned = async (text: string): Promise<string> => (await load(text)).warnings.join('\n');
  assert.match(
    await warned('TLSRequired on'),
    /Server ProFTPD: TLSRequired is not enforced, because TLSEngine is off/,
  );
  assert.match(
    await warned('Port 2121\nPassivePorts 2000 3000'),
    /PassivePorts 2000-3000 includes port 2121/,
  );
  assert.match(await warned('Port 0'), /no server has a port to listen on/);
});

test('the configuration is frozen, survives structured clone and keeps no behaviour', async () => {
  const { config } = await load(
    '<Directory /a>\nPathDenyFilter \\.exe$\n</Directory>\n<Class a>\nFrom all\n</Class>',
  );
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.virtualHosts[0]?.directories[0]?.settings));
  assert.deepEqual(structuredClone(config), config);
});

test('a check in which all is well returns the configuration', async () => {
  const { config, findings } = await check('UseLastlog on');
  assert.equal(config?.virtualHosts.length, 1);
  assert.deepEqual(
    findings.map((finding) => finding.because),
    ['there is no lastlog here'],
  );
});

test('a missing main file is a ConfigError that names it', async () => {
  const { text: _, ...rest } = (await import('./config-fixtures.ts')).options('');
  const { loadConfig } = await import('../../../src/config/load-config.ts');
  await assert.rejects(loadConfig(rest), {
    name: 'ConfigError',
    message: "unable to read configuration file '/etc/proftpd.conf': No such file or directory",
  });
});

test('the files a configuration names are listed once, from every section', async () => {
  const { config } = await load('');
  const [main] = config.virtualHosts;
  assert.ok(main);
  const log = {
    path: '/var/log/x',
    classes: [],
    excludedClasses: [],
    commands: [],
    excludedCommands: [],
    format: 'default',
  };
  const location = { file: 'x', line: 1 };
  const inner = {
    settings: { transferLog: '/var/log/anon' },
    limits: [],
    directories: [],
    conditionals: [],
    root: '/',
    location,
  };
  const files = configFiles({
    ...config,
    virtualHosts: [
      {
        ...main,
        anonymous: [inner],
        settings: {
          systemLog: '/var/log/x',
          tlsLog: 'none',
          extendedLog: [log, { ...log, path: 'syslog:info' }],
          tlsRSACertificateFile: '/etc/c.pem',
          tlsRSACertificateKeyFile: '/etc/c.pem',
          tlsCACertificatePath: '/etc/ca',
        },
      },
    ],
  });
  assert.deepEqual(files, {
    logs: ['/var/log/x', '/var/log/anon'],
    tls: ['/etc/c.pem'],
    preSharedKeys: [],
    tlsDirectories: ['/etc/ca'],
  });
});
