import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { certificateTrees, issueCertificate, type CertificateFiles } from '../support/certificates.ts';
import { startOcspResponder, type OcspResponder } from '../support/ocsp-responder.ts';
import { needsProgram } from '../support/programs.ts';
import {
  runProgram,
  sClient,
  startSeedServer,
  type ProgramResult,
  type SeedServer,
} from '../support/seed-server.ts';

const limits = { timeout: 60_000 };
const trees = certificateTrees();
const cache = mkdtempSync(join(tmpdir(), 'lockgate-staples-'));
let responder: OcspResponder;
let seed: SeedServer;
const certificates = new Map<string, CertificateFiles>();

function issue(name: string, key: 'rsa' | 'ec', url: string, extensions = ''): CertificateFiles {
  const made = issueCertificate({
    name,
    commonName: name,
    issuer: trees.myServerCa,
    usage: 'serverAuth',
    alternatives: 'DNS:localhost,IP:127.0.0.1',
    key,
    responder: url,
    extensions,
  });
  certificates.set(name, made);
  return made;
}

function host(certificate: string, more = ''): string {
  return `TLSEngine on\n${certificate}\nTLSCertificateChainFile ${trees.chainFile}\nTLSStapling on\n${more}\n`;
}

before(async () => {
  responder = await startOcspResponder(trees.myServerCa);
  const stapled = issue('stapled', 'ec', responder.url);
  const rsa = issue('stapled-rsa', 'rsa', responder.url);
  for (const good of [stapled, rsa]) responder.set(good, 'good');
  const dead = 'http://127.0.0.1:1/';
  const named = issue('named', 'ec', dead);
  responder.set(named, 'good');
  seed = await startSeedServer(
    {
      plain: host(`TLSECCertificateFile ${stapled.combined}`),
      fresh: host(`TLSECCertificateFile ${stapled.combined}`, 'TLSOptions NoSessionReuseRequired'),
      pair: host(`TLSECCertificateFile ${stapled.combined}\nTLSRSACertificateFile ${rsa.combined}`),
      retry: host(`TLSECCertificateFile ${stapled.combined}`, 'TLSECDHCurve secp384r1'),
      responder: host(`TLSECCertificateFile ${named.combined}`, `TLSStaplingResponder ${responder.url}`),
      later: host(`TLSECCertificateFile ${issue('later', 'ec', dead).combined}`),
      silent: host(
        `TLSECCertificateFile ${issue('silent', 'ec', dead).combined}`,
        'TLSStaplingOptions NoFakeTryLater',
      ),
      must: host(
        `TLSECCertificateFile ${issue('must', 'ec', dead, 'tlsfeature=status_request\n').combined}`,
        'TLSStaplingOptions NoFakeTryLater',
      ),
      off: host(`TLSECCertificateFile ${stapled.combined}`).replace('TLSStapling on', 'TLSStapling off'),
    },
    { main: `TLSStaplingCache fscache:/path=${cache}\nTLSStaplingTimeout 5` },
  );
});

after(async () => {
  await seed?.close();
  await responder?.[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true, force: true });
});

function status(name: string, ...args: string[]): Promise<ProgramResult> {
  return sClient(seed.port(name), ['-status', '-CAfile', trees.myRootCa.certificate, ...args]);
}

for (const version of ['-tls1_2', '-tls1_3']) {
  test(`openssl s_client ${version} -status sees a good response that verifies`, limits, async (t) => {
    if (!needsProgram(t, 'openssl')) return;
    const asked = responder.requests;
    for (let round = 0; round < 3; round += 1) {
      const { stdout } = await status('plain', version);
      assert.match(stdout, /OCSP Response Status: successful/);
      assert.match(stdout, /Cert Status: good/);
      assert.match(stdout, /Verify return code: 0/);
    }
    assert.equal(responder.requests, asked, 'no handshake asks the responder');
  });
}

