import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { newSessionBinding, TlsContextSet, type ContextKind } from '../../../crypto/tls-context.ts';
import { certificateTrees } from '../../support/certificates.ts';

const HYBRID = 'X25519MLKEM768';
const options = { timeout: 15_000 };

function contextSet(groups: string | null = null): TlsContextSet {
  const pem = readFileSync(certificateTrees().certAEc.combined, 'utf8');
  return new TlsContextSet({
    identities: [{ certificatePem: pem, keyPem: pem }],
    clientAuthorities: [],
    versions: ['TLSv1.2', 'TLSv1.3'],
    cipherList: null,
    cipherSuites13: null,
    serverPreference: true,
    groups,
    dhParameters: null,
    lifetimeSeconds: 1800,
    weakSecurity: false,
  });
}

interface Handshake {
  readonly group: string;
  readonly resumed: boolean;
  readonly session: Buffer | undefined;
}

/** One connection to a server that uses this kind of context; the client offers `groups` (its own list by default). */
async function handshake(
  set: TlsContextSet,
  kind: ContextKind,
  binding: string,
  groups: string,
  session?: Buffer,
): Promise<Handshake> {
  const server = createServer((socket) => {
    const secured = new TLSSocket(socket, { isServer: true, secureContext: set.bound(kind, binding) });
    secured.once('secure', () => secured.end('x'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
  const client = connectTls({
    socket,
    rejectUnauthorized: false,
    ecdhCurve: groups,
    ...(session && { session }),
  });
  let ticket: Buffer | undefined;
  client.on('session', (received: Buffer) => (ticket = received));
  await once(client, 'secureConnect');
  const info = client.getEphemeralKeyInfo() as { name?: string };
  const resumed = client.isSessionReused();
  client.resume();
  await once(client, 'close');
  server.close();
  return { group: info.name ?? '', resumed, session: ticket };
}

test(
  'a control connection and a data connection that need not resume get the post-quantum group',
  options,
  async () => {
    const set = contextSet();
    for (const kind of ['tickets', 'renewing'] as const)
      assert.equal((await handshake(set, kind, newSessionBinding(), 'auto')).group, HYBRID);
  },
);

test(
  'a data connection that must resume gets a classic group and the secret of the control session',
  options,
  async () => {
    const set = contextSet();
    const binding = newSessionBinding();
    const control = await handshake(set, 'tickets', binding, 'auto');
    const data = await handshake(set, 'resuming', binding, 'auto', control.session);
    assert.equal(data.resumed, true);
    assert.equal(data.group, 'X25519');
  },
);

test('a client that offers one group only resumes with that one', options, async () => {
  const set = contextSet();
  for (const [offered, name] of [
    [HYBRID, HYBRID],
    ['P-256', 'prime256v1'],
    ['P-521', 'secp521r1'],
  ] as const) {
    const binding = newSessionBinding();
    const control = await handshake(set, 'tickets', binding, offered);
    const data = await handshake(set, 'resuming', binding, offered, control.session);
    assert.equal(data.resumed, true);
    assert.equal(data.group, name);
  }
});

test('groups named by the operator (TLSECDHCurve) hold for data connections too', options, async () => {
  const set = contextSet(HYBRID);
  const binding = newSessionBinding();
  const control = await handshake(set, 'tickets', binding, 'auto');
  const data = await handshake(set, 'resuming', binding, 'auto', control.session);
  assert.equal(data.resumed, true);
  assert.equal(data.group, HYBRID);
});

test('tickets of a retired key do not open any more, neither with nor without renewal', options, async () => {
  for (const kind of ['tickets', 'resuming'] as const) {
    const set = contextSet();
    const binding = newSessionBinding();
    const { session } = await handshake(set, 'tickets', binding, 'auto');
    assert.equal((await handshake(set, kind, binding, 'auto', session)).resumed, true);
    set.retireTicketKey();
    assert.equal((await handshake(set, kind, binding, 'auto', session)).resumed, false);
    const { session: later } = await handshake(set, 'tickets', binding, 'auto');
    assert.equal((await handshake(set, kind, binding, 'auto', later)).resumed, true, 'it has a new key');
  }
});
