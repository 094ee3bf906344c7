/** Names of files that are not there yet. */
import { randomBytes } from 'node:crypto';
import { TEMPORARY_PREFIX } from './visibility.ts';

/** NAME_MAX of every Linux file system that matters, in bytes. */
const NAME_BYTES = 255;
const RANDOM_BYTES = 8;

/** `.lockgate.<random>.NAME`, cut at a character so that it fits a directory entry. */
export function temporaryName(name: string): string {
  const prefix = `${TEMPORARY_PREFIX}${randomBytes(RANDOM_BYTES).toString('hex')}.`;
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
