/** The client's side of scp's own protocol on a channel in memory, byte by byte where a test wants it so. */
import { createScp } from '../../workers/scp/scp-service.ts';
import { FakeSshChannel, type FakeSession } from './fake-ssh-channel.ts';

export class ScpPeer {
  readonly channel: FakeSshChannel;
  /** An error of the service that nobody caught: the session would end. */
  bug: unknown = null;
  #received: Buffer[] = [];
  #length = 0;
  #taken = 0;
  #wake: (() => void) | null = null;
  readonly #handler: ReturnType<typeof createScp>;

  constructor(session: FakeSession, command: string) {
    this.channel = new FakeSshChannel(session);
    this.channel.onOutput = (bytes) => {
      this.#received.push(Buffer.from(bytes));
      this.#length += bytes.length;
      this.#awaken();
    };
    this.channel.onEnd = () => this.#awaken();
    this.#handler = createScp(this.channel, command, (error) => {
      this.bug = error;
      this.#awaken();
    });
    if (this.#handler !== null) this.channel.connect(this.#handler);
  }

  /** The server would not run the command. */
  get refused(): boolean {
    return this.#handler === null;
  }

  /** Bytes the server has sent so far. */
  get receivedBytes(): number {
    return this.#length;
  }

  send(bytes: Buffer | string): void {
    this.#handler?.data(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  eof(): void {
    this.#handler?.eof();
  }

  /** The connection is cut. */
  cut(): void {
    this.#handler?.closed();
  }

  /** `count` bytes of output not given out yet. */
  async bytes(count: number): Promise<Buffer> {
    while (this.#length - this.#taken < count) {
      if (this.bug !== null) throw this.bug;
      if (this.channel.ended !== null)
        throw new Error(`ended after ${this.#length - this.#taken} of ${count} bytes`);
      await this.#change();
    }
    const all = Buffer.concat(this.#received);
    this.#received = [all];
    const piece = all.subarray(this.#taken, this.#taken + count);
    this.#taken += count;
    return piece;
  }

  /** 0, or 1 and 2 with their text. */
  async status(): Promise<{ readonly code: number; readonly text: string }> {
    const code = (await this.bytes(1))[0]!;
    return { code, text: code === 0 ? '' : await this.line() };
  }

  /** Up to the next line end, without it. */
  async line(): Promise<string> {
    const bytes: number[] = [];
    for (;;) {
      const byte = (await this.bytes(1))[0]!;
      if (byte === 0x0a) return Buffer.from(bytes).toString();
      bytes.push(byte);
    }
  }

  /** The exit status, when the server has ended the channel. */
  async exitStatus(): Promise<number> {
    while (this.channel.ended === null) {
      if (this.bug !== null) throw this.bug;
      await this.#change();
    }
    return this.channel.ended;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #awaken(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
