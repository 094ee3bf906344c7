/**
 * HOT PATH: lets an accepted socket, plain or TLS, read into memory of ours. Node offers this as `onread`, but only for
 * sockets that it connects itself; for all others every read allocates 64 KiB, which costs more than receiving them.
 * The same three properties and the same native call are used here, found by name and checked before use.
 */
import type { Duplex } from 'node:stream';

export interface Receiver {
  /** Where the next bytes go; never empty. Asked for after each read. */
  nextBuffer(): Uint8Array;
  /** `bytes` stand at the start of the last buffer. False stops reading until the stream is resumed. */
  received(bytes: number): boolean;
}

interface ReadingHandle {
  useUserBuffer?: (buffer: Uint8Array) => void;
}

type BufferSymbols = Readonly<Record<'kBuffer' | 'kBufferCb' | 'kBufferGen', symbol>>;

let symbols: BufferSymbols | null | undefined;

/** Symbols of net.Socket's own properties; all sockets of a process share them. */
function findSymbols(stream: Duplex): BufferSymbols | null {
  const own = Object.getOwnPropertySymbols(stream);
  const find = (name: string): symbol | undefined => own.find((symbol) => symbol.description === name);
  const [kBuffer, kBufferCb, kBufferGen] = [find('kBuffer'), find('kBufferCb'), find('kBufferGen')];
  if (kBuffer === undefined || kBufferCb === undefined || kBufferGen === undefined) return null;
  return { kBuffer, kBufferCb, kBufferGen };
}

/** True where this Node and this stream can do it. */
export function canReceiveInto(stream: Duplex): boolean {
  symbols ??= findSymbols(stream);
  return symbols !== null && typeof readingHandle(stream)?.useUserBuffer === 'function';
}

/**
 * From now on what the stream receives goes to `receiver` and no 'data' event comes; 'end' and 'close' come as ever.
 * The caller has asked `canReceiveInto` and has taken what the stream held already.
 */
export function receiveInto(stream: Duplex, receiver: Receiver): void {
  const handle = readingHandle(stream);
  if (symbols === null || symbols === undefined || handle?.useUserBuffer === undefined) return;
  const first = receiver.nextBuffer();
  Object.assign(stream, {
    [symbols.kBuffer]: first,
    [symbols.kBufferCb]: (bytes: number) => receiver.received(bytes),
    [symbols.kBufferGen]: () => receiver.nextBuffer(),
  });
  handle.useUserBuffer(first);
}

/** Where chunks land before they are copied: one read at a time happens in a thread. */
const landing = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * For a socket that gets little: each chunk from now on has memory of its own length, where Node gives 64 KiB to every
 * read of an accepted socket. The stream works as ever ('data', read, unshift, TLS on top).
 */
export function receiveCopies(stream: Duplex): void {
  if (!canReceiveInto(stream)) return;
  receiveInto(stream, {
    nextBuffer: () => landing,
    received: (bytes) => stream.push(Buffer.from(landing.subarray(0, bytes))),
  });
}

function readingHandle(stream: Duplex): ReadingHandle | null {
  return (stream as Duplex & { readonly _handle?: ReadingHandle | null })._handle ?? null;
}
