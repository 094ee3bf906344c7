/** EXTENDED requests that change or look up names, file systems and accounts (sftp-protocol, section 10). */
import { fsync } from 'node:fs';
import { toFsError } from '../../vfs/errno-mapping.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { FileSystemStatistics } from '../../vfs/file-system-statistics.ts';
import type { FileHandle } from '../file-handle.ts';
import { extendedRow, type ExtendedRow, type SftpService } from '../sftp-types.ts';
import { StatusError, unknownHandle, unsupported } from '../status-error.ts';
import { parseAttributes, type FileAttributes } from '../wire/attributes.ts';
import { MAX_DATA_BYTES, MAX_PACKET_BYTES, MessageType } from '../wire/message-types.ts';
import { readPath } from '../wire/path-text.ts';
import { encodeExtendedReply } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';
import { setStat } from './attributes.ts';
import { encodePath, hardLink, rename } from './names.ts';
import { MAX_HANDLES } from '../session-handles.ts';

const MISC: readonly string[] = ['MISC', 'SFTP'];
const WRITES: readonly string[] = ['MISC', 'WRITE', 'SFTP'];
const READS: readonly string[] = ['MISC', 'READ', 'SFTP'];
/** Of packed ids in one request. */
const MAX_ID_BYTES = 4096;

const common = { type: MessageType.EXTENDED, limit: null, writes: false, ftpEquivalent: null } as const;

interface TwoPaths {
  readonly first: string;
  readonly second: string;
}

