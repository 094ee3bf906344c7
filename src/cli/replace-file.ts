/** Private files of the state folder. */
import { renameSync, writeFileSync } from 'node:fs';
import { PRIVATE_FILE_MODE } from '../main/modes.ts';

/** Writes `text` to `path`, whole or not at all: a start that is killed halfway leaves no half key. */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: PRIVATE_FILE_MODE, flush: true });
  renameSync(temporary, path);
}
