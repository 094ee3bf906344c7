/** REMOVE, RENAME, REALPATH, READLINK, SYMLINK, LINK, BLOCK, UNBLOCK. */
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import { attributesOf } from '../entry-attributes.ts';
import { requestRow, type RequestRow, type RunningRequest, type SftpService } from '../sftp-types.ts';
import { StatusError, unsupported } from '../status-error.ts';
import { NO_ATTRIBUTES } from '../wire/attributes.ts';
import { MessageType } from '../wire/message-types.ts';
import { readPath } from '../wire/path-text.ts';
import { encodeNames } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';

const READ_CLASSES: readonly string[] = ['READ', 'SFTP'];
const WRITE_CLASSES: readonly string[] = ['WRITE', 'SFTP'];

/** Flags of RENAME in versions 5 and 6; each of them lets the target be replaced. */
const RENAME_REPLACES = 0x7;

interface Rename {
  readonly from: string;
  readonly to: string;
  readonly replace: boolean;
}

interface MakeLink {
  readonly target: string;
  readonly path: string;
  readonly symbolic: boolean;
}

/** Values of the control byte, not bits (draft-13, section 8.9). */
const RealPathControl = { NO_CHECK: 1, STAT_IF: 2, STAT_ALWAYS: 3 } as const;

interface RealPath {
  readonly path: string;
  readonly control: number;
  readonly compose: readonly string[];
}

const MAX_COMPOSED = 64;

export const nameRows: readonly RequestRow[] = [
  requestRow<string>({
    type: MessageType.REMOVE,
    name: 'REMOVE',
    classes: WRITE_CLASSES,
    limit: 'DELE',
    writes: true,
    ftpEquivalent: 'DELE',
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      const { vfs } = service;
      const path = vfs.resolveLiteral(target);
      request.path = path;
      vfs.pendingUpdate(path)?.publish();
      vfs.removeFile(path, 'DELE');
      service.log.deleted(vfs.realPath(path));
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
  requestRow<Rename>({
    type: MessageType.RENAME,
    name: 'RENAME',
    classes: WRITE_CLASSES,
    limit: 'RNTO',
    writes: true,
    ftpEquivalent: 'RNTO',
    parse: (reader, version) => ({
      from: readPath(reader, version),
      to: readPath(reader, version),
      replace: version >= 5 && (reader.u32() & RENAME_REPLACES) !== 0,
    }),
    run: (service, { from, to, replace }, request) => rename(service, from, to, replace, request),
  }),
  requestRow<RealPath>({
    type: MessageType.REALPATH,
    name: 'REALPATH',
    classes: ['DIRS', 'INFO', 'SFTP'],
    limit: null,
    writes: false,
    ftpEquivalent: null,
    parse(reader, version) {
      const path = readPath(reader, version);
      if (version < 6 || reader.remaining === 0) return { path, control: 0, compose: [] };
      const control = reader.u8();
      const compose: string[] = [];
      while (reader.remaining > 0 && compose.length < MAX_COMPOSED) compose.push(readPath(reader, version));
      return { path, control, compose };
    },
    run: realPath,
  }),
  requestRow<string>({
    type: MessageType.READLINK,
    name: 'READLINK',
    classes: READ_CLASSES,
    limit: 'READLINK',
    writes: false,
    ftpEquivalent: null,
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      const path = service.vfs.resolveLiteral(target);
      request.path = path;
      return encodePath(service, request.id, readLink(service, path));
    },
  }),
  requestRow<MakeLink>({
    type: MessageType.SYMLINK,
    name: 'SYMLINK',
    classes: WRITE_CLASSES,
    limit: 'SYMLINK',
    writes: true,
    ftpEquivalent: null,
    // The draft has the link first; every client that talks to OpenSSH and mod_sftp has the target first.
    parse: (reader, version) => ({
      target: readPath(reader, version),
      path: readPath(reader, version),
      symbolic: true,
    }),
    run: (service, link, request) =>
      makeLink(
        service,
        keepsDraftOrder(service) ? { ...link, target: link.path, path: link.target } : link,
        request,
      ),
  }),
  requestRow<MakeLink>({
    type: MessageType.LINK,
    name: 'LINK',
    classes: WRITE_CLASSES,
    limit: 'SYMLINK',
    writes: true,
    ftpEquivalent: null,
    parse(reader, version) {
      const path = readPath(reader, version);
      return { path, target: readPath(reader, version), symbolic: reader.bool() };
    },
    run: makeLink,
  }),
  lockRow(MessageType.BLOCK, 'LOCK', 20),
  lockRow(MessageType.UNBLOCK, 'UNLOCK', 16),
];

/** Byte-range locks: Node has none the kernel knows, and ones that only this server knows would promise too much. */
function lockRow(type: number, name: string, rangeBytes: number): RequestRow {
  return requestRow<Buffer>({
    type,
    name,
    classes: WRITE_CLASSES,
    limit: 'LOCK',
    writes: false,
    ftpEquivalent: null,
    parse(reader) {
      const handle = reader.string();
      reader.raw(rangeBytes);
      return handle;
    },
    run(service, handleName, request) {
      const handle = service.handle(handleName);
      request.argument = handle.path;
      request.path = handle.path;
      service.vfs.authorize('LOCK', handle.path);
      throw unsupported();
    },
  });
}

/** RENAME and posix-rename@openssh.com. A regular file moves to another file system by a copy, as with FTP. */
export function rename(
  service: SftpService,
  from: string,
  to: string,
  replace: boolean,
  request: RunningRequest,
): Buffer | Promise<Buffer> {
  request.argument = `${from} ${to}`;
  const { vfs, version } = service;
  const source = vfs.resolveLiteral(from);
  const target = vfs.resolveLiteral(to);
  request.path = target;
  request.renameFrom = source;
  vfs.pendingUpdate(source)?.publish();
  vfs.pendingUpdate(target)?.publish();
  try {
    vfs.rename(source, target, 'RNTO', replace);
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'cross-device') throw error;
    const moved = vfs.moveByCopy(source, target, 'RNTO', replace);
    return moved.then(() => encodeStatus(version, request.id, StatusCode.OK));
  }
  return encodeStatus(version, request.id, StatusCode.OK);
}

