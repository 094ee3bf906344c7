/** What the client hears when a transfer breaks after 150 (core reference, section 6). */
import type { TransferFailure } from '../transfer/transfer-error.ts';
import type { FsError } from '../vfs/fs-error.ts';
import { textForFsError } from '../vfs/fs-error-text.ts';
import { reply, type Reply } from './wire/reply.ts';

const CLOSED = 'Data connection closed';

/** `REASON` of `Transfer aborted. REASON`, also for the log line. */
export function transferFailureReason(failure: TransferFailure): string {
  switch (failure.kind) {
    case 'file':
      return fileReason(failure.error).text;
    case 'size-limit':
      return 'File too large';
    case 'connection-lost':
    case 'aborted':
    case 'stalled':
      return CLOSED;
  }
}

/** 426, or the code of the file error; `direction` because MaxRetrieveFileSize answers 426 and MaxStoreFileSize 552. */
export function replyForTransferFailure(failure: TransferFailure, direction: 'upload' | 'download'): Reply {
  if (failure.kind === 'file') {
    const { code, text } = fileReason(failure.error);
    return reply(code, `Transfer aborted. ${text}`);
  }
  if (failure.kind === 'size-limit' && direction === 'upload') {
    return reply(552, `Transfer aborted. ${transferFailureReason(failure)}`);
  }
  return reply(426, `Transfer aborted. ${CLOSED}`);
}

function fileReason(error: FsError): { readonly code: number; readonly text: string } {
  if (error.errno === 'EAGAIN') return { code: 451, text: 'Insufficient memory or file locked' };
  if (error.errno === 'ENXIO') return { code: 451, text: textForFsError(error) };
  switch (error.code) {
    case 'no-space':
      return { code: 452, text: textForFsError(error) };
    case 'quota-exceeded':
    case 'file-too-large':
      return { code: 552, text: textForFsError(error) };
    case 'no-memory':
      return { code: 451, text: 'Insufficient memory or file locked' };
    case 'busy':
    case 'io':
      return { code: 451, text: textForFsError(error) };
    case 'stale':
    case 'timed-out':
      return { code: 450, text: 'Link to file server lost' };
    case 'other':
      return { code: 426, text: CLOSED };
    // Of the file's name rather than its bytes: it was taken, forbidden or removed while the transfer ran.
    default:
      return { code: 451, text: textForFsError(error) };
  }
}
