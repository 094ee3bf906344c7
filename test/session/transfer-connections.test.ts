import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ClassSection } from '../../src/config/server-config.ts';
import { collect, FtpClient, parseEpsv, parsePasv, type DataMode } from '../support/ftp-client.ts';
import { startSessionServer } from '../support/session-server.ts';

const limit = { timeout: 20_000 };
const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

for (const mode of ['pasv', 'epsv', 'port', 'eprt'] satisfies DataMode[]) {
  test(`a file arrives over ${mode.toUpperCase()} on IPv4`, limit, async () => {
    await using server = await startSessionServer();
    writeFileSync(join(server.home, 'f'), 'content');
    const client = await server.login();
    const { opening, final, body } = await client.download('RETR f', { mode });
    assert.equal(opening.text, 'Opening BINARY mode data connection for f (7 bytes)');
    assert.deepEqual([final.code, final.text, body.toString()], [226, 'Transfer complete', 'content']);
  });
}

for (const mode of ['epsv', 'eprt'] satisfies DataMode[]) {
  test(`a file arrives over ${mode.toUpperCase()} on IPv6`, { ...limit, skip: !hasIPv6 }, async () => {
    await using server = await startSessionServer({ host: '::1' });
    writeFileSync(join(server.home, 'f'), 'content');
    const client = await server.login();
    const { final, body } = await client.download('RETR f', { mode });
    assert.deepEqual([final.code, body.toString()], [226, 'content']);
    assert.equal((await client.command('PASV')).code, 501);
    assert.equal((await client.command('EPSV 1')).text, 'Network protocol not supported, use (2)');
  });
}

test('the data connection may come before or after the transfer command', limit, async () => {
  await using server = await startSessionServer();
  writeFileSync(join(server.home, 'f'), 'content');
  const client = await server.login();
  for (const order of ['before', 'after']) {
    const { port } = parseEpsv((await client.command('EPSV')).text, server.host)!;
    if (order === 'after') client.send('RETR f');
    const socket = connect(port, server.host);
    await once(socket, 'connect');
    if (order === 'before') client.send('RETR f');
    assert.equal((await collect(socket)).toString(), 'content', order);
    assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
  }
});

/** Three neighbouring free ports, so that tests in parallel do not need a fixed range. */
async function freeRange(count: number): Promise<{ min: number; max: number }> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const min = 20_000 + Math.floor(Math.random() * 10_000);
    const servers = await Promise.all(Array.from({ length: count }, (_, index) => tryListen(min + index)));
    for (const server of servers) server?.close();
    if (servers.every((server) => server !== null)) return { min, max: min + count - 1 };
  }
  throw new Error('no free ports for the test');
}

function tryListen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

test('300 transfers in a row live on a range of three ports', { timeout: 60_000 }, async () => {
  const range = await freeRange(3);
  await using server = await startSessionServer({
    settings: { passivePorts: range, passivePortsExhausted: 'refuse' },
  });
  writeFileSync(join(server.home, 'f'), 'content');
  const client = await server.login();
  for (let count = 0; count < 300; count += 1) {
    const data = await client.prepareData(count % 2 === 0 ? 'pasv' : 'epsv');
    assert.ok(data.port >= range.min && data.port <= range.max);
    const socket = await data.connect();
    client.send('RETR f');
    assert.equal((await collect(socket)).toString(), 'content');
    assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
  }
  assert.deepEqual(server.systemLines, []);
});

test(
  'a range of two ports never leaks: PASV again, PORT, and the end of the session free the listener',
  limit,
  async () => {
    const range = await freeRange(2);
    await using server = await startSessionServer({
      settings: { passivePorts: range, passivePortsExhausted: 'refuse' },
    });
    const client = await server.login();
    for (let count = 0; count < 20; count += 1) assert.equal((await client.command('PASV')).code, 227);
    assert.equal((await client.command('PORT 127,0,0,1,200,1')).code, 200);
    for (const port of [range.min, range.max]) {
      const free = await tryListen(port);
      assert.ok(free, `port ${port} is free after PORT`);
      free.close();
    }
    await client.command('PASV');
    await client.quit();
    const other = await server.login();
    const third = await server.login();
    assert.deepEqual([(await other.command('PASV')).code, (await third.command('PASV')).code], [227, 227]);
  },
);

test('an exhausted range is logged and any port serves', limit, async () => {
  const range = await freeRange(2);
  await using server = await startSessionServer({ settings: { passivePorts: range } });
  const clients = [await server.login(), await server.login(), await server.login()];
  const ports: number[] = [];
  for (const client of clients) ports.push(parsePasv((await client.command('PASV')).text)!.port);
  assert.deepEqual(
    ports.slice(0, 2).toSorted((a, b) => a - b),
    [range.min, range.max],
  );
  assert.ok((ports[2] ?? 0) > 0 && !ports.slice(0, 2).includes(ports[2] ?? 0));
  assert.deepEqual(server.systemLines, [
    `unable to find open port in PassivePorts range ${range.min}-${range.max}: defaulting to INPORT_ANY ` +
      '(consider defining a larger PassivePorts range)',
  ]);
});

test('an exhausted range refuses with 425 where the configuration says so', limit, async () => {
  const range = await freeRange(2);
  await using server = await startSessionServer({
    settings: { passivePorts: range, passivePortsExhausted: 'refuse' },
  });
  const clients = [await server.login(), await server.login(), await server.login()];
  const codes: number[] = [];
  for (const client of clients) codes.push((await client.command('EPSV')).code);
  assert.deepEqual(codes, [229, 229, 425]);
});

