/** A complete run: fixture, servers, parts, result files. */
import { createFixture } from './fixture/fixture.ts';
import { Cleanup } from './harness/cleanup.ts';
import { describeMachine } from './harness/environment.ts';
import { RESULTS_SCHEMA, type Results } from './harness/results.ts';
import { runParts } from './harness/run-parts.ts';
import { sizesFor, type Scale } from './harness/sizes.ts';
import { PARTS } from './parts/parts.ts';
import { choosePeers } from './peers/peers.ts';
import { CPU_ACCOUNT } from './peers/server-account.ts';
import { writeResults } from './report/write-results.ts';

export interface BenchRequest {
  /** Names; empty: all. */
  readonly parts: readonly string[];
  /** Null: all that are installed; empty: Lockgate alone. */
  readonly peers: readonly string[] | null;
  readonly scale: Scale;
  readonly out: string;
}

/** @returns path of the page */
export async function runBench(request: BenchRequest, report: (line: string) => void): Promise<string> {
  const peers = choosePeers(request.peers);
  const parts = PARTS.filter(({ name }) => request.parts.length === 0 || request.parts.includes(name));
  const sizes = sizesFor(request.scale);
  const date = new Date().toISOString();
  const machine = describeMachine(CPU_ACCOUNT);
  const cleanup = new Cleanup();
  const offSignals = cleanup.onSignals(report);
  try {
    const fixture = createFixture(sizes, cleanup);
    const outcome = await runParts({ parts, peers, sizes, fixture, cleanup, report });
    const results: Results = {
      schema: RESULTS_SCHEMA,
      date,
      scale: request.scale,
      repeats: sizes.repeats,
      parts: parts.map(({ name }) => name),
      machine,
      ...outcome,
    };
    return writeResults(request.out, results, parts);
  } finally {
    for (const complaint of await cleanup.run()) report(complaint);
    offSignals();
  }
}