test('nothing is stapled for who does not ask, and with TLSStapling off', limits, async () => {
  const { stdout } = await sClient(seed.port('plain'), []);
  assert.doesNotMatch(stdout, /OCSP/);
  assert.match((await status('off')).stdout, /OCSP response: no response sent/);
});

test(
  'with an RSA and an EC certificate each client gets the response about the one it is shown',
  limits,
  async () => {
    const serial = (text: string): string => /Serial Number: (\w+)/.exec(text)?.[1] ?? '';
    const alone = serial((await status('plain')).stdout);
    assert.notEqual(alone, '');
    assert.equal(serial((await status('pair', '-tls1_3')).stdout), alone);
    const rsa = await status('pair', '-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256');
    assert.match(rsa.stdout, /Cert Status: good/);
    assert.notEqual(serial(rsa.stdout), alone);
    const older = await status('pair', '-tls1_2', '-sigalgs', 'RSA+SHA256', '-cipher', 'aRSA');
    assert.equal(serial(older.stdout), serial(rsa.stdout));
    for (const [cipher, expected] of [
      ['ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384', serial(rsa.stdout)],
      ['ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384', alone],
      ['ECDHE-RSA-AES128-GCM-SHA256', serial(rsa.stdout)],
    ] as const) {
      const chosen = await status('pair', '-tls1_2', '-cipher', cipher);
      assert.match(chosen.stdout, /Cert Status: good/, cipher);
      assert.equal(serial(chosen.stdout), expected, cipher);
    }
  },
);

test('a client that has to send its hello again gets the response, too', limits, async (t) => {
  if (!needsProgram(t, 'openssl')) return;
  const { stdout } = await status('retry', '-tls1_3', '-groups', 'X25519:P-384');
  assert.match(stdout, /Cert Status: good/);
});

test('TLSStaplingResponder is asked instead of the one the certificate names', limits, async () => {
  assert.match((await status('responder')).stdout, /Cert Status: good/);
});

test(
  'a responder that fails is tryLater, nothing with NoFakeTryLater, tryLater again for must-staple',
  limits,
  async () => {
    assert.match((await status('later')).stdout, /OCSP Response Status: trylater/i);
    assert.match((await status('silent')).stdout, /OCSP response: no response sent/);
    assert.match((await status('must')).stdout, /OCSP Response Status: trylater/i);
    const log = seed.server.read('system.log');
    assert.match(
      log,
      /TLSStapling: no OCSP response for '\/O=Tests\/CN=later': http:\/\/127.0.0.1:1\/: ECONNREFUSED/,
    );
    assert.match(log, /TLSStapling: '\/O=Tests\/CN=stapled' is good according to http:.*, valid to 20/);
  },
);

// curl 7.88 wants a response even in a resumed handshake, which has no certificate: so none is resumed here.
test('curl --cert-status is satisfied on the control and on the data connection', limits, async (t) => {
  if (!needsProgram(t, 'curl')) return;
  const result = await runProgram('curl', [
    ...['-sS', '--ssl-reqd', '--no-sessionid', '--cert-status', '--cacert', trees.myRootCa.certificate],
    ...['-u', 'alice:secret', `ftp://127.0.0.1:${seed.port('fresh')}/`],
  ]);
  assert.equal(result.code, 0, result.stderr);
});

test('fscache: responses survive a restart although the responder is gone', limits, async () => {
  const files = readdirSync(cache);
  assert.equal(files.filter((name) => /^[0-9a-f]{64}\.der$/.test(name)).length, files.length);
  assert.ok(files.length >= 3);
  responder.behave({ kind: 'send', status: 503, type: 'text/plain', body: Buffer.from('away') });
  const stapled = certificates.get('stapled')!;
  const again = await startSeedServer(
    { plain: host(`TLSECCertificateFile ${stapled.combined}`) },
    { main: `TLSStaplingCache fscache:/path=${cache}` },
  );
  try {
    const { stdout } = await sClient(again.port('plain'), ['-status']);
    assert.match(stdout, /Cert Status: good/);
  } finally {
    await again.close();
    responder.behave({ kind: 'answer' });
  }
});
