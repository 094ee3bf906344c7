import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { certificateFindings } from '../../../crypto/certificate-report.ts';
import { DEFAULT_SETTINGS } from '../../../src/config/default-settings.ts';
import { certificateTrees, clientChain, issueCertificate } from '../../support/certificates.ts';
import { loadTlsConfig } from '../../support/tls-server.ts';

const limits = { timeout: 30_000 };
const trees = certificateTrees();
const { certAEc, myServerCa, myRootCa, theirClientCa } = trees;
const leaf = `TLSECCertificateFile ${certAEc.combined}`;

interface Findings {
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

async function findings(text: string, now = new Date()): Promise<Findings> {
  const { config, check } = await loadTlsConfig(`Port 2121\nServerName tests\nTLSEngine on\n${text}\n`);
  assert.deepEqual(check.errors.map(String), []);
  const settings = { ...DEFAULT_SETTINGS, ...config.virtualHosts[0]!.settings };
  const all = await certificateFindings(
    settings,
    config.secretFiles,
    config.pkcs12PassPhrases ?? new Map(),
    now,
  );
  const texts = (severity: string): string[] =>
    all
      .filter((finding) => finding.severity === severity)
      .map(({ directive, text: said }) => `${directive} ${said.replace(/'[^']*\/(?:CN=)?([^/']+)'/g, '$1')}`);
  return { warnings: texts('warning'), notes: texts('note') };
}

function bundle(name: string, ...files: string[]): string {
  const path = join(trees.directory, name);
  writeFileSync(path, files.map((file) => readFileSync(file, 'utf8')).join(''));
  return path;
}

test('a complete chain is told in one line and warned about in none', limits, async () => {
  const { warnings, notes } = await findings(`${leaf}\nTLSCertificateChainFile ${trees.chainFile}`);
  assert.deepEqual(warnings, []);
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? '', /^TLSECCertificateFile certA-ec\.both\.pem: key matches; EC prime256v1, /);
  assert.match(notes[0] ?? '', /signed with ecdsa-with-SHA256; DNS:localhost, IP:127\.0\.0\.1; /);
  assert.match(notes[0] ?? '', /key usage digitalSignature; extended key usage serverAuth; /);
  assert.match(notes[0] ?? '', /valid from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d, (29|30) days left; /);
  assert.match(
    notes[0] ?? '',
    /CN=certA <- \/O=Tests\/CN=MyServerCA <- \/O=Tests\/CN=MyRootCA \(to its root\)$/,
  );
});

test(
  'the chain is found in the certificate file, the chain file and the CA files together',
  limits,
  async () => {
    const own = bundle('own-issuer.pem', certAEc.combined, myServerCa.certificate);
    for (const text of [
      `TLSECCertificateFile ${own}\nTLSCACertificateFile ${myRootCa.certificate}`,
      `${leaf}\nTLSCertificateChainFile ${myServerCa.certificate}\nTLSCACertificateFile ${myRootCa.certificate}`,
      `${leaf}\nTLSCACertificateFile ${trees.chainFile}`,
      `TLSPKCS12File ${trees.bundle}\nTLSCACertificateFile ${trees.reversedChainFile}`,
    ]) {
      const { warnings, notes } = await findings(text);
      assert.deepEqual(warnings, [], text);
      assert.match(notes.join('\n'), /MyServerCA <- \/O=Tests\/CN=MyRootCA \(to its root\)/, text);
    }
  },
);

