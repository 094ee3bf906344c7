/** TimeoutStalled: tells when no byte moved for N seconds, without touching a timer for each chunk. */

const CHECKS_PER_TIMEOUT = 4;

/**
 * Looks at `bytes()` four times per `seconds`; calls `onStall` once when it did not change for that long (never early,
 * at most a quarter late). 0 seconds: never. Returns the function that ends the watch.
 */
export function watchForStall(seconds: number, bytes: () => number, onStall: () => void): () => void {
  if (seconds <= 0) return () => undefined;
  let last = bytes();
  let quietChecks = 0;
  const timer = setInterval(
    () => {
      const now = bytes();
      quietChecks = now === last ? quietChecks + 1 : 0;
      last = now;
      if (quietChecks <= CHECKS_PER_TIMEOUT) return;
      clearInterval(timer);
      onStall();
    },
    Math.ceil((seconds * 1000) / CHECKS_PER_TIMEOUT),
  );
  return () => clearInterval(timer);
}
