/** The eight xattr requests of proftpd.org (sftp-protocol, section 10). Off unless `SFTPExtensions +xattr`. */
import type { ByteReader } from '../../../src/util/byte-reader.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { ExtendedAttributes } from '../../vfs/types.ts';
import { extendedRow, type ExtendedRow, type RunningRequest, type SftpService } from '../sftp-types.ts';
import { StatusError } from '../status-error.ts';
import { MessageType } from '../wire/message-types.ts';
import { readPath } from '../wire/path-text.ts';
import { encodeExtendedReply } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';
import { fileHandle } from './extended.ts';

const MAX_NAME_BYTES = 1024;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

type Target =
  { readonly kind: 'path'; readonly path: string } | { readonly kind: 'handle'; readonly name: Buffer };

/** What one of the four operations reads behind its target, and does. */
interface Operation<Parsed> {
  readonly name: string;
  readonly limit: 'STAT' | 'SETSTAT';
  parse(reader: ByteReader): Parsed;
  run(attributes: ExtendedAttributes, parsed: Parsed, service: SftpService, id: number): Buffer;
}

function done(service: SftpService, id: number): Buffer {
  return encodeStatus(service.version, id, StatusCode.OK);
}

function attributeName(reader: ByteReader): string {
  return reader.string(MAX_NAME_BYTES).toString('utf8');
}

const getAttribute: Operation<{ readonly name: string; readonly maxBytes: number }> = {
  name: 'getxattr',
  limit: 'STAT',
  parse: (reader) => ({ name: attributeName(reader), maxBytes: reader.u32() }),
  run(attributes, { name, maxBytes }, _service, id) {
    const value = attributes.get(name, maxBytes);
    return encodeExtendedReply(id, (writer) => writer.string(value));
  },
};

const listAttributes: Operation<number> = {
  name: 'listxattr',
  limit: 'STAT',
  parse: (reader) => reader.u32(),
  run(attributes, maxBytes, _service, id) {
    const names = attributes.list(maxBytes);
    return encodeExtendedReply(id, (writer) => {
      writer.u32(names.length);
      for (const name of names) writer.string(name);
    });
  },
};

const setAttribute: Operation<{ readonly name: string; readonly value: Buffer; readonly flags: number }> = {
  name: 'setxattr',
  limit: 'SETSTAT',
  parse: (reader) => ({ name: attributeName(reader), value: reader.string(), flags: reader.u32() }),
  run(attributes, { name, value, flags }, service, id) {
    if (service.options.has('IgnoreSFTPSetExtendedAttributes')) return done(service, id);
    if (flags > XATTR_REPLACE) throw new StatusError(StatusCode.INVALID_PARAMETER);
    attributes.set(
      name,
      value,
      flags === XATTR_CREATE ? 'create' : flags === XATTR_REPLACE ? 'replace' : 'any',
    );
    return done(service, id);
  },
};

const removeAttribute: Operation<string> = {
  name: 'removexattr',
  limit: 'SETSTAT',
  parse: attributeName,
  run(attributes, name, service, id) {
    if (!service.options.has('IgnoreSFTPSetExtendedAttributes')) attributes.remove(name);
    return done(service, id);
  },
};

function rowsOf<Parsed>(operation: Operation<Parsed>): readonly ExtendedRow[] {
  const { limit } = operation;
  return (['path', 'handle'] as const).map((kind) =>
    extendedRow<{ readonly target: Target; readonly parsed: Parsed }>({
      type: MessageType.EXTENDED,
      extended: `${kind === 'handle' ? 'f' : ''}${operation.name}@proftpd.org`,
      extension: 'xattr',
      name: `${kind === 'handle' ? 'F' : ''}${operation.name.toUpperCase()}`,
      classes: limit === 'STAT' ? ['MISC', 'READ', 'SFTP'] : ['MISC', 'WRITE', 'SFTP'],
      limit,
      writes: limit === 'SETSTAT',
      ftpEquivalent: null,
      parse: (reader, version) => ({
        target: kind === 'path' ? { kind, path: readPath(reader, version) } : { kind, name: reader.string() },
        parsed: operation.parse(reader),
      }),
      run: (service, { target, parsed }, request) =>
        onTarget(service, target, limit, request, (attributes) =>
          operation.run(attributes, parsed, service, request.id),
        ),
    }),
  );
}

function onTarget(
  service: SftpService,
  target: Target,
  limit: string,
  request: RunningRequest,
  use: (attributes: ExtendedAttributes) => Buffer,
): Buffer {
  const { vfs } = service;
  if (target.kind === 'path') {
    request.argument = target.path;
    request.path = vfs.resolveLiteral(target.path);
    return vfs.withExtendedAttributes(request.path, limit, use);
  }
  const handle = fileHandle(service, target.name);
  request.argument = handle.path;
  request.path = handle.path;
  if (limit === 'SETSTAT' && !handle.writable) throw new FsError('permission-denied', { errno: 'EACCES' });
  vfs.authorize(limit, handle.path);
  return vfs.withDescriptorAttributes(handle.descriptor, use);
}

export const extendedAttributeRows: readonly ExtendedRow[] = [
  ...rowsOf(getAttribute),
  ...rowsOf(listAttributes),
  ...rowsOf(setAttribute),
  ...rowsOf(removeAttribute),
];
