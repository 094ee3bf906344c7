/** Sessions of a server in FIPS mode, with a real module: what an auditor tries, and what the server log says of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { fipsNodeOptions } from '../../crypto/fips-module-config.ts';
import { certificateTrees } from '../support/certificates.ts';
import { fipsArguments, lockgate, needsFipsProvider } from '../support/fips-provider.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { runProgram, type ProgramResult } from '../support/seed-server.ts';
import { BASE_CONFIG, prepare, startChildServer, TLS_CONFIG, type ChildServer } from '../support/server.ts';

const LIMIT = { timeout: 60_000 };
const SSL_OP_NO_EXTENDED_MASTER_SECRET = 0x1;
const KEY = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const trees = certificateTrees();

/**
 * EC key and self-signed certificate for localhost, AES-256-CBC and PBMAC1 with PBKDF2-HMAC-SHA-256, salts of 16 bytes:
 * what `openssl pkcs12 -export -pbmac1_pbkdf2` of OpenSSL 3.4 and later makes.
 */
const PBMAC1_BUNDLE = [
  'MIIErAIBAzCCBBUGCSqGSIb3DQEHAaCCBAYEggQCMIID/jCCApoGCSqGSIb3DQEHBqCCAoswggKHAgEAMIICgAYJKoZIhvcNAQcB',
  'MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBDwXNqRyHPRK8JlMarpqDtqAgInEDAMBggqhkiG9w0CCQUAMB0GCWCGSAFl',
  'AwQBKgQQ8RE9WIlmDECm8PHjdQogyICCAhCFPFUhzQ42Hk63Fdkqz7lQORA4B7y5TH1KWAy6AE0zieqIviwgM+Lm9EKSMKpMt0Gu',
  'n/XcOjhZoZyDJl7tL3WiZPDZ0CTTWkmvAggd2M65p1KpNbASp2jRWe5pwg26h5YfYfsNH1LZLLG8Gf+BP0HhVwv+BMswD0hfJUxY',
  'V5pHmnAV/1l5DF9NuaKLFTCG3JFQE0cF925U3j0DXujelYqwfwqkafBJLH6YUgxf8LY2FaencZCyM3VeMNFqUylhfe4dPYRfwwxd',
  'HEo+SkN2uyzWg2u1Y251HRTt+jDH2e1RfpbMANi+a7tEaIibuz2WZoU7H9UU1Y9LtzA2h642sS1c96QDpOVHQnWzkxAjAVed3ION',
  'aWidqwmcjBnc/8m3RT7mUYrd6GpTg8ORc0NlNG+nOX2s9PLBN46xiz88V+1TSHYvL7XVoDU6YW2xgai+5BJ3Zfgame54P85rjlUP',
  '7dgB9o6V8sROdu6GpwV8U/62+LXVdpiSbsMeGSmdRjHwKOwEVhs0ug5CheqyXk3sbIBtTmCNIxJNLFJuhrtmw6zaIWL8DF0K8LSx',
  'giRAh8jjaZcr6t5LoQZC/2sR8QpDvQJYdpThBx/MPvHq5/edQl4XiuFKNkKwUQHECjxataRrQNsRPHbHBrDjRPw1F+39VddUTleR',
  '56ozTVVAloW6IIs4egwOgt+FHiIPyZszTw4ofqEwggFcBgkqhkiG9w0BBwGgggFNBIIBSTCCAUUwggFBBgsqhkiG9w0BDAoBAqCB',
  '9zCB9DBfBgkqhkiG9w0BBQ0wUjAxBgkqhkiG9w0BBQwwJAQQFeiamFAj8iFl0x/c3ZKwKAICJxAwDAYIKoZIhvcNAgkFADAdBglg',
  'hkgBZQMEASoEEAJ0yLoriIS0zgFlWnVWUe0EgZAaInFEc9usKrD9ln18dphzSvZwlHARp+igpwuYYlye8T0Wm09sHzeSHf4bISBt',
  'xn/V6dKbJkaZHBvnSMH/Tv6bLYkCp8W7XpDqbq5Dw5iOPfW7/p7w/RPcK4hjptw72Q2tW1dFKb6ZZxiMzHZV848lMcG6/G+hxaiy',
  'QJBEPgxVbKLged8Q6UGhvot0OmJpghgxODARBgkqhkiG9w0BCRQxBB4CAHgwIwYJKoZIhvcNAQkVMRYEFP1RwdtZgwQ4LVXyB7xm',
  'YiH9MliHMIGNMHUwUQYJKoZIhvcNAQUOMEQwNAYJKoZIhvcNAQUMMCcEENsG88WI0V5w4SMWxw/tabQCAicQAgEgMAwGCCqGSIb3',
  'DQIJBQAwDAYIKoZIhvcNAgkFAAQgvR3LVoVwINSrfxqx222JdUvDlhSZLbjaUlTXHTvqsEgEENsG88WI0V5w4SMWxw/tabQCAicQ',
].join('');
const BUNDLE_PASS_PHRASE = 'a pass phrase for tests';

