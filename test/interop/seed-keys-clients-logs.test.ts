/** Acceptance scenarios 83-90: pass phrases, FIPS, command-line clients, command and transfer logs, and a clean wire. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTcp } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { collect, FtpClient } from '../support/ftp-client.ts';
import { fipsArguments, needsFipsProvider } from '../support/fips-provider.ts';
import { needsProgram } from '../support/programs.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import {
  baseTls,
  LogReader,
  protectedList,
  runProgram,
  sClient,
  seedConfig,
  startSeedServer,
  tryConfig,
  type ProgramResult,
  type SeedServer,
} from '../support/seed-server.ts';
import { assertTlsRecords } from '../support/tls-records.ts';

const LIMIT = { timeout: 30_000 };
const trees = certificateTrees();
const folder = mkdtempSync(join(tmpdir(), 'lockgate-seed-'));
const callsFile = join(folder, 'provider-calls');
const encrypted = { TLSRSACertificateKeyFile: trees.encryptedKey };
const resume = { tls: { session: 'resume' } } as const;
let seed: SeedServer;

before(async () => {
  const chain = { TLSCertificateChainFile: trees.chainFile };
  const provider = providerProgram('provider', `echo "$1|$2" >> ${callsFile}; echo '${trees.passPhrase}'`);
  seed = await startSeedServer(
    {
      encrypted: baseTls(encrypted),
      on: baseTls({ ...chain, TLSRequired: 'on' }),
      implicit: baseTls({ TLSOptions: 'UseImplicitSSL' }),
      commands: `ExtendedLog @DIR@/ftpcmd.log ALL ftpcmd\n${baseTls()}`,
      transfers: `TransferLog @DIR@/xferlog\n${baseTls()}`,
    },
    {
      main: `TLSPassPhraseProvider ${provider}\nLogFormat ftpcmd "%u [%a] %r %s"\n`,
      // Everything a server can say about itself, on its standard error and nowhere else.
      args: ['-d', '10'],
    },
  );
  const home = seed.server.homeOf('alice');
  const { uid, gid } = statSync(home);
  for (const name of ['hello.txt', 'two words grüße.txt']) {
    writeFileSync(join(home, name), 'hello over TLS\n');
    chownSync(join(home, name), uid, gid);
  }
});

after(async () => {
  await seed?.close();
  rmSync(folder, { recursive: true, force: true });
});

function providerProgram(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o700);
  return path;
}

async function connectTlsClient(host: string): Promise<FtpClient> {
  const client = await seed.connect(host);
  await client.loginTls('alice', 'secret');
  await client.command('TYPE I');
  return client;
}

test('83: the provider opens an encrypted key, asked with server, port and key type', LIMIT, async () => {
  const client = await connectTlsClient('encrypted');
  assert.equal((await protectedList(client)).final.code, 226);
  // Once, and only for the key that is encrypted.
  assert.equal(readFileSync(callsFile, 'utf8'), `TJ's FTPS Server:${seed.port('encrypted')}|RSA\n`);
});

test('83: a provider that gives the wrong pass phrase stops the start', LIMIT, async () => {
  const provider = providerProgram('wrong-provider', 'echo not-the-phrase');
  const config = seedConfig({ wrong: baseTls(encrypted) }, `TLSPassPhraseProvider ${provider}`);
  const result = await tryConfig(join(folder, 'wrong'), config);
  assert.equal(result.code, 1);
  assert.ok(
    result.stderr.includes(`unable to use RSA certificate key in '${trees.encryptedKey}', exiting`),
    result.stderr,
  );
  assert.ok(!result.stderr.includes('not-the-phrase'));
});

test('83: a key without pass phrase needs neither provider nor prompt', LIMIT, async () => {
  const client = await connectTlsClient('on');
  assert.equal((await protectedList(client)).final.code, 226);
  const result = await tryConfig(join(folder, 'plain'), seedConfig({ plain: baseTls() }), ['-t']);
  assert.equal(result.code, 0, result.stderr);
  assert.doesNotMatch(result.stderr, /key for the .* server: /);
});

test(
  '84: TLS_USE_FIPS with a FIPS provider says so, and ciphers that are not approved are refused',
  LIMIT,
  async (t) => {
    const module = needsFipsProvider(t);
    if (module === null) return;
    const fips = await startSeedServer({ fips: baseTls() }, { args: fipsArguments(module) });
    try {
      assert.match(fips.server.stderr(), /^mod_tls\/\S+: FIPS mode enabled$/m);
      const client = await fips.connect('fips');
      await client.loginTls('alice', 'secret');
      assert.equal((await protectedList(client)).final.code, 226);
      const approved = await sClient(fips.port('fips'), [
        '-tls1_2',
        '-cipher',
        'ECDHE-RSA-AES256-GCM-SHA384',
      ]);
      assert.match(approved.stdout, /Cipher is ECDHE-RSA-AES256-GCM-SHA384/);
      const refused = await sClient(fips.port('fips'), ['-tls1_2', '-cipher', 'ECDHE-RSA-CHACHA20-POLY1305']);
      assert.match(refused.stdout + refused.stderr, /Cipher is \(NONE\)/);
    } finally {
      await fips.close();
    }
  },
);

test('85: TLS_USE_FIPS without a FIPS provider does not start', LIMIT, async (t) => {
  // Whatever this machine has installed: OPENSSL_MODULES is the only place that is looked at.
  const outside = process.env['OPENSSL_MODULES'];
  process.env['OPENSSL_MODULES'] = folder;
  t.after(() => {
    if (outside === undefined) delete process.env['OPENSSL_MODULES'];
    else process.env['OPENSSL_MODULES'] = outside;
  });
  for (const define of [['-DTLS_USE_FIPS'], ['-D', 'TLS_USE_FIPS']]) {
    const config = seedConfig({ fips: baseTls() });
    const result = await tryConfig(join(folder, 'fips'), config, [...define, '-n']);
    assert.notEqual(result.code, 0);
    assert.notEqual(result.code, null);
    assert.match(result.stderr, /mod_tls\/\S+: unable to use FIPS mode: \S/);
    assert.match(result.stderr, /[Ff]atal: unable to load module 'mod_tls\.c': Operation not permitted/);
    assert.doesNotMatch(result.stderr, /STARTUP|FIPS mode enabled/);
  }
});

test('85: without the define nothing speaks of FIPS, and no directive can ask for it', LIMIT, async () => {
  assert.doesNotMatch(seed.server.stderr() + seed.server.read('system.log'), /FIPS/);
  const result = await tryConfig(
    join(folder, 'option'),
    seedConfig({ option: baseTls({ TLSOptions: 'FIPS' }) }),
  );
  assert.equal(result.code, 1);
  assert.match(result.stderr, /unknown TLSOption 'FIPS'/);
});

for (const setting of ['ssl-allow', 'ssl-force'] as const) {
  test(`86: lftp logs in and lists with ftp:${setting}`, LIMIT, async (t) => {
    if (!needsProgram(t, 'lftp')) return;
    const upload = join(folder, `${setting}.txt`);
    writeFileSync(upload, `sent with ${setting}\n`);
    const log = seed.tlsLog('on');
    const result = await lftp('on', [`set ftp:${setting} true`, 'ls', `put ${upload}`, `cat ${setting}.txt`]);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /hello\.txt/);
    assert.match(result.stdout, new RegExp(`sent with ${setting}\n`));
    await log.line(/connection accepted, using cipher/);
  });
}

/** Verifies the server's certificate: its name and its chain. */
function lftp(host: string, commands: readonly string[]): Promise<ProgramResult> {
  const script = [
    `set ssl:ca-file ${trees.myRootCa.certificate}`,
    'set ssl:verify-certificate yes',
    'set net:max-retries 1',
    'set net:timeout 5',
    'set cmd:fail-exit yes',
    ...commands,
    'quit',
  ];
  const url = `ftp://127.0.0.1:${seed.port(host)}`;
  return runProgram('lftp', ['--norc', '-u', 'alice,secret', '-e', script.join('; '), url], {
    env: { ...process.env, HOME: folder, LFTP_HOME: folder },
  });
}

