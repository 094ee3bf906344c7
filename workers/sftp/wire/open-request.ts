/** OPEN of all versions as one shape (draft-02, section 6.3; draft-13, section 8.1.1). Pure. */
import type { ByteReader } from '../../../src/util/byte-reader.ts';
import { parseAttributes, type FileAttributes } from './attributes.ts';
import type { SftpVersion } from './message-types.ts';
import { readPath } from './path-text.ts';

/** pflags of versions 3 and 4. */
const PFlag = { READ: 1, WRITE: 2, APPEND: 4, CREAT: 8, TRUNC: 0x10, EXCL: 0x20, TEXT: 0x40 } as const;

/** desired-access of versions 5 and 6. */
const Access = {
  READ_DATA: 0x1,
  WRITE_DATA: 0x2,
  APPEND_DATA: 0x4,
  READ_NAMED_ATTRS: 0x8,
  WRITE_NAMED_ATTRS: 0x10,
  READ_ACL: 0x20000,
  WRITE_ACL: 0x40000,
} as const;

/** flags of versions 5 and 6; the lower three bits are the disposition. */
const OpenFlag = {
  DISPOSITION: 0x7,
  APPEND_DATA: 0x8,
  APPEND_DATA_ATOMIC: 0x10,
  TEXT_MODE: 0x20,
  BLOCK_READ: 0x40,
  BLOCK_WRITE: 0x80,
  BLOCK_DELETE: 0x100,
  NOFOLLOW: 0x400,
  DELETE_ON_CLOSE: 0x800,
} as const;

/** The combinations that `supported` and `supported2` announce. */
export const SUPPORTED_OPEN_FLAGS =
  OpenFlag.DISPOSITION |
  OpenFlag.APPEND_DATA |
  OpenFlag.APPEND_DATA_ATOMIC |
  OpenFlag.TEXT_MODE |
  OpenFlag.NOFOLLOW;
/** The first three, EXECUTE, DELETE_CHILD, READ_ATTRIBUTES, WRITE_ATTRIBUTES, DELETE, WRITE_OWNER, SYNCHRONIZE. */
export const SUPPORTED_ACCESS = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x10000 | 0x80000 | 0x100000;

export interface OpenRequest {
  readonly path: string;
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly create: boolean;
  readonly truncate: boolean;
  readonly exclusive: boolean;
  readonly noFollow: boolean;
  /** Asked for and not to be had: named attributes, ACLs, byte-range blocks, DELETE_ON_CLOSE. */
  readonly unsupported: boolean;
  /** No access at all, EXCL without CREAT, an unknown disposition. */
  readonly contradictory: boolean;
  readonly attributes: FileAttributes;
}

/** `string path, u32 pflags, ATTRS` or `string path, u32 desired-access, u32 flags, ATTRS`. */
export function parseOpen(reader: ByteReader, version: SftpVersion): OpenRequest {
  return version <= 4 ? parsePFlags(reader, version) : parseAccess(reader, version);
}

function parsePFlags(reader: ByteReader, version: SftpVersion): OpenRequest {
  const path = readPath(reader, version);
  const flags = reader.u32();
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const append = has(PFlag.APPEND);
  const write = has(PFlag.WRITE) || append;
  return {
    path,
    read: has(PFlag.READ),
    write,
    append,
    create: write && has(PFlag.CREAT),
    truncate: write && has(PFlag.TRUNC),
    exclusive: has(PFlag.EXCL),
    noFollow: false,
    unsupported: false,
    contradictory: (!has(PFlag.READ) && !write) || (has(PFlag.EXCL) && !has(PFlag.CREAT)),
    attributes: parseAttributes(reader, version),
  };
}

interface Disposition {
  readonly create: boolean;
  readonly truncate: boolean;
  readonly exclusive: boolean;
}

/** CREATE_NEW, CREATE_TRUNCATE, OPEN_EXISTING, OPEN_OR_CREATE, TRUNCATE_EXISTING. */
const dispositions: readonly Disposition[] = [
  { create: true, truncate: false, exclusive: true },
  { create: true, truncate: true, exclusive: false },
  { create: false, truncate: false, exclusive: false },
  { create: true, truncate: false, exclusive: false },
  { create: false, truncate: true, exclusive: false },
];

function parseAccess(reader: ByteReader, version: SftpVersion): OpenRequest {
  const path = readPath(reader, version);
  const access = reader.u32();
  const flags = reader.u32();
  const named = Access.READ_NAMED_ATTRS | Access.WRITE_NAMED_ATTRS | Access.READ_ACL | Access.WRITE_ACL;
  const blocks =
    OpenFlag.BLOCK_READ | OpenFlag.BLOCK_WRITE | OpenFlag.BLOCK_DELETE | OpenFlag.DELETE_ON_CLOSE;
  const append =
    (access & Access.APPEND_DATA) !== 0 ||
    (flags & (OpenFlag.APPEND_DATA | OpenFlag.APPEND_DATA_ATOMIC)) !== 0;
  const writesAnywhere = (access & Access.WRITE_DATA) !== 0;
  const read = (access & Access.READ_DATA) !== 0;
  const write = writesAnywhere || append;
  const disposition = dispositions[flags & OpenFlag.DISPOSITION];
  return {
    path,
    read,
    write,
    // APPEND_DATA beside WRITE_DATA is how clients ask for everything; only the flag then means appending.
    append:
      append && (!writesAnywhere || (flags & (OpenFlag.APPEND_DATA | OpenFlag.APPEND_DATA_ATOMIC)) !== 0),
    create: write && disposition?.create === true,
    truncate: write && disposition?.truncate === true,
    exclusive: disposition?.exclusive === true,
    noFollow: (flags & OpenFlag.NOFOLLOW) !== 0,
    unsupported: (access & named) !== 0 || (flags & blocks) !== 0,
    contradictory: disposition === undefined || (!read && !write),
    attributes: parseAttributes(reader, version),
  };
}
