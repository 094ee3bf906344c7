/** Acceptance scenarios 1-14: the configurations of the howtos, what they start, and what they refuse to start. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { headerVersion, libraryVersion, versionMismatchLine } from '../../crypto/openssl-check.ts';
import { certificateTrees } from '../support/certificates.ts';
import {
  baseTls,
  onlyVersion,
  protectedList,
  runProgram,
  sClient,
  seedConfig,
  startSeedServer,
  tryConfig,
  type SeedServer,
} from '../support/seed-server.ts';
import { FtpClient } from '../support/ftp-client.ts';
import { LAUNCHER } from '../support/server.ts';

const LIMIT = { timeout: 30_000 };
const trees = certificateTrees();
const folder = mkdtempSync(join(tmpdir(), 'lockgate-seed-'));
const repository = fileURLToPath(new URL('../../', import.meta.url));

/** The example of the current howto: module loading, two key types, comments between the directives. */
const CURRENT_EXAMPLE = `
<IfModule mod_dso.c>
  # If mod_tls was built as a shared/DSO module, load it
  LoadModule mod_tls.c
</IfModule>

<IfModule mod_tls.c>
  TLSEngine on

  # Support TLSv1, TLSv1.1 and TLSv1.2
  TLSProtocol TLSv1 TLSv1.1 TLSv1.2

  # Are clients required to use FTP over TLS when talking to this server?
  TLSRequired off

  # Server's RSA certificate
  TLSRSACertificateFile ${trees.certA.certificate}
  TLSRSACertificateKeyFile ${trees.certA.key}

  # Server's EC certificate
  TLSECCertificateFile ${trees.certAEc.certificate}
  TLSECCertificateKeyFile ${trees.certAEc.key}

  # CA the server trusts
  TLSCACertificateFile ${trees.clientAuthorities}

  # Authenticate clients that want to use FTP over TLS?
  TLSVerifyClient off

  # Allow renegotiations when the client requests them, but do not force them
  TLSRenegotiate none
</IfModule>
`;

/** The example of 2007. */
const OLD_EXAMPLE = baseTls({ TLSProtocol: 'TLSv1', TLSRenegotiate: 'required off' });

/** One PEM for both directives, no <IfModule>. */
function combinedExample(pem: string, authorities: string): string {
  return `
TLSEngine on
TLSProtocol SSLv23
TLSRequired off
TLSRSACertificateFile ${pem}
TLSRSACertificateKeyFile ${pem}
TLSCACertificateFile ${authorities}
TLSVerifyClient off
TLSRenegotiate required off
`;
}

/** The same RSA key the way Apache's mod_ssl howtos make it: PKCS#1. */
const apacheKey = join(folder, 'apache.key');

const PER_USER = { TLSOptions: 'AllowPerUser' };
const CONFLICT = "cannot enforce both 'TLSRequired auth' and 'TLSOptions AllowPerUser' at the same time";

let seed: SeedServer;

