/** Runs parts: servers of one variant at a time, every measure on every server in turn, again and again. */
import { LoadPool } from '../load/run-load.ts';
import type { BenchFixture, Peer, RunningServer, ServerVariant } from '../peers/peer.ts';
import { LOCKGATE } from '../peers/lockgate.ts';
import { freePort, startServer } from '../peers/start-server.ts';
import type { Cleanup } from './cleanup.ts';
import { NotMeasurable, type BenchContext, type Measure, type Part } from './part.ts';
import { FLOOR, SeriesTable, type Series, type Skipped } from './results.ts';
import type { Sizes } from './sizes.ts';

export interface RunRequest {
  readonly parts: readonly Part[];
  readonly peers: readonly Peer[];
  readonly sizes: Sizes;
  readonly fixture: BenchFixture;
  readonly cleanup: Cleanup;
  readonly report: (line: string) => void;
}

export interface RunOutcome {
  readonly series: readonly Series[];
  readonly skipped: readonly Skipped[];
  /** Servers that ran, with their versions. */
  readonly servers: readonly { readonly name: string; readonly version: string }[];
}

export async function runParts(request: RunRequest): Promise<RunOutcome> {
  const run = new Run(request);
  for (const part of request.parts) await run.part(part);
  return run.outcome();
}

interface Started extends RunningServer {
  stop(): Promise<void>;
}

class Run {
  readonly #request: RunRequest;
  readonly #context: BenchContext;
  readonly #table = new SeriesTable();
  readonly #skipped = new Map<string, Skipped>();
  readonly #versions = new Map<string, string>();

  constructor(request: RunRequest) {
    this.#request = request;
    const { sizes, fixture, cleanup, report } = request;
    this.#context = { sizes, fixture, cleanup, loads: new LoadPool(cleanup), report };
  }

  async part(part: Part): Promise<void> {
    const measures = part.measures(this.#request.sizes);
    const groups = Map.groupBy(measures, (measure) => JSON.stringify(measure.variant));
    for (const group of groups.values()) await this.#group(part, group);
    if (part.local !== undefined) await this.#local(part, part.local);
  }

  async #local(part: Part, work: NonNullable<Part['local']>): Promise<void> {
    const { repeats } = this.#request.sizes;
    for (let round = 0; round < repeats; round += 1) {
      this.#request.report(`${part.name} ${round + 1}/${repeats}`);
      try {
        for (const { measure, metrics } of await work(this.#context))
          this.#table.add(part.name, measure, LOCKGATE, metrics);
      } catch (error) {
        if (this.#request.cleanup.started) throw error;
        this.#skip(part.name, 'all of it', LOCKGATE, `failed: ${firstLines(error)}`);
        return;
      }
    }
  }

  outcome(): RunOutcome {
    const servers = [...this.#versions].map(([name, version]) => ({ name, version }));
    return { series: this.#table.series(), skipped: [...this.#skipped.values()], servers };
  }

  async #group(part: Part, measures: readonly Measure[]): Promise<void> {
    const { variant } = measures[0]!;
    const servers: Started[] = [];
    try {
      for (const peer of part.peers ?? this.#request.peers) {
        const wanted = measures.filter((measure) => isFor(measure, peer));
        if (wanted.length === 0 || !peer.protocols.includes(variant.protocol)) continue;
        const server = await this.#start(part, peer, variant, wanted);
        if (server !== null) servers.push(server);
      }
      await this.#rounds(part, measures, servers);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }

  async #start(
    part: Part,
    peer: Peer,
    variant: ServerVariant,
    measures: readonly Measure[],
  ): Promise<Started | null> {
    const { fixture, cleanup } = this.#request;
    try {
      const server = await startServer(peer, { fixture, variant, port: await freePort(), cleanup });
      this.#versions.set(server.name, server.version);
      return server;
    } catch (error) {
      if (!(error instanceof NotMeasurable)) throw error;
      for (const measure of measures) this.#skip(part.name, measure.name, peer.name, error.message);
      return null;
    }
  }

  async #rounds(part: Part, measures: readonly Measure[], servers: readonly Started[]): Promise<void> {
    const { repeats } = this.#request.sizes;
    const peers = new Map((part.peers ?? this.#request.peers).map((peer) => [peer.name, peer]));
    for (let round = 0; round < repeats; round += 1) {
      for (const measure of measures) {
        if (measure.once === true && round > 0) continue;
        this.#request.report(`${part.name} ${round + 1}/${repeats}: ${measure.name}`);
        // Whoever goes first finds another machine than whoever goes last: they take turns.
        for (const server of rotated(servers, round)) {
          const peer = peers.get(server.name)!;
          if (isFor(measure, peer)) await this.#measure(part, measure, server, peer);
        }
        await this.#floor(part, measure);
      }
    }
  }

  async #measure(part: Part, measure: Measure, server: Started, peer: Peer): Promise<void> {
    if (this.#skipped.has(skipKey(part.name, measure.name, server.name))) return;
    const unable = measure.unable?.(peer) ?? null;
    if (unable !== null) return this.#skip(part.name, measure.name, server.name, unable);
    await this.#attempt(part, measure, server.name, () => measure.run(server, this.#context));
  }

  async #floor(part: Part, measure: Measure): Promise<void> {
    const { floor } = measure;
    if (floor === undefined || this.#skipped.has(skipKey(part.name, measure.name, FLOOR))) return;
    await this.#attempt(part, measure, FLOOR, () => floor(this.#context));
  }

  /** One that fails is skipped from then on, aloud, and the others go on; what it measured before stays. */
  async #attempt(
    part: Part,
    measure: Measure,
    server: string,
    work: () => ReturnType<Measure['run']>,
  ): Promise<void> {
    try {
      this.#table.add(part.name, measure.name, server, await work());
    } catch (error) {
      if (this.#request.cleanup.started) throw error;
      const reason = firstLines(error);
      const text = error instanceof NotMeasurable ? reason : `failed: ${reason}`;
      this.#skip(part.name, measure.name, server, text);
    }
  }

  #skip(part: string, measure: string, server: string, reason: string): void {
    this.#skipped.set(skipKey(part, measure, server), { part, measure, server, reason });
    this.#request.report(`SKIPPED ${server}: ${measure}: ${reason}`);
  }
}

function isFor(measure: Measure, peer: Peer): boolean {
  return measure.only === undefined || measure.only.includes(peer.name);
}

function skipKey(part: string, measure: string, server: string): string {
  return JSON.stringify([part, measure, server]);
}

function firstLines(error: unknown): string {
  return (error as Error).message.split('\n').slice(0, 3).join(' ');
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
