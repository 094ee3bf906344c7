/** Tells main what a session does, for `lockgate who`: at most one message a second, the newest state wins. */
import type { MainServices, SessionStatus } from '../../src/actor/messages.ts';

const INTERVAL_MS = 1_000;

export class StatusReporter {
  #services: MainServices;
  #read: () => SessionStatus;
  #onFailure: (error: unknown) => void;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  /** `read` is called when a message is due, not before. */
  constructor(services: MainServices, read: () => SessionStatus, onFailure: (error: unknown) => void) {
    this.#services = services;
    this.#read = read;
    this.#onFailure = onFailure;
  }

  changed(): void {
    if (this.#timer !== null || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#services.reportStatus(this.#read()).catch(this.#onFailure);
    }, INTERVAL_MS);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
