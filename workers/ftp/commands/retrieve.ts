/** RETR: one file to the client. */
import { openDownloadPump } from '../../transfer/open-download-pump.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { OpenedFile, VirtualPath } from '../../vfs/types.ts';
import { finishFileTransfer } from '../finish-file-transfer.ts';
import { replyForFsError } from '../reply-for-error.ts';
import type { FtpSession } from '../session-types.ts';
import { permitTransfer, rateLimit, sizeLimit } from '../transfer-limits.ts';
import { TransferRun, type Mover, type TransferPlan } from '../transfer-run.ts';
import { TransferError } from '../../transfer/transfer-error.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { takeTransferStart, typeWord, type TransferStart } from './transfer-start.ts';

/** RETR pathname. */
export async function retrieve(session: FtpSession, argument: string): Promise<Reply> {
  const start = takeTransferStart(session);
  let path: VirtualPath;
  let file: OpenedFile;
  try {
    path = session.vfs.resolve(argument);
    session.logged.clientPath = path;
    session.logged.realPath = session.vfs.realPath(path);
    file = session.vfs.openRead(path, 'RETR');
  } catch (error) {
    if (error instanceof FsError) return replyForFsError(error, argument, 'RETR');
    throw error;
  }
  try {
    return await sendFile(session, argument, path, file, start);
  } finally {
    file.close();
  }
}

async function sendFile(
  session: FtpSession,
  argument: string,
  path: VirtualPath,
  file: OpenedFile,
  start: TransferStart,
): Promise<Reply> {
  const { size } = file.stats;
  const { settings } = file;
  if (start.offset > 0 && !settings.allowRetrieveRestart) {
    return replyForFsError(new FsError('restart-denied'), argument, 'RETR');
  }
  if (start.offset > size) return reply(554, `${argument}: invalid REST argument`);
  const permit = await permitTransfer(session, settings, 'RETR', argument);
  if (!permit.ok) return permit.reply;
  try {
    const ascii = session.transferType === 'ascii' && !settings.transferOptions.includes('IgnoreASCII');
    const available = size - start.offset;
    const length = start.length === null ? available : Math.min(available, start.length);
    const limit = sizeLimit(session, settings.maxRetrieveFileSize);
    const plan: TransferPlan = {
      verb: 'RETR',
      direction: 'download',
      clientPath: path,
      totalBytes: length,
      opening: `Opening ${typeWord(session)} mode data connection for ${argument} (${length} bytes)`,
      mover: (stream, progress) => {
        if (limit !== null && size > limit) return new RefusedMover(limit);
        return openDownloadPump(stream, settings.useSendfile, {
          descriptor: file.descriptor,
          start: start.offset,
          length: start.length ?? Infinity,
          expected: length,
          ascii,
          bufferSize: settings.transferBufferSize,
          rate: rateLimit(session, settings, 'RETR'),
          progress,
        });
      },
    };
    const run = new TransferRun(session, plan);
    const outcome = await run.run();
    return await finishFileTransfer(session, run, outcome, {
      direction: 'download',
      realPath: file.realPath,
      ascii,
      offset: start.offset,
      fileSize: size,
      fileModified: false,
    });
  } finally {
    await permit.release();
  }
}

/** MaxRetrieveFileSize is checked after 150, as clients of the original see it: 426 without a byte. */
class RefusedMover implements Mover {
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  run(): Promise<void> {
    return Promise.reject(new TransferError({ kind: 'size-limit', limit: this.#limit }));
  }

  stop(): void {
    // Nothing runs that could be stopped.
  }
}
