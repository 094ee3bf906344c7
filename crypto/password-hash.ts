/**
 * Password hashes: which scheme a text is, what it costs, and whether a password fits it. Nothing here throws on a
 * hostile hash; a hash that is not understood matches nothing. Slow by design: called in the password worker and by
 * the command line, never on a session's thread.
 *
 * Under FIPS every computation is the module's. PBKDF2 is its own (SP 800-132). sha-crypt ($5$, $6$) is an unapproved
 * construction, computed here out of the module's SHA-2, and not in libcrypt, which lies outside the module: checking
 * a stored password protects no data, and refusing it would lock out every account of the system. All other schemes
 * rest on algorithms the module does not have, and are refused.
 */
import { pbkdf2, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { decodeAdaptedBase64, encodeAdaptedBase64 } from './crypt-base64.ts';
import { loadNativeCrypt } from './crypt-native.ts';
import { md5Crypt } from './md5-crypt.ts';
import { activeProfile, type CryptoProfile, type PasswordScheme } from './profile.ts';
import { shaCrypt } from './sha-crypt.ts';

/** What a hash field of a password file holds. */
export type HashKind =
  /** Nothing: such an account never logs in with a password. */
  | { readonly kind: 'empty' }
  /** `!`, `*`, `x` and everything behind a `!`: no password fits. */
  | { readonly kind: 'locked' }
  /** A scheme we do not check, or one with a cost beyond `maxCost`. */
  | { readonly kind: 'unsupported'; readonly reason: 'unknown-scheme' | 'malformed' | 'too-costly' }
  /** Understood, and not to be checked under the profile in force. */
  | { readonly kind: 'forbidden'; readonly scheme: PasswordScheme }
  /** crypt(3); `cost` names scheme and rounds, so that hashes of one cost take the same time. */
  | { readonly kind: 'crypt'; readonly scheme: PasswordScheme; readonly cost: string }
  | {
      readonly kind: 'pbkdf2';
      readonly scheme: 'pbkdf2';
      readonly cost: string;
      readonly digest: 'sha256' | 'sha512';
      readonly rounds: number;
      readonly salt: Buffer;
      readonly key: Buffer;
    };

/** Rounds of new PBKDF2-HMAC-SHA-256 hashes (OWASP Password Storage Cheat Sheet; SP 800-132 asks for 1,000 at least). */
export const PBKDF2_ROUNDS = 600_000;
const PBKDF2_SALT_BYTES = 16;
const PBKDF2_KEY_BYTES = 32;

/** One check must stay within seconds, whatever somebody wrote into the password file. */
const MAX_PBKDF2_ROUNDS = 10_000_000;
const MAX_SHA_CRYPT_ROUNDS = 10_000_000;
const MAX_BCRYPT_COST = 15;
const MAX_HASH_LENGTH = 512;

/** What a FIPS module demands of PBKDF2 (SP 800-132, sections 5.1 and 5.2). */
const FIPS_MIN_ROUNDS = 1000;
const FIPS_MIN_SALT_BYTES = 16;

const MD5 = /^\$1\$[^$:\n]{0,8}\$[./A-Za-z0-9]{22}$/;
const SHA256 = /^\$5\$(?:rounds=([0-9]{1,9})\$)?[^$:\n]{0,16}\$[./A-Za-z0-9]{43}$/;
const SHA512 = /^\$6\$(?:rounds=([0-9]{1,9})\$)?[^$:\n]{0,16}\$[./A-Za-z0-9]{86}$/;
const BCRYPT = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/;
/** Second parameter character: log2 of the block count; `D` stands for 256 MiB with the usual block size. */
const YESCRYPT = /^(\$g?y\$j[./0-9A-D][./0-9A-T])\$[./A-Za-z0-9]{0,86}\$[./A-Za-z0-9]{43}$/;
const DES = /^[./A-Za-z0-9]{13}$/;
const PBKDF2 = /^\$pbkdf2-(sha256|sha512)\$([1-9][0-9]{0,8})\$([./A-Za-z0-9]+)\$([./A-Za-z0-9]+)$/;

/** Tells what a hash field holds and whether the profile lets it be checked, without computing anything. Never throws. */
export function classifyHash(hash: string, profile: CryptoProfile = activeProfile()): HashKind {
  const kind = recognizeHash(hash);
  if (kind.kind !== 'crypt' && kind.kind !== 'pbkdf2') return kind;
  const { scheme } = kind;
  const isWeak =
    kind.kind === 'pbkdf2' &&
    profile.fips &&
    (kind.rounds < FIPS_MIN_ROUNDS || kind.salt.length < FIPS_MIN_SALT_BYTES);
  return isWeak || !profile.passwordHashes.includes(scheme) ? { kind: 'forbidden', scheme } : kind;
}

function recognizeHash(hash: string): HashKind {
  if (hash === '') return { kind: 'empty' };
  if (/^[!*]/.test(hash) || hash === 'x') return { kind: 'locked' };
  if (hash.length > MAX_HASH_LENGTH) return { kind: 'unsupported', reason: 'malformed' };
  if (hash.startsWith('$pbkdf2-')) return classifyPbkdf2(hash);
  if (MD5.test(hash)) return { kind: 'crypt', scheme: 'md5-crypt', cost: '$1$' };
  const sha = SHA256.exec(hash) ?? SHA512.exec(hash);
  if (sha !== null) {
    const rounds = Number(sha[1] ?? 5000);
    if (rounds > MAX_SHA_CRYPT_ROUNDS) return { kind: 'unsupported', reason: 'too-costly' };
    const scheme = hash.startsWith('$5$') ? 'sha256-crypt' : 'sha512-crypt';
    return { kind: 'crypt', scheme, cost: `${hash.slice(0, 3)}${Math.max(rounds, 1000)}` };
  }
  const bcrypt = BCRYPT.exec(hash);
  if (bcrypt !== null) {
    if (Number(bcrypt[1]) > MAX_BCRYPT_COST) return { kind: 'unsupported', reason: 'too-costly' };
    return { kind: 'crypt', scheme: 'bcrypt', cost: `$2$${bcrypt[1]}` };
  }
  const yescrypt = YESCRYPT.exec(hash);
  if (yescrypt !== null) return { kind: 'crypt', scheme: 'yescrypt', cost: yescrypt[1] ?? '' };
  if (DES.test(hash)) return { kind: 'crypt', scheme: 'des', cost: 'des' };
  const known = /^\$(?:1|5|6|2[aby]|g?y)\$/.test(hash);
  return { kind: 'unsupported', reason: known ? 'malformed' : 'unknown-scheme' };
}

function classifyPbkdf2(hash: string): HashKind {
  const match = PBKDF2.exec(hash);
  const salt = decodeAdaptedBase64(match?.[3] ?? '');
  const key = decodeAdaptedBase64(match?.[4] ?? '');
  if (match === null || salt === null || key === null) return { kind: 'unsupported', reason: 'malformed' };
  const digest = match[1] === 'sha512' ? 'sha512' : 'sha256';
  // A truncated key would be easier to meet by chance; less than the digest's own length is somebody's mistake.
  if (key.length !== (digest === 'sha512' ? 64 : 32)) return { kind: 'unsupported', reason: 'malformed' };
  const rounds = Number(match[2]);
  if (rounds > MAX_PBKDF2_ROUNDS) return { kind: 'unsupported', reason: 'too-costly' };
  return { kind: 'pbkdf2', scheme: 'pbkdf2', cost: `pbkdf2-${digest}:${rounds}`, digest, rounds, salt, key };
}

/** crypt(3) without libcrypt, for the schemes the TypeScript code knows; null for the others. */
export function portableCrypt(password: string, setting: string): string | null {
  try {
    return shaCrypt(password, setting) ?? md5Crypt(password, setting);
  } catch {
    // A FIPS provider refuses MD5: then $1$ is one more scheme this server cannot check.
    return null;
  }
}

/**
 * Checks a password. Blocks the calling thread for as long as the hash costs.
 * @returns `unsupported` where the scheme is unknown, malformed, forbidden by the profile, or needs a libcrypt that is
 * not here
 */
export function verifyPasswordSync(password: string, hash: string): 'match' | 'mismatch' | 'unsupported' {
  // crypt(3) stops at a NUL and HMAC pads its key with them: `secret` and `secret\0` would be one password.
  if (password.includes('\0')) return 'mismatch';
  const kind = classifyHash(hash);
  switch (kind.kind) {
    case 'empty':
    case 'locked':
      return 'mismatch';
    case 'unsupported':
    case 'forbidden':
      return 'unsupported';
    case 'pbkdf2': {
      const key = pbkdf2Sync(password, kind.salt, kind.rounds, kind.key.length, kind.digest);
      return timingSafeEqual(key, kind.key) ? 'match' : 'mismatch';
    }
    case 'crypt': {
      const native = activeProfile().fips ? null : loadNativeCrypt();
      const computed = native?.(password, hash) ?? portableCrypt(password, hash);
      if (computed === null) return 'unsupported';
      return equalInConstantTime(computed, hash) ? 'match' : 'mismatch';
    }
  }
}

function equalInConstantTime(left: string, right: string): boolean {
  const a = Buffer.from(left, 'utf8');
  const b = Buffer.from(right, 'utf8');
  return a.length === b.length && timingSafeEqual(a, b);
}

const derive = promisify(pbkdf2);

/**
 * Hashes a new password as `$pbkdf2-sha256$ROUNDS$SALT$HASH` (passlib's form), with a random salt.
 * @param rounds iterations; tests lower it
 */
export async function hashPassword(password: string, rounds: number = PBKDF2_ROUNDS): Promise<string> {
  const salt = randomBytes(PBKDF2_SALT_BYTES);
  const key = await derive(password, salt, rounds, PBKDF2_KEY_BYTES, 'sha256');
  return `$pbkdf2-sha256$${rounds}$${encodeAdaptedBase64(salt)}$${encodeAdaptedBase64(key)}`;
}
