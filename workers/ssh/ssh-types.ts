/** What the services on SSH channels may know of the session around them. Types only. */
import type { Account } from '../../src/actor/messages.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import type { Settings } from '../../src/config/server-config.ts';
import type { SessionContext } from '../session/session-context.ts';
import type { VirtualFileSystem } from '../vfs/types.ts';

/** SFTPClientMatch values of all rules that match this client; of the same key the later rule's holds. */
export interface ClientMatch {
  /** Bytes. */
  readonly channelWindowSize?: number;
  /** Bytes. */
  readonly channelPacketSize?: number;
  readonly sftpProtocolVersion?: { readonly min: number; readonly max: number };
  readonly sftpCiphers?: readonly string[];
  readonly sftpDigests?: readonly string[];
  readonly sftpHostKeys?: readonly string[];
  readonly sftpKeyExchanges?: readonly string[];
  readonly pessimisticNewkeys?: boolean;
}

/** A logged-in SSH session. */
export interface SshSession {
  readonly context: SessionContext;
  readonly config: EffectiveConfig;
  readonly settings: Settings;
  readonly account: Account;
  readonly vfs: VirtualFileSystem;
  readonly loginName: string;
  readonly client: {
    /** What follows `SSH-2.0-`, comments cut; as the client sent it. */
    readonly softwareVersion: string;
    readonly match: ClientMatch;
  };
  /** Line of SFTPLog. */
  sftpLog(text: string): void;
  /** TimeoutNoTransfer restarts. */
  noteTransfer(): void;
  /** A transfer counts as running (TimeoutIdle, TimeoutStalled, drain) between these two. */
  transferStarted(): void;
  transferEnded(): void;
}
