/** Every live session as main sees it. One thread owns it, so counting and admitting cannot race. */
import type { MessagePort } from 'node:worker_threads';
import type { Account, SessionControl, SessionId } from '../actor/messages.ts';

/** How far a session has come; which MainServices calls it may make follows from it. */
export type SessionPhase =
  | { readonly kind: 'connected' }
  /** Password or certificate accepted, not yet counted against MaxClients. */
  | {
      readonly kind: 'authenticated';
      readonly account: Account;
      readonly loginName: string;
      readonly virtualHost: number;
      readonly anonymous: number | null;
    }
  | {
      readonly kind: 'logged-in';
      readonly account: Account;
      readonly loginName: string;
      readonly virtualHost: number;
      readonly anonymous: number | null;
      readonly className: string | null;
    };

export interface SessionEntry {
  readonly id: SessionId;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly configVersion: number;
  /** Virtual host chosen by address at connect, or null where no server answers there. */
  readonly virtualHost: number | null;
  readonly connectedAt: number;
  readonly counters: SharedArrayBuffer;
  readonly control: SessionControl;
  readonly port: MessagePort;
  phase: SessionPhase;
  /** Command of the data transfer that runs, where MaxTransfersPer* asked to count it. */
  transfer: string | null;
}

export class SessionRegistry {
  readonly #sessions = new Map<SessionId, SessionEntry>();
  #nextId: SessionId = 1;

  get size(): number {
    return this.#sessions.size;
  }

  allocateId(): SessionId {
    return this.#nextId++;
  }

  add(entry: SessionEntry): void {
    this.#sessions.set(entry.id, entry);
  }

  remove(id: SessionId): void {
    this.#sessions.delete(id);
  }

  all(): Iterable<SessionEntry> {
    return this.#sessions.values();
  }

  count(matches: (entry: SessionEntry) => boolean): number {
    let total = 0;
    for (const entry of this.#sessions.values()) if (matches(entry)) total += 1;
    return total;
  }

  countLoggedIn(
    matches: (entry: SessionEntry, login: SessionPhase & { kind: 'logged-in' }) => boolean,
  ): number {
    return this.count((entry) => entry.phase.kind === 'logged-in' && matches(entry, entry.phase));
  }

  usesConfig(version: number): boolean {
    for (const entry of this.#sessions.values()) if (entry.configVersion === version) return true;
    return false;
  }
}
