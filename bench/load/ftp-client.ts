/** A small blocking FTP client: one command at a time, EPSV, TLS sessions resumed on data connections. */
import type { FtpTarget } from './jobs.ts';
import { NativeSocket, type ByteStream } from './native-socket.ts';
import { NativeTls, type TlsSession } from './native-tls.ts';

const REPLY_BYTES = 64 * 1024;

export class FtpClient {
  readonly #target: FtpTarget;
  readonly #data = Buffer.allocUnsafeSlow(1 << 20);
  readonly #input = Buffer.allocUnsafeSlow(REPLY_BYTES);
  #inputEnd = 0;
  #control: ByteStream;
  #session: TlsSession | null = null;

  /** Connected and secured, not logged in. @param resume - session of an earlier control connection */
  constructor(target: FtpTarget, resume: TlsSession | null = null) {
    this.#target = target;
    const { port, security } = target;
    const socket = NativeSocket.connect(port);
    this.#control = socket;
    this.expect(220);
    if (security === null) return;
    this.command('AUTH TLS', 234);
    const tls = new NativeTls(socket, security, resume);
    this.#control = tls;
    if (resume !== null && !tls.reused) throw new Error('the server did not resume the TLS session');
  }

  login(user: string, password: string): void {
    this.command(`USER ${user}`, 331);
    this.command(`PASS ${password}`, 230);
  }

  /** Binary transfers, protected where the control connection is. */
  prepareTransfers(): void {
    if (this.#control instanceof NativeTls) {
      this.command('PBSZ 0', 200);
      this.command('PROT P', 200);
      this.#session = this.#control.session();
    }
    this.command('TYPE I', 200);
  }

  /** The session of the control connection, to resume by another one. */
  controlSession(): TlsSession {
    if (!(this.#control instanceof NativeTls)) throw new Error('not a TLS connection');
    return this.#control.session();
  }

  /** Sends a command line and waits for its reply. @returns the last line of the reply */
  command(text: string, code: number): string {
    this.#control.write(Buffer.from(`${text}\r\n`, 'latin1'));
    return this.expect(code);
  }

  expect(code: number): string {
    const line = this.#reply();
    if (!line.startsWith(`${code} `)) throw new Error(`expected ${code}, got ${line.slice(0, 200)}`);
    return line;
  }

  /** RETR, LIST, MLSD: what the server sends is thrown away. @returns its bytes, when the 226 has arrived too */
  receive(command: string): number {
    const data = this.#openData(command);
    let bytes = 0;
    for (let count = data.read(this.#data); count > 0; count = data.read(this.#data)) bytes += count;
    data.close();
    this.expect(226);
    return bytes;
  }

  /** STOR: sends `bytes` bytes of the same noise over and over. */
  send(command: string, bytes: number): void {
    const data = this.#openData(command);
    for (let sent = 0; sent < bytes;) {
      const piece = this.#data.subarray(0, Math.min(this.#data.length, bytes - sent));
      data.write(piece);
      sent += piece.length;
    }
    data.end();
    this.expect(226);
    data.close();
  }

  quit(): void {
    this.command('QUIT', 221);
    this.close();
  }

  close(): void {
    this.#session?.free();
    this.#session = null;
    this.#control.close();
  }

  #openData(command: string): ByteStream {
    const port = Number(/\|\|\|(\d+)\|/.exec(this.command('EPSV', 229))?.[1]);
    const socket = NativeSocket.connect(port);
    this.#control.write(Buffer.from(`${command}\r\n`, 'latin1'));
    this.expect(150);
    const { security, mustResume } = this.#target;
    if (security === null) return socket;
    const tls = new NativeTls(socket, security, this.#session);
    if (mustResume && !tls.reused) throw new Error('the data connection did not resume the TLS session');
    return tls;
  }

  #reply(): string {
    for (let searched = 0; ;) {
      const text = this.#input.toString('latin1', 0, this.#inputEnd);
      const match = /^\d{3} .*\r\n/m.exec(text.slice(searched));
      if (match !== null) {
        const end = searched + match.index + match[0].length;
        this.#input.copy(this.#input, 0, end, this.#inputEnd);
        this.#inputEnd -= end;
        return match[0].trimEnd();
      }
      // Only whole lines were looked at; the last one may still be arriving.
      searched = text.lastIndexOf('\n') + 1;
      if (this.#inputEnd === this.#input.length) throw new Error('reply of more than 64 KiB');
      const count = this.#control.read(this.#input, this.#inputEnd);
      if (count === 0) throw new Error('the server closed the control connection');
      this.#inputEnd += count;
    }
  }
}
