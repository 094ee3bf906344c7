/**
 * Keeps the stapled OCSP responses of all server certificates fresh (TLSStapling): asked ahead of time by main, never in a
 * handshake; workers read them from shared memory (crypto/staple-slot.ts).
 */
import type { OcspAnswer } from '../../crypto/ocsp-client.ts';
import { queryOcsp } from '../../crypto/ocsp-client.ts';
import { readOcspResponse, TRY_LATER_RESPONSE } from '../../crypto/ocsp-response.ts';
import {
  MAX_STAPLE_BYTES,
  newStapleSlot,
  readStaple,
  writeStaple,
  type StapleSlot,
} from '../../crypto/staple-slot.ts';
import { staplingTargets, type StaplingTarget } from '../../crypto/stapling.ts';
import type { ServerConfig } from '../config/server-config.ts';
import type { LogLevel } from '../log/session-log.ts';
import { StapleFiles } from './staple-files.ts';

export interface StapleKeeperOptions {
  readonly log: (level: LogLevel, text: string) => void;
  /** Milliseconds a start or reload waits for the first responses; handshakes before them get none. */
  readonly firstWaitMs?: number;
}

const FIRST_WAIT_MS = 2_000;
const MINUTE_MS = 60_000;
/** Bounds of the pause between two questions about one certificate. */
const MIN_REFRESH_MS = 5 * MINUTE_MS;
const MAX_REFRESH_MS = 12 * 60 * MINUTE_MS;
/** For responders that do not say how long a response is good. */
const DEFAULT_REFRESH_MS = 60 * MINUTE_MS;
const FIRST_RETRY_MS = MINUTE_MS;
const MAX_RETRY_MS = 60 * MINUTE_MS;
const NO_RESPONSE = new Uint8Array(0);

interface Kept {
  readonly target: StaplingTarget;
  readonly slot: StapleSlot;
  readonly files: StapleFiles | null;
  timer: NodeJS.Timeout | null;
  failures: number;
}

export class StapleKeeper {
  readonly #options: StapleKeeperOptions;
  readonly #kept = new Map<string, Kept>();
  #closed = false;

  constructor(options: StapleKeeperOptions) {
    this.#options = options;
  }

  /**
   * Slots for the certificates of a configuration; those already kept go on as they are. Waits a moment for the first
   * responses. Call `retain` once the configuration is in use.
   */
  async slotsFor(config: ServerConfig): Promise<ReadonlyMap<string, StapleSlot>> {
    const targets = await staplingTargets(config);
    const cache = config.virtualHosts[0]?.settings.tlsStaplingCache;
    const files = cache?.kind === 'directory' ? new StapleFiles(cache.path) : null;
    const fresh: Promise<void>[] = [];
    for (const target of targets) {
      const existing = this.#kept.get(target.fingerprint);
      if (existing !== undefined && sameQuestion(existing.target, target)) continue;
      if (existing?.timer) clearTimeout(existing.timer);
      const kept: Kept = { target, slot: existing?.slot ?? newStapleSlot(), files, timer: null, failures: 0 };
      this.#kept.set(target.fingerprint, kept);
      fresh.push(this.#begin(kept).catch((error: unknown) => this.#bug(error)));
    }
    await firstOf(Promise.all(fresh), this.#options.firstWaitMs ?? FIRST_WAIT_MS);
    return new Map(
      targets.flatMap(({ fingerprint }) => {
        const kept = this.#kept.get(fingerprint);
        return kept === undefined ? [] : [[fingerprint, kept.slot] as const];
      }),
    );
  }

  /** Stops asking about certificates that the configuration in use does not have any more. */
  retain(config: ServerConfig): void {
    for (const [fingerprint, kept] of this.#kept) {
      if (config.staples?.has(fingerprint) === true) continue;
      if (kept.timer !== null) clearTimeout(kept.timer);
      this.#kept.delete(fingerprint);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#kept.values()) if (timer !== null) clearTimeout(timer);
    this.#kept.clear();
  }

  async #begin(kept: Kept): Promise<void> {
    const { target } = kept;
    if (target.issuer === null) {
      this.#options.log(
        'warn',
        `TLSStapling: the issuer of '${target.name}' is in none of the files, nothing is stapled`,
      );
      return;
    }
    await this.#fromFile(kept);
    if (readStaple(kept.slot) === null) this.#giveNothing(kept);
    await this.#refresh(kept);
  }

  /** A response of an earlier run, if it is still good. */
  async #fromFile({ target, slot, files }: Kept): Promise<void> {
    const der = (await files?.read(target.fingerprint)) ?? null;
    if (der === null || der.length > MAX_STAPLE_BYTES || target.issuer === null) return;
    const { certificate, issuer, verifySignature } = target;
    const expected = { certificate, issuer, nonce: null, now: new Date(), verifySignature };
    const verdict = await readOcspResponse(der, expected);
    if (verdict.ok && verdict.status === 'good') writeStaple(slot, der, verdict.nextUpdate);
  }

