/** The transfers of a session as a whole: whether any runs, whether they move (TimeoutStalled), and who waits for their end. */
import { watchForStall } from '../transfer/stall-watch.ts';

export interface TransferHooks {
  /** Bytes moved so far, in either direction. */
  moved(): number;
  /** One began or ended: TimeoutIdle and TimeoutNoTransfer restart. */
  changed(): void;
  /** Nothing moved for TimeoutStalled. */
  stalled(seconds: number): void;
}

export class TransferWatch {
  readonly #hooks: TransferHooks;
  #running = 0;
  #stopStallWatch: (() => void) | null = null;
  #whenNone: (() => void) | null = null;

  constructor(hooks: TransferHooks) {
    this.#hooks = hooks;
  }

  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** @param stalledSeconds - TimeoutStalled; 0: never */
  started(stalledSeconds: number): void {
    this.#running += 1;
    this.#hooks.changed();
    if (this.#running !== 1) return;
    this.#stopStallWatch = watchForStall(
      stalledSeconds,
      () => this.#hooks.moved(),
      () => this.#hooks.stalled(stalledSeconds),
    );
  }

  ended(): void {
    this.#running = Math.max(0, this.#running - 1);
    this.#hooks.changed();
    if (this.#running > 0) return;
    this.stop();
    this.#whenNone?.();
  }

  /** Calls `action` when the last one has ended. */
  afterwards(action: () => void): void {
    this.#whenNone = action;
  }

  stop(): void {
    this.#stopStallWatch?.();
    this.#stopStallWatch = null;
  }
}
