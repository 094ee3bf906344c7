/** Acceptance scenarios 50-66: protection of data connections, reuse of the control session, renegotiation, large files. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { DataTls, FtpClient } from '../support/ftp-client.ts';
import {
  baseTls,
  onlyVersion,
  seedConfig,
  startSeedServer,
  tryConfig,
  type LogReader,
  type SeedServer,
} from '../support/seed-server.ts';

const LIMIT = { timeout: 30_000 };
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
type Version = (typeof VERSIONS)[number];

const NOT_BUILT = ['425 Unable to build data connection: Operation not permitted'];
const NOT_REUSED =
  /client did not reuse (TLS|SSL) session, rejecting data connection \(see the NoSessionReuseRequired TLSOptions parameter\)/;
const OTHER_SESSION =
  /client did not reuse (TLS|SSL) session from control channel, rejecting data connection \(see the NoSessionReuseRequired/;
const NOT_OPENED = /unable to open data connection: TLS negotiation failed/;

const SHORT_LIFETIME_SECONDS = 3;
/** Enough for a renegotiation every second and whatever the machine is busy with. */
const RENEGOTIATION_MS = 10_000;
const LARGE_BYTES = 1024 ** 3 + 4097;
/** The 2007 complaint was a few MB/s; the benchmark in bench/ compares with other servers. */
const LEAST_BYTES_PER_SECOND = 30_000_000;

const folder = mkdtempSync(join(tmpdir(), 'lockgate-seed-'));
/** Seconds the server believes have passed; see `startWithClock`. */
const clockFile = join(folder, 'clock');
let seed: SeedServer;
let shortLived: SeedServer;
let clocked: SeedServer;

before(async () => {
  const reuse = { TLSRequired: 'on' };
  const starting = [
    startSeedServer({
      on: baseTls(reuse),
      waived: baseTls({ ...reuse, TLSOptions: 'NoSessionReuseRequired' }),
      base: baseTls(),
      auth: baseTls({ TLSRequired: 'auth' }),
      'not-data': baseTls({ TLSRequired: '!data' }),
      timer: baseTls({ TLSRenegotiate: 'ctrl 1500 timeout 300' }),
      'fast-timer': baseTls({ TLSRenegotiate: 'ctrl 1 timeout 30', TLSOptions: 'AllowClientRenegotiations' }),
      'client-may': baseTls({ TLSOptions: 'AllowClientRenegotiations' }),
      'not-required': baseTls({ TLSRenegotiate: 'required off' }),
      'no-renegotiate': `SocketOptions rcvbuf 65536 sndbuf 65536\n${baseTls({ TLSRenegotiate: null })}`,
    }),
    startSeedServer({ on: baseTls(reuse) }, { main: `TLSSessionCache internal: ${SHORT_LIFETIME_SECONDS}` }),
    startWithClock('TLSSessionCache internal: 1800'),
  ];
  [seed, shortLived, clocked] = (await Promise.all(starting)) as [SeedServer, SeedServer, SeedServer];
  for (const server of [seed, shortLived, clocked]) {
    writeFileSync(join(server.server.homeOf('alice'), 'hello.txt'), 'hello over TLS\n');
  }
});

after(async () => {
  await Promise.all([seed, shortLived, clocked].map((server) => server?.close()));
  rmSync(folder, { recursive: true, force: true });
});

/** A server whose monotonic clock runs ahead by the seconds written to `clockFile`. */
function startWithClock(main: string): Promise<SeedServer> {
  writeFileSync(clockFile, '0');
  const preload = join(folder, 'clock.mjs');
  writeFileSync(
    preload,
    `import { readFileSync } from 'node:fs';
    const real = performance.now.bind(performance);
    performance.now = () => real() + 1000 * Number(readFileSync(${JSON.stringify(clockFile)}, 'utf8'));`,
  );
  return startSeedServer(
    { on: baseTls({ TLSRequired: 'on' }) },
    { main, environment: { NODE_OPTIONS: `--import ${preload}` } },
  );
}

async function connect(server: SeedServer, host: string, version: Version): Promise<FtpClient> {
  const client = await server.connect(host);
  await client.loginTls('alice', 'secret', onlyVersion(version));
  assert.equal((await client.command('TYPE I')).code, 200);
  return client;
}

function data(session: DataTls['session'], version: Version): { readonly tls: DataTls } {
  return { tls: { session, options: onlyVersion(version) } };
}

