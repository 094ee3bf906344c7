/** FsError -> FTP reply: fixed texts, in the words of the system's own messages (the peer never sees `message`). */
import type { FsError } from '../vfs/fs-error.ts';
import { FS_ERROR_TEXTS as texts, textForFsError } from '../vfs/fs-error-text.ts';
import { reply, type Reply } from './wire/reply.ts';

const uploads = new Set(['STOR', 'STOU', 'APPE']);
const makesDirectory = new Set(['MKD', 'XMKD']);

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
