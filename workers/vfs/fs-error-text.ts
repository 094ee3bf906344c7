/** FsError -> fixed texts, in the words of the system's own messages (no peer ever sees `message`). */
import type { FsError, FsErrorCode } from './fs-error.ts';

export const FS_ERROR_TEXTS: Readonly<Record<FsErrorCode, string>> = {
  'not-found': 'No such file or directory',
  'permission-denied': 'Permission denied',
  exists: 'File exists',
  'not-a-directory': 'Not a directory',
  'is-a-directory': 'Is a directory',
  'not-empty': 'Directory not empty',
  'not-regular': 'Not a regular file',
  'invalid-name': 'Invalid argument',
  'forbidden-name': 'Forbidden filename',
  'forbidden-argument': 'Forbidden command argument',
  'overwrite-denied': 'Overwrite permission denied',
  'rename-denied': 'Rename permission denied',
  'restart-denied': 'Restart not permitted, try again',
  'invalid-offset': 'invalid REST argument',
  'restart-with-hidden-store': 'REST not compatible with server configuration',
  'append-denied': 'Append/Restart not permitted, try again',
  'hidden-store-exists': 'Temporary hidden file already exists',
  'too-many-links': 'Too many levels of symbolic links',
  'cross-device': 'Invalid cross-device link',
  'no-space': 'No space left on device',
  'quota-exceeded': 'Disk quota exceeded',
  'file-too-large': 'File too large',
  'limit-exceeded': 'Too many open files in system',
  'read-only': 'Read-only file system',
  busy: 'Device or resource busy',
  io: 'Input/output error',
  stale: 'Stale file handle',
  'timed-out': 'Connection timed out',
  'no-memory': 'Cannot allocate memory',
  'name-too-long': 'File name too long',
  unsupported: 'Operation not supported',
  'invalid-argument': 'Invalid argument',
  other: 'Operation not permitted',
};

/** Where the errno says more than the code: EPERM is not EACCES to somebody who looks for the cause. */
const textByErrno: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  EMLINK: 'Too many links',
  EAGAIN: 'Resource temporarily unavailable',
  ETXTBSY: 'Text file busy',
  EOVERFLOW: 'Value too large for defined data type',
  ENXIO: 'No such device or address',
};

/** `No such file or directory` and its kin: what a log line or reply says about the error. */
export function textForFsError(error: FsError): string {
  return (error.errno === null ? undefined : textByErrno[error.errno]) ?? FS_ERROR_TEXTS[error.code];
}
