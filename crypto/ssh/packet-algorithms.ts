/** Sizes of the packet ciphers and MACs of SSH, and the names OpenSSL has for what they are made of. */
import { getCipherInfo } from 'node:crypto';
import { nodePrimitives } from './primitives.ts';

export interface CipherSpec {
  readonly name: string;
  readonly keyBytes: number;
  readonly ivBytes: number;
  /** Multiple the padding fills up to, at least 8 (RFC 4253, section 6). */
  readonly blockBytes: number;
  readonly kind: 'aead' | 'stream' | 'cbc' | 'none';
}

export interface MacSpec {
  readonly name: string;
  readonly keyBytes: number;
  readonly tagBytes: number;
  /** Encrypt-then-MAC: the length travels in clear, the MAC covers the ciphertext. */
  readonly etm: boolean;
}

interface CipherRow extends CipherSpec {
  /** Null for `none`. */
  readonly openssl: string | null;
  /** Keystream bytes thrown away first (RFC 4345, section 4). */
  readonly discard: number;
}

interface MacRow extends MacSpec {
  readonly hash: string;
  /** Full output of the hash; `tagBytes` of it are sent. */
  readonly hashBytes: number;
}

function cipher(
  name: string,
  kind: CipherSpec['kind'],
  keyBytes: number,
  ivBytes: number,
  blockBytes: number,
  openssl: string | null,
  discard = 0,
): [string, CipherRow] {
  return [name, { name, kind, keyBytes, ivBytes, blockBytes, openssl, discard }];
}

// RFC 4253, section 6.3; RFC 4344, section 4; RFC 4345; RFC 5647; PROTOCOL.chacha20poly1305.
const CIPHERS = new Map<string, CipherRow>([
  cipher('aes256-gcm@openssh.com', 'aead', 32, 12, 16, 'aes-256-gcm'),
  cipher('aes128-gcm@openssh.com', 'aead', 16, 12, 16, 'aes-128-gcm'),
  cipher('chacha20-poly1305@openssh.com', 'aead', 64, 0, 8, 'chacha20'),
  cipher('aes256-ctr', 'stream', 32, 16, 16, 'aes-256-ctr'),
  cipher('aes192-ctr', 'stream', 24, 16, 16, 'aes-192-ctr'),
  cipher('aes128-ctr', 'stream', 16, 16, 16, 'aes-128-ctr'),
  cipher('aes256-cbc', 'cbc', 32, 16, 16, 'aes-256-cbc'),
  cipher('aes192-cbc', 'cbc', 24, 16, 16, 'aes-192-cbc'),
  cipher('aes128-cbc', 'cbc', 16, 16, 16, 'aes-128-cbc'),
  cipher('3des-cbc', 'cbc', 24, 8, 8, 'des-ede3-cbc'),
  cipher('blowfish-cbc', 'cbc', 16, 8, 8, 'bf-cbc'),
  cipher('cast128-cbc', 'cbc', 16, 8, 8, 'cast5-cbc'),
  cipher('arcfour256', 'stream', 32, 0, 8, 'rc4', 1536),
  cipher('arcfour128', 'stream', 16, 0, 8, 'rc4', 1536),
  cipher('none', 'none', 0, 0, 8, null),
]);

const HASHES: readonly (readonly [name: string, openssl: string, bytes: number, tags: readonly number[]])[] =
  [
    ['hmac-sha2-256', 'sha256', 32, [32]],
    ['hmac-sha2-512', 'sha512', 64, [64]],
    ['hmac-sha1', 'sha1', 20, [20, 12]],
    ['hmac-md5', 'md5', 16, [16, 12]],
    ['hmac-ripemd160', 'ripemd160', 20, [20]],
  ];

const MACS = new Map<string, MacRow>();
for (const [base, hash, hashBytes, tags] of HASHES) {
  for (const tagBytes of tags) {
    // RFC 4253, section 6.4: `-96` uses the full key and cuts the output to 12 bytes.
    const plain = tagBytes === hashBytes ? base : `${base}-96`;
    const row = { keyBytes: hashBytes, tagBytes, hash, hashBytes };
    MACS.set(plain, { ...row, name: plain, etm: false });
    MACS.set(`${plain}-etm@openssh.com`, { ...row, name: `${plain}-etm@openssh.com`, etm: true });
  }
}
MACS.set('hmac-ripemd160@openssh.com', {
  ...MACS.get('hmac-ripemd160')!,
  name: 'hmac-ripemd160@openssh.com',
});

