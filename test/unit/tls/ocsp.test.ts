import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { parseCertificates, parseRevocationLists } from '../../../crypto/certificate-files.ts';
import { verifyClientCertificate, type ClientVerification } from '../../../crypto/client-verification.ts';
import { queryOcsp, type OcspAnswer, type OcspQuery } from '../../../crypto/ocsp-client.ts';
import { isResponderUrl, ocspRequest, responderUrls } from '../../../crypto/ocsp-request.ts';
import { readOcspResponse, TRY_LATER_RESPONSE } from '../../../crypto/ocsp-response.ts';
import { certificateTrees, issueCertificate, type CertificateFiles } from '../../support/certificates.ts';
import { startOcspResponder, type OcspResponder } from '../../support/ocsp-responder.ts';

const limits = { timeout: 20_000 };
const trees = certificateTrees();
const authority = trees.theirClientCa;
let responder: OcspResponder;
let erin: CertificateFiles;

before(async () => {
  responder = await startOcspResponder(authority);
  erin = client('erin');
});
after(() => responder[Symbol.asyncDispose]());

function client(name: string, url = responder.url): CertificateFiles {
  return issueCertificate({ name, commonName: name, issuer: authority, usage: 'clientAuth', responder: url });
}

function x509(files: CertificateFiles): X509Certificate {
  return new X509Certificate(readFileSync(files.certificate));
}

function ask(certificate: CertificateFiles, more: Partial<OcspQuery> = {}): Promise<OcspAnswer> {
  return queryOcsp({
    certificate: x509(certificate),
    issuer: x509(authority),
    timeoutMs: 5_000,
    withNonce: true,
    verifySignature: true,
    ...more,
  });
}

function text(answer: OcspAnswer): string {
  return answer.ok ? answer.status : answer.reason.replace(/^http:\S+ /, '');
}

async function verify(files: CertificateFiles, more: Partial<ClientVerification>): Promise<string> {
  const outcome = await verifyClientCertificate({
    leaf: x509(files),
    presented: [],
    anchors: parseCertificates(readFileSync(trees.clientAuthorities)).map(({ certificate }) => certificate),
    revocationLists: [],
    maximumDepth: 9,
    now: new Date(),
    ocspTimeoutMs: 5_000,
    ...more,
  });
  return outcome.ok ? 'verified' : `${outcome.depth}: ${outcome.reason}`;
}

test("a responder's good, revoked and unknown are told apart", limits, async () => {
  responder.behave({ kind: 'answer' });
  assert.equal(text(await ask(erin)), 'unknown');
  responder.set(erin, 'good');
  assert.equal(text(await ask(erin)), 'good');
  const frank = client('frank');
  responder.set(frank, 'revoked');
  assert.equal(text(await ask(frank)), 'revoked');
});

test('a responder appointed by the issuer signs for it, any other certificate does not', limits, async () => {
  responder.set(erin, 'good');
  const signer = issueCertificate({
    name: 'ocsp-signer',
    commonName: 'responder',
    issuer: authority,
    usage: 'OCSPSigning',
  });
  responder.behave({ kind: 'answer', signer, options: ['-ndays', '2'] });
  assert.equal(text(await ask(erin)), 'good');
  const refusal = 'the signature is not of the issuer or a responder it appointed';
  for (const other of [trees.alice, trees.myServerCa]) {
    responder.behave({ kind: 'answer', signer: other, options: ['-ndays', '2'] });
    assert.equal(text(await ask(erin)), refusal);
    assert.equal(text(await ask(erin, { verifySignature: false })), 'good');
  }
  responder.behave({ kind: 'answer' });
});

test(
  'an answer about another certificate, to another nonce, or out of date does not count',
  limits,
  async () => {
    responder.set(erin, 'good');
    const answer = await ask(erin);
    assert.ok(answer.ok);
    const judge = async (more: object): Promise<string> => {
      const verdict = await readOcspResponse(answer.der, {
        certificate: x509(erin),
        issuer: x509(authority),
        nonce: null,
        now: new Date(),
        verifySignature: true,
        ...more,
      });
      return verdict.ok ? verdict.status : verdict.reason;
    };
    assert.equal(await judge({}), 'good');
    assert.equal(await judge({ certificate: x509(trees.bob) }), 'the response is about another certificate');
    assert.equal(await judge({ nonce: Buffer.alloc(32) }), 'the response repeats another nonce');
    const day = 86_400_000;
    assert.equal(await judge({ now: new Date(Date.now() + 3 * day) }), 'the response has expired');
    assert.equal(await judge({ now: new Date(Date.now() - day) }), 'the response is not yet valid');
  },
);

test('one changed byte anywhere in a response never makes it good for a forger', limits, async () => {
  responder.set(erin, 'revoked');
  const answer = await ask(erin);
  assert.ok(answer.ok && answer.status === 'revoked');
  const expected = {
    certificate: x509(erin),
    issuer: x509(authority),
    nonce: null,
    now: new Date(),
    verifySignature: true,
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(answer.der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const der = Buffer.from(answer.der);
      der[at] = (der[at] ?? 0) ^ flip;
      const verdict = await readOcspResponse(der, expected);
      assert.ok(!verdict.ok || verdict.status === 'revoked');
    }),
    { numRuns: 60 },
  );
  responder.set(erin, 'good');
});

