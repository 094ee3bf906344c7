/** An FTPS client that can leave TLS again (CCC, RFC 4217 section 6); Node's own TLS client cannot. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ControlBridge } from '../../workers/ftp/tls/control-bridge.ts';
import { ReplyReader, type ClientReply } from './ftp-reply-reader.ts';

const WAIT_MS = 5_000;

/** The server's own bridge, used from the other side. */
export class ClearingClient {
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

  /** Reads the greeting and gets through AUTH TLS. */
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
    await once(tls, 'secureConnect', { signal: AbortSignal.timeout(WAIT_MS) });
    return new ClearingClient(tcp, bridge, tls);
  }

  /** First line of the reply. */
  async command(line: string): Promise<string> {
    this.write(`${line}\r\n`);
    return (await this.nextReply()).lines[0] ?? '';
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

  /** Bytes the server sends on the TCP connection from here on, TLS records or not. */
  recordWire(): Buffer[] {
    const chunks: Buffer[] = [];
    this.#tcp.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  }

  write(bytes: string): void {
    this.#stream.write(bytes);
  }

  nextReply(): Promise<ClientReply> {
    return this.#reader.next(WAIT_MS);
  }

  destroy(): void {
    this.tls.destroy();
    this.#tcp.destroy();
  }
}
