/**
 * The few cipher and MAC operations packets need, in place and keyed once. openssl-native.ts has them by direct calls,
 * this file by `node:crypto`; both reach the same OpenSSL.
 */
import * as crypto from 'node:crypto';
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { CipherGCMTypes } from 'node:crypto';

/** A cipher whose state runs on from call to call: CTR, CBC, RC4. */
export interface CipherPrimitive {
  /** Encrypts or decrypts in place. Block modes take whole blocks only. */
  apply(bytes: Buffer): void;
  close(): void;
}

/** AES-GCM over `4 bytes in clear ‖ text ‖ 16 bytes tag` (RFC 5647, section 7.2), in place. */
export interface GcmPrimitive {
  /** Encrypts and writes the tag. */
  seal(packet: Buffer, iv: Buffer): void;
  /** Decrypts; false where the tag is wrong (the bytes are then of no use). */
  open(packet: Buffer, iv: Buffer): boolean;
  close(): void;
}

/** ChaCha20 from the start for each call; `iv` is u32le block counter ‖ 12 bytes nonce (OpenSSL's layout). */
export interface NoncePrimitive {
  apply(bytes: Buffer, iv: Buffer): void;
  close(): void;
}

/** A MAC over `first ‖ second`; `out` has the function's full size. */
export interface MacPrimitive {
  compute(first: Buffer, second: Buffer, out: Buffer): void;
  close(): void;
}

export interface OneTimeMacPrimitive {
  compute(key: Buffer, bytes: Buffer, out: Buffer): void;
  close(): void;
}

export interface Primitives {
  /** `module`: direct calls; `node`: node:crypto. */
  readonly source: 'module' | 'node';
  /** @param name - OpenSSL's name of the cipher */
  cipher(name: string, key: Buffer, iv: Buffer, encrypt: boolean): CipherPrimitive;
  gcm(name: string, key: Buffer, encrypt: boolean): GcmPrimitive;
  chacha20(key: Buffer): NoncePrimitive;
  /** @param hash - OpenSSL's name of the digest */
  hmac(hash: string, key: Buffer): MacPrimitive;
  poly1305(): OneTimeMacPrimitive;
}

const TAG_BYTES = 16;
/** In Node since 26.4; its type declarations lack it still. */
const { createMac } = crypto as unknown as {
  createMac: (name: string, key: Buffer) => { update(bytes: Buffer): { final(): Buffer } };
};
const nothing = (): void => undefined;

/** The operations by `node:crypto`; the result of each call is copied back into its place. */
export const nodePrimitives: Primitives = {
  source: 'node',

  cipher(name, key, iv, encrypt) {
    const cipher = encrypt ? createCipheriv(name, key, iv) : createDecipheriv(name, key, iv);
    cipher.setAutoPadding(false);
    return { apply: (bytes) => bytes.set(cipher.update(bytes)), close: nothing };
  },

  gcm(name, key) {
    const ownKey = Buffer.from(key);
    const type = name as CipherGCMTypes;
    return {
      seal(packet, iv) {
        const end = packet.length - TAG_BYTES;
        const cipher = createCipheriv(type, ownKey, iv, { authTagLength: TAG_BYTES });
        cipher.setAAD(packet.subarray(0, 4));
        packet.set(cipher.update(packet.subarray(4, end)), 4);
        cipher.final();
        packet.set(cipher.getAuthTag(), end);
      },
      open(packet, iv) {
        const end = packet.length - TAG_BYTES;
        const cipher = createDecipheriv(type, ownKey, iv, { authTagLength: TAG_BYTES });
        cipher.setAuthTag(packet.subarray(end));
        cipher.setAAD(packet.subarray(0, 4));
        packet.set(cipher.update(packet.subarray(4, end)), 4);
        try {
          cipher.final();
          return true;
        } catch {
          // The one thing final() of a decipher reports is a wrong tag.
          return false;
        }
      },
      close: () => void ownKey.fill(0),
    };
  },

  chacha20(key) {
    const ownKey = Buffer.from(key);
    return {
      apply: (bytes, iv) => bytes.set(createCipheriv('chacha20', ownKey, iv).update(bytes)),
      close: () => void ownKey.fill(0),
    };
  },

  hmac(hash, key) {
    const ownKey = Buffer.from(key);
    return {
      compute: (first, second, out) =>
        out.set(createHmac(hash, ownKey).update(first).update(second).digest()),
      close: () => void ownKey.fill(0),
    };
  },

  poly1305: () => ({
    compute: (key, bytes, out) => out.set(createMac('poly1305', key).update(bytes).final()),
    close: nothing,
  }),
};
