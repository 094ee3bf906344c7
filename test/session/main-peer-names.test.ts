import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { askIdent, parseIdentAnswer } from '../../workers/session/ident-client.ts';
import { PeerNames, type ReverseResolver } from '../../workers/session/reverse-dns.ts';

function resolver(
  names: Record<string, string[]>,
  addresses: Record<string, string[]>,
): ReverseResolver & { asked: number } {
  const answer = async (table: Record<string, string[]>, key: string): Promise<string[]> => {
    const found = table[key];
    if (found === undefined) throw new Error('ENOTFOUND');
    return found;
  };
  return {
    asked: 0,
    reverse(address) {
      this.asked += 1;
      return answer(names, address);
    },
    resolve4: (name) => answer(addresses, name),
    resolve6: (name) => answer(addresses, name),
  };
}

const LIMIT = { timeout: 10_000 };

test('a name is used when it maps back', LIMIT, async () => {
  const dns = resolver({ '192.0.2.1': ['Host.Example'] }, { 'Host.Example': ['192.0.2.1'] });
  assert.equal(await new PeerNames(dns).nameOf('192.0.2.1'), 'host.example');
});

test('IPv6 addresses map back in any spelling', LIMIT, async () => {
  const dns = resolver({ '2001:db8::1': ['six.example'] }, { 'six.example': ['2001:DB8:0:0::1'] });
  assert.equal(await new PeerNames(dns).nameOf('2001:db8::1'), 'six.example');
});

test('a name that maps elsewhere, nowhere, or is no host name is not used', LIMIT, async () => {
  for (const name of [
    'elsewhere.example',
    'nowhere.example',
    'evil\n.example',
    'a b.example',
    '1.2.3.4',
    'x'.repeat(64),
    '',
  ]) {
    const dns = resolver(
      { '192.0.2.1': [name] },
      {
        'elsewhere.example': ['192.0.2.9'],
        [name]: name === 'elsewhere.example' || name === 'nowhere.example' ? [] : ['192.0.2.1'],
      },
    );
    assert.equal(await new PeerNames(dns).nameOf('192.0.2.1'), '192.0.2.1', JSON.stringify(name));
  }
});

test('a name server that does not answer costs the limit and no more', LIMIT, async () => {
  const silent: ReverseResolver = {
    reverse: () => new Promise(() => undefined),
    resolve4: () => new Promise(() => undefined),
    resolve6: () => new Promise(() => undefined),
  };
  assert.equal(await new PeerNames(silent, 20).nameOf('192.0.2.1'), '192.0.2.1');
});

test('one host is asked about once, and loopback not at all', LIMIT, async () => {
  const dns = resolver({}, {});
  const names = new PeerNames(dns);
  await Promise.all([
    names.nameOf('192.0.2.1'),
    names.nameOf('192.0.2.1'),
    names.nameOf('127.0.0.1'),
    names.nameOf('::1'),
  ]);
  assert.equal(dns.asked, 1);
  assert.equal(await names.nameOf('::1'), 'localhost');
});

test('an ident answer is taken only for the ports asked about, and only when printable', () => {
  const query = { remotePort: 6193, localPort: 21 };
  assert.equal(parseIdentAnswer('6193, 21 : USERID : UNIX :stjohns\r\n', query), 'stjohns');
  for (const answer of [
    '6193, 22 : USERID : UNIX : stjohns',
    '6193, 21 : ERROR : NO-USER',
    '6193, 21 : USERID : UNIX : a\x1bb',
    '6193, 21 : USERID : UNIX : two words',
    '',
  ]) {
    assert.equal(parseIdentAnswer(answer, query), null, JSON.stringify(answer));
  }
});

test('ident asks over TCP and gives up in time', LIMIT, async (t) => {
  const server = createServer((socket) => {
    socket.on('data', (line) => {
      const [remote, local] = String(line)
        .split(',')
        .map((port) => Number(port));
      if (remote === 1) socket.end(`${remote}, ${local} : USERID : UNIX : eve\r\n`);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const query = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 21 };
  assert.equal(await askIdent(query, port), 'eve');
  assert.equal(await askIdent({ ...query, remotePort: 2 }, port, 30), null);
});
