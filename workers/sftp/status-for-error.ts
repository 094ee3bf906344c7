/** FsError and wire errors -> status. Lowering a code to the session's version is the encoder's part. */
import { ByteError } from '../../src/util/byte-reader.ts';
import { FsError, type FsErrorCode } from '../vfs/fs-error.ts';
import { StatusError } from './status-error.ts';
import { PathTextError } from './wire/path-text.ts';
import { StatusCode, statusText } from './wire/status.ts';

const codeByFsError: Readonly<Record<FsErrorCode, StatusCode>> = {
  'not-found': StatusCode.NO_SUCH_FILE,
  'permission-denied': StatusCode.PERMISSION_DENIED,
  exists: StatusCode.FILE_ALREADY_EXISTS,
  'not-a-directory': StatusCode.NOT_A_DIRECTORY,
  'is-a-directory': StatusCode.FILE_IS_A_DIRECTORY,
  'not-empty': StatusCode.DIR_NOT_EMPTY,
  'not-regular': StatusCode.FAILURE,
  'invalid-name': StatusCode.INVALID_FILENAME,
  'forbidden-name': StatusCode.PERMISSION_DENIED,
  'forbidden-argument': StatusCode.PERMISSION_DENIED,
  'overwrite-denied': StatusCode.PERMISSION_DENIED,
  'rename-denied': StatusCode.PERMISSION_DENIED,
  'restart-denied': StatusCode.PERMISSION_DENIED,
  'invalid-offset': StatusCode.INVALID_PARAMETER,
  'restart-with-hidden-store': StatusCode.PERMISSION_DENIED,
  'append-denied': StatusCode.PERMISSION_DENIED,
  'hidden-store-exists': StatusCode.FAILURE,
  'too-many-links': StatusCode.LINK_LOOP,
  'cross-device': StatusCode.FAILURE,
  'no-space': StatusCode.NO_SPACE_ON_FILESYSTEM,
  'quota-exceeded': StatusCode.QUOTA_EXCEEDED,
  'file-too-large': StatusCode.NO_SPACE_ON_FILESYSTEM,
  'limit-exceeded': StatusCode.FAILURE,
  'read-only': StatusCode.WRITE_PROTECT,
  busy: StatusCode.FAILURE,
  io: StatusCode.FAILURE,
  stale: StatusCode.FAILURE,
  'timed-out': StatusCode.FAILURE,
  'no-memory': StatusCode.FAILURE,
  'name-too-long': StatusCode.INVALID_FILENAME,
  unsupported: StatusCode.OP_UNSUPPORTED,
  'invalid-argument': StatusCode.INVALID_PARAMETER,
  other: StatusCode.FAILURE,
};

/** Texts that say more than the code's own; clients show them raw. */
const textByFsError: Partial<Readonly<Record<FsErrorCode, string>>> = {
  'not-a-directory': 'Not a directory',
  'is-a-directory': 'Is a directory',
  'not-regular': 'Not a regular file',
  'hidden-store-exists': 'Temporary hidden file already exists',
  'cross-device': 'Invalid cross-device link',
  'file-too-large': 'File too large',
  'limit-exceeded': 'Too many open files',
  busy: 'Device or resource busy',
  io: 'Input/output error',
};

export interface Status {
  readonly code: StatusCode;
  readonly text: string;
  readonly errorData: readonly string[];
}

/** Null for an error that is a bug of ours. */
export function statusForError(error: unknown): Status | null {
  if (error instanceof FsError) return statusForFsError(error);
  if (error instanceof StatusError) {
    return { code: error.code, text: error.text ?? statusText(error.code), errorData: error.errorData };
  }
  if (error instanceof ByteError) return plain(StatusCode.BAD_MESSAGE);
  return error instanceof PathTextError ? plain(StatusCode.INVALID_FILENAME) : null;
}

function statusForFsError({ code }: FsError): Status {
  const status = codeByFsError[code];
  return { code: status, text: textByFsError[code] ?? statusText(status), errorData: [] };
}

function plain(code: StatusCode): Status {
  return { code, text: statusText(code), errorData: [] };
}
