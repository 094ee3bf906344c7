/** What a run has started and made, ended and removed in reverse order: at its end, after an error, and after Ctrl-C. */

type Undo = () => void | Promise<void>;

interface Entry {
  readonly what: string;
  readonly undo: Undo;
}

/** Longest time one entry may take; then it is reported and the next one follows. */
const ENTRY_TIMEOUT_MS = 15_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const EXIT_AFTER_SIGNAL = 130;

export class Cleanup {
  readonly #entries: Entry[] = [];
  #running: Promise<string[]> | null = null;

  /** True from the moment everything is being taken down: what fails then fails for that reason. */
  get started(): boolean {
    return this.#running !== null;
  }

  /** @returns a function that undoes it now, once */
  add(what: string, undo: Undo): () => Promise<void> {
    const entry = { what, undo };
    this.#entries.push(entry);
    return async () => {
      const at = this.#entries.indexOf(entry);
      if (at === -1) return;
      this.#entries.splice(at, 1);
      await withTimeout(entry);
    };
  }

  /** Undoes everything, newest first. @returns what went wrong, for the operator */
  run(): Promise<string[]> {
    this.#running ??= this.#undoAll();
    return this.#running;
  }

  async #undoAll(): Promise<string[]> {
    const complaints: string[] = [];
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      try {
        await withTimeout(entry);
      } catch (error) {
        complaints.push(`${entry.what}: ${(error as Error).message}`);
      }
    }
    return complaints;
  }

  /** From now on a signal takes everything down and ends the process. @returns takes the handlers off */
  onSignals(report: (line: string) => void): () => void {
    const handler = (signal: NodeJS.Signals): void => {
      if (this.#running !== null) return;
      report(`${signal}: ending what was started`);
      void this.run().then((complaints) => {
        for (const complaint of complaints) report(complaint);
        process.exit(EXIT_AFTER_SIGNAL);
      });
    };
    for (const signal of SIGNALS) process.on(signal, handler);
    return () => {
      for (const signal of SIGNALS) process.off(signal, handler);
    };
  }
}

async function withTimeout({ what, undo }: Entry): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than 15 s`)), ENTRY_TIMEOUT_MS);
  });
  try {
    await Promise.race([undo(), late]);
  } finally {
    clearTimeout(timer);
  }
}
