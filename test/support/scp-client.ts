/** A client of scp's own protocol over a channel in memory. */
import { createScp } from '../../workers/scp/scp-service.ts';
import { FakeSshChannel, type FakeSession } from './fake-ssh-channel.ts';

/** The server sent an error record. */
export class ScpRefusal extends Error {}

const OK = Buffer.of(0);

export class ScpClient {
  readonly channel: FakeSshChannel;
  readonly #handler: NonNullable<ReturnType<typeof createScp>>;
  #received: Buffer = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #failure: unknown = null;

  /** `scp -f ...` or `scp -t ...`. */
  constructor(session: FakeSession, command: string) {
    this.channel = new FakeSshChannel(session);
    const handler = createScp(this.channel, command, (error) => {
      this.#failure = error;
      this.#wake();
    });
    if (handler === null) throw new Error(`refused: ${command}`);
    this.#handler = handler;
    this.channel.onOutput = (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    };
    this.channel.onEnd = () => this.#wake();
  }

  send(bytes: Buffer | string): void {
    this.#handler.data(Buffer.from(bytes));
  }

  /** The client's side ends. */
  end(): void {
    this.#handler.eof();
  }

  /** The connection breaks. */
  disconnect(): void {
    this.#handler.closed();
  }

  /** Exactly so many bytes. Throws where the channel ends first. */
  async bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#received.length >= count);
    if (this.#received.length < count) throw new Error(`the channel ended with ${this.channel.ended}`);
    return this.#take(count);
  }

  /** A record without its line end; ScpRefusal for an error. */
  async record(): Promise<string> {
    await this.#until(() => this.#received.includes(0x0a));
    const end = this.#received.indexOf(0x0a);
    if (end < 0) throw new Error(`the channel ended with ${this.channel.ended}`);
    const line = this.#take(end + 1).toString('utf8', 0, end);
    if (line.charCodeAt(0) <= 2) throw new ScpRefusal(line.slice(1));
    return line;
  }

  /** The answer to a record; ScpRefusal for an error. */
  async acknowledged(): Promise<void> {
    await this.#until(() => this.#received.length > 0);
    if (this.#received[0] === 0) this.#take(1);
    else throw new ScpRefusal(await this.record());
  }

  /** Exit status, when the server has ended the channel. */
  async ended(): Promise<number> {
    await this.#until(() => this.channel.ended !== null);
    return this.channel.ended ?? -1;
  }

  /** One file out of `scp -f`. */
  async receiveFile(): Promise<Buffer> {
    this.send(OK);
    const [, size] = (await this.record()).split(' ');
    this.send(OK);
    const content = await this.bytes(Number(size));
    await this.acknowledged();
    this.send(OK);
    await this.ended();
    return content;
  }

  /** One file into `scp -t`. */
  async sendFile(name: string, content: Buffer | string): Promise<void> {
    const bytes = Buffer.from(content);
    await this.acknowledged();
    this.send(`C0644 ${bytes.length} ${name}\n`);
    await this.acknowledged();
    this.send(Buffer.concat([bytes, OK]));
    await this.acknowledged();
    this.end();
    await this.ended();
  }

  #take(count: number): Buffer {
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && this.channel.ended === null && this.#failure === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== null) throw this.#failure;
  }
}