async function list(client: FtpClient, session: DataTls['session'], version: Version): Promise<number> {
  const { final } = await client.download('LIST', data(session, version));
  return final.code;
}

async function refusedForReuse(log: LogReader): Promise<void> {
  await log.inOrder(NOT_REUSED, NOT_OPENED);
}

for (const version of VERSIONS) {
  const how = ` (${version})`;

  test(
    `50: a data connection that resumes nothing gets 150, then 425, and the session goes on${how}`,
    LIMIT,
    async () => {
      const client = await connect(seed, 'on', version);
      const fresh = data('fresh', version);
      for (const line of ['LIST', 'RETR hello.txt', 'MLSD', 'NLST', 'STOR refused.txt']) {
        const log = seed.tlsLog('on');
        const outcome = line.startsWith('STOR')
          ? await client.upload(line, 'never to arrive', fresh)
          : await client.download(line, fresh);
        assert.equal(outcome.opening.code, 150, line);
        assert.deepEqual(outcome.final.lines, NOT_BUILT, line);
        await refusedForReuse(log);
        assert.equal((await client.command('PWD')).code, 257);
      }
      assert.equal(await list(client, 'resume', version), 226);
      const { body } = await client.download('RETR hello.txt', data('resume', version));
      assert.equal(body.toString(), 'hello over TLS\n');
    },
  );

  test(`51: NoSessionReuseRequired serves the same client${how}`, LIMIT, async () => {
    const client = await connect(seed, 'waived', version);
    assert.equal(await list(client, 'fresh', version), 226);
  });

  test(`52: a client that resumes lists five times${how}`, LIMIT, async () => {
    const client = await connect(seed, 'base', version);
    for (let round = 1; round <= 5; round += 1)
      assert.equal(await list(client, 'resume', version), 226, `LIST ${round}`);
  });

  test(`53: the session of another control connection is refused and named so${how}`, LIMIT, async () => {
    const [one, other] = [await connect(seed, 'base', version), await connect(seed, 'base', version)];
    assert.equal(await list(other, 'resume', version), 226);
    const foreign = other.sessions.at(-1);
    assert.ok(foreign !== undefined);
    const log = seed.tlsLog('base');
    const outcome = await one.download('LIST', data(foreign, version));
    assert.deepEqual(outcome.final.lines, NOT_BUILT);
    assert.equal(outcome.body.length, 0);
    await log.inOrder(OTHER_SESSION, NOT_OPENED);
    assert.equal(await list(one, 'resume', version), 226);
  });

  test(
    `60: internal: 1800 lets a client list again after a transfer of more than 300 s${how}`,
    LIMIT,
    async () => {
      writeFileSync(clockFile, '0');
      const client = await connect(clocked, 'on', version);
      assert.equal(await list(client, 'resume', version), 226);
      writeFileSync(clockFile, '1700');
      assert.equal(await list(client, 'resume', version), 226);
      const log = clocked.tlsLog('on');
      // The simulated clock is really looked at.
      writeFileSync(clockFile, '1801');
      assert.equal(await list(client, 'resume', version), 425);
      await log.line(/client did not reuse (TLS|SSL) session.*NoSessionReuseRequired/);
    },
  );
}

test('54: without PROT P the listing is refused at once, not left hanging', LIMIT, async () => {
  for (const version of VERSIONS) {
    const client = await seed.connect('on');
    await client.authTls(onlyVersion(version));
    assert.equal((await client.login('alice', 'secret')).code, 230);
    const log = seed.tlsLog('on');
    const { opening } = await client.download('LIST');
    assert.deepEqual(opening.lines, ['522 SSL/TLS required on the data channel']);
    await log.line(/SSL\/TLS required but absent on data channel, denying LIST command/);
  }
});

test('55: PROT C is declined where data has to be protected', LIMIT, async () => {
  const client = await connect(seed, 'on', 'TLSv1.3');
  const log = seed.tlsLog('on');
  assert.deepEqual((await client.command('PROT C')).lines, ['534 Unwilling to accept security parameters']);
  await log.inOrder(
    /PROT: TLSRequired requires protection for data transfers/,
    /PROT: unwilling to accept security parameter \(C\)/,
  );
  assert.equal(await list(client, 'resume', 'TLSv1.3'), 226);
});

test('56: TLSRequired auth accepts PROT C and lists in clear', LIMIT, async () => {
  const client = await connect(seed, 'auth', 'TLSv1.3');
  assert.deepEqual((await client.command('PROT C')).lines, ['200 Protection set to Clear']);
  const { final, body } = await client.download('LIST');
  assert.equal(final.code, 226);
  assert.match(body.toString(), /hello\.txt/);
});

