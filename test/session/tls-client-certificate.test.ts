import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import type { SecureVersion } from 'node:tls';
import { certificateTrees, type CertificateFiles } from '../support/certificates.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

const trees = certificateTrees();
const options = { timeout: 30_000 };
const servers: TlsServer[] = [];
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

after(async () => {
  for (const server of servers) {
    assert.deepEqual(server.bugs, []);
    await server.close();
  }
});

async function start(text: string): Promise<TlsServer> {
  const certificates = `TLSECCertificateFile ${trees.certAEc.combined}\nTLSCACertificateFile ${trees.clientAuthorities}`;
  const server = await startTlsServer(`TLSEngine on\n${certificates}\nTLSTimeoutHandshake 5\n${text}`);
  servers.push(server);
  return server;
}

function as(client: CertificateFiles | null, version: SecureVersion): ClientTlsOptions {
  const protocol = { minVersion: version, maxVersion: version };
  return client === null
    ? protocol
    : { ...protocol, cert: readFileSync(client.certificate), key: readFileSync(client.key) };
}

/** First command after the handshake: its reply, or what refused the client. */
async function greet(server: TlsServer, tls: ClientTlsOptions, command: string): Promise<string> {
  const client = await FtpClient.connect({ port: server.port });
  try {
    await client.authTls(tls);
    return (await client.command(command)).lines[0] ?? '';
  } catch {
    return 'refused';
  } finally {
    client.destroy();
    await server.idle();
  }
}

for (const version of versions) {
  test(
    `${version}: TLSVerifyClient on admits a trusted certificate and logs its subject`,
    options,
    async () => {
      const server = await start('TLSVerifyClient on');
      assert.match(await greet(server, as(trees.alice, version), 'USER alice'), /^331/);
      assert.ok(server.log.includes('Client: /O=Tests/CN=alice'));
    },
  );

  test(
    `${version}: TLSVerifyClient on refuses a client without certificate before any command`,
    options,
    async () => {
      const server = await start('TLSVerifyClient on');
      assert.equal(await greet(server, as(null, version), 'SYST'), 'refused');
      assert.match(
        server.log[1] ?? '',
        /^unable to accept TLS connection: .*peer did not return a certificate$/,
      );
      assert.equal(server.log.at(-1), 'TLS/TLS-C negotiation failed on control channel');
    },
  );

  for (const [what, client, text, reason] of [
    ['an unknown authority', trees.foreignClient, '', 'unable to get local issuer certificate'],
    ['itself', trees.selfSigned, '', 'self-signed certificate'],
    ['the past', trees.expired, '', 'certificate has expired'],
    [
      'a revoked subject',
      trees.revoked,
      `TLSCARevocationFile ${trees.revocationList}`,
      'certificate revoked',
    ],
    ['a chain too long', trees.alice, 'TLSVerifyDepth 0', 'certificate chain too long'],
  ] as const) {
    test(`${version}: a certificate of ${what} is refused with its reason`, options, async () => {
      const server = await start(`TLSVerifyClient on\n${text}`);
      assert.match(await greet(server, as(client, version), 'SYST'), /^(421 TLS handshake failed|refused)/);
      assert.ok(
        server.log.includes(`client certificate failed verification: ${reason}`),
        server.log.join('\n'),
      );
      assert.match(server.log.join('\n'), /error: unable to verify certificate at depth \d/);
      assert.equal(server.log.at(-1), 'TLS/TLS-C negotiation failed on control channel');
    });
  }

  test(`${version}: optional admits clients without certificate and refuses bad ones`, options, async () => {
    const server = await start('TLSVerifyClient optional');
    assert.match(await greet(server, as(null, version), 'USER alice'), /^331/);
    assert.match(await greet(server, as(trees.bob, version), 'USER alice'), /^331/);
    assert.match(await greet(server, as(trees.foreignClient, version), 'SYST'), /^(421|refused)/);
  });

  test(`${version}: data connections of a client with certificate resume`, options, async () => {
    const server = await start('TLSVerifyClient on');
    const client = await FtpClient.connect({ port: server.port });
    const tls = as(trees.alice, version);
    await client.loginTls('alice', 'secret', tls);
    assert.equal(
      (await client.download('NLST', { tls: { session: 'resume', options: tls } })).final.code,
      226,
    );
    client.destroy();
  });
}

test(
  'a data connection with another certificate than the control connection is refused',
  options,
  async () => {
    const server = await start('TLSVerifyClient on\nTLSOptions NoSessionReuseRequired');
    const client = await FtpClient.connect({ port: server.port });
    await client.loginTls('alice', 'secret', as(trees.alice, 'TLSv1.3'));
    const same = { tls: { session: 'fresh', options: as(trees.alice, 'TLSv1.3') } } as const;
    assert.equal((await client.download('NLST', same)).final.code, 226);
    const other = { tls: { session: 'fresh', options: as(trees.bob, 'TLSv1.3') } } as const;
    assert.equal((await client.download('NLST', other)).final.code, 425);
    assert.equal(server.log.at(-1), 'unable to open data connection: control/data certificate mismatch');
    client.destroy();
  },
);