/** AsyncSSH follows the draft, unless the server calls itself by one of the names it knows to do otherwise. */
function keepsDraftOrder({ session }: SftpService): boolean {
  if (!session.client.softwareVersion.startsWith('AsyncSSH_')) return false;
  const { enabled, text = '' } = session.settings.serverIdent;
  return !(enabled && /OpenSSH|paramiko/.test(text));
}

function makeLink(
  service: SftpService,
  { target, path: link, symbolic }: MakeLink,
  request: RunningRequest,
): Buffer {
  request.argument = `${target} ${link}`;
  const { vfs } = service;
  const path = vfs.resolveLiteral(link);
  request.path = path;
  if (symbolic) vfs.makeSymbolicLink(target, path, 'SYMLINK');
  else hardLink(service, target, path, 'SYMLINK');
  return encodeStatus(service.version, request.id, StatusCode.OK);
}

export function hardLink(service: SftpService, target: string, path: VirtualPath, command: string): void {
  const existing = service.vfs.resolveLiteral(target);
  // Under a second name the file could be read where <Limit> forbids it under its first.
  service.vfs.authorize('RETR', existing);
  service.vfs.pendingUpdate(existing)?.publish();
  service.vfs.makeHardLink(existing, path, command);
}

function readLink(service: SftpService, path: VirtualPath): string {
  try {
    return service.vfs.readLink(path, 'READLINK');
  } catch (error) {
    // EINVAL: there is something, and it is no link.
    if (error instanceof FsError && error.errno === 'EINVAL')
      throw new StatusError(StatusCode.INVALID_PARAMETER);
    throw error;
  }
}

function realPath(service: SftpService, asked: RealPath, request: RunningRequest): Buffer {
  request.argument = asked.path;
  const { vfs } = service;
  let text = asked.path;
  for (const more of asked.compose) text = more.startsWith('/') ? more : `${text}/${more}`;
  const path = vfs.resolveLiteral(text);
  request.path = path;
  const found = canonical(service, path, asked.control);
  if (found.stats === null && asked.control === RealPathControl.STAT_ALWAYS) {
    throw new FsError('not-found', { errno: 'ENOENT' });
  }
  const shown = asked.control === RealPathControl.STAT_IF || asked.control === RealPathControl.STAT_ALWAYS;
  const attributes = shown && found.stats !== null ? attributesOf(service, found.stats) : NO_ATTRIBUTES;
  return encodeNames(
    service.version,
    request.id,
    [{ name: found.path, longName: found.path, attributes }],
    null,
  );
}

/** Version 6 may ask for a path that leads nowhere; earlier ones want its directory to exist, as OpenSSH does. */
function canonical(
  service: SftpService,
  path: VirtualPath,
  control: number,
): ReturnType<SftpService['vfs']['canonicalPath']> {
  try {
    return service.vfs.canonicalPath(path, 'REALPATH');
  } catch (error) {
    const lenient = control === RealPathControl.NO_CHECK || control === RealPathControl.STAT_IF;
    const absent =
      error instanceof FsError && (error.code === 'not-found' || error.code === 'not-a-directory');
    if ((lenient || service.version >= 6) && absent && control !== RealPathControl.STAT_ALWAYS)
      return { path, stats: null };
    throw error;
  }
}

/** NAME with one path in it. */
export function encodePath(service: SftpService, id: number, path: string): Buffer {
  const entry = { name: path, longName: path, attributes: NO_ATTRIBUTES };
  return encodeNames(service.version, id, [entry], null);
}
