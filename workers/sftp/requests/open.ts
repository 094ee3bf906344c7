/** OPEN and CLOSE. */
import type { Settings } from '../../../src/config/server-config.ts';
import type { RateLimiter } from '../../transfer/rate-limit.ts';
import { transferBounds } from '../../transfer/session-transfer.ts';
import { admitTransfer, endTransfer } from '../../transfer/transfer-admission.ts';
import { BYTES_IN, BYTES_OUT, TransferProgress } from '../../transfer/transfer-progress.ts';
import { FsError } from '../../vfs/fs-error.ts';
import type { VirtualPath } from '../../vfs/types.ts';
import { closeHandle } from '../close-handle.ts';
import { FileHandle } from '../file-handle.ts';
import { requestRow, type RequestRow, type RunningRequest, type SftpService } from '../sftp-types.ts';
import { StatusError, unsupported } from '../status-error.ts';
import { MessageType } from '../wire/message-types.ts';
import { parseOpen, type OpenRequest } from '../wire/open-request.ts';
import { encodeHandle } from '../wire/replies.ts';
import { StatusCode, encodeStatus } from '../wire/status.ts';

const READ_OPEN: readonly string[] = ['READ', 'SFTP'];
const WRITE_OPEN: readonly string[] = ['WRITE', 'SFTP'];
const CLOSE_CLASSES: readonly string[] = ['READ', 'WRITE', 'SFTP'];

export const openRows: readonly RequestRow[] = [
  requestRow<OpenRequest>({
    type: MessageType.OPEN,
    name: 'OPEN',
    classes: READ_OPEN,
    limit: 'OPEN',
    writes: true,
    ftpEquivalent: null,
    parse: parseOpen,
    run: openFile,
  }),
  requestRow<Buffer>({
    type: MessageType.CLOSE,
    name: 'CLOSE',
    classes: CLOSE_CLASSES,
    limit: null,
    writes: false,
    ftpEquivalent: null,
    parse: (reader) => reader.string(),
    run(service, name, request) {
      const handle = service.takeHandle(name);
      request.path = handle.path;
      request.argument = handle.path;
      request.realPath = handle.realPath;
      closeHandle(service, handle, true);
      return encodeStatus(service.version, request.id, StatusCode.OK);
    },
  }),
];

function openFile(
  service: SftpService,
  open: OpenRequest,
  request: RunningRequest,
): Buffer | Promise<Buffer> {
  request.argument = open.path;
  request.classes = open.write ? WRITE_OPEN : READ_OPEN;
  if (open.contradictory) throw new StatusError(StatusCode.INVALID_PARAMETER);
  if (open.unsupported) throw unsupported();
  const { vfs } = service;
  const path = vfs.resolveLiteral(open.path);
  request.path = path;
  service.reserveHandle();
  if (open.noFollow) refuseLink(service, path);
  // The session goes on to use the name of what it is writing: from now on that is under its name.
  vfs.pendingUpdate(path)?.publish();
  const handle = open.write ? openUpdate(service, open, path) : openForReading(service, path);
  request.realPath = handle.realPath;
  const admitted = admitTransfer(service.session, handle.settings, handle.command);
  if (admitted === null) return started(service, handle, request.id);
  return admitted.then(
    (refusal) => {
      if (refusal === null && !service.closed) return started(service, handle, request.id);
      if (refusal === null) endTransfer(service.session);
      discard(handle);
      throw new StatusError(StatusCode.PERMISSION_DENIED, refusal?.text);
    },
    (error: unknown) => {
      discard(handle);
      throw error;
    },
  );
}

/** The transfer may not begin, or nobody is there any more to use the handle: nothing was read or written. */
function discard(handle: FileHandle): void {
  if (handle.opened.kind === 'read') handle.opened.file.close();
  else handle.opened.upload.abort(0);
}

function started(service: SftpService, handle: FileHandle, id: number): Buffer {
  const name = service.addHandle(handle);
  service.session.transferStarted();
  service.session.noteTransfer();
  return encodeHandle(id, name);
}

function refuseLink(service: SftpService, path: VirtualPath): void {
  try {
    if (service.vfs.lstat(path, 'OPEN').isSymbolicLink()) throw new StatusError(StatusCode.LINK_LOOP);
  } catch (error) {
    // What is not there may be about to be made.
    if (!(error instanceof FsError) || error.code !== 'not-found') throw error;
  }
}

function openForReading(service: SftpService, path: VirtualPath): FileHandle {
  const file = service.vfs.openRead(path, 'RETR', ['OPEN']);
  return new FileHandle({
    ...transferParts(service, file.settings, 'RETR'),
    path,
    readable: true,
    append: false,
    opened: { kind: 'read', file },
    command: 'RETR',
  });
}

function openUpdate(service: SftpService, open: OpenRequest, path: VirtualPath): FileHandle {
  const command = open.append ? 'APPE' : 'STOR';
  const mode = service.options.has('IgnoreSFTPUploadPerms') ? null : open.attributes.permissions;
  const also = ['OPEN'];
  if (open.read) also.push('RETR');
  // An upload that carries a mode sets it: `<Limit SITE_CHMOD>` speaks about that as well (see IgnoreSFTPUploadPerms).
  if (mode !== null) also.push('SITE_CHMOD');
  const { read, append, create, truncate, exclusive } = open;
  const upload = service.vfs.openUpdate(
    path,
    { read, append, create, truncate, exclusive, mode },
    command,
    also,
  );
  return new FileHandle({
    ...transferParts(service, upload.settings, command),
    path,
    readable: open.read,
    append: open.append,
    opened: { kind: 'update', upload },
    command,
  });
}

interface TransferParts {
  readonly downloadRate: RateLimiter | null;
  readonly uploadRate: RateLimiter | null;
  readonly sizeLimit: number | null;
  readonly bytesIn: TransferProgress;
  readonly bytesOut: TransferProgress;
}

/** TransferRate, MaxStoreFileSize, counters. */
function transferParts(service: SftpService, settings: Settings, command: string): TransferParts {
  const { session } = service;
  const { counters } = session.context;
  const down = transferBounds(session, settings, 'RETR');
  return {
    downloadRate: down.rate,
    uploadRate: command === 'RETR' ? null : transferBounds(session, settings, command).rate,
    sizeLimit: down.maxBytes,
    bytesIn: new TransferProgress(counters, BYTES_IN),
    bytesOut: new TransferProgress(counters, BYTES_OUT),
  };
}
