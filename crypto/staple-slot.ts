/**
 * One stapled OCSP response in shared memory: main writes whenever it has a fresher one, every worker reads in the middle
 * of a handshake without asking anybody.
 *
 *   int32 sequence (odd while being written) | int32 length | float64 end (ms since the epoch) | response (DER)
 */

export type StapleSlot = SharedArrayBuffer;

const SEQUENCE = 0;
const LENGTH = 1;
const END_OFFSET = 8;
const HEADER_BYTES = 16;
/** A response with a responder's certificate has 2 to 4 KiB; a larger one would swell every handshake. */
export const MAX_STAPLE_BYTES = 16 * 1024;
/** The writer is done within microseconds; who meets it this often does without. */
const READ_ATTEMPTS = 4;

/** An empty slot. */
export function newStapleSlot(): StapleSlot {
  return new SharedArrayBuffer(HEADER_BYTES + MAX_STAPLE_BYTES);
}

/** Replaces the response; an empty one removes it. `end` null: it does not expire. Throws RangeError when it does not fit. */
export function writeStaple(slot: StapleSlot, response: Uint8Array, end: Date | null): void {
  if (response.length > MAX_STAPLE_BYTES) throw new RangeError('the OCSP response is too large to staple');
  const header = new Int32Array(slot, 0, 2);
  Atomics.add(header, SEQUENCE, 1);
  Atomics.store(header, LENGTH, response.length);
  new Float64Array(slot, END_OFFSET, 1)[0] = end?.getTime() ?? Number.POSITIVE_INFINITY;
  new Uint8Array(slot, HEADER_BYTES).set(response);
  Atomics.add(header, SEQUENCE, 1);
}

/** The response, or null where there is none or it has expired. */
export function readStaple(slot: StapleSlot, now: number = Date.now()): Buffer | null {
  const header = new Int32Array(slot, 0, 2);
  for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
    const before = Atomics.load(header, SEQUENCE);
    if (before % 2 !== 0) continue;
    const length = Atomics.load(header, LENGTH);
    const end = new Float64Array(slot, END_OFFSET, 1)[0] ?? 0;
    const response = Buffer.from(new Uint8Array(slot, HEADER_BYTES, length));
    // An addition of nothing: unlike a load it also keeps the copy above from being read after it.
    if (Atomics.add(header, SEQUENCE, 0) !== before) continue;
    return length === 0 || end < now ? null : response;
  }
  return null;
}
