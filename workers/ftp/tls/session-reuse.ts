/**
 * Which TLS session a data connection must resume, and how (ftps-directives, section 5). The binding to the control
 * connection is the session id context (crypto/tls-context.ts); here stand the rest of the rule: lifetime, the waivers,
 * and resumption by session id for TLS 1.2 without tickets.
 */
import { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import type { Settings, TlsOption } from '../../../src/config/server-config.ts';
import type { ContextKind } from '../../../crypto/tls-context.ts';
import { TLS_1_3, type ClientHello } from './client-hello.ts';

/** A control connection needs one session; renegotiation may add a few. */
const MAX_SESSIONS = 4;
/** Seconds of lifetime left below which the log warns the operator. */
const EXPIRY_WARNING_SECONDS = 60;

/**
 * Sessions of one control connection by id. OpenSSL asks for them through the events of the `server` option that
 * `new TLSSocket` takes; only the control connection stores, data connections look up.
 */
export class ControlSessions {
  readonly #sessions = new Map<string, Buffer>();

  /** `server` option for the control handshake. */
  recorder(): Server {
    return this.#emitter(true);
  }

  /** `server` option for data handshakes; null: the client got no session id, there is nothing to look up. */
  reader(): Server | null {
    return this.#sessions.size === 0 ? null : this.#emitter(false);
  }

  #emitter(records: boolean): Server {
    const emitter = new EventEmitter();
    emitter.on(
      'resumeSession',
      (id: Buffer, answer: (error: Error | null, session: Buffer | null) => void) => {
        answer(null, this.#sessions.get(id.toString('hex')) ?? null);
      },
    );
    if (records) {
      emitter.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
        if (this.#sessions.size < MAX_SESSIONS) this.#sessions.set(id.toString('hex'), session);
        done();
      });
    }
    // new TLSSocket uses nothing of a server but its events.
    return emitter as unknown as Server;
  }
}

/** The version both sides will speak, going by the hello; null when they have none in common. */
export function expectedVersion(hello: ClientHello, enabled: readonly string[]): number | null {
  const known: readonly (readonly [string, number])[] = [
    ['TLSv1.3', 0x0304],
    ['TLSv1.2', 0x0303],
    ['TLSv1.1', 0x0302],
    ['TLSv1', 0x0301],
  ];
  return (
    known.find(([name, number]) => enabled.includes(name) && number <= hello.highestVersion)?.[1] ?? null
  );
}

/**
 * Tickets in TLS 1.3 always; below it only with TLSSessionTickets on. Downloads in TLS 1.3 renew the ticket for clients
 * that use each one once; uploads never, because a client that only writes would leave it unread, and its close would
 * then reset the connection and lose the tail of the file. `mustResume`: without resumption the connection is refused.
 */
export function contextKind(
  version: number | null,
  ticketsAllowed: boolean,
  purpose: 'control' | 'download' | 'upload',
  mustResume: boolean,
): ContextKind {
  if (version !== null && version >= TLS_1_3) {
    if (purpose !== 'download') return 'tickets';
    return mustResume ? 'resuming' : 'renewing';
  }
  return ticketsAllowed ? 'tickets' : 'no-tickets';
}

/** NoSessionReuseRequired, TLSSessionCache off, or CCC. */
export function reuseIsWaived(
  cache: Settings['tlsSessionCache'],
  options: ReadonlySet<TlsOption>,
  controlCleared: boolean,
): boolean {
  return controlCleared || cache.kind === 'off' || options.has('NoSessionReuseRequired');
}

/** Whether the control session may still be resumed, and what the log says while it nears its end. */
export function sessionAge(
  secondsSinceHandshake: number,
  lifetimeSeconds: number,
): { readonly expired: boolean; readonly warnings: readonly string[] } {
  const left = Math.floor(lifetimeSeconds - secondsSinceHandshake);
  if (left <= 0) return { expired: true, warnings: [] };
  if (left > EXPIRY_WARNING_SECONDS || lifetimeSeconds <= EXPIRY_WARNING_SECONDS)
    return { expired: false, warnings: [] };
  return {
    expired: false,
    warnings: [
      `control channel TLS session expires in ${left} secs (${lifetimeSeconds} session cache expiration)`,
      "Consider using 'TLSSessionCache internal:' to increase the session cache expiration if necessary, " +
        'or renegotiate the control channel TLS session',
    ],
  };
}
