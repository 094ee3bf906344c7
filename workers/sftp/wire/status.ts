/** Status codes (draft-13, section 9.1): which version knows which, and their texts. Pure. */
import { ByteWriter } from '../../../src/util/byte-writer.ts';
import { MessageType, type SftpVersion } from './message-types.ts';

export const StatusCode = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  OP_UNSUPPORTED: 8,
  INVALID_HANDLE: 9,
  NO_SUCH_PATH: 10,
  FILE_ALREADY_EXISTS: 11,
  WRITE_PROTECT: 12,
  NO_SPACE_ON_FILESYSTEM: 14,
  QUOTA_EXCEEDED: 15,
  UNKNOWN_PRINCIPAL: 16,
  LOCK_CONFLICT: 17,
  DIR_NOT_EMPTY: 18,
  NOT_A_DIRECTORY: 19,
  INVALID_FILENAME: 20,
  LINK_LOOP: 21,
  CANNOT_DELETE: 22,
  INVALID_PARAMETER: 23,
  FILE_IS_A_DIRECTORY: 24,
} as const;

export type StatusCode = (typeof StatusCode)[keyof typeof StatusCode];

interface StatusRow {
  readonly text: string;
  readonly since: SftpVersion;
  /** What a version before `since` is told instead. */
  readonly before: StatusCode;
}

const { FAILURE, NO_SUCH_FILE, PERMISSION_DENIED } = StatusCode;

const rows: Readonly<Record<StatusCode, StatusRow>> = {
  [StatusCode.OK]: { text: 'OK', since: 1, before: FAILURE },
  [StatusCode.EOF]: { text: 'End of file', since: 1, before: FAILURE },
  [StatusCode.NO_SUCH_FILE]: { text: 'No such file', since: 1, before: FAILURE },
  [StatusCode.PERMISSION_DENIED]: { text: 'Permission denied', since: 1, before: FAILURE },
  [StatusCode.FAILURE]: { text: 'Failure', since: 1, before: FAILURE },
  [StatusCode.BAD_MESSAGE]: { text: 'Bad message', since: 1, before: FAILURE },
  [StatusCode.OP_UNSUPPORTED]: { text: 'Operation unsupported', since: 1, before: FAILURE },
  [StatusCode.INVALID_HANDLE]: { text: 'Invalid handle', since: 4, before: FAILURE },
  [StatusCode.NO_SUCH_PATH]: { text: 'No such path', since: 4, before: NO_SUCH_FILE },
  [StatusCode.FILE_ALREADY_EXISTS]: { text: 'File already exists', since: 4, before: FAILURE },
  [StatusCode.WRITE_PROTECT]: { text: 'Write-protected file system', since: 4, before: PERMISSION_DENIED },
  [StatusCode.NO_SPACE_ON_FILESYSTEM]: { text: 'No space on file system', since: 5, before: FAILURE },
  [StatusCode.QUOTA_EXCEEDED]: { text: 'Quota exceeded', since: 5, before: FAILURE },
  [StatusCode.UNKNOWN_PRINCIPAL]: { text: 'Unknown owner or group', since: 5, before: FAILURE },
  [StatusCode.LOCK_CONFLICT]: { text: 'Lock conflict', since: 5, before: FAILURE },
  [StatusCode.DIR_NOT_EMPTY]: { text: 'Directory not empty', since: 6, before: FAILURE },
  [StatusCode.NOT_A_DIRECTORY]: { text: 'Not a directory', since: 6, before: FAILURE },
  [StatusCode.INVALID_FILENAME]: { text: 'Invalid file name', since: 6, before: NO_SUCH_FILE },
  [StatusCode.LINK_LOOP]: { text: 'Too many symbolic links', since: 6, before: FAILURE },
  [StatusCode.CANNOT_DELETE]: { text: 'Cannot delete', since: 6, before: PERMISSION_DENIED },
  [StatusCode.INVALID_PARAMETER]: { text: 'Invalid parameter', since: 6, before: FAILURE },
  [StatusCode.FILE_IS_A_DIRECTORY]: { text: 'File is a directory', since: 6, before: FAILURE },
};

/** The code as `version` may be told it: clients of version 3 take what they do not know for a broken server. */
export function codeForVersion(code: StatusCode, version: SftpVersion): StatusCode {
  const row = rows[code];
  return row.since <= version ? code : row.before;
}

export function statusText(code: StatusCode): string {
  return rows[code].text;
}

/**
 * `u32 length, u8 101, u32 id, u32 code [, string text, string language, error data]`. The code is lowered to the
 * version; the text is the one of the code as it was meant, unless `text` gives another.
 */
export function encodeStatus(
  version: SftpVersion,
  id: number,
  code: StatusCode,
  text: string = rows[code].text,
  errorData: readonly string[] = [],
): Buffer {
  const length = version < 3 ? 9 : 17 + Buffer.byteLength(text);
  const data = version < 5 ? [] : errorData;
  const total = data.reduce((sum, one) => sum + 4 + Buffer.byteLength(one), length);
  const writer = new ByteWriter(4 + total).u32(total).u8(MessageType.STATUS).u32(id);
  writer.u32(codeForVersion(code, version));
  if (version >= 3) writer.string(text).string('');
  for (const one of data) writer.string(one);
  return writer.finish();
}

const okByVersion = new Map<SftpVersion, Buffer>();

/** As many OK replies as there are ids, in one buffer: what a batch of WRITEs is answered with. */
export function encodeOkStatuses(version: SftpVersion, ids: readonly number[]): Buffer {
  let template = okByVersion.get(version);
  if (template === undefined) {
    template = encodeStatus(version, 0, StatusCode.OK);
    okByVersion.set(version, template);
  }
  const bytes = Buffer.allocUnsafe(template.length * ids.length);
  for (let index = 0, at = 0; index < ids.length; index += 1, at += template.length) {
    bytes.set(template, at);
    bytes.writeUInt32BE(ids[index]!, at + 5);
  }
  return bytes;
}
