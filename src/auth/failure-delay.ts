/**
 * How long a refused request takes at least, so that time tells no account from one that does not exist: some
 * milliseconds that are the same for a name each time, doubled until the work fits in (ssh-transport reference,
 * section 12).
 */
import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

const BASE_MS = 5;
const JITTER_MS = 4;
const MAX_MS = 5_000;

export class FailureDelay {
  readonly #key = randomBytes(32);

  /** @param startedAt `performance.now()` when the request came in */
  async settle(startedAt: number, loginName: string): Promise<void> {
    const elapsed = performance.now() - startedAt;
    let target = BASE_MS + this.#jitter(loginName);
    while (target < elapsed && target < MAX_MS) target *= 2;
    if (target > elapsed) await delay(target - elapsed);
  }

  /** 0 to JITTER_MS; without the key nobody can tell what it is for a name. */
  #jitter(loginName: string): number {
    const digest = createHmac('sha256', this.#key).update(loginName).digest();
    return (digest.readUInt32BE(0) / 0x1_0000_0000) * JITTER_MS;
  }
}
