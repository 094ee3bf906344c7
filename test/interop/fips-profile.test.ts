/** A server in FIPS mode with a real module: what it negotiates, what it refuses, whom it lets in. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { fipsArguments, needsFipsProvider } from '../support/fips-provider.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { runProgram, sClient, tryConfig } from '../support/seed-server.ts';
import { BASE_CONFIG, LAUNCHER, startChildServer, TLS_CONFIG, type ChildServer } from '../support/server.ts';
import { needsProgram } from '../support/programs.ts';

const SSL_OP_NO_EXTENDED_MASTER_SECRET = 0x1;
const limit = { timeout: 60_000 };

describe('a server in FIPS mode', { timeout: 120_000 }, () => {
  let server: ChildServer | null = null;
  let module: string | null = null;
  let reason = '';
  const cleanups: (() => unknown)[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'lockgate-fips-'));

  before(async () => {
    module = needsFipsProvider({ skip: (why?: string) => (reason = why ?? '') });
    if (module === null) return;
    server = await startChildServer(
      { after: (step) => void cleanups.push(step as () => unknown) },
      `${BASE_CONFIG}${TLS_CONFIG}`,
      { args: fipsArguments(module), beforeStart: addOldAccounts },
    );
  });
  after(async () => {
    for (const step of cleanups.reverse()) await step();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Beside alice: accounts with hashes of other schemes, all with the password `secret`. */
  function addOldAccounts(directory: string): Promise<void> {
    const hash = (kind: string): string =>
      execFileSync('openssl', ['passwd', kind, 'secret'], { encoding: 'utf8' }).trim();
    const line = (name: string, text: string): string =>
      `${name}:${text}:65534:65534::${directory}:/bin/sh\n`;
    const bcrypt = `$2b$10$${'a'.repeat(53)}`;
    const path = join(directory, 'old-users');
    writeFileSync(path, line('md5', hash('-1')) + line('sha', hash('-6')) + line('bcrypt', bcrypt));
    chmodSync(path, 0o600);
    return Promise.resolve();
  }

  const test_ = (name: string, run: (server: ChildServer, module: string) => Promise<void>): void => {
    test(name, limit, async (t) => {
      if (server === null || module === null) return t.skip(reason);
      await run(server, module);
    });
  };

  async function session(server: ChildServer, options: ClientTlsOptions): Promise<string> {
    const client = await FtpClient.connect({ port: server.port, timeoutMs: 10_000 });
    try {
      await client.authTls(options);
      return describeStream(client);
    } finally {
      client.tcp.destroy();
    }
  }

  function describeStream(client: FtpClient): string {
    const stream = client.stream as ReturnType<typeof connectTls>;
    const group = stream.getEphemeralKeyInfo() as { name?: string };
    return `${stream.getProtocol()} ${stream.getCipher().name} ${group.name ?? ''}`;
  }

  test_(
    'offers TLS 1.2 and 1.3 with AES-GCM and P-256 to clients that would take anything',
    async (server) => {
      assert.match(await session(server, {}), /^TLSv1\.3 TLS_AES_256_GCM_SHA384 (prime256v1|secp256r1)$/);
      assert.match(
        await session(server, { maxVersion: 'TLSv1.2' }),
        /^TLSv1\.2 ECDHE-ECDSA-AES256-GCM-SHA384 (prime256v1|secp256r1)$/,
      );
      assert.match(await session(server, { ecdhCurve: 'P-521' }), / secp521r1$/);
    },
  );

  const REFUSED: readonly (readonly [string, ConnectionOptions])[] = [
    ['ChaCha20 alone', { ciphers: 'TLS_CHACHA20_POLY1305_SHA256', minVersion: 'TLSv1.3' }],
    ['ChaCha20 alone in TLS 1.2', { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' }],
    ['X25519 alone', { ecdhCurve: 'X25519' }],
    ['X25519MLKEM768 alone', { ecdhCurve: 'X25519MLKEM768' }],
    ['RSA key transport', { ciphers: 'AES256-GCM-SHA384', maxVersion: 'TLSv1.2' }],
    ['CBC without being asked for', { ciphers: 'ECDHE-RSA-AES128-SHA256', maxVersion: 'TLSv1.2' }],
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
    ['no extended master secret', { maxVersion: 'TLSv1.2', secureOptions: SSL_OP_NO_EXTENDED_MASTER_SECRET }],
  ];
  for (const [name, options] of REFUSED) {
    test_(`refuses a client with ${name}`, async (server) => {
      await assert.rejects(session(server, options));
    });
  }

  test_('says in the TLSLog what was negotiated, and why a client was refused', async (server) => {
    const client = await FtpClient.connect({ port: server.port, timeoutMs: 10_000 });
    await client.loginTls('alice', 'secret');
    await client.command('PROT P');
    const listing = await client.download('LIST', { tls: { session: 'resume' } });
    assert.equal(listing.final.code, 226);
    await client.quit();
    const log = server.read('tls.log');
    const settled = 'negotiated TLSv1.3, cipher TLS_AES_256_GCM_SHA384, group P-256';
    assert.ok(log.includes(`control connection ${settled}, signature ECDSA+SHA256`));
    assert.ok(log.includes(`data connection ${settled}, signature none, resumed session`));
    assert.match(log, /client does not offer the extended master secret \(RFC 7627\)/);
    assert.match(server.read('system.log'), /control connection negotiated TLSv1\.3/);
  });

  test('transfers with curl and openssl s_client', limit, async (t) => {
    if (server === null) return t.skip(reason);
    if (!needsProgram(t, 'curl') || !needsProgram(t, 'openssl')) return;
    writeFileSync(join(server.homeOf('alice'), 'hello.txt'), 'hello under FIPS\n');
    const url = `ftp://127.0.0.1:${server.port}/hello.txt`;
    const curl = await runProgram('curl', ['-sS', '-k', '--ssl-reqd', '-u', 'alice:secret', url]);
    assert.equal(curl.stdout, 'hello under FIPS\n');
    const client = await sClient(server.port, ['-tls1_2']);
    assert.match(client.stdout, /Cipher is ECDHE-ECDSA-AES256-GCM-SHA384[\s\S]*Extended master secret: yes/);
    const bare = await sClient(server.port, ['-groups', 'X25519']);
    assert.match(bare.stdout, /Cipher is \(NONE\)/);
  });

  test(
    'checks $6$ with the module and refuses $1$ and bcrypt, telling the operator how to store them anew',
    limit,
    async (t) => {
      if (module === null || server === null) return t.skip(reason);
      const other = await startChildServer(t, `${BASE_CONFIG}${TLS_CONFIG}AuthUserFile @DIR@/old-users\n`, {
        args: fipsArguments(module),
        beforeStart: addOldAccounts,
      });
      assert.match(other.stderr(), /FIPS profile forbids.*1 md5-crypt, 1 bcrypt/);
      const login = async (user: string): Promise<number> => {
        const client = await FtpClient.connect({ port: other.port, timeoutMs: 10_000 });
        const { code } = await client.login(user, 'secret');
        client.tcp.destroy();
        return code;
      };
      assert.equal(await login('sha'), 230);
      assert.equal(await login('md5'), 530);
      assert.equal(await login('bcrypt'), 530);
      const log = other.read('system.log');
      assert.match(
        log,
        /USER md5 \(Login failed\): Unsupported password hash: md5-crypt is forbidden by the FIPS profile; store/,
      );
      assert.ok(!/\$1\$|\$2b\$/.test(log + other.stderr()), 'a hash stands in the log');
    },
  );

  test_('uses SecP256r1MLKEM768 and CBC-SHA2 where the configuration names them', async (_, module) => {
    const named = await startChildServer(
      { after: (step) => void cleanups.push(step as () => unknown) },
      `${BASE_CONFIG}${TLS_CONFIG}TLSECDHCurve SecP256r1MLKEM768:P-256\nTLSCipherSuite HIGH\n`,
      { args: fipsArguments(module) },
    );
    assert.match(await session(named, { ecdhCurve: 'SecP256r1MLKEM768' }), /SecP256r1MLKEM768/i);
    const cbc = { ciphers: 'ECDHE-RSA-AES128-SHA256', maxVersion: 'TLSv1.2' } as const;
    assert.match(await session(named, cbc), /ECDHE-RSA-AES128-SHA256/);
    await assert.rejects(session(named, { ciphers: 'AES256-GCM-SHA384', maxVersion: 'TLSv1.2' }));
  });

  test_(
    'refuses a configuration that names something forbidden, with file, line and rule',
    async (_, module) => {
      const make = (name: string, ...options: string[]): string => {
        const path = join(folder, `${name}.pem`);
        const args = [
          'req',
          '-x509',
          '-nodes',
          '-days',
          '2',
          '-subj',
          '/CN=x',
          '-out',
          path,
          '-keyout',
          path,
        ];
        const both = execFileSync('openssl', [...args.slice(0, -1), `${path}.key`, ...options], {
          stdio: 'pipe',
        });
        assert.ok(both !== null);
        return path;
      };
      const rsa = make('rsa', '-newkey', 'rsa:1024');
      const ec = make('ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1');
      const sha1 = make('sha1', '-newkey', 'rsa:2048', '-sha1');
      const names = [
        'TLSEngine on',
        'TLSProtocol TLSv1.1 TLSv1.2',
        'TLSCipherSuite ECDHE-RSA-CHACHA20-POLY1305',
        'TLSECDHCurve X25519:P-256',
        'TLSOptions AllowWeakSecurity',
      ];
      const check = (lines: readonly string[]) =>
        runProgram(LAUNCHER, ['check', ...fipsArguments(module), '-c', configFile(lines)], {
          timeoutMs: 30_000,
        });
      const configFile = (lines: readonly string[]): string => {
        const path = join(folder, 'refused.conf');
        writeFileSync(path, `${['Port 0', ...lines].join('\n')}\n`);
        return path;
      };
      const named = await check(names);
      assert.equal(named.code, 1);
      const said = named.stdout + named.stderr;
      for (const [line, rule] of [
        [3, /TLSProtocol: protocol TLSv1\.1 is forbidden by the FIPS profile/],
        [4, /TLSCipherSuite: cipher 'ECDHE-RSA-CHACHA20-POLY1305' is forbidden/],
        [5, /TLSECDHCurve: curve 'X25519' is forbidden/],
        [6, /TLSOptions: option AllowWeakSecurity is forbidden/],
      ] as const) {
        const found = said.split('\n').find((text) => text.includes(`refused.conf:${line}:`)) ?? '';
        assert.match(found, rule);
      }
      const files = await check([
        'TLSEngine on',
        `TLSRSACertificateFile ${rsa}`,
        `TLSRSACertificateKeyFile ${rsa}.key`,
        `TLSECCertificateFile ${ec}`,
        `TLSECCertificateKeyFile ${ec}.key`,
      ]);
      const report = files.stdout + files.stderr;
      assert.match(
        report,
        /refused\.conf:3: error: TLSRSACertificateFile: .*RSA key of 1024 bits is forbidden/,
      );
      assert.match(report, /refused\.conf:5: error: TLSECCertificateFile: .*forbidden by the FIPS profile/);
      const started = await tryConfig(
        folder,
        `ServerType standalone\nPort @PORT@\nTLSEngine on\nTLSRSACertificateFile ${sha1}\nTLSRSACertificateKeyFile ${sha1}.key\n`,
        [...fipsArguments(module), '-n'],
      );
      assert.equal(started.code, 1);
      assert.match(
        started.stderr,
        /signed with sha1WithRSAEncryption is forbidden by the FIPS profile.* on line 4 of/,
      );
    },
  );
});
