/** copy-data, copy-file, check-file-name and check-file-handle. */
import { getFips, getHashes } from 'node:crypto';
import { fstatSync, type Stats } from 'node:fs';
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualFileSystem, VirtualPath } from '../../vfs/types.ts';
import { copyRange, digestBlocks } from '../file-copy.ts';
import { extendedRow, type ExtendedRow, type RunningRequest, type SftpService } from '../sftp-types.ts';
import { StatusError } from '../status-error.ts';
import type { ByteReader } from '../../../src/util/byte-reader.ts';
import { MAX_DATA_BYTES, MessageType } from '../wire/message-types.ts';
import { readPath } from '../wire/path-text.ts';
import { encodeExtendedReply } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';
import { fileHandle } from './extended.ts';

interface CopyData {
  readonly from: Buffer;
  readonly fromOffset: number;
  /** 0: to the end of the file. */
  readonly length: number;
  readonly to: Buffer;
  readonly toOffset: number;
}

interface CopyFile {
  readonly from: string;
  readonly to: string;
  readonly overwrite: boolean;
}

interface DigestRange {
  readonly algorithms: readonly string[];
  readonly offset: number;
  /** 0: to the end of the file. */
  readonly length: number;
  /** 0: one digest for all of it. */
  readonly block: number;
}

const MIN_BLOCK = 256;
/** Work of one request: a client that wants more asks again with another offset. */
const MAX_DIGEST_BYTES = 64 * 1024 ** 3;

const digestBytes: Readonly<Record<string, number>> = {
  sha512: 64,
  sha384: 48,
  sha256: 32,
  sha224: 28,
  sha1: 20,
  md5: 16,
};

const common = { type: MessageType.EXTENDED, ftpEquivalent: null } as const;

export const copyRows: readonly ExtendedRow[] = [
  extendedRow<CopyData>({
    ...common,
    extended: 'copy-data',
    extension: 'copyData',
    name: 'COPY_DATA',
    classes: ['MISC', 'READ', 'WRITE', 'SFTP'],
    limit: 'SITE_COPY',
    writes: true,
    parse: (reader) => ({
      from: reader.string(),
      fromOffset: reader.safeU64(),
      length: reader.safeU64(),
      to: reader.string(),
      toOffset: reader.safeU64(),
    }),
    run: copyData,
  }),
  extendedRow<CopyFile>({
    ...common,
    extended: 'copy-file',
    extension: 'copyFile',
    name: 'COPY_FILE',
    classes: ['MISC', 'READ', 'WRITE', 'SFTP'],
    limit: 'SITE_COPY',
    writes: true,
    parse: (reader, version) => ({
      from: readPath(reader, version),
      to: readPath(reader, version),
      overwrite: reader.bool(),
    }),
    run: copyFile,
  }),
  extendedRow<DigestRange & { readonly path: string }>({
    ...common,
    extended: 'check-file-name',
    extension: 'checkFile',
    name: 'CHECK_FILE',
    classes: ['MISC', 'READ', 'SFTP'],
    limit: 'SITE_DIGEST',
    writes: false,
    parse: (reader, version) => ({ path: readPath(reader, version), ...parseRange(reader) }),
    async run(service, asked, request) {
      request.argument = asked.path;
      const path = service.vfs.resolveLiteral(asked.path);
      request.path = path;
      service.vfs.pendingUpdate(path)?.publish();
      const file = service.vfs.openRead(path, 'RETR', ['SITE_DIGEST']);
      try {
        return await digestReply(service, file.descriptor, asked, request.id);
      } finally {
        file.close();
      }
    },
  }),
  // paramiko asks for it by the extension's own name.
  ...['check-file-handle', 'check-file'].map((extended) =>
    extendedRow<DigestRange & { readonly handle: Buffer }>({
      ...common,
      extended,
      extension: 'checkFile',
      name: 'CHECK_FILE',
      classes: ['MISC', 'READ', 'SFTP'],
      limit: 'SITE_DIGEST',
      writes: false,
      parse: (reader) => ({ handle: reader.string(), ...parseRange(reader) }),
      run(service, asked, request) {
        const handle = fileHandle(service, asked.handle);
        request.argument = handle.path;
        request.path = handle.path;
        service.vfs.authorize('SITE_DIGEST', handle.path);
        if (!handle.readable) throw new StatusError(StatusCode.PERMISSION_DENIED);
        return digestReply(service, handle.descriptor, asked, request.id);
      },
    }),
  ),
];

