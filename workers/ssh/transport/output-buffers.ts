/** HOT PATH: memory in which packets are sealed one behind the other until the socket has taken them; shared by a worker's sessions. */

/** Eight packets of 32 KiB, sealed. */
export const OUTPUT_BUFFER_BYTES = 264 * 1024;
const MAX_SPARE = 16;

const spare: Buffer[] = [];

export function takeOutputBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES);
}

/** Nobody may look at the buffer any more. */
export function giveOutputBuffer(buffer: Buffer): void {
  if (spare.length < MAX_SPARE && buffer.length === OUTPUT_BUFFER_BYTES) spare.push(buffer);
}
