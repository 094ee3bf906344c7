/** CWD CDUP PWD MKD RMD and their X forms (RFC 959, section 4.1; RFC 775; RFC 1123, section 4.1.3.1). */
import { authorizeCommand } from '../../access/authorize.ts';
import type { FtpCommand } from '../command.ts';
import { FsError } from '../../vfs/fs-error.ts';
import { displayUserFile } from '../display-file.ts';
import { readmeNotice } from '../readme-notice.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, withLinesBefore, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';

const NO_ARGUMENT = reply(501, 'Invalid number of parameters');

/** `"/a ""b"""`: quotes in a path are doubled (RFC 959, appendix II). */
export function quotePath(path: string): string {
  return `"${path.replaceAll('"', '""')}"`;
}

async function changeDirectory(session: FtpSession, argument: string, verb: string): Promise<Reply> {
  if (argument === '') return NO_ARGUMENT;
  const path = session.vfs.resolve(argument);
  session.logged.clientPath = path;
  session.logged.realPath = session.vfs.realPath(path);
  session.vfs.changeDirectory(path, verb);
  const answer = reply(250, `${verb} command successful`);
  return withLinesBefore(answer, await arrivalLines(session));
}

/** DisplayChdir and DisplayReadme of the directory just entered. */
async function arrivalLines(session: FtpSession): Promise<string[]> {
  const { displayChdir, displayReadme } = session.directoryConfig.settings;
  if (displayChdir === null && displayReadme.length === 0) return [];
  const lines: string[] = [];
  if (displayChdir !== null && isDue(session, displayChdir)) {
    lines.push(...((await displayUserFile(session, displayChdir.path)) ?? []));
  }
  lines.push(...readmeNotice(session, displayReadme));
  return lines;
}

/** Messages already shown: directory -> time the file had then. */
const shownMessages = new WeakMap<FtpSession, Map<string, number>>();
const SHOWN_LIMIT = 1_000;

/** `DisplayChdir file on`: only at the first visit, or when the file changed since. */
function isDue(
  session: FtpSession,
  message: { readonly path: string; readonly onlyChanged: boolean },
): boolean {
  if (!message.onlyChanged) return true;
  const modified = modificationTime(session, message.path);
  const shown = shownMessages.get(session) ?? new Map<string, number>();
  shownMessages.set(session, shown);
  if (shown.get(session.vfs.cwd) === modified) return false;
  if (shown.size < SHOWN_LIMIT) shown.set(session.vfs.cwd, modified);
  return true;
}

function modificationTime(session: FtpSession, path: string): number {
  try {
    return session.vfs.stat(session.vfs.resolve(path), 'CWD').mtimeMs;
  } catch (error) {
    if (error instanceof FsError) return 0;
    throw error;
  }
}

function changeRow(verb: string): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax: `${verb} <sp> pathname`,
    limitGroup: 'DIRS',
    logClasses: ['DIRS'],
    argumentCount: null,
    run: (session, argument) => changeDirectory(session, argument, verb),
  });
}

function upRow(verb: string): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax: `${verb} (up one directory)`,
    limitGroup: 'DIRS',
    logClasses: ['DIRS'],
    argumentCount: [0, 0],
    run: (session) => changeDirectory(session, '..', verb),
  });
}

function printRow(verb: string): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax: `${verb} (returns current working directory)`,
    // RFC 3659, section 6: paths are those of a Trivial Virtual File Store.
    feature: verb === 'PWD' ? () => 'TVFS' : () => null,
    limitGroup: 'DIRS',
    logClasses: ['INFO'],
    argumentCount: [0, 0],
    run: (session) => {
      const { vfs, config, directoryConfig } = session;
      const permission = authorizeCommand(directoryConfig, verb, vfs.cwd, config.principal);
      if (!permission.allowed) return reply(550, `${verb}: Operation not permitted`);
      return reply(257, `${quotePath(vfs.cwd)} is the current directory`);
    },
  });
}

function makeRow(verb: string): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax: `${verb} <sp> pathname`,
    limitGroup: 'WRITE',
    logClasses: ['DIRS', 'WRITE'],
    argumentCount: null,
    run: (session, argument) => {
      if (argument === '') return NO_ARGUMENT;
      const path = session.vfs.resolve(argument);
      session.logged.clientPath = path;
      session.logged.realPath = session.vfs.realPath(path);
      session.vfs.makeDirectory(path, verb);
      return reply(257, `${quotePath(path)} - Directory successfully created`);
    },
  });
}

function removeRow(verb: string): FtpCommand {
  return commandRow({
    verbs: [verb],
    syntax: `${verb} <sp> pathname`,
    limitGroup: 'WRITE',
    logClasses: ['DIRS', 'WRITE'],
    argumentCount: null,
    run: (session, argument) => {
      if (argument === '') return NO_ARGUMENT;
      const path = session.vfs.resolve(argument);
      session.logged.clientPath = path;
      session.logged.realPath = session.vfs.realPath(path);
      session.vfs.removeDirectory(path, verb);
      return reply(250, `${verb} command successful`);
    },
  });
}

export const directoryCommands: readonly FtpCommand[] = [
  ...['CWD', 'XCWD'].map(changeRow),
  ...['CDUP', 'XCUP'].map(upRow),
  ...['PWD', 'XPWD'].map(printRow),
  ...['MKD', 'XMKD'].map(makeRow),
  ...['RMD', 'XRMD'].map(removeRow),
];
