/** Acceptance scenarios 72-82: passive ports and addresses behind NAT, CCC, transfers between two servers, broken handshakes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { ClearingClient } from '../support/clearing-client.ts';
import { recordClientHello } from '../support/client-hello.ts';
import { collect, FtpClient, parsePasv, portLine, type ClientReply } from '../support/ftp-client.ts';
import { freePorts } from '../support/server.ts';
import { baseTls, protectedList, startSeedServer, type SeedServer } from '../support/seed-server.ts';

const LIMIT = { timeout: 30_000 };
const RANGE = [50_000, 51_000] as const;
const PUBLIC_ADDRESS = '203.0.113.7';
const PUBLIC_TLS_ADDRESS = '203.0.113.8';
const CONTENT = 'from one server to the other\n';

const trees = certificateTrees();
/** `seed` and `peer` have the same virtual hosts; transfers go from `seed` to `peer`. */
let seed: SeedServer;
let peer: SeedServer;

before(async () => {
  const [low, high] = await neighbouringPorts();
  const masquerade = `MasqueradeAddress ${PUBLIC_ADDRESS}\n`;
  const foreign = 'AllowForeignAddress on\n';
  const quick = { TLSTimeoutHandshake: '1' };
  const chain = { TLSCertificateChainFile: trees.chainFile };
  const hosts = {
    base: baseTls(),
    range: `PassivePorts ${RANGE.join(' ')}\n${baseTls({ TLSRequired: 'on' })}`,
    'range-plain': `PassivePorts ${RANGE.join(' ')}\n${baseTls()}`,
    narrow: `PassivePorts ${low} ${high}\n${baseTls()}`,
    masquerade: `${masquerade}${baseTls()}`,
    'tls-masquerade': `${masquerade}TLSMasqueradeAddress ${PUBLIC_TLS_ADDRESS}\n${baseTls()}`,
    ccc: baseTls({ TLSRequired: 'auth+data' }),
    on: baseTls({ TLSRequired: 'on' }),
    fxp: `${foreign}${baseTls()}`,
    'fxp-on': `${foreign}${baseTls({ ...quick, TLSRequired: 'on' })}`,
    'fxp-quick': `${foreign}${baseTls(quick)}`,
    'fxp-data': `${foreign}${baseTls({ TLSRequired: 'data' })}`,
    'fxp-any-session': `${foreign}${baseTls({ ...chain, TLSOptions: 'NoSessionReuseRequired' })}`,
    'fxp-unverified': `${foreign}${baseTls({ TLSVerifyServer: 'off' })}`,
    'fxp-trusting': `${foreign}${baseTls({ TLSCACertificateFile: trees.myRootCa.certificate })}`,
  };
  [seed, peer] = await Promise.all([startSeedServer(hosts), startSeedServer(hosts)]);
  for (const server of [seed, peer]) {
    writeFileSync(join(server.server.homeOf('alice'), 'source.txt'), CONTENT);
  }
});

after(() => Promise.all([seed?.close(), peer?.close()]));

/** Two free ports beside each other. */
async function neighbouringPorts(): Promise<[number, number]> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const [port = 0] = await freePorts(1);
    const second = createTcpServer();
    const free = await new Promise<boolean>((resolve) => {
      second.once('error', () => resolve(false));
      second.listen(port + 1, '127.0.0.1', () => resolve(true));
    });
    await new Promise((closed) => second.close(closed));
    if (free) return [port, port + 1];
  }
  throw new Error('no two free ports beside each other');
}

function passivePort(reply: ClientReply): number {
  const extended = /\(\|\|\|(\d+)\|\)/.exec(reply.text)?.[1];
  return extended === undefined ? (parsePasv(reply.text)?.port ?? 0) : Number(extended);
}

function inRange(port: number): boolean {
  return port >= RANGE[0] && port <= RANGE[1];
}

test('72: every passive port comes from PassivePorts', LIMIT, async () => {
  const client = await seed.connect('range-plain');
  await client.login('alice', 'secret');
  for (let round = 0; round < 20; round += 1) {
    const reply = await client.command(round % 2 === 0 ? 'PASV' : 'EPSV');
    assert.equal(reply.code, round % 2 === 0 ? 227 : 229);
    assert.ok(inRange(passivePort(reply)), reply.text);
  }
});

