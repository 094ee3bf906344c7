/** Acceptance scenarios 34-40: protocol versions, ciphers, and certificates that cannot be used. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { collect, type ClientTlsOptions } from '../support/ftp-client.ts';
import {
  baseTls,
  onlyVersion,
  protectedList,
  sClient,
  seedConfig,
  startSeedServer,
  tryConfig,
  type SeedServer,
} from '../support/seed-server.ts';

const LIMIT = { timeout: 30_000 };
const trees = certificateTrees();
const folder = mkdtempSync(join(tmpdir(), 'lockgate-seed-'));

const CIPHER = 'ECDHE-RSA-AES256-GCM-SHA384';
const NO_PEM = { TLSRSACertificateFile: null, TLSRSACertificateKeyFile: null };

/** TLSPassPhraseProvider answers for the PKCS#12 bundle only, and notes what it was asked. */
const provider = join(folder, 'provider');
const asked = join(folder, 'asked');

let seed: SeedServer;
let shared: SeedServer;

before(async () => {
  const answer = `printf '%s\\n' "$1" "$2" >> ${asked}\n[ "$2" = PKCS12 ] && echo '${trees.passPhrase}'`;
  writeFileSync(provider, `#!/bin/sh\n${answer}\n`);
  chmodSync(provider, 0o755);
  [seed, shared] = await Promise.all([
    startSeedServer(
      {
        default: baseTls(),
        any: baseTls({ TLSProtocol: 'SSLv23' }),
        cipher: baseTls({ TLSCipherSuite: CIPHER }),
        'no-certificates': 'TLSEngine on',
        old: baseTls({ TLSProtocol: 'TLSv1.1 TLSv1.2' }),
        bundle: baseTls({ ...NO_PEM, TLSPKCS12File: trees.bundle }),
        'encrypted-bundle': baseTls({ ...NO_PEM, TLSPKCS12File: trees.encryptedBundle }),
      },
      // In the main section these bind the main server only.
      { main: `TLSPassPhraseProvider ${provider}\n${baseTls({ TLSProtocol: 'TLSv1.2' })}` },
    ),
    startSeedServer(
      { first: '', second: '' },
      { main: `<Global>\n${baseTls({ TLSProtocol: 'TLSv1.2' })}</Global>` },
    ),
  ]);
});

