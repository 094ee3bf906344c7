/** MaxLoginAttempts: failed logins per connection. */

/** Only connections that failed are held, and main tells when one ends; this is the limit if it ever did not. */
const MAX_TRACKED = 200_000;

export class LoginCounter {
  readonly #failed = new Map<number, number>();

  /** True when the connection has used up its attempts. `maximum` 0: unlimited. */
  exhausted(sessionId: number, maximum: number): boolean {
    return maximum > 0 && (this.#failed.get(sessionId) ?? 0) >= maximum;
  }

  /** Counts one more failure; true when it was the last one allowed. */
  fail(sessionId: number, maximum: number): boolean {
    const failed = (this.#failed.get(sessionId) ?? 0) + 1;
    if (this.#failed.size >= MAX_TRACKED && !this.#failed.has(sessionId)) {
      // Session ids grow, and a Map keeps the order of insertion: the first key is the oldest connection.
      for (const oldest of this.#failed.keys()) {
        this.#failed.delete(oldest);
        break;
      }
    }
    this.#failed.set(sessionId, failed);
    return maximum > 0 && failed >= maximum;
  }

  forget(sessionId: number): void {
    this.#failed.delete(sessionId);
  }
}
