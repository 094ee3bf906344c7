/** TLS directives: each configuration, and what a client's handshake then finds out. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createDiffieHellmanGroup } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { certificateTrees, type CertificateFiles } from '../support/certificates.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

const trees = certificateTrees();
const limits = { timeout: 30_000 };
const servers: TlsServer[] = [];

after(async () => {
  for (const server of servers) {
    assert.deepEqual(server.bugs, []);
    await server.close();
  }
});

const CERTIFICATES = `
TLSRSACertificateFile ${trees.certA.certificate}
TLSRSACertificateKeyFile ${trees.certA.key}
TLSECCertificateFile ${trees.certAEc.combined}
TLSCACertificateFile ${trees.clientAuthorities}
`;

async function start(text: string, certificates = CERTIFICATES): Promise<TlsServer> {
  const server = await startTlsServer(`TLSEngine on\n${certificates}\n${text}`);
  servers.push(server);
  return server;
}

/** What a client learns of its connection. */
interface Learnt {
  readonly cipher: string;
  readonly ephemeral: object;
  readonly alpnProtocol: string | false | null;
  readonly hasTicket: boolean;
}

/** Null when the server refused the client. */
async function handshake(server: TlsServer, tls: ClientTlsOptions): Promise<Learnt | null> {
  const client = await FtpClient.connect({ port: server.port });
  try {
    await client.authTls(tls);
    const socket = client.stream as TLSSocket;
    // In TLS 1.3 a refusal shows only with the first answer.
    if ((await client.command('USER alice')).code !== 331) return null;
    return {
      cipher: socket.getCipher().name,
      ephemeral: { ...socket.getEphemeralKeyInfo() },
      alpnProtocol: socket.alpnProtocol,
      hasTicket: socket.getTLSTicket() !== undefined,
    };
  } catch {
    return null;
  } finally {
    client.destroy();
    await server.idle();
  }
}

const TLS12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
const TLS13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;

