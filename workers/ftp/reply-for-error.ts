/** FsError -> FTP reply: fixed texts, in the words of the system's own messages (the peer never sees `message`). */
import type { FsError, FsErrorCode } from '../vfs/fs-error.ts';
import { reply, type Reply } from './wire/reply.ts';

const texts: Readonly<Record<FsErrorCode, string>> = {
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

const uploads = new Set(['STOR', 'STOU', 'APPE']);
const makesDirectory = new Set(['MKD', 'XMKD']);

/** `No such file or directory` and its kin: what a log line or reply says about the error. */
export function textForFsError(error: FsError): string {
  return (error.errno === null ? undefined : textByErrno[error.errno]) ?? texts[error.code];
}

/**
 * The final reply for a file error of `verb`, with the argument as the client gave it. Not for errors in the middle
 * of a transfer (there the data connection exists and the reply is 426, 451 or 552).
 */
export function replyForFsError(error: FsError, argument: string, verb: string): Reply {
  switch (error.code) {
    case 'invalid-name':
      if (makesDirectory.has(verb)) return reply(550, `${argument}: Invalid directory name`);
      if (error.errno === 'EILSEQ') return reply(550, `${argument}: Illegal character sequence in filename`);
      return reply(550, `${argument}: ${textForFsError(error)}`);
    case 'restart-denied':
      return reply(
        451,
        `${argument}: ${uploads.has(verb) ? texts['append-denied'] : texts['restart-denied']}`,
      );
    case 'append-denied':
      return reply(451, `${argument}: ${texts['append-denied']}`);
    case 'invalid-offset':
      return reply(554, `${argument}: ${texts['invalid-offset']}`);
    case 'restart-with-hidden-store':
      return reply(501, texts['restart-with-hidden-store']);
    case 'hidden-store-exists':
      return reply(550, `${argument}: Temporary hidden file .in.${baseName(argument)}. already exists`);
    case 'no-space':
      return reply(uploads.has(verb) ? 452 : 550, `${argument}: ${textForFsError(error)}`);
    case 'quota-exceeded':
    case 'file-too-large':
      return reply(uploads.has(verb) ? 552 : 550, `${argument}: ${textForFsError(error)}`);
    default:
      return reply(550, `${argument}: ${textForFsError(error)}`);
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