const CONFIG = `
${BASE_CONFIG.replace(/SyslogLevel .*\n/, '')}
LockgateWorkers 1
AllowForeignAddress on
TLSPassPhraseProvider @DIR@/provider
${TLS_CONFIG}
TLSOptions NoSessionReuseRequired
TLSVerifyClient optional
TLSVerifyServer off
TLSCACertificateFile ${trees.clientAuthorities}
TLSPreSharedKey office hex:@DIR@/key.hex
<VirtualHost 127.0.0.1>
  Port @PORT2@
  TLSEngine on
  TLSPKCS12File @DIR@/bundle.p12
</VirtualHost>
`;

function writeFiles(directory: string): Promise<void> {
  writeFileSync(join(directory, 'key.hex'), KEY, { mode: 0o600 });
  writeFileSync(join(directory, 'bundle.p12'), Buffer.from(PBMAC1_BUNDLE, 'base64'), { mode: 0o600 });
  writeFileSync(join(directory, 'provider'), `#!/bin/sh\necho '${BUNDLE_PASS_PHRASE}'\n`);
  chmodSync(join(directory, 'provider'), 0o755);
  return Promise.resolve();
}

describe('a server in FIPS mode', { timeout: 120_000 }, () => {
  let server: ChildServer | null = null;
  let reason = '';
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    const module = needsFipsProvider({ skip: (why?: string) => (reason = why ?? '') });
    if (module === null) return;
    server = await startChildServer({ after: (step) => void cleanups.push(step as () => unknown) }, CONFIG, {
      args: fipsArguments(module),
      beforeStart: writeFiles,
    });
  });
  after(async () => {
    for (const step of cleanups.reverse()) await step();
  });

  const promise = (name: string, run: (server: ChildServer) => Promise<void>): void => {
    test(name, LIMIT, async (t) => {
      if (server === null) return t.skip(reason);
      await run(server);
    });
  };

  async function secured(port: number, options: ClientTlsOptions): Promise<FtpClient> {
    const client = await FtpClient.connect({ port, timeoutMs: 10_000 });
    cleanups.push(() => client.destroy());
    await client.authTls(options);
    // Its reply comes after the lines about the handshake.
    await client.command('NOOP');
    return client;
  }

  promise('says in the server log that FIPS mode is on, and what is known of the module', (running) => {
    const log = running.read('system.log');
    assert.match(log, /mod_tls\/[\d.]+: FIPS mode enabled$/m);
    assert.match(log, /FIPS mode \(strict\) with module .*; (not validated: |version )/);
    return Promise.resolve();
  });

  promise('logs what was negotiated at the default SyslogLevel', async (running) => {
    await secured(running.port, { maxVersion: 'TLSv1.2' });
    assert.match(
      running.read('system.log'),
      /control connection negotiated TLSv1\.2, cipher ECDHE-ECDSA-AES256-GCM-SHA384, group P-256, signature ECDSA\+SHA256/,
    );
  });

  promise(
    'a TLS 1.2 client without extended master secret gets handshake_failure, and the log says why',
    async (running) => {
      const options: ClientTlsOptions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
      const without = { ...options, secureOptions: SSL_OP_NO_EXTENDED_MASTER_SECRET };
      await assert.rejects(secured(running.port, without), /alert handshake failure/);
      // The same client with it, and with TLS 1.3, where it is always there.
      await secured(running.port, options);
      await secured(running.port, { ...without, maxVersion: 'TLSv1.3' });
      assert.match(
        running.read('tls.log'),
        /unable to accept TLS connection: client does not offer the extended master secret \(RFC 7627\), which the FIPS profile requires in TLS 1\.2/,
      );
    },
  );

  promise('a client certificate with an RSA key of 1024 bits is refused', async (running) => {
    const path = join(trees.directory, 'weak-client');
    execFileSync(
      'openssl',
      [
        'req',
        '-nodes',
        '-newkey',
        'rsa:1024',
        '-subj',
        '/CN=weak',
        '-keyout',
        `${path}.key`,
        '-out',
        `${path}.csr`,
      ],
      { stdio: 'pipe' },
    );
    const { certificate, key } = trees.theirClientCa;
    execFileSync(
      'openssl',
      [
        'x509',
        '-req',
        '-in',
        `${path}.csr`,
        '-CA',
        certificate,
        '-CAkey',
        key,
        '-days',
        '2',
        '-set_serial',
        '77',
        '-out',
        `${path}.pem`,
      ],
      { stdio: 'pipe' },
    );
    const shown = (files: { cert: string; key: string }): ClientTlsOptions => ({
      cert: readFileSync(files.cert),
      key: readFileSync(files.key),
      ciphers: 'DEFAULT:@SECLEVEL=0',
      maxVersion: 'TLSv1.2',
    });
    const weak = await FtpClient.connect({ port: running.port });
    cleanups.push(() => weak.destroy());
    await weak.authTls(shown({ cert: `${path}.pem`, key: `${path}.key` }));
    assert.equal((await weak.command('NOOP')).code, 421);
    const good = await secured(running.port, shown({ cert: trees.alice.certificate, key: trees.alice.key }));
    assert.equal((await good.command('FEAT')).code, 211);
    assert.match(
      running.read('tls.log'),
      /client certificate failed verification: an RSA key of 1024 bits is forbidden by the FIPS profile/,
    );
  });

  promise(
    'a pre-shared key authenticates in TLS 1.3, and the log does not call it a resumed session',
    async (running) => {
      const client = await secured(running.port, {
        minVersion: 'TLSv1.3',
        pskCallback: () => ({ identity: 'office', psk: Buffer.from(KEY, 'hex') }),
        ciphers: 'TLS_AES_128_GCM_SHA256',
        checkServerIdentity: () => undefined,
      });
      assert.equal((client.stream as TLSSocket).getPeerX509Certificate(), undefined);
      const log = running.read('tls.log');
      assert.match(log, /client authenticated with pre-shared key 'office'/);
      assert.match(log, /control connection negotiated TLSv1\.3, .* signature none, pre-shared key\n/);
    },
  );

  promise('a PKCS#12 bundle with PBMAC1 is opened and its certificate shown', async (running) => {
    const client = await secured(running.ports[1]!, {});
    const certificate = (client.stream as TLSSocket).getPeerX509Certificate();
    assert.equal(certificate?.checkHost('localhost'), 'localhost');
  });

  promise('SSCN: as TLS client it offers and negotiates only what the profile has', async (running) => {
    writeFileSync(join(running.homeOf('alice'), 'from.txt'), 'from one server to another\n');
    const [source, target] = await Promise.all([secured(running.port, {}), secured(running.port, {})]);
    for (const client of [source, target]) {
      assert.equal((await client.login('alice', 'secret')).code, 230);
      for (const line of ['PBSZ 0', 'PROT P', 'TYPE I']) await client.command(line);
    }
    await target.command('SSCN ON');
    const address = /\((.*)\)/.exec((await source.command('PASV')).lines.join())![1]!;
    assert.equal((await target.command(`PORT ${address}`)).code, 200);
    target.send('STOR to.txt');
    source.send('RETR from.txt');
    for (const client of [source, target]) {
      assert.equal((await client.readReply()).code, 150);
      assert.equal((await client.readReply()).code, 226, running.read('tls.log'));
    }
    assert.equal(
      readFileSync(join(running.homeOf('alice'), 'to.txt'), 'utf8'),
      'from one server to another\n',
    );
    assert.match(
      running.read('tls.log'),
      /data connection negotiated TLSv1\.3, cipher TLS_AES_256_GCM_SHA384, group P-256/,
    );
  });
});

