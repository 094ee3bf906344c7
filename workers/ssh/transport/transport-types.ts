/** What the transport of one connection is given, and what it tells the session above it. Types only. */
import type { Socket } from 'node:net';
import type { HostKey } from '../../../crypto/ssh/host-keys.ts';
import type { DhGroup } from '../../../crypto/ssh/key-exchange.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import type { ClientMatch } from '../ssh-types.ts';
import type { ClientVersion } from '../wire/version-line.ts';
import type { ClientQuirks } from './client-identity.ts';
import type { AgreedAlgorithms } from './negotiation.ts';

/** `first-exchange`: from the client's version line to its first NEWKEYS. */
export type Phase = 'version' | 'first-exchange' | 'service' | 'userauth' | 'open' | 'closed';

/** What is known of the program on the other side; before its version line, nothing. */
export interface ClientIdentity {
  version: ClientVersion | null;
  match: ClientMatch;
  quirks: ClientQuirks;
}

export interface TransportOptions {
  readonly socket: Socket;
  readonly settings: Settings;
  readonly hostKeys: readonly HostKey[];
  readonly configuredGroups: readonly DhGroup[];
  /** Without CR LF. */
  readonly serverVersion: string;
}

/** What the session does with what the transport finds. A promise holds the parser until it settles. */
export interface TransportHooks {
  sftpLog(text: string): void;
  /** ExtendedLog: a message came in that its classes SSH and SEC list. */
  logMessage(type: number): void;
  clientNamed(version: ClientVersion): void;
  /** New algorithms are in force or about to be. */
  agreed(algorithms: AgreedAlgorithms): void;
  userauth(payload: Buffer): Promise<void>;
  /** A message of the connection layer: the payload is `packet` from `start` to `end` and stays unchanged. */
  connection(packet: Buffer, start: number, end: number): Promise<void> | undefined;
  /** Data may be sent again. */
  drained(): void;
  disconnected(code: number, text: string): void;
  ended(): void;
  /** ProtocolViolation, or a bug. Called once. */
  failed(error: unknown): void;
}