test(
  'a missing issuer is a warning for the server certificate, a note for an authority',
  limits,
  async () => {
    const alone = await findings(leaf);
    assert.match(
      alone.warnings.join('\n'),
      /its issuer MyServerCA is in none of the files: clients .* \(add it to TLSCert/,
    );
    const withoutRoot = await findings(`${leaf}\nTLSCertificateChainFile ${myServerCa.certificate}`);
    assert.deepEqual(withoutRoot.warnings, []);
    assert.match(
      withoutRoot.notes.join('\n'),
      /the chain ends at MyServerCA, whose issuer MyRootCA is in none/,
    );
  },
);

test('wrong order and unrelated certificates are two different messages', limits, async () => {
  const reversed = await findings(`${leaf}\nTLSCertificateChainFile ${trees.reversedChainFile}`);
  assert.deepEqual(reversed.warnings, []);
  assert.match(
    reversed.notes.join('\n'),
    /certificates in chain file chain-reversed\.pem are in the wrong order/,
  );
  const mixed = bundle('mixed.pem', myServerCa.certificate, theirClientCa.certificate, myRootCa.certificate);
  const { warnings } = await findings(`${leaf}\nTLSCertificateChainFile ${mixed}`);
  assert.deepEqual(warnings, [
    'TLSCertificateChainFile mixed.pem: certificate TheirClientCA has nothing to do with the server certificate; strict clients may refuse the chain',
  ]);
});

test('a server certificate that is not the first of its file is a message of its own', limits, async () => {
  const swapped = bundle('swapped.pem', myServerCa.certificate, certAEc.combined);
  const { check } = await loadTlsConfig(`Port 2121\nTLSEngine on\nTLSECCertificateFile ${swapped}\n`);
  assert.match(
    check.errors.map(String).join('\n'),
    /key values mismatch: it belongs to certificate 2 of the file, the server certificate must stand first/,
  );
});

test('what has expired, is not valid yet, or ends soon is named with its date', limits, async () => {
  const text = `${leaf}\nTLSCertificateChainFile ${trees.chainFile}`;
  const day = 86_400_000;
  const after = (await findings(text, new Date(Date.now() + 40 * day))).warnings.join('\n');
  assert.match(after, /the certificate has expired on \d{4}-/);
  assert.match(after, /its intermediate MyServerCA has expired on/);
  assert.match(after, /its root MyRootCA has expired on/);
  const before = (await findings(text, new Date(Date.now() - day))).warnings.join('\n');
  assert.match(before, /the certificate is not valid before/);
  const soon = (await findings(text, new Date(Date.now() + 25 * day))).warnings.join('\n');
  assert.match(soon, /the certificate expires on \d{4}-\d\d-\d\d, in [45] days/);
});

test('purpose, names and key usage that clients refuse are warned about', limits, async () => {
  const chain = `TLSCertificateChainFile ${trees.chainFile}`;
  const issue = (name: string, usage: 'serverAuth' | 'clientAuth', alternatives?: string): string =>
    issueCertificate({
      name,
      commonName: name,
      issuer: myServerCa,
      usage,
      ...(alternatives === undefined ? {} : { alternatives }),
    }).combined;
  const purpose = await findings(
    `TLSECCertificateFile ${issue('client-only', 'clientAuth', 'DNS:a')}\n${chain}`,
  );
  assert.match(purpose.warnings.join('\n'), /extended key usage lacks serverAuth/);
  const nameless = await findings(`TLSECCertificateFile ${issue('nameless', 'serverAuth')}\n${chain}`);
  assert.match(nameless.warnings.join('\n'), /no subject alternative name/);
  const alias = await findings(`${leaf}\n${chain}\nServerAlias ftp.example.org localhost`);
  assert.deepEqual(alias.warnings.length, 1);
  assert.match(alias.warnings[0] ?? '', /does not name ServerAlias 'ftp\.example\.org'/);
  const key = join(trees.directory, 'agreement.key');
  const certificate = join(trees.directory, 'agreement.pem');
  const made = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  const extensions = ['-addext', 'keyUsage=keyAgreement', '-addext', 'subjectAltName=DNS:a'];
  execFileSync('openssl', ['req', '-x509', ...made, '-subj', '/CN=agreement', ...extensions], {
    stdio: 'pipe',
  });
  const agreement = await findings(`TLSECCertificateFile ${certificate}\nTLSECCertificateKeyFile ${key}`);
  assert.match(agreement.warnings.join('\n'), /key usage lacks digitalSignature/);
});

test('a path length the chain exceeds is named', limits, async () => {
  const chain = clientChain('deep', 2);
  const pem = bundle('deep-server.pem', chain.leaf.certificate, chain.leaf.key, chain.root);
  assert.doesNotMatch(
    (await findings(`TLSECCertificateFile ${pem}`)).warnings.join('\n'),
    /intermediates below/,
  );
  const short = issueCertificate({
    name: 'short-ca',
    commonName: 'short-ca',
    issuer: myRootCa,
    usage: 'serverAuth',
    basicConstraints: 'critical,CA:TRUE,pathlen:0',
    keyUsage: 'keyCertSign',
  });
  const below = issueCertificate({
    name: 'below-ca',
    commonName: 'below-ca',
    issuer: short,
    usage: 'serverAuth',
    basicConstraints: 'critical,CA:TRUE',
    keyUsage: 'keyCertSign',
  });
  const server = issueCertificate({
    name: 'below',
    commonName: 'below',
    issuer: below,
    usage: 'serverAuth',
    alternatives: 'DNS:a',
  });
  const file = bundle('below-chain.pem', below.certificate, short.certificate, myRootCa.certificate);
  const { warnings } = await findings(
    `TLSECCertificateFile ${server.combined}\nTLSCertificateChainFile ${file}`,
  );
  assert.match(
    warnings.join('\n'),
    /its intermediate short-ca allows 0 intermediates below it, the chain has 1/,
  );
});

test('revocation lists tell their end, and a server certificate on one is named', limits, async () => {
  const text = `${leaf}\nTLSCertificateChainFile ${trees.chainFile}\nTLSCACertificateFile ${trees.clientAuthorities}`;
  const current = await findings(`${text}\nTLSCARevocationFile ${trees.revocationList}`);
  assert.match(current.notes.join('\n'), /crl\.pem: list of O=Tests, CN=TheirClientCA, valid to \d{4}-/);
  const expired = await findings(`${text}\nTLSCARevocationFile ${trees.expiredRevocationList}`);
  assert.match(
    expired.warnings.join('\n'),
    /expired on 2020-01-02: every certificate of this issuer is refused/,
  );
  const broken = bundle('broken-crl.pem');
  writeFileSync(broken, '-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n');
  const { check } = await loadTlsConfig(`Port 2121\nTLSEngine on\n${text}\nTLSCARevocationFile ${broken}\n`);
  assert.match(
    check.errors.map(String).join('\n'),
    /TLSCARevocationFile: unable to use '.*': bad revocation list/,
  );
});

test('weak keys and signatures are named', limits, async () => {
  const [key, certificate] = [join(trees.directory, 'weak.key'), join(trees.directory, 'weak.pem')];
  const made = [
    '-newkey',
    'rsa:1024',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
    '-addext',
    'subjectAltName=DNS:a',
  ];
  execFileSync('openssl', ['req', '-x509', ...made, '-subj', '/CN=weak'], { stdio: 'pipe' });
  const weak = `TLSRSACertificateFile ${certificate}\nTLSRSACertificateKeyFile ${key}\nTLSOptions AllowWeakSecurity`;
  assert.match((await findings(weak)).warnings.join('\n'), /the certificate has an RSA key of 1024 bits/);
});

test(
  'TLSStapling without issuer or responder, and must-staple without TLSStapling, are warned about',
  limits,
  async () => {
    const chain = `TLSCertificateChainFile ${trees.chainFile}`;
    const noResponder = await findings(`${leaf}\n${chain}\nTLSStapling on`);
    assert.match(noResponder.warnings.join('\n'), /the certificate names no http responder/);
    const noIssuer = await findings(`${leaf}\nTLSStapling on\nTLSStaplingResponder http://127.0.0.1/`);
    assert.match(
      noIssuer.warnings.join('\n'),
      /no OCSP response can be stapled: the issuer is in none of the files/,
    );
    const must = issueCertificate({
      name: 'must-staple',
      commonName: 'must-staple',
      issuer: myServerCa,
      usage: 'serverAuth',
      alternatives: 'DNS:a',
      extensions: 'tlsfeature=status_request\n',
    });
    const off = await findings(`TLSECCertificateFile ${must.combined}\n${chain}`);
    assert.match(off.warnings.join('\n'), /demands a stapled OCSP response/);
  },
);

test('with TLSPKCS12File the chain file is said not to be sent', limits, async () => {
  const { warnings } = await findings(
    `TLSPKCS12File ${trees.bundle}\nTLSCertificateChainFile ${trees.chainFile}`,
  );
  assert.match(warnings.join('\n'), /chain\.pem: not sent with the certificate of TLSPKCS12File bundle\.p12/);
});
