/** The two base-64 alphabets of password hashes. Neither is RFC 4648. */

const CRYPT_ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * crypt(3)'s encoding of up to 24 bits: six bits a character, lowest first.
 * @param bits unsigned 24-bit value
 * @param count characters to write (1 to 4)
 */
export function encodeCrypt64(bits: number, count: number): string {
  let text = '';
  let rest = bits;
  for (let i = 0; i < count; i++) {
    text += CRYPT_ALPHABET.charAt(rest & 0x3f);
    rest >>>= 6;
  }
  return text;
}

/**
 * Encodes a digest in the byte order a scheme's table prescribes.
 * @param order byte indexes, three for every four characters, the highest byte first; a shorter last group is padded
 *   with zero bytes in front (-1) and written with as few characters as its bytes need
 */
export function encodeDigest(digest: Uint8Array, order: readonly number[]): string {
  let text = '';
  for (let i = 0; i < order.length; i += 3) {
    let bits = 0;
    let bytes = 0;
    for (let j = i; j < i + 3; j++) {
      const index = order[j] ?? -1;
      bits = (bits << 8) | (index < 0 ? 0 : (digest[index] ?? 0));
      if (index >= 0) bytes++;
    }
    text += encodeCrypt64(bits, bytes === 3 ? 4 : bytes + 1);
  }
  return text;
}

/** Base 64 without padding and with `.` for `+`, as Python's passlib writes PBKDF2 hashes. */
export function encodeAdaptedBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '').replaceAll('+', '.');
}

/** @returns null when the text is not such an encoding */
export function decodeAdaptedBase64(text: string): Buffer | null {
  if (!/^[A-Za-z0-9./]*$/.test(text) || text.length % 4 === 1) return null;
  const bytes = Buffer.from(text.replaceAll('.', '+'), 'base64');
  // Only the canonical text: two different hash lines must never stand for the same digest.
  return encodeAdaptedBase64(bytes) === text ? bytes : null;
}
