/** One file moved over SCP, while it moves: counters, timers, limits; at the end its records. */
import { applicableValues } from '../../src/config/name-expression.ts';
import type { EffectiveConfig } from '../../src/config/effective-config.ts';
import type { Settings } from '../../src/config/server-config.ts';
import type { SessionContext } from '../session/session-context.ts';
import { rateLimiterFor, type RateLimiter } from './rate-limit.ts';
import { recordTransferEnd, type FinishedFile, type TransferEnd } from './transfer-end.ts';
import { BYTES_IN, BYTES_OUT, TransferProgress } from './transfer-progress.ts';

/** What a transfer needs of its session. */
export interface TransferringSession {
  readonly context: SessionContext;
  readonly config: EffectiveConfig;
  noteTransfer(): void;
  transferStarted(): void;
  transferEnded(): void;
}

export type TransferFile = Omit<FinishedFile, 'bytes' | 'milliseconds' | 'end'>;

/** Counts from construction to `end`; `end` writes the logs once. */
export class SessionTransfer {
  readonly #session: TransferringSession;
  readonly #file: TransferFile;
  readonly #progress: TransferProgress;
  readonly #startedAt = performance.now();
  #ended = false;

  constructor(session: TransferringSession, file: TransferFile) {
    const index = file.direction === 'upload' ? BYTES_IN : BYTES_OUT;
    this.#session = session;
    this.#file = file;
    this.#progress = new TransferProgress(session.context.counters, index);
    session.transferStarted();
    session.noteTransfer();
  }

  /** Payload bytes so far. */
  get bytes(): number {
    return this.#progress.bytes;
  }

  /** `bytes` more of the file went through. */
  count(bytes: number): void {
    this.#progress.add(bytes);
  }

  /** Writes all logs of the transfer; later calls do nothing. */
  end(end: TransferEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#session.transferEnded();
    this.#session.noteTransfer();
    this.#progress.flush();
    const { context } = this.#session;
    const { facts, log } = context;
    const { bytes } = this;
    if (this.#file.direction === 'upload') facts.bytesIn += bytes;
    else facts.bytesOut += bytes;
    if (end.kind !== 'completed') {
      const user = facts.user ?? facts.loginName ?? '-';
      log.system('notice', `notice: user ${user}: aborting transfer: ${end.reason}`);
    }
    const milliseconds = performance.now() - this.#startedAt;
    recordTransferEnd(context, { ...this.#file, bytes, milliseconds, end });
  }
}

/** MaxStoreFileSize in bytes (null: none) and TransferRate for one command. */
export function transferBounds(
  session: { readonly config: EffectiveConfig },
  settings: Settings,
  verb: string,
): { readonly maxBytes: number | null; readonly rate: RateLimiter | null } {
  const { principal } = session.config;
  const [limit] = applicableValues(settings.maxStoreFileSize, principal);
  const limited = limit !== undefined && limit > 0 && Number.isFinite(limit);
  const rates = settings.transferRate.length === 0 ? [] : applicableValues(settings.transferRate, principal);
  return {
    maxBytes: limited ? limit : null,
    rate: rateLimiterFor(rates, verb, settings.transferBufferSize),
  };
}
