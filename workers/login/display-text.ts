/**
 * Small text files shown to people (core reference, section 8): DisplayConnect and its kin, SFTPDisplayBanner. Variables are
 * filled in; a missing file is no error.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Settings } from '../../src/config/server-config.ts';
import { strftime } from '../../src/log/strftime.ts';
import type { SessionContext } from '../session/session-context.ts';
import { FsError } from '../vfs/fs-error.ts';
import type { VirtualFileSystem } from '../vfs/types.ts';
import { belowRoot } from '../vfs/virtual-path.ts';

/** What the variables are filled in from; `vfs` is null before login. */
export interface DisplayingSession {
  readonly context: SessionContext;
  readonly settings: Settings;
  readonly vfs: VirtualFileSystem | null;
}

/** A message to people; what is longer is cut. */
const DISPLAY_FILE_LIMIT = 64 * 1024;
const LINE_LIMIT = 500;

/**
 * A file named by an absolute path of the machine, read with the server's own rights: DisplayConnect, and absolute
 * DisplayLogin and DisplayQuit. Null when there is none.
 */
export async function displayHostFile(session: DisplayingSession, path: string): Promise<string[] | null> {
  const text = readHostFile(path);
  return text === null ? null : expandLines(session, text, 'operator');
}

/** A file the user could see: relative to the current directory, or absolute inside the root. Null before login. */
export async function displayUserFile(session: DisplayingSession, path: string): Promise<string[] | null> {
  const { vfs } = session;
  if (vfs === null) return null;
  try {
    const text = vfs.readTextFile(vfs.resolve(path), DISPLAY_FILE_LIMIT);
    return text === null ? null : await expandLines(session, text, 'anybody');
  } catch (error) {
    if (error instanceof FsError) return null;
    throw error;
  }
}

/**
 * DisplayLogin, DisplayFileTransfer and DisplayQuit: an absolute path is the machine's, tried inside the root when it is
 * not there; a relative one counts from the home, wherever the client has gone since.
 */
export async function displaySessionFile(
  session: DisplayingSession,
  home: string | null,
  path: string,
): Promise<string[] | null> {
  if (path.startsWith('/')) return (await displayHostFile(session, path)) ?? displayUserFile(session, path);
  if (session.vfs === null || home === null) return null;
  const start = belowRoot(session.vfs.root, home) ?? '/';
  const besideHome = await displayUserFile(session, `${start === '/' ? '' : start}/${path}`);
  return besideHome ?? displayUserFile(session, path);
}

function readHostFile(path: string): string | null {
  let descriptor: number;
  try {
    // O_NONBLOCK: a FIFO in the file's place must not stop the actor.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
  try {
    if (!fstatSync(descriptor).isFile()) return null;
    const buffer = Buffer.alloc(DISPLAY_FILE_LIMIT);
    return buffer.subarray(0, readSync(descriptor, buffer, 0, DISPLAY_FILE_LIMIT, 0)).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Who may have written the text: the process's environment is shown only to what the operator wrote. */
type Author = 'operator' | 'anybody';

interface Expansion {
  readonly session: DisplayingSession;
  readonly author: Author;
  /** %N and %y. */
  readonly clients: number;
  readonly classClients: number;
}

/** Main is asked for the number of clients only where the text shows it. */
async function expandLines(session: DisplayingSession, text: string, author: Author): Promise<string[]> {
  const expansion = {
    session,
    author,
    clients: text.includes('%N') ? await countClients(session) : 0,
    classClients: text.includes('%y') ? await countClassClients(session) : 0,
  };
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line) => expandLine(expansion, line).slice(0, LINE_LIMIT));
}

async function countClients(session: DisplayingSession): Promise<number> {
  if (session.vfs === null) return session.context.currentClients;
  return session.context.services.countClients();
}

async function countClassClients(session: DisplayingSession): Promise<number> {
  const { className } = session.context.facts;
  return className === null ? 0 : session.context.services.countClients(className);
}

const VARIABLE = /%(?:\{([^}]*)\}|([A-Za-z%]))/g;

function expandLine(expansion: Expansion, line: string): string {
  return line.replace(VARIABLE, (whole: string, long: string | undefined, short: string | undefined) => {
    if (long !== undefined) return expandLong(expansion, long) ?? whole;
    return expandShort(expansion, short ?? '') ?? whole;
  });
}

function expandLong({ session, author }: Expansion, name: string): string | null {
  const { facts } = session.context;
  if (name.startsWith('env:')) {
    const variable = name.slice(4);
    return facts.environment.get(variable) ?? (author === 'operator' ? process.env[variable] : null) ?? '';
  }
  if (name.startsWith('time:')) return strftime(name.slice(5), new Date());
  switch (name) {
    case 'total_bytes_in':
      return String(facts.bytesIn);
    case 'total_bytes_out':
      return String(facts.bytesOut);
    case 'total_bytes_xfer':
      return String(facts.bytesIn + facts.bytesOut);
    case 'total_files_in':
      return String(facts.filesIn);
    case 'total_files_out':
      return String(facts.filesOut);
    case 'total_files_xfer':
      return String(facts.filesIn + facts.filesOut);
    default:
      return null;
  }
}

function expandShort({ session, clients, classClients }: Expansion, letter: string): string | null {
  const { facts } = session.context;
  const { settings, vfs } = session;
  switch (letter) {
    case 'C':
      return vfs?.cwd ?? '/';
    case 'E':
      return settings.serverAdmin;
    case 'F':
      return String(freeBytes(session));
    case 'f':
      return withUnit(freeBytes(session));
    case 'i':
      return String(facts.filesIn);
    case 'o':
      return String(facts.filesOut);
    case 't':
      return String(facts.filesIn + facts.filesOut);
    case 'K':
      return String(facts.bytesIn + facts.bytesOut);
    case 'k':
      return withUnit(facts.bytesIn + facts.bytesOut);
    case 'L':
      return facts.localAddress;
    case 'R':
      return facts.remoteName;
    case 'M':
      return settings.maxClients.count === 0 ? 'unlimited' : String(settings.maxClients.count);
    case 'N':
      return String(clients);
    case 'T':
      return strftime('%a %b %e %H:%M:%S %Y', new Date());
    case 'U':
      return facts.loginName ?? '';
    case 'u':
      return facts.identUser ?? 'UNKNOWN';
    case 'V':
      return settings.serverName;
    case 'x':
      return facts.className ?? '(unknown)';
    case 'y':
      return String(classClients);
    case 'z':
      return classMaximum(session);
    case '%':
      return '%';
    default:
      return null;
  }
}

function classMaximum(session: DisplayingSession): string {
  const { className } = session.context.facts;
  const limit = session.settings.maxClientsPerClass.find((entry) => entry.className === className);
  return limit === undefined || limit.count === 0 ? 'unlimited' : String(limit.count);
}

function freeBytes(session: DisplayingSession): number {
  const { vfs } = session;
  if (vfs === null) return 0;
  try {
    return vfs.freeBytes(vfs.cwd);
  } catch (error) {
    if (error instanceof FsError) return 0;
    throw error;
  }
}

/** `1.50MB`, as the original scales it. */
function withUnit(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value}B` : `${value.toFixed(2)}${units[unit] ?? ''}`;
}
