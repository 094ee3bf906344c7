/** Time-based one-time codes (RFC 6238 with the HMAC-SHA-1 and six digits every authenticator app knows). */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Secret } from '../log/secret.ts';

/** RFC 4226, section 4, asks for 128 bits and recommends 160. */
const SECRET_BYTES = 20;
const STEP_SECONDS = 30;
const DIGITS = 6;
/** Steps before and after the current one: RFC 6238, section 5.2, allows for one step of delay; clocks differ both ways. */
const WINDOW_STEPS = 1;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** A new secret, in base32 as authenticator apps take it. */
export function createTotpSecret(): Secret {
  return new Secret(encodeBase32(randomBytes(SECRET_BYTES)));
}

/** The URI that authenticator apps take as text or QR code (Key URI format). It holds the secret. */
export function totpUri(secret: Secret, user: string, issuer: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(user)}`;
  const query = `secret=${secret.reveal()}&issuer=${encodeURIComponent(issuer)}`;
  return `otpauth://totp/${label}?${query}&algorithm=SHA1&digits=${DIGITS}&period=${STEP_SECONDS}`;
}

/** The step a moment lies in. @param now milliseconds since the epoch */
export function totpStep(now: number): number {
  return Math.floor(now / 1000 / STEP_SECONDS);
}

/** The code of one step (RFC 4226, section 5.3). */
export function totpCode(secret: Secret, step: number, digits = DIGITS): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', decodeBase32(secret.reveal())).update(counter).digest();
  const offset = digest[digest.length - 1]! & 0x0f;
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/**
 * The step whose code was given, or null. Steps up to `lastStep` are used up: a code seen on the way must not work a
 * second time (RFC 6238, section 5.2). All steps of the window are computed whatever the answer is.
 * @param now milliseconds since the epoch
 */
export function matchTotp(secret: Secret, code: string, now: number, lastStep: number): number | null {
  const given = Buffer.from(code.replaceAll(/[\s-]/g, ''), 'utf8');
  const current = totpStep(now);
  let matched: number | null = null;
  for (let step = current - WINDOW_STEPS; step <= current + WINDOW_STEPS; step += 1) {
    const expected = Buffer.from(totpCode(secret, Math.max(step, 0)), 'utf8');
    const isEqual = given.length === expected.length && timingSafeEqual(given, expected);
    if (isEqual && step > lastStep) matched ??= step;
  }
  return matched;
}

/** Computes what `matchTotp` computes, for accounts that have no secret. */
export function spendTotp(now: number): void {
  matchTotp(DECOY, '', now, 0);
}

const DECOY = new Secret(encodeBase32(Buffer.alloc(SECRET_BYTES, 0x5a)));

/** RFC 4648, section 6, without padding. */
export function encodeBase32(bytes: Buffer): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31] ?? '';
    }
  }
  return bits === 0 ? text : text + (ALPHABET[(value << (5 - bits)) & 31] ?? '');
}

/** Throws on anything but base32; the message holds nothing of the text. */
export function decodeBase32(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of text.replace(/=+$/, '')) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) throw new Error('a one-time code secret is not base32');
    value = ((value << 5) | digit) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}
