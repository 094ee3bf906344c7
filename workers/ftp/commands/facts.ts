/** MFMT and MFF (draft-somers-ftp-mfxx): change the facts of a file. */
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import type { FtpCommand } from '../command.ts';
import { replyForFsError } from '../reply-for-error.ts';
import type { FtpSession } from '../session-types.ts';
import { parseTimeVal } from '../time-val.ts';
import { reply, type Reply } from '../wire/reply.ts';
import { commandRow } from './row.ts';

const WRONG_COUNT = reply(501, 'Invalid number of parameters');

interface FactChange {
  readonly name: string;
  readonly value: string;
  readonly apply: (session: FtpSession, path: VirtualPath) => void;
}

/** `first SP rest`, where the rest is a path that may contain spaces; null when one of them is missing. */
function splitPath(argument: string): { readonly head: string; readonly path: string } | null {
  const space = argument.indexOf(' ');
  if (space <= 0 || space === argument.length - 1) return null;
  return { head: argument.slice(0, space), path: argument.slice(space + 1) };
}

/** Runs the change; errors name the path, not the whole argument. */
function onPath(
  session: FtpSession,
  argument: string,
  verb: string,
  change: (path: VirtualPath) => void,
): Reply | null {
  try {
    const path = session.vfs.resolve(argument);
    session.logged.clientPath = path;
    session.logged.realPath = session.vfs.realPath(path);
    change(path);
    return null;
  } catch (error) {
    if (error instanceof FsError) return replyForFsError(error, argument, verb);
    throw error;
  }
}

function modifyTime(session: FtpSession, argument: string): Reply {
  const parts = splitPath(argument);
  if (parts === null) return WRONG_COUNT;
  const time = parseTimeVal(parts.head);
  if (time === null) return reply(501, `MFMT: invalid timestamp '${parts.head}'`);
  const refusal = onPath(session, parts.path, 'MFMT', (path) =>
    session.vfs.setTimes(path, time, time, 'MFMT'),
  );
  return refusal ?? reply(213, `Modify=${parts.head}; ${parts.path}`);
}

function modifyFacts(session: FtpSession, argument: string): Reply {
  const parts = splitPath(argument);
  if (parts === null || !parts.head.endsWith(';')) return WRONG_COUNT;
  const changes: FactChange[] = [];
  for (const fact of parts.head.split(';').filter((text) => text !== '')) {
    const change = parseChange(session, fact);
    if (!('apply' in change)) return change;
    changes.push(change);
  }
  if (changes.length === 0) return WRONG_COUNT;
  const refusal = onPath(session, parts.path, 'MFF', (path) => {
    for (const change of changes) change.apply(session, path);
  });
  const applied = changes.map((change) => `${change.name}=${change.value};`).join('');
  return refusal ?? reply(213, `${applied} ${parts.path}`);
}

/** One `name=value` of MFF, checked before anything is changed. */
function parseChange(session: FtpSession, fact: string): FactChange | Reply {
  const equals = fact.indexOf('=');
  const name = equals === -1 ? fact : fact.slice(0, equals);
  const value = equals === -1 ? '' : fact.slice(equals + 1);
  switch (name.toLowerCase()) {
    case 'modify': {
      const time = parseTimeVal(value);
      if (time === null) return reply(501, `MFF: invalid fact value '${fact}'`);
      return { name: 'modify', value, apply: ({ vfs }, path) => vfs.setTimes(path, time, time, 'MFF') };
    }
    case 'unix.mode': {
      if (!/^[0-7]{3,4}$/.test(value)) return reply(501, `MFF: invalid fact value '${fact}'`);
      const mode = Number.parseInt(value, 8);
      return {
        name: 'UNIX.mode',
        value,
        apply: alsoLimitedBy('SITE_CHMOD', ({ vfs }, path) => vfs.changeMode(path, mode, 'MFF')),
      };
    }
    case 'unix.group': {
      const gid = /^\d{1,10}$/.test(value) ? Number(value) : session.vfs.owners.gidOf(value);
      if (gid === null) return reply(501, `MFF: invalid fact value '${fact}'`);
      return {
        name: 'UNIX.group',
        value,
        apply: alsoLimitedBy('SITE_CHGRP', ({ vfs }, path) => vfs.changeGroup(path, gid, 'MFF')),
      };
    }
    default:
      return reply(504, `MFF: unsupported fact '${name}'`);
  }
}

/** `<Limit SITE_CHMOD>` is how people forbid new modes: another name for the same change must not lead around it. */
function alsoLimitedBy(command: string, apply: FactChange['apply']): FactChange['apply'] {
  return (session, path) => {
    session.vfs.stat(path, command);
    apply(session, path);
  };
}

export const factCommands: readonly FtpCommand[] = [
  commandRow({
    verbs: ['MFMT'],
    syntax: 'MFMT <sp> timestamp <sp> pathname',
    feature: () => 'MFMT',
    limitGroup: 'WRITE',
    logClasses: ['WRITE'],
    argumentCount: null,
    run: modifyTime,
  }),
  commandRow({
    verbs: ['MFF'],
    syntax: 'MFF <sp> fact=value;... <sp> pathname',
    feature: () => 'MFF modify;UNIX.group;UNIX.mode;',
    limitGroup: 'WRITE',
    logClasses: ['WRITE'],
    argumentCount: null,
    run: modifyFacts,
  }),
];
