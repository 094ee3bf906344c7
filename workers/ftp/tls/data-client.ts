/** SSCN client method: this server is the TLS client of a data connection to another server (site to site). */
import { reverse } from 'node:dns/promises';
import type { Socket } from 'node:net';
import type { X509Certificate } from 'node:crypto';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { cipherListInForce, clientContextOptions } from '../../../crypto/tls-context.ts';
import type { Settings } from '../../../src/config/server-config.ts';
import type { TlsServerSide } from './context-cache.ts';
import { classifyError, failureLines } from './tls-log-lines.ts';

export type ClientHandshakeResult =
  | { readonly kind: 'secured'; readonly stream: TLSSocket }
  | { readonly kind: 'failed'; readonly lines: readonly string[] };

const REVERSE_LOOKUP_MS = 5_000;
const UNLIMITED_MS = 2 ** 31 - 1;

/** Contexts of the client role, one per server side. */
const clientContexts = new WeakMap<TlsServerSide, SecureContext>();

/** Handshake as client, then TLSVerifyServer. Never rejects; after a failure the socket is closed. */
export async function connectTls(
  socket: Socket,
  settings: Settings,
  side: TlsServerSide,
): Promise<ClientHandshakeResult> {
  const failed = (lines: readonly string[]): ClientHandshakeResult => {
    socket.destroy();
    return { kind: 'failed', lines };
  };
  const outcome = await handshake(socket, settings, side);
  if (outcome.kind === 'failed') return failed(outcome.lines);
  const { stream } = outcome;
  if (settings.tlsVerifyServer === 'off') return outcome;
  if (!stream.authorized) {
    const reason = String(stream.authorizationError);
    return failed([`server certificate failed verification: ${reason}`]);
  }
  if (settings.tlsVerifyServer === 'NoReverseDNS') return outcome;
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  if (await certificateNamesPeer(stream.getPeerX509Certificate(), address)) return outcome;
  return failed([`server certificate failed verification: certificate does not match server '${address}'`]);
}

function handshake(socket: Socket, settings: Settings, side: TlsServerSide): Promise<ClientHandshakeResult> {
  const stream = connect({
    socket,
    secureContext: clientContext(side),
    // TLSVerifyServer decides below, with its own names for the peer.
    rejectUnauthorized: false,
  });
  const seconds = settings.tlsTimeoutHandshake;
  return new Promise((resolve) => {
    const settle = (result: ClientHandshakeResult): void => {
      clearTimeout(timer);
      stream.off('close', onClose);
      // From here on a broken connection shows in 'close'.
      stream.on('error', () => stream.destroy());
      if (result.kind === 'failed') stream.destroy();
      resolve(result);
    };
    const situation = {
      cipherSuite: cipherListInForce(settings.tlsCipherSuite),
      offeredVersion: null,
      enabledVersions: side.versions,
    };
    const onClose = (): void =>
      settle({ kind: 'failed', lines: ['unable to connect using TLS: TLS connection closed'] });
    const timer = setTimeout(
      () => settle({ kind: 'failed', lines: failureLines({ kind: 'timeout', seconds }, situation) }),
      seconds === 0 ? UNLIMITED_MS : seconds * 1000,
    );
    stream.once('secureConnect', () => settle({ kind: 'secured', stream }));
    stream.once('error', (error: Error) => {
      const lines = failureLines(classifyError(error), situation);
      settle({
        kind: 'failed',
        lines: lines.map((line) => line.replace('accept TLS connection', 'connect using TLS')),
      });
    });
    stream.once('close', onClose);
  });
}

function clientContext(side: TlsServerSide): SecureContext {
  const known = clientContexts.get(side);
  if (known !== undefined) return known;
  const anchors = side.clientAnchors().map((anchor) => anchor.toString());
  const context = createSecureContext(clientContextOptions(side.versions, anchors));
  clientContexts.set(side, context);
  return context;
}

/** IP address among the alternative names, or the name the address resolves to. */
async function certificateNamesPeer(
  certificate: X509Certificate | undefined,
  address: string,
): Promise<boolean> {
  if (certificate === undefined) return false;
  if (certificate.checkIP(address) !== undefined) return true;
  const names = await reverseNames(address);
  return names.some((name) => certificate.checkHost(name) !== undefined);
}

async function reverseNames(address: string): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string[]>((resolve) => {
    timer = setTimeout(() => resolve([]), REVERSE_LOOKUP_MS);
  });
  try {
    // No name is an answer: the certificate then has to carry the address.
    return await Promise.race([reverse(address).catch(() => []), late]);
  } finally {
    clearTimeout(timer);
  }
}