/** RFC 3526 group 15 (3,072 bits) as PEM: SEQUENCE { INTEGER p, INTEGER g }. */
function dhParameters(group: string): string {
  const integer = (bytes: Buffer): Buffer =>
    tagged(2, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
  const tagged = (tag: number, body: Buffer): Buffer => {
    const length =
      body.length < 128 ? Buffer.of(body.length) : Buffer.of(0x82, body.length >> 8, body.length & 255);
    return Buffer.concat([Buffer.of(tag), length, body]);
  };
  const dh = createDiffieHellmanGroup(group);
  const der = tagged(0x30, Buffer.concat([integer(dh.getPrime()), integer(dh.getGenerator())]));
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n');
  return `-----BEGIN DH PARAMETERS-----\n${lines}\n-----END DH PARAMETERS-----\n`;
}

const CHOICES: readonly (readonly [config: string, tls: ClientTlsOptions, cipher: string])[] = [
  [
    'TLSServerCipherPreference on',
    { ...TLS12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384' },
    'ECDHE-RSA-AES256-GCM-SHA384',
  ],
  [
    'TLSServerCipherPreference off',
    { ...TLS12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384' },
    'ECDHE-RSA-AES128-GCM-SHA256',
  ],
  ['TLSCipherSuite ECDHE-RSA-AES128-GCM-SHA256', TLS12, 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLSCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256', TLS13, 'TLS_AES_128_GCM_SHA256'],
  ['TLSCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256', TLS13, 'TLS_CHACHA20_POLY1305_SHA256'],
  ['SSLCipherSuite ECDHE-ECDSA-AES256-GCM-SHA384', TLS12, 'ECDHE-ECDSA-AES256-GCM-SHA384'],
];

test('TLSCipherSuite and TLSServerCipherPreference choose the cipher', limits, async () => {
  for (const [config, tls, cipher] of CHOICES) {
    const learnt = await handshake(await start(config), tls);
    assert.equal(learnt?.cipher, cipher, config);
  }
});

const GROUPS: readonly (readonly [config: string, tls: ClientTlsOptions, group: unknown])[] = [
  ['TLSECDHCurve secp384r1', {}, { type: 'ECDH', name: 'secp384r1', size: 384 }],
  ['TLSECDHCurve secp384r1', { ecdhCurve: 'prime256v1' }, null],
  [
    'TLSECDHCurve prime256v1:secp384r1',
    { ecdhCurve: 'secp384r1' },
    { type: 'ECDH', name: 'secp384r1', size: 384 },
  ],
  ['TLSOptions NoAutoECDH', { ecdhCurve: 'secp384r1' }, null],
  ['TLSOptions NoAutoECDH', {}, { type: 'ECDH', name: 'prime256v1', size: 256 }],
];

test('TLSECDHCurve and NoAutoECDH choose the group', limits, async () => {
  for (const [config, tls, group] of GROUPS) {
    const learnt = await handshake(await start(config), {
      ...TLS12,
      ciphers: 'ECDHE+AESGCM',
      ...tls,
    });
    assert.deepEqual(learnt?.ephemeral ?? null, group, config);
  }
});

test('TLSDHParamFile gives the group of DHE; short ones count with AllowWeakDH only', limits, async () => {
  const long = join(trees.directory, 'dh-3072.pem');
  writeFileSync(long, dhParameters('modp15'));
  const short = join(trees.directory, 'dh-1024.pem');
  writeFileSync(short, dhParameters('modp2'));
  const dhe = { ...TLS12, ciphers: 'DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0', minDHSize: 1_024 };
  for (const [config, size] of [
    [`TLSDHParamFile ${long}`, 3_072],
    ['', 2_048],
    [`TLSDHParamFile ${short}\nTLSOptions AllowWeakDH AllowWeakSecurity`, 1_024],
    [`TLSDHParamFile ${short}`, 2_048],
  ] as const) {
    const learnt = await handshake(await start(config), dhe);
    assert.deepEqual(learnt?.ephemeral, { type: 'DH', name: undefined, size }, config);
  }
});

test('TLSNextProtocol off answers no ALPN', limits, async () => {
  for (const [config, protocol] of [
    ['TLSNextProtocol off', false],
    ['TLSNextProtocol on', 'ftp'],
  ] as const) {
    const learnt = await handshake(await start(config), { ALPNProtocols: ['ftp'] });
    assert.equal(learnt?.alpnProtocol, protocol, config);
  }
});

function as(client: CertificateFiles, more: ClientTlsOptions = {}): ClientTlsOptions {
  return { cert: readFileSync(client.certificate), key: readFileSync(client.key), ...more };
}

test('TLSCACertificatePath and TLSCARevocationPath: what lies in the folders counts', limits, async () => {
  const authorities = join(trees.directory, 'authorities');
  const lists = join(trees.directory, 'lists');
  for (const folder of [authorities, lists]) mkdirSync(folder, { recursive: true });
  copyFileSync(trees.clientAuthorities, join(authorities, 'all.pem'));
  copyFileSync(trees.revocationList, join(lists, 'list.pem'));
  writeFileSync(join(lists, 'README'), 'no list');
  const own = `TLSECCertificateFile ${trees.certAEc.combined}\nTLSVerifyClient on\n`;
  const trusting = await start('', `${own}TLSCACertificatePath ${authorities}`);
  assert.notEqual(await handshake(trusting, as(trees.alice)), null);
  assert.notEqual(await handshake(trusting, as(trees.revoked)), null);
  assert.equal(await handshake(trusting, as(trees.foreignClient)), null);
  const checking = await start('', `${own}TLSCACertificatePath ${authorities}\nTLSCARevocationPath ${lists}`);
  assert.notEqual(await handshake(checking, as(trees.alice)), null);
  assert.equal(await handshake(checking, as(trees.revoked)), null);
  const distrusting = await start('', `${own}TLSCACertificateFile ${trees.myRootCa.certificate}`);
  assert.equal(await handshake(distrusting, as(trees.alice)), null);
});

test(
  'CommonNameRequired and dNSNameRequired compare the certificate with the name of the client',
  limits,
  async () => {
    for (const option of ['CommonNameRequired', 'dNSNameRequired']) {
      const server = await start(`TLSVerifyClient on\nUseReverseDNS on\nTLSOptions ${option}`);
      assert.equal(await handshake(server, as(trees.alice)), null, option);
      assert.match(
        server.log.join('\n'),
        /client cert CommonName does not match client FQDN|client cert dNSName SANs do not match remote name/,
      );
      const waived = await start(`TLSVerifyClient on\nUseReverseDNS off\nTLSOptions ${option}`);
      assert.notEqual(await handshake(waived, as(trees.alice)), null, `${option} without names`);
    }
  },
);

test('IgnoreSNI serves a client whose name nobody has', limits, async () => {
  const alias = 'ServerAlias ftp.example.org\n';
  assert.equal(await handshake(await start(alias), { servername: 'other.example.org' }), null);
  assert.notEqual(
    await handshake(await start(`${alias}TLSOptions IgnoreSNI`), { servername: 'other.example.org' }),
    null,
  );
});

test('TLSSessionTickets decides whether TLS 1.2 gets a ticket', limits, async () => {
  for (const [config, hasTicket] of [
    ['TLSSessionTickets on', true],
    ['TLSSessionTickets off', false],
  ] as const) {
    const learnt = await handshake(await start(config), TLS12);
    assert.equal(learnt?.hasTicket, hasTicket, config);
  }
});

test('EnableDiags tells about resumed data sessions', limits, async () => {
  for (const [config, told] of [
    ['TLSOptions EnableDiags', true],
    ['', false],
  ] as const) {
    const server = await start(config);
    const client = await FtpClient.connect({ port: server.port });
    await client.loginTls('alice', 'secret', TLS12);
    assert.equal(
      (await client.download('NLST', { tls: { session: 'resume', options: TLS12 } })).final.code,
      226,
    );
    assert.equal(server.log.includes('client reused TLS session for data connection'), told, config);
    client.destroy();
  }
});

test('TLSDSACertificateFile serves DSS ciphers where weak security is allowed', limits, async () => {
  const file = (name: string): string => join(trees.directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  openssl(
    'genpkey',
    '-genparam',
    '-algorithm',
    'DSA',
    '-pkeyopt',
    'dsa_paramgen_bits:1024',
    '-out',
    file('dsa.param'),
  );
  openssl('genpkey', '-paramfile', file('dsa.param'), '-out', file('dsa.key'));
  openssl('req', '-x509', '-key', file('dsa.key'), '-subj', '/CN=dsa', '-days', '2', '-out', file('dsa.pem'));
  const server = await start(
    'TLSOptions AllowWeakSecurity\nTLSCipherSuite DHE-DSS-AES256-GCM-SHA384:@SECLEVEL=0',
    `TLSDSACertificateFile ${file('dsa.pem')}\nTLSDSACertificateKeyFile ${file('dsa.key')}`,
  );
  const learnt = await handshake(server, {
    ...TLS12,
    ciphers: 'DHE-DSS-AES256-GCM-SHA384:@SECLEVEL=0',
    sigalgs: 'DSA+SHA256',
  });
  assert.equal(learnt?.cipher, 'DHE-DSS-AES256-GCM-SHA384', server.log.join('\n'));
});