test('a chain file is no trust anchor for clients', options, async () => {
  const server = await start(`TLSVerifyClient on\nTLSCertificateChainFile ${trees.chainFile}`);
  assert.match(await greet(server, as(trees.foreignClient, 'TLSv1.3'), 'SYST'), /^(421|refused)/);
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER alice'), /^331/);
});

test(
  's_client prints the acceptable client authorities, and none with verification off',
  options,
  async () => {
    const ask = async (text: string): Promise<string> => {
      const server = await start(text);
      const args = ['s_client', '-starttls', 'ftp', '-connect', `127.0.0.1:${server.port}`];
      const running = promisify(execFile)('openssl', args, { timeout: 10_000 });
      running.child.stdin?.end();
      // s_client ends with an error code when the server asked for a certificate; only its output counts.
      const { stdout } = await running.catch((error: { stdout: string }) => error);
      return stdout;
    };
    const listed = await ask('TLSVerifyClient optional');
    assert.match(listed, /Acceptable client certificate CA names[\s\S]*TheirClientCA[\s\S]*TheirRootCA/);
    assert.doesNotMatch(
      listed,
      /Acceptable client certificate CA names\n(.*\n)*.*MyServerCA.*\n(.*\n)*Requested Signature/,
    );
    for (const text of ['TLSVerifyClient off', 'TLSVerifyClient optional\nTLSOptions NoCertRequest']) {
      assert.match(await ask(text), /No client certificate CA names sent/, text);
    }
  },
);

test('iPAddressRequired compares the certificate with the client address', options, async () => {
  const server = await start('TLSVerifyClient on\nTLSOptions iPAddressRequired');
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER alice'), /^331/);
  assert.match(await greet(server, as(trees.bob, 'TLSv1.3'), 'SYST'), /^(421|refused)/);
  assert.ok(server.log.includes("client cert iPAddress SANs do not match client IP '127.0.0.1'"));
});

test('TLSUserName logs the owner of the certificate in without a password', options, async () => {
  const server = await start('TLSVerifyClient on\nTLSUserName CommonName');
  assert.equal(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER alice'), '232 User alice logged in');
  assert.ok(server.log.includes("matched client cert CommonName 'alice' to user 'alice'"));
  assert.ok(server.log.includes("TLS/X509 TLSUserName 'CommonName' check successful for user 'alice'"));
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER bob'), /^331/);
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'PASS secret'), /^503/);
});

test('AllowDotLogin compares the certificate with ~/.tlslogin', options, async () => {
  const server = await start('TLSVerifyClient on\nTLSOptions AllowDotLogin');
  const file = join(server.home, '.tlslogin');
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER alice'), /^331/);
  assert.ok(server.log.includes(`.tlslogin check: unable to open '${file}': ENOENT`));
  writeFileSync(file, readFileSync(trees.bob.certificate));
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER alice'), /^331/);
  assert.ok(server.log.includes('.tlslogin local/remote certificate MISMATCH'));
  writeFileSync(file, readFileSync(trees.alice.certificate));
  assert.match(await greet(server, as(trees.alice, 'TLSv1.3'), 'USER alice'), /^232/);
});

test('StdEnvVars and ExportCertData describe both certificates', options, async () => {
  const server = await start('TLSVerifyClient on\nTLSOptions StdEnvVars ExportCertData');
  const client = await FtpClient.connect({ port: server.port });
  await client.authTls(as(trees.alice, 'TLSv1.2'));
  await client.command('NOOP');
  const environment = server.facts?.environment;
  assert.equal(environment?.get('TLS_CLIENT_S_DN_CN'), 'alice');
  assert.equal(environment?.get('TLS_SERVER_S_DN_CN'), 'certA');
  assert.equal(environment?.get('TLS_CLIENT_I_DN_CN'), 'TheirClientCA');
  assert.equal(environment?.get('TLS_CIPHER_EXPORT'), 'false');
  assert.match(environment?.get('TLS_SESSION_ID') ?? '', /^([0-9A-F]{2})+$/);
  assert.match(environment?.get('TLS_CLIENT_CERT') ?? '', /^-----BEGIN CERTIFICATE-----/);
  assert.match(environment?.get('TLS_CLIENT_CERT_CHAIN2') ?? '', /^-----BEGIN CERTIFICATE-----/);
  assert.equal(server.facts?.notes.get('TLS_CLIENT_S_DN_CN'), 'alice');
  client.destroy();
});
