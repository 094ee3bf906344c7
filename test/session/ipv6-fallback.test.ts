/** A kernel without IPv6: the wildcard listener falls back to IPv4, other addresses stay errors. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { BoundSocket, connect } from 'node:net';
import { test } from 'node:test';
import {
  bindListener,
  closeListener,
  ListenError,
  openListener,
  type ListenerOptions,
} from '../../src/main/listeners.ts';
import { freePorts } from '../support/server.ts';

const LIMIT = { timeout: 20_000 };

/** Binding an IPv6 address fails as it does on such a kernel. */
function withoutIPv6(code: string, notices: string[]): ListenerOptions {
  return {
    backlog: 8,
    noDelay: true,
    keepAlive: false,
    reusePort: false,
    sizes: {},
    anyPort: false,
    onNotice: (text) => notices.push(text),
    bind: (options) => {
      if (options?.host?.includes(':')) throw Object.assign(new Error(`bind ${code}`), { code });
      return new BoundSocket(options);
    },
  };
}

function listenerAt(address: string, port: number) {
  return { id: `[${address}]:${port}`, address, port, virtualHosts: [0] };
}

for (const code of ['EAFNOSUPPORT', 'EADDRNOTAVAIL']) {
  test(`[::] becomes 0.0.0.0 after ${code}, said in one line, and accepts`, LIMIT, async (t) => {
    const [port] = await freePorts(1);
    const notices: string[] = [];
    const options = withoutIPv6(code, notices);
    const config = listenerAt('::', port!);
    const accepted = Promise.withResolvers<string>();
    const listener = await openListener(
      bindListener(config, [config], options),
      options,
      (socket, { config: { id } }) => {
        socket.destroy();
        accepted.resolve(id);
      },
      (error) => accepted.reject(error),
    );
    t.after(() => closeListener(listener));
    assert.deepEqual(notices, [`no IPv6 on this machine (${code}), listening on 0.0.0.0:${port} instead`]);
    const client = connect(port!, '127.0.0.1');
    t.after(() => client.destroy());
    await once(client, 'connect');
    assert.equal(await accepted.promise, config.id);
  });
}

test('an IPv6 address of its own, or another error, is no reason to listen elsewhere', LIMIT, () => {
  const notices: string[] = [];
  const attempt = (address: string, code: string) => () => {
    const config = listenerAt(address, 2121);
    bindListener(config, [config], withoutIPv6(code, notices));
  };
  assert.throws(attempt('2001:db8::1', 'EADDRNOTAVAIL'), ListenError);
  assert.throws(attempt('::', 'EADDRINUSE'), ListenError);
  assert.deepEqual(notices, []);
});
