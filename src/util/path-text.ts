/**
 * File names are bytes; inside the server they are text. Each byte that is not part of valid UTF-8 is a lone surrogate
 * U+DC80-U+DCFF (PEP 383, "surrogateescape"), so every name has exactly one text and every text leads back to its bytes.
 */
import { isUtf8 } from 'node:buffer';

/** Added to a byte (0x80-0xFF) that stands for itself. */
const ESCAPE_BASE = 0xdc00;
// With `u` the halves of a proper pair are no match.
const ESCAPED_BYTES = /[\udc80-\udcff]+/gu;

/** The text of a name's bytes. Never throws. */
export function decodePathBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  let start = 0;
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (at > start) text += bytes.toString('utf8', start, at);
    text += String.fromCharCode(ESCAPE_BASE + bytes[at]!);
    at += 1;
    start = at;
  }
  return text + bytes.toString('utf8', start);
}

/** The same for bytes that came one to a character, as `latin1` gives them: ASCII, the common case, costs one test. */
export function decodePathLatin1(characters: string): string {
  return /[\x80-\xff]/.test(characters) ? decodePathBytes(Buffer.from(characters, 'latin1')) : characters;
}

/** What `fs` and writers of bytes take for a name: the text itself, or its bytes where it holds escaped ones. */
export function encodePathText(text: string): string | Buffer {
  return text.isWellFormed() ? text : escapedBytes(text);
}

/** The bytes of a text that may hold names. */
export function pathTextBytes(text: string): Buffer {
  return text.isWellFormed() ? Buffer.from(text, 'utf8') : escapedBytes(text);
}

/** A name as an argument of a C function: the bytes end with NUL. */
export function nativePathText(text: string): string | Buffer {
  return text.isWellFormed() ? text : escapedBytes(`${text}\0`);
}

/**
 * The one text of a name put together from pieces: a lead byte and its continuation, escaped each for itself in two
 * pieces, would be a second spelling of a name, and filters and `<Limit>` would not know it.
 */
export function canonicalPathText(text: string): string {
  return text.isWellFormed() ? text : decodePathBytes(escapedBytes(text));
}

/** One buffer for all: a listing full of such names must not cost an object for each byte. */
function escapedBytes(text: string): Buffer {
  // Counts three bytes for an escaped one: never too few.
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text));
  let length = 0;
  let start = 0;
  for (const { 0: run, index } of text.matchAll(ESCAPED_BYTES)) {
    if (index > start) length += bytes.write(text.slice(start, index), length, 'utf8');
    for (let at = 0; at < run.length; at += 1) {
      bytes[length] = run.charCodeAt(at) - ESCAPE_BASE;
      length += 1;
    }
    start = index + run.length;
  }
  length += bytes.write(text.slice(start), length, 'utf8');
  return bytes.subarray(0, length);
}

/** Bytes of the UTF-8 character at `at` (RFC 3629, section 4); 0 where there is none. */
function characterLength(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  // Surrogates, overlong forms and numbers beyond U+10FFFF are invalid to `isUtf8` as well.
  return length > 0 && at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}
