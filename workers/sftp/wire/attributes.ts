/**
 * ATTRS of versions 3 to 6 (draft-02, section 5; draft-13, section 7). One shape inside, four on the wire. Pure.
 *
 *   v3:  flags [size] [uid gid] [permissions] [atime mtime] [extended]
 *   v4+: flags type [size] [allocation-size] [owner group] [permissions] [atime] [createtime] [mtime] [ctime] [acl]
 *        [bits valid] [text-hint] [mime] [link-count] [untranslated-name] [extended]
 */
import { ByteError, type ByteReader } from '../../../src/util/byte-reader.ts';
import type { ByteWriter } from '../../../src/util/byte-writer.ts';
import type { SftpVersion } from './message-types.ts';

export const AttributeFlag = {
  SIZE: 0x1,
  /** Version 3 only. */
  UIDGID: 0x2,
  PERMISSIONS: 0x4,
  /** Version 3: both times; later the access time. */
  ACCESSTIME: 0x8,
  CREATETIME: 0x10,
  MODIFYTIME: 0x20,
  ACL: 0x40,
  OWNERGROUP: 0x80,
  SUBSECOND_TIMES: 0x100,
  BITS: 0x200,
  ALLOCATION_SIZE: 0x400,
  TEXT_HINT: 0x800,
  MIME_TYPE: 0x1000,
  LINK_COUNT: 0x2000,
  UNTRANSLATED_NAME: 0x4000,
  CTIME: 0x8000,
  EXTENDED: 0x80000000,
} as const;

/** Types of v4 and later; before v5 what is neither file, directory nor link is `special`. */
export const FileType = {
  REGULAR: 1,
  DIRECTORY: 2,
  SYMLINK: 3,
  SPECIAL: 4,
  UNKNOWN: 5,
  SOCKET: 6,
  CHAR_DEVICE: 7,
  BLOCK_DEVICE: 8,
  FIFO: 9,
} as const;

