import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig, loadConfig } from '../../../src/config/load-config.ts';
import { memorySource } from './config-fixtures.ts';

const DISTRIBUTION = `
Include /etc/proftpd/modules.conf
UseIPv6 off
<IfModule mod_ident.c>
  IdentLookups off
</IfModule>
ServerName "Debian"
ServerType standalone
DeferWelcome off
MultilineRFC2228 on
DefaultServer on
ShowSymlinks on
TimeoutNoTransfer 600
TimeoutStalled 600
TimeoutIdle 1200
DisplayLogin welcome.msg
DisplayChdir .message true
ListOptions "-l"
DenyFilter \\*.*/
DefaultRoot ~
RequireValidShell off
Port 21
PassivePorts 49152 65534
MasqueradeAddress 192.0.2.4
<IfModule mod_dynmasq.c>
DynMasqRefresh 28800
</IfModule>
MaxInstances 30
User proftpd
Group nogroup
Umask 022 022
AllowOverwrite on
PersistentPasswd off
AuthOrder mod_auth_file.c mod_auth_unix.c
UseSendFile off
TransferLog /var/log/proftpd/xferlog
SystemLog /var/log/proftpd/proftpd.log
UseLastlog on
SetEnv TZ :/etc/localtime
<IfModule mod_quotatab.c>
QuotaEngine off
</IfModule>
<IfModule mod_ratio.c>
Ratios off
</IfModule>
<IfModule mod_delay.c>
DelayEngine on
</IfModule>
<IfModule mod_ctrls.c>
ControlsEngine off
ControlsMaxClients 2
ControlsLog /var/log/proftpd/controls.log
ControlsInterval 5
ControlsSocket /var/run/proftpd/proftpd.sock
</IfModule>
<IfModule mod_ctrls_admin.c>
AdminControlsEngine off
</IfModule>
Include /etc/proftpd/tls.conf
Include /etc/proftpd/conf.d/
`;

const FILES = {
  '/etc/proftpd/modules.conf':
    'ModulePath /usr/lib/proftpd\nLoadModule mod_ctrls_admin.c\nLoadModule mod_tls.c\n',
  '/etc/proftpd/tls.conf': '<IfModule mod_tls.c>\n#TLSEngine on\n</IfModule>',
  '/etc/proftpd/conf.d/site.conf': '<Limit LOGIN>\n  AllowUser bob\n  DenyAll\n</Limit>',
};

const SEED = `
<IfModule mod_dso.c>
  # If mod_tls was built as a shared/DSO module, load it
  LoadModule mod_tls.c
</IfModule>
<IfModule mod_tls.c>
  TLSEngine on
  TLSLog /var/ftpd/tls.log
  # Support both TLSv1 and TLSv1.1
  TLSProtocol TLSv1 TLSv1.1 TLSv1.2
  # Are clients required to use FTP over TLS when talking to this server?
  TLSRequired off
  TLSRSACertificateFile /etc/ftpd/server-rsa.cert.pem
  TLSRSACertificateKeyFile /etc/ftpd/server-rsa.key.pem
  TLSECCertificateFile /etc/ftpd/server-ec.cert.pem
  TLSECCertificateKeyFile /etc/ftpd/server-ec.key.pem
  TLSCACertificateFile /etc/ftpd/root.cert.pem
  TLSVerifyClient off
  TLSRenegotiate none
</IfModule>
`;

function options(text: string): Parameters<typeof loadConfig>[0] {
  return {
    file: '/etc/proftpd/proftpd.conf',
    text,
    version: 1,
    environment: {},
    source: memorySource(FILES),
  };
}

test('a stock configuration of a distribution loads, and what has no effect is listed', async () => {
  const { config, findings } = await loadConfig(options(DISTRIBUTION));
  const [main] = config.virtualHosts;
  assert.equal(main?.settings.serverName, 'Debian');
  assert.equal(main?.settings.timeoutIdle, 1200);
  assert.deepEqual(main?.settings.passivePorts, { min: 49152, max: 65534 });
  assert.deepEqual(main?.limits[0]?.commands, ['LOGIN']);
  assert.deepEqual(
    config.listeners.map((one) => one.id),
    ['0.0.0.0:21'],
  );
  assert.deepEqual(
    findings.filter((finding) => finding.kind === 'error' || finding.kind === 'refused'),
    [],
  );
  const quiet = findings
    .filter((finding) => finding.kind === 'no-effect')
    .map((finding) => finding.directive);
  for (const name of ['MultilineRFC2228', 'UseLastlog', '<IfModule mod_quotatab.c>'])
    assert.ok(quiet.includes(name), name);
});

test('the seed example of FTP over TLS loads as it stands', async () => {
  const { config } = await loadConfig(options(SEED));
  const settings = config.virtualHosts[0]?.settings;
  assert.deepEqual(settings?.tlsProtocol, ['TLSv1', 'TLSv1.1', 'TLSv1.2']);
  assert.equal(settings?.tlsECCertificateFile, '/etc/ftpd/server-ec.cert.pem');
});

test('the seed example with one </IfModule> too many is refused with its line', async () => {
  const { findings } = await checkConfig(options(`${SEED}</IfModule>\n`));
  assert.match(
    findings.find((finding) => finding.kind === 'error')?.because ?? '',
    /<\/IfModule> without <IfModule>/,
  );
});

test('relative certificate paths, as an old tutorial prints them, are refused', async () => {
  const { findings } = await checkConfig(options('TLSRSACertificateFile ftpcert.pem'));
  assert.deepEqual(
    findings.map((finding) => [finding.kind, finding.directive]),
    [['error', 'TLSRSACertificateFile']],
  );
});

test('AllowPerUser with each TLSRequired that demands TLS for logins is refused, with the others it starts', async () => {
  const outcome = async (required: string): Promise<string> => {
    const { findings } = await checkConfig(
      options(`TLSEngine on\nTLSOptions AllowPerUser\nTLSRequired ${required}`),
    );
    return findings.find((finding) => finding.kind === 'error')?.because ?? 'starts';
  };
  for (const required of ['on', 'auth', 'auth+data']) {
    assert.match(
      await outcome(required),
      /cannot enforce both 'TLSRequired auth' and 'TLSOptions AllowPerUser'/,
    );
  }
  for (const required of ['off', 'data']) assert.equal(await outcome(required), 'starts');
});