before(async () => {
  execFileSync('openssl', ['rsa', '-traditional', '-in', trees.certA.key, '-out', apacheKey], {
    stdio: 'pipe',
  });
  seed = await startSeedServer(
    {
      old: OLD_EXAMPLE,
      'old-weak': baseTls({
        TLSProtocol: 'TLSv1',
        TLSRenegotiate: 'required off',
        TLSOptions: 'AllowWeakSecurity',
      }),
      combined: combinedExample(trees.certA.combined, trees.clientAuthorities),
      condition: `<IfModule !mod_tls.c>\nThis is no directive, and neither "is\n<that\n</IfModule>\n${baseTls({ TLSRequired: 'on' })}`,
      comment: baseTls({ TLSRequired: 'on   # or "TLSRequired auth", or …' }),
      'per-user-data': baseTls({ ...PER_USER, TLSRequired: 'data' }),
      'per-user-off': baseTls(PER_USER),
      'per-user-relaxed': `${baseTls({ ...PER_USER, TLSRequired: 'on' })}
        <Anonymous ~ftp>\nUser ftp\nUserAlias anonymous ftp\nTLSRequired off\n</Anonymous>`,
      apache: baseTls({ TLSRSACertificateKeyFile: apacheKey }),
      'mod-ssl': `SSLEngine on\nSSLCertificateFile ${trees.certA.certificate}\nSSLCertificateKeyFile ${apacheKey}\n`,
      bare: baseTls({ TLSRSACertificateFile: null, TLSRSACertificateKeyFile: null }),
      reload: `${baseTls()}#RELOAD#`,
    },
    { main: `TLSLog @DIR@/main.log\n${CURRENT_EXAMPLE}` },
  );
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('1: the current howto’s example passes -t with exit code 0', LIMIT, async () => {
  const result = await tryConfig(join(folder, 'one'), seedConfig({}, CURRENT_EXAMPLE), ['-t']);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /Syntax check complete/);
});

test('2: the current howto’s example serves TLS 1.2 and, not being listed, no TLS 1.3', LIMIT, async () => {
  const log = seed.tlsLog('main');
  const client = await seed.connect('main');
  const answer = await client.authTls();
  assert.deepEqual(answer.lines, ['234 AUTH TLS successful']);
  await log.line(/TLSv1\.2 connection accepted, using cipher /);
  assert.equal((await client.login('alice', 'secret')).code, 230);
  const modern = await seed.connect('main');
  await assert.rejects(modern.authTls(onlyVersion('TLSv1.3')), /protocol version/);
});

test('3: TLSProtocol TLSv1 is accepted, warned about, and never upgraded in silence', LIMIT, async () => {
  const system = seed.server.read('system.log');
  assert.match(system, /TLSProtocol TLSv1 is not offered: .*AllowWeakSecurity/);
  for (const version of ['TLSv1', 'TLSv1.2', 'TLSv1.3'] as const) {
    const log = seed.tlsLog('old');
    const refused = await seed.connect('old');
    await assert.rejects(refused.authTls(onlyVersion(version)), /alert|protocol|version/);
    await log.inOrder(/unable to accept TLS connection: protocol error: /, /TLS\/TLS-C negotiation failed/);
  }
  const log = seed.tlsLog('old-weak');
  const client = await seed.connect('old-weak');
  await client.authTls(onlyVersion('TLSv1'));
  assert.equal((await client.login('alice', 'secret')).code, 230);
  await log.line(/TLSv1 connection accepted/);
});

test('4: one PEM serves certificate and key; relative paths stop the start', LIMIT, async () => {
  const client = await seed.connect('combined');
  await client.loginTls('alice', 'secret');
  assert.equal((await protectedList(client)).final.code, 226);
  const relative = combinedExample('ftpcert.pem', trees.clientAuthorities);
  const result = await tryConfig(join(folder, 'four'), seedConfig({ four: relative }));
  assert.equal(result.code, 1);
  assert.match(result.stderr, /fatal: TLSRSACertificateFile: .*absolute path.* on line \d+ of '/);
});

test('5: a key that does not belong to the certificate stops the start and is named', LIMIT, async () => {
  const mixed = join(folder, 'mixed.pem');
  const foreign = execFileSync(
    'openssl',
    ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    {
      stdio: 'pipe',
    },
  );
  writeFileSync(mixed, readFileSync(trees.certA.certificate, 'utf8') + foreign.toString());
  const config = seedConfig({ five: combinedExample(mixed, trees.clientAuthorities) });
  const result = await tryConfig(join(folder, 'five'), config);
  assert.equal(result.code, 1);
  assert.ok(
    result.stderr.includes(`error checking key from TLSRSACertificateKeyFile '${mixed}': `),
    result.stderr,
  );
});

test(
  '6: <IfModule !mod_tls.c> is skipped with whatever it holds, <IfModule mod_tls.c> is honoured',
  LIMIT,
  async () => {
    const client = await seed.connect('condition');
    assert.deepEqual((await client.command('USER alice')).lines, [
      '550 SSL/TLS required on the control channel',
    ]);
    await client.loginTls('alice', 'secret');
  },
);

test('7: a comment behind a value is no part of it', LIMIT, async () => {
  const client = await seed.connect('comment');
  assert.equal((await client.command('PWD')).code, 550);
  await client.loginTls('alice', 'secret');
  const [clear, ccc] = await client.dialogue('PROT C', 'CCC');
  // `auth`, the word inside the comment's quotes, would allow both.
  assert.equal(clear?.code, 534);
  assert.equal(ccc?.code, 534);
});

test(
  '8: SIGHUP reads the file again: new sessions get NoSessionReuseRequired, open ones keep the old rule',
  LIMIT,
  async () => {
    const file = seed.server.configFile;
    const old = await seed.connect('reload');
    await old.loginTls('alice', 'secret');
    const fresh = { tls: { session: 'fresh' } } as const;
    assert.equal((await old.download('LIST', fresh)).final.code, 425);
    const log = seed.systemLog();
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('#RELOAD#', '\nTLSOptions NoSessionReuseRequired\n'),
    );
    seed.server.child.kill('SIGHUP');
    await log.line(/received SIGHUP -- master server reparsing configuration file/);
    assert.ok(
      await becomes(226, async () => {
        const client = await seed.connect('reload');
        await client.loginTls('alice', 'secret');
        const { final } = await client.download('LIST', fresh);
        await client.quit();
        return final.code;
      }),
    );
    assert.equal((await old.download('LIST', fresh)).final.code, 425);
  },
);

test('9: AllowPerUser with a login requirement nobody relaxes does not start', LIMIT, async () => {
  const refused = ['on', 'auth', 'auth+data'].map(async (value, index) => {
    const config = seedConfig({ nine: baseTls({ ...PER_USER, TLSRequired: value }) });
    const result = await tryConfig(join(folder, `nine-${index}`), config);
    assert.equal(result.code, 1, value);
    assert.ok(result.stderr.includes(CONFLICT), `${value}: ${result.stderr}`);
  });
  await Promise.all(refused);
  for (const name of ['per-user-data', 'per-user-off']) {
    const client = await seed.connect(name);
    await client.loginTls('alice', 'secret');
  }
});

test('10: <Anonymous> with TLSRequired off makes the same combination start', LIMIT, async () => {
  const client = await seed.connect('per-user-relaxed');
  assert.equal((await client.command('USER ftp')).code, 331);
});

test(
  '11: certificate and key made for Apache httpd load unchanged, under both modules’ names',
  LIMIT,
  async () => {
    assert.match(readFileSync(apacheKey, 'utf8'), /^-----BEGIN RSA PRIVATE KEY-----/);
    for (const name of ['apache', 'mod-ssl']) {
      const client = await seed.connect(name);
      await client.loginTls('alice', 'secret');
      assert.equal((await protectedList(client)).final.code, 226);
    }
  },
);

test(
  '12: a clean checkout needs no compiler or linker flag; a runtime that cannot serve is named',
  LIMIT,
  async () => {
    const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean; hasInstallScript?: boolean }>;
    };
    const built = Object.entries(lock.packages).filter(
      ([, entry]) => entry.hasInstallScript === true && entry.dev !== true,
    );
    assert.deepEqual(built, []);
    const lonely = join(folder, 'lonely');
    const bin = join(lonely, 'bin');
    mkdirSync(bin, { recursive: true });
    copyFileSync(LAUNCHER, join(bin, 'lockgate'));
    const tools = join(lonely, 'tools');
    mkdirSync(tools);
    for (const tool of ['readlink', 'dirname']) {
      symlinkSync(
        execFileSync('/bin/sh', ['-c', `command -v ${tool}`])
          .toString()
          .trim(),
        join(tools, tool),
      );
    }
    const launch = (): ReturnType<typeof runProgram> =>
      runProgram(join(bin, 'lockgate'), ['-v'], { env: { PATH: tools } });
    const missing = await launch();
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no Node\.js found; run 'npm ci'/);
    // A stand-in for Node.js that answers the launcher's question with the exit code of the case.
    const pretend = (exitCode: number): void => {
      writeFileSync(
        join(tools, 'node'),
        `#!/bin/sh\n[ "$1" = -v ] && echo v20.0.0 && exit 0\nexit ${exitCode}\n`,
      );
      chmodSync(join(tools, 'node'), 0o755);
    };
    pretend(1);
    assert.match((await launch()).stderr, /is version v20\.0\.0; Lockgate needs Node\.js 26\.9 or later/);
    pretend(3);
    const withoutCrypto = await launch();
    assert.equal(withoutCrypto.code, 1);
    assert.match(
      withoutCrypto.stderr,
      /is built without OpenSSL; Lockgate needs a Node\.js with crypto support/,
    );
  },
);