test('bytes that are no response are refused without an exception', limits, async () => {
  const expected = {
    certificate: x509(erin),
    issuer: x509(authority),
    nonce: null,
    now: new Date(),
    verifySignature: true,
  };
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      assert.equal((await readOcspResponse(bytes, expected)).ok, false);
    }),
    { numRuns: 60 },
  );
  const verdict = await readOcspResponse(TRY_LATER_RESPONSE, expected);
  assert.equal(verdict.ok ? '' : verdict.reason, 'the responder answers tryLater');
});

test(
  'a silent, redirecting, wordy or lying HTTP server costs a bounded time and is a failure',
  limits,
  async () => {
    const body = Buffer.alloc(80 * 1024);
    responder.behave({ kind: 'silent' });
    assert.equal(text(await ask(erin, { timeoutMs: 200 })), 'timed out');
    responder.behave({ kind: 'send', status: 302, type: 'application/ocsp-response', body });
    assert.equal(text(await ask(erin)), 'HTTP status 302');
    responder.behave({ kind: 'send', status: 200, type: 'application/ocsp-response', body });
    assert.equal(text(await ask(erin)), 'the answer is too large');
    responder.behave({ kind: 'send', status: 200, type: 'text/html', body: Buffer.from('hello') });
    assert.equal(text(await ask(erin)), 'the answer is no OCSP response');
    responder.behave({ kind: 'answer' });
    assert.match(text(await ask(erin, { urls: ['http://127.0.0.1:1/'] })), /ECONNREFUSED/);
  },
);

test('only http addresses without credentials are asked', limits, async () => {
  for (const url of [
    'https://a/',
    'file:///etc/passwd',
    'ldap://a/',
    'http://user:word@a/',
    'nonsense',
    'http:',
  ])
    assert.equal(isResponderUrl(url), false, url);
  assert.equal(isResponderUrl('http://ocsp.example.org/path'), true);
  const secure = client('grace', 'https://127.0.0.1:1/');
  assert.deepEqual(await responderUrls(x509(secure)), []);
  assert.deepEqual(await responderUrls(x509(erin)), [responder.url]);
  const before = responder.requests;
  assert.equal(text(await ask(secure)), 'the certificate names no http responder');
  assert.equal(responder.requests, before);
});

test('a request carries a nonce of 32 bytes, or none', limits, async () => {
  const first = await ocspRequest(x509(erin), x509(authority), true);
  const second = await ocspRequest(x509(erin), x509(authority), true);
  assert.equal(first.nonce?.length, 32);
  assert.notDeepEqual(first.nonce, second.nonce);
  assert.ok(Buffer.from(first.der).includes(Buffer.from(first.nonce ?? [])));
  assert.equal((await ocspRequest(x509(erin), x509(authority), false)).nonce, null);
});

test(
  'TLSVerifyOrder ocsp refuses what the responder revoked, does not know, or cannot say',
  limits,
  async () => {
    responder.behave({ kind: 'answer' });
    responder.set(erin, 'good');
    const order = { revocationOrder: ['ocsp'] as const };
    assert.equal(await verify(erin, order), 'verified');
    responder.set(erin, 'revoked');
    assert.equal(await verify(erin, order), '0: certificate revoked');
    assert.equal(await verify(client('heidi'), order), '0: OCSP unknown cert');
    responder.behave({ kind: 'silent' });
    assert.equal(await verify(erin, { ...order, ocspTimeoutMs: 200 }), '0: OCSP verification failed');
    assert.equal(await verify(trees.alice, order), 'verified', 'a certificate without responder');
    responder.behave({ kind: 'answer' });
  },
);

test(
  'with both methods each may object, and a list makes up for a responder that is down',
  limits,
  async () => {
    const revocationLists = parseRevocationLists(readFileSync(trees.revocationList));
    const both = { revocationLists, revocationOrder: ['ocsp', 'crl'] as const };
    responder.set(erin, 'revoked');
    assert.equal(await verify(erin, { ...both, revocationOrder: ['crl', 'ocsp'] }), '0: certificate revoked');
    assert.equal(await verify(trees.revoked, both), '0: certificate revoked');
    responder.behave({ kind: 'silent' });
    assert.equal(await verify(erin, { ...both, ocspTimeoutMs: 200 }), 'verified');
    responder.behave({ kind: 'answer' });
  },
);

test('no responder is asked for a certificate that leads to no trusted authority', limits, async () => {
  const stranger = issueCertificate({
    name: 'stranger',
    commonName: 'stranger',
    issuer: trees.myServerCa,
    usage: 'clientAuth',
    responder: responder.url,
  });
  const before = responder.requests;
  assert.match(await verify(stranger, { revocationOrder: ['ocsp'] }), /unable to get local issuer/);
  assert.equal(responder.requests, before);
});
