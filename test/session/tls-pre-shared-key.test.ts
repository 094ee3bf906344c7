import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { configFiles } from '../../src/config/config-files.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { readSecretFiles } from '../../src/main/secret-files.ts';
import { certificateTrees } from '../support/certificates.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { sClient } from '../support/seed-server.ts';
import { loadTlsConfig, startTlsServer, type TlsServer } from '../support/tls-server.ts';

const limits = { timeout: 30_000 };
const trees = certificateTrees();
const servers: TlsServer[] = [];
const KEY = '00112233445566778899aabbccddeeff0011223344';

after(async () => {
  for (const server of servers) {
    assert.deepEqual(server.bugs, []);
    await server.close();
  }
});

function keyFile(name: string, text: string, mode = 0o600): string {
  const path = join(trees.directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const BASE = `TLSEngine on
TLSECCertificateFile ${trees.certAEc.combined}
TLSCertificateChainFile ${trees.chainFile}
TLSCipherSuite DEFAULT:PSK:!ADH
TLSTimeoutHandshake 5
TLSPreSharedKey office hex:${keyFile('office.psk', `${KEY}\n`)}`;

async function start(text = ''): Promise<TlsServer> {
  const server = await startTlsServer(`${BASE}\n${text}`);
  servers.push(server);
  return server;
}

function psk(version: 'TLSv1.2' | 'TLSv1.3', identity = 'office', key = KEY): ClientTlsOptions {
  return {
    minVersion: version,
    maxVersion: version,
    ...(version === 'TLSv1.2' ? { ciphers: 'PSK-AES256-GCM-SHA384:DHE-PSK-AES256-GCM-SHA384' } : {}),
    pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
    checkServerIdentity: () => undefined,
  };
}

const USED = "client authenticated with pre-shared key 'office'";

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: a client with the key needs no certificate, logs in and transfers`, limits, async () => {
    const server = await start();
    const client = await FtpClient.connect({ port: server.port });
    await client.loginTls('alice', 'secret', psk(version));
    assert.equal((client.stream as TLSSocket).getPeerX509Certificate(), undefined);
    assert.ok(server.log.includes(USED), server.log.join('\n'));
    for (let round = 0; round < 3; round += 1) {
      const { final, body } = await client.download('RETR hello.txt', {
        tls: { session: 'resume', options: { ...psk(version), pskCallback: () => null } },
      });
      assert.equal(final.code, 226, server.log.join('\n'));
      assert.match(body.toString(), /hello over TLS/);
    }
    client.destroy();
  });

  test(`${version}: a wrong key fails, and an unknown identity is not told apart`, limits, async () => {
    const server = await start();
    const attempt = async (tls: ClientTlsOptions): Promise<string> => {
      const client = await FtpClient.connect({ port: server.port });
      try {
        await client.authTls(tls);
        const { code } = await client.command('NOOP');
        return `${code} ${(client.stream as TLSSocket).getPeerX509Certificate() === undefined ? 'key' : 'certificate'}`;
      } catch (error) {
        return (error as { code?: string }).code ?? 'failed';
      } finally {
        client.destroy();
        await server.idle();
      }
    };
    const wrongKey = await attempt(psk(version, 'office', KEY.replaceAll('0', '1')));
    const unknown = await attempt(psk(version, 'nobody'));
    assert.doesNotMatch(wrongKey, /^\d/);
    // In TLS 1.3 an identity that is not known is as good as none: the handshake goes on with the certificate.
    if (version === 'TLSv1.3') assert.doesNotMatch(unknown, / key$/);
    else assert.equal(unknown, wrongKey);
    assert.ok(!server.log.includes(USED));
  });
}

test('TLS 1.3: the key itself does not open a data connection that must resume', limits, async () => {
  const server = await start();
  const client = await FtpClient.connect({ port: server.port });
  await client.loginTls('alice', 'secret', psk('TLSv1.3'));
  const { final } = await client
    .download('RETR hello.txt', { tls: { session: 'fresh', options: psk('TLSv1.3') } })
    .catch(() => ({ final: { code: 425 } }));
  assert.equal(final.code, 425);
  client.destroy();
});

test('openssl s_client -psk reaches the server in TLS 1.2 and 1.3', limits, async () => {
  const server = await start();
  for (const version of ['-tls1_2', '-tls1_3']) {
    const args = [version, '-psk_identity', 'office', '-psk', KEY];
    const result = await sClient(server.port, version === '-tls1_2' ? [...args, '-cipher', 'PSK'] : args);
    assert.match(result.stdout, /221 /);
    assert.match(result.stdout, /no peer certificate available/);
  }
  assert.equal(server.log.filter((line) => line === USED).length, 2);
});

test('clients without a key are served by certificate as before', limits, async () => {
  const server = await start();
  const client = await FtpClient.connect({ port: server.port });
  await client.loginTls('alice', 'secret', { ca: [readFileSync(trees.myRootCa.certificate)] });
  const { final } = await client.download('RETR hello.txt', { tls: { session: 'resume' } });
  assert.equal(final.code, 226);
  assert.ok(!server.log.includes(USED));
  client.destroy();
});

test('keys that are short, no hexadecimal, or open to others are refused at start', limits, async () => {
  const problems = async (file: string): Promise<string> => {
    const text = BASE.replace(/hex:\S+/, `hex:${file}`);
    return (await loadTlsConfig(`Port 2121\n${text}`)).check.errors.map(String).join('\n');
  };
  assert.match(await problems(keyFile('short.psk', 'aabbcc')), /expected 20 to 512 bytes in hexadecimal/);
  assert.match(await problems(keyFile('words.psk', 'correct horse battery staple')), /in hexadecimal/);
  assert.match(await problems('/nonexistent/psk'), /No such file/);
  const { check } = await loadTlsConfig(
    `Port 2121\n${BASE}\nTLSVerifyClient on\nTLSCACertificateFile ${trees.clientAuthorities}`,
  );
  assert.match(
    check.errors.map(String).join('\n'),
    /shows no certificate, which TLSVerifyClient on requires/,
  );
  assert.doesNotMatch(check.errors.map(String).join('\n'), /0011223344/);

  const open = keyFile('open.psk', KEY, 0o644);
  const text = `Port 2121\n${BASE.replace(/hex:\S+/, `hex:${open}`)}`;
  const { config } = await loadConfig({ file: '/etc/proftpd.conf', text, version: 1 });
  assert.ok(configFiles(config).preSharedKeys.includes(open));
  const { files, failures } = readSecretFiles(config);
  assert.equal(failures.get(open), 'File is accessible to others');
  assert.ok(!files.has(open));
});