export interface FileTime {
  /** Since the epoch, negative before it. */
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Null: not there. */
export interface FileAttributes {
  readonly type: number;
  readonly size: number | null;
  readonly allocationSize: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly owner: string | null;
  readonly group: string | null;
  /** st_mode; from a client only its lower 12 bits. */
  readonly permissions: number | null;
  readonly accessTime: FileTime | null;
  readonly createTime: FileTime | null;
  readonly modifyTime: FileTime | null;
  readonly changeTime: FileTime | null;
  /** Read and never applied. */
  readonly hasAcl: boolean;
  readonly bits: { readonly bits: number; readonly valid: number } | null;
  readonly linkCount: number | null;
  readonly extended: readonly (readonly [name: Buffer, value: Buffer])[];
}

export const NO_ATTRIBUTES: FileAttributes = {
  type: FileType.UNKNOWN,
  size: null,
  allocationSize: null,
  uid: null,
  gid: null,
  owner: null,
  group: null,
  permissions: null,
  accessTime: null,
  createTime: null,
  modifyTime: null,
  changeTime: null,
  hasAcl: false,
  bits: null,
  linkCount: null,
  extended: [],
};

/** mod_sftp's bounds for extended pairs. */
const MAX_EXTENDED = 100;
const MAX_EXTENDED_BYTES = 1024;
const MAX_NAME_BYTES = 1024;
const MAX_ACL_BYTES = 65_536;
const MAX_NANOSECONDS = 999_999_999;
const V3_TIME_MAX = 0xffff_ffff;
/** Beyond this a time is no date (ECMAScript), and no file system stores it either. */
const LATEST_SECONDS = 8_640_000_000_000;
const MODE_BITS = 0o7777;

const flagsBefore5 = 0x800001fd;
const flagsOf5 = 0x800003fd;
const flagsOf6 = 0x8000fffd;

type Mutable = { -readonly [K in keyof FileAttributes]: FileAttributes[K] };

/** Throws ByteError on what is truncated, out of range, or a flag the version does not have. */
export function parseAttributes(reader: ByteReader, version: SftpVersion): FileAttributes {
  return version <= 3 ? parseNumeric(reader) : parseNamed(reader, version);
}

function parseNumeric(reader: ByteReader): FileAttributes {
  const flags = reader.u32();
  const found: Mutable = { ...NO_ATTRIBUTES };
  if ((flags & AttributeFlag.SIZE) !== 0) found.size = reader.safeU64();
  if ((flags & AttributeFlag.UIDGID) !== 0) {
    found.uid = reader.u32();
    found.gid = reader.u32();
  }
  if ((flags & AttributeFlag.PERMISSIONS) !== 0) found.permissions = reader.u32() & MODE_BITS;
  if ((flags & AttributeFlag.ACCESSTIME) !== 0) {
    found.accessTime = { seconds: reader.u32(), nanoseconds: 0 };
    found.modifyTime = { seconds: reader.u32(), nanoseconds: 0 };
  }
  if ((flags & AttributeFlag.EXTENDED) !== 0) found.extended = parseExtended(reader);
  return found;
}

function parseNamed(reader: ByteReader, version: SftpVersion): FileAttributes {
  const flags = reader.u32();
  const known = version === 4 ? flagsBefore5 : version === 5 ? flagsOf5 : flagsOf6;
  if ((flags & ~known) !== 0) throw new ByteError('attribute flag of another version');
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const subseconds = has(AttributeFlag.SUBSECOND_TIMES);
  const found: Mutable = { ...NO_ATTRIBUTES, type: reader.u8() };
  if (has(AttributeFlag.SIZE)) found.size = reader.safeU64();
  if (has(AttributeFlag.ALLOCATION_SIZE)) found.allocationSize = reader.safeU64();
  if (has(AttributeFlag.OWNERGROUP)) {
    found.owner = reader.utf8(MAX_NAME_BYTES);
    found.group = reader.utf8(MAX_NAME_BYTES);
  }
  if (has(AttributeFlag.PERMISSIONS)) found.permissions = reader.u32() & MODE_BITS;
  if (has(AttributeFlag.ACCESSTIME)) found.accessTime = parseTime(reader, subseconds);
  if (has(AttributeFlag.CREATETIME)) found.createTime = parseTime(reader, subseconds);
  if (has(AttributeFlag.MODIFYTIME)) found.modifyTime = parseTime(reader, subseconds);
  if (has(AttributeFlag.CTIME)) found.changeTime = parseTime(reader, subseconds);
  if (has(AttributeFlag.ACL)) {
    reader.string(MAX_ACL_BYTES);
    found.hasAcl = true;
  }
  if (has(AttributeFlag.BITS)) found.bits = { bits: reader.u32(), valid: version === 6 ? reader.u32() : 0 };
  if (has(AttributeFlag.TEXT_HINT)) reader.u8();
  if (has(AttributeFlag.MIME_TYPE)) reader.string(MAX_NAME_BYTES);
  if (has(AttributeFlag.LINK_COUNT)) found.linkCount = reader.u32();
  if (has(AttributeFlag.UNTRANSLATED_NAME)) reader.string(MAX_NAME_BYTES);
  if (has(AttributeFlag.EXTENDED)) found.extended = parseExtended(reader);
  return found;
}

function parseTime(reader: ByteReader, subseconds: boolean): FileTime {
  const seconds = Number(BigInt.asIntN(64, reader.u64()));
  const nanoseconds = subseconds ? reader.u32() : 0;
  if (Math.abs(seconds) > LATEST_SECONDS) throw new ByteError('time out of range');
  if (nanoseconds > MAX_NANOSECONDS) throw new ByteError('nanoseconds out of range');
  return { seconds, nanoseconds };
}

function parseExtended(reader: ByteReader): [Buffer, Buffer][] {
  const count = reader.u32();
  if (count > MAX_EXTENDED) throw new ByteError('too many extended attributes');
  const pairs: [Buffer, Buffer][] = [];
  for (let index = 0; index < count; index += 1) {
    pairs.push([reader.string(MAX_EXTENDED_BYTES), reader.string(MAX_EXTENDED_BYTES)]);
  }
  return pairs;
}

export function writeAttributes(writer: ByteWriter, from: FileAttributes, version: SftpVersion): void {
  if (version <= 3) writeNumeric(writer, from);
  else writeNamed(writer, from, version);
}

function writeNumeric(writer: ByteWriter, from: FileAttributes): void {
  const { size, uid, gid, permissions, accessTime, modifyTime } = from;
  const owned = uid !== null && gid !== null;
  const timed = accessTime !== null && modifyTime !== null;
  writer.u32(
    (size === null ? 0 : AttributeFlag.SIZE) |
      (owned ? AttributeFlag.UIDGID : 0) |
      (permissions === null ? 0 : AttributeFlag.PERMISSIONS) |
      (timed ? AttributeFlag.ACCESSTIME : 0),
  );
  if (size !== null) writer.u64(size);
  if (owned) writer.u32(uid).u32(gid);
  if (permissions !== null) writer.u32(permissions);
  if (timed) writer.u32(clampTime(accessTime)).u32(clampTime(modifyTime));
}

function clampTime(time: FileTime): number {
  return Math.min(V3_TIME_MAX, Math.max(0, time.seconds));
}

function writeNamed(writer: ByteWriter, from: FileAttributes, version: SftpVersion): void {
  const flags = namedFlags(from, version);
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const subseconds = has(AttributeFlag.SUBSECOND_TIMES);
  writer.u32(flags).u8(typeForVersion(from.type, version));
  if (has(AttributeFlag.SIZE)) writer.u64(from.size!);
  if (has(AttributeFlag.ALLOCATION_SIZE)) writer.u64(from.allocationSize!);
  if (has(AttributeFlag.OWNERGROUP)) writer.string(from.owner!).string(from.group!);
  if (has(AttributeFlag.PERMISSIONS)) writer.u32(from.permissions! & MODE_BITS);
  if (has(AttributeFlag.ACCESSTIME)) writeTime(writer, from.accessTime!, subseconds);
  if (has(AttributeFlag.CREATETIME)) writeTime(writer, from.createTime!, subseconds);
  if (has(AttributeFlag.MODIFYTIME)) writeTime(writer, from.modifyTime!, subseconds);
  if (has(AttributeFlag.CTIME)) writeTime(writer, from.changeTime!, subseconds);
  if (has(AttributeFlag.BITS)) {
    writer.u32(from.bits!.bits);
    if (version === 6) writer.u32(from.bits!.valid);
  }
  if (has(AttributeFlag.LINK_COUNT)) writer.u32(from.linkCount!);
}

function namedFlags(from: FileAttributes, version: SftpVersion): number {
  const times = [from.accessTime, from.createTime, from.modifyTime, version === 6 ? from.changeTime : null];
  const subseconds = times.some((time) => time !== null && time.nanoseconds !== 0);
  return (
    (from.size === null ? 0 : AttributeFlag.SIZE) |
    (from.owner === null || from.group === null ? 0 : AttributeFlag.OWNERGROUP) |
    (from.permissions === null ? 0 : AttributeFlag.PERMISSIONS) |
    (from.accessTime === null ? 0 : AttributeFlag.ACCESSTIME) |
    (from.createTime === null ? 0 : AttributeFlag.CREATETIME) |
    (from.modifyTime === null ? 0 : AttributeFlag.MODIFYTIME) |
    (subseconds ? AttributeFlag.SUBSECOND_TIMES : 0) |
    (version >= 5 && from.bits !== null ? AttributeFlag.BITS : 0) |
    (version === 6 && from.allocationSize !== null ? AttributeFlag.ALLOCATION_SIZE : 0) |
    (version === 6 && from.changeTime !== null ? AttributeFlag.CTIME : 0) |
    (version === 6 && from.linkCount !== null ? AttributeFlag.LINK_COUNT : 0)
  );
}

function typeForVersion(type: number, version: SftpVersion): number {
  return version === 4 && type > FileType.UNKNOWN ? FileType.SPECIAL : type;
}

function writeTime(writer: ByteWriter, time: FileTime, subseconds: boolean): void {
  writer.u64(time.seconds < 0 ? BigInt.asUintN(64, BigInt(time.seconds)) : time.seconds);
  if (subseconds) writer.u32(time.nanoseconds);
}
