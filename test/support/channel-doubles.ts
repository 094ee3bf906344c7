/** Services for SSH channels that do the least: take bytes, make bytes, give bytes back, or hold on to them. */
import { createHash, type Hash } from 'node:crypto';
import type { ChannelHandler, ChannelServices, SshChannel } from '../../workers/ssh/ssh-channel.ts';

export interface ChannelDoubles {
  readonly services: ChannelServices;
  /** All channels opened with a service, in order. */
  readonly opened: SshChannel[];
  /** Ids of channels whose handler was told of its end, in order. */
  readonly closed: number[];
  /** SHA-256 of what `sink` took, by channel, hexadecimal, once it has ended. */
  readonly digests: Map<number, string>;
  /** Bytes that `hold` was given and keeps, by channel. */
  readonly held: Map<number, number>;
}

/** A block of bytes that repeats, so that both ends can check. */
export const SOURCE_BLOCK = Buffer.alloc(32 * 1024, 'The quick brown fox jumps over the lazy dog. ');

export function channelDoubles(): ChannelDoubles {
  const opened: SshChannel[] = [];
  const closed: number[] = [];
  const digests = new Map<number, string>();
  const held = new Map<number, number>();
  const start = (channel: SshChannel, command: string): ChannelHandler | null => {
    const [name, argument] = command.split(' ');
    const over = (): void => void closed.push(channel.id);
    let handler: ChannelHandler | null = null;
    if (name === 'sink') handler = new Sink(channel, over, digests);
    if (name === 'source') handler = new Source(channel, over, Number(argument));
    if (name === 'echo') handler = new Echo(channel, over);
    if (name === 'hold') handler = new Hold(channel, over, held);
    if (handler !== null) opened.push(channel);
    return handler;
  };
  return {
    services: { openSftp: (channel) => start(channel, 'echo'), exec: start },
    opened,
    closed,
    digests,
    held,
  };
}

class Sink implements ChannelHandler {
  readonly #channel: SshChannel;
  readonly closed: () => void;
  readonly #digests: Map<number, string>;
  readonly #hash: Hash | null = createHash('sha256');

  constructor(channel: SshChannel, closed: () => void, digests: Map<number, string>) {
    this.#channel = channel;
    this.closed = closed;
    this.#digests = digests;
  }

  data(chunk: Buffer): void {
    if (process.env['SINK_HASH'] !== 'off') this.#hash?.update(chunk);
    this.#channel.consumed(chunk.length);
  }

  eof(): void {
    this.#digests.set(this.#channel.id, this.#hash?.digest('hex') ?? '');
    this.#channel.write(Buffer.from('done\n'));
    this.#channel.end(0);
  }

  writable(): void {}
}

class Source implements ChannelHandler {
  readonly #channel: SshChannel;
  readonly closed: () => void;
  #left: number;

  constructor(channel: SshChannel, closed: () => void, bytes: number) {
    this.#channel = channel;
    this.closed = closed;
    this.#left = bytes;
    setImmediate(() => this.writable());
  }

  data(chunk: Buffer): void {
    this.#channel.consumed(chunk.length);
  }

  eof(): void {}

  writable(): void {
    while (this.#left > 0 && this.#channel.writable) {
      const block = SOURCE_BLOCK.subarray(0, Math.min(this.#left, SOURCE_BLOCK.length));
      this.#left -= block.length;
      this.#channel.write(block);
    }
    if (this.#left === 0) this.#channel.end(0);
  }
}

class Echo implements ChannelHandler {
  readonly #channel: SshChannel;
  readonly closed: () => void;
  #waiting: Buffer[] = [];
  #ended = false;

  constructor(channel: SshChannel, closed: () => void) {
    this.#channel = channel;
    this.closed = closed;
  }

  data(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.writable();
  }

  eof(): void {
    this.#ended = true;
    this.writable();
  }

  writable(): void {
    while (this.#waiting.length > 0 && this.#channel.writable) {
      const chunk = this.#waiting.shift()!;
      this.#channel.write(Buffer.from(chunk));
      this.#channel.consumed(chunk.length);
    }
    if (this.#ended && this.#waiting.length === 0) this.#channel.end(0);
  }
}

class Hold implements ChannelHandler {
  readonly #channel: SshChannel;
  readonly closed: () => void;
  readonly #held: Map<number, number>;

  constructor(channel: SshChannel, closed: () => void, held: Map<number, number>) {
    this.#channel = channel;
    this.closed = closed;
    this.#held = held;
  }

  data(chunk: Buffer): void {
    this.#held.set(this.#channel.id, (this.#held.get(this.#channel.id) ?? 0) + chunk.length);
  }

  eof(): void {}

  writable(): void {}
}