const VIOLATION =
  'SECURITY VIOLATION: Passive connection from foreign IP address 127.0.0.2 rejected ' +
  '(does not match client IP address 127.0.0.1).';

test(
  'a stranger at the passive port is logged and turned away, and the client still gets its file',
  limit,
  async () => {
    await using server = await startSessionServer();
    writeFileSync(join(server.home, 'f'), 'content');
    const client = await server.login();
    const data = await client.prepareData('epsv');
    const stranger = connect({ port: data.port, host: server.host, localAddress: '127.0.0.2' });
    assert.equal((await collect(stranger)).length, 0);
    const socket = await data.connect();
    client.send('RETR f');
    assert.equal((await collect(socket)).toString(), 'content');
    assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
    assert.deepEqual(server.systemLines, [VIOLATION]);
  },
);

test('when only a stranger comes the transfer answers 425', limit, async () => {
  await using server = await startSessionServer();
  const client = await server.login();
  const data = await client.prepareData('epsv');
  client.send('LIST');
  const stranger = connect({ port: data.port, host: server.host, localAddress: '127.0.0.2' });
  await collect(stranger);
  const answer = await client.readReply(10_000);
  assert.deepEqual(
    [answer.code, answer.text],
    [425, 'Unable to build data connection: Operation not permitted'],
  );
});

const fxp: ClassSection = {
  name: 'fxp',
  satisfy: 'any',
  from: [{ kind: 'cidr', negate: false, address: '127.0.0.2', bits: 32 }],
};

for (const [name, allowed] of [
  ['on', true],
  ['a class', { className: 'fxp' }],
] as const) {
  test(`AllowForeignAddress ${name} lets another host use the passive port and PORT`, limit, async () => {
    await using server = await startSessionServer({
      settings: { allowForeignAddress: allowed },
      classes: [fxp],
    });
    writeFileSync(join(server.home, 'f'), 'content');
    const client = await server.login();
    const data = await client.prepareData('epsv');
    const other = connect({ port: data.port, host: server.host, localAddress: '127.0.0.2' });
    client.send('RETR f');
    assert.equal((await collect(other)).toString(), 'content');
    assert.deepEqual([(await client.readReply()).code, (await client.readReply()).code], [150, 226]);
    assert.equal((await client.command('PORT 127,0,0,2,200,1')).code, 200);
    assert.equal((await client.command('PORT 127,0,0,3,200,1')).code, allowed === true ? 200 : 500);
  });
}

test('PORT and EPRT to another host or a low port are refused and logged', limit, async () => {
  await using server = await startSessionServer();
  const client = await server.login();
  const lines = [
    'PORT 192,0,2,1,200,1',
    'PORT 127,0,0,1,3,255',
    'EPRT |1|127.0.0.1|80|',
    'PORT 1,2,3',
    'EPRT |1|x|1|',
  ];
  const codes = (await client.dialogue(...lines)).map(({ code }) => code);
  assert.deepEqual(codes, [500, 500, 500, 501, 501]);
  assert.deepEqual(server.systemLines, [
    'Refused PORT 192,0,2,1,200,1 (address mismatch)',
    'Refused PORT 127,0,0,1,3,255 (port 1023 below 1024, possible bounce attack)',
    'Refused EPRT |1|127.0.0.1|80| (port 80 below 1024, possible bounce attack)',
  ]);
  assert.equal((await client.command('EPRT |3|x|1|')).text, 'Network protocol not supported, use (1,2)');
  assert.equal((await client.command('EPRT |2|::1|2000|')).code, 522);
});

test('after EPSV ALL only EPSV sets up data connections', limit, async () => {
  await using server = await startSessionServer();
  const client = await server.login();
  const replies = await client.dialogue(
    'EPSV ALL',
    'PASV',
    'PORT 127,0,0,1,200,1',
    'EPRT |1|127.0.0.1|2000|',
    'EPSV',
  );
  assert.deepEqual(
    replies.map(({ code }) => code),
    [200, 500, 500, 500, 229],
  );
  assert.equal(replies[1]?.text, 'Illegal PASV command, EPSV ALL in effect');
});

test('MasqueradeAddress shows in PASV and not in EPSV', limit, async () => {
  await using server = await startSessionServer({ settings: { masqueradeAddress: '203.0.113.7' } });
  const client = await server.login();
  assert.match((await client.command('PASV')).text, /^Entering Passive Mode \(203,0,113,7,\d+,\d+\)\.$/);
  assert.match((await client.command('EPSV')).text, /^Entering Extended Passive Mode \(\|\|\|\d+\|\)$/);
});

test('a client that refuses the active connection is told so', limit, async () => {
  await using server = await startSessionServer();
  const client = await server.login();
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  await client.command(`PORT 127,0,0,1,${port >> 8},${port & 255}`);
  const answer = await client.command('LIST');
  assert.deepEqual([answer.code, answer.text], [425, 'Unable to build data connection: Connection refused']);
  assert.equal((await client.download('LIST')).final.code, 226);
});

test('ABOR while the server waits for the data connection ends the wait', limit, async () => {
  await using server = await startSessionServer();
  const client: FtpClient = await server.login();
  await client.command('EPSV');
  client.send('LIST');
  client.send('ABOR');
  const replies = [await client.readReply(), await client.readReply()];
  assert.deepEqual(
    replies.map(({ code, text }) => `${code} ${text}`),
    ['426 Transfer aborted. Data connection closed', '226 Abort successful'],
  );
  assert.equal((await client.command('NOOP')).code, 200);
});