/** A program that embeds the server, in a Node.js with these options. */
function embed(
  configFile: string,
  nodeOptions: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<ProgramResult> {
  const program = `
    import { createServer, FipsError } from 'lockgate';
    const server = createServer({ file: ${JSON.stringify(configFile)}, anyPort: true, workers: 1 });
    try {
      await server.listen();
      console.log('listening');
    } catch (error) {
      console.log(error instanceof FipsError, server.address(), error.message);
    }
    await server.close();`;
  return runProgram(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--conditions=lockgate-source',
      ...nodeOptions,
      '--input-type=module',
      '--eval',
      program,
    ],
    { env: { ...process.env, ...environment }, timeoutMs: 30_000 },
  );
}

test('an embedded server that is asked for FIPS mode has it or does not listen', LIMIT, async (t) => {
  const { configFile, directory, read } = await prepare(t, BASE_CONFIG);
  const asked = { LOCKGATE_FIPS: '1' };
  const refused = await embed(configFile, [], asked);
  assert.match(
    refused.stdout,
    /^true null unable to use FIPS mode: this process is not in it; start the program with/,
  );
  assert.match((await embed(configFile, [], { LOCKGATE_FIPS: '0' })).stdout, /^listening/);

  const module = needsFipsProvider(t);
  if (module === null) return;
  const state = join(directory, 'state');
  assert.equal((await lockgate(state, ['fips', 'install', '--fips-module', module])).code, 0);
  const options = fipsNodeOptions(join(state, 'fips', 'openssl.cnf'), 'strict');
  const inside = await embed(configFile, options, asked);
  assert.match(inside.stdout, /^listening/, inside.stderr);
  assert.match(read('system.log'), /mod_tls\/[\d.]+: FIPS mode enabled/);
});
