/** STAT, LSTAT, FSTAT, SETSTAT, FSETSTAT. */
import type { Stats } from 'node:fs';
import type { ByteReader } from '../../../src/util/byte-reader.ts';
import { transferBounds } from '../../transfer/session-transfer.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import { attributesOf, changesOf, limitsOf } from '../entry-attributes.ts';
import type { FileHandle } from '../file-handle.ts';
import { requestRow, type RequestRow, type RunningRequest, type SftpService } from '../sftp-types.ts';
import { StatusError, unsupported } from '../status-error.ts';
import { parseAttributes, type FileAttributes } from '../wire/attributes.ts';
import { MessageType, type SftpVersion } from '../wire/message-types.ts';
import { readPath } from '../wire/path-text.ts';
import { encodeAttributes } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';

const READ_CLASSES: readonly string[] = ['READ', 'SFTP'];
const WRITE_CLASSES: readonly string[] = ['WRITE', 'SFTP'];

interface StatRequest<Target> {
  readonly target: Target;
  readonly wanted: number;
}

interface ChangeRequest<Target> {
  readonly target: Target;
  readonly attributes: FileAttributes;
}

function statRow(type: number, name: 'STAT' | 'LSTAT'): RequestRow {
  return requestRow<StatRequest<string>>({
    type,
    name,
    classes: READ_CLASSES,
    limit: name,
    writes: false,
    ftpEquivalent: null,
    parse: (reader, version) => ({ target: readPath(reader, version), wanted: readWanted(reader, version) }),
    run(service, { target, wanted }, request) {
      request.argument = target;
      const path = service.vfs.resolveLiteral(target);
      request.path = path;
      const stats = statOf(service, path, name);
      return encodeAttributes(service.version, request.id, attributesOf(service, stats, wanted));
    },
  });
}

/** Version 4 and later say what they want; absent, it is everything (draft-13, section 8.4). */
function readWanted(reader: ByteReader, version: SftpVersion): number {
  return version >= 4 ? reader.u32() : 0;
}

/** What this session is uploading shows as it is so far, though it is not under its name yet. */
function statOf(service: SftpService, path: VirtualPath, command: 'STAT' | 'LSTAT'): Stats {
  const { vfs } = service;
  const pending = vfs.pendingUpdate(path);
  if (pending === null) return command === 'STAT' ? vfs.stat(path, command) : vfs.lstat(path, command);
  vfs.authorize(command, path);
  return pending.stats();
}

export const attributeRows: readonly RequestRow[] = [
  statRow(MessageType.STAT, 'STAT'),
  statRow(MessageType.LSTAT, 'LSTAT'),
  requestRow<StatRequest<Buffer>>({
    type: MessageType.FSTAT,
    name: 'FSTAT',
    classes: READ_CLASSES,
    limit: 'FSTAT',
    writes: false,
    ftpEquivalent: null,
    parse: (reader, version) => ({ target: reader.string(), wanted: readWanted(reader, version) }),
    run(service, { target, wanted }, request) {
      const handle = service.handle(target);
      request.argument = handle.path;
      request.path = handle.path;
      request.realPath = handle.realPath;
      const stats =
        handle.kind === 'file' ? statFile(service, handle) : service.vfs.stat(handle.path, 'FSTAT');
      return encodeAttributes(service.version, request.id, attributesOf(service, stats, wanted));
    },
  }),
  requestRow<ChangeRequest<string>>({
    type: MessageType.SETSTAT,
    name: 'SETSTAT',
    classes: WRITE_CLASSES,
    limit: 'SETSTAT',
    writes: true,
    ftpEquivalent: null,
    parse: (reader, version) => ({
      target: readPath(reader, version),
      attributes: parseAttributes(reader, version),
    }),
    run: (service, { target, attributes }, request) => setStat(service, target, attributes, true, request),
  }),
  requestRow<ChangeRequest<Buffer>>({
    type: MessageType.FSETSTAT,
    name: 'FSETSTAT',
    classes: WRITE_CLASSES,
    limit: 'SETSTAT',
    writes: true,
    ftpEquivalent: null,
    parse: (reader, version) => ({ target: reader.string(), attributes: parseAttributes(reader, version) }),
    run(service, { target, attributes }, request) {
      const handle = service.handle(target);
      request.argument = handle.path;
      request.path = handle.path;
      request.realPath = handle.realPath;
      if (handle.kind === 'directory') return setStat(service, handle.path, attributes, true, request);
      changeFile(service, handle, attributes);
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
];

/** `<Limit>` is asked by the path the handle was opened with; a name that is gone by now forbids nothing. */
function askLimits(service: SftpService, path: VirtualPath, commands: readonly string[]): void {
  for (const command of commands) {
    try {
      service.vfs.authorize(command, path);
    } catch (error) {
      if (!(error instanceof FsError) || (error.code !== 'not-found' && error.code !== 'not-a-directory'))
        throw error;
    }
  }
}

function statFile(service: SftpService, handle: FileHandle): Stats {
  askLimits(service, handle.path, ['FSTAT']);
  return handle.stats();
}

/** SETSTAT, and lsetstat@openssh.com with `follow` false. */
export function setStat(
  service: SftpService,
  target: string,
  attributes: FileAttributes,
  follow: boolean,
  request: RunningRequest,
): Buffer {
  request.argument = target;
  const { vfs } = service;
  const path = vfs.resolveLiteral(target);
  request.path = path;
  if (attributes.hasAcl) throw unsupported();
  const changes = changesOf(service, attributes);
  const limits = limitsOf(changes);
  const pending = vfs.pendingUpdate(path);
  refuseExcess(service, path, changes.size);
  if (pending === null) vfs.changeAttributes(path, changes, follow, ['SETSTAT', ...limits]);
  else {
    askLimits(service, path, ['SETSTAT', ...limits]);
    pending.change(changes);
  }
  return encodeStatus(service.version, request.id, StatusCode.OK);
}

/** MaxStoreFileSize: a file grows by its size as well as by being written. */
function refuseExcess(service: SftpService, path: VirtualPath, size: number | null): void {
  if (size === null) return;
  const { maxBytes } = transferBounds(service.session, service.vfs.configFor(path).settings, 'STOR');
  if (maxBytes !== null && size > maxBytes) throw new FsError('file-too-large');
}

function changeFile(service: SftpService, handle: FileHandle, attributes: FileAttributes): void {
  if (attributes.hasAcl) throw unsupported();
  const changes = changesOf(service, attributes);
  askLimits(service, handle.path, ['SETSTAT', ...limitsOf(changes)]);
  if (changes.size !== null) {
    if (!handle.writable) throw new StatusError(StatusCode.PERMISSION_DENIED);
    // A handle that only appends may be open where nothing may be overwritten, and truncation does just that.
    if (handle.inPlace && handle.previousSize !== null && !handle.settings.allowOverwrite)
      throw new FsError('overwrite-denied');
    if (handle.sizeLimit !== null && changes.size > handle.sizeLimit) throw new FsError('file-too-large');
  }
  if (handle.opened.kind === 'update') handle.opened.upload.change(changes);
  else service.vfs.changeOpenFile(handle.descriptor, changes);
  if (changes.size !== null) handle.size = changes.size;
}
