import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { certificateTrees } from '../support/certificates.ts';
import { ReplyReader } from '../support/ftp-reply-reader.ts';
import { startTlsServer, type TlsServer } from '../support/tls-server.ts';
import { ControlBridge } from '../../workers/ftp/tls/control-bridge.ts';

const trees = certificateTrees();
const options = { timeout: 30_000 };
const WAIT_MS = 5_000;
let server: TlsServer | null = null;

after(async () => {
  assert.deepEqual(server?.bugs, []);
  await server?.close();
});

async function start(): Promise<TlsServer> {
  server ??= await startTlsServer(
    `TLSEngine on\nTLSECCertificateFile ${trees.certAEc.combined}\nTLSRequired auth+data\nTLSTimeoutHandshake 5`,
  );
  return server;
}

/** A client that can leave TLS again: the server's own bridge, used from the other side. */
class ClearingClient {
  readonly #tcp: Socket;
  readonly #bridge: ControlBridge;
  #stream: Duplex;
  #reader = new ReplyReader();
  readonly tls: TLSSocket;

  private constructor(tcp: Socket, bridge: ControlBridge, tls: TLSSocket) {
    this.#tcp = tcp;
    this.#bridge = bridge;
    this.tls = tls;
    this.#stream = tls;
    tls.on('data', (chunk: Buffer) => this.#reader.push(chunk));
    tls.on('error', () => tls.destroy());
  }

  static async connect(port: number, version: 'TLSv1.2' | 'TLSv1.3'): Promise<ClearingClient> {
    const tcp = connectTcp({ port, host: '127.0.0.1' });
    const clear = new ReplyReader();
    const onData = (chunk: Buffer): void => clear.push(chunk);
    tcp.on('data', onData);
    assert.equal((await clear.next(WAIT_MS)).code, 220);
    tcp.write('AUTH TLS\r\n');
    assert.equal((await clear.next(WAIT_MS)).code, 234);
    tcp.off('data', onData);
    const bridge = new ControlBridge(tcp);
    const tls = connectTls({
      socket: bridge,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    });
    await once(tls, 'secureConnect');
    return new ClearingClient(tcp, bridge, tls);
  }

  async command(line: string): Promise<string> {
    this.#stream.write(`${line}\r\n`);
    return (await this.#reader.next(WAIT_MS)).lines[0] ?? '';
  }

  /** Leaves TLS; what the server still sends under it is skipped by the bridge. */
  leaveTls(closeNotify: boolean): void {
    const clear = this.#bridge.clear();
    if (closeNotify) this.tls.end();
    this.tls.removeAllListeners('data');
    this.#stream = clear;
    this.#reader = new ReplyReader();
    clear.on('data', (chunk: Buffer) => this.#reader.push(chunk));
  }

  write(bytes: string): void {
    this.#stream.write(bytes);
  }

  nextReply(): Promise<{ readonly lines: readonly string[] }> {
    return this.#reader.next(WAIT_MS);
  }

  destroy(): void {
    this.tls.destroy();
    this.#tcp.destroy();
  }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const closeNotify of [true, false]) {
    const how = closeNotify ? 'with' : 'without';
    test(`${version}: CCC returns to clear text for a client ${how} close_notify`, options, async () => {
      const { port, log } = await start();
      const client = await ClearingClient.connect(port, version);
      assert.equal(await client.command('CCC'), '530 Please login with USER and PASS');
      await client.command('USER alice');
      assert.match(await client.command('PASS secret'), /^230/);
      await client.command('PBSZ 0');
      await client.command('PROT P');
      assert.equal(await client.command('CCC'), '200 Clearing control channel protection');
      client.leaveTls(closeNotify);
      assert.match(await client.command('PWD'), /^257 /);
      assert.equal(await client.command('AUTH TLS'), '534 Unwilling to accept security parameters');
      assert.equal(await client.command('CCC'), '533 CCC not allowed on insecure control connection');
      assert.equal(await client.command('PBSZ 0'), '503 PBSZ not allowed on insecure control connection');
      assert.equal(await client.command('PROT P'), '200 Protection set to Private');
      const passive = await client.command('EPSV');
      const dataPort = Number(/\|\|\|(\d+)\|/.exec(passive)?.[1]);
      client.write('RETR hello.txt\r\n');
      const data = connectTls({ port: dataPort, host: '127.0.0.1', rejectUnauthorized: false });
      const chunks: Buffer[] = [];
      for await (const chunk of data) chunks.push(chunk as Buffer);
      assert.match(Buffer.concat(chunks).toString(), /hello over TLS/);
      assert.match((await client.nextReply()).lines[0] ?? '', /^150/);
      assert.match((await client.nextReply()).lines[0] ?? '', /^226/);
      assert.ok(log.includes('received CCC, clearing control channel protection'));
      client.destroy();
    });
  }
}

test('commands pipelined behind CCC under TLS are not executed', options, async () => {
  const { port } = await start();
  const client = await ClearingClient.connect(port, 'TLSv1.3');
  await client.command('USER alice');
  await client.command('PASS secret');
  client.tls.write('CCC\r\nMKD smuggled\r\n');
  assert.match((await client.nextReply()).lines[0] ?? '', /^200/);
  client.leaveTls(true);
  assert.match(await client.command('CWD smuggled'), /^550/);
  client.destroy();
});