function copyData(service: SftpService, copy: CopyData, request: RunningRequest): Promise<Buffer> {
  const from = fileHandle(service, copy.from);
  const to = fileHandle(service, copy.to);
  request.argument = `${from.path} ${to.path}`;
  request.path = to.path;
  // The same file twice could overlap with itself; the draft leaves that to the server.
  if (from === to) throw new StatusError(StatusCode.INVALID_PARAMETER);
  if (!from.readable || !to.writable) throw new StatusError(StatusCode.PERMISSION_DENIED);
  service.vfs.authorize('SITE_COPY', from.path);
  const length = copy.length === 0 ? Infinity : copy.length;
  from.refreshSize();
  to.refreshSize();
  const start = to.append ? to.size : copy.toOffset;
  const end = start + Math.min(length, Math.max(0, from.size - copy.fromOffset));
  if (to.sizeLimit !== null && end > to.sizeLimit) throw new FsError('file-too-large');
  const range = {
    from: from.descriptor,
    fromOffset: copy.fromOffset,
    length: Math.min(length, Math.max(0, from.size - copy.fromOffset)),
    to: to.descriptor,
    toOffset: copy.toOffset,
  };
  return copyRange(range, () => service.closed).then((bytes) => {
    to.wrote = true;
    to.bytesIn.add(bytes);
    return encodeStatus(service.version, request.id, StatusCode.OK);
  });
}

async function copyFile(service: SftpService, copy: CopyFile, request: RunningRequest): Promise<Buffer> {
  request.argument = `${copy.from} ${copy.to}`;
  const { vfs } = service;
  const from = vfs.resolveLiteral(copy.from);
  const to = vfs.resolveLiteral(copy.to);
  request.path = to;
  request.renameFrom = from;
  vfs.pendingUpdate(from)?.publish();
  const source = vfs.openRead(from, 'RETR', ['SITE_COPY']);
  try {
    if (!copy.overwrite) refuseExisting(service, to);
    const mode = source.stats.mode & 0o777;
    const flags = { read: false, append: false, create: true, truncate: true, exclusive: false, mode };
    refuseSameFile(vfs, source.stats, to);
    const target = vfs.openUpdate(to, flags, 'STOR', ['SITE_COPY']);
    let copied = 0;
    try {
      const { descriptor } = source;
      const range = { from: descriptor, fromOffset: 0, length: source.stats.size, toOffset: 0 };
      copied = await copyRange({ ...range, to: target.descriptor }, () => service.closed);
    } catch (error) {
      target.abort(0);
      throw error;
    }
    target.commit();
    const { facts } = service.session.context;
    facts.filesIn += 1;
    facts.bytesIn += copied;
    return encodeStatus(service.version, request.id, StatusCode.OK);
  } finally {
    source.close();
  }
}

/** Onto itself, or another name of itself, a copy would begin by emptying what it is to read. */
function refuseSameFile(vfs: VirtualFileSystem, source: Stats, to: VirtualPath): void {
  try {
    const target = vfs.stat(to, 'STOR');
    if (target.dev !== source.dev || target.ino !== source.ino) return;
  } catch (error) {
    // What is not there, or may not be looked at, is the opening's to judge.
    if (error instanceof FsError) return;
    throw error;
  }
  throw new StatusError(StatusCode.INVALID_PARAMETER);
}

function refuseExisting(service: SftpService, path: VirtualPath): void {
  try {
    service.vfs.lstat(path, 'STAT');
  } catch (error) {
    if (error instanceof FsError && error.code === 'not-found') return;
    throw error;
  }
  throw new FsError('exists', { errno: 'EEXIST' });
}

function parseRange(reader: ByteReader): DigestRange {
  const algorithms = reader.nameList();
  return { algorithms, offset: reader.safeU64(), length: reader.safeU64(), block: reader.u32() };
}

/** The client's first algorithm that is to be had here: MD5 not under FIPS. */
function chooseAlgorithm(names: readonly string[]): string | null {
  const available = getHashes();
  const found = names.find(
    (name) => name in digestBytes && available.includes(name) && (name !== 'md5' || getFips() === 0),
  );
  return found ?? null;
}

async function digestReply(
  service: SftpService,
  descriptor: number,
  asked: DigestRange,
  id: number,
): Promise<Buffer> {
  const stats = fstatSync(descriptor);
  const algorithm = chooseAlgorithm(asked.algorithms);
  const available = stats.size - asked.offset;
  const length = asked.length === 0 ? available : Math.min(asked.length, available);
  const badBlock = asked.block !== 0 && asked.block < MIN_BLOCK;
  if (algorithm === null || badBlock || !stats.isFile() || available <= 0 || length > MAX_DIGEST_BYTES) {
    throw new StatusError(StatusCode.INVALID_PARAMETER);
  }
  const blocks = asked.block === 0 ? 1 : Math.ceil(length / asked.block);
  if (blocks * digestBytes[algorithm]! > MAX_DATA_BYTES) throw new StatusError(StatusCode.INVALID_PARAMETER);
  const range = { descriptor, offset: asked.offset, length, block: asked.block };
  const digests = await digestBlocks(algorithm, range, () => service.closed);
  return encodeExtendedReply(id, (writer) => writer.string(algorithm).raw(digests));
}
