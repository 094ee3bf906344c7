/** SFTPClientAlive: finds out whether a silent client is still there. */

export interface AliveHooks {
  /** Grows with everything the client sends. */
  received(): number;
  /** A key exchange runs: the client has other things to do. */
  isExchangingKeys(): boolean;
  probe(): void;
  /** `count` probes in a row went without any sign of life. */
  lost(): void;
}

/** Starts after login; returns the function that ends it. `interval` in seconds. */
export function watchClient(
  policy: { readonly count: number; readonly interval: number } | null,
  hooks: AliveHooks,
): () => void {
  if (policy === null || policy.count <= 0 || policy.interval <= 0) return () => undefined;
  let seen = hooks.received();
  let unanswered = 0;
  const timer = setInterval(() => {
    const now = hooks.received();
    if (now !== seen) {
      seen = now;
      unanswered = 0;
      return;
    }
    if (hooks.isExchangingKeys()) return;
    if (unanswered >= policy.count) {
      clearInterval(timer);
      hooks.lost();
      return;
    }
    unanswered += 1;
    hooks.probe();
  }, policy.interval * 1000);
  return () => clearInterval(timer);
}