test('86: curl logs in, lists, uploads and downloads with --ssl-reqd', LIMIT, async (t: TestContext) => {
  if (!needsProgram(t, 'curl')) return;
  const upload = join(folder, 'curl.txt');
  writeFileSync(upload, 'sent with curl\n');
  const base = `ftp://127.0.0.1:${seed.port('on')}`;
  const common = [
    '-sS',
    '--ssl-reqd',
    '--cacert',
    trees.myRootCa.certificate,
    '-u',
    'alice:secret',
    '-m',
    '10',
  ];
  const sent = await runProgram('curl', [...common, '-T', upload, `${base}/`]);
  assert.equal(sent.code, 0, sent.stderr);
  const listed = await runProgram('curl', [...common, `${base}/`]);
  assert.match(listed.stdout, /curl\.txt/, listed.stderr);
  const got = await runProgram('curl', [...common, `${base}/curl.txt`]);
  assert.equal(got.stdout, 'sent with curl\n', got.stderr);
});

test(
  '87: TLSRequired on leaves a clear connection the commands that lead to TLS, and QUIT',
  LIMIT,
  async () => {
    const client = await seed.connect('on');
    for (const command of ['USER alice', 'PASS secret', 'LIST', 'NOOP', 'PWD']) {
      assert.deepEqual(
        (await client.command(command)).lines,
        ['550 SSL/TLS required on the control channel'],
        command,
      );
    }
    assert.equal((await client.command('SYST')).code, 215);
    assert.equal((await client.command('FEAT')).code, 211);
    assert.equal((await client.command('HOST 127.0.0.1')).code, 220);
    assert.equal((await client.command('CLNT test')).code, 200);
    assert.equal((await client.command('QUIT')).code, 221);
    const other = await seed.connect('on');
    assert.equal((await other.authTls()).code, 234);
  },
);

