/** Addresses in PORT, EPRT, PASV and EPSV (RFC 959 section 4.1.2, RFC 2428 sections 2 and 3): text in, values out. */
import { isIPv4, isIPv6 } from 'node:net';

export interface HostPort {
  /** Numeric address as the client wrote it. */
  readonly address: string;
  readonly port: number;
}

const BYTE = /^\d{1,3}$/;
const PORT_NUMBER = /^\d{1,5}$/;
const MAX_ARGUMENT_LENGTH = 128;

/** `h1,h2,h3,h4,p1,p2`; null when it is not exactly six decimal bytes. */
export function parsePortArgument(argument: string): HostPort | null {
  if (argument.length > MAX_ARGUMENT_LENGTH) return null;
  const fields = argument.trim().split(',');
  if (fields.length !== 6) return null;
  const bytes: number[] = [];
  for (const field of fields) {
    if (!BYTE.test(field)) return null;
    const byte = Number(field);
    if (byte > 255) return null;
    bytes.push(byte);
  }
  const [a, b, c, d, high = 0, low = 0] = bytes;
  return { address: `${a}.${b}.${c}.${d}`, port: high * 256 + low };
}

export type ExtendedPort =
  | { readonly kind: 'address'; readonly family: 4 | 6; readonly target: HostPort }
  /** A network protocol number other than 1 and 2. */
  | { readonly kind: 'unknown-protocol' }
  | { readonly kind: 'malformed' };

const MALFORMED: ExtendedPort = { kind: 'malformed' };

/** `<d>family<d>address<d>port<d>` with any printable delimiter (RFC 2428, section 2). */
export function parseExtendedPort(argument: string): ExtendedPort {
  const text = argument.trim();
  const delimiter = text.charAt(0);
  if (text.length > MAX_ARGUMENT_LENGTH || !/^[\x21-\x7e]$/.test(delimiter)) return MALFORMED;
  const fields = text.split(delimiter);
  if (fields.length !== 5 || fields[0] !== '' || fields[4] !== '') return MALFORMED;
  const [, protocol = '', address = '', port = ''] = fields;
  if (!/^\d{1,5}$/.test(protocol) || !PORT_NUMBER.test(port)) return MALFORMED;
  const number = Number(port);
  const family = Number(protocol);
  if (number > 65_535) return MALFORMED;
  if (family === 1) {
    if (!isIPv4(address)) return MALFORMED;
    return { kind: 'address', family: 4, target: { address, port: number } };
  }
  if (family === 2) {
    // A zone index would name an interface of the client's machine.
    if (!isIPv6(address) || address.includes('%')) return MALFORMED;
    return { kind: 'address', family: 6, target: { address, port: number } };
  }
  return { kind: 'unknown-protocol' };
}

/** The bracketed text of a 227 reply; the address must be IPv4. */
export function encodePasv(address: string, port: number): string {
  return `(${address.split('.').join(',')},${port >> 8},${port & 255})`;
}

/** The bracketed text of a 229 reply. */
export function encodeEpsv(port: number): string {
  return `(|||${port}|)`;
}

/** RFC 1918 ranges, loopback and link-local addresses: not reachable from the outside. */
export function isPrivateIPv4(address: string): boolean {
  if (!isIPv4(address)) return false;
  const [a = 0, b = 0] = address.split('.').map(Number);
  return (
    a === 10 ||
    a === 127 ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254)
  );
}
