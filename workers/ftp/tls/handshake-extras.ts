/** What one handshake gets besides its context: the stapled OCSP response and the look-up of pre-shared keys. */
import { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import type { SecureContext, TLSSocket, TLSSocketOptions } from 'node:tls';
import { preSharedKeyFor } from '../../../crypto/pre-shared-keys.ts';
import { certificateForHello, type HelloPreferences } from '../../../crypto/stapling.ts';
import { readStaple } from '../../../crypto/staple-slot.ts';
import { TLS_1_2, TLS_1_3, type ClientHello } from './client-hello.ts';
import type { TlsServerSide } from './context-cache.ts';
import { expectedVersion } from './session-reuse.ts';

export interface HandshakeExtras {
  /** DER; null: the client did not ask, or there is none. */
  readonly staple: Buffer | null;
  /** Null: no pre-shared key is accepted on this connection. */
  readonly preSharedKey: PreSharedKeyLookup | null;
}

export interface PreSharedKeyLookup {
  /** Synchronous: OpenSSL waits for it. */
  readonly keyOf: (identity: string) => Buffer | null;
  /** The known identity asked for last; after a handshake without certificate it is the client's. */
  identity: string | null;
}

/**
 * `acceptsKeys`: false for data connections that must resume. In TLS 1.3 a pre-shared key looks like a resumed session,
 * and only the control connection's ticket may count as one.
 */
export function handshakeExtras(
  side: TlsServerSide,
  hello: ClientHello | null,
  acceptsKeys: boolean,
): HandshakeExtras {
  const version = hello === null ? null : expectedVersion(hello, side.versions);
  const isTls13 = version === TLS_1_3;
  return {
    staple: hello?.wantsOcspResponse === true ? stapleFor(side, hello, version) : null,
    preSharedKey: acceptsKeys && side.preSharedKeys.size > 0 ? keyLookup(side, isTls13) : null,
  };
}

function stapleFor(side: TlsServerSide, hello: ClientHello, version: number | null): Buffer | null {
  if (side.staples === null) return null;
  const preferences: HelloPreferences = {
    version: version === TLS_1_3 ? 'TLSv1.3' : version === TLS_1_2 ? 'TLSv1.2' : 'older',
    signatureSchemes: hello.signatureSchemes,
    cipherSuites: hello.cipherSuites,
    groups: hello.groups,
  };
  const leaf = certificateForHello(side.stapledLeaves, preferences, side.preferences);
  const slot = leaf === null ? undefined : side.staples.get(leaf.fingerprint256);
  return slot === undefined ? null : readStaple(slot);
}

function keyLookup(side: TlsServerSide, isTls13: boolean): PreSharedKeyLookup {
  const lookup: PreSharedKeyLookup = {
    identity: null,
    keyOf(identity) {
      if (side.preSharedKeys.has(identity)) lookup.identity = identity;
      return preSharedKeyFor(side.preSharedKeys, identity, isTls13);
    },
  };
  return lookup;
}

/** Options of `new TLSSocket` for the extras; `sessions` is the emitter of session-id resumption, if there is one. */
export function extraTlsOptions(
  extras: HandshakeExtras,
  secureContext: SecureContext,
  sessions: Server | null,
): TLSSocketOptions & { pskCallback?: (socket: unknown, identity: string) => Buffer | null } {
  const { staple, preSharedKey } = extras;
  const server = staple === null ? sessions : withStaple(sessions, secureContext, staple);
  return {
    ...(server === null ? {} : { server }),
    ...(preSharedKey === null ? {} : { pskCallback: pskCallback(preSharedKey) }),
  };
}

/** Node hands a TLS socket's OCSP request to the `server` it was given, when that knows its context. */
function withStaple(sessions: Server | null, secureContext: SecureContext, staple: Buffer): Server {
  const emitter = (sessions ?? new EventEmitter()) as EventEmitter & { _sharedCreds?: SecureContext };
  emitter._sharedCreds = secureContext;
  emitter.on(
    'OCSPRequest',
    (_certificate: Buffer, _issuer: Buffer, answer: (error: Error | null, response: Buffer) => void) =>
      answer(null, staple),
  );
  return emitter as unknown as Server;
}

/** What a TLS socket's native side takes beyond its documentation. */
interface NativeConnection {
  readonly _handle: { readonly setOCSPResponse?: (response: Buffer) => void } | null;
}

/**
 * Node gives a response away at the first ClientHello it is asked for; where a HelloRetryRequest brings a second one
 * (RFC 8446, section 4.1.4: the client guessed another group than the profile has), OpenSSL asks again. The second hello
 * is a round trip away, so the response is there by then.
 */
export function stapleAgain(
  stream: TLSSocket,
  { staple }: HandshakeExtras,
  server: Server | undefined,
): void {
  if (staple === null) return;
  server?.once('OCSPRequest', () => {
    setImmediate(() => (stream as unknown as NativeConnection)._handle?.setOCSPResponse?.(staple));
  });
}

/** A server's callback gets its socket and the identity the client named. */
function pskCallback(lookup: PreSharedKeyLookup): (socket: unknown, identity: string) => Buffer | null {
  return (_socket, identity) => lookup.keyOf(identity);
}
