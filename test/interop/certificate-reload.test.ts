import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { certificateTrees, issueCertificate, type CertificateFiles } from '../support/certificates.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { chainSubjects, sClient, startSeedServer, type SeedServer } from '../support/seed-server.ts';

const limits = { timeout: 60_000 };
const trees = certificateTrees();
const folder = join(trees.directory, 'renewal');
const live = (name: string): string => join(folder, name);
let seed: SeedServer;
let count = 0;

/** A server certificate with a name of its own; EC, so that any pair can follow any other. */
function fresh(): CertificateFiles & { readonly name: string } {
  count += 1;
  const name = `renewed-${count}`;
  const files = issueCertificate({
    name,
    commonName: name,
    issuer: trees.myServerCa,
    usage: 'serverAuth',
    alternatives: 'DNS:localhost,IP:127.0.0.1',
  });
  return { ...files, name };
}

/** As renewal tools do: a complete file takes the old one's place. */
function replace(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

function encrypt(from: string, to: string): void {
  const passPhrase = ['-passout', `pass:${trees.passPhrase}`];
  execFileSync('openssl', ['pkcs8', '-topk8', '-in', from, '-out', to, ...passPhrase], { stdio: 'pipe' });
}

async function served(name: string): Promise<string | undefined> {
  return chainSubjects(await sClient(seed.port(name), ['-showcerts']))[0];
}

before(async () => {
  mkdirSync(folder, { recursive: true });
  for (const name of ['one', 'two']) {
    const first = fresh();
    copyFileSync(first.certificate, live(`${name}.pem`));
    copyFileSync(first.key, live(`${name}.key`));
  }
  const linked = fresh();
  mkdirSync(live('v1'));
  copyFileSync(linked.combined, live('v1/both.pem'));
  symlinkSync('v1', live('..data'));
  symlinkSync('..data/both.pem', live('both.pem'));
  copyFileSync(trees.expiredRevocationList, live('crl.pem'));
  const locked = fresh();
  copyFileSync(locked.certificate, live('locked.pem'));
  encrypt(locked.key, live('locked.key'));
  writeFileSync(live('provider'), `#!/bin/sh\necho '${trees.passPhrase}'\n`, { mode: 0o755 });
  const pair = (name: string): string =>
    `TLSEngine on\nTLSECCertificateFile ${live(`${name}.pem`)}\nTLSECCertificateKeyFile ${live(`${name}.key`)}\n` +
    `TLSCertificateChainFile ${trees.chainFile}`;
  seed = await startSeedServer(
    {
      one: pair('one'),
      two: pair('two'),
      locked: pair('locked'),
      linked: `TLSEngine on\nTLSECCertificateFile ${live('both.pem')}\nTLSCertificateChainFile ${trees.chainFile}`,
      clients:
        `${pair('one')}\nTLSVerifyClient on\nTLSCACertificateFile ${trees.clientAuthorities}\n` +
        `TLSCARevocationFile ${live('crl.pem')}`,
    },
    { main: `TLSPassPhraseProvider ${live('provider')}` },
  );
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

test(
  'a renewed pair is served without a restart, and a running session keeps the old one',
  limits,
  async () => {
    const client = await seed.connect('one');
    await client.loginTls('alice', 'secret');
    const before = await served('one');
    const next = fresh();
    const log = seed.systemLog();
    replace(next.key, live('one.key'));
    replace(next.certificate, live('one.pem'));
    await log.line(/certificate files changed, new connections use them: .*one\.(pem|key)/);
    assert.equal(await served('one'), next.name);
    // Its data connections resume the session made with the old certificate.
    const { final } = await client.download('LIST', { tls: { session: 'resume' } });
    assert.equal(final.code, 226);
    const shown = (client.stream as TLSSocket).getPeerX509Certificate();
    assert.match(shown?.subject ?? '', new RegExp(`CN=${before}`));
  },
);

test('half a pair is not taken: the old one stays until both files fit', limits, async () => {
  const before = await served('two');
  const next = fresh();
  const log = seed.systemLog();
  replace(next.certificate, live('two.pem'));
  const refusal = await log.line(/changed certificate files are not used, the old ones stay in force/);
  assert.match(refusal, /error checking key from TLSECCertificateKeyFile '.*two\.key': key values mismatch/);
  assert.equal(await served('two'), before);
  replace(next.key, live('two.key'));
  await log.line(/certificate files changed, new connections use them/);
  assert.equal(await served('two'), next.name);
});

test('a broken file keeps its own host as it is, and others renew meanwhile', limits, async () => {
  const before = await served('two');
  const log = seed.systemLog();
  const next = fresh();
  writeFileSync(live('two.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  replace(next.certificate, live('one.pem'));
  replace(next.key, live('one.key'));
  await log.line(/unable to use '.*two\.pem': bad certificate/);
  await log.line(/certificate files changed, new connections use them/);
  assert.equal(await served('one'), next.name);
  assert.equal(await served('two'), before);
});

test('a renewed key that is encrypted is unlocked as the first one was', limits, async () => {
  const next = fresh();
  const log = seed.systemLog();
  encrypt(next.key, live('locked.key.new'));
  renameSync(live('locked.key.new'), live('locked.key'));
  replace(next.certificate, live('locked.pem'));
  await log.line(/new connections use them: .*locked\.(pem|key)/);
  assert.equal(await served('locked'), next.name);
});

test('a directory swapped behind a symbolic link is noticed', limits, async () => {
  const next = fresh();
  const log = seed.systemLog();
  mkdirSync(live('v2'));
  copyFileSync(next.combined, live('v2/both.pem'));
  symlinkSync('v2', live('..data_tmp'));
  renameSync(live('..data_tmp'), live('..data'));
  await log.line(/new connections use them: .*both\.pem/);
  assert.equal(await served('linked'), next.name);
});

test('an updated revocation list lets clients in again', limits, async () => {
  const tls = { key: trees.alice.key, cert: trees.alice.certificate };
  const login = async (): Promise<number> => {
    const client = await FtpClient.connect({ port: seed.port('clients') });
    try {
      await client.authTls({ key: readFileSync(tls.key), cert: readFileSync(tls.cert) });
      return (await client.login('alice', 'secret')).code;
    } finally {
      client.destroy();
    }
  };
  assert.equal(await login().catch(() => 0), 421, 'the list has expired');
  const log = seed.systemLog();
  replace(trees.revocationList, live('crl.pem'));
  await log.line(/new connections use them: .*crl\.pem/);
  assert.equal(await login(), 230);
});

test('SIGHUP takes new files too', limits, async () => {
  const next = fresh();
  const log = seed.systemLog();
  replace(next.certificate, live('one.pem'));
  replace(next.key, live('one.key'));
  seed.server.child.kill('SIGHUP');
  await log.line(/received SIGHUP/);
  // two.pem is still broken from before: the reload is refused as a whole, the watch takes host one.
  await log.line(/new connections use them: .*one\.pem/);
  assert.equal(await served('one'), next.name);
  const repaired = fresh();
  replace(repaired.certificate, live('two.pem'));
  replace(repaired.key, live('two.key'));
  seed.server.child.kill('SIGHUP');
  await log.matches(/received SIGHUP/, 2);
  const deadline = Date.now() + 10_000;
  while ((await served('two')) !== repaired.name) assert.ok(Date.now() < deadline, 'two.pem was never taken');
});