test('73: an exhausted range gives another port and says so in the log', LIMIT, async () => {
  const range = /PassivePorts (\d+) (\d+)\n/.exec(readNarrowHost())!.slice(1).map(Number);
  const [low, high] = [range[0]!, range[1]!];
  const log = seed.systemLog();
  const ports: number[] = [];
  for (let waiting = 0; waiting < 3; waiting += 1) {
    const client = await seed.connect('narrow');
    await client.login('alice', 'secret');
    ports.push(passivePort(await client.command('EPSV')));
  }
  assert.deepEqual(
    ports.slice(0, 2).sort((one, other) => one - other),
    [low, high],
  );
  assert.ok(ports[2] !== undefined && ports[2] > 0 && !range.includes(ports[2]));
  const line = await log.line(/unable to find open port in PassivePorts range/);
  assert.ok(line.includes(`PassivePorts range ${low}-${high}`), line);
  assert.match(line, /defaulting to INPORT_ANY \(consider defining a larger PassivePorts range\)/);
});

/** The configuration as started, from the virtual host with two ports on. */
function readNarrowHost(): string {
  const text = readFileSync(seed.server.configFile, 'utf8');
  return text.slice(text.indexOf('/narrow.log'));
}

test(
  '74: PASV carries MasqueradeAddress, over TLS TLSMasqueradeAddress; EPSV carries a port only',
  LIMIT,
  async () => {
    const commas = (address: string): string => address.replaceAll('.', ',');
    const passive = async (host: string, tls: boolean): Promise<[string, string]> => {
      const client = await seed.connect(host);
      if (tls) await client.loginTls('alice', 'secret');
      else await client.login('alice', 'secret');
      const replies = await client.dialogue('PASV', 'EPSV');
      return replies.map((reply) => reply.text) as [string, string];
    };
    for (const [host, tls, address] of [
      ['masquerade', false, PUBLIC_ADDRESS],
      ['masquerade', true, PUBLIC_ADDRESS],
      ['tls-masquerade', false, PUBLIC_ADDRESS],
      ['tls-masquerade', true, PUBLIC_TLS_ADDRESS],
    ] as const) {
      const [pasv, epsv] = await passive(host, tls);
      assert.match(pasv, new RegExp(`\\(${commas(address)},\\d+,\\d+\\)`), `${host}, TLS ${tls}`);
      assert.match(epsv, /\(\|\|\|\d+\|\)/);
    }
  },
);

test(
  '75: over TLS everything goes through the range, with no help from the path between',
  LIMIT,
  async () => {
    const client = await seed.connect('range');
    await client.loginTls('alice', 'secret');
    await client.command('TYPE I');
    for (const mode of ['pasv', 'epsv'] as const) {
      const tls = { session: 'resume' } as const;
      const ports: number[] = [];
      const watched = client.prepareData.bind(client);
      client.prepareData = async (kind) => {
        const prepared = await watched(kind);
        ports.push(prepared.port);
        return prepared;
      };
      assert.match((await client.download('LIST', { mode, tls })).body.toString(), /source\.txt/);
      assert.equal((await client.upload('STOR up.txt', 'up', { mode, tls })).final.code, 226);
      assert.equal((await client.download('RETR up.txt', { mode, tls })).body.toString(), 'up');
      client.prepareData = watched;
      assert.equal(ports.length, 3);
      assert.ok(ports.every(inRange), ports.join(' '));
    }
  },
);

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`76: after CCC commands travel in clear, listings stay under TLS (${version})`, LIMIT, async () => {
    const refused = await seed.connect('ccc');
    assert.deepEqual((await refused.command('USER alice')).lines, [
      '550 SSL/TLS required on the control channel',
    ]);
    const client = await ClearingClient.connect(seed.port('ccc'), version);
    try {
      await client.command('USER alice');
      assert.match(await client.command('PASS secret'), /^230 /);
      await client.command('PBSZ 0');
      assert.equal(await client.command('PROT P'), '200 Protection set to Private');
      assert.equal(await client.command('CCC'), '200 Clearing control channel protection');
      client.leaveTls(true);
      const wire = client.recordWire();
      const passive = await client.command('PASV');
      assert.ok(Buffer.concat(wire).toString('latin1').endsWith(`${passive}\r\n`));
      client.write('LIST\r\n');
      const { port } = parsePasv(passive)!;
      // No session is offered: after CCC reuse is not demanded.
      const data = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
      assert.match((await collect(data)).toString(), /source\.txt/);
      assert.deepEqual([(await client.nextReply()).code, (await client.nextReply()).code], [150, 226]);
      assert.match(Buffer.concat(wire).toString('latin1'), /\r\n150 .*\r\n226 /);
    } finally {
      client.destroy();
    }
  });
}