export const extendedRows: readonly ExtendedRow[] = [
  extendedRow<TwoPaths>({
    ...common,
    extended: 'posix-rename@openssh.com',
    extension: 'posixRename',
    name: 'RENAME',
    classes: WRITES,
    limit: 'RNTO',
    writes: true,
    ftpEquivalent: 'RNTO',
    parse: (reader, version) => ({ first: readPath(reader, version), second: readPath(reader, version) }),
    run: (service, { first, second }, request) => rename(service, first, second, true, request),
  }),
  extendedRow<TwoPaths>({
    ...common,
    extended: 'hardlink@openssh.com',
    extension: 'hardlink',
    name: 'HARDLINK',
    classes: WRITES,
    limit: 'HARDLINK',
    writes: true,
    parse: (reader, version) => ({ first: readPath(reader, version), second: readPath(reader, version) }),
    run(service, { first, second }, request) {
      request.argument = `${first} ${second}`;
      const path = service.vfs.resolveLiteral(second);
      request.path = path;
      hardLink(service, first, path, 'HARDLINK');
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
  extendedRow<Buffer>({
    ...common,
    extended: 'fsync@openssh.com',
    extension: 'fsync',
    name: 'FSYNC',
    classes: MISC,
    parse: (reader) => reader.string(),
    run(service, name, request) {
      const handle = fileHandle(service, name);
      request.argument = handle.path;
      request.path = handle.path;
      return new Promise((resolve, reject) => {
        fsync(handle.descriptor, (error) => {
          if (error === null) resolve(encodeStatus(service.version, request.id, StatusCode.OK));
          else reject(toFsError(error));
        });
      });
    },
  }),
  extendedRow<string>({
    ...common,
    extended: 'statvfs@openssh.com',
    extension: 'statvfs',
    name: 'STATVFS',
    classes: READS,
    limit: 'STAT',
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      request.path = service.vfs.resolveLiteral(target);
      return encodeStatistics(request.id, service.vfs.statistics(request.path, 'STAT'));
    },
  }),
  extendedRow<Buffer>({
    ...common,
    extended: 'fstatvfs@openssh.com',
    extension: 'statvfs',
    name: 'FSTATVFS',
    classes: READS,
    limit: 'STAT',
    parse: (reader) => reader.string(),
    run(service, name, request) {
      const handle = service.handle(name);
      request.argument = handle.path;
      request.path = handle.path;
      return encodeStatistics(request.id, service.vfs.statistics(nearestPath(service, handle.path), 'STAT'));
    },
  }),
  extendedRow<{ readonly target: string; readonly attributes: FileAttributes }>({
    ...common,
    extended: 'lsetstat@openssh.com',
    extension: null,
    name: 'LSETSTAT',
    classes: WRITES,
    limit: 'SETSTAT',
    writes: true,
    parse: (reader, version) => ({
      target: readPath(reader, version),
      attributes: parseAttributes(reader, version),
    }),
    run: (service, { target, attributes }, request) => setStat(service, target, attributes, false, request),
  }),
  extendedRow<null>({
    ...common,
    extended: 'limits@openssh.com',
    extension: 'limits',
    name: 'LIMITS',
    classes: MISC,
    parse: () => null,
    run: (_service, _nothing, request) =>
      encodeExtendedReply(request.id, (writer) => {
        writer.u64(MAX_PACKET_BYTES).u64(MAX_DATA_BYTES).u64(MAX_DATA_BYTES).u64(MAX_HANDLES);
      }),
  }),
  extendedRow<string>({
    ...common,
    extended: 'expand-path@openssh.com',
    extension: null,
    name: 'EXPAND_PATH',
    classes: MISC,
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      return encodePath(service, request.id, expandPath(service, target));
    },
  }),
  extendedRow<string>({
    ...common,
    extended: 'home-directory',
    extension: 'homeDirectory',
    name: 'HOMEDIR',
    classes: MISC,
    parse: readPath,
    run(service, user, request) {
      request.argument = user;
      if (user !== '' && !isSelf(service, user)) throw new StatusError(StatusCode.PERMISSION_DENIED);
      return encodePath(service, request.id, service.vfs.resolve('~'));
    },
  }),
  extendedRow<{ readonly users: Buffer; readonly groups: Buffer }>({
    ...common,
    extended: 'users-groups-by-id@openssh.com',
    extension: 'userGroupNames',
    name: 'USERS_GROUPS_BY_ID',
    classes: MISC,
    parse: (reader) => ({ users: reader.string(MAX_ID_BYTES), groups: reader.string(MAX_ID_BYTES) }),
    run(service, { users, groups }, request) {
      const { owners } = service;
      return encodeExtendedReply(request.id, (writer) => {
        writer.string(packedNames(users, (id) => owners.userName(id)));
        writer.string(packedNames(groups, (id) => owners.groupName(id)));
      });
    },
  }),
  extendedRow<string>({
    ...common,
    extended: 'space-available',
    extension: 'spaceAvailable',
    name: 'SPACE_AVAILABLE',
    classes: READS,
    limit: 'STAT',
    parse: readPath,
    run(service, target, request) {
      request.argument = target;
      request.path = service.vfs.resolveLiteral(target);
      const found = service.vfs.statistics(request.path, 'STAT');
      const unit = found.fragmentSize === 0n ? found.blockSize : found.fragmentSize;
      return encodeExtendedReply(request.id, (writer) => {
        writer.u64(found.blocks * unit).u64(found.freeBlocks * unit);
        // What is reserved for root is not the user's.
        writer.u64((found.blocks - found.freeBlocks + found.availableBlocks) * unit);
        writer.u64(found.availableBlocks * unit).u32(Number(found.blockSize));
      });
    },
  }),
  extendedRow<string>({
    ...common,
    extended: 'version-select',
    extension: 'versionSelect',
    name: 'VERSION_SELECT',
    classes: MISC,
    parse: (reader) => reader.string(16).toString('latin1'),
    run(service, version, request) {
      request.argument = version;
      service.selectVersion(version);
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
  extendedRow<readonly string[]>({
    ...common,
    extended: 'vendor-id',
    extension: null,
    name: 'VENDOR_ID',
    classes: MISC,
    parse(reader) {
      const names = [0, 1, 2].map(() => reader.string(256).toString('utf8'));
      reader.u64();
      return names;
    },
    run(service, names, request) {
      request.argument = names.join(' ');
      service.session.sftpLog(`client vendor-id: '${names.join("', '")}'`);
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
  extendedRow<Buffer>({
    ...common,
    extended: 'text-seek',
    extension: null,
    name: 'TEXT_SEEK',
    classes: MISC,
    parse: (reader) => reader.string(),
    run() {
      // Lines here end as they do in the file: a text file is a file like any other.
      throw unsupported();
    },
  }),
];

/** The handle of a file; directories are no files. */
export function fileHandle(service: SftpService, name: Buffer): FileHandle {
  const handle = service.handle(name);
  if (handle.kind !== 'file') throw unknownHandle();
  return handle;
}

/** An upload that is not under its name yet is on the file system of its directory. */
function nearestPath(service: SftpService, path: FileHandle['path']): FileHandle['path'] {
  if (service.vfs.pendingUpdate(path) === null) return path;
  return service.vfs.resolveLiteral(path.slice(0, path.lastIndexOf('/')) || '/');
}

/** struct statvfs as eleven u64. */
function encodeStatistics(id: number, found: FileSystemStatistics): Buffer {
  return encodeExtendedReply(id, (writer) => {
    writer.u64(found.blockSize).u64(found.fragmentSize).u64(found.blocks).u64(found.freeBlocks);
    writer.u64(found.availableBlocks).u64(found.files).u64(found.freeFiles).u64(found.availableFiles);
    writer.u64(found.fileSystemId).u64(found.flags).u64(found.nameMax);
  });
}

function isSelf(service: SftpService, user: string): boolean {
  return user === service.session.account.user || user === service.session.loginName;
}

/** `~`, `~/x`, `~user`, `~user/x` and relative paths; other users' homes are theirs. */
function expandPath(service: SftpService, target: string): string {
  const { vfs } = service;
  if (!target.startsWith('~')) return vfs.resolveLiteral(target);
  const slash = target.indexOf('/');
  const user = slash < 0 ? target.slice(1) : target.slice(1, slash);
  if (user !== '' && !isSelf(service, user)) throw new FsError('not-found');
  const rest = slash < 0 ? '' : target.slice(slash);
  return vfs.resolveLiteral(`${vfs.resolve('~')}${rest}`);
}

/** `u32 id` packed in, `string name` packed out; an unknown id is an empty name. */
function packedNames(ids: Buffer, nameOf: (id: number) => string): Buffer {
  if (ids.length % 4 !== 0) throw new StatusError(StatusCode.BAD_MESSAGE);
  const parts: Buffer[] = [];
  for (let at = 0; at < ids.length; at += 4) {
    const id = ids.readUInt32BE(at);
    const name = nameOf(id);
    const bytes = Buffer.from(name === String(id) ? '' : name);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}
