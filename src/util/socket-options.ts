/**
 * Socket options Node has no call for (SocketOptions maxseg, rcvbuf, sndbuf), through `setsockopt` of the C library. Set
 * on a listening socket they hold for every connection it accepts; segment size and window scale are agreed in the
 * handshake, so that is the only place from which they reach a connection whole.
 */

export interface SocketSizes {
  /** TCP_MAXSEG, SO_RCVBUF and SO_SNDBUF in bytes. */
  readonly maxSegment?: number;
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
}

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const TCP_MAXSEG = 2;

/** Whether this platform can set them. The numbers above are those of Linux. */
export const canSetSocketSizes = process.platform === 'linux';

type SetOption = (
  descriptor: number,
  level: number,
  name: number,
  value: Int32Array,
  length: number,
) => number;
let setOption: SetOption | null | undefined;

function load(): SetOption | null {
  if (!canSetSocketSizes) return null;
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  if (ffi === undefined) return null;
  try {
    const { functions } = ffi.dlopen(null, {
      setsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'], return: 'i32' },
    });
    return functions.setsockopt;
  } catch (error) {
    // FFI forbidden by a permission flag: sockets keep the system's sizes.
    if (error instanceof Error) return null;
    throw error;
  }
}

/** Sets the given sizes on a socket or server of `node:net`. The system may round or bound them; it never fails the socket. */
export function setSocketSizes(owner: object, sizes: SocketSizes): void {
  const { maxSegment, receiveBuffer, sendBuffer } = sizes;
  if (maxSegment === undefined && receiveBuffer === undefined && sendBuffer === undefined) return;
  const descriptor = (owner as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
  setOption ??= load();
  if (setOption === null || descriptor < 0) return;
  const set = (level: number, name: number, value: number | undefined): void => {
    if (value !== undefined) setOption?.(descriptor, level, name, Int32Array.of(value), 4);
  };
  set(IPPROTO_TCP, TCP_MAXSEG, maxSegment);
  set(SOL_SOCKET, SO_RCVBUF, receiveBuffer);
  set(SOL_SOCKET, SO_SNDBUF, sendBuffer);
}
