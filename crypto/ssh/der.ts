/** The little DER that keys without a raw form need (X.690, definite lengths up to 65,535 bytes). */

/** One element: tag, length and the contents in a row. */
export function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size = body.length < 0x100 ? 1 : 2;
  const head = Buffer.alloc(2 + size);
  head.writeUInt8(tag, 0);
  head.writeUInt8(0x80 | size, 1);
  head.writeUIntBE(body.length, 2, size);
  return Buffer.concat([head, body]);
}

export function derSequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents);
}

/** A magnitude as INTEGER: without leading zeros, with one before a top bit. */
export function derInteger(magnitude: Buffer): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const digits = magnitude.length === 0 ? Buffer.from([0]) : magnitude.subarray(start);
  return der(0x02, digits[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits);
}

/** A BIT STRING of whole bytes. */
export function derBitString(contents: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), contents);
}

export function derOctetString(contents: Buffer): Buffer {
  return der(0x04, contents);
}
