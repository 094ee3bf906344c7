/** What requests see of the channel they run on, and the shape of their rows. `sftp-channel.ts` implements it. */
import type { ByteReader } from '../../src/util/byte-reader.ts';
import type { SftpExtension, SftpOption } from '../../src/config/server-config.ts';
import type { SshSession } from '../ssh/ssh-types.ts';
import type { FakedAttributes } from '../vfs/faked-attributes.ts';
import type { VirtualFileSystem, VirtualPath } from '../vfs/types.ts';
import type { OpenHandle } from './handle-table.ts';
import type { RequestLog } from './request-log.ts';
import type { SftpVersion } from './wire/message-types.ts';

export interface VersionRange {
  readonly min: SftpVersion;
  readonly max: SftpVersion;
}

export interface SftpService {
  readonly session: SshSession;
  readonly vfs: VirtualFileSystem;
  readonly version: SftpVersion;
  readonly allowedVersions: VersionRange;
  readonly options: ReadonlySet<SftpOption>;
  readonly extensions: ReadonlySet<SftpExtension>;
  /** Names of owners as listings show them. */
  readonly owners: FakedAttributes;
  readonly log: RequestLog;
  /** The channel is gone: long work stops. */
  readonly closed: boolean;
  /** The handle's name for the client. StatusError where the session holds as many as it may. */
  addHandle(handle: OpenHandle): Buffer;
  /** Whether one more handle may be opened; StatusError otherwise. */
  reserveHandle(): void;
  /** StatusError for a name that is no open handle. */
  handle(name: Buffer): OpenHandle;
  takeHandle(name: Buffer): OpenHandle;
  /** The following traffic is in this version; StatusError when it is too late for that, and the channel closes. */
  selectVersion(version: string): void;
}

/** One request while it runs; rows fill in what the logs want to know. */
export interface RunningRequest {
  readonly id: number;
  argument: string;
  path: VirtualPath | null;
  /** Where the name above does not say it: a file that was resolved already. */
  realPath: string | null;
  renameFrom: string | null;
  /** Other classes than the row's: OPEN is READ or WRITE by its access. */
  classes: readonly string[] | null;
}

export interface RequestRow<Parsed = unknown> {
  readonly type: number;
  /** As logs name it. */
  readonly name: string;
  /** Classes of ExtendedLog, SFTP included. */
  readonly classes: readonly string[];
  /** What `<Limit>` calls it; null: nothing, or more than one name (see `run`). */
  readonly limit: string | null;
  /** Changes files. */
  readonly writes: boolean;
  /** The FTP command that existing log configurations look for. */
  readonly ftpEquivalent: string | null;
  /** Throws ByteError for what is truncated. */
  parse(reader: ByteReader, version: SftpVersion): Parsed;
  /** The whole reply. Throws FsError and StatusError. */
  run(service: SftpService, parsed: Parsed, request: RunningRequest): Buffer | Promise<Buffer>;
}

/** An EXTENDED request: found by its name, refused where its extension is switched off. */
export interface ExtendedRow<Parsed = unknown> extends RequestRow<Parsed> {
  readonly extended: string;
  /** Switched by SFTPExtensions; null: always there. */
  readonly extension: SftpExtension | null;
}

/** Rows of different payloads in one table: each `run` only ever gets what its own `parse` made. */
export function requestRow<Parsed>(row: RequestRow<Parsed>): RequestRow {
  return row as RequestRow;
}

export function extendedRow<Parsed>(row: ExtendedRow<Parsed>): ExtendedRow {
  return row as ExtendedRow;
}