test('13: differing OpenSSL headers and library are named in one line, equal ones in none', LIMIT, () => {
  assert.equal(
    versionMismatchLine('3.5.7', '3.0.19'),
    "compiled using OpenSSL version 'OpenSSL 3.5.7' headers, but linked to OpenSSL version 'OpenSSL 3.0.19' library",
  );
  const started = seed.server.read('system.log') + seed.server.stderr();
  assert.equal(started.includes('compiled using OpenSSL'), headerVersion() !== libraryVersion());
});

test(
  '14: TLSEngine without a certificate answers AUTH with 431, says why at start, and serves plain FTP',
  LIMIT,
  async () => {
    const reason =
      'no TLSRSACertificateFile, TLSDSACertificateFile, TLSECCertificateFile or TLSPKCS12File configured; unable to handle SSL/TLS connections';
    assert.ok(seed.server.read('system.log').includes(reason));
    assert.ok(seed.server.read('bare.log').includes(reason));
    const log = seed.tlsLog('bare');
    const client = await seed.connect('bare');
    assert.deepEqual((await client.command('AUTH TLS')).lines, [
      '431 Necessary security resource unavailable',
    ]);
    await log.line(/Unable to accept AUTH TLS due to lack of certificates/);
    assert.equal((await client.login('alice', 'secret')).code, 230);
    assert.equal((await client.download('LIST')).final.code, 226);
    // The program notices it too.
    const openssl = await sClient(seed.port('bare'));
    assert.notEqual(openssl.code, 0);
    await (await FtpClient.connect({ port: seed.port('bare') })).quit();
  },
);

/** Asks again, each time with a new session, until the value appears or a deadline passes. */
async function becomes(expected: number, ask: () => Promise<number>): Promise<boolean> {
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline) if ((await ask()) === expected) return true;
  return false;
}
