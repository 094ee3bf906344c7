/** Appends whole lines to descriptors that main opened in append mode. */
import { writeSync } from 'node:fs';

/** Lines are short, so a synchronous append costs a few microseconds and keeps the order of events. */
const failed = new Set<number>();

/**
 * Appends one line with one write(2), so that lines of different threads never mix. A log that cannot be written
 * (disk full, closed) must not end a session: the first failure of each descriptor is told on standard error.
 */
export function appendLine(descriptor: number, line: string): void {
  try {
    writeSync(descriptor, line);
    failed.delete(descriptor);
  } catch (error) {
    if (failed.has(descriptor)) return;
    failed.add(descriptor);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    process.stderr.write(
      `lockgate: cannot write to log descriptor ${descriptor}: ${code}; lines are being lost\n`,
    );
  }
}
