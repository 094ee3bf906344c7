/** OPENDIR, READDIR, MKDIR, RMDIR. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FsError } from '../../vfs/fs-error.ts';
import { ListLineFormatter } from '../../vfs/list-line.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import { DirectoryHandle, type ListedEntry } from '../directory-handle.ts';
import { namedEntry } from '../entry-attributes.ts';
import { requestRow, type RequestRow, type RunningRequest, type SftpService } from '../sftp-types.ts';
import { StatusError, unknownHandle } from '../status-error.ts';
import { parseAttributes, type FileAttributes } from '../wire/attributes.ts';
import { MessageType } from '../wire/message-types.ts';
import { readPath } from '../wire/path-text.ts';
import { encodeHandle, encodeNames } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';

const DIRECTORY_CLASSES: readonly string[] = ['DIRS', 'SFTP'];
const CHANGE_CLASSES: readonly string[] = ['DIRS', 'WRITE', 'SFTP'];

/** Entries of one NAME: what OpenSSH sends, some 20 KiB. */
const BATCH = 100;

interface MakeDirectory {
  readonly target: string;
  readonly attributes: FileAttributes;
}

export const directoryRows: readonly RequestRow[] = [
  requestRow<string>({
    type: MessageType.OPENDIR,
    name: 'OPENDIR',
    classes: DIRECTORY_CLASSES,
    limit: 'MLSD',
    writes: false,
    ftpEquivalent: 'MLSD',
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      const path = service.vfs.resolveLiteral(target);
      request.path = path;
      service.reserveHandle();
      return encodeHandle(request.id, service.addHandle(openDirectory(service, path)));
    },
  }),
  requestRow<Buffer>({
    type: MessageType.READDIR,
    name: 'READDIR',
    classes: DIRECTORY_CLASSES,
    limit: 'LIST',
    writes: false,
    ftpEquivalent: null,
    parse: (reader) => reader.string(),
    run: readDirectory,
  }),
  requestRow<MakeDirectory>({
    type: MessageType.MKDIR,
    name: 'MKDIR',
    classes: CHANGE_CLASSES,
    limit: 'MKD',
    writes: true,
    ftpEquivalent: 'MKD',
    parse: (reader, version) => ({
      target: readPath(reader, version),
      attributes: parseAttributes(reader, version),
    }),
    run(service, { target, attributes }, request) {
      request.argument = target;
      const path = service.vfs.resolveLiteral(target);
      request.path = path;
      const mode = service.options.has('IgnoreSFTPUploadPerms') ? null : attributes.permissions;
      if (mode !== null) service.vfs.authorize('SITE_CHMOD', path);
      if (mode === null) service.vfs.makeDirectory(path, 'MKD');
      else service.vfs.makeDirectory(path, 'MKD', mode);
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
  requestRow<string>({
    type: MessageType.RMDIR,
    name: 'RMDIR',
    classes: CHANGE_CLASSES,
    limit: 'RMD',
    writes: true,
    ftpEquivalent: 'RMD',
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      const path = service.vfs.resolveLiteral(target);
      request.path = path;
      service.vfs.removeDirectory(path, 'RMD');
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
];

function openDirectory(service: SftpService, path: VirtualPath): DirectoryHandle {
  const { vfs } = service;
  const cursor = vfs.openDirectory(path, 'MLSD');
  try {
    const denied = listingRefusal(service, path);
    const extra = denied === null ? dotEntries(service, path) : [];
    if (denied === null) {
      // Hidden from everybody else, but this client has opened them and would miss them.
      for (const pending of vfs.pendingIn(path)) {
        extra.push({
          name: pending.virtualPath.slice(pending.virtualPath.lastIndexOf('/') + 1),
          stats: pending.stats(),
        });
      }
    }
    return new DirectoryHandle(path, vfs.realPath(path), cursor, extra, denied);
  } catch (error) {
    cursor.close();
    throw error;
  }
}

/** `<Limit LIST>` and `<Limit NLST>`: the directory opens, and shows nothing. */
function listingRefusal(service: SftpService, path: VirtualPath): FsError | null {
  try {
    service.vfs.authorize('LIST', path);
    service.vfs.authorize('NLST', path);
    return null;
  } catch (error) {
    if (error instanceof FsError) return error;
    throw error;
  }
}

function dotEntries(service: SftpService, path: VirtualPath): ListedEntry[] {
  const entries: ListedEntry[] = [];
  const parent = (path.slice(0, path.lastIndexOf('/')) || '/') as VirtualPath;
  for (const [name, at] of [
    ['.', path],
    ['..', parent],
  ] as const) {
    try {
      entries.push({ name, stats: service.vfs.stat(at, 'LIST') });
    } catch (error) {
      // A parent the session may not look at is left out.
      if (!(error instanceof FsError)) throw error;
    }
  }
  return entries;
}

function readDirectory(
  service: SftpService,
  name: Buffer,
  request: RunningRequest,
): Buffer | Promise<Buffer> {
  const handle = service.handle(name);
  request.argument = handle.path;
  request.path = handle.path;
  request.realPath = handle.realPath;
  if (handle.kind !== 'directory') throw unknownHandle();
  if (handle.denied !== null) {
    service.session.sftpLog(`READDIR of '${handle.path}' blocked by <Limit> configuration`);
    throw new StatusError(StatusCode.EOF);
  }
  const entries = nextEntries(handle);
  // A batch may be all hidden names; the search for the next visible one must not stop every other session.
  if (entries.length === 0 && !handle.cursor.ended) return searchOn(service, handle, request.id);
  return encodeEntries(service, handle, entries, request.id);
}

function nextEntries(handle: DirectoryHandle): readonly ListedEntry[] {
  if (handle.extra.length > 0) return handle.extra.splice(0, BATCH);
  return handle.cursor.ended ? [] : handle.cursor.next(BATCH);
}

async function searchOn(service: SftpService, handle: DirectoryHandle, id: number): Promise<Buffer> {
  let entries: readonly ListedEntry[] = [];
  while (entries.length === 0 && !handle.cursor.ended && !service.closed) {
    await nextTurn();
    if (!service.closed) entries = nextEntries(handle);
  }
  return encodeEntries(service, handle, entries, id);
}

function encodeEntries(
  service: SftpService,
  handle: DirectoryHandle,
  entries: readonly ListedEntry[],
  id: number,
): Buffer {
  if (entries.length === 0) throw new StatusError(StatusCode.EOF);
  const lines = service.version > 3 ? null : longNames(service);
  const named = entries.map((entry) => namedEntry(service, entry.name, entry.stats, lines));
  return encodeNames(service.version, id, named, handle.cursor.ended && handle.extra.length === 0);
}

export function longNames(service: SftpService): ListLineFormatter {
  const gmt = service.session.settings.timesGMT;
  return new ListLineFormatter({ style: 'Unix', gmt, humanSizes: false, now: Date.now() });
}
