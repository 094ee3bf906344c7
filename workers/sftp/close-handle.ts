/** The end of a handle: by CLOSE, or because the channel is gone. */
import { endTransfer } from '../transfer/transfer-admission.ts';
import { toFsError } from '../vfs/errno-mapping.ts';
import type { DirectoryHandle } from './directory-handle.ts';
import type { FileHandle } from './file-handle.ts';
import type { SftpService } from './sftp-types.ts';

/**
 * Closes, commits an upload that the client has closed, aborts one it has not, and writes the transfer's logs. Throws
 * FsError where an upload cannot get its name: the handle is gone all the same.
 */
export function closeHandle(
  service: SftpService,
  handle: FileHandle | DirectoryHandle,
  byClient: boolean,
): void {
  if (handle.kind === 'directory') {
    handle.cursor.close();
    return;
  }
  let failure = handle.failure;
  try {
    if (handle.writable) handle.refreshSize();
    finishFile(handle, byClient);
  } catch (error) {
    failure ??= toFsError(error);
    throw error;
  } finally {
    service.log.transferEnded(handle, failure === null ? null : failure.code, byClient);
    service.session.transferEnded();
    service.session.noteTransfer();
    endTransfer(service.session);
  }
}

function finishFile(handle: FileHandle, byClient: boolean): void {
  const { opened } = handle;
  if (opened.kind === 'read') opened.file.close();
  else if (byClient && handle.failure === null) opened.upload.commit();
  else opened.upload.abort(handle.bytesIn.bytes);
  // The client was told with its WRITE; half a file must not take the place of a whole one all the same.
  if (byClient && handle.failure !== null) throw handle.failure;
}
