/** What is used of `node:bench` (Node 26.9, --experimental-bench), which the type declarations do not have yet. */
declare module 'node:bench' {
  export interface BenchContext {
    start(): void;
    /** @param operations - since start */
    end(operations: number): void;
  }
  export interface BenchOptions {
    readonly samples?: number;
    readonly warmup?: number;
  }
  export interface BenchEvent {
    readonly type: string;
    readonly data: {
      readonly namePath?: readonly string[];
      readonly samples?: readonly { readonly operations: number; readonly duration_ns: bigint }[];
      readonly error?: unknown;
    };
  }
  export interface BenchRunner {
    bench(name: string, options: BenchOptions, run: (context: BenchContext) => void): void;
    suite(name: string, define: () => void): void;
    run(): AsyncIterable<BenchEvent>;
  }
  /** One that runs when told to; the module's own functions start by themselves. */
  export function createRunner(): BenchRunner;
}