test('57: TLSRequired !data refuses PROT P and serves TLS and plain logins alike', LIMIT, async () => {
  const client = await seed.connect('not-data');
  await client.authTls();
  assert.equal((await client.login('alice', 'secret')).code, 230);
  const log = seed.tlsLog('not-data');
  const replies = await client.dialogue('PBSZ 0', 'PROT P', 'PROT C');
  assert.deepEqual(
    replies.map((reply) => reply.code),
    [200, 534, 200],
  );
  await log.line(/PROT: unwilling to accept security parameter \(P\)/);
  assert.equal((await client.download('LIST')).final.code, 226);
  const plain = await seed.connect('not-data');
  assert.equal((await plain.login('alice', 'secret')).code, 230);
  assert.equal((await plain.download('LIST')).final.code, 226);
});

test('58: the last PROT counts; S and other levels are refused', LIMIT, async () => {
  const client = await connect(seed, 'base', 'TLSv1.3');
  const replies = await client.dialogue('PROT P', 'PROT C');
  assert.deepEqual(
    replies.map((reply) => reply.code),
    [200, 200],
  );
  assert.match((await client.download('LIST')).body.toString(), /hello\.txt/);
  assert.deepEqual((await client.command('PROT S')).lines, ['536 PROT S unsupported']);
  assert.deepEqual((await client.command('PROT X')).lines, ['504 PROT X unsupported']);
  assert.equal((await client.download('LIST')).final.code, 226);
  assert.equal((await client.command('PROT P')).code, 200);
  assert.equal(await list(client, 'resume', 'TLSv1.3'), 226);
});

test('59: a session older than the lifetime of TLSSessionCache is refused', LIMIT, async () => {
  const log = shortLived.tlsLog('on');
  const outlive = async (version: Version): Promise<void> => {
    const client = await connect(shortLived, 'on', version);
    assert.equal(await list(client, 'resume', version), 226);
    const deadline = performance.now() + 5_000 + SHORT_LIFETIME_SECONDS * 1000;
    let answer = 226;
    while (answer === 226 && performance.now() < deadline) answer = await list(client, 'resume', version);
    assert.equal(answer, 425, version);
  };
  await Promise.all(VERSIONS.map(outlive));
  await log.inOrder(/client did not reuse (TLS|SSL) session.*NoSessionReuseRequired/, NOT_OPENED);
});

