/** Reads the ClientHello from a raw socket and puts it back, so that TLS starts as if nobody had looked. */
import type { Duplex } from 'node:stream';
import { MAX_HELLO_BYTES, parseClientHello, type ClientHello } from './client-hello.ts';

export type PeekOutcome =
  /** `hello` null: no ClientHello; OpenSSL is to say what is wrong. */
  | { readonly kind: 'ready'; readonly hello: ClientHello | null }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'aborted' };

/** Waits for a whole ClientHello, at most 64 KiB of it. `signal` ends the wait (timeout, session over). */
export function peekClientHello(socket: Duplex, signal: AbortSignal): Promise<PeekOutcome> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let wanted = 0;
    const settle = (outcome: PeekOutcome): void => {
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      socket.off('error', onError);
      signal.removeEventListener('abort', onAbort);
      socket.pause();
      if (outcome.kind === 'ready') socket.unshift(Buffer.concat(chunks, size));
      resolve(outcome);
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      size += chunk.length;
      if (size < wanted) return;
      const result = parseClientHello(chunks.length === 1 ? chunk : Buffer.concat(chunks, size));
      if (result.kind === 'hello') settle({ kind: 'ready', hello: result.hello });
      else if (result.kind === 'not-a-hello' || size > MAX_HELLO_BYTES)
        settle({ kind: 'ready', hello: null });
      else wanted = size + result.missing;
    };
    const onEnd = (): void => settle({ kind: 'ended' });
    const onError = (error: Error): void => settle({ kind: 'failed', error });
    const onAbort = (): void => settle({ kind: 'aborted' });
    if (signal.aborted) return resolve({ kind: 'aborted' });
    if (socket.destroyed || socket.readableEnded) return resolve({ kind: 'ended' });
    socket.on('data', onData);
    socket.once('end', onEnd);
    socket.once('close', onEnd);
    socket.once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.resume();
  });
}
