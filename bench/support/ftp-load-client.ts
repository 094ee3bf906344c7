/** A small FTP client that costs little itself: one command at a time, TLS by node:tls, sessions resumed on data. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export interface LoadClientOptions {
  readonly port: number;
  readonly tls: boolean;
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
}

export class FtpLoadClient {
  readonly #options: LoadClientOptions;
  #stream: Socket;
  #buffered = '';
  #waiting: ((line: string) => void) | null = null;
  #failed: Error | null = null;
  #session: Buffer | undefined;

  private constructor(options: LoadClientOptions, socket: Socket) {
    this.#options = options;
    this.#stream = socket;
    this.#listen();
  }

  static async connect(options: LoadClientOptions): Promise<FtpLoadClient> {
    const socket = connect(options.port, '127.0.0.1');
    socket.setNoDelay(true);
    const client = new FtpLoadClient(options, socket);
    await client.#expect(220);
    if (options.tls) await client.#secure();
    return client;
  }

  async #secure(): Promise<void> {
    await this.command('AUTH TLS', 234);
    this.#stream.removeAllListeners();
    this.#stream = await this.#handshake(this.#stream, (session) => (this.#session = session));
    this.#listen();
  }

  #handshake(socket: Socket, onSession?: (session: Buffer) => void): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const stream = connectTls({
        socket,
        rejectUnauthorized: false,
        maxVersion: this.#options.maxVersion ?? 'TLSv1.3',
        ...(this.#session === undefined ? {} : { session: this.#session }),
      });
      // TLS 1.2 sends its ticket before the handshake ends: listen from the start.
      if (onSession !== undefined) stream.on('session', onSession);
      stream.once('secureConnect', () => resolve(stream));
      stream.once('error', reject);
    });
  }

  #listen(): void {
    this.#stream.on('data', (chunk: Buffer) => {
      this.#buffered += chunk.toString('latin1');
      this.#deliver();
    });
    const fail = (error?: Error): void => {
      this.#failed ??= error ?? new Error('connection closed by the server');
      this.#deliver();
    };
    this.#stream.on('error', fail);
    this.#stream.on('close', () => fail());
  }

  #deliver(): void {
    if (this.#waiting === null) return;
    const match = /^\d{3} .*\r\n/m.exec(this.#buffered);
    if (match === null && this.#failed === null) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (match === null) return waiting('');
    this.#buffered = this.#buffered.slice(match.index + match[0].length);
    waiting(match[0]);
  }

  async #expect(code: number): Promise<string> {
    const line = await new Promise<string>((resolve) => {
      this.#waiting = resolve;
      this.#deliver();
    });
    if (line === '') throw this.#failed!;
    if (!line.startsWith(String(code))) throw new Error(`expected ${code}, got ${line.trim()}`);
    return line;
  }

  command(text: string, code: number): Promise<string> {
    this.#stream.write(`${text}\r\n`);
    return this.#expect(code);
  }

  async login(user: string, password: string): Promise<void> {
    await this.command(`USER ${user}`, 331);
    await this.command(`PASS ${password}`, 230);
  }

  async prepareDownloads(): Promise<void> {
    if (this.#options.tls) {
      await this.command('PBSZ 0', 200);
      await this.command('PROT P', 200);
    }
    await this.command('TYPE I', 200);
  }

  /** Downloads one file and returns its size; both the last byte and the 226 have arrived. */
  async download(name: string): Promise<number> {
    const answer = await this.command('EPSV', 229);
    const port = Number(/\|\|\|(\d+)\|/.exec(answer)![1]);
    const plain = connect(port, '127.0.0.1');
    this.#stream.write(`RETR ${name}\r\n`);
    await this.#expect(150);
    const data = this.#options.tls ? await this.#handshake(plain) : plain;
    let bytes = 0;
    const ended = new Promise<void>((resolve, reject) => {
      data.on('data', (chunk: Buffer) => (bytes += chunk.length));
      data.once('end', resolve);
      data.once('error', reject);
    });
    await Promise.all([ended, this.#expect(226)]);
    data.destroy();
    return bytes;
  }

  async quit(): Promise<void> {
    await this.command('QUIT', 221);
    this.#stream.destroy();
  }

  destroy(): void {
    this.#stream.destroy();
  }
}