after(async () => {
  await Promise.all([seed?.close(), shared?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

test(
  '34: TLSProtocol TLSv1.2 admits TLS 1.2 only: everywhere from <Global>, elsewhere in its own server',
  LIMIT,
  async () => {
    const bound = [
      [seed, 'main'],
      [shared, 'main'],
      [shared, 'first'],
      [shared, 'second'],
    ] as const;
    for (const [server, name] of bound) {
      assert.equal(await negotiate(server, name, onlyVersion('TLSv1.2')), 'TLSv1.2');
      for (const version of ['TLSv1.3', 'TLSv1.1'] as const) {
        await assert.rejects(negotiate(server, name, onlyVersion(version)), /alert protocol version/);
      }
    }
    assert.equal(await negotiate(seed, 'default', onlyVersion('TLSv1.3')), 'TLSv1.3');
    assert.equal(await negotiate(seed, 'default', onlyVersion('TLSv1.2')), 'TLSv1.2');
  },
);

test('35: SSLv2 and SSLv3 hellos are refused, also where TLSProtocol says SSLv23', LIMIT, async () => {
  for (const name of ['any', 'default']) {
    for (const hello of [sslV2Hello(), sslV3Hello()]) {
      const log = seed.tlsLog(name);
      const client = await seed.connect(name);
      assert.equal((await client.command('AUTH TLS')).code, 234);
      const answer = readToEnd(client.tcp);
      client.sendRaw(hello);
      // Nothing, or an alert (21); never a ServerHello (22).
      assert.notEqual((await answer)[0], 22);
      await log.line(/TLS\/TLS-C negotiation failed on control channel/);
    }
  }
  assert.equal(await negotiate(seed, 'any', {}), 'TLSv1.3');
});

test(
  '36: a client without the configured cipher is refused, and the log names the reason',
  LIMIT,
  async () => {
    const log = seed.tlsLog('cipher');
    const other = { ...onlyVersion('TLSv1.2'), ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };
    await assert.rejects(negotiate(seed, 'cipher', other), /alert handshake failure/);
    await log.inOrder(
      /TLS\/TLS-C requested, starting TLS handshake/,
      /unable to accept TLS connection: .*no shared cipher/,
      /TLS\/TLS-C negotiation failed on control channel/,
    );
    await log.line(new RegExp(`client does not support any cipher from 'TLSCipherSuite ${CIPHER}`));
    assert.equal(await negotiate(seed, 'cipher', { ...other, ciphers: CIPHER }), 'TLSv1.2');
  },
);

test(
  '37: certificates of the main section do not serve a virtual host, those of <Global> do',
  LIMIT,
  async () => {
    const log = seed.tlsLog('no-certificates');
    const client = await seed.connect('no-certificates');
    assert.equal((await client.command('AUTH TLS')).code, 431);
    await log.line(/Unable to accept AUTH TLS due to lack of certificates/);
    const cured = await shared.connect('first');
    await cured.loginTls('alice', 'secret');
    assert.equal((await protectedList(cured)).final.code, 226);
  },
);

test(
  '38: a client of a disabled version gets protocol_version, and the log says what it asked for',
  LIMIT,
  async () => {
    const log = seed.tlsLog('old');
    await assert.rejects(negotiate(seed, 'old', onlyVersion('TLSv1')), /alert protocol version/);
    await log.inOrder(
      /TLS\/TLS-C requested, starting TLS handshake/,
      /unable to accept TLS connection: protocol error: .*(unsupported protocol|wrong version number)/,
      /TLS\/TLS-C negotiation failed on control channel/,
    );
    await log.line(/perhaps client requested disabled TLS protocol version: TLSv1$/);
    const openssl = await sClient(seed.port('old'), ['-tls1', '-cipher', 'DEFAULT:@SECLEVEL=0']);
    assert.equal(openssl.code, 1);
    assert.match(openssl.stderr, /alert protocol version/);
  },
);

test(
  '39: a certificate file of the wrong format or key type stops the start and names the directive',
  LIMIT,
  async () => {
    const disguised = join(folder, 'disguised.pem');
    copyFileSync(trees.bundle, disguised);
    const wrong = [
      [
        { TLSRSACertificateFile: disguised },
        new RegExp(`TLSRSACertificateFile: unable to use '${disguised}': `),
      ],
      [
        { TLSRSACertificateFile: trees.certAEc.certificate, TLSRSACertificateKeyFile: trees.certAEc.key },
        /TLSRSACertificateFile: certificate '.*': expected RSA certificate, found EC/,
      ],
    ] as const;
    await Promise.all(
      wrong.map(async ([files, expected], index) => {
        const result = await tryConfig(join(folder, `39-${index}`), seedConfig({ one: baseTls(files) }));
        assert.equal(result.code, 1, result.stderr);
        assert.match(result.stderr, expected);
      }),
    );
  },
);

test('40: a PKCS#12 bundle alone serves like PEM files, with and without a pass phrase', LIMIT, async () => {
  // The bundle without a pass phrase asked for none.
  const request = readFileSync(asked, 'utf8');
  assert.equal(request, `TJ's FTPS Server:${seed.port('encrypted-bundle')}\nPKCS12\n`);
  for (const name of ['bundle', 'encrypted-bundle']) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const client = await seed.connect(name);
      await client.loginTls('alice', 'secret', onlyVersion(version));
      assert.equal((client.stream as TLSSocket).getPeerCertificate().subject.CN, 'certA');
      assert.equal((await protectedList(client, onlyVersion(version))).final.code, 226);
    }
  }
});

/** The version agreed on; rejects with the alert. */
async function negotiate(
  server: SeedServer,
  name: string,
  options: ClientTlsOptions,
): Promise<string | null> {
  const client = await server.connect(name);
  assert.equal((await client.authTls(options)).code, 234);
  const version = (client.stream as TLSSocket).getProtocol();
  assert.equal((await client.login('alice', 'secret')).code, 230);
  await client.quit();
  return version;
}

/** SSLv2 CLIENT-HELLO: version 2, three ciphers, sixteen bytes of challenge. */
function sslV2Hello(): Buffer {
  const ciphers = [0x01, 0x00, 0x80, 0x07, 0x00, 0xc0, 0x05, 0x00, 0x80];
  const body = [0x01, 0x00, 0x02, 0x00, ciphers.length, 0x00, 0x00, 0x00, 0x10, ...ciphers];
  const challenge = Array.from({ length: 16 }, (_, index) => index);
  return Buffer.from([0x80, body.length + challenge.length, ...body, ...challenge]);
}

/** SSL 3.0 ClientHello (RFC 6101, section 5.6.1.2) without extensions. */
function sslV3Hello(): Buffer {
  const ciphers = [0x00, 0x2f, 0x00, 0x35, 0x00, 0x0a];
  const random = Array.from({ length: 32 }, (_, index) => index);
  const body = [0x03, 0x00, ...random, 0x00, 0x00, ciphers.length, ...ciphers, 0x01, 0x00];
  return Buffer.from([22, 3, 0, 0, body.length + 4, 1, 0, 0, body.length, ...body]);
}

/** Everything until the server closes; a reset is a way to close. */
async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await collect(socket).catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'ECONNRESET'));
  if (!socket.destroyed) await once(socket, 'close');
  return Buffer.concat(chunks);
}
