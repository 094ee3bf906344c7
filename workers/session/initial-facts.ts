/** What is known of a session when its socket has just been accepted: where it comes from, and nothing else. */
import type { MutableSessionFacts } from './session-context.ts';

/** The two ends of the accepted connection. */
export interface AcceptedConnection {
  readonly sessionId: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connectedAt: Date;
}

/** Facts before reverse look-up, class and login; the peer's name is its address until then. */
export function initialFacts(connection: AcceptedConnection): MutableSessionFacts {
  const { sessionId, remoteAddress, remotePort, localAddress, localPort, connectedAt } = connection;
  return {
    sessionId,
    remoteAddress,
    remotePort,
    remoteName: remoteAddress,
    localAddress,
    localPort,
    connectedAt,
    protocol: 'ftp',
    loginName: null,
    user: null,
    group: null,
    uid: null,
    gid: null,
    className: null,
    identUser: null,
    anonymousPassword: null,
    endReason: null,
    bytesIn: 0,
    bytesOut: 0,
    rawBytesIn: 0,
    rawBytesOut: 0,
    filesIn: 0,
    filesOut: 0,
    notes: new Map(),
    environment: new Map(),
  };
}
