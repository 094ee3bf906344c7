/** Acceptance scenarios 41-49: what clients are asked for, whom the server believes, and the chain it sends. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { certificateTrees, clientChain, type CertificateFiles } from '../support/certificates.ts';
import type { ClientTlsOptions, FtpClient } from '../support/ftp-client.ts';
import {
  announcedAuthorities,
  baseTls,
  chainSubjects,
  onlyVersion,
  protectedList,
  sClient,
  startSeedServer,
  type SeedServer,
} from '../support/seed-server.ts';

const LIMIT = { timeout: 30_000 };
const trees = certificateTrees();
const folder = mkdtempSync(join(tmpdir(), 'lockgate-seed-'));
const authorityFolder = join(folder, 'authorities');

/** Every scenario holds for both. */
const VERSIONS = [
  { version: 'TLSv1.2', flag: '-tls1_2' },
  { version: 'TLSv1.3', flag: '-tls1_3' },
] as const;

/** Longest chains: eight authorities between leaf and root (depth 9), and more than any default allows. */
const longest = clientChain('longest', 8);
const tooLong = clientChain('toolong', 11);

let seed: SeedServer;

before(async () => {
  mkdirSync(authorityFolder);
  for (const { certificate } of [trees.myRootCa, trees.myServerCa]) {
    copyFileSync(certificate, join(authorityFolder, certificate.split('/').at(-1)!));
  }
  const separate = { TLSVerifyClient: 'optional' };
  seed = await startSeedServer({
    base: baseTls(),
    optional: baseTls({ TLSVerifyClient: 'optional', TLSCACertificatePath: authorityFolder }),
    silent: baseTls({ TLSOptions: 'NoCertRequest' }),
    suppressed: baseTls({ TLSVerifyClient: 'optional', TLSOptions: 'NoCertRequest' }),
    on: baseTls({ TLSVerifyClient: 'on' }),
    flat: baseTls({ TLSVerifyClient: 'on', TLSVerifyDepth: '0' }),
    longest: baseTls({ TLSVerifyClient: 'on', TLSCACertificateFile: longest.root }),
    'too-long': baseTls({ TLSVerifyClient: 'on', TLSCACertificateFile: tooLong.root }),
    'authority-chain': baseTls({ TLSCACertificateFile: trees.chainFile }),
    chain: baseTls({ ...separate, TLSCertificateChainFile: trees.chainFile }),
    'reversed-chain': baseTls({ ...separate, TLSCertificateChainFile: trees.reversedChainFile }),
    'missing-chain': baseTls({ TLSCertificateChainFile: join(folder, 'missing.pem') }),
  });
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

test(
  '41: s_client prints the names of all authorities of TLSCACertificateFile and TLSCACertificatePath',
  LIMIT,
  async () => {
    for (const { flag } of VERSIONS) {
      const names = announcedAuthorities(await sClient(seed.port('optional'), [flag])).sort();
      assert.deepEqual(names, ['MyRootCA', 'MyServerCA', 'TheirClientCA', 'TheirRootCA']);
      assert.deepEqual(
        announcedAuthorities(await sClient(seed.port('on'), [flag, ...withFiles(trees.alice)])).sort(),
        ['TheirClientCA', 'TheirRootCA'],
      );
    }
  },
);

test(
  '42: NoCertRequest is accepted with a warning, and without a request no authorities are named',
  LIMIT,
  async () => {
    assert.match(seed.server.read('system.log') + seed.server.stderr(), /NoCertRequest is deprecated/);
    for (const { flag } of VERSIONS) {
      for (const name of ['silent', 'suppressed', 'base']) {
        const result = await sClient(seed.port(name), [flag]);
        assert.equal(result.code, 0, result.stderr);
        assert.deepEqual(announcedAuthorities(result), []);
        assert.match(result.stdout, /No client certificate CA names sent/);
      }
    }
  },
);

test('43: a client that gives up on CertificateRequest meets none', LIMIT, async () => {
  for (const { flag } of VERSIONS) {
    // The message itself, as such a client would see it; `optional` shows that the trace would print one.
    assert.match((await sClient(seed.port('optional'), [flag, '-msg'])).stdout, /CertificateRequest/);
    for (const name of ['silent', 'suppressed']) {
      const result = await sClient(seed.port(name), [flag, '-msg']);
      assert.equal(result.code, 0, result.stderr);
      assert.doesNotMatch(result.stdout, /CertificateRequest/);
    }
  }
});

test(
  '44: TLSVerifyClient on ends a client without certificate, in three lines and without answering it',
  LIMIT,
  async () => {
    for (const { version } of VERSIONS) {
      const log = seed.tlsLog('on');
      await assertUnanswered(await seed.connect('on'), onlyVersion(version));
      await log.inOrder(
        /TLS\/TLS-C requested, starting TLS handshake/,
        /unable to accept TLS connection: .*peer did not return a certificate/,
        /client did not provide certificate, but one is required via 'TLSVerifyClient on'/,
        /TLS\/TLS-C negotiation failed on control channel/,
      );
      const client = await seed.connect('base');
      await client.loginTls('alice', 'secret', onlyVersion(version));
    }
  },
);

test(
  '45: certificates of unknown authorities are refused with the reason, trusted ones are named',
  LIMIT,
  async () => {
    const refused = [
      [trees.foreignClient, /unable to get (local )?issuer certificate/],
      [trees.selfSigned, /self-signed certificate/],
      [trees.expired, /certificate has expired/],
    ] as const;
    for (const { version } of VERSIONS) {
      for (const name of ['on', 'optional']) {
        for (const [files, reason] of refused) {
          // There MyServerCA is trusted.
          if (name === 'optional' && files === trees.foreignClient) continue;
          const log = seed.tlsLog(name);
          await assertUnanswered(await seed.connect(name), {
            ...onlyVersion(version),
            ...credentials(files),
          });
          const line = await log.line(/client certificate failed verification: /);
          assert.match(line, reason);
          await log.line(/TLS\/TLS-C negotiation failed on control channel/);
        }
        const log = seed.tlsLog(name);
        const client = await seed.connect(name);
        const options = { ...onlyVersion(version), ...credentials(trees.alice) };
        await client.loginTls('alice', 'secret', options);
        await log.line(/Client: \/O=Tests\/CN=alice$/);
        assert.equal((await protectedList(client, options)).final.code, 226);
      }
    }
  },
);

test(
  '46: TLSVerifyDepth 0 refuses a certificate under an intermediate, the default admits depth 9',
  LIMIT,
  async () => {
    for (const { version } of VERSIONS) {
      const log = seed.tlsLog('flat');
      await assertUnanswered(await seed.connect('flat'), {
        ...onlyVersion(version),
        ...credentials(trees.alice),
      });
      await log.inOrder(
        /error: unable to verify certificate at depth 1/,
        /client certificate failed verification: certificate chain too long/,
        /TLS\/TLS-C negotiation failed on control channel/,
      );
      const normal = await seed.connect('on');
      await normal.loginTls('alice', 'secret', { ...onlyVersion(version), ...credentials(trees.alice) });
      const deep = await seed.connect('longest');
      await deep.loginTls('alice', 'secret', { ...onlyVersion(version), ...credentials(longest.leaf) });
      const deeper = seed.tlsLog('too-long');
      await assertUnanswered(await seed.connect('too-long'), {
        ...onlyVersion(version),
        ...credentials(tooLong.leaf),
      });
      await deeper.line(/client certificate failed verification: certificate chain too long/);
    }
  },
);

test(
  '47: authorities of TLSCACertificateFile complete the chain of a lone server certificate',
  LIMIT,
  async () => {
    for (const { flag } of VERSIONS) {
      const result = await sClient(seed.port('authority-chain'), [flag, '-showcerts']);
      assert.deepEqual(chainSubjects(result), ['certA', 'MyServerCA', 'MyRootCA']);
    }
  },
);

test('48: TLSCertificateChainFile is sent but not trusted, in whichever order it stands', LIMIT, async () => {
  for (const { version, flag } of VERSIONS) {
    for (const name of ['chain', 'reversed-chain']) {
      assert.match(seed.server.read(`${name}.log`), /added 2 certs from '.*' to SSL_CTX certificate chain/);
      const result = await sClient(seed.port(name), [flag, '-showcerts']);
      assert.deepEqual(chainSubjects(result), ['certA', 'MyServerCA', 'MyRootCA']);
      assert.deepEqual(announcedAuthorities(result).sort(), ['TheirClientCA', 'TheirRootCA']);
      const log = seed.tlsLog(name);
      const client = await seed.connect(name);
      await client.loginTls('alice', 'secret', { ...onlyVersion(version), ...credentials(trees.alice) });
      const foreign = { ...onlyVersion(version), ...credentials(trees.foreignClient) };
      await assertUnanswered(await seed.connect(name), foreign);
      await log.line(/client certificate failed verification: /);
    }
  }
});

test(
  '49: a chain file that cannot be read is reported, and the server serves without it',
  LIMIT,
  async () => {
    assert.match(
      seed.server.read('missing-chain.log'),
      /unable to read certificate chain '.*missing\.pem': No such file/,
    );
    for (const { version } of VERSIONS) {
      const client = await seed.connect('missing-chain');
      await client.loginTls('alice', 'secret', onlyVersion(version));
      assert.equal((await protectedList(client, onlyVersion(version))).final.code, 226);
    }
  },
);

/**
 * The handshake fails, or (TLS 1.3, and where the server looks at the certificate after the handshake) the client
 * believes in it and sends commands: none is answered, and the connection ends.
 */
async function assertUnanswered(client: FtpClient, options: ClientTlsOptions): Promise<void> {
  const answers: string[] = [];
  try {
    await client.authTls(options);
    client.send('USER alice', 'PASS secret', 'FEAT');
    for (;;) answers.push(...(await client.readReply()).lines);
  } catch (error) {
    assert.match((error as Error).message, /alert|closed|ECONNRESET|EPIPE|socket hang up|disconnected/);
  }
  await client.waitClosed();
  assert.deepEqual(
    answers.filter((line) => line !== '421 TLS handshake failed'),
    [],
  );
}

function credentials(files: Pick<CertificateFiles, 'certificate' | 'key'>): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
}

function withFiles(files: CertificateFiles): string[] {
  return ['-cert', files.certificate, '-key', files.key];
}
