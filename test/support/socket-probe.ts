/** What the kernel says about a socket: getsockopt(2), which Node has no call for. Linux only. */
import ffi from 'node:ffi';

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;

const OPTIONS = {
  SO_SNDBUF: [SOL_SOCKET, 7],
  SO_RCVBUF: [SOL_SOCKET, 8],
  SO_KEEPALIVE: [SOL_SOCKET, 9],
  TCP_NODELAY: [IPPROTO_TCP, 1],
  TCP_MAXSEG: [IPPROTO_TCP, 2],
  TCP_KEEPIDLE: [IPPROTO_TCP, 4],
  TCP_KEEPINTVL: [IPPROTO_TCP, 5],
  TCP_KEEPCNT: [IPPROTO_TCP, 6],
} as const;

const { getsockopt } = ffi.dlopen(null, {
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
}).functions;

/** Value of one option of a socket or server of `node:net`. */
export function socketOption(owner: object, name: keyof typeof OPTIONS): number {
  const descriptor = (owner as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
  const [level, option] = OPTIONS[name];
  const value = new Int32Array(1);
  if (getsockopt(descriptor, level, option, value, Uint32Array.of(4)) !== 0) {
    throw new Error(`getsockopt ${name} of descriptor ${descriptor} failed`);
  }
  return value[0]!;
}
