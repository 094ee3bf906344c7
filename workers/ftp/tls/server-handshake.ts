/**
 * One TLS handshake as server, control or data: look at the ClientHello, let the caller choose, run TLS, and say in a
 * value how it went. One deadline covers all of it.
 */
import type { Server, Socket } from 'node:net';
import { TLSSocket, type SecureContext, type TLSSocketOptions } from 'node:tls';
import type { ClientHello } from './client-hello.ts';
import { ControlBridge } from './control-bridge.ts';
import { extraTlsOptions, stapleAgain, type HandshakeExtras } from './handshake-extras.ts';
import { peekClientHello } from './hello-peek.ts';
import { classifyError, type HandshakeFailure } from './tls-log-lines.ts';

export type HandshakeChoice =
  | {
      readonly kind: 'accept';
      readonly secureContext: SecureContext;
      readonly requestCertificate: boolean;
      /** OpenSSL itself refuses a client without certificate, with the right alert. */
      readonly requireCertificate: boolean;
      readonly alpnProtocols: readonly string[];
      /** Session-id resumption (session-reuse.ts). */
      readonly sessions: Server | null;
      readonly extras: HandshakeExtras;
      /** TLS over a bridge, so that CCC can end it and keep the socket. */
      readonly bridged: boolean;
    }
  | { readonly kind: 'refuse'; readonly lines: readonly string[]; readonly alert: Buffer };

export interface HandshakeRequest {
  readonly socket: Socket;
  /** 0: unlimited (TLSTimeoutHandshake). */
  readonly timeoutSeconds: number;
  /** Called once with the hello (null: not a ClientHello), synchronously before the TLS connection is made. */
  readonly choose: (hello: ClientHello | null) => HandshakeChoice;
  /** Said in clear after a failure, where the peer may still read it. */
  readonly lastWords: string | null;
}

export type HandshakeResult =
  | {
      readonly kind: 'secured';
      readonly stream: TLSSocket;
      readonly bridge: ControlBridge | null;
      readonly hello: ClientHello | null;
    }
  | { readonly kind: 'failed'; readonly failure: HandshakeFailure; readonly hello: ClientHello | null };

/** Longest timer Node has; stands for "unlimited". */
const UNLIMITED_MS = 2 ** 31 - 1;

/** Runs the handshake; never rejects. After a failure the socket is closed or being closed. */
export async function acceptTls(request: HandshakeRequest): Promise<HandshakeResult> {
  const { socket, timeoutSeconds } = request;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(),
    timeoutSeconds === 0 ? UNLIMITED_MS : timeoutSeconds * 1000,
  );
  try {
    const peeked = await peekClientHello(socket, deadline.signal);
    if (peeked.kind !== 'ready') {
      const failure = peekFailure(peeked, timeoutSeconds);
      closeWith(socket, request.lastWords);
      return { kind: 'failed', failure, hello: null };
    }
    const choice = request.choose(peeked.hello);
    if (choice.kind === 'refuse') {
      socket.write(choice.alert);
      closeWith(socket, request.lastWords);
      return { kind: 'failed', failure: { kind: 'refused', lines: choice.lines }, hello: peeked.hello };
    }
    return await runTls(request, choice, peeked.hello, deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}

function peekFailure(
  peeked: { kind: 'ended' | 'aborted' } | { kind: 'failed'; error: Error },
  seconds: number,
): HandshakeFailure {
  if (peeked.kind === 'failed') return classifyError(peeked.error);
  return peeked.kind === 'ended' ? { kind: 'eof' } : { kind: 'timeout', seconds };
}

/** Ends a socket that is still in clear: last words, FIN, and no reading any more. */
function closeWith(socket: Socket, words: string | null): void {
  if (socket.writable && words !== null) socket.write(words);
  socket.destroySoon();
}

/**
 * A TLS server socket that can say 421 in clear when its handshake fails: Node destroys the TCP socket together with
 * the TLS one, so the words must go out in between, behind the alert.
 */
class ServerTlsSocket extends TLSSocket {
  readonly #underlying: Socket;
  readonly #lastWords: string | null;
  #established = false;

  constructor(
    stream: Socket | ControlBridge,
    underlying: Socket,
    options: TLSSocketOptions,
    lastWords: string | null,
  ) {
    super(stream as Socket, options);
    this.#underlying = underlying;
    this.#lastWords = lastWords;
    this.once('secure', () => {
      this.#established = true;
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#established && error !== null && this.#lastWords !== null && this.#underlying.writable) {
      this.#underlying.write(this.#lastWords);
    }
    super._destroy(error, callback);
  }
}

function runTls(
  request: HandshakeRequest,
  choice: HandshakeChoice & { kind: 'accept' },
  hello: ClientHello | null,
  signal: AbortSignal,
): Promise<HandshakeResult> {
  const { socket } = request;
  const bridge = choice.bridged ? new ControlBridge(socket) : null;
  const options = tlsOptions(choice);
  const stream = new ServerTlsSocket(bridge ?? socket, socket, options, request.lastWords);
  stapleAgain(stream, choice.extras, options.server);
  return new Promise((resolve) => {
    const settle = (result: HandshakeResult): void => {
      signal.removeEventListener('abort', onAbort);
      stream.off('secure', onSecure);
      stream.off('end', onClose);
      stream.off('close', onClose);
      if (result.kind === 'failed') {
        // The first failure is the reported one; what follows from closing is not news.
        stream.on('error', ignoreFollowUp);
        stream.destroy();
        resolve(result);
        return;
      }
      stream.off('error', onError);
      // Node reports TLS errors of a socket without tls.Server here only; without this the stream would just stall.
      stream.on('_tlsError', (error: Error) => stream.destroy(error));
      stream.on('error', ignoreFollowUp);
      resolve(result);
    };
    const failed = (failure: HandshakeFailure): void => settle({ kind: 'failed', failure, hello });
    const onSecure = (): void => settle({ kind: 'secured', stream, bridge, hello });
    const onError = (error: Error): void => failed(classifyError(error));
    const onClose = (): void => failed({ kind: 'eof' });
    const onAbort = (): void => failed({ kind: 'timeout', seconds: request.timeoutSeconds });
    stream.once('secure', onSecure);
    stream.on('error', onError);
    // A half-open socket stays open behind the peer's FIN; a handshake cannot go on behind it.
    stream.once('end', onClose);
    stream.once('close', onClose);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** A broken connection shows in 'close', which its owner waits for; the error itself says no more. */
function ignoreFollowUp(): void {
  return undefined;
}

function tlsOptions(choice: HandshakeChoice & { kind: 'accept' }): TLSSocketOptions {
  return {
    isServer: true,
    secureContext: choice.secureContext,
    requestCert: choice.requestCertificate,
    rejectUnauthorized: choice.requireCertificate,
    ...(choice.alpnProtocols.length === 0 ? {} : { ALPNProtocols: [...choice.alpnProtocols] }),
    ...extraTlsOptions(choice.extras, choice.secureContext, choice.sessions),
  };
}
