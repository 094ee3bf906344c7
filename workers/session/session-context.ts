/** What a protocol receives: everything around one session but the protocol itself. */
import type { Socket } from 'node:net';
import type { EndReason, MainServices, SessionId } from '../../src/actor/messages.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import type { SessionFacts, SessionLog } from '../../src/log/session-log.ts';

/** The mutable side of SessionFacts: the protocol keeps it true, the logs read it. */
export type MutableSessionFacts = { -readonly [K in keyof SessionFacts]: SessionFacts[K] } & {
  notes: Map<string, string>;
  environment: Map<string, string>;
};

export interface SessionContext {
  readonly sessionId: SessionId;
  readonly socket: Socket;
  readonly services: MainServices;
  readonly log: SessionLog;
  readonly facts: MutableSessionFacts;
  /** Shared with main: [0] bytes in, [1] bytes out on data connections. */
  readonly counters: BigInt64Array;
  readonly currentClients: number;
  /** Configuration at connect, class sections merged. The protocol narrows it further. */
  readonly config: EffectiveConfig;
  /** Virtual hosts reachable on this listener, for HOST and SNI; the session's own first. */
  readonly siblings: readonly number[];
  /** HOST, SNI or login changed the configuration: the session's logs follow from now on. */
  readonly configChanged: (config: EffectiveConfig) => void;
  /** True when the embedder listens for transfer events. */
  readonly reportsTransfers: boolean;
}

/** A protocol's side of SessionControl, and its outcome. */
export interface ProtocolSession {
  /** Resolves when the session is over; rejects only on a bug (run-session answers 421 and logs it). */
  run(): Promise<{ readonly reason: EndReason; readonly detail: string | null }>;
  drain(text: string, graceMs: number): void;
  disconnect(text: string, reason: EndReason): void;
  /** Last words on an uncaught error: `421 ...` if the control connection can still carry it. */
  fail(text: string): void;
}
