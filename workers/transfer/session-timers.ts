/** The four clocks of a session: TimeoutLogin, TimeoutIdle, TimeoutNoTransfer, TimeoutSession. Seconds, 0 = off. */
export type TimeoutKind = 'login' | 'idle' | 'no-transfer' | 'session';

export interface TimerHooks {
  /** Idle and NoTransfer do not run out while a transfer does. */
  isTransferring(): boolean;
  expired(kind: TimeoutKind, seconds: number): void;
}

/** setTimeout takes no more than 31 bits of milliseconds. */
const LONGEST_TIMER_SECONDS = 2_147_483;

/** The directive's name, for %E and the log. */
export const timeoutDirectives: Readonly<Record<TimeoutKind, string>> = {
  login: 'TimeoutLogin',
  idle: 'TimeoutIdle',
  'no-transfer': 'TimeoutNoTransfer',
  session: 'TimeoutSession',
};

export class SessionTimers {
  #hooks: TimerHooks;
  #timers = new Map<TimeoutKind, NodeJS.Timeout>();
  /** Both run for the whole session and are pushed back by each command, so they are found without a lookup. */
  #idle: NodeJS.Timeout | null = null;
  #noTransfer: NodeJS.Timeout | null = null;

  constructor(hooks: TimerHooks) {
    this.#hooks = hooks;
  }

  /** Before login: the login clock and the idle clock. */
  connected(loginSeconds: number, idleSeconds: number): void {
    this.#start('login', loginSeconds);
    this.#idle = this.#start('idle', idleSeconds);
  }

  loggedIn(idleSeconds: number, noTransferSeconds: number, sessionSeconds: number): void {
    this.#stop('login');
    this.#idle = this.#start('idle', idleSeconds);
    this.#noTransfer = this.#start('no-transfer', noTransferSeconds);
    this.#start('session', sessionSeconds);
  }

  commandReceived(): void {
    this.#idle?.refresh();
  }

  /** A transfer began or ended. */
  transferred(): void {
    this.#idle?.refresh();
    this.#noTransfer?.refresh();
  }

  stop(): void {
    for (const kind of [...this.#timers.keys()]) this.#stop(kind);
    this.#idle = null;
    this.#noTransfer = null;
  }

  #start(kind: TimeoutKind, seconds: number): NodeJS.Timeout | null {
    this.#stop(kind);
    if (seconds <= 0) return null;
    const waitsForTransfers = kind === 'idle' || kind === 'no-transfer';
    const timer = setTimeout(
      () => {
        if (waitsForTransfers && this.#hooks.isTransferring()) timer.refresh();
        else this.#hooks.expired(kind, seconds);
      },
      Math.min(seconds, LONGEST_TIMER_SECONDS) * 1000,
    );
    this.#timers.set(kind, timer);
    return timer;
  }

  #stop(kind: TimeoutKind): void {
    clearTimeout(this.#timers.get(kind));
    this.#timers.delete(kind);
  }
}
