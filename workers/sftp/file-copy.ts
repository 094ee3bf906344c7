/** Long work on open files, in pieces between which other sessions go on: copies and digests. */
import { createHash } from 'node:crypto';
import { read, write } from 'node:fs';
import { promisify } from 'node:util';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FsError } from '../vfs/fs-error.ts';

const readAsync = promisify(read);
const writeAsync = promisify(write);

const PIECE = 256 * 1024;

/** Ends the work early: the channel is gone. */
export type Abandoned = () => boolean;

export interface CopyRange {
  readonly from: number;
  readonly fromOffset: number;
  /** Infinity: to the end of the file. */
  readonly length: number;
  readonly to: number;
  readonly toOffset: number;
}

/** Copies between two descriptors and gives the bytes copied. Throws FsError. */
export async function copyRange(range: CopyRange, abandoned: Abandoned): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, range.length));
  let done = 0;
  try {
    while (done < range.length) {
      if (abandoned()) throw new FsError('other', { detail: 'the channel is closed' });
      const wanted = Math.min(buffer.length, range.length - done);
      const { bytesRead } = await readAsync(range.from, buffer, 0, wanted, range.fromOffset + done);
      if (bytesRead === 0) break;
      for (let written = 0; written < bytesRead;) {
        const at = range.toOffset + done + written;
        written += (await writeAsync(range.to, buffer, written, bytesRead - written, at)).bytesWritten;
      }
      done += bytesRead;
    }
  } catch (error) {
    throw toFsError(error);
  }
  return done;
}

/** Digests of consecutive blocks of a file, together one buffer; `block` 0: one digest of the whole range. */
export async function digestBlocks(
  algorithm: string,
  range: {
    readonly descriptor: number;
    readonly offset: number;
    readonly length: number;
    readonly block: number;
  },
  abandoned: Abandoned,
): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(PIECE, range.length)));
  const digests: Buffer[] = [];
  const blockBytes = range.block === 0 ? range.length : range.block;
  let hash = createHash(algorithm);
  let inBlock = 0;
  try {
    for (let done = 0; done < range.length;) {
      if (abandoned()) throw new FsError('other', { detail: 'the channel is closed' });
      const wanted = Math.min(buffer.length, range.length - done);
      const { bytesRead } = await readAsync(range.descriptor, buffer, 0, wanted, range.offset + done);
      if (bytesRead === 0) break;
      for (let at = 0; at < bytesRead;) {
        const take = Math.min(bytesRead - at, blockBytes - inBlock);
        hash.update(buffer.subarray(at, at + take));
        at += take;
        inBlock += take;
        if (inBlock < blockBytes) continue;
        digests.push(hash.digest());
        hash = createHash(algorithm);
        inBlock = 0;
      }
      done += bytesRead;
    }
  } catch (error) {
    throw toFsError(error);
  }
  if (inBlock > 0 || digests.length === 0) digests.push(hash.digest());
  return Buffer.concat(digests);
}
