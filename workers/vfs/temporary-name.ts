/** Names of files that are not there yet. */
import { randomUUID } from 'node:crypto';
import { TEMPORARY_PREFIX } from './visibility.ts';

/** NAME_MAX of every Linux file system that matters, in bytes. */
const NAME_BYTES = 255;
/** Of random digits. */
const RANDOM_DIGITS = 16;

/** `.lockgate.<random>.NAME`, cut at a character so that it fits a directory entry. */
export function temporaryName(name: string): string {
  // Of all random numbers Node keeps only these in stock; the others cost a call of the generator each.
  const random = randomUUID().replaceAll('-', '').slice(0, RANDOM_DIGITS);
  const prefix = `${TEMPORARY_PREFIX}${random}.`;
  const room = NAME_BYTES - Buffer.byteLength(prefix);
  let kept = '';
  let bytes = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > room) break;
    kept += character;
  }
  return prefix + kept;
}
