/** The receiving side of scp (`scp -t`): records and contents from the client become files. */
import { writev } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { SshSession } from '../ssh/ssh-types.ts';
import { SessionTransfer, transferBounds } from '../transfer/session-transfer.ts';
import { admitTransfer, endTransfer } from '../transfer/transfer-admission.ts';
import type { TransferEnd } from '../transfer/transfer-end.ts';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FsError } from '../vfs/fs-error.ts';
import { textForFsError } from '../vfs/fs-error-text.ts';
import type { UploadTarget, VirtualPath } from '../vfs/types.ts';
import type { ChannelInput } from './channel-input.ts';
import type { ChannelOutput } from './channel-output.ts';
import type { ScpCommand } from './wire/command-line.ts';
import { encodeError, parseRecord, ScpRecordError, type ScpRecord } from './wire/control-record.ts';

/** Contents collected for one write. */
const BATCH_BYTES = 256 * 1024;
/** Directories inside one another. */
const MAX_DEPTH = 128;

type FileRecord = Extract<ScpRecord, { kind: 'file' }>;
type DirectoryRecord = Extract<ScpRecord, { kind: 'directory' }>;
type Times = Extract<ScpRecord, { kind: 'times' }>;

/** A directory that is being filled; its mode and times are set when it is left, or they would not last. */
interface Level {
  readonly path: VirtualPath;
  readonly mode: number;
  readonly times: Times | null;
  readonly created: boolean;
}

/** What became of the client's part of a file. */
type Received =
  { readonly kind: 'whole' } | { readonly kind: 'failed'; readonly text: string } | { readonly kind: 'lost' };

type Failed = Extract<Received, { kind: 'failed' }>;

export class ScpSink {
  readonly #session: SshSession;
  readonly #channel: { consumed(bytes: number): void };
  readonly #input: ChannelInput;
  readonly #output: ChannelOutput;
  readonly #command: ScpCommand;
  readonly #levels: Level[] = [];
  #times: Times | null = null;
  #errors = 0;

  constructor(
    session: SshSession,
    channel: { consumed(bytes: number): void },
    input: ChannelInput,
    output: ChannelOutput,
    command: ScpCommand,
  ) {
    this.#session = session;
    this.#channel = channel;
    this.#input = input;
    this.#output = output;
    this.#command = command;
  }

  /** Receives until the client ends. The exit status: 0, or 1 after any error. Throws ScpRecordError and ScpInputError. */
  async run(): Promise<number> {
    const target = this.#session.vfs.resolve(this.#command.path);
    const isDirectory = this.#isDirectory(target);
    if (this.#command.targetIsDirectory && !isDirectory) {
      await this.#refuse('fatal', `${this.#command.path}: Not a directory`);
      return 1;
    }
    await this.#output.ok();
    for (;;) {
      const line = await this.#input.line();
      if (line === null) return this.#errors === 0 ? 0 : 1;
      const record = parseRecord(line);
      if (record.kind === 'fatal') return 1;
      await this.#obey(record, target, isDirectory);
    }
  }

