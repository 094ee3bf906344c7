/** The clear-text beginning of SSH by hand: what is sent before keys are agreed on, byte for byte. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { encodeKexInit, type AlgorithmLists } from '../../workers/ssh/wire/kexinit.ts';

const WAIT_MS = 10_000;

export class PlainSsh {
  readonly socket: Socket;
  /** Without line end; empty until it came. */
  serverVersion = '';
  readonly #packets: Buffer[] = [];
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.#closed = true;
      this.#stir();
    });
  }

  line(text: string): void {
    this.socket.write(`${text}\r\n`);
  }

  send(payload: Buffer): void {
    const padding = 16 - ((payload.length + 5) % 8);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(payload.length + padding + 1);
    head[4] = padding;
    this.socket.write(Buffer.concat([head, payload, randomBytes(padding)]));
  }

  /** Version line and KEXINIT with these key exchanges and host keys; the rest is what every client has. */
  begin(keyExchanges: readonly string[], hostKeys: readonly string[] = ['ssh-ed25519']): void {
    this.line('SSH-2.0-LockgateTest_1.0');
    const [ciphers, macs, compressions] = [['aes128-ctr'], ['hmac-sha2-256'], ['none']];
    const lists: AlgorithmLists = {
      keyExchanges,
      hostKeys,
      ciphersIn: ciphers,
      ciphersOut: ciphers,
      macsIn: macs,
      macsOut: macs,
      compressionsIn: compressions,
      compressionsOut: compressions,
    };
    this.send(encodeKexInit(lists, randomBytes(16)));
  }

  /** The next packet's payload; null: closed before. */
  async next(): Promise<Buffer | null> {
    const deadline = performance.now() + WAIT_MS;
    while (this.#packets.length === 0 && !this.#closed) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error('the server does not answer');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.#packets.shift() ?? null;
  }

  /** The next packet of this type; throws when the connection closes first. */
  async expect(type: number): Promise<Buffer> {
    for (;;) {
      const packet = await this.next();
      if (packet === null) throw new Error(`closed before message ${type}`);
      if (packet[0] === type) return packet;
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.serverVersion === '') {
      const end = this.#received.indexOf('\r\n');
      if (end < 0) return;
      this.serverVersion = this.#received.toString('latin1', 0, end);
      this.#received = this.#received.subarray(end + 2);
    }
    while (this.#received.length >= 5) {
      const total = 4 + this.#received.readUInt32BE(0);
      if (this.#received.length < total) break;
      this.#packets.push(Buffer.from(this.#received.subarray(5, total - this.#received[4]!)));
      this.#received = this.#received.subarray(total);
    }
    this.#stir();
  }

  #stir(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
