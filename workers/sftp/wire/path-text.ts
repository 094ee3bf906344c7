/** Paths on the wire are bytes; inside they are text. Pure. */
import { isUtf8 } from 'node:buffer';
import type { ByteReader } from '../../../src/util/byte-reader.ts';
import { decodePathBytes } from '../../../src/util/path-text.ts';
import { MAX_PATH_BYTES, type SftpVersion } from './message-types.ts';

/** A path that is too long, holds NUL, or is no UTF-8 where the version demands it. */
export class PathTextError extends Error {
  constructor() {
    super('invalid file name');
    this.name = 'PathTextError';
  }
}

/**
 * Next string as a path: any bytes up to version 3, UTF-8 after it (draft-13, section 6.2). Throws ByteError where it is
 * truncated, PathTextError where no file can be called so.
 */
export function readPath(reader: ByteReader, version: SftpVersion): string {
  const bytes = reader.string();
  if (bytes.length > MAX_PATH_BYTES || bytes.includes(0)) throw new PathTextError();
  if (version > 3 && !isUtf8(bytes)) throw new PathTextError();
  return decodePathBytes(bytes);
}