test('61: TLSSessionCache wants its colon, with or without a space behind it', LIMIT, async () => {
  const check = (value: string, name: string) =>
    tryConfig(join(folder, name), seedConfig({ cache: baseTls() }, `TLSSessionCache ${value}`), ['-t']);
  const [bare, tight, spaced] = await Promise.all([
    check('internal 1800', 'bare'),
    check('internal:1800', 'tight'),
    check('internal: 1800', 'spaced'),
  ]);
  assert.equal(bare.code, 1);
  assert.match(bare.stderr, /fatal: TLSSessionCache: badly formatted parameter.* on line \d+ of '/);
  assert.equal(tight.code, 0, tight.stderr);
  assert.equal(spaced.code, 0, spaced.stderr);
});

test(
  '62: the control timer renegotiates TLS 1.2 and never costs a TLS 1.3 session its life',
  LIMIT,
  async () => {
    await connect(seed, 'timer', 'TLSv1.2');
    // Older than the TLS 1.2 session, so its interval has passed when that one's has.
    const modern = await connect(seed, 'fast-timer', 'TLSv1.3');
    const log = seed.tlsLog('fast-timer');
    const client = await connect(seed, 'fast-timer', 'TLSv1.2');
    const renegotiated = once(client.stream, 'session', { signal: AbortSignal.timeout(RENEGOTIATION_MS) });
    await log.line(
      /requesting TLS renegotiation on control channel \(1 sec renegotiation interval\)/,
      RENEGOTIATION_MS,
    );
    await renegotiated;
    assert.equal((await client.command('PWD')).code, 257);
    assert.equal(await list(client, 'resume', 'TLSv1.2'), 226);
    assert.equal((await modern.command('PWD')).code, 257);
    assert.equal(await list(modern, 'resume', 'TLSv1.3'), 226);
  },
);

let largeDigest: string | null = null;
let measuredRate: number | null = null;

for (const [host, version, directive] of [
  ['not-required', 'TLSv1.2', 'TLSRenegotiate required off'],
  ['no-renegotiate', 'TLSv1.3', 'no TLSRenegotiate'],
] as const) {
  test(
    `63: more than 1 GiB over ${version} arrives whole with ${directive}`,
    { timeout: 60_000 },
    async (t) => {
      largeDigest ??= makeLargeFile(join(seed.server.homeOf('alice'), 'large.bin'));
      const client = await connect(seed, host, version);
      const started = performance.now();
      const received = await hashDownload(client, 'RETR large.bin', data('resume', version).tls);
      const seconds = (performance.now() - started) / 1000;
      t.diagnostic(
        `${version}: ${Math.round(LARGE_BYTES / 1e6 / seconds)} MB/s, client and checksum included`,
      );
      assert.deepEqual(received, { bytes: LARGE_BYTES, digest: largeDigest });
      assert.equal((await client.command('PWD')).code, 257);
      if (version === 'TLSv1.3') measuredRate = LARGE_BYTES / seconds;
    },
  );
}

test(
  '64: a client’s renegotiation is aborted with a warning, or accepted with AllowClientRenegotiations',
  LIMIT,
  async () => {
    const bystander = await connect(seed, 'base', 'TLSv1.2');
    const refused = await connect(seed, 'base', 'TLSv1.2');
    const log = seed.tlsLog('base');
    await assert.rejects(renegotiate(refused));
    await log.line(/warning: client-initiated session renegotiation detected, aborting connection/);
    await refused.waitClosed();
    assert.equal((await bystander.command('PWD')).code, 257);
    const allowed = await connect(seed, 'client-may', 'TLSv1.2');
    await renegotiate(allowed);
    assert.equal((await allowed.command('PWD')).code, 257);
    assert.equal(await list(allowed, 'resume', 'TLSv1.2'), 226);
  },
);

test('65: no tuning is needed for a fast transfer, and buffer settings do not slow it down', (t) => {
  // Scenario 63's second transfer, on a host with SocketOptions rcvbuf and sndbuf.
  if (measuredRate === null) return t.skip('needs the transfer of 63');
  assert.ok(measuredRate > LEAST_BYTES_PER_SECOND, `${Math.round(measuredRate)} bytes a second`);
});

test('66: a session cache this server has not is named at start, not ignored', LIMIT, async () => {
  const main = 'LoadModule mod_tls_shmcache.c\nTLSSessionCache shm:/file=/x 900';
  const result = await tryConfig(join(folder, 'shm'), seedConfig({ shm: baseTls() }, main));
  assert.equal(result.code, 1);
  assert.match(result.stderr, /session cache type 'shm' not available/);
});

/** Zeros with marks at places where blocks and records end; gives the SHA-256. */
function makeLargeFile(path: string): string {
  const file = openSync(path, 'w', 0o644);
  const zeros = Buffer.alloc(1024 * 1024);
  const hash = createHash('sha256');
  try {
    ftruncateSync(file, LARGE_BYTES);
    for (let at = 0; at < LARGE_BYTES; at += zeros.length) {
      const block = Buffer.from(zeros.subarray(0, Math.min(zeros.length, LARGE_BYTES - at)));
      const mark = `block ${at}`;
      block.write(mark, 0, 'latin1');
      writeSync(file, mark, at, 'latin1');
      hash.update(block);
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

async function hashDownload(
  client: FtpClient,
  line: string,
  tls: DataTls,
): Promise<{ bytes: number; digest: string }> {
  const prepared = await client.prepareData('epsv');
  const connecting = prepared.connect(tls);
  client.send(line);
  const [socket, opening] = await Promise.all([connecting, client.readReply()]);
  assert.equal(opening.code, 150);
  const result = await hashStream(socket);
  assert.equal((await client.readReply()).code, 226);
  return result;
}

async function hashStream(socket: Socket): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  socket.setTimeout(5_000, () => socket.destroy(new Error('data connection stalled')));
  for await (const chunk of socket) {
    bytes += (chunk as Buffer).length;
    hash.update(chunk as Buffer);
  }
  return { bytes, digest: hash.digest('hex') };
}

function renegotiate(client: FtpClient): Promise<void> {
  const stream = client.stream as TLSSocket;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no renegotiation')), RENEGOTIATION_MS);
    const settle = (error: Error | null): void => {
      clearTimeout(timer);
      if (error === null) resolve();
      else reject(error);
    };
    stream.once('close', () => settle(new Error('closed instead of renegotiated')));
    stream.renegotiate({ rejectUnauthorized: false }, settle);
  });
}
