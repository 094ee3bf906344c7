/** DELE RNFR RNTO (RFC 959, section 4.1.3), SIZE and MDTM (RFC 3659, sections 3 and 4). */
import type { FtpCommand } from '../command.ts';
import type { FtpSession } from '../session-types.ts';
import { formatTimeVal } from '../time-val.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import { commandRow } from './row.ts';

const NO_ARGUMENT = reply(501, 'Invalid number of parameters');

/** Resolves the argument and notes the path for the logs. */
function notedPath(session: FtpSession, argument: string): VirtualPath {
  const path = session.vfs.resolve(argument);
  session.logged.clientPath = path;
  session.logged.realPath = session.vfs.realPath(path);
  return path;
}

function deleteFile(session: FtpSession, argument: string): Reply {
  if (argument === '') return NO_ARGUMENT;
  const path = notedPath(session, argument);
  const { size } = session.vfs.lstat(path, 'DELE');
  session.vfs.removeFile(path, 'DELE');
  const { log, facts } = session.context;
  // A deletion is a line of the TransferLog too, with direction `d` (core reference, section 9).
  log.transfer({
    finishedAt: new Date(),
    seconds: 0,
    bytes: size,
    realPath: session.vfs.realPath(path),
    ascii: session.transferType === 'ascii',
    direction: 'd',
    anonymous: session.config.anonymous !== null,
    user: (session.config.anonymous === null ? facts.user : facts.anonymousPassword) ?? 'UNKNOWN',
    service: facts.protocol,
    identUser: facts.identUser,
    completed: true,
  });
  return reply(250, 'DELE command successful');
}

function renameFrom(session: FtpSession, argument: string): Reply {
  if (argument === '') return NO_ARGUMENT;
  const path = notedPath(session, argument);
  session.vfs.lstat(path, 'RNFR');
  session.renameFrom = path;
  return reply(350, 'File or directory exists, ready for destination name');
}

async function renameTo(session: FtpSession, argument: string): Promise<Reply> {
  const from = session.renameFrom;
  session.renameFrom = null;
  if (from === null) return reply(503, 'Bad sequence of commands');
  if (argument === '') return NO_ARGUMENT;
  session.logged.renameFrom = session.vfs.realPath(from);
  const to = notedPath(session, argument);
  try {
    session.vfs.rename(from, to, 'RNTO');
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'cross-device') throw error;
    await session.vfs.moveByCopy(from, to, 'RNTO');
  }
  return reply(250, 'Rename successful');
}

/** The size a RETR would send; in ASCII that number is not known without reading the file (RFC 3659, section 4.2). */
function fileSize(session: FtpSession, argument: string): Reply {
  if (argument === '') return NO_ARGUMENT;
  if (session.transferType === 'ascii') return reply(550, 'SIZE not allowed in ASCII mode');
  const stats = session.vfs.stat(notedPath(session, argument), 'SIZE');
  return stats.isFile() ? reply(213, String(stats.size)) : reply(550, `${argument}: not a regular file`);
}

function modificationTime(session: FtpSession, argument: string): Reply {
  if (argument === '') return NO_ARGUMENT;
  const stats = session.vfs.stat(notedPath(session, argument), 'MDTM');
  return stats.isFile()
    ? reply(213, formatTimeVal(stats.mtimeMs))
    : reply(550, `${argument}: not a plain file`);
}

export const fileCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['DELE'],
    syntax: 'DELE <sp> pathname',
    limitGroup: 'WRITE',
    logClasses: ['WRITE'],
    argumentCount: null,
    run: deleteFile,
  }),
  commandRow({
    verbs: ['RNFR'],
    syntax: 'RNFR <sp> pathname',
    limitGroup: 'WRITE',
    logClasses: ['MISC', 'WRITE'],
    argumentCount: null,
    run: renameFrom,
  }),
  commandRow({
    verbs: ['RNTO'],
    syntax: 'RNTO <sp> pathname',
    limitGroup: 'WRITE',
    logClasses: ['MISC', 'WRITE'],
    keepsRename: true,
    argumentCount: null,
    run: renameTo,
  }),
  commandRow({
    verbs: ['SIZE'],
    syntax: 'SIZE <sp> pathname',
    feature: () => 'SIZE',
    limitGroup: 'READ',
    logClasses: ['INFO'],
    argumentCount: null,
    run: fileSize,
  }),
  commandRow({
    verbs: ['MDTM'],
    syntax: 'MDTM <sp> pathname',
    feature: () => 'MDTM',
    limitGroup: 'DIRS',
    logClasses: ['INFO'],
    argumentCount: null,
    run: modificationTime,
  }),
];
