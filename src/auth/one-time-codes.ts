/** Checking one-time codes of accounts: each works once, and nobody may guess them by the thousand. */
import type { FoundAccount } from './accounts.ts';
import { matchTotp, spendTotp } from './totp.ts';

/** `unavailable`: the code was right but could not be marked as used. Only `right` lets anybody in. */
export type CodeOutcome = 'right' | 'wrong' | 'replayed' | 'throttled' | 'unavailable';

/** RFC 4226, section 7.3: of a million codes three are right at any time. */
const MAX_FAILURES = 10;
const FAILURE_WINDOW_MS = 10 * 60_000;
const MAX_TRACKED = 10_000;

export class OneTimeCodes {
  /** Failures per account since the first one of its window. */
  readonly #failures = new Map<string, { count: number; readonly since: number }>();

  /** True where the account is to give one-time codes beside its password. */
  isRequired(found: FoundAccount): boolean {
    const { credentials } = found.source;
    return credentials !== null && credentials.totp(found.account.name) !== null;
  }

  /**
   * @param found null, or an account without codes: computes the same and is wrong
   * @param now milliseconds since the epoch
   */
  check(found: FoundAccount | null, code: string, now: number): CodeOutcome {
    const totp = found?.source.credentials?.totp(found.account.name) ?? null;
    if (found === null || totp === null) {
      spendTotp(now);
      return 'wrong';
    }
    const { name } = found.account;
    if (this.#isThrottled(name, now)) return 'throttled';
    const step = matchTotp(totp.secret, code, now, totp.lastStep);
    if (step === null) {
      this.#fail(name, now);
      return 'wrong';
    }
    const noted = found.source.credentials?.useTotpStep(name, step) ?? 'unavailable';
    if (noted !== 'used') return noted;
    this.#failures.delete(name);
    return 'right';
  }

  #isThrottled(name: string, now: number): boolean {
    const entry = this.#failures.get(name);
    if (entry === undefined) return false;
    if (now - entry.since < FAILURE_WINDOW_MS) return entry.count >= MAX_FAILURES;
    this.#failures.delete(name);
    return false;
  }

  #fail(name: string, now: number): void {
    const entry = this.#failures.get(name);
    if (entry !== undefined) {
      entry.count += 1;
      return;
    }
    // Oldest first: a Map keeps the order of insertion.
    if (this.#failures.size >= MAX_TRACKED) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    this.#failures.set(name, { count: 1, since: now });
  }
}