  async #obey(record: ScpRecord, target: VirtualPath, isDirectory: boolean): Promise<void> {
    switch (record.kind) {
      case 'times':
        this.#times = record;
        await this.#output.ok();
        return;
      case 'file':
        return this.#receiveFile(record, this.#placeOf(record.name, target, isDirectory));
      case 'directory':
        return this.#enter(record, this.#placeOf(record.name, target, isDirectory));
      case 'end':
        return this.#leave();
      case 'warning':
        this.#errors += 1;
        this.#session.sftpLog(`scp client reports: ${record.text}`);
        return;
      case 'fatal':
        return;
    }
  }

  /** Inside the directory of the D records; at the top inside the target where that is a directory, else the target itself. */
  #placeOf(name: string, target: VirtualPath, isDirectory: boolean): VirtualPath {
    const parent = this.#levels.at(-1)?.path ?? (isDirectory ? target : null);
    return parent === null
      ? target
      : this.#session.vfs.resolveLiteral(parent === '/' ? `/${name}` : `${parent}/${name}`);
  }

  async #enter(record: DirectoryRecord, path: VirtualPath): Promise<void> {
    if (!this.#command.recursive) throw new ScpRecordError('cannot use directory (no -r option)');
    if (this.#levels.length >= MAX_DEPTH) throw new ScpRecordError('directories nested too deep');
    const times = this.#takeTimes();
    const exists = this.#isDirectory(path);
    try {
      if (!exists) this.#session.vfs.makeDirectory(path, 'MKD');
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // The client walks into the directory all the same unless told to stop.
      await this.#refuse('warning', `${path}: ${textForFsError(error)}`);
      return;
    }
    this.#levels.push({ path, mode: record.mode, times, created: !exists });
    await this.#output.ok();
  }

  async #leave(): Promise<void> {
    const level = this.#levels.pop();
    if (level === undefined) throw new ScpRecordError('expected control message');
    try {
      if (level.created || this.#command.preservesTimes)
        this.#applyAttributes(level.path, level.mode, level.times, 'directory');
      await this.#output.ok();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      await this.#refuse('warning', `${level.path}: ${textForFsError(error)}`);
    }
  }

  async #receiveFile(record: FileRecord, path: VirtualPath): Promise<void> {
    const { vfs } = this.#session;
    const times = this.#takeTimes();
    let target: UploadTarget;
    try {
      target = vfs.openWrite(path, { kind: 'store' }, 'STOR');
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      if (error.code === 'permission-denied')
        this.#session.sftpLog(
          `scp upload to '${vfs.realPath(path)}' blocked by <Limit> configuration or permissions`,
        );
      await this.#refuse('warning', `${path}: ${textForFsError(error)}`);
      return;
    }
    const refusal = await admitTransfer(this.#session, target.settings, 'STOR');
    if (refusal !== null) {
      target.abort(0);
      await this.#refuse('warning', `${path}: ${refusal.text}`);
      return;
    }
    let received: Received;
    try {
      received = await this.#receiveAdmitted(record, path, target);
    } finally {
      endTransfer(this.#session);
    }
    if (received.kind === 'whole') received = this.#finishAttributes(path, record.mode, times, target);
    if (received.kind === 'whole') await this.#output.ok();
    else if (received.kind === 'failed') await this.#refuse('warning', `${path}: ${received.text}`);
  }

  async #receiveAdmitted(record: FileRecord, path: VirtualPath, target: UploadTarget): Promise<Received> {
    const transfer = new SessionTransfer(this.#session, {
      direction: 'upload',
      service: 'scp',
      clientPath: path,
      realPath: target.realPath,
      verb: 'STOR',
      fileSize: record.size,
      fileModified: target.previousSize !== null,
    });
    let received: Received = { kind: 'lost' };
    try {
      await this.#output.ok();
      received = await this.#receiveContents(record.size, target, transfer);
      if (received.kind === 'whole') received = this.#commit(target);
    } finally {
      if (received.kind !== 'whole') target.abort(transfer.bytes);
      transfer.end(endOf(received));
    }
    return received;
  }

  /** All bytes the record announced are read, written or not: else the next record would be looked for in the contents. */
  async #receiveContents(size: number, target: UploadTarget, transfer: SessionTransfer): Promise<Received> {
    const limits = transferBounds(this.#session, target.settings, 'STOR');
    let failure: Failed | null = null;
    if (limits.maxBytes !== null && size > limits.maxBytes) {
      failure = failed('write error: File too large');
      this.#session.sftpLog(
        `error writing ${size} bytes to '${target.realPath}': File too large (MaxStoreFileSize ${limits.maxBytes} exceeded)`,
      );
    }
    for (let position = 0; position < size;) {
      const pieces = await this.#input.pieces(Math.min(size - position, BATCH_BYTES));
      if (pieces === null) return { kind: 'lost' };
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      failure ??= await writeAll(target.descriptor, pieces, position);
      position += bytes;
      if (failure === null) transfer.count(bytes);
      const pause = limits.rate?.delay(position, bytes, performance.now()) ?? 0;
      if (pause > 0) await delay(pause);
      this.#channel.consumed(bytes);
    }
    const status = await this.#input.status();
    if (status.kind === 'lost') return { kind: 'lost' };
    if (status.kind !== 'ok') return failure ?? failed('the client could not read the file');
    return failure ?? { kind: 'whole' };
  }

  #commit(target: UploadTarget): Received {
    try {
      target.commit();
      return { kind: 'whole' };
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      return failed(textForFsError(error));
    }
  }

  #finishAttributes(path: VirtualPath, mode: number, times: Times | null, target: UploadTarget): Received {
    try {
      if (target.previousSize === null || this.#command.preservesTimes)
        this.#applyAttributes(path, mode, times, 'file');
      return { kind: 'whole' };
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      return failed(textForFsError(error));
    }
  }

  /** With -p the mode is the client's own, without it the umask holds; and new entries only (sftp-directives, SFTPOptions). */
  #applyAttributes(path: VirtualPath, mode: number, times: Times | null, kind: 'file' | 'directory'): void {
    const { vfs, settings } = this.#session;
    const { umask } = vfs.configFor(path).settings;
    const command = kind === 'file' ? 'STOR' : 'MKD';
    const mask = this.#command.preservesTimes ? 0 : kind === 'file' ? umask.file : umask.directory;
    if (!settings.sftpOptions.includes('IgnoreSCPUploadPerms'))
      vfs.changeMode(path, mode & 0o777 & ~mask, command);
    if (times !== null && !settings.sftpOptions.includes('IgnoreSCPUploadTimes'))
      vfs.setTimes(path, new Date(times.accessed * 1000), new Date(times.modified * 1000), command);
  }

  #takeTimes(): Times | null {
    const times = this.#times;
    this.#times = null;
    return times;
  }

  #isDirectory(path: VirtualPath): boolean {
    try {
      // Only where the target lies is looked up; what may be done there is asked when it is done.
      return this.#session.vfs.stat(path, 'REALPATH').isDirectory();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      return false;
    }
  }

  async #refuse(kind: 'warning' | 'fatal', text: string): Promise<void> {
    this.#errors += 1;
    await this.#output.write(encodeError(kind, text));
  }
}

function failed(text: string): Failed {
  return { kind: 'failed', text };
}

function endOf(received: Received): TransferEnd {
  if (received.kind === 'whole') return { kind: 'completed' };
  if (received.kind === 'lost') return { kind: 'cancelled', reason: 'connection lost' };
  return { kind: 'failed', reason: received.text };
}

/** Null when everything is on its way to the disk. */
function writeAll(descriptor: number, pieces: readonly Buffer[], position: number): Promise<Failed | null> {
  return new Promise((resolve) => {
    const write = (rest: readonly Buffer[], at: number): void => {
      writev(descriptor, rest, at, (error, written) => {
        if (error !== null) return resolve(failed(`write error: ${textForFsError(toFsError(error))}`));
        const left = behind(rest, written);
        if (left.length === 0) resolve(null);
        else write(left, at + written);
      });
    };
    write(pieces, position);
  });
}

/** What is left of the pieces after `bytes` of them. */
function behind(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skip = bytes;
  const left: Buffer[] = [];
  for (const piece of pieces) {
    if (skip < piece.length) left.push(skip === 0 ? piece : piece.subarray(skip));
    skip = Math.max(0, skip - piece.length);
  }
  return left;
}
