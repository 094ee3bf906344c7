/** TLSVerifyOrder with ocsp: what a client with a certificate meets, and what the TLSLog says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { certificateTrees, issueCertificate, type CertificateFiles } from '../support/certificates.ts';
import { FtpClient, type ClientTlsOptions } from '../support/ftp-client.ts';
import { startOcspResponder, type OcspResponder } from '../support/ocsp-responder.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';

const limits = { timeout: 30_000 };
const trees = certificateTrees();
let responder: OcspResponder;
let server: TlsServer;

before(async () => {
  responder = await startOcspResponder(trees.theirClientCa);
  server = await startTlsServer(`TLSEngine on
TLSECCertificateFile ${trees.certAEc.combined}
TLSCACertificateFile ${trees.clientAuthorities}
TLSVerifyClient on
TLSVerifyOrder ocsp crl
TLSUserName CommonName`);
});

after(async () => {
  assert.deepEqual(server?.bugs, []);
  await server?.close();
  await responder?.[Symbol.asyncDispose]();
});

function client(name: string, commonName: string): CertificateFiles {
  const { theirClientCa: issuer } = trees;
  return issueCertificate({ name, commonName, issuer, usage: 'clientAuth', responder: responder.url });
}

/** Code of the answer to USER, 0 where the connection was closed without one. */
async function user(files: CertificateFiles, tls: ClientTlsOptions = {}): Promise<number> {
  const connection = await FtpClient.connect({ port: server.port });
  try {
    await connection.authTls({ key: readFileSync(files.key), cert: readFileSync(files.certificate), ...tls });
    return (await connection.command('USER alice')).code;
  } catch {
    return 0;
  } finally {
    connection.destroy();
    await server.idle();
  }
}

test(
  'a certificate its responder calls good logs in; data connections do not ask again',
  limits,
  async () => {
    const good = client('order-good', 'alice');
    responder.set(good, 'good');
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
      assert.equal(await user(good, { minVersion: version, maxVersion: version }), 232);
    const asked = responder.requests;
    const connection = await FtpClient.connect({ port: server.port });
    await connection.authTls({ key: readFileSync(good.key), cert: readFileSync(good.certificate) });
    assert.equal((await connection.command('USER alice')).code, 232);
    for (const line of ['PBSZ 0', 'PROT P']) assert.equal((await connection.command(line)).code, 200);
    const { final } = await connection.download('RETR hello.txt', { tls: { session: 'resume' } });
    assert.equal(final.code, 226);
    assert.equal(responder.requests, asked + 1);
    connection.destroy();
  },
);

test('a revoked one is refused with the documented lines', limits, async () => {
  const revoked = client('order-revoked', 'alice');
  responder.set(revoked, 'revoked');
  const from = server.log.length;
  assert.match(String(await user(revoked)), /^(0|421)$/);
  const lines = server.log.slice(from).join('\n');
  assert.match(lines, /OCSP responder http:\/\/127\.0\.0\.1:\d+\/ at depth 0: revoked/);
  assert.match(lines, /error: unable to verify certificate at depth 0: certificate revoked/);
  assert.match(lines, /error: cert subject: \/O=Tests\/CN=alice/);
  assert.match(lines, /client certificate failed verification: certificate revoked/);
});

test('a responder that does not answer is a refusal that says so', limits, async () => {
  const known = client('order-known', 'alice');
  responder.behave({ kind: 'send', status: 503, type: 'text/plain', body: Buffer.from('later') });
  const from = server.log.length;
  assert.match(String(await user(known)), /^(0|421)$/);
  assert.match(server.log.slice(from).join('\n'), /OCSP check at depth 0 failed: http:\S+ HTTP status 503/);
  assert.match(
    server.log.slice(from).join('\n'),
    /client certificate failed verification: OCSP verification failed/,
  );
  responder.behave({ kind: 'answer' });
});

test('a certificate without responder passes and leaves a line', limits, async () => {
  const from = server.log.length;
  assert.equal(await user(trees.alice), 232);
  assert.match(
    server.log.slice(from).join('\n'),
    /OCSP not checked at depth 0: the certificate names no http responder/,
  );
});
