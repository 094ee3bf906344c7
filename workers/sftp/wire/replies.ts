/** Replies other than STATUS (draft-02, section 7; draft-13, section 9). Whole packets, length field included. Pure. */
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import { encodePathText } from '../../../src/util/path-text.ts';
import { writeAttributes, type FileAttributes } from './attributes.ts';
import { MessageType, type SftpVersion } from './message-types.ts';

/** Length, type, id and data length in front of the data of a DATA reply. */
export const DATA_HEAD_BYTES = 13;

/** Fills in the head of a DATA reply: `u32 length, u8 103, u32 id, u32 count`; `tail` bytes follow the data. */
export function writeDataHead(into: Buffer, at: number, id: number, count: number, tail: number): void {
  into.writeUInt32BE(DATA_HEAD_BYTES - 4 + count + tail, at);
  into[at + 4] = MessageType.DATA;
  into.writeUInt32BE(id, at + 5);
  into.writeUInt32BE(count, at + 9);
}

/** `u32 length, u8 type, u32 id` and what `fill` writes. */
function packet(type: number, id: number, sizeHint: number, fill: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(9 + sizeHint).u32(0).u8(type).u32(id);
  fill(writer);
  const bytes = writer.finish();
  bytes.writeUInt32BE(bytes.length - 4, 0);
  return bytes;
}

export function encodeHandle(id: number, handle: Buffer): Buffer {
  return packet(MessageType.HANDLE, id, 4 + handle.length, (writer) => writer.string(handle));
}

export function encodeAttributes(version: SftpVersion, id: number, attributes: FileAttributes): Buffer {
  return packet(MessageType.ATTRS, id, 128, (writer) => writeAttributes(writer, attributes, version));
}

export interface NamedEntry {
  readonly name: string;
  /** The `ls -l` line, sent in version 3 only. */
  readonly longName: string;
  readonly attributes: FileAttributes;
}

/** NAME: `u32 count, count x (string name [, string longname], ATTRS) [, bool end-of-list]`. */
export function encodeNames(
  version: SftpVersion,
  id: number,
  entries: readonly NamedEntry[],
  endOfList: boolean | null,
): Buffer {
  return packet(MessageType.NAME, id, 4 + entries.length * 192, (writer) => {
    writer.u32(entries.length);
    for (const entry of entries) {
      // Names are bytes up to version 3. Later ones demand UTF-8: a byte that is none becomes U+FFFD there.
      if (version <= 3) writer.string(encodePathText(entry.name)).string(encodePathText(entry.longName));
      else writer.string(entry.name);
      writeAttributes(writer, entry.attributes, version);
    }
    if (version >= 6 && endOfList !== null) writer.bool(endOfList);
  });
}

export function encodeExtendedReply(id: number, fill: (writer: ByteWriter) => void): Buffer {
  return packet(MessageType.EXTENDED_REPLY, id, 128, fill);
}

/** `u32 length, u8 2, u32 version, pairs of string name, string data`. */
export function encodeVersion(
  version: SftpVersion,
  extensions: readonly (readonly [name: string, data: Buffer | string])[],
): Buffer {
  return packet(MessageType.VERSION, version, 512, (writer) => {
    for (const [name, data] of extensions) writer.string(name).string(data);
  });
}
