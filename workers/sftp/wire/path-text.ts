/** Paths on the wire are bytes; inside they are text. Pure. */
import { isUtf8 } from 'node:buffer';
import type { ByteReader } from '../../../src/util/byte-reader.ts';
import { MAX_PATH_BYTES } from './message-types.ts';

/** A path that is no UTF-8, is too long, or holds NUL: no file can have this name here. */
export class PathTextError extends Error {
  constructor() {
    super('invalid file name');
    this.name = 'PathTextError';
  }
}

/** Next string as a path. Throws ByteError where it is truncated, PathTextError where no file can be called so. */
export function readPath(reader: ByteReader): string {
  const bytes = reader.string();
  if (bytes.length > MAX_PATH_BYTES || bytes.includes(0) || !isUtf8(bytes)) throw new PathTextError();
  return bytes.toString('utf8');
}
