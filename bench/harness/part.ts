/** The contract between the harness and its parts: what is measured, on which servers, and what it may ask for. */
import type { BenchFixture, Peer, RunningServer, ServerVariant } from '../peers/peer.ts';
import type { LoadPool } from '../load/run-load.ts';
import type { Cleanup } from './cleanup.ts';
import type { Metric, Series } from './results.ts';
import type { Sizes } from './sizes.ts';

/** What measures run with. */
export interface BenchContext {
  readonly sizes: Sizes;
  readonly fixture: BenchFixture;
  readonly cleanup: Cleanup;
  readonly loads: LoadPool;
  /** For the operator, at once. */
  readonly report: (line: string) => void;
}

export interface Measure {
  /** Unique in its part: `FTPS TLS 1.3 download, 8 streams`. */
  readonly name: string;
  /** How the servers are started; measures of one variant share running servers. */
  readonly variant: ServerVariant;
  /** One run only, where repeating shows nothing new (memory of idle sessions). */
  readonly once?: true;
  /** Servers it makes sense for; all by default. */
  readonly only?: readonly string[];
  /** A reason this server cannot be measured here, or null. */
  readonly unable?: (peer: Peer) => string | null;
  readonly run: (server: RunningServer, context: BenchContext) => Promise<readonly Metric[]>;
  /** The same work without a server, for the same metrics as far as there is a floor. */
  readonly floor?: (context: BenchContext) => Promise<readonly Metric[]>;
}

export interface Part {
  readonly name: string;
  /** One sentence for the page: what is measured and how. */
  readonly summary: string;
  readonly measures: (sizes: Sizes) => readonly Measure[];
  /** What is measured without any server, once for each repeat. */
  readonly local?: (context: BenchContext) => Promise<readonly LocalResult[]>;
  /** Servers of its own in place of those asked for. */
  readonly peers?: readonly Peer[];
  /** Sentences for the page, from what was measured. */
  readonly remarks?: (series: readonly Series[]) => readonly string[];
}

export interface LocalResult {
  readonly measure: string;
  readonly metrics: readonly Metric[];
}

/** A measure that cannot be done here and now; the reason goes into the results and on the page. */
export class NotMeasurable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotMeasurable';
  }
}
