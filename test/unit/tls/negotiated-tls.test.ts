/** What the server reads of a finished handshake, beside what the client knows of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import {
  connect,
  createSecureContext,
  TLSSocket,
  type ConnectionOptions,
  type SecureContextOptions,
} from 'node:tls';
import fc from 'fast-check';
import {
  negotiatedTls,
  negotiationLine,
  outsideProfile,
  type NegotiatedTls,
} from '../../../crypto/negotiated-tls.ts';
import { defaultProfile, fipsProfile } from '../../../crypto/profile.ts';
import { parseTlsSession } from '../../../crypto/tls-session-fields.ts';
import { certificateTrees } from '../../support/certificates.ts';
import { recordClientHello } from '../../support/client-hello.ts';
import { parseClientHello } from '../../../workers/ftp/tls/client-hello.ts';
import { refuseByProfile } from '../../../workers/ftp/tls/profile-gate.ts';

const FIPS = fipsProfile('3.5.7');
const SSL_OP_NO_EXTENDED_MASTER_SECRET = 0x1;
const SSL_OP_CIPHER_SERVER_PREFERENCE = 0x400000;
const limit = { timeout: 20_000 };

interface Observed {
  readonly tls: NegotiatedTls;
  readonly session: Buffer | undefined;
}

function serverContext(options: SecureContextOptions = {}) {
  const { certA, certAEc } = certificateTrees();
  const pems = [certAEc, certA].map((files) => readFileSync(files.combined, 'utf8'));
  return createSecureContext({
    cert: pems,
    key: pems,
    secureOptions: SSL_OP_CIPHER_SERVER_PREFERENCE,
    sessionIdContext: 'test',
    ...options,
  });
}

async function handshake(client: ConnectionOptions, context = serverContext()): Promise<Observed> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...client });
  let session: Buffer | undefined;
  socket.on('session', (bytes: Buffer) => (session = bytes));
  const [raw] = await accepted;
  const secured = new TLSSocket(raw, { isServer: true, secureContext: context });
  await once(secured, 'secure');
  const tls = negotiatedTls(secured);
  const closed = once(socket, 'close');
  secured.end('x');
  socket.resume();
  await closed;
  server.close();
  return { tls, session };
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: the group is the one the client asked for`, limit, async () => {
    const groups = ['P-256', 'P-384', 'P-521', 'X25519'];
    const context = serverContext({ ecdhCurve: groups.join(':') });
    for (const group of groups) {
      const { tls } = await handshake(
        { ecdhCurve: group, minVersion: version, maxVersion: version },
        context,
      );
      assert.equal(tls.group, group);
      assert.equal(tls.protocol, version);
      assert.equal(tls.extendedMasterSecret, true);
    }
  });

  test(`${version}: the signature is one the certificate in use can make`, limit, async () => {
    const signature = async (sigalgs: string): Promise<string | null> =>
      (await handshake({ sigalgs, minVersion: version, maxVersion: version })).tls.signature;
    assert.equal(await signature('rsa_pss_rsae_sha384'), 'RSA-PSS+SHA384');
    assert.equal(await signature('ecdsa_secp256r1_sha256'), 'ECDSA+SHA256');
    assert.equal(await signature('rsa_pss_rsae_sha512:rsa_pkcs1_sha256'), 'RSA-PSS+SHA512');
  });

  test(`${version}: a resumed session says so, and has no signature`, limit, async () => {
    const context = serverContext();
    const first = await handshake({ minVersion: version, maxVersion: version }, context);
    assert.ok(first.session !== undefined && first.tls.signature !== null);
    const again = await handshake(
      { minVersion: version, maxVersion: version, session: first.session },
      context,
    );
    assert.equal(again.tls.resumed, true);
    assert.equal(again.tls.signature, null);
    assert.notEqual(again.tls.group, null);
    assert.match(
      negotiationLine(again.tls, 'data'),
      /^data connection negotiated .*signature none, resumed session$/,
    );
  });
}

test('a hybrid group has its name, and a session without extended master secret shows', limit, async () => {
  const context = serverContext({ ecdhCurve: 'SecP256r1MLKEM768' });
  assert.equal((await handshake({ ecdhCurve: 'SecP256r1MLKEM768' }, context)).tls.group, 'SecP256r1MLKEM768');
  const old = await handshake({ maxVersion: 'TLSv1.2', secureOptions: SSL_OP_NO_EXTENDED_MASTER_SECRET });
  assert.equal(old.tls.extendedMasterSecret, false);
});

test('RSA key transport has neither group nor signature', limit, async () => {
  const ciphers = 'AES256-GCM-SHA384';
  const { tls } = await handshake({ maxVersion: 'TLSv1.2', ciphers }, serverContext({ ciphers }));
  assert.deepEqual([tls.cipher, tls.group, tls.signature], [ciphers, null, null]);
  assert.equal(outsideProfile(tls, FIPS), `cipher ${ciphers}`);
});

const INSIDE: NegotiatedTls = {
  protocol: 'TLSv1.2',
  cipher: 'ECDHE-RSA-AES256-GCM-SHA384',
  bits: 256,
  resumed: false,
  preSharedKey: false,
  group: 'P-256',
  signature: 'RSA-PSS+SHA256',
  extendedMasterSecret: true,
};

test('every part of a negotiation outside the FIPS profile is named; the default profile ends none', () => {
  const outside: readonly (readonly [Partial<NegotiatedTls>, string])[] = [
    [{ protocol: 'TLSv1.1' }, 'protocol TLSv1.1'],
    [{ cipher: 'ECDHE-RSA-CHACHA20-POLY1305' }, 'cipher ECDHE-RSA-CHACHA20-POLY1305'],
    [{ protocol: 'TLSv1.3', cipher: 'TLS_CHACHA20_POLY1305_SHA256' }, 'cipher TLS_CHACHA20_POLY1305_SHA256'],
    [{ group: 'X25519' }, 'group X25519'],
    [{ group: null }, 'group none'],
    [{ extendedMasterSecret: false }, 'no extended master secret (RFC 7627)'],
    [{ signature: 'RSA+SHA1' }, 'signature RSA+SHA1'],
  ];
  assert.equal(outsideProfile(INSIDE, FIPS), null);
  for (const [change, expected] of outside) {
    assert.equal(outsideProfile({ ...INSIDE, ...change }, FIPS), expected);
    assert.equal(outsideProfile({ ...INSIDE, ...change }, defaultProfile()), null);
  }
});

test(
  'a TLS 1.2 client without extended master secret is refused before the handshake, under FIPS only',
  limit,
  async () => {
    const hello = async (options: ConnectionOptions) => {
      const result = parseClientHello(await recordClientHello(options));
      assert.equal(result.kind, 'hello');
      return result.kind === 'hello' ? result.hello : null;
    };
    const versions = ['TLSv1.2', 'TLSv1.3'];
    const without = await hello({ maxVersion: 'TLSv1.2', secureOptions: SSL_OP_NO_EXTENDED_MASTER_SECRET });
    const refusal = refuseByProfile(without, versions, FIPS);
    assert.match(refusal?.lines[0] ?? '', /does not offer the extended master secret \(RFC 7627\)/);
    // RFC 7627, section 5.3: handshake_failure.
    assert.deepEqual(refusal?.alert, Buffer.from([21, 3, 1, 0, 2, 2, 40]));
    assert.equal(refuseByProfile(without, versions, defaultProfile()), null);
    assert.equal(refuseByProfile(await hello({ maxVersion: 'TLSv1.2' }), versions, FIPS), null);
    const modern = await hello({ secureOptions: SSL_OP_NO_EXTENDED_MASTER_SECRET });
    assert.equal(refuseByProfile(modern, versions, FIPS), null);
    assert.notEqual(refuseByProfile(modern, ['TLSv1.2'], FIPS), null);
  },
);

test('bytes that are no session are null or harmless, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      parseTlsSession(Buffer.from(bytes));
      parseTlsSession(Buffer.from([0x30, bytes.length & 0x7f, ...bytes]));
    }),
  );
  assert.equal(parseTlsSession(Buffer.alloc(0)), null);
});
