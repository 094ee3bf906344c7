/** Address words of `Allow from`, `Deny from` and `<Class> From` (core reference, section 4.1). */
import { isIPv4, isIPv6 } from 'node:net';
import { ConfigError } from './config-error.ts';
import { globMatches, hasGlob } from './glob-match.ts';
import type { AddressPattern } from './server-config.ts';

/** A peer as address rules see it. `address` is numeric; `hostName` the verified reverse name, or the address. */
export interface PeerAddress {
  readonly address: string;
  readonly hostName: string;
}

/** Parses one word: `all`, `none`, an IP, CIDR, prefix `10.`, name, `.domain` or glob; a leading `!` negates. */
export function parseAddressPattern(word: string): AddressPattern {
  const negate = word.startsWith('!');
  const body = (negate ? word.slice(1) : word).trim();
  const lower = body.toLowerCase();
  if (body === '') throw new ConfigError(`invalid address '${word}'`);
  if (lower === 'all' || lower === 'none') return { kind: lower, negate };
  const slash = body.indexOf('/');
  if (slash >= 0) return cidrPattern(word, negate, body.slice(0, slash), body.slice(slash + 1));
  const address = normaliseAddress(unbracket(body));
  if (address !== null) return { kind: 'cidr', negate, address, bits: isIPv4(address) ? 32 : 128 };
  if (/^(\d{1,3}\.){1,3}$/.test(body)) return { kind: 'prefix', negate, prefix: body };
  if (hasGlob(body)) return { kind: 'glob', negate, text: lower };
  if (/^[\d.]+$/.test(body) || !/^[\w.-]+$/.test(body)) throw new ConfigError(`invalid address '${word}'`);
  return { kind: body.startsWith('.') ? 'domain' : 'name', negate, text: lower };
}

/** Parses the parameters of `Allow`, `Deny` and `From`: words separated by blanks or commas, `from` optional. */
export function parseAddressPatterns(args: readonly string[]): readonly AddressPattern[] {
  const words = args.flatMap((arg) => arg.split(',')).map((word) => word.trim());
  const list = words.filter((word) => word !== '');
  if (list[0]?.toLowerCase() === 'from') list.shift();
  if (list.length === 0) throw new ConfigError('missing parameters');
  return list.map(parseAddressPattern);
}

/** True when the peer satisfies this one word, its negation included. */
export function addressMatches(pattern: AddressPattern, peer: PeerAddress): boolean {
  return patternHolds(pattern, peer) !== pattern.negate;
}

/**
 * A list as one condition: a peer named by a negated word is out; otherwise one positive word must match, and a
 * list of negated words alone takes everybody else.
 */
export function addressListMatches(patterns: readonly AddressPattern[], peer: PeerAddress): boolean {
  if (patterns.some((pattern) => pattern.negate && patternHolds(pattern, peer))) return false;
  const positive = patterns.filter((pattern) => !pattern.negate);
  if (positive.length === 0) return patterns.length > 0;
  return positive.some((pattern) => patternHolds(pattern, peer));
}

/** Canonical text of a numeric address, IPv4-mapped IPv6 as IPv4, zone dropped; null when it is not an address. */
export function normaliseAddress(text: string): string | null {
  const bare = text.split('%')[0] ?? '';
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return null;
  const value = ipv6Value(bare);
  if (value >> 32n === 0xffffn) return ipv4Text(value & 0xffffffffn);
  return new URL(`http://[${bare}]/`).hostname.slice(1, -1);
}

function patternHolds(pattern: AddressPattern, peer: PeerAddress): boolean {
  switch (pattern.kind) {
    case 'all':
      return true;
    case 'none':
      return false;
    case 'cidr':
      return inNetwork(peer.address, pattern.address, pattern.bits);
    case 'prefix':
      return (normaliseAddress(peer.address) ?? '').startsWith(pattern.prefix);
    case 'name':
      return peer.hostName.toLowerCase() === pattern.text;
    case 'domain':
      return peer.hostName.toLowerCase().endsWith(pattern.text);
    case 'glob':
      return (
        globMatches(pattern.text, peer.hostName.toLowerCase()) ||
        globMatches(pattern.text, normaliseAddress(peer.address) ?? '')
      );
  }
}

function cidrPattern(word: string, negate: boolean, base: string, mask: string): AddressPattern {
  const raw = unbracket(base);
  const address = normaliseAddress(raw);
  if (address === null) throw new ConfigError(`invalid address '${word}'`);
  // ::ffff:a.b.c.d/N counts the bits of the IPv6 form.
  const mappedBits = isIPv4(address) && !isIPv4(raw) ? 96 : 0;
  const width = isIPv4(address) ? 32 : 128;
  const bits = isIPv4(mask) ? maskBits(mask) : /^\d{1,3}$/.test(mask) ? Number(mask) - mappedBits : -1;
  if (bits < 0 || bits > width) throw new ConfigError(`invalid mask in '${word}'`);
  return { kind: 'cidr', negate, address, bits };
}

/** Leading ones of a dotted netmask, or -1 when its bits are not contiguous. */
function maskBits(mask: string): number {
  const binary = ipv4Value(mask).toString(2).padStart(32, '0');
  return /^1*0*$/.test(binary) ? binary.replace(/0/g, '').length : -1;
}

function inNetwork(peer: string, network: string, bits: number): boolean {
  const address = normaliseAddress(peer);
  if (address === null || isIPv4(address) !== isIPv4(network)) return false;
  const shift = BigInt((isIPv4(network) ? 32 : 128) - bits);
  return addressValue(address) >> shift === addressValue(network) >> shift;
}

function addressValue(address: string): bigint {
  return isIPv4(address) ? ipv4Value(address) : ipv6Value(address);
}

function ipv4Value(address: string): bigint {
  return address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function ipv4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
}

/** Value of an address isIPv6 accepted: at most one `::`, and perhaps a dotted tail (RFC 4291, section 2.2). */
function ipv6Value(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  let text = address;
  if (dotted !== null) {
    const tail = ipv4Value(dotted[2] ?? '')
      .toString(16)
      .padStart(8, '0');
    text = `${dotted[1]}${tail.slice(0, 4)}:${tail.slice(4)}`;
  }
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = new Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].reduce((value, part) => (value << 16n) | BigInt(`0x${part}`), 0n);
}

function unbracket(text: string): string {
  return text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
}
