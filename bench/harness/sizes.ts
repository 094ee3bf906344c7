/** How much each part does: in full, in a fraction of the time (--short), or just enough to see that it runs (--quick). */

export type Scale = 'full' | 'short' | 'quick';

export interface Sizes {
  /** Interleaved runs of every measure. */
  readonly repeats: number;
  /** Bytes of the large file of one stream; eight streams share as many. */
  readonly bigBytes: number;
  /** Files of SMALL_FILE_BYTES in one measure. */
  readonly smallFiles: number;
  /** Duration of measures that count what happens in a time. */
  readonly seconds: number;
  /** Idle sessions, cumulative. */
  readonly idleSessions: readonly number[];
  /** Entries of the listed directory. */
  readonly listedEntries: number;
  /** Streams of the measures with many of them, and ten times as many. */
  readonly streams: number;
  /** Bulk transfers in the background of the latency measures. */
  readonly backgroundStreams: number;
  /** Samples of each micro benchmark. */
  readonly microSamples: number;
}

const FULL: Sizes = {
  repeats: 5,
  bigBytes: 2 ** 30,
  smallFiles: 10_000,
  seconds: 6,
  idleSessions: [100, 1000, 10_000],
  listedEntries: 100_000,
  streams: 8,
  backgroundStreams: 16,
  microSamples: 30,
};

const SHORT: Sizes = {
  repeats: 3,
  bigBytes: 2 ** 29,
  smallFiles: 2000,
  seconds: 3,
  idleSessions: [100, 1000],
  listedEntries: 20_000,
  streams: 8,
  backgroundStreams: 16,
  microSamples: 15,
};

const QUICK: Sizes = {
  repeats: 2,
  bigBytes: 2 ** 26,
  smallFiles: 200,
  seconds: 1,
  idleSessions: [20, 50],
  listedEntries: 2000,
  streams: 8,
  backgroundStreams: 4,
  microSamples: 8,
};

export function sizesFor(scale: Scale): Sizes {
  return { full: FULL, short: SHORT, quick: QUICK }[scale];
}
