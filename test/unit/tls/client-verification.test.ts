import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseCertificates, parseRevocationLists } from '../../../crypto/certificate-files.ts';
import {
  certificateNames,
  verifyClientCertificate,
  type ClientVerification,
  type VerificationOutcome,
} from '../../../crypto/client-verification.ts';
import { certificateTrees, type CertificateFiles } from '../../support/certificates.ts';

const trees = certificateTrees();

function load(path: string): X509Certificate[] {
  return parseCertificates(readFileSync(path)).map((entry) => entry.certificate);
}

function verify(
  client: CertificateFiles,
  more: Partial<ClientVerification> = {},
): Promise<VerificationOutcome> {
  return verifyClientCertificate({
    leaf: new X509Certificate(readFileSync(client.certificate)),
    presented: [],
    anchors: load(trees.clientAuthorities),
    revocationLists: [],
    maximumDepth: 9,
    now: new Date(),
    ...more,
  });
}

function reason(outcome: VerificationOutcome): string {
  return outcome.ok ? 'verified' : `${outcome.depth}: ${outcome.reason}`;
}

test('a certificate of a trusted authority is verified with its whole path', async () => {
  const outcome = await verify(trees.alice);
  assert.equal(reason(outcome), 'verified');
  assert.equal(outcome.ok ? outcome.path.length : 0, 3);
});

test('a certificate of an unknown authority is refused', async () => {
  assert.equal(reason(await verify(trees.foreignClient)), '0: unable to get local issuer certificate');
  const presented = load(trees.chainFile);
  assert.equal(
    reason(await verify(trees.foreignClient, { presented })),
    '2: self-signed certificate in certificate chain',
  );
});

test('a self-signed certificate is refused unless it is itself trusted', async () => {
  assert.equal(reason(await verify(trees.selfSigned)), '0: self-signed certificate');
  const anchors = load(trees.selfSigned.certificate);
  assert.equal(reason(await verify(trees.selfSigned, { anchors, maximumDepth: 0 })), 'verified');
});

test('an expired certificate is refused, and so is one that is not valid yet', async () => {
  assert.equal(reason(await verify(trees.expired)), '0: certificate has expired');
  const now = new Date('2001-01-01');
  assert.match(reason(await verify(trees.alice, { now })), /certificate is not yet valid/);
});

test('depth 0 allows no intermediate certificate', async () => {
  assert.equal(reason(await verify(trees.alice, { maximumDepth: 0 })), '1: certificate chain too long');
  assert.equal(reason(await verify(trees.alice, { maximumDepth: 1 })), 'verified');
});

test('a revoked certificate is refused and its neighbours are not', async () => {
  const revocationLists = parseRevocationLists(readFileSync(trees.revocationList));
  assert.equal(reason(await verify(trees.revoked, { revocationLists })), '0: certificate revoked');
  assert.equal(reason(await verify(trees.revoked)), 'verified');
  assert.equal(reason(await verify(trees.alice, { revocationLists })), 'verified');
});

test('an expired CRL revokes everybody and says so', async () => {
  const revocationLists = parseRevocationLists(readFileSync(trees.expiredRevocationList));
  const outcome = await verify(trees.alice, { revocationLists });
  assert.equal(reason(outcome), '0: CRL has expired');
  assert.match((outcome as { note: string }).note, /^CRL is expired, revoking all certificates/);
});

test('a server certificate is no client certificate', async () => {
  const anchors = load(trees.chainFile);
  assert.equal(reason(await verify(trees.certB, { anchors })), '0: unsuitable certificate purpose');
});

test('a client certificate cannot issue another one', async () => {
  const leaf = new X509Certificate(readFileSync(trees.alice.certificate));
  const outcome = await verify(trees.bob, { anchors: [leaf] });
  assert.equal(outcome.ok, false);
});

test('names come from subject and alternative names', async () => {
  const alice = await certificateNames(new X509Certificate(readFileSync(trees.alice.certificate)).raw);
  assert.equal(alice.commonName, 'alice');
  assert.deepEqual(alice.ipAddresses, ['127.0.0.1']);
  assert.equal(alice.field('2.5.4.10'), 'Tests');
  assert.equal(alice.field('1.2.3.4'), null);
  const bob = await certificateNames(new X509Certificate(readFileSync(trees.bob.certificate)).raw);
  assert.deepEqual(bob.emailAddresses, ['bob@example.org']);
});
