/** What a service on an SSH channel (sftp, scp) sees of it, and what it offers in return. Types only. */
import type { SshSession } from './ssh-types.ts';

/** One open session channel (RFC 4254, section 5), from its service's side. */
export interface SshChannel {
  /** Our number of the channel. */
  readonly id: number;
  readonly session: SshSession;
  /** Variables that the client set with `env` requests and SFTPAcceptEnv let through. */
  readonly environment: ReadonlyMap<string, string>;
  /** Whether more may be written now: peer's window open, output queue below its bound, no rekey holding it back. */
  readonly writable: boolean;
  /** Nothing that was written is held any more: the memory of earlier `write`s may be used again. */
  readonly drained: boolean;
  /**
   * Queues bytes; never blocks. The owner keeps to `writable` (one message beyond it is fine). The buffers belong to the
   * channel from now on.
   */
  write(...parts: readonly Buffer[]): void;
  /** Text for the user: CHANNEL_EXTENDED_DATA of type stderr. */
  writeError(text: string): void;
  /**
   * `bytes` of what `data` was given have been used, counted in the order in which they came: they go back into the
   * peer's window, and their memory is written again. What comes later may be used earlier, but not counted earlier.
   */
  consumed(bytes: number): void;
  /** All queued output, then exit-status, EOF, CLOSE. */
  end(exitStatus: number): void;
  /** The peer broke the protocol of this channel: CLOSE without more output; the reason goes to the log. */
  abort(reason: string): void;
}

/** A running service; the channel calls it, never from within one of the service's own calls to the channel. */
export interface ChannelHandler {
  /** A view that stays valid and unchanged until it is counted as `consumed`, so it may be kept until it is written to disk. */
  data(chunk: Buffer): void;
  /** The peer will send no more data. */
  eof(): void;
  /** `writable` has become true again. */
  writable(): void;
  /** Over, for whatever reason; called exactly once. Releases everything; unfinished uploads are aborted. */
  closed(): void;
}

/** Given to the SSH session by the session room: what runs on its channels. */
export interface ChannelServices {
  /** Null: denied (and logged). */
  openSftp(channel: SshChannel): ChannelHandler | null;
  /** `scp ...`, `date`. Null: denied or unknown (and logged). */
  exec(channel: SshChannel, command: string): ChannelHandler | null;
}
