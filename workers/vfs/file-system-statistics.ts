/** statvfs(3) of a file system, for statvfs@openssh.com and space-available. */
import { bindFunctions } from '../../src/util/native-functions.ts';
import { nativePathText } from '../../src/util/path-text.ts';
import { bigStatfsSync } from './path-calls.ts';

/** The members of struct statvfs. */
export interface FileSystemStatistics {
  readonly blockSize: bigint;
  readonly fragmentSize: bigint;
  readonly blocks: bigint;
  readonly freeBlocks: bigint;
  readonly availableBlocks: bigint;
  readonly files: bigint;
  readonly freeFiles: bigint;
  readonly availableFiles: bigint;
  readonly fileSystemId: bigint;
  /** ST_RDONLY 1, ST_NOSUID 2, as the protocol has them. */
  readonly flags: bigint;
  readonly nameMax: bigint;
}

/** struct statvfs of 64-bit Linux (bits/statvfs.h): eleven longs, then what nobody needs. */
const STATVFS_BYTES = 128;
const PROTOCOL_FLAGS = 3n;
const NAME_MAX = 255n;

const statvfs =
  process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64')
    ? bindFunctions({ statvfs: { arguments: ['string', 'buffer'], return: 'i32' } })
    : null;

/** Of the file system `path` is on. Throws the system's error. */
export function fileSystemStatistics(path: string): FileSystemStatistics {
  const members = new BigUint64Array(STATVFS_BYTES / 8);
  if (statvfs !== null && statvfs.call('statvfs', nativePathText(path), members) === 0)
    return fromStatvfs(members);
  const { bsize, blocks, bfree, bavail, files, ffree } = bigStatfsSync(path);
  return {
    blockSize: bsize,
    fragmentSize: bsize,
    blocks,
    freeBlocks: bfree,
    availableBlocks: bavail,
    files,
    freeFiles: ffree,
    availableFiles: ffree,
    fileSystemId: 0n,
    flags: 0n,
    nameMax: NAME_MAX,
  };
}

function fromStatvfs(members: BigUint64Array): FileSystemStatistics {
  const at = (index: number): bigint => members[index] ?? 0n;
  return {
    blockSize: at(0),
    fragmentSize: at(1),
    blocks: at(2),
    freeBlocks: at(3),
    availableBlocks: at(4),
    files: at(5),
    freeFiles: at(6),
    availableFiles: at(7),
    fileSystemId: at(8),
    flags: at(9) & PROTOCOL_FLAGS,
    nameMax: at(10),
  };
}
