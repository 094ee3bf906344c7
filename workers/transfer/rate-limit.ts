/** TransferRate: holds a transfer to N kilobytes a second, after an optional number of free bytes. */
import type { TransferRateLimit } from '../../src/config/server-config.ts';

/** Pieces a second under a limit: small enough to flow, large enough not to busy the event loop. */
const PIECES_PER_SECOND = 8;
const SMALLEST_PIECE = 512;

export class RateLimiter {
  /** Largest chunk to move between two pauses, in bytes. */
  readonly chunkSize: number;
  readonly #bytesPerMillisecond: number;
  readonly #freeBytes: number;
  #limitedSince: number | null = null;
  #limitedBytes = 0;

  constructor(limit: TransferRateLimit, bufferSize: number) {
    const bytesPerSecond = limit.kilobytesPerSecond * 1024;
    this.#bytesPerMillisecond = bytesPerSecond / 1000;
    this.#freeBytes = limit.freeBytes;
    const piece = Math.max(SMALLEST_PIECE, Math.floor(bytesPerSecond / PIECES_PER_SECOND));
    this.chunkSize = Math.min(bufferSize, piece);
  }

  /** Milliseconds to wait now that `total` bytes went through; 0 for none. `now` from performance.now(). */
  delay(total: number, chunk: number, now: number): number {
    if (total <= this.#freeBytes) return 0;
    this.#limitedSince ??= now;
    this.#limitedBytes += Math.min(chunk, total - this.#freeBytes);
    const due = this.#limitedSince + this.#limitedBytes / this.#bytesPerMillisecond;
    return Math.max(0, Math.ceil(due - now));
  }
}

/** The limiter for one command, or null: no TransferRate names it. */
export function rateLimiterFor(
  limits: readonly TransferRateLimit[],
  command: string,
  bufferSize: number,
): RateLimiter | null {
  const limit = limits.find((candidate) => candidate.commands.includes(command));
  if (limit === undefined || limit.kilobytesPerSecond <= 0) return null;
  return new RateLimiter(limit, bufferSize);
}
