/**
 * Blocking sockets for the load processes, by direct calls of the C library. A load process does one thing at a time, so
 * blocking costs nothing, and calls without stream and event loop keep the client from being the limit (NOTES.md says
 * how that is checked). Every wait ends after SOCKET_TIMEOUT_SECONDS with an error.
 */
import { getSystemErrorName } from 'node:util';

type Ffi = typeof import('node:ffi');

const ffi = process.getBuiltinModule('node:ffi') as Ffi | undefined;
if (ffi === undefined) throw new Error('the load client needs node:ffi');

const SOCKET_TIMEOUT_SECONDS = 60;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const SO_RCVTIMEO = 20;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;

const libc = ffi.dlopen(null, {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  listen: { arguments: ['i32', 'i32'], return: 'i32' },
  accept: { arguments: ['i32', 'pointer', 'pointer'], return: 'i32' },
  getsockname: { arguments: ['i32', 'pointer', 'pointer'], return: 'i32' },
  connect: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
  recv: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
  send: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
  shutdown: { arguments: ['i32', 'i32'], return: 'i32' },
  close: { arguments: ['i32'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
}).functions;

const errnoAt = libc.__errno_location();

function errno(): number {
  return ffi!.getInt32(errnoAt, 0);
}

function failed(call: string): Error {
  const code = errno();
  const why =
    code === EAGAIN ? `nothing happened for ${SOCKET_TIMEOUT_SECONDS} s` : getSystemErrorName(-code);
  return new Error(`${call}: ${why}`);
}

/** Bytes in order, blocking. */
export interface ByteStream {
  /** @returns number of bytes read into `buffer` from `offset` on, at least one; 0 at the end of the stream */
  read(buffer: Buffer, offset?: number): number;
  /** Writes all of it. */
  write(bytes: Buffer): void;
  /** No more will be written. */
  end(): void;
  close(): void;
}

/** A new socket whose every wait is bounded. */
function newSocket(): number {
  const descriptor = libc.socket(AF_INET, SOCK_STREAM, 0);
  if (descriptor < 0) throw failed('socket');
  bound(descriptor);
  return descriptor;
}

function bound(descriptor: number): void {
  const timeout = Buffer.alloc(16);
  timeout.writeBigInt64LE(BigInt(SOCKET_TIMEOUT_SECONDS), 0);
  setOption(descriptor, SOL_SOCKET, SO_RCVTIMEO, timeout);
  setOption(descriptor, SOL_SOCKET, SO_SNDTIMEO, timeout);
}

function setOption(descriptor: number, level: number, name: number, value: Buffer): void {
  if (libc.setsockopt(descriptor, level, name, ffi!.getRawPointer(value), value.length) !== 0)
    throw failed('setsockopt');
}

/** struct sockaddr_in of 127.0.0.1. */
function loopback(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  return address;
}

/** Listens on a port of its own. */
export class NativeListener {
  readonly port: number;
  readonly #descriptor = newSocket();

  constructor() {
    const address = loopback(0);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(address.length, 0);
    const at = ffi!.getRawPointer(address);
    if (libc.bind(this.#descriptor, at, address.length) !== 0) throw failed('bind');
    if (libc.listen(this.#descriptor, 128) !== 0) throw failed('listen');
    if (libc.getsockname(this.#descriptor, at, ffi!.getRawPointer(length)) !== 0) throw failed('getsockname');
    this.port = address.readUInt16BE(2);
  }

  accept(): NativeSocket {
    const descriptor = libc.accept(this.#descriptor, 0n, 0n);
    if (descriptor < 0) throw failed('accept');
    bound(descriptor);
    return new NativeSocket(descriptor);
  }

  close(): void {
    libc.close(this.#descriptor);
  }
}

/** A connection on 127.0.0.1. */
export class NativeSocket implements ByteStream {
  readonly descriptor: number;
  #open = true;

  /** @param descriptor - connected, and from now on this object's */
  constructor(descriptor: number) {
    this.descriptor = descriptor;
    const on = Buffer.alloc(4);
    on.writeInt32LE(1, 0);
    setOption(descriptor, IPPROTO_TCP, TCP_NODELAY, on);
  }

  static connect(port: number): NativeSocket {
    const descriptor = newSocket();
    const address = loopback(port);
    if (libc.connect(descriptor, ffi!.getRawPointer(address), address.length) !== 0) {
      const error = failed(`connect to port ${port}`);
      libc.close(descriptor);
      throw error;
    }
    return new NativeSocket(descriptor);
  }

  read(buffer: Buffer, offset = 0): number {
    const at = ffi!.getRawPointer(buffer) + BigInt(offset);
    for (;;) {
      const bytes = Number(libc.recv(this.descriptor, at, BigInt(buffer.length - offset), 0));
      if (bytes >= 0) return bytes;
      if (errno() !== EINTR) throw failed('recv');
    }
  }

  write(bytes: Buffer): void {
    const at = ffi!.getRawPointer(bytes);
    for (let done = 0; done < bytes.length;) {
      const left = BigInt(bytes.length - done);
      const sent = Number(libc.send(this.descriptor, at + BigInt(done), left, MSG_NOSIGNAL));
      if (sent >= 0) done += sent;
      else if (errno() !== EINTR) throw failed('send');
    }
  }

  end(): void {
    libc.shutdown(this.descriptor, 1);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc.close(this.descriptor);
  }
}
