/** MaxCommandRate: how long the next command has to wait. Pure but for the clock it is given. */

export interface CommandRateLimit {
  readonly count: number;
  readonly seconds: number;
}

const STEP_MS = 100;
const LONGEST_DELAY_MS = 5_000;

/** The delay grows with every command above the rate and falls back once an interval stayed below it. */
export class CommandRate {
  #intervalStart = 0;
  #count = 0;
  #excess = 0;

  /** Milliseconds to wait before a command that came in at `nowMs` is served. */
  delay(limit: CommandRateLimit, nowMs: number): number {
    if (nowMs - this.#intervalStart >= limit.seconds * 1000) {
      if (this.#count <= limit.count) this.#excess = 0;
      this.#intervalStart = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count <= limit.count) return 0;
    this.#excess += 1;
    return Math.min(this.#excess * STEP_MS, LONGEST_DELAY_MS);
  }
}