/** Sizes of a packet cipher; null for a name this server does not know. `none` is one. */
export function cipherSpec(name: string): CipherSpec | null {
  return CIPHERS.get(name) ?? null;
}

/** Sizes of a packet MAC; null for a name this server does not know. `none` is the caller's null. */
export function macSpec(name: string): MacSpec | null {
  return MACS.get(name) ?? null;
}

/** OpenSSL's name and details of a spec; for packet-protection.ts. */
export function cipherRow(spec: CipherSpec): CipherRow {
  const row = CIPHERS.get(spec.name);
  if (row === undefined) throw new RangeError(`no SSH cipher '${spec.name}'`);
  return row;
}

/** OpenSSL's name and details of a spec; for packet-protection.ts. */
export function macRow(spec: MacSpec): MacRow {
  const row = MACS.get(spec.name);
  if (row === undefined) throw new RangeError(`no SSH MAC '${spec.name}'`);
  return row;
}

const availability = new Map<string, boolean>();

function attempt(name: string, use: () => void): boolean {
  let available = availability.get(name);
  if (available === undefined) {
    try {
      use();
      available = true;
    } catch {
      // The provider has it not, or the FIPS module refuses it; either way it cannot be used.
      available = false;
    }
    availability.set(name, available);
  }
  return available;
}

/**
 * Whether this process can use the cipher, found out by encrypting a block: OpenSSL lists more than its loaded
 * providers can do (the legacy ones, or all that FIPS refuses).
 */
export function cipherAvailable(name: string): boolean {
  const row = CIPHERS.get(name);
  if (row === undefined) return false;
  const { openssl } = row;
  if (openssl === null) return true;
  return attempt(name, () => {
    const block = Buffer.alloc(48);
    if (openssl === 'chacha20') {
      nodePrimitives.chacha20(Buffer.alloc(32)).apply(block, Buffer.alloc(16));
      nodePrimitives.poly1305().compute(Buffer.alloc(32, 1), block, Buffer.alloc(16));
    } else if (row.kind === 'aead') {
      nodePrimitives.gcm(openssl, Buffer.alloc(row.keyBytes, 1), true).seal(block, Buffer.alloc(12));
    } else {
      if (getCipherInfo(openssl, { keyLength: row.keyBytes }) === undefined) throw new RangeError(openssl);
      nodePrimitives.cipher(openssl, distinctKey(row.keyBytes), Buffer.alloc(row.ivBytes), true).apply(block);
    }
  });
}

/** Whether this process can use the MAC, found out by computing one. `none` can always be used. */
export function macAvailable(name: string): boolean {
  if (name === 'none') return true;
  const row = MACS.get(name);
  if (row === undefined) return false;
  return attempt(name, () => {
    const key = distinctKey(row.keyBytes);
    nodePrimitives
      .hmac(row.hash, key)
      .compute(Buffer.alloc(4), Buffer.alloc(16), Buffer.alloc(row.hashBytes));
  });
}

/** 3DES of a FIPS module refuses a key whose three parts are equal. */
function distinctKey(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 37 + 11) & 0xff));
}

/** Every cipher this server knows, available or not. */
export const CIPHER_NAMES: readonly string[] = [...CIPHERS.keys()];
/** Every MAC this server knows, available or not. */
export const MAC_NAMES: readonly string[] = [...MACS.keys()];

/** Names the manual has and OpenSSL cannot do; the reason is for the operator. */
export const UNSUPPORTED_PACKET_ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['3des-ctr', 'OpenSSL 3 has no counter mode for 3DES'],
  ['blowfish-ctr', 'OpenSSL 3 has no counter mode for Blowfish'],
  ...['umac-64', 'umac-128'].flatMap((name): [string, string][] => [
    [`${name}@openssh.com`, 'OpenSSL has no UMAC'],
    [`${name}-etm@openssh.com`, 'OpenSSL has no UMAC'],
  ]),
]);
