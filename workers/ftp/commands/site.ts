/** SITE (RFC 959, section 4.1.3): CHMOD, CHGRP, HELP. `<Limit>` knows them as SITE_CHMOD and so on. */
import type { FtpCommand } from '../command.ts';
import { changedMode, isMode } from '../mode-change.ts';
import { replyForFsError } from '../reply-for-error.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import type { FtpSession } from '../session-types.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';

interface SiteCommand {
  readonly syntax: string;
  readonly run: (session: FtpSession, argument: string) => Reply;
}

/** `SITE CHMOD mode path`: the first word, and everything behind the space, which may contain spaces. */
function splitWord(argument: string): { readonly word: string; readonly rest: string } | null {
  const space = argument.indexOf(' ');
  if (space <= 0 || space === argument.length - 1) return null;
  return { word: argument.slice(0, space), rest: argument.slice(space + 1) };
}

/** Errors name the path, not the whole argument of SITE. */
function onPath(
  session: FtpSession,
  argument: string,
  verb: string,
  change: (path: VirtualPath) => void,
): Reply {
  try {
    const path = session.vfs.resolve(argument);
    session.logged.clientPath = path;
    session.logged.realPath = session.vfs.realPath(path);
    change(path);
    return reply(200, `SITE ${verb} command successful`);
  } catch (error) {
    if (error instanceof FsError) return replyForFsError(error, argument, `SITE_${verb}`);
    throw error;
  }
}

function changeMode(session: FtpSession, argument: string): Reply {
  const parts = splitWord(argument);
  if (parts === null) return reply(500, "'SITE CHMOD' requires parameters");
  if (!isMode(parts.word)) return reply(550, `'${parts.word}': invalid mode`);
  return onPath(session, parts.rest, 'CHMOD', (path) => {
    const stats = session.vfs.stat(path, 'SITE_CHMOD');
    const { umask } = session.vfs.configFor(path).settings;
    const mode = changedMode(parts.word, stats.mode, stats.isDirectory(), umask.file);
    if (mode !== null) session.vfs.changeMode(path, mode, 'SITE_CHMOD');
  });
}

function changeGroup(session: FtpSession, argument: string): Reply {
  const parts = splitWord(argument);
  if (parts === null) return reply(500, "'SITE CHGRP' requires parameters");
  const { word } = parts;
  const gid = session.vfs.owners.gidOf(word) ?? (/^\d{1,10}$/.test(word) ? Number(word) : null);
  if (gid === null) return reply(550, `'${word}': unknown group`);
  return onPath(session, parts.rest, 'CHGRP', (path) => session.vfs.changeGroup(path, gid, 'SITE_CHGRP'));
}

const siteCommandTable: ReadonlyMap<string, SiteCommand> = new Map([
  ['HELP', { syntax: 'HELP', run: (session) => siteHelp(session) }],
  ['CHGRP', { syntax: 'CHGRP <sp> group <sp> pathname', run: changeGroup }],
  ['CHMOD', { syntax: 'CHMOD <sp> mode <sp> pathname', run: changeMode }],
]);

/** SITE HELP and HELP SITE. */
export function siteHelp(session: FtpSession): Reply {
  return {
    code: 214,
    text: "The following SITE commands are recognized (* =>'s unimplemented)",
    body: [...siteCommandTable.values()].map((command) => command.syntax),
    end: `Direct comments to ${session.settings.serverAdmin}`,
  };
}

function site(session: FtpSession, argument: string): Reply {
  const space = argument.indexOf(' ');
  const name = space === -1 ? argument : argument.slice(0, space);
  if (name === '') return reply(500, "'SITE' requires parameters");
  const command = siteCommandTable.get(name.toUpperCase());
  if (command === undefined) return reply(500, `'SITE ${name}' not understood`);
  return command.run(session, space === -1 ? '' : argument.slice(space + 1));
}

export const siteCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['SITE'],
    syntax: 'SITE <sp> string',
    // FEAT names SITE extensions one by one; CHMOD and CHGRP have no FEAT line of their own in RFC 2389's registry.
    argumentCount: null,
    run: site,
  }),
];
