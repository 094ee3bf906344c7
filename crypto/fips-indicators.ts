/**
 * Service indicators (Node's channel `crypto.fips.indicator`, modules from 3.4 on): the module was asked for something that
 * is not approved. Node queues a limited number and promises no completeness, so this is a hint to look for the cause, not
 * an audit log. Main thread only; Node publishes there for all threads.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';

const CHANNEL = 'crypto.fips.indicator';
/** A flood of events is one line per kind in this time. */
const LOG_INTERVAL_MS = 5_000;
/** Kinds are few (operation and reason are words of OpenSSL); a bound all the same. */
const MAX_KINDS = 256;

/** The event of the one probe that must be refused by an indicator. */
const PROBE_KIND = 'HMAC (keysize), refused';

/** What Node publishes; `count`: how often in a row, `dropped`: events lost before this one. */
interface IndicatorEvent {
  readonly operation: string;
  readonly reason: string;
  readonly blocked: boolean;
  readonly count: number;
  readonly dropped: number;
}

export interface IndicatorWatch {
  /** Events of each kind since the watch began, without those of the probes. */
  counts(): ReadonlyMap<string, number>;
  /** Logs what was not logged yet. */
  stop(): void;
}

/** Of this thread; FIPS mode and its events concern the whole process. */
const state = {
  collecting: false,
  /** Threads that ran their probes and whose event was not seen yet. */
  probesToCome: 0,
  fresh: new Map<string, number>(),
  lost: 0,
  onFresh: () => undefined as void,
};

/** One thread ran its probes: one event of theirs is to be expected and is no news. */
export function expectProbeIndicator(): void {
  state.probesToCome += 1;
}

/** Collects events from now on: before the first probe of the process, so that none of theirs is missed. */
export function collectFipsIndicators(): void {
  if (state.collecting) return;
  state.collecting = true;
  subscribe(CHANNEL, collect);
}

function collect(message: unknown): void {
  const { operation, reason, blocked, count, dropped } = message as IndicatorEvent;
  const kind = `${operation} (${reason}), ${blocked ? 'refused' : 'not approved, served'}`;
  const { fresh } = state;
  state.lost += dropped;
  if (fresh.has(kind) || fresh.size < MAX_KINDS) fresh.set(kind, (fresh.get(kind) ?? 0) + count);
  else state.lost += count;
  state.onFresh();
}

/** Counts and logs indicators until stopped. One watch at a time. */
export function watchFipsIndicators(log: (text: string) => void): IndicatorWatch {
  const total = new Map<string, number>();
  let timer: NodeJS.Timeout | null = null;

  const flush = (): void => {
    timer = null;
    const { fresh } = state;
    const ofProbes = Math.min(state.probesToCome, fresh.get(PROBE_KIND) ?? 0);
    state.probesToCome -= ofProbes;
    for (const [kind, seen] of fresh) {
      const count = kind === PROBE_KIND ? seen - ofProbes : seen;
      if (count === 0) continue;
      const sum = (total.get(kind) ?? 0) + count;
      total.set(kind, sum);
      log(`FIPS service indicator: ${kind}: ${count} (${sum} since the start)`);
    }
    if (state.lost > 0) log(`FIPS service indicators lost: ${state.lost}`);
    fresh.clear();
    state.lost = 0;
  };
  state.onFresh = () => void (timer ??= setTimeout(flush, LOG_INTERVAL_MS).unref());
  collectFipsIndicators();
  return {
    counts: () => total,
    stop() {
      unsubscribe(CHANNEL, collect);
      state.collecting = false;
      state.onFresh = () => undefined;
      if (timer !== null) clearTimeout(timer);
      flush();
    },
  };
}