  async #refresh(kept: Kept): Promise<void> {
    const { target } = kept;
    if (target.issuer === null || this.#closed) return;
    const answer = await queryOcsp({
      certificate: target.certificate,
      issuer: target.issuer,
      timeoutMs: target.timeoutMs,
      withNonce: target.withNonce,
      verifySignature: target.verifySignature,
      ...(target.responder === null ? {} : { urls: [target.responder] }),
    });
    // Another configuration may have dropped this certificate meanwhile.
    if (this.#closed || this.#kept.get(target.fingerprint) !== kept) return;
    const failure = failureOf(answer);
    if (failure === null && answer.ok) await this.#accept(kept, answer);
    else this.#failed(kept, failure ?? 'no response');
  }

  async #accept(kept: Kept, answer: OcspAnswer & { readonly ok: true }): Promise<void> {
    const { target } = kept;
    writeStaple(kept.slot, answer.der, answer.nextUpdate);
    kept.failures = 0;
    this.#again(kept, pauseAfter(answer.thisUpdate, answer.nextUpdate));
    const until = answer.nextUpdate === null ? '' : `, valid to ${answer.nextUpdate.toISOString()}`;
    this.#options.log(
      answer.status === 'good' ? 'info' : 'error',
      `TLSStapling: '${target.name}' is ${answer.status} according to ${answer.url}${until}`,
    );
    const problem = (await kept.files?.write(target.fingerprint, answer.der)) ?? null;
    if (problem !== null)
      this.#options.log('warn', `TLSStaplingCache: unable to keep the response: ${problem}`);
  }

  /** What is stapled already stays until it expires. */
  #failed(kept: Kept, reason: string): void {
    kept.failures += 1;
    if (readStaple(kept.slot) === null) this.#giveNothing(kept);
    this.#again(kept, Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, kept.failures - 1)));
    this.#options.log('warn', `TLSStapling: no OCSP response for '${kept.target.name}': ${reason}`);
  }

  #giveNothing({ target, slot }: Kept): void {
    writeStaple(slot, target.fakesTryLater ? TRY_LATER_RESPONSE : NO_RESPONSE, null);
  }

  #bug(error: unknown): void {
    this.#options.log('error', `TLSStapling: ${error instanceof Error ? error.stack : String(error)}`);
  }

  #again(kept: Kept, delayMs: number): void {
    kept.timer = setTimeout(() => {
      this.#refresh(kept).catch((error: unknown) => this.#bug(error));
    }, delayMs).unref();
  }
}

function failureOf(answer: OcspAnswer): string | null {
  if (!answer.ok) return answer.reason;
  if (answer.status === 'unknown') return `${answer.url} does not know this certificate`;
  return answer.der.length > MAX_STAPLE_BYTES ? 'the response is too large to staple' : null;
}

/** Half of the time a response is good, so that a failing responder has the other half to come back. */
function pauseAfter(thisUpdate: Date, nextUpdate: Date | null): number {
  if (nextUpdate === null) return DEFAULT_REFRESH_MS;
  const middle = (thisUpdate.getTime() + nextUpdate.getTime()) / 2;
  return Math.min(MAX_REFRESH_MS, Math.max(MIN_REFRESH_MS, middle - Date.now()));
}

function sameQuestion(a: StaplingTarget, b: StaplingTarget): boolean {
  return (
    a.responder === b.responder &&
    a.timeoutMs === b.timeoutMs &&
    a.withNonce === b.withNonce &&
    a.verifySignature === b.verifySignature &&
    a.fakesTryLater === b.fakesTryLater &&
    a.issuer?.fingerprint256 === b.issuer?.fingerprint256
  );
}

/** Resolves when the work is done or the time is over; the work goes on. */
async function firstOf(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  try {
    await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
