/** The sending side of scp (`scp -f`): files and directories become records and contents for the client. */
import { read, type Stats } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { SshSession } from '../ssh/ssh-types.ts';
import { SessionTransfer, transferBounds } from '../transfer/session-transfer.ts';
import { admitTransfer, endTransfer } from '../transfer/transfer-admission.ts';
import type { TransferEnd } from '../transfer/transfer-end.ts';
import { toFsError } from '../vfs/errno-mapping.ts';
import { FsError } from '../vfs/fs-error.ts';
import { textForFsError } from '../vfs/fs-error-text.ts';
import type { DirectoryCursor, OpenedFile, VirtualPath } from '../vfs/types.ts';
import type { ChannelInput } from './channel-input.ts';
import type { ChannelOutput } from './channel-output.ts';
import { expandNames } from './name-expansion.ts';
import type { ScpCommand } from './wire/command-line.ts';
import { encodeError, encodeRecord } from './wire/control-record.ts';

const READ_BYTES = 256 * 1024;
const DIRECTORY_BATCH = 256;
const MAX_DEPTH = 128;

/** The client wants no more, or is gone. */
class StopSending extends Error {}

export class ScpSource {
  readonly #session: SshSession;
  readonly #input: ChannelInput;
  readonly #output: ChannelOutput;
  readonly #command: ScpCommand;
  #errors = 0;

  constructor(session: SshSession, input: ChannelInput, output: ChannelOutput, command: ScpCommand) {
    this.#session = session;
    this.#input = input;
    this.#output = output;
    this.#command = command;
  }

  /**
   * Sends everything the command names. The exit status: 0, or 1 after any error. Throws ScpInputError. The caller then
   * closes: clients read until this side does.
   */
  async run(): Promise<number> {
    try {
      await this.#acknowledged();
      for (const name of await this.#names()) await this.#send(name, 0);
      // The client has acknowledged everything; OpenSSH's waits for this side to end.
      return this.#errors === 0 ? 0 : 1;
    } catch (error) {
      if (error instanceof StopSending) return 1;
      throw error;
    }
  }

  async #names(): Promise<readonly string[]> {
    const { path } = this.#command;
    try {
      return await expandNames(this.#session, path, () => this.#output.closed);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      await this.#complain(`${path}: ${textForFsError(error)}`);
      return [];
    }
  }

  async #send(name: string, depth: number): Promise<void> {
    const { vfs } = this.#session;
    try {
      const path = vfs.resolve(name);
      const stats = vfs.stat(path, 'RETR');
      if (stats.isDirectory()) await this.#sendDirectory(path, name, stats, depth);
      else if (stats.isFile()) await this.#sendFile(path, stats);
      else await this.#complain(`cannot send '${name}': Not a regular file`);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      await this.#complain(`${name}: ${textForFsError(error)}`);
    }
  }

