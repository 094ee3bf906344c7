/** Output on an scp channel that waits for a slow reader. */
import type { SshChannel } from '../ssh/ssh-channel.ts';

const OK = 0;

export class ChannelOutput {
  readonly #channel: SshChannel;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(channel: SshChannel) {
    this.#channel = channel;
  }

  /** The channel takes more again, or never will. */
  awaken(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** The channel is over: nothing is written any more, and nobody waits. */
  close(): void {
    this.#closed = true;
    this.awaken();
  }

  get closed(): boolean {
    return this.#closed;
  }

  ok(): Promise<boolean> {
    return this.write(Buffer.of(OK));
  }

  /** Resolves when the channel takes more. False: the channel is over. The bytes belong to the channel from now on. */
  async write(bytes: Buffer): Promise<boolean> {
    if (!this.#closed) this.#channel.write(bytes);
    while (!this.#closed && !this.#channel.writable) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#closed;
  }
}
