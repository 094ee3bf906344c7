/** Large transfer buffers of this worker, reused across sessions: allocating one per file costs more than moving 4 KiB. */

/** Bytes kept for reuse per worker; what is beyond goes back to the system. */
const MAX_POOLED_BYTES = 32 * 1024 * 1024;

const freeBySize = new Map<number, Buffer[]>();
let pooledBytes = 0;

/** A buffer of exactly `size` bytes with old contents; give it back with `releaseBuffer` when no I/O uses it. */
export function acquireBuffer(size: number): Buffer {
  const pooled = freeBySize.get(size)?.pop();
  if (pooled === undefined) return Buffer.allocUnsafeSlow(size);
  pooledBytes -= size;
  return pooled;
}

/** Only for buffers no read or write is using any more. */
export function releaseBuffer(buffer: Buffer): void {
  if (pooledBytes + buffer.length > MAX_POOLED_BYTES) return;
  const free = freeBySize.get(buffer.length);
  if (free === undefined) freeBySize.set(buffer.length, [buffer]);
  else free.push(buffer);
  pooledBytes += buffer.length;
}