test(
  '77: CCC wants a login first, and a TLSRequired that lets go of the control connection',
  LIMIT,
  async () => {
    const early = await seed.connect('ccc');
    await early.authTls();
    assert.deepEqual((await early.command('CCC')).lines, ['530 Please login with USER and PASS']);
    const client = await seed.connect('on');
    await client.loginTls('alice', 'secret');
    assert.deepEqual((await client.command('CCC')).lines, ['534 Unwilling to accept security parameters']);
    assert.equal((await protectedList(client)).final.code, 226);
  },
);

/** Both control connections come from elsewhere, so each server is a foreign address to the other's client. */
async function connectFrom(server: SeedServer, host: string): Promise<FtpClient> {
  return FtpClient.connect({ port: server.port(host), localAddress: '127.0.0.2' });
}

async function twoServers(
  hosts: readonly [string, string],
  prepare: (client: FtpClient) => Promise<unknown>,
) {
  const [source, target] = await Promise.all([connectFrom(seed, hosts[0]), connectFrom(peer, hosts[1])]);
  await Promise.all([prepare(source), prepare(target)]);
  return { source, target };
}

/** PASV here, PORT there, then STOR and RETR: opening and final reply of each. */
async function siteToSite(source: FtpClient, target: FtpClient, name: string) {
  const address = parsePasv((await source.command('PASV')).text)!;
  assert.equal((await target.command(portLine(address.host, address.port))).code, 200);
  target.send(`STOR ${name}`);
  source.send('RETR source.txt');
  const openings = await Promise.all([source.readReply(), target.readReply()]);
  const finals = await Promise.all(
    [source, target].map(async (client, index) => {
      const opening = openings[index]!;
      return opening.code < 400 ? client.readReply() : opening;
    }),
  );
  return { openings: openings.map((reply) => reply.code), finals: finals.map((reply) => reply.code) };
}

function arrived(name: string): string {
  return peer.server.read(`homes/alice/${name}`);
}

async function stillAlive(...clients: readonly FtpClient[]): Promise<void> {
  for (const client of clients) {
    assert.equal((await client.command('PWD')).code, 257);
    await client.quit();
  }
}

test(
  '78: two servers exchange a file in clear where AllowForeignAddress is on, and only there',
  LIMIT,
  async () => {
    const login = async (client: FtpClient) => {
      assert.equal((await client.login('alice', 'secret')).code, 230);
      await client.command('TYPE I');
    };
    const { source, target } = await twoServers(['fxp', 'fxp'], login);
    const { finals } = await siteToSite(source, target, 'clear.txt');
    assert.deepEqual(finals, [226, 226]);
    assert.equal(arrived('clear.txt'), CONTENT);
    await stillAlive(source, target);
    const refused = await connectFrom(seed, 'base');
    await login(refused);
    assert.deepEqual((await refused.command(portLine('127.0.0.1', 40_000))).lines, [
      '500 Illegal PORT command',
    ]);
    await refused.quit();
  },
);