  async #sendDirectory(path: VirtualPath, name: string, stats: Stats, depth: number): Promise<void> {
    if (!this.#command.recursive) return this.#complain(`cannot send directory '${name}' (no -r option)`);
    if (depth >= MAX_DEPTH) return this.#complain(`cannot send directory '${name}': nested too deep`);
    // Before anything is announced: a directory that cannot be read is an error of its own.
    const cursor = this.#session.vfs.openDirectory(path, 'LIST');
    try {
      await this.#sendTimes(stats);
      const record = encodeRecord({ kind: 'directory', mode: stats.mode & 0o7777, name: lastName(path) });
      if (!(await this.#announced(record))) return;
      await this.#sendEntries(path, cursor, depth);
    } finally {
      cursor.close();
    }
    await this.#announced(encodeRecord({ kind: 'end' }));
  }

  async #sendEntries(path: VirtualPath, cursor: DirectoryCursor, depth: number): Promise<void> {
    try {
      while (!cursor.ended)
        for (const { name } of cursor.next(DIRECTORY_BATCH))
          await this.#send(path === '/' ? `/${name}` : `${path}/${name}`, depth + 1);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      await this.#complain(`${path}: ${textForFsError(error)}`);
    }
  }

  async #sendFile(path: VirtualPath, stats: Stats): Promise<void> {
    const file = this.#session.vfs.openRead(path, 'RETR');
    try {
      const refusal = await admitTransfer(this.#session, file.settings, 'RETR');
      if (refusal !== null) return await this.#complain(`${path}: ${refusal.text}`);
      try {
        await this.#sendTimes(stats);
        const { size, mode } = file.stats;
        const record = encodeRecord({ kind: 'file', mode: mode & 0o7777, size, name: lastName(path) });
        if (await this.#announced(record)) await this.#sendContents(path, file);
      } finally {
        endTransfer(this.#session);
      }
    } finally {
      file.close();
    }
  }

  async #sendContents(path: VirtualPath, file: OpenedFile): Promise<void> {
    const transfer = new SessionTransfer(this.#session, {
      direction: 'download',
      service: 'scp',
      clientPath: path,
      realPath: file.realPath,
      verb: 'RETR',
      fileSize: file.stats.size,
      fileModified: false,
    });
    let end: TransferEnd = { kind: 'cancelled', reason: 'connection lost' };
    try {
      const failure = await this.#pump(file, transfer);
      if (failure === null) {
        await this.#write(Buffer.of(0));
        // Everything is out. libssh2 goes without an acknowledgment, for it has what it asked for.
        end = { kind: 'completed' };
        if (!(await this.#acknowledged())) end = { kind: 'failed', reason: 'refused by the client' };
      } else {
        end = { kind: 'failed', reason: failure };
        await this.#complain(`${path}: ${failure}`);
        await this.#acknowledged();
      }
    } finally {
      transfer.end(end);
      const { bytes } = transfer;
      this.#session.context.log.trace('scp', 8, () => `sent '${path}': ${end.kind}, ${bytes} bytes`);
    }
  }

  /**
   * Exactly the announced number of bytes: a file that shrank is filled up with zeros and reported, one that grew is cut.
   * The reason of a failure, or null.
   */
  async #pump(file: OpenedFile, transfer: SessionTransfer): Promise<string | null> {
    const { size } = file.stats;
    const { rate } = transferBounds(this.#session, file.settings, 'RETR');
    const chunk = rate?.chunkSize ?? READ_BYTES;
    let failure: string | null = null;
    for (let position = 0; position < size;) {
      // The channel keeps what it is given, so every piece is a buffer of its own.
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunk, size - position));
      const filled: number | string =
        failure === null ? await readFully(file.descriptor, buffer, position) : 0;
      if (typeof filled === 'string' || filled < buffer.length) {
        failure ??= typeof filled === 'string' ? filled : 'file changed size';
        buffer.fill(0, typeof filled === 'string' ? 0 : filled);
      }
      position += buffer.length;
      transfer.count(buffer.length);
      await this.#write(buffer);
      const pause = rate?.delay(position, buffer.length, performance.now()) ?? 0;
      if (pause > 0) await delay(pause);
    }
    return failure;
  }

  async #sendTimes(stats: Stats): Promise<void> {
    if (!this.#command.preservesTimes) return;
    const seconds = (milliseconds: number): number => Math.max(0, Math.floor(milliseconds / 1000));
    const times = {
      kind: 'times',
      modified: seconds(stats.mtimeMs),
      accessed: seconds(stats.atimeMs),
    } as const;
    await this.#announced(encodeRecord(times));
  }

  /** Sends a record; false when the client skips what it announces. */
  async #announced(record: Buffer): Promise<boolean> {
    await this.#write(record);
    return this.#acknowledged();
  }

  /** False after a warning of the client's. */
  async #acknowledged(): Promise<boolean> {
    const status = await this.#input.status();
    if (status.kind === 'ok') return true;
    if (status.kind === 'lost') throw new StopSending();
    this.#errors += 1;
    this.#session.sftpLog(`scp client reports: ${status.text}`);
    if (status.kind === 'fatal') throw new StopSending();
    return false;
  }

  async #complain(text: string): Promise<void> {
    this.#errors += 1;
    await this.#write(encodeError('warning', text));
  }

  async #write(bytes: Buffer): Promise<void> {
    if (!(await this.#output.write(bytes))) throw new StopSending();
  }
}

/** Bytes read, fewer only at the end of the file; or the text of an error. */
function readFully(descriptor: number, buffer: Buffer, position: number): Promise<number | string> {
  return new Promise((resolve) => {
    const more = (filled: number): void => {
      read(descriptor, buffer, filled, buffer.length - filled, position + filled, (error, bytes) => {
        if (error !== null) resolve(`read error: ${textForFsError(toFsError(error))}`);
        else if (bytes === 0 || filled + bytes === buffer.length) resolve(filled + bytes);
        else more(filled + bytes);
      });
    };
    more(0);
  });
}

function lastName(path: VirtualPath): string {
  return path === '/' ? '.' : path.slice(path.lastIndexOf('/') + 1);
}