test('88: ExtendedLog names user, address, command and answer, and hides the password', LIMIT, async () => {
  const log = new LogReader(seed.server.directory, 'ftpcmd.log');
  const client = await seed.connect('commands');
  await client.login('alice', 'secret');
  assert.equal((await client.download('LIST')).final.code, 226);
  assert.ok(await log.line(/^alice \[127\.0\.0\.1\] LIST 226$/));
  assert.ok(await log.line(/\[127\.0\.0\.1\] PASS \(hidden\) 230$/));
  assert.ok(!log.lines.join('\n').includes('secret'));
});

test('89: the transfer log has one ftps line per file and none for a listing', LIMIT, async () => {
  const log = new LogReader(seed.server.directory, 'xferlog');
  const client = await connectTlsClient('transfers');
  assert.equal((await client.upload('STOR new file.txt', '12345678', resume)).final.code, 226);
  assert.equal((await client.download('LIST', resume)).final.code, 226);
  assert.equal((await client.download('RETR two words grüße.txt', resume)).final.code, 226);
  const home = seed.server.homeOf('alice');
  const line = (bytes: number, name: string, direction: string): RegExp =>
    new RegExp(
      `^\\w{3} \\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\d{4} \\d+ \\S+ ${bytes} ${home}/${name} b _ ${direction} r alice ftps 0 \\* c$`,
    );
  await log.inOrder(line(8, 'new_file.txt', 'i'), line(15, 'two_words_grüße.txt', 'o'));
  assert.equal((await client.quit()).code, 221);
  assert.equal(log.lines.length, 2, log.lines.join('\n'));
});

test(
  '90: after AUTH the server sends nothing but TLS records, on control and data connections',
  LIMIT,
  async (t) => {
    for (const host of ['on', 'implicit']) {
      const control = await startRecordingProxy(t, seed.port(host));
      const implicitTls = host === 'implicit' ? { implicitTls: { rejectUnauthorized: false } } : {};
      const client = await FtpClient.connect({ port: control.port, ...implicitTls });
      if (host === 'on') await client.loginTls('alice', 'secret');
      else await client.login('alice', 'secret');
      await client.command('TYPE I');
      for (const line of ['LIST', 'RETR hello.txt', 'RETR missing.txt', 'NOPE', 'STOR wire.txt']) {
        await overRecordedData(t, client, line);
      }
      await client.quit();
      await control.ended;
      const sent = control.fromServer();
      const start = host === 'on' ? sent.indexOf('\r\n', sent.indexOf('\r\n234 ') + 2) + 2 : 0;
      assertTlsRecords(sent.subarray(start));
    }
  },
);

/** One command with its data connection, if it opens one, through a recording relay. */
async function overRecordedData(t: TestContext, client: FtpClient, line: string): Promise<void> {
  const prepared = await client.prepareData('epsv');
  const relay = await startRecordingProxy(t, prepared.port);
  client.send(line);
  const socket = connectTls({
    socket: connectTcp({ port: relay.port, host: '127.0.0.1' }),
    rejectUnauthorized: false,
    session: client.sessions.at(-1)!,
  });
  // A command that was refused leaves no one to speak TLS with.
  socket.on('error', () => socket.destroy());
  const opening = await client.readReply();
  if (opening.code === 150) {
    if (line.startsWith('STOR')) socket.end('content');
    const received = collect(socket);
    assert.equal((await client.readReply()).code, 226, line);
    await received;
    assertTlsRecords(relay.fromServer());
  }
  socket.destroy();
}