test(
  '79: TLS breaks a plain exchange: 425 on both sides within TLSTimeoutHandshake, sessions survive',
  LIMIT,
  async () => {
    const exchange = async (host: string, mechanism: string, name: string) => {
      const { source, target } = await twoServers([host, host], async (client) => {
        await client.authTls({}, mechanism);
        assert.equal((await client.login('alice', 'secret')).code, 230);
        if (mechanism === 'TLS') await client.dialogue('PBSZ 0', 'PROT P');
      });
      const { openings, finals } = await siteToSite(source, target, name);
      assert.deepEqual(openings, [150, 150], host);
      assert.deepEqual(finals, [425, 425], host);
      await stillAlive(source, target);
    };
    await Promise.all([exchange('fxp-on', 'TLS', 'on.txt'), exchange('fxp-quick', 'TLS-P', 'tls-p.txt')]);
    const { source, target } = await twoServers(['fxp-data', 'fxp-data'], (client) =>
      client.login('alice', 'secret'),
    );
    const { finals } = await siteToSite(source, target, 'data.txt');
    assert.deepEqual(finals, [522, 522]);
    await stillAlive(source, target);
  },
);

/** Both ends protected, the target in the TLS client's role. */
async function sscnTransfer(hosts: readonly [string, string], name: string): Promise<readonly number[]> {
  const { source, target } = await twoServers(hosts, async (client) => {
    await client.loginTls('alice', 'secret');
    await client.command('TYPE I');
  });
  assert.deepEqual((await target.command('SSCN')).lines, ['200 SSCN:SERVER METHOD']);
  assert.deepEqual((await target.command('SSCN ON')).lines, ['200 SSCN:CLIENT METHOD']);
  const { finals } = await siteToSite(source, target, name);
  await stillAlive(source, target);
  return finals;
}

test('80: SSCN lets two servers exchange a file under TLS', LIMIT, async () => {
  const [sourceLog, targetLog] = [seed.tlsLog('fxp-any-session'), peer.tlsLog('fxp-unverified')];
  assert.deepEqual(await sscnTransfer(['fxp-any-session', 'fxp-unverified'], 'sscn.txt'), [226, 226]);
  assert.equal(arrived('sscn.txt'), CONTENT);
  for (const log of [sourceLog, targetLog])
    await log.line(/TLSv1\.3 data connection accepted, using cipher /);
});

test(
  '80: another server has no session to resume, so the passive side wants NoSessionReuseRequired',
  LIMIT,
  async () => {
    const log = seed.tlsLog('fxp');
    const [passive] = await sscnTransfer(['fxp', 'fxp-unverified'], 'no-session.txt');
    assert.equal(passive, 425);
    await log.line(/client did not reuse TLS session.*NoSessionReuseRequired/);
  },
);

test(
  '81: an untrusted server certificate ends the exchange in 425 and is named in the log',
  LIMIT,
  async () => {
    const log = peer.tlsLog('fxp');
    const [, active] = await sscnTransfer(['fxp-any-session', 'fxp'], 'untrusted.txt');
    assert.equal(active, 425);
    await log.inOrder(
      /server certificate failed verification: /,
      /unable to open data connection: TLS negotiation failed/,
    );
    // With its authority known the same server is trusted: name and chain are looked at, not just refused.
    assert.deepEqual(await sscnTransfer(['fxp-any-session', 'fxp-trusting'], 'trusted.txt'), [226, 226]);
    assert.equal(arrived('trusted.txt'), CONTENT);
  },
);

test(
  '82: a peer that closes during the handshake is logged as such, and the next client is served',
  LIMIT,
  async () => {
    const hello = await recordClientHello({});
    for (const sent of [Buffer.alloc(0), hello.subarray(0, 40), hello]) {
      const log = seed.tlsLog('base');
      const client = await seed.connect('base');
      assert.equal((await client.command('AUTH TLS')).code, 234);
      client.tcp.end(sent);
      await log.inOrder(
        /TLS\/TLS-C requested, starting TLS handshake/,
        /unable to accept TLS connection: (received EOF that violates protocol|TLS connection closed)/,
        /TLS\/TLS-C negotiation failed on control channel/,
      );
      await client.waitClosed();
    }
    const next = await seed.connect('base');
    await next.loginTls('alice', 'secret');
  },
);
